"""The pulses of every laser on one exact time axis, and the gaps between them.

A depth capture flashes its laser nine times. Two devices that see the same space disturb each other when a pulse of one
meets a pulse of the other: in this frame, in the next pulse, or in the next frame. The *gap* is the time from one
pulse's end to another's start; the smallest gap of a rig is its *guard*.

Nothing here is rounded. Times are whole numbers of *grains*, 1/18 us: a microsecond is 18 of them, a tick of the
90 kHz clock 200, and half of a pulse train or of an exposure is whole too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from genlock.k4a import TICKS_PER_SEC, CameraFps, PulseTrain

__all__ = [
    "GRAINS_PER_TICK",
    "GRAINS_PER_USEC",
    "SMALL_GUARD_USEC",
    "Laser",
    "gap_grains",
    "guards_grains",
    "frame_period_grains",
    "pulse_starts_grains",
]

GRAINS_PER_USEC = 18
GRAINS_PER_TICK = 200
SMALL_GUARD_USEC = 35
"""Microsoft asks for 160 us between the starts of pulses 125 us long, which leaves 35 us."""


def frame_period_grains(camera_fps: CameraFps) -> int:
    """The frame period: 3000, 6000 or 18000 ticks."""
    return TICKS_PER_SEC // camera_fps * GRAINS_PER_TICK


@dataclass(frozen=True, slots=True)
class Laser:
    """One device's laser in one frame."""

    train: PulseTrain
    center_grains: int
    """Centre of its depth exposure after the centre of the master's color exposure."""


@lru_cache(maxsize=64)
def pulse_starts_grains(train: PulseTrain) -> tuple[int, ...]:
    """Start of every pulse, from the centre of the train.

    The train is centred on the depth stamp, which is the centre of exposure (SDK issue #868). That matters only between
    devices of different depth modes. # unverified on hardware
    """
    first = -train.duration_usec * GRAINS_PER_USEC // 2
    return tuple(first + k * train.step_usec * GRAINS_PER_USEC for k in range(train.pulses))


@lru_cache(maxsize=256)
def _start_differences(a: PulseTrain, b: PulseTrain, period: int) -> tuple[int, ...]:
    """Sorted: from each pulse of ``a`` to each pulse of ``b`` when both are centred on the same moment, in a period."""
    return tuple(sorted({(q - p) % period for p in pulse_starts_grains(a) for q in pulse_starts_grains(b)}))


def gap_grains(a: PulseTrain, b: PulseTrain, period: int, b_after_a: int) -> int:
    """The smallest gap between a pulse of ``a`` and one of ``b`` in an endless row of frames; negative: they overlap.

    Args:
        a: one laser's train.
        b: the other's.
        period: frame period, in grains.
        b_after_a: from the centre of ``a`` to the centre of ``b``, in grains.
    """
    differences = _start_differences(a, b, period)
    # Pulse starts of b after those of a are b_after_a + difference, modulo the period: the nearest ones on both sides.
    here = bisect_left(differences, -b_after_a % period)
    after = (b_after_a + differences[here % len(differences)]) % period
    before = (-b_after_a - differences[here - 1]) % period
    return min(after - a.pulse_usec * GRAINS_PER_USEC, before - b.pulse_usec * GRAINS_PER_USEC)


def guards_grains(
    lasers: Mapping[str, Laser], overlaps: Iterable[tuple[str, str]], period: int
) -> dict[tuple[str, str], int]:
    """The gap of every pair of lasers that see the same space."""
    return {
        (a, b): gap_grains(lasers[a].train, lasers[b].train, period, lasers[b].center_grains - lasers[a].center_grains)
        for a, b in overlaps
        if a in lasers and b in lasers
    }
