"""Running statistics agree with those of whole arrays, and forget."""

import numpy as np
import pytest

from genlock.sync.running import ForgettingLine, ForgettingMean


def test_a_mean_is_exact_while_there_are_few_values():
    mean = ForgettingMean(10)
    for value in (3.0, 5.0, 10.0):
        mean.add(value)
    assert mean.value == pytest.approx(6.0)


def test_a_mean_forgets():
    mean = ForgettingMean(10)
    for value in [0.0] * 100 + [1.0] * 50:
        mean.add(value)
    assert mean.value == pytest.approx(1 - 0.9**50)


def test_a_line_is_the_weighted_least_squares_fit():
    random = np.random.default_rng(1)
    times = np.sort(random.random(200)) * 60
    values = 3.0 + 0.02 * times + random.normal(0, 0.1, 200)
    line = ForgettingLine(half_life_sec=10)
    for time, value in zip(times.tolist(), values.tolist(), strict=True):
        line.add(time, value)
    weights = 0.5 ** ((times[-1] - times) / 10)
    slope, level = np.polyfit(times, values, 1, w=np.sqrt(weights))
    assert line.slope == pytest.approx(slope)
    residuals = values - (slope * times + level)
    assert line.noise == pytest.approx(np.sqrt(np.sum(weights * residuals**2) / weights.sum()))


@pytest.mark.parametrize("seconds", [2, 10, 40])
def test_the_error_of_a_slope_is_what_many_slopes_scatter_by(seconds: int):
    random = np.random.default_rng(2)
    slopes, errors = [], []
    for _ in range(200):
        line = ForgettingLine(half_life_sec=5)
        for frame in range(30 * seconds):
            line.add(frame / 30, random.normal(0, 10))
        slopes.append(line.slope or 0.0)
        errors.append(line.slope_error or 0.0)
    # The scatter of 200 slopes is known to 5 %; the factor between fresh and settled weights is near, not exact.
    assert np.std(slopes) == pytest.approx(np.mean(errors), rel=0.25)


def test_a_line_through_one_time_has_no_slope():
    line = ForgettingLine(half_life_sec=1)
    line.add(1.0, 5.0)
    line.add(1.0, 7.0)
    assert line.slope is None
    assert line.slope_error is None
    assert line.level == pytest.approx(6.0)
