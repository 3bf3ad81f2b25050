"""Holes and doubles in the stream of one device, from its own times alone.

A capture counts as missed where the pacing is one and a half periods or more, as in Microsoft's throughput test
(``tests/throughput``); as doubled where it is less than half a period, the reach of a capture set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genlock.sync.offsets import TimesUsec

__all__ = ["Gap", "find_doubled", "find_gaps"]


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of captures that are not there."""

    last_before_usec: int
    """Time of the last capture before the gap."""
    first_after_usec: int
    """Time of the first capture after it."""
    missing: int
    """How many captures would fit between the two."""


def find_gaps(times_usec: TimesUsec, period_usec: int) -> tuple[Gap, ...]:
    """Where captures are missing: every pacing of at least one and a half periods.

    Args:
        times_usec: (N,) rising times of one device's captures.
        period_usec: the frame period.
    """
    pacing_usec = np.diff(times_usec)
    return tuple(
        Gap(
            last_before_usec=int(times_usec[at]),
            first_after_usec=int(times_usec[at + 1]),
            missing=max(1, round(int(pacing_usec[at]) / period_usec) - 1),
        )
        for at in np.flatnonzero(2 * pacing_usec >= 3 * period_usec)
    )


def find_doubled(times_usec: TimesUsec, period_usec: int) -> TimesUsec:
    """Times of captures that follow their predecessor by less than half a period; arguments as in ``find_gaps``."""
    return times_usec[1:][2 * np.diff(times_usec) < period_usec]
