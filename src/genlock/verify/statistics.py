"""The handful of numbers that stand for many offset errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["OffsetStats", "offset_stats"]

_SIGMA_PER_MAD = 1.4826  # of a normal distribution
_OUTLIER_SIGMAS = 5.0

# Errors fall on whole ticks, so that half of them may be equal and the median deviation zero: never less than a tick.
_TICK_USEC = 100 / 9


@dataclass(frozen=True, slots=True)
class OffsetStats:
    """Offset errors of one kind of image on one device, measured minus expected."""

    samples: int
    median_usec: float
    """With its sign: positive when the device is late."""
    p95_usec: float
    """Of the absolute errors, like the two below."""
    p99_usec: float
    max_usec: float
    jitter_usec: float
    """Root mean square about the median, without the few errors that lie far from all others."""

    def to_json(self) -> dict[str, float]:
        """The numbers, to a tenth of a microsecond; a tick of the device is 11.1 us."""
        return {
            "samples": self.samples,
            "median_usec": round(self.median_usec, 1),
            "p95_usec": round(self.p95_usec, 1),
            "p99_usec": round(self.p99_usec, 1),
            "max_usec": round(self.max_usec, 1),
            "jitter_usec": round(self.jitter_usec, 1),
        }


def offset_stats(errors_usec: NDArray[np.float64]) -> OffsetStats | None:
    """The numbers of (N,) errors; NaN are left out, and ``None`` comes out when nothing else is there.

    Percentiles are values that occur: the smallest error that at least 95 (99) % of the samples do not exceed.
    """
    values = errors_usec[np.isfinite(errors_usec)]
    if not values.size:
        return None
    absolute = np.abs(values)
    median_usec = float(np.median(values))
    p95_usec, p99_usec = np.percentile(absolute, (95, 99), method="inverted_cdf")
    return OffsetStats(
        samples=int(values.size),
        median_usec=median_usec,
        p95_usec=float(p95_usec),
        p99_usec=float(p99_usec),
        max_usec=float(absolute.max()),
        jitter_usec=_jitter_usec(values - median_usec),
    )


def _jitter_usec(deviations_usec: NDArray[np.float64]) -> float:
    sigma_usec = max(_TICK_USEC, _SIGMA_PER_MAD * float(np.median(np.abs(deviations_usec))))
    near = deviations_usec[np.abs(deviations_usec) <= _OUTLIER_SIGMAS * sigma_usec]
    return float(np.sqrt(np.mean(near**2)))
