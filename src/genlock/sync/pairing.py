"""The one rule by which captures of two devices belong together, on arrays.

The rule, for captures in the order of their device's delivery and in normalised time (``offsets.py``), without the
stray ones of each device (``leaps.py``):

1. A capture of the reference *opens a set* unless it follows the last one that did by less than half a period: then it
   is a double (color and depth of one moment delivered apart, for instance).
2. The device's captures and the open sets are walked side by side, each in order. A capture **less than half a period**
   from the set in hand joins it. One that lies earlier belongs to no set: it is *extra*. One that lies later leaves the
   set without a capture of this device, and is held against the next set.

Neither step looks at counts, file positions or arrival times. A camera cannot deliver two captures within half a
period, so the first that fits is the only one; nothing has to wait for a better one. ``matcher.py`` applies the same
rule to captures one by one as they arrive; the tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genlock.sync.leaps import find_strays

__all__ = ["NO_CAPTURE", "opens_set", "pair_captures"]

NO_CAPTURE = -1
"""Stands where a set has no capture of the device."""


def opens_set(reference_usec: Sequence[int], period_usec: int) -> NDArray[np.bool_]:
    """Which captures of the reference open a set: all but stray ones, doubles and those that step back in time.

    Args:
        reference_usec: (N,) normalised times in order of delivery.
        period_usec: the frame period.

    >>> opens_set([0, 33333, 33400, 66666], 33333).tolist()
    [True, True, False, True]
    """
    opens = np.zeros(len(reference_usec), dtype=np.bool_)
    strays = set(find_strays(np.asarray(reference_usec, np.int64), period_usec).tolist())
    last_usec: int | None = None
    for index, time_usec in enumerate(reference_usec):
        if index in strays:
            continue
        if last_usec is None or 2 * (time_usec - last_usec) >= period_usec:
            opens[index] = True
            last_usec = time_usec
    return opens


def pair_captures(set_usec: Sequence[int], device_usec: Sequence[int], period_usec: int) -> NDArray[np.int64]:
    """For each set the index of the device's capture in it, ``NO_CAPTURE`` where it has none.

    Captures whose index does not come out belong to no set.

    Args:
        set_usec: (S,) normalised times of the sets, rising.
        device_usec: (N,) normalised times of the device's captures in order of delivery. Plain lists of ``int`` are
            several times faster here than arrays.
        period_usec: the frame period.

    >>> pair_captures([0, 33333, 66666], [-9000, 40, 66655], 33333).tolist()
    [0, -1, 2]
    """
    strays = find_strays(np.asarray(device_usec, np.int64), period_usec)
    if len(strays) == 0:
        return _pair_steady(set_usec, device_usec, period_usec)
    steady = np.delete(np.arange(len(device_usec)), strays)
    partners = _pair_steady(set_usec, [device_usec[number] for number in steady.tolist()], period_usec)
    return np.where(partners == NO_CAPTURE, NO_CAPTURE, np.append(steady, NO_CAPTURE)[partners])


def _pair_steady(set_usec: Sequence[int], device_usec: Sequence[int], period_usec: int) -> NDArray[np.int64]:
    """The walk side by side, of captures none of which is stray."""
    partners = np.full(len(set_usec), NO_CAPTURE, dtype=np.int64)
    at = 0
    count = len(device_usec)
    for number, time_usec in enumerate(set_usec):
        while at < count and 2 * (device_usec[at] - time_usec) <= -period_usec:
            at += 1
        if at == count:
            break
        if 2 * (device_usec[at] - time_usec) < period_usec:
            partners[number] = at
            at += 1
    return partners
