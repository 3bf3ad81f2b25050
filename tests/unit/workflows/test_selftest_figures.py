"""Figures of the acceptance run, from stamps whose truth is known."""

import numpy as np
import pytest

from genlock.capture import SETTLING_SETS, Stamp
from genlock.plan import make_plan
from genlock.testing.rigs import chain_rig
from genlock.workflows.selftest.bench import Track
from genlock.workflows.selftest.figures import (
    Camera,
    arrival_fit,
    arrival_gap_usec,
    camera_usec,
    drift_against,
    host_lag,
    offsets_between,
)

PERIOD_USEC = 33_333
DEVICE = make_plan(chain_rig(1)).devices[0]


def track(
    count: int = 300, *, shift_usec: float = 0, behind_periods: int = 0, ppm: float = 0, latency_usec: float = 30_000
) -> Track:
    """A device whose stamps lie so much after, and so many periods behind, those of a plain one."""
    made = Track(DEVICE, 0)
    for index in range(count):
        true_usec = index * PERIOD_USEC
        color_usec = round(true_usec * (1 + ppm * 1e-6) + shift_usec)
        arrival_nsec = 10**9 + round((true_usec + latency_usec) * 1000)
        made.stamps.append(
            Stamp("000000000001", index, color_usec - behind_periods * PERIOD_USEC, color_usec + 289, arrival_nsec)
        )
    return made


def test_settling_images_are_left_out():
    assert camera_usec(track(), Camera.COLOR)[0] == SETTLING_SETS * PERIOD_USEC
    assert camera_usec(track(), Camera.DEPTH)[0] == SETTLING_SETS * PERIOD_USEC + 289


@pytest.mark.parametrize("shift_usec", [-16_000, -155, 0, 155, 16_000])
def test_an_offset_is_found_up_to_half_a_period(shift_usec: int):
    reference, own = camera_usec(track(), Camera.COLOR), camera_usec(track(shift_usec=shift_usec), Camera.COLOR)
    offsets = offsets_between(reference, own, PERIOD_USEC)
    assert offsets is not None
    assert (offsets.median_usec, offsets.worst_usec) == (shift_usec, 0)


def test_images_whose_partner_is_lost_do_not_count():
    reference, own = camera_usec(track(), Camera.COLOR), camera_usec(track(shift_usec=100), Camera.COLOR)
    kept = reference[np.arange(reference.size) % 7 != 3]
    offsets = offsets_between(kept, own, PERIOD_USEC)
    assert offsets is not None
    assert (offsets.median_usec, offsets.worst_usec, offsets.samples) == (100, 0, kept.size)


def test_too_few_images_give_no_offset():
    reference = camera_usec(track(), Camera.COLOR)
    assert offsets_between(reference, reference[:5], PERIOD_USEC) is None
    assert offsets_between(reference[:1], reference, PERIOD_USEC) is None


@pytest.mark.parametrize("periods", [0, 1, 6])
def test_whole_periods_are_told_by_the_host_and_the_rest_by_the_stamps(periods: int):
    late = track(behind_periods=periods, shift_usec=-120, latency_usec=38_000)
    assert host_lag(track(), late) == (periods, 120)


def test_a_drift_is_that_of_the_stamps_after_the_moment():
    fit = drift_against(track(), track(ppm=20), since_nsec=10**9)
    assert fit is not None
    # 300 periods are 10 s; the noise is that of whole microseconds.
    assert fit.drift_ppm == pytest.approx(20, abs=0.2)
    assert drift_against(track(), track(), since_nsec=10**12) is None


def test_the_hosts_clock_and_the_gap_between_two_devices_arrivals_are_found():
    fit = arrival_fit(track(ppm=50))
    assert fit is not None
    assert fit.drift_ppm == pytest.approx(-50, abs=0.2)
    assert arrival_gap_usec(track(), track(latency_usec=42_000)) == pytest.approx(12_000)
