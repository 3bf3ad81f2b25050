"""Has a device stopped following the master although its stamps look perfect? Read from arrival times on the host.

Arrivals are late by milliseconds, each by another (standard deviation 1 to 2 ms in SDK issue #1665's log), but over a
minute that averages out: a device whose frames really come 20 ppm too slowly falls behind by 1.2 ms.

**What is watched.** For each moment the device's arrival minus the reference's, averaged over bins of a second of the
reference's time. Healthy, that is a constant (two devices lie up to 24 ms apart) plus noise; a free clock adds a ramp
from some moment on. Every second a hinge ``level + slope * max(0, t - t0)`` is fitted by least squares to the last five
minutes, for each of a few ages of the hinge, and the slope is held against its standard error.

**How often it errs.** A day of nine subordinates has 7.8e5 seconds, each judged at seven ages and to two sides: 1.1e7
chances. A normal variate is beyond 6 sigma with a chance of 1e-9 to one side, so 1e-2 false alarms a day together at
most (neighbouring seconds share their data, so fewer). A bin's mean of 30 is near enough to normal; the sigma is the
larger one of what the scatter inside the bins and what the steps between them say, so that slow wander does not alarm.
A level that *jumps* and then holds (a new exposure, a busier host) is no slope: where a step explains the five minutes
clearly better than any hinge, nothing is said.

**How fast it is.** With jitter ``s`` on both devices a bin's sigma is ``s sqrt(2 / fps)``. A hinge of ``L`` seconds
after ``M`` healthy ones has a standard error of ``sigma / sqrt(q)`` with ``q = L^3 / 3 - L^4 / (4 (L + M))``. At 30 fps
and 2 ms, ``M`` = 240, 20 ppm is at 6 sigma after 44 s, at 1 ms after 28 s; at 15 fps 12 s later. A device that leaves
within seconds of its start has taught nothing to compare with: then it takes up to half as long again.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genlock.sync.shape import hinges, step_gains

__all__ = ["ArrivalDetector"]

_SIGMAS = 6.0
_STEP_LEAD_SIGMAS = 3.0
_BINS = 300
_MIN_BINS = 12
_AGES_SEC = (10, 15, 22, 30, 45, 60, 120)
_CLIP_SIGMAS = 5.0
_MIN_IN_BIN = 3
_NOISE_SAMPLES = 3000.0
"""The scatter inside the bins is remembered over about so many captures."""


class ArrivalDetector:
    """The detector of one device, in constant memory."""

    def __init__(self) -> None:
        self._bin: int | None = None
        self._count = 0
        self._mean_usec = 0.0
        self._scatter = 0.0
        self._noise_usec = 0.0
        self._noise_weight = 0.0
        self._levels_usec: deque[float] = deque(maxlen=_BINS)
        self._bin_sigmas_usec: deque[float] = deque(maxlen=_BINS)
        self.is_departed = False
        """Whether the slope is beyond the bound now."""
        self.slope_ppm: float | None = None
        """The most telling slope of the arrivals; positive: the device's frames come later and later. ``None`` before
        there is anything to fit."""

    def add(self, reference_usec: int, behind_usec: float) -> bool:
        """Takes one moment; whether the alarm begins with it.

        Args:
            reference_usec: the reference's device time of the moment; rises.
            behind_usec: arrival of the device's capture minus that of the reference's.
        """
        second = reference_usec // 1_000_000
        begins = False
        if self._bin is not None and second != self._bin:
            begins = self._close_bin(second - self._bin)
        self._bin = second
        off = behind_usec - self._mean_usec
        if self._count >= _MIN_IN_BIN and self._noise_weight:
            # A single capture that a busy host held up must not move the bin.
            bound_usec = _CLIP_SIGMAS * self._noise_usec
            behind_usec = self._mean_usec + max(-bound_usec, min(bound_usec, off))
            off = behind_usec - self._mean_usec
        self._count += 1
        self._mean_usec += off / self._count
        self._scatter += off * (behind_usec - self._mean_usec)
        return begins

    def _close_bin(self, seconds: int) -> bool:
        if self._count >= _MIN_IN_BIN:
            self._noise_weight = min(self._noise_weight + self._count, _NOISE_SAMPLES)
            variance = self._scatter / (self._count - 1)
            share = self._count / self._noise_weight
            self._noise_usec = float(np.sqrt((1 - share) * self._noise_usec**2 + share * variance))
            # Missed seconds keep their place in time: the level is carried over them.
            for _ in range(min(seconds, _BINS)):
                self._levels_usec.append(self._mean_usec)
                self._bin_sigmas_usec.append(self._noise_usec / float(np.sqrt(self._count)))
        self._count, self._mean_usec, self._scatter = 0, 0.0, 0.0
        return self._judge()

    def _judge(self) -> bool:
        bins = len(self._levels_usec)
        if bins < _MIN_BINS:
            return False
        levels = np.array(self._levels_usec)
        steps = np.diff(levels)
        sigma_usec = max(float(np.mean(self._bin_sigmas_usec)), float(np.sqrt(np.mean(steps**2) / 2)))
        rows, spreads = _hinges(bins)
        slopes = rows @ levels / spreads
        sigmas = np.abs(slopes) * np.sqrt(spreads) / max(sigma_usec, 1e-9)
        best = int(np.argmax(sigmas))
        self.slope_ppm = float(slopes[best])  # us a second
        lead = float(np.max(step_gains(levels))) - float(slopes[best] ** 2 * spreads[best])
        is_step = lead > (_STEP_LEAD_SIGMAS * sigma_usec) ** 2
        was_departed, self.is_departed = self.is_departed, bool(sigmas[best] > _SIGMAS) and not is_step
        return self.is_departed and not was_departed


@lru_cache(maxsize=_BINS)
def _hinges(bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(A, bins) hinges of every age without their means, in seconds, and (A,) their sums of squares."""
    ages = [age for age in _AGES_SEC if age <= bins] + [bins]
    return hinges(bins, bins - 1 - np.array(ages))
