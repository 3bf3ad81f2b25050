from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.capture import Stamp
from genlock.k4a import ColorResolution, DepthMode, DeviceConfig, WiredSyncMode, usec_from_ticks
from genlock.sync import (
    MISSING_USEC,
    expected_color_ticks,
    expected_depth_ticks,
    normalise_usec,
    normaliser,
    offset_errors_usec,
)

LAW = settings(deadline=None, derandomize=True)


def config(subordinate_delay_usec: int = 0, depth_delay_usec: int = 0) -> DeviceConfig:
    return DeviceConfig(
        color_resolution=ColorResolution.RES_720P,
        depth_mode=DepthMode.NFOV_UNBINNED,
        wired_sync_mode=WiredSyncMode.SUBORDINATE,
        subordinate_delay_off_master_usec=subordinate_delay_usec,
        depth_delay_off_color_usec=depth_delay_usec,
    )


@pytest.mark.parametrize(
    ("subordinate_delay_usec", "depth_delay_usec", "color_ticks", "depth_ticks"),
    [
        (0, 0, 0, 0),
        (160, 0, 14, 14),
        (0, -80, 0, -7),
        # Each delay is truncated on its own: 155 us and 155 us are 13 ticks each, not 27 together.
        (155, 155, 13, 26),
        # Microsoft's own test, quoted in SDK issue #1261.
        (22896, 7297, 2060, 2716),
    ],
)
def test_expected_offsets_are_the_ticks_that_the_device_keeps(
    subordinate_delay_usec: int, depth_delay_usec: int, color_ticks: int, depth_ticks: int
) -> None:
    kept = config(subordinate_delay_usec, depth_delay_usec)
    assert (expected_color_ticks(kept), expected_depth_ticks(kept)) == (color_ticks, depth_ticks)


def test_the_subordinate_of_microsofts_trace_is_within_a_tick_of_its_rounded_delays() -> None:
    # Measured there: subordinate color 22889, 22878, 22877 us after the master's; depth 7289, 7300 us after its color.
    trace = config(22896, 7297)
    reference = np.full(3, 1_000_000)
    color = offset_errors_usec(reference + np.array([22889, 22878, 22877]), reference, expected_color_ticks(trace))
    depth = offset_errors_usec(reference[:2] + np.array([7289, 7300]), reference[:2], trace.depth_delay_off_color_ticks)
    # A tick is 11.1 us, and the differences in the trace are cut to whole microseconds.
    assert np.abs(color).max() <= 12
    assert np.abs(depth).max() <= 12


def test_the_color_decides_and_depth_stands_in_for_it() -> None:
    normalised_usec = normaliser(config(160, -80))
    assert normalised_usec(Stamp("a", 0, 1155, 1000, None)) == 1000
    # Depth lies 14 - 7 = 7 ticks after the master's color: 77 us in whole microseconds.
    assert normalised_usec(Stamp("a", 0, None, 1077, None)) == 1000
    assert normalised_usec(Stamp("a", 0, None, None, None)) is None


@LAW
@given(
    st.lists(st.tuples(st.none() | st.integers(0, 10**12), st.integers(0, 10**12)), max_size=20),
    st.integers(0, 33333),
    st.integers(-33333, 33333),
)
def test_arrays_and_single_stamps_are_normalised_alike(
    times: list[tuple[int | None, int]], subordinate_delay_usec: int, depth_delay_usec: int
) -> None:
    kept = config(subordinate_delay_usec, depth_delay_usec)
    normalised_usec = normaliser(kept)
    color = np.array([MISSING_USEC if c is None else c for c, _ in times], dtype=np.int64)
    depth = np.array([d for _, d in times], dtype=np.int64)
    one_by_one = [normalised_usec(Stamp("a", 0, c, d, None)) for c, d in times]
    assert normalise_usec(kept, color, depth).tolist() == one_by_one


@LAW
@given(st.integers(0, 10**13), st.integers(-5000, 5000), st.integers(-5000, 5000))
def test_an_error_between_stamps_on_ticks_is_a_whole_number_of_ticks(
    reference_ticks: int, expected_ticks: int, error_ticks: int
) -> None:
    device_ticks = reference_ticks + expected_ticks + error_ticks
    if device_ticks < 0:
        return
    device, reference = (np.array([usec_from_ticks(ticks)]) for ticks in (device_ticks, reference_ticks))
    assert offset_errors_usec(device, reference, expected_ticks)[0] == error_ticks * 100 / 9


def test_nine_ticks_are_exactly_the_hundred_microseconds_of_the_tolerance() -> None:
    starts_ticks = np.arange(0, 90)
    device = np.array([usec_from_ticks(int(t) + 9) for t in starts_ticks])
    reference = np.array([usec_from_ticks(int(t)) for t in starts_ticks])
    assert set(device - reference) == {100}
    shifted = np.array([usec_from_ticks(int(t) + 10) for t in starts_ticks])
    # Ten ticks look like 111 or 112 us in whole microseconds, but are one number.
    assert set(shifted - reference) == {111, 112}
    assert np.unique(offset_errors_usec(shifted, reference, 0)).tolist() == [1000 / 9]


def test_an_error_off_the_ticks_is_left_as_it_is() -> None:
    assert offset_errors_usec(np.array([1005]), np.array([1000]), 0).tolist() == [5.0]


def test_a_missing_image_has_no_error() -> None:
    device, reference = np.array([MISSING_USEC, 5000, 5000]), np.array([5000, MISSING_USEC, 5000])
    assert np.isnan(offset_errors_usec(device, reference, 0)).tolist() == [True, True, False]
