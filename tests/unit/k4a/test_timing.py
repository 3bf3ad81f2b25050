"""Ticks, pulse trains and the exposure table, against the SDK's rules and Microsoft's printed numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.k4a import (
    EXPOSURES_USEC,
    PULSE_TRAINS,
    DepthMode,
    PowerlineFrequency,
    nearest_exposure_usec,
    ticks_from_usec,
    usec_from_ticks,
)

# Microsoft's driver values (2^n us), and what the device makes of them (color_priv.h).
EXPOSURE_TABLE = [
    (488, 500, 500),
    (977, 1250, 1250),
    (1953, 2500, 2500),
    (3906, 10000, 8330),
    (7813, 20000, 16670),
    (15625, 30000, 33330),
    (31250, 40000, 41670),
    (62500, 50000, 50000),
    (125000, 60000, 66670),
    (250000, 80000, 83330),
    (500000, 100000, 100000),
    (1000000, 120000, 116670),
    (2000000, 130000, 133330),
]


def test_the_exposure_table_is_the_sdks():
    assert EXPOSURES_USEC[PowerlineFrequency.HZ_50] == tuple(row[1] for row in EXPOSURE_TABLE)
    assert EXPOSURES_USEC[PowerlineFrequency.HZ_60] == tuple(row[2] for row in EXPOSURE_TABLE)


@pytest.mark.parametrize(
    ("requested", "powerline", "kept"),
    [
        (1, 60, 500),
        (500, 60, 500),
        (501, 60, 1250),
        (8000, 50, 10000),  # green_screen's default
        (8000, 60, 8330),
        (8330, 60, 8330),
        (8331, 60, 16670),
        (133330, 60, 133330),
        (133331, 60, 133330),  # above the last: the last
        (10**6, 50, 130000),
    ],
)
def test_an_exposure_is_rounded_up_to_the_table(requested, powerline, kept):
    assert nearest_exposure_usec(requested, PowerlineFrequency(powerline)) == kept


@pytest.mark.parametrize(
    ("usec", "ticks"),
    # 22896 and 7297 are from Microsoft's own test trace (SDK issue #1261).
    [(0, 0), (160, 14), (166, 14), (167, 15), (80, 7), (-80, -7), (-1, 0), (22896, 2060), (7297, 656), (-12276, -1104)],
)
def test_a_delay_becomes_whole_ticks_truncated_toward_zero(usec, ticks):
    assert ticks_from_usec(usec) == ticks


@given(st.integers(-(10**7), 10**7))
def test_a_stamp_in_usec_lies_less_than_a_usec_from_its_ticks(ticks):
    usec = usec_from_ticks(ticks)
    assert 0 <= abs(ticks) * 100 - abs(usec) * 9 < 9
    assert usec == 0 or (usec > 0) == (ticks > 0)


def test_a_frame_at_30_fps_is_3000_ticks():
    assert usec_from_ticks(3000) == 33333


def test_trains_have_microsofts_exposure_times():
    durations = {mode: train and train.duration_usec for mode, train in PULSE_TRAINS.items()}
    assert durations == {
        DepthMode.OFF: None,
        DepthMode.NFOV_2X2BINNED: 12725,  # printed as 12.8 ms
        DepthMode.NFOV_UNBINNED: 12725,
        DepthMode.WFOV_2X2BINNED: 12725,
        DepthMode.WFOV_UNBINNED: 20245,  # printed as 20.3 ms
        DepthMode.PASSIVE_IR: None,
    }


def test_a_train_is_centred_on_its_stamp():
    train = PULSE_TRAINS[DepthMode.WFOV_UNBINNED]
    assert train is not None
    starts = train.pulse_starts_usec(1000.0)
    assert len(starts) == 9
    assert (starts[0] + starts[-1] + train.pulse_usec) / 2 == 1000.0
    assert {b - a for a, b in pairwise(starts)} == {2515.0}
