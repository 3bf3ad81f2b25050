"""A stamp that leaps far ahead and is taken back by the next one is damage, not time.

One such stamp, believed, would make everything after it look old, and no set would ever come out again. So a capture
that leaps, and a device's very first, waits for the next capture of the same device: if that one steps back behind it,
the one that waited is *stray* and belongs to no set; otherwise time has really passed, and it goes on its way. Whether
a capture is stray follows from its own device's stream alone, so the law of ``matcher.py`` is not touched.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAP_USEC", "LeapGuard", "Released", "find_strays"]

LEAP_USEC = 2_000_000
"""Longer than any device is silent that still works; a real gap of this length costs its first capture one period of
waiting, and nothing else."""

Item = TypeVar("Item")


class Released(NamedTuple, Generic[Item]):
    """What a guard lets go."""

    steady: tuple[tuple[int, Item], ...]
    """Times and items to go on with, in order."""
    stray: tuple[int, Item] | None = None
    """What turned out to be damage."""


class LeapGuard(Generic[Item]):
    """Watches the stream of one device."""

    def __init__(self, period_usec: int) -> None:
        self._period_usec = period_usec
        self._last_usec: int | None = None
        self._held: tuple[int, Item] | None = None

    def add(self, time_usec: int, item: Item) -> Released[Item]:
        """Takes the next capture; says what of it, and of the one before, can be believed now."""
        held, last_usec = self._held, self._last_usec
        if held is None:
            if last_usec is not None and time_usec - last_usec <= LEAP_USEC:
                if time_usec > last_usec:
                    self._last_usec = time_usec
                return Released(((time_usec, item),))
            self._held = (time_usec, item)
            return Released(())
        self._held = None
        if 2 * (held[0] - time_usec) >= self._period_usec:
            after = self.add(time_usec, item)
            return Released(after.steady, held)
        self._last_usec = held[0]
        after = self.add(time_usec, item)
        return Released((held, *after.steady))

    def end(self) -> Released[Item]:
        """The device says nothing more: what waited is believed, for nothing speaks against it."""
        held, self._held = self._held, None
        return Released(() if held is None else (held,))


def find_strays(times_usec: NDArray[np.int64], period_usec: int) -> NDArray[np.int64]:
    """The numbers of the stray captures among a device's times in order of delivery.

    >>> find_strays(np.array([0, 33333, 10**12, 66666]), 33333).tolist()
    [2]
    """
    steps = np.diff(times_usec)
    # The usual case, at once: a capture is stray only if time then steps back.
    if not np.any(2 * steps <= -period_usec):
        return np.empty(0, np.int64)
    guard = LeapGuard[int](period_usec)
    released = (guard.add(time_usec, number) for number, time_usec in enumerate(times_usec.tolist()))
    return np.array([found.stray[1] for found in released if found.stray is not None], np.int64)
