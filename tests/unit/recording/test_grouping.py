import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genlock.recording.grouping import MISSING, group_images

PERIOD_NSEC = 33_333_333


def group(*tracks: list[int]) -> list[list[int]]:
    return group_images([np.array(track, np.int64) for track in tracks], PERIOD_NSEC).tolist()


def test_images_of_one_moment_make_a_capture() -> None:
    assert group([0, 33_333_000], [10_000, 33_343_000]) == [[0, 0], [1, 1]]


def test_half_a_period_is_too_far() -> None:
    half_nsec = PERIOD_NSEC // 2
    assert group([0], [half_nsec - 1]) == [[0, 0]]
    assert group([0], [half_nsec]) == [[0, MISSING], [MISSING, 0]]


def test_a_missing_image_leaves_a_partial_capture() -> None:
    period = PERIOD_NSEC
    assert group([0, period, 2 * period], [0, 2 * period]) == [[0, 0], [1, MISSING], [2, 1]]


def test_no_images_make_no_captures() -> None:
    assert group([], []) == []


times = st.lists(st.integers(0, 400_000_000), max_size=30)
steady = st.lists(st.integers(0, PERIOD_NSEC), min_size=1, max_size=20).map(
    lambda jitters: [index * PERIOD_NSEC + jitter for index, jitter in enumerate(jitters)]
)


@given(st.lists(st.one_of(times, steady), min_size=1, max_size=3))
def test_every_image_is_in_exactly_one_capture_and_in_order(tracks: list[list[int]]) -> None:
    table = group_images([np.array(track, np.int64) for track in tracks], PERIOD_NSEC)
    assert not np.any(np.all(table == MISSING, axis=1))
    for column, track in enumerate(tracks):
        numbers = table[:, column]
        assert numbers[numbers != MISSING].tolist() == list(range(len(track)))


@given(steady, st.lists(st.integers(-20_000_000, 20_000_000), min_size=20, max_size=20))
def test_complete_recordings_group_as_any_others_do(color: list[int], jitters: list[int]) -> None:
    """The short cut for tracks of equal length agrees with the rule: a far image, added at the end, shuts it off."""
    depth = [usec + jitter for usec, jitter in zip(color, jitters, strict=False)]
    far = max(color + depth) + 10 * PERIOD_NSEC
    assert group(color, depth) == group([*color, far], depth)[:-1]
