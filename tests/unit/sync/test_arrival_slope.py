"""The detector that reads arrivals: slow, but it needs no stamps."""

import math

import numpy as np
import pytest

from genlock.sync.arrival_slope import ArrivalDetector


def seconds_to_alarm(
    ppm: float,
    *,
    fps: int = 30,
    jitter_usec: float = 1500,
    healthy_sec: float = 120,
    after_sec: float = 90,
    seed: int = 0,
) -> float:
    """From the pull to the alarm, infinite without one; the frames come ``ppm`` too late."""
    random = np.random.default_rng(seed)
    count = round((healthy_sec + after_sec) * fps)
    at_sec = np.arange(count) / fps
    noise = random.normal(0, jitter_usec, count) - random.normal(0, jitter_usec, count)
    behind_usec = 24_000 + noise + ppm * np.maximum(0, at_sec - healthy_sec)
    detector = ArrivalDetector()
    for time_sec, behind in zip(at_sec.tolist(), behind_usec.tolist(), strict=True):
        if detector.add(round(time_sec * 1e6), behind):
            return time_sec - healthy_sec
    return math.inf


@pytest.mark.parametrize("jitter_usec", [1000, 1500, 2000])
@pytest.mark.parametrize("ppm", [20, -20])
def test_20_ppm_is_noticed_within_a_minute_and_not_before_the_pull(jitter_usec: float, ppm: float):
    times_sec = [seconds_to_alarm(ppm, jitter_usec=jitter_usec, seed=seed) for seed in range(3)]
    assert min(times_sec) > 0
    assert max(times_sec) <= 60


def test_hours_of_healthy_jitter_give_no_alarm():
    """Four hours of one device; a whole day of nine is measured in docs/explanations/sync-loss.md."""
    assert seconds_to_alarm(0, healthy_sec=2 * 3600, after_sec=0, seed=11) == math.inf
    assert seconds_to_alarm(0, healthy_sec=2 * 3600, after_sec=0, jitter_usec=2000, seed=12) == math.inf


def test_a_hold_up_of_single_captures_is_no_slope():
    detector = ArrivalDetector()
    random = np.random.default_rng(13)
    for frame in range(30 * 300):
        held_up_usec = 150_000 if random.random() < 0.01 else 0
        assert not detector.add(frame * 33_333, 5000 + random.normal(0, 1500) + held_up_usec)


def test_a_host_that_wanders_by_milliseconds_raises_the_bar():
    """Its wander is common to many captures: the steps between the bins show it, the scatter inside them does not."""
    detector = ArrivalDetector()
    random = np.random.default_rng(14)
    wander_usec = np.repeat(random.normal(0, 3000, 600), 30)
    alarms = [
        detector.add(frame * 33_333, wander + random.normal(0, 500))
        for frame, wander in enumerate(wander_usec.tolist())
    ]
    assert not any(alarms)
