from __future__ import annotations

import numpy as np
import pytest

from genlock.sync import Gap, find_doubled, find_gaps

PERIOD_USEC = 33333


def test_an_even_stream_has_no_gaps_and_no_doubles() -> None:
    times = np.arange(100) * PERIOD_USEC
    assert find_gaps(times, PERIOD_USEC) == ()
    assert find_doubled(times, PERIOD_USEC).size == 0


@pytest.mark.parametrize(
    ("pacing_usec", "missing"), [(49_999, None), (50_000, 1), (66_666, 1), (99_999, 2), (333_330, 9)]
)
def test_a_pacing_of_one_and_a_half_periods_is_a_gap(pacing_usec: int, missing: int | None) -> None:
    gaps = find_gaps(np.array([1000, 1000 + pacing_usec]), PERIOD_USEC)
    expected = () if missing is None else (Gap(1000, 1000 + pacing_usec, missing),)
    assert gaps == expected


def test_the_master_of_a_users_log_lost_four_captures() -> None:
    # SDK issue #1271: gaps of 1, 1, 1, 1, 2, 2 and 3 periods.
    log_usec = np.array([131500, 164788, 198133, 231466, 264811, 331466, 398133, 498122])
    assert [gap.missing for gap in find_gaps(log_usec, PERIOD_USEC)] == [1, 1, 2]


def test_a_capture_less_than_half_a_period_after_another_is_a_double() -> None:
    assert find_doubled(np.array([0, 33333, 49_999, 66666, 66700]), PERIOD_USEC).tolist() == [49_999, 66700]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_captures_have_neither(count: int) -> None:
    times = np.arange(count, dtype=np.int64)
    assert find_gaps(times, PERIOD_USEC) == ()
    assert find_doubled(times, PERIOD_USEC).size == 0
