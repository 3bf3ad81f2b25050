from __future__ import annotations

import numpy as np
import pytest

from genlock.verify.timeline import MAX_GAP_SEC, SETTLING_SETS, find_span, make_timeline

PERIOD_USEC = 33333


def paced(first: int, count: int, *, without: tuple[int, ...] = ()) -> np.ndarray:
    return np.array([number * PERIOD_USEC for number in range(first, first + count) if number not in without])


def test_loose_files_are_judged_on_their_common_span() -> None:
    times = [paced(10, 100), paced(0, 90), paced(5, 300)]
    assert find_span([[one] for one in times], PERIOD_USEC) == (10 * PERIOD_USEC, 89 * PERIOD_USEC)


def test_a_session_may_lack_nine_periods_at_its_ends_and_no_more() -> None:
    times = [paced(0, 300), paced(60, 100)]
    assert find_span([times], PERIOD_USEC) == (300_000, 299 * PERIOD_USEC - 300_000)
    close = [paced(0, 300), paced(7, 286)]
    assert find_span([close], PERIOD_USEC) == (7 * PERIOD_USEC, 292 * PERIOD_USEC)


def test_computers_end_when_they_are_stopped_but_the_devices_of_one_end_together() -> None:
    whole, short, died = paced(0, 300), paced(2, 200), paced(0, 100)
    assert find_span([[whole], [short, short]], PERIOD_USEC) == (2 * PERIOD_USEC, 201 * PERIOD_USEC)
    assert find_span([[whole], [short, died]], PERIOD_USEC) == (2 * PERIOD_USEC, 201 * PERIOD_USEC - 300_000)


def test_two_single_captures_of_one_moment_have_it_in_common() -> None:
    start_usec, end_usec = find_span([[np.array([1000])], [np.array([845])]], PERIOD_USEC)
    assert (start_usec, end_usec) == (845, 1000)
    assert make_timeline(np.array([1000]), PERIOD_USEC, (start_usec, end_usec)).is_in_span.tolist() == [True]


def test_files_without_common_time_have_an_empty_span() -> None:
    span = find_span([[paced(0, 10)], [paced(20, 10)]], PERIOD_USEC)
    assert span[1] < span[0]
    assert not make_timeline(paced(0, 10), PERIOD_USEC, span).is_in_span.any()


def test_what_the_reference_lost_is_filled_in_from_its_pacing() -> None:
    reference = paced(0, 20, without=(5, 6, 11))
    timeline = make_timeline(reference, PERIOD_USEC, (0, 19 * PERIOD_USEC))
    assert timeline.moment_usec.tolist() == paced(0, 20).tolist()
    assert np.flatnonzero(timeline.reference_index == -1).tolist() == [5, 6, 11]
    present = timeline.reference_index[timeline.reference_index >= 0]
    assert present.tolist() == list(range(17))


def test_moments_reach_beyond_a_reference_that_starts_late_or_ends_early() -> None:
    timeline = make_timeline(paced(5, 10), PERIOD_USEC, (0, 19 * PERIOD_USEC))
    assert timeline.moment_usec.tolist() == paced(0, 20).tolist()
    assert timeline.is_in_span.all()
    assert np.flatnonzero(timeline.reference_index >= 0).tolist() == list(range(5, 15))


def test_doubles_of_the_reference_are_no_moments() -> None:
    reference = np.sort(np.concatenate([paced(0, 10), [3 * PERIOD_USEC + 40]]))
    timeline = make_timeline(reference, PERIOD_USEC, (0, 9 * PERIOD_USEC))
    assert timeline.moment_usec.tolist() == paced(0, 10).tolist()


def test_the_first_ten_moments_of_the_span_are_settling() -> None:
    timeline = make_timeline(paced(0, 40), PERIOD_USEC, (5 * PERIOD_USEC, 39 * PERIOD_USEC))
    assert np.flatnonzero(timeline.is_settled).tolist() == list(range(5 + SETTLING_SETS, 40))


@pytest.mark.parametrize("where", ["before", "inside", "after"])
def test_a_jump_of_a_clock_is_told_and_not_filled_in(where: str) -> None:
    jump_usec = (MAX_GAP_SEC + 1) * 1_000_000
    reference, span = paced(0, 20), (0, 19 * PERIOD_USEC)
    if where == "before":
        span = (-jump_usec, 19 * PERIOD_USEC)
    elif where == "after":
        span = (0, 19 * PERIOD_USEC + jump_usec)
    else:
        reference = np.concatenate([reference[:10], reference[10:] + jump_usec])
        span = (0, int(reference[-1]))
    timeline = make_timeline(reference, PERIOD_USEC, span)
    assert timeline.has_jump
    assert timeline.moment_usec.size == 20


def test_a_clock_that_is_torn_all_over_is_not_filled_in_for_ever() -> None:
    torn = np.arange(1000) * 1700 * 1_000_000  # each gap would be 51 000 captures
    timeline = make_timeline(torn, PERIOD_USEC, (0, int(torn[-1])))
    assert timeline.has_jump
    assert timeline.moment_usec.size == 1000
