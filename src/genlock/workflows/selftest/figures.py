"""Figures from what the bench saw: where one device's images lie beside another's, how clocks run. Pure.

A stamp is a whole number of 90 kHz ticks, and some stamps read one tick late; the median of a hundred differences is
the tick that was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from genlock.capture import SETTLING_SETS
from genlock.sync import DriftFit, fit_arrivals, fit_drift
from genlock.workflows.selftest.bench import Track

__all__ = [
    "Camera",
    "Offsets",
    "arrival_fit",
    "arrival_gap_usec",
    "camera_usec",
    "drift_against",
    "host_lag",
    "offsets_between",
]

_LEAST_SAMPLES = 20

TimesUsec = NDArray[np.int64]  # (N,)


class Camera(StrEnum):
    """Whose stamps."""

    COLOR = "color"
    DEPTH = "depth"


@dataclass(frozen=True, slots=True)
class Offsets:
    """How far a device's images lie after the nearest ones of another."""

    median_usec: float
    worst_usec: float
    """The farthest from the median."""
    samples: int


def camera_usec(track: Track, camera: Camera, first: int = SETTLING_SETS) -> TimesUsec:
    """Device times of one camera's images, without the first ones, whose timing has not settled."""
    values = [s.color_usec if camera is Camera.COLOR else s.depth_usec for s in track.stamps[first:]]
    return np.array([value for value in values if value is not None], dtype=np.int64)


def offsets_between(reference_usec: TimesUsec, own_usec: TimesUsec, period_usec: int) -> Offsets | None:
    """Own minus nearest reference; ``None`` with too few images to say. Images whose partner is missing do not count.

    Args:
        reference_usec: (N,) times of the one camera.
        own_usec: (M,) times of the other.
        period_usec: from one image to the next.
    """
    _, differences = _paired(reference_usec, own_usec, period_usec)
    if differences.size < _LEAST_SAMPLES:
        return None
    median = float(np.median(differences))
    return Offsets(median, float(np.abs(differences - median).max()), int(differences.size))


def drift_against(reference: Track, own: Track, since_nsec: int) -> DriftFit | None:
    """How much faster one device's stamps run than another's, from captures that arrived after a host time."""
    reference_usec, own_usec = (
        np.array(
            [s.color_usec for s in track.stamps if (s.arrival_nsec or 0) > since_nsec and s.color_usec is not None]
        )
        for track in (reference, own)
    )
    if own_usec.size < _LEAST_SAMPLES or reference_usec.size < _LEAST_SAMPLES:
        return None
    times_usec, differences = _paired(reference_usec, own_usec, own.period_usec)
    return fit_drift(times_usec, differences.astype(np.float64))


def arrival_fit(track: Track) -> DriftFit | None:
    """The host's clock against the device's: its drift, and the scatter of arrivals."""
    pairs = [
        (s.color_usec, s.arrival_nsec)
        for s in track.stamps[SETTLING_SETS:]
        if s.color_usec is not None and s.arrival_nsec is not None
    ]
    if len(pairs) < _LEAST_SAMPLES:
        return None
    times = np.array(pairs, dtype=np.int64)
    return fit_arrivals(times[:, 0], times[:, 1])


def arrival_gap_usec(reference: Track, own: Track) -> float | None:
    """By how much a device's captures arrive after the reference's of the same stamp, median, in us."""
    theirs, ours = (
        np.array([(s.color_usec, s.arrival_nsec) for s in track.stamps if s.color_usec is not None and s.arrival_nsec])
        for track in (reference, own)
    )
    if min(len(theirs), len(ours)) < _LEAST_SAMPLES:
        return None
    nearest = _nearest(theirs[:, 0], ours[:, 0])
    return float(np.median(ours[:, 1] - theirs[nearest, 1])) / 1000


def host_lag(reference: Track, own: Track) -> tuple[int, float] | None:
    """How a device's stamps lie behind another's by what the host saw: whole periods, and the rest in us.

    Each capture is put beside that of the reference which arrived nearest to it; the median of the differences counts.
    Good as long as arrivals of one moment lie within half a period of each other.
    """
    known = [(s.color_usec, s.arrival_nsec) for s in reference.stamps if s.color_usec is not None and s.arrival_nsec]
    mine = [(s.color_usec, s.arrival_nsec) for s in own.stamps[1:] if s.color_usec is not None and s.arrival_nsec]
    if len(known) < 2 or len(mine) < 2:
        return None
    theirs = np.array(known, dtype=np.int64)
    ours = np.array(mine, dtype=np.int64)
    nearest = _nearest(theirs[:, 1], ours[:, 1])
    behind = float(np.median(theirs[nearest, 0] - ours[:, 0]))
    periods = round(behind / own.period_usec)
    return periods, behind - periods * own.period_usec


def _paired(reference_usec: TimesUsec, own_usec: TimesUsec, period_usec: int) -> tuple[TimesUsec, TimesUsec]:
    """Own times with a reference within half a period, and how far they lie after it."""
    if reference_usec.size < 2:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    differences = own_usec - reference_usec[_nearest(reference_usec, own_usec)]
    has_partner = np.abs(differences) < period_usec / 2
    return own_usec[has_partner], differences[has_partner]


def _nearest(sorted_values: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.intp]:
    """Of each wanted value, the index of the nearest in a sorted array of two or more."""
    right = np.clip(np.searchsorted(sorted_values, wanted), 1, sorted_values.size - 1)
    is_left_nearer = wanted - sorted_values[right - 1] <= sorted_values[right] - wanted
    return right - is_left_nearer
