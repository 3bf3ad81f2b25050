"""Is it a ramp or a step? What tells a clock that runs free from times that jumped once and then held.

Two models are held against a row of values, each at every place where it may begin, and the one that takes more of the
squares away is the better one::

    step    level before, another level after
    hinge   level before, a straight line after (a whole straight line is a hinge that begins at once)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Step", "find_step", "hinges", "step_gains"]

_HINGES = 48
"""So many beginnings are tried: the best of them lies within a hundredth of the row of the true one."""

_MARGIN = 16.0
"""By how many variances the step must be the better model: chance alone prefers it by as much once in 3000 rows."""

_FLAT_RATIO = 2.0
"""What is left around a step scatters by no more than this times the jitter from one value to the next."""

_SIGMA_PER_MAD = 1.4826  # of a normal distribution
_MIN_VALUES = 8


@dataclass(frozen=True, slots=True)
class Step:
    """A row of values that jumps once."""

    index: int
    """Of the first value behind the jump."""
    jump: float
    """Median behind the jump minus median before it, in the values' unit."""


def find_step(values: NDArray[np.float64], least_sigma: float) -> Step | None:
    """The step, where the row is one and neither a ramp nor anything wilder.

    Args:
        values: (N,) in order of time, without gaps.
        least_sigma: the jitter of one value, at least, in the values' unit.
    """
    if values.size < _MIN_VALUES:
        return None
    jitter = _SIGMA_PER_MAD * float(np.median(np.abs(np.diff(values)))) / 2**0.5
    sigma = max(least_sigma, jitter)
    clipped = _without_wild_ones(values)
    gains = step_gains(clipped)
    index = int(np.argmax(gains)) + 1
    rows, squares = hinges(clipped.size, np.linspace(0, clipped.size - 2, _HINGES).astype(np.int64))
    hinge_gain = float(np.max((rows @ clipped) ** 2 / squares))
    before, after = float(np.median(values[:index])), float(np.median(values[index:]))
    left = np.concatenate([values[:index] - before, values[index:] - after])
    is_flat = _SIGMA_PER_MAD * float(np.median(np.abs(left))) <= _FLAT_RATIO * sigma
    if not is_flat or float(gains[index - 1]) - hinge_gain < _MARGIN * sigma**2:
        return None
    return Step(index, after - before)


def step_gains(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N - 1,) how much of the sum of squares a step in front of value 1, 2, ... takes away.

    >>> import numpy as np
    >>> step_gains(np.array([0.0, 0.0, 3.0]))
    array([1.5, 6. ])
    """
    before = np.arange(1, values.size, dtype=np.float64)
    sums = np.cumsum(values - values.mean())[:-1]
    return np.asarray(sums**2 * values.size / (before * (values.size - before)))


def hinges(size: int, starts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(A, N) a hinge of unit slope from each start, without its mean, and (A,) their sums of squares."""
    rows = np.maximum(0.0, np.arange(size, dtype=np.float64) - starts[:, None])
    rows -= rows.mean(axis=1, keepdims=True)
    return rows, np.sum(rows**2, axis=1)


def _without_wild_ones(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same row with values beyond the outer hundredths moved there: single wild ones must not decide."""
    low, high = np.percentile(values, (1, 99))
    return np.clip(values, low, high)
