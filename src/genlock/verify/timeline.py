"""The moments of a take: when a capture set should exist, and which of them are judged.

The reference's captures give the moments. Where the reference itself skipped, its pacing fills in the moments that it
missed, so that a loss of the reference counts as one loss of one device, and not as an extra capture of all the others.

Which moments count. Recorders are started and stopped one after the other, so files of one take begin and end at
different times: recorders are judged on the span that they have in common. The files that *one recorder* made should
begin and end together: there a device may be a second late or early, and what it lacks beyond that is missing. Of loose
files each counts as a recorder of its own, in a session each computer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.capture import SETTLING_SETS
from genlock.sync import opens_set

__all__ = ["MAX_GAP_SEC", "SESSION_EDGE_USEC", "Timeline", "find_span", "make_timeline"]

SESSION_EDGE_USEC = 300_000
SESSION_EDGE_PERIODS = 9
"""What the devices of one session may begin late and end early, the larger of the two: first captures come 65 to 248 ms
after the first pulse (SDK issue #1240); all pumps are told to stop at once, and the SDK's queue holds 7 captures that
were not taken yet. What lacks beyond that counts as missing."""

MAX_GAP_SEC = 1800
"""A hole longer than this is not filled in: that is a broken clock, not a run of lost captures."""

MAX_MOMENTS = 10_000_000
"""More moments than these (four days at 30 fps) are a broken clock too."""

NOBODY = -1
"""Stands where the reference has no capture of a moment."""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The moments at which a capture set should exist, in order of time."""

    moment_usec: NDArray[np.int64]
    """(S,) each moment on the master's color time."""
    reference_index: NDArray[np.int64]
    """(S,) index of the reference's capture, -1 where it has none."""
    is_in_span: NDArray[np.bool_]
    """(S,) whether the moment lies in the span that is judged."""
    start_usec: int
    end_usec: int
    """The span that is judged."""
    has_jump: bool
    """Whether the times jump as no take's do; what lies in a jump is not filled in."""

    @property
    def is_settled(self) -> NDArray[np.bool_]:
        """(S,) whether the moment lies in the span and behind the settling sets."""
        return self.is_in_span & (np.cumsum(self.is_in_span) > SETTLING_SETS)


def find_span(recorders: Sequence[Sequence[NDArray[np.int64]]], period_usec: int) -> tuple[int, int]:
    """First and last moment to be judged; the last lies before the first when the devices have no time in common.

    Args:
        recorders: for each recorder, whose devices should begin and end together, the rising normalised times of its
            devices; one device and one time each at least.
        period_usec: the frame period.
    """
    firsts = [[int(times[0]) for times in devices] for devices in recorders]
    lasts = [[int(times[-1]) for times in devices] for devices in recorders]
    start_usec, end_usec = max(map(max, firsts)), min(map(min, lasts))
    # Clocks that share no time at all were not reset by one pulse: then nothing of the session can be held together.
    if start_usec <= end_usec + SESSION_EDGE_USEC:
        edge_usec = max(SESSION_EDGE_USEC, SESSION_EDGE_PERIODS * period_usec)
        start_usec = max(min(max(first), min(first) + edge_usec) for first in firsts)
        end_usec = min(max(min(last), max(last) - edge_usec) for last in lasts)
    if 0 < 2 * (start_usec - end_usec) < period_usec:
        # One moment, at which the device that ends first is a little early.
        return end_usec, start_usec
    return start_usec, end_usec


def make_timeline(reference_usec: NDArray[np.int64], period_usec: int, span_usec: tuple[int, int]) -> Timeline:
    """The moments of a take.

    Args:
        reference_usec: (R,) rising normalised times of the reference's captures, at least one.
        period_usec: the frame period.
        span_usec: first and last moment to be judged.
    """
    start_usec, end_usec = span_usec
    opening = np.flatnonzero(opens_set(reference_usec.tolist(), period_usec))
    opened_usec = reference_usec[opening]
    before, jumps_before = _steps(int(opened_usec[0]) - start_usec, period_usec)
    after, jumps_after = _steps(end_usec - int(opened_usec[-1]), period_usec)
    inner_usec, reference_index, jumps_inside = _fill(opened_usec, opening, period_usec)
    moment_usec = np.concatenate(
        [
            opened_usec[0] - period_usec * np.arange(before, 0, -1),
            inner_usec,
            opened_usec[-1] + period_usec * np.arange(1, after + 1),
        ]
    )
    is_in_span = (2 * (start_usec - moment_usec) < period_usec) & (2 * (moment_usec - end_usec) < period_usec)
    return Timeline(
        moment_usec=moment_usec,
        reference_index=np.concatenate([np.full(before, NOBODY), reference_index, np.full(after, NOBODY)]),
        is_in_span=is_in_span & (end_usec >= start_usec),
        start_usec=start_usec,
        end_usec=end_usec,
        has_jump=jumps_before or jumps_after or jumps_inside,
    )


def _steps(length_usec: int, period_usec: int) -> tuple[int, bool]:
    """How many whole periods fit beside the reference's own times, and whether that is a jump of the clock."""
    if length_usec > MAX_GAP_SEC * 1_000_000:
        return 0, True
    return max(0, round(length_usec / period_usec)), False


def _fill(
    opened_usec: NDArray[np.int64], opening: NDArray[np.int64], period_usec: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """The reference's moments with its gaps filled in: times, index of its capture or ``NOBODY``, whether one jumps."""
    pacing_usec = np.diff(opened_usec)
    parts = np.maximum(1, np.rint(pacing_usec / period_usec).astype(np.int64))
    is_jump = pacing_usec > MAX_GAP_SEC * 1_000_000
    if parts[~is_jump].sum() > MAX_MOMENTS:
        is_jump = parts > 1
    parts[is_jump] = 1
    interval = np.repeat(np.arange(parts.size), parts)
    first_of_interval = np.cumsum(parts) - parts
    step = np.arange(interval.size) - first_of_interval[interval]
    moment_usec = opened_usec[:-1][interval] + pacing_usec[interval] * step // parts[interval]
    index = np.where(step == 0, opening[:-1][interval], NOBODY)
    return np.append(moment_usec, opened_usec[-1]), np.append(index, opening[-1]), bool(is_jump.any())
