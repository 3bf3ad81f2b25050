"""Pulsed light of others, motion-capture strobes for instance, and how near it comes to the lasers.

A light that is locked to the rig's sync pulse with a period that divides the frame (or is a whole number of frames)
flashes at the same places of every frame: its *strobe*. The lasers are kept clear of it where that costs them nothing
of their own guard. A light that runs free comes everywhere in time; nothing can be done but to say how often it meets a
pulse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genlock.k4a import PulseTrain
from genlock.plan.model import PlannedEmitter
from genlock.plan.slot import Slot, SlotProblem
from genlock.plan.slots import Placement, place
from genlock.plan.timing import GRAINS_PER_USEC, SMALL_GUARD_USEC, pulse_starts_grains
from genlock.rig import Rig

__all__ = ["Strobe", "clearances_grains", "place_clear", "planned_emitters", "strobe_of"]

Centers = NDArray[np.int64]  # (N,), grains after the centre of the master's color exposure

# A period within a thousandth of a whole part of the frame is meant to be that part: 8333 us for 120 Hz.
_LOCK_TOLERANCE_RATIO = 0.001


@dataclass(frozen=True, slots=True)
class Strobe:
    """A locked light in one frame: equal pulses, evenly spread."""

    start_grains: int
    """Start of one of its pulses after the centre of the master's color exposure."""
    pulse_grains: int
    flashes: int
    """How many there are in a frame; 1 where it flashes in every second or third frame only."""

    def starts_grains(self, period_grains: int) -> tuple[int, ...]:
        """Start of every pulse of one frame, to a grain."""
        return tuple(self.start_grains + k * period_grains // self.flashes for k in range(self.flashes))


def planned_emitters(rig: Rig, lasers: Sequence[str]) -> tuple[PlannedEmitter, ...]:
    """The emitters of a rig with the serials of the lasers that their light reaches."""
    return tuple(
        PlannedEmitter(
            name=emitter.name,
            period_usec=emitter.period_usec,
            pulse_usec=emitter.pulse_usec,
            phase_usec=emitter.phase_usec,
            seen_by=tuple(s for s in lasers if emitter.seen_by is None or s in emitter.seen_by),
        )
        for emitter in rig.emitters
    )


def strobe_of(emitter: PlannedEmitter, period_grains: int) -> Strobe | None:
    """Where a light flashes in every frame; ``None`` where it runs free, or its period does not fit the frame's."""
    if emitter.phase_usec is None or emitter.pulse_usec >= emitter.period_usec:
        return None
    period_usec = period_grains / GRAINS_PER_USEC
    flashes = max(round(period_usec / emitter.period_usec), 1)
    frames = max(round(emitter.period_usec / period_usec), 1)
    if abs(flashes * emitter.period_usec - frames * period_usec) > _LOCK_TOLERANCE_RATIO * frames * period_usec:
        return None
    start = round(emitter.phase_usec * GRAINS_PER_USEC)
    return Strobe(start, math.ceil(emitter.pulse_usec * GRAINS_PER_USEC), flashes)


def clearances_grains(train: PulseTrain, centers: Centers, strobe: Strobe, period_grains: int) -> Centers:
    """For each centre of a laser, the smallest gap between its pulses and a strobe's; negative: they overlap."""
    # All times are multiplied by the number of flashes, so that from one to the next is a whole number: the frame.
    starts = centers[:, None] + np.array(pulse_starts_grains(train), np.int64)
    after = (strobe.start_grains - starts) * strobe.flashes % period_grains
    gap_after = after - train.pulse_usec * GRAINS_PER_USEC * strobe.flashes
    gap_before = period_grains - after - strobe.pulse_grains * strobe.flashes
    gaps: Centers = np.minimum(gap_after, gap_before).min(axis=1) // strobe.flashes
    return gaps


def place_clear(problem: SlotProblem, strobes: Sequence[Sequence[Strobe]], wanted_gap_grains: int) -> Placement:
    """The best placement among those that keep as clear of the strobes as the lasers' own guard allows.

    Args:
        problem: the lasers.
        strobes: for each slot, those that reach it.
        wanted_gap_grains: between lasers, and between a laser and a strobe.
    """
    if not any(strobes):
        return place(problem, wanted_gap_grains)
    alone: Placement | None = None
    # The wanted guard, Microsoft's margin, not touching.
    ladder = sorted({wanted_gap_grains, SMALL_GUARD_USEC * GRAINS_PER_USEC, 0}, reverse=True)
    for clearance in (step for step in ladder if step <= wanted_gap_grains):
        barred = _barring(problem, strobes, clearance)
        if barred is None:
            continue
        placement = place(barred, wanted_gap_grains)
        guard = _guard(problem, placement, wanted_gap_grains)
        if guard == wanted_gap_grains:
            return placement
        alone = alone or place(problem, wanted_gap_grains)
        if guard >= _guard(problem, alone, wanted_gap_grains):
            return placement
    return alone or place(problem, wanted_gap_grains)


def _guard(problem: SlotProblem, placement: Placement, wanted: int) -> int:
    """What a placement keeps between lasers, up to the wanted gap: more is no reason to give way to a strobe."""
    guard = problem.guard(placement.ticks)
    return wanted if guard is None else min(guard, wanted)


def _barring(problem: SlotProblem, strobes: Sequence[Sequence[Strobe]], clearance: int) -> SlotProblem | None:
    """The problem without the ticks that come nearer than this to a strobe; ``None`` if a slot would have none left."""
    slots = []
    for slot, reaching in zip(problem.slots, strobes, strict=True):
        if slot.is_pinned or not reaching:
            slots.append(slot)
            continue
        barred = _too_near(slot, reaching, clearance, problem.period_grains)
        if len(barred) > slot.high_ticks - slot.low_ticks:
            return None
        slots.append(replace(slot, barred_ticks=barred))
    return replace(problem, slots=tuple(slots))


def _too_near(slot: Slot, strobes: Sequence[Strobe], clearance: int, period_grains: int) -> frozenset[int]:
    ticks = np.arange(slot.low_ticks, slot.high_ticks + 1)
    centers = np.array([slot.center_grains(0)]) + ticks * (slot.center_grains(1) - slot.center_grains(0))
    gaps = np.min([clearances_grains(slot.train, centers, strobe, period_grains) for strobe in strobes], axis=0)
    return frozenset(ticks[gaps < clearance].tolist())
