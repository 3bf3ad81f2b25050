"""The detector that reads stamps: how fast, how sure, and the same for arrays as one by one."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from genlock.sync import find_departures
from genlock.sync.departure import SLACKS_TICKS, StampDetector, alarm_height

Errors = NDArray[np.float64]


def healthy_errors(count: int, stamps: int, seed: int) -> Errors:
    """Every stamp off by -1, 0 or 1 tick, evenly: device minus reference, averaged over color and depth."""
    random = np.random.default_rng(seed)
    kinds = stamps // 2
    return (random.integers(-1, 2, (count, kinds)) - random.integers(-1, 2, (count, kinds))).mean(axis=1)


def pulled_errors(
    fps: int, ppm: float, stamps: int, seed: int, pulled_sec: float = 8.0, after_sec: float = 15.0
) -> Errors:
    """Healthy, until the cable is pulled: then the true offset grows, and stamps are cut to whole ticks."""
    random = np.random.default_rng([seed, 1])
    count = round((pulled_sec + after_sec) * fps)
    free_sec = np.maximum(0.0, (np.arange(count) + random.random()) / fps - pulled_sec)
    ramp_ticks = np.floor(free_sec * ppm * 0.09 + random.random(count))  # 1 ppm is 1 us, 0.09 ticks, a second
    return healthy_errors(count, stamps, seed) + ramp_ticks


def seconds_to_alarm(fps: int, ppm: float, stamps: int, seed: int) -> float:
    errors = pulled_errors(fps, ppm, stamps, seed)
    departure = find_departures(errors, stamps)
    return math.inf if departure is None else departure.alarm / fps - 8.0


@pytest.mark.parametrize(
    ("fps", "ppm", "bound_sec"),
    [
        (30, 20, 1.5),  # mean 1.0 s +- 0.1
        (30, -20, 1.5),
        (30, 5, 4.0),  # 2.5 s +- 0.3
        # The same formula with g = ppm * 0.09 / fps: 1.2 s +- 0.15 and 3.2 s +- 0.4; 1.9 s +- 0.2 and 4.6 s +- 0.6;
        # plus five sigma.
        (15, 20, 2.0),
        (15, 5, 5.2),
        (5, 20, 3.0),
        (5, 5, 7.6),
    ],
)
def test_a_freed_clock_is_noticed_by_color_and_depth_in_time(fps: int, ppm: float, bound_sec: float):
    times_sec = [seconds_to_alarm(fps, ppm, 4, seed) for seed in range(40)]
    assert min(times_sec) >= 0
    assert max(times_sec) <= bound_sec


@pytest.mark.parametrize(("ppm", "bound_sec"), [(20, 1.5), (5, 4.0)])
def test_with_one_kind_of_image_most_are_noticed_in_time(ppm: float, bound_sec: float):
    """Of a thousand, 1 % takes longer (docs/explanations/sync-loss.md): 0.4 of 40; 3 are a chance of 1 in 1000."""
    times_sec = [seconds_to_alarm(30, ppm, 2, seed) for seed in range(40)]
    assert sum(time > bound_sec for time in times_sec) <= 3


@pytest.mark.parametrize(("stamps", "devices"), [(4, 9), (2, 2)])
def test_a_day_of_healthy_subordinates_gives_no_alarm(stamps: int, devices: int):
    """A whole day of nine with one kind of image is measured in docs/explanations/sync-loss.md."""
    day = 24 * 3600 * 30
    found = [find_departures(healthy_errors(day, stamps, seed), stamps) for seed in range(devices)]
    assert found == [None] * devices


def test_a_constant_of_four_ticks_on_the_masters_depth_is_no_departure():
    errors = healthy_errors(20_000, 2, seed=3) - 4
    assert find_departures(errors, 2) is None


def test_single_wild_stamps_are_no_departure():
    errors = healthy_errors(20_000, 4, seed=4)
    errors[::97] += 300  # 3 ms off, every third second
    assert find_departures(errors, 4) is None


def test_more_jitter_than_the_model_has_raises_the_bar_instead_of_the_alarm():
    random = np.random.default_rng(5)
    errors = random.integers(-3, 4, 200_000).astype(float)  # three times the model's variance
    assert find_departures(errors, 2) is None


@pytest.mark.parametrize("stamps", [2, 4])
@pytest.mark.parametrize("ppm", [0.0, 5.0, -20.0, 300.0])
def test_one_by_one_and_as_an_array_it_says_the_same(stamps: int, ppm: float):
    errors = pulled_errors(30, ppm, stamps, seed=6)
    detector = StampDetector(stamps)
    begins = [index for index, error in enumerate(errors.tolist()) if detector.add(error)]
    departure = find_departures(errors, stamps)
    assert begins[:1] == ([] if departure is None else [departure.alarm])


def test_the_onset_lies_near_the_pull():
    for seed in range(20):
        departure = find_departures(pulled_errors(30, 20, 4, seed), 4)
        assert departure is not None
        # The sum rests at zero until the ramp passes the slack of 0.65 ticks, 11 frames after the pull; it may have
        # been on its way up before by chance, or touched zero once more a little later.
        assert -30 <= departure.onset - 8 * 30 <= 40


def test_the_alarm_ends_when_the_device_follows_again():
    errors = np.concatenate([pulled_errors(30, 20, 4, seed=7, after_sec=3), healthy_errors(600, 4, seed=8)])
    detector = StampDetector(4)
    states = [detector.add(error) or detector.is_departed for error in errors.tolist()]
    assert states[8 * 30 + 60]
    assert not states[-1]


@pytest.mark.parametrize("stamps", [2, 4])
def test_the_threshold_solves_the_equation_that_it_is_derived_from(stamps: int):
    for slack in SLACKS_TICKS[stamps]:
        t = math.log(24 * 3600 * 30 * 9 * 3 * 2 / 5e-2) / alarm_height(slack, stamps)
        log_moment = stamps * math.log((1 + 2 * math.cosh(2 * t / stamps)) / 3)
        assert log_moment == pytest.approx(slack * t, rel=1e-6)
