from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.sync import NO_CAPTURE, opens_set, pair_captures

LAW = settings(deadline=None, derandomize=True)
PERIOD_USEC = 33333

times = st.lists(st.integers(0, 40).map(lambda quarter: quarter * 8333), max_size=20)


def rising_sets(reference_usec: list[int]) -> list[int]:
    opens = opens_set(reference_usec, PERIOD_USEC)
    return [usec for usec, is_open in zip(reference_usec, opens, strict=True) if is_open]


@pytest.mark.parametrize(
    ("sets", "captures", "partners"),
    [
        ([], [5], []),
        ([0], [], [NO_CAPTURE]),
        ([0, 33333], [0, 33333], [0, 1]),
        # The reach is less than half a period: 16666 us are in, 16667 us are out, on both sides.
        ([100_000], [116_666], [0]),
        ([100_000], [116_667], [NO_CAPTURE]),
        ([100_000], [83_334], [0]),
        ([100_000], [83_333], [NO_CAPTURE]),
        # An extra capture before the set, and a double behind it.
        ([100_000], [50_000, 99_000, 100_500], [1]),
        # A capture that the device lost does not shift the ones after it.
        ([0, 33333, 66666], [0, 66666], [0, NO_CAPTURE, 1]),
    ],
)
def test_a_capture_joins_the_set_within_half_a_period(
    sets: list[int], captures: list[int], partners: list[int]
) -> None:
    assert pair_captures(sets, captures, PERIOD_USEC).tolist() == partners


@pytest.mark.parametrize(
    ("reference", "opens"),
    [
        ([], []),
        ([0, 33333, 66666], [True, True, True]),
        ([0, 16666], [True, False]),
        ([0, 16667], [True, True]),
        # Color and depth of one moment delivered apart, then time stepping back.
        ([33333, 33340, 66666, 0, 100_000], [True, False, True, False, True]),
    ],
)
def test_doubles_and_steps_back_of_the_reference_open_no_set(reference: list[int], opens: list[bool]) -> None:
    assert opens_set(reference, PERIOD_USEC).tolist() == opens


@LAW
@given(times, times)
def test_every_capture_is_in_one_set_at_most_and_close_to_it(reference: list[int], captures: list[int]) -> None:
    sets = rising_sets(reference)
    partners = pair_captures(sets, captures, PERIOD_USEC)
    used = [int(partner) for partner in partners if partner != NO_CAPTURE]
    assert used == sorted(set(used))
    for moment_usec, partner in zip(sets, partners, strict=True):
        if partner != NO_CAPTURE:
            assert 2 * abs(captures[partner] - moment_usec) < PERIOD_USEC


@LAW
@given(times, times)
def test_no_capture_in_order_is_left_out_while_its_set_stays_empty(reference: list[int], captures: list[int]) -> None:
    sets, captures = rising_sets(reference), sorted(captures)
    partners = pair_captures(sets, captures, PERIOD_USEC).tolist()
    extra = set(range(len(captures))) - set(partners)
    for moment_usec, partner in zip(sets, partners, strict=True):
        if partner == NO_CAPTURE:
            assert not [at for at in extra if 2 * abs(captures[at] - moment_usec) < PERIOD_USEC]


@LAW
@given(times, times, st.integers(-(10**9), 10**9))
def test_only_differences_of_times_matter(reference: list[int], captures: list[int], shift_usec: int) -> None:
    sets = rising_sets(reference)
    shifted = pair_captures([t + shift_usec for t in sets], [t + shift_usec for t in captures], PERIOD_USEC)
    assert shifted.tolist() == pair_captures(sets, captures, PERIOD_USEC).tolist()
