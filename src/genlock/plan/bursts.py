"""Too many lasers for one pulse step: several bursts after one another in the frame."""

from __future__ import annotations

from genlock.k4a import PulseTrain
from genlock.plan.timing import GRAINS_PER_TICK, GRAINS_PER_USEC

__all__ = ["burst_ticks"]


def burst_ticks(count: int, train: PulseTrain, period: int, gap: int) -> list[int] | None:
    """Ticks for so many lasers of one kind that keep a gap in as few bursts as can be, centred on zero, rising.

    Inside a burst the trains interleave, so many as fit a pulse step; the next burst begins when the last train of the
    one before has ended.

    Args:
        count: lasers.
        train: of each of them.
        period: frame period, in grains.
        gap: what to keep between pulses, in grains; not negative.

    Returns:
        The ticks, or ``None`` when the frame is too short.
    """
    spacing = -(-(gap + train.pulse_usec * GRAINS_PER_USEC) // GRAINS_PER_TICK)
    capacity = train.step_usec * GRAINS_PER_USEC // (spacing * GRAINS_PER_TICK)
    if capacity == 0:
        return None
    bursts = -(-count // capacity)
    size = -(-count // bursts)
    burst = -(-(gap + train.duration_usec * GRAINS_PER_USEC) // GRAINS_PER_TICK) + (size - 1) * spacing
    if bursts > 1 and bursts * burst * GRAINS_PER_TICK > period:
        return None
    ticks = [k // size * burst + k % size * spacing for k in range(count)]
    middle = (ticks[0] + ticks[-1]) // 2
    return [tick - middle for tick in ticks]
