"""Which images make up a capture: the rule of Microsoft's playback, on times alone.

Every track has a pointer. The next capture begins at the earliest next image of any track; every track whose next image
follows less than half a frame period later joins it, the others wait. Delays are taken out first: with a positive depth
delay the color waits for the depth, with a negative one the depth for the color.
Source: how libk4arecord 1.4 plays back (``matroska_read.cpp``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["MISSING", "CaptureGroups", "group_images"]

CaptureGroups = NDArray[np.int64]  # (N, T): for each capture and track the image's number in its track, or MISSING
SyncTimes = NDArray[np.int64]  # (n,), nanoseconds, delays taken out

MISSING = -1


def group_images(times: Sequence[SyncTimes], period_nsec: int) -> CaptureGroups:
    """Groups the images of several tracks into captures.

    Args:
        times: of each track, in the file's order.
        period_nsec: the frame period.

    Returns:
        (N, T) numbers of images; every image is in exactly one capture, in order.
    """
    half_nsec = period_nsec // 2
    lengths = {len(track) for track in times}
    if len(lengths) == 1:
        # The usual case, at once: nothing is missing, and each row of images lies within half a period. Then the
        # pointers move together, row by row.
        table = np.stack(times, axis=1)
        if bool(np.all(np.ptp(table, axis=1) < half_nsec)):
            return np.repeat(np.arange(len(table), dtype=np.int64)[:, None], len(times), axis=1)
    return _group_one_by_one([track.tolist() for track in times], half_nsec)


def _group_one_by_one(times: list[list[int]], half_nsec: int) -> CaptureGroups:
    heads = [0] * len(times)
    tracks = range(len(times))
    groups: list[list[int]] = []
    while True:
        left = [times[track][heads[track]] for track in tracks if heads[track] < len(times[track])]
        if not left:
            return np.array(groups, dtype=np.int64).reshape(-1, len(times))
        limit_nsec = min(left) + max(half_nsec, 1)
        group = [MISSING] * len(times)
        for track in tracks:
            head = heads[track]
            if head < len(times[track]) and times[track][head] < limit_nsec:
                group[track] = head
                heads[track] = head + 1
        groups.append(group)
