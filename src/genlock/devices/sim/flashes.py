"""When lasers flash into each other's exposures.

A depth exposure is nine pulses of 125 us, centred on its stamp. Light of another device's pulse that comes while this
device's own pulse is measured cannot be told from its echo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from genlock.devices.sim.shutter import Collision
from genlock.devices.sim.stream import Stream
from genlock.k4a import PULSE_TRAINS, DepthMode, PulseTrain

__all__ = ["find_collisions", "overlapped_pulses"]

_NSEC_PER_USEC = 1_000


@lru_cache(maxsize=4096)
def overlapped_pulses(train: PulseTrain, other: PulseTrain, apart_usec: float) -> int:
    """How many pulses of a train meet one of another train, whose centre lies this much later.

    >>> short = PULSE_TRAINS[DepthMode.NFOV_UNBINNED]
    >>> [overlapped_pulses(short, short, apart) for apart in (0, 100, 125, 160, 1575 - 100, 8 * 1575, 9 * 1575)]
    [9, 9, 0, 0, 8, 1, 0]
    """
    others = other.pulse_starts_usec(apart_usec)
    return sum(
        any(-other.pulse_usec < their_start - start < train.pulse_usec for their_start in others)
        for start in train.pulse_starts_usec(0.0)
    )


def find_collisions(depth_mode: DepthMode, center_nsec: int, others: Mapping[str, Stream]) -> Iterable[Collision]:
    """Who flashed into a depth exposure with this centre."""
    train = PULSE_TRAINS[depth_mode]
    if train is None:
        return
    for serial, stream in others.items():
        other = PULSE_TRAINS[stream.depth_mode]
        if other is None:
            continue
        reach_nsec = (train.duration_usec + other.duration_usec) / 2 * _NSEC_PER_USEC
        pulses = sum(
            overlapped_pulses(train, other, round((their_center_nsec - center_nsec) / _NSEC_PER_USEC))
            for their_center_nsec in stream.depth_centers_nsec
            if abs(their_center_nsec - center_nsec) < reach_nsec
        )
        if pulses:
            yield Collision(serial, stream.depth_mode, pulses)
