from __future__ import annotations

import numpy as np
import pytest

from genlock.verify.statistics import offset_stats


def test_the_median_keeps_its_sign_and_the_others_are_absolute() -> None:
    stats = offset_stats(np.array([-30.0, -20.0, -20.0, 10.0, np.nan]))
    assert stats is not None
    assert (stats.samples, stats.median_usec, stats.max_usec) == (4, -20.0, 30.0)


@pytest.mark.parametrize(
    ("beyond", "p95_usec", "p99_usec"), [(0, 0.0, 0.0), (1, 0.0, 0.0), (5, 0.0, 50.0), (6, 50.0, 50.0)]
)
def test_a_percentile_is_the_smallest_error_that_so_many_do_not_exceed(
    beyond: int, p95_usec: float, p99_usec: float
) -> None:
    errors = np.zeros(100)
    errors[:beyond] = -50
    stats = offset_stats(errors)
    assert stats is not None
    assert (stats.p95_usec, stats.p99_usec) == (p95_usec, p99_usec)


def test_jitter_does_not_see_a_constant_offset() -> None:
    near, far = offset_stats(np.array([-11.0, 0, 0, 11, 11])), offset_stats(np.array([1989.0, 2000, 2000, 2011, 2011]))
    assert near is not None
    assert far is not None
    assert near.jitter_usec == far.jitter_usec > 0


def test_jitter_is_no_coarser_than_the_ticks_that_errors_fall_on() -> None:
    # Three in four errors on one tick, the others a tick away: the root mean square is half a tick.
    stats = offset_stats(np.array([0.0, 0, 0, 100 / 9] * 50))
    assert stats is not None
    assert stats.jitter_usec == pytest.approx(100 / 9 / 2)


def test_a_single_outlier_is_no_jitter() -> None:
    steady = np.array([0.0, 0, 0, 11] * 50)
    stats, with_outlier = offset_stats(steady), offset_stats(np.append(steady, 20_000.0))
    assert stats is not None
    assert with_outlier is not None
    assert with_outlier.jitter_usec == stats.jitter_usec
    assert with_outlier.max_usec == 20_000


@pytest.mark.parametrize("errors", [[], [np.nan, np.nan]])
def test_without_errors_there_are_no_numbers(errors: list[float]) -> None:
    assert offset_stats(np.array(errors)) is None
