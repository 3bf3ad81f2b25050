"""Has a device stopped following the master? Read from stamps alone, as fast as their jitter allows.

**What is watched.** The *error* of a moment: the device's stamps minus the reference's, minus where they should lie, in
ticks; the mean over color and depth where both devices have both. Healthy, it is a constant (the device's own, up to
4 ticks on a master's depth) plus jitter: every stamp is off by up to one tick. A clock that runs free adds a ramp:
20 ppm at 30 fps are 0.06 ticks a frame.

**The detector** is Page's CUSUM, run at several slacks ``k`` and to both sides on the deviation ``x`` from a slowly
learned baseline::

    S <- max(0, S + x - k)          alarm when S > h(k)

**How often it errs.** Let ``L(t) = log E exp(t x)``. By Wald's and Lundberg's inequality the chance that a healthy
``S`` climbs over ``h`` from a given sample on is at most ``exp(-t h)`` for the ``t > 0`` with ``L(t) = k t``. A stamp's
error, even over {-1, 0, 1} ticks, has ``E exp(t x) = (1 + 2 cosh t) / 3``, so an error made of n stamps, each counting
2 / n, has ``L(t) = n log((1 + 2 cosh(2 t / n)) / 3)``. A day of nine subordinates at 30 fps has 2.3e7 samples, each
judged at three slacks and to two sides: 1.4e8 chances. ``h(k) = 21.8 / t`` makes them 5e-2 false alarms a day together,
at most. Where more jitter is measured than this model has, ``h`` grows in proportion to the variance.

**How fast it is.** A ramp of ``g`` ticks a frame passes the slack after ``k / g`` frames and then climbs as
``g m^2 / 2``: ``k / g + sqrt(2 h / g)`` frames, give or take ``sigma sqrt(m) / (g m)``. With color and depth (four
stamps, sigma 0.82 ticks) at 30 fps: 20 ppm in 0.9 s +- 0.1, 5 ppm in 2.4 s +- 0.3; with one of the two 1.1 s +- 0.1 and
3.1 s +- 0.3. Single wrong stamps are clipped at 5 ticks and cannot alarm by themselves. Measured times and rates are in
``docs/explanations/sync-loss.md``.

Source: E. S. Page, "Continuous inspection schemes", 1954; G. Lorden, "Procedures for reacting to a change", 1971.
# unverified on hardware: that a freed subordinate's stamps drift at all (SDK issue #1850)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Departure", "StampDetector", "alarm_height", "find_departures"]

_CHANCES_A_DAY = 24 * 3600 * 30 * 9 * 3 * 2
_FALSE_ALARMS_A_DAY = 5e-2
_EXPONENT = math.log(_CHANCES_A_DAY / _FALSE_ALARMS_A_DAY)

SLACKS_TICKS = {2: (0.8, 0.45, 0.2), 4: (0.65, 0.35, 0.15)}
"""For errors made of two and of four stamps: near the best for 20, 5 and below 1 ppm at 30 fps."""

CLIP_TICKS = 5.0
FIRST_SAMPLES = 20
"""The first baseline is the mean of so many errors."""
MEMORY_BLOCKS = 60
"""The baseline remembers about so many blocks: a minute at 30 fps."""
BLOCK_SAMPLES = 30
"""The baseline is renewed after so many errors, so that arrays can be worked through block by block."""

_JITTER_BLOCKS = 10
"""The model's variance counts for so many measured blocks at first."""


@lru_cache(maxsize=32)
def alarm_height(slack_ticks: float, stamps: int) -> float:
    """``h`` of the formula above, in ticks.

    Args:
        slack_ticks: ``k``.
        stamps: how many stamps an error is made of, 2 or 4.
    """
    low, high = 1e-6, 50.0
    for _ in range(200):  # L(t) - k t is below zero between 0 and the root, and above it from there on
        t = (low + high) / 2
        if stamps * math.log((1 + 2 * math.cosh(2 * t / stamps)) / 3) < slack_ticks * t:
            low = t
        else:
            high = t
    return _EXPONENT / low


def healthy_variance(stamps: int) -> float:
    """Of an error of so many stamps, in square ticks: each has a variance of 2/3 and counts 2 / n."""
    return 8 / (3 * stamps)


class StampDetector:
    """The detector, one error at a time, in constant memory."""

    def __init__(self, stamps: int) -> None:
        """Prepares for errors made of 2 stamps (color or depth) or of 4 (both)."""
        self._slacks = SLACKS_TICKS[stamps]
        self._heights = tuple(alarm_height(slack, stamps) for slack in self._slacks)
        self._model_variance = healthy_variance(stamps)
        self._variance = self._model_variance
        self._up = [0.0] * len(self._slacks)
        self._down = [0.0] * len(self._slacks)
        self._blocks = 0
        self._count = 0
        self._first: list[float] = []
        self._sum = 0.0
        self._steps = 0.0
        self._last: float | None = None
        self.baseline_ticks: float | None = None
        """The learned constant; ``None`` while it is being learned."""
        self.is_departed = False
        """Whether the alarm stands. It ends when every sum has come far back: the device follows again."""

    @property
    def jitter_ticks(self) -> float:
        """Standard deviation of the errors, from their steps."""
        return math.sqrt(self._variance)

    def add(self, error_ticks: float) -> bool:
        """Takes the next error; whether the alarm begins with it."""
        if self.baseline_ticks is None:
            self._learn_first(error_ticks)
            return False
        step = max(-CLIP_TICKS, min(CLIP_TICKS, error_ticks - (error_ticks if self._last is None else self._last)))
        self._last = error_ticks
        x = max(-CLIP_TICKS, min(CLIP_TICKS, error_ticks - self.baseline_ticks))
        scale = max(1.0, self._variance / self._model_variance)
        is_over, is_quiet = False, True
        for index, slack in enumerate(self._slacks):
            height = self._heights[index] * scale
            up = self._up[index] = min(max(0.0, self._up[index] + x - slack), 2 * height)
            down = self._down[index] = min(max(0.0, self._down[index] - x - slack), 2 * height)
            is_over = is_over or up > height or down > height
            is_quiet = is_quiet and max(up, down) < height / 4
        self._renew(x, step)
        begins = is_over and not self.is_departed
        self.is_departed = is_over or (self.is_departed and not is_quiet)
        return begins

    def _learn_first(self, error_ticks: float) -> None:
        self._first.append(error_ticks)
        if len(self._first) == FIRST_SAMPLES:
            self.baseline_ticks = _first_baseline(self._first)
            self._first.clear()

    def _renew(self, x: float, step: float) -> None:
        self._sum += x
        self._steps += step * step
        self._count += 1
        if self._count < BLOCK_SAMPLES or self.baseline_ticks is None:
            return
        if not self.is_departed:  # a departure must not become the new normal
            self.baseline_ticks += _moved(self._sum / self._count, self._blocks)
            self._variance += _settled(self._steps / (2 * self._count), self._variance, self._blocks)
            self._blocks += 1
        self._sum, self._steps, self._count = 0.0, 0.0, 0


def _first_baseline(errors_ticks: list[float]) -> float:
    """The mean of the first errors, without wild ones."""
    middle = sorted(errors_ticks)[len(errors_ticks) // 2]
    near = [error for error in errors_ticks if abs(error - middle) <= CLIP_TICKS]
    return sum(near) / len(near)


def _moved(mean_x: float, blocks: int) -> float:
    return mean_x / min(blocks + 2, MEMORY_BLOCKS)


def _settled(block_variance: float, variance: float, blocks: int) -> float:
    return (block_variance - variance) / min(blocks + _JITTER_BLOCKS, MEMORY_BLOCKS)


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a recorded device left the reference."""

    onset: int
    """Index of the error from which on the sum that alarmed was never zero again: about when it began."""
    alarm: int
    """Index of the error at which it was sure."""


def find_departures(errors_ticks: NDArray[np.float64], stamps: int) -> Departure | None:
    """The first departure in a whole recording: what ``StampDetector`` would have said, much faster.

    Args:
        errors_ticks: (N,) errors in order of time, without gaps (leave out what is missing).
        stamps: how many stamps each is made of, 2 or 4.
    """
    if errors_ticks.size <= FIRST_SAMPLES:
        return None
    values = errors_ticks[FIRST_SAMPLES:]
    baseline, variance = _levels(_first_baseline(errors_ticks[:FIRST_SAMPLES].tolist()), values, stamps)
    x = np.clip(values - baseline, -CLIP_TICKS, CLIP_TICKS)
    scale = np.maximum(1.0, variance / healthy_variance(stamps))
    found: list[Departure] = []
    for slack in SLACKS_TICKS[stamps]:
        height = alarm_height(slack, stamps) * scale
        for side in (x, -x):
            climb = np.cumsum(side - slack)
            floor = np.minimum.accumulate(np.minimum(climb, 0.0))
            over = np.flatnonzero(climb - floor > height)
            if over.size:
                alarm = int(over[0])
                touching = np.flatnonzero(climb[: alarm + 1] <= floor[: alarm + 1])
                onset = int(touching[-1]) + 1 if touching.size else 0
                found.append(Departure(FIRST_SAMPLES + onset, FIRST_SAMPLES + alarm))
    return min(found, key=lambda departure: (departure.alarm, departure.onset), default=None)


def _levels(first: float, values: NDArray[np.float64], stamps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) the baseline and the variance that hold for each value, block by block."""
    whole = values.size // BLOCK_SAMPLES
    steps = np.clip(np.diff(values, prepend=values[0]), -CLIP_TICKS, CLIP_TICKS) ** 2
    rows = values[: whole * BLOCK_SAMPLES].reshape(whole, BLOCK_SAMPLES)
    means, lows, highs = (row.tolist() for row in (rows.mean(axis=1), rows.min(axis=1), rows.max(axis=1)))
    variances = (steps[: whole * BLOCK_SAMPLES].reshape(whole, BLOCK_SAMPLES).mean(axis=1) / 2).tolist()
    baseline, variance = first, healthy_variance(stamps)
    baselines, levels = [baseline], [variance]
    for blocks in range(whole):
        mean_x = means[blocks] - baseline
        if highs[blocks] - baseline > CLIP_TICKS or baseline - lows[blocks] > CLIP_TICKS:
            mean_x = float(np.clip(rows[blocks] - baseline, -CLIP_TICKS, CLIP_TICKS).mean())
        baseline += _moved(mean_x, blocks)
        variance += _settled(variances[blocks], variance, blocks)
        baselines.append(baseline)
        levels.append(variance)
    return (
        np.repeat(baselines, BLOCK_SAMPLES)[: values.size],
        np.repeat(levels, BLOCK_SAMPLES)[: values.size],
    )
