"""How fast two clocks run apart: a robust straight line through the difference of their times.

``difference(t) = start + rate * t``: the rate in parts per million is the drift, positive when the device's clock gains
on the reference's. A first line goes through medians, then least squares without what lies far from it, until
nothing changes: wrong pairs must not tilt it.

This and the clock fits between hosts are the only places where device and host times meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.sync.offsets import TimesUsec

__all__ = ["DriftFit", "fit_arrivals", "fit_drift"]

_MIN_SAMPLES = 3
_MAX_ROUNDS = 8
_OUTLIER_SIGMAS = 4.0
_BLOCKS = 64
_SIGMA_PER_MAD = 1.4826  # of a normal distribution

# The difference of two stamps on 90 kHz ticks is uncertain by a tick, triangular in shape, sigma = tick / sqrt(6).
# Without this floor a difference that happens to stay on one tick would claim to be exact.
_QUANTISATION_SIGMA_USEC = 100 / 9 / 6**0.5


@dataclass(frozen=True, slots=True)
class DriftFit:
    """The line through a difference of two clocks."""

    drift_ppm: float
    """How much faster the device's clock runs than the reference's."""
    standard_error_ppm: float
    """One sigma of ``drift_ppm``, as if the samples were independent."""
    start_usec: float
    """The difference at the first sample, on the line."""
    noise_usec: float
    """Sigma of the samples about the line, outliers apart; never below that of the 90 kHz tick."""
    samples: int
    """How many the fit was given."""
    outliers: int
    """How many of them it left out."""


def fit_drift(reference_usec: TimesUsec, difference_usec: NDArray[np.float64]) -> DriftFit | None:
    """The drift of a device against a reference; ``None`` from fewer than three samples or all at one time.

    Args:
        reference_usec: (N,) the reference's times.
        difference_usec: (N,) device minus reference at these times; NaN where there is none.
    """
    has_value = np.isfinite(difference_usec)
    times = reference_usec[has_value].astype(np.float64)
    values = difference_usec[has_value]
    if times.size < _MIN_SAMPLES or times.min() == times.max():
        return None
    times -= times.mean()
    rate, level = _median_line(times, values)
    is_kept = np.ones(times.size, dtype=np.bool_)
    for _ in range(_MAX_ROUNDS):
        residuals = np.abs(values - (level + rate * times))
        sigma_usec = max(_QUANTISATION_SIGMA_USEC, _SIGMA_PER_MAD * float(np.median(residuals)))
        is_inlier = residuals <= _OUTLIER_SIGMAS * sigma_usec
        if is_inlier.sum() < _MIN_SAMPLES or np.ptp(times[is_inlier]) == 0:
            break
        rate, level = _least_squares(times[is_inlier], values[is_inlier])
        if np.array_equal(is_inlier, is_kept):
            break
        is_kept = is_inlier
    residuals = values - (level + rate * times)
    noise_usec = max(_QUANTISATION_SIGMA_USEC, float(residuals[is_kept].std()))
    spread = float(np.sum((times[is_kept] - times[is_kept].mean()) ** 2))
    return DriftFit(
        drift_ppm=rate * 1e6,
        standard_error_ppm=noise_usec / spread**0.5 * 1e6,
        start_usec=level + rate * float(times[0]),
        noise_usec=noise_usec,
        samples=int(times.size),
        outliers=int(times.size - is_kept.sum()),
    )


def fit_arrivals(device_usec: TimesUsec, arrival_nsec: NDArray[np.int64]) -> DriftFit | None:
    """The drift of the host's clock against a device's, from when its captures arrived.

    Arrivals are late by milliseconds and more, never early; the fit is only as good as that (SDK issues #965, #1784).

    Args:
        device_usec: (N,) device times of the captures.
        arrival_nsec: (N,) host times of their arrival; negative where nobody wrote it down.
    """
    is_known = arrival_nsec >= 0
    if not is_known.any():
        return None
    device = device_usec[is_known]
    arrival_usec = (arrival_nsec[is_known] - arrival_nsec[is_known][0]) / 1000
    return fit_drift(device, arrival_usec - (device - device[0]))


def _median_line(times: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    """Rate and level of a line that up to a quarter of wrong samples cannot tilt.

    The median of all slopes between the medians of blocks of samples (Theil and Sen): a few thousand slopes, however
    many samples there are.
    """
    blocks = [block for block in np.array_split(np.arange(times.size), _BLOCKS) if block.size]
    block_times = np.array([np.median(times[block]) for block in blocks])
    block_values = np.array([np.median(values[block]) for block in blocks])
    first, second = np.triu_indices(block_times.size, k=1)
    runs = block_times[second] - block_times[first]
    slopes = (block_values[second] - block_values[first])[runs != 0] / runs[runs != 0]
    rate = float(np.median(slopes)) if slopes.size else 0.0
    return rate, float(np.median(values - rate * times))


def _least_squares(times: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    """Rate and level at time zero of the line through the points; the times must differ."""
    centre = times.mean()
    offsets = times - centre
    # Plain sums: a BLAS would wake its threads for this, which costs more than the sums on a busy computer.
    rate = float(np.sum(offsets * values) / np.sum(offsets * offsets))
    return rate, float(values.mean() - rate * centre)
