"""Rivals of different pulse steps, or not everybody everybody's: a search that says when it could not finish.

What each slot may still take is a set of ticks, held as the bits of one integer; placing a slot strikes out, in one
operation, everything that comes too near to it in each rival's set. The search takes the slot with the fewest ticks
left, its earliest tick first, and gives up after a fixed number of steps: same question, same answer, on any computer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from genlock.plan.slot import Slot, SlotProblem

__all__ = ["Answer", "place_by_search"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a placement attempt came to."""

    ticks: list[int] | None
    """A tick for every slot; ``None``: no placement was found."""
    is_proven: bool = True
    """Whether "none was found" means "there is none"."""
    steps: int = 0
    """How many steps it took."""


@dataclass(slots=True)
class _Step:
    """One slot on its way through its ticks."""

    slot: int
    untried: int
    saved: dict[int, int] = field(default_factory=dict)
    """The sets of its rivals as they were before it was placed."""


def place_by_search(
    problem: SlotProblem, gap: int, max_steps: int, places: Sequence[Collection[int]] | None = None
) -> Answer:
    """Ticks for every slot that keep this gap (grains) between rivals, if the search finds them in time.

    Gaps between two pinned slots do not count: nothing can be done about them.

    Args:
        problem: the slots.
        gap: what to keep, in grains.
        max_steps: when to give up.
        places: the ticks that each slot may take; ``None``: all of its own.
    """
    slots = problem.slots
    rivals: dict[int, list[int]] = {i: [] for i in range(len(slots))}
    for i, j in problem.open_rivals():
        rivals[i].append(j)
        rivals[j].append(i)
    left = [_open_ticks(slot) for slot in slots]
    if places is not None:
        chosen = [
            sum(1 << t - s.low_ticks for t in set(ts) if t >= s.low_ticks) for s, ts in zip(slots, places, strict=True)
        ]
        left = [bits & wanted for bits, wanted in zip(left, chosen, strict=True)]
    allowed = _allowed_differences(problem, rivals, gap)
    unplaced = set(range(len(slots)))
    path: list[_Step] = []
    for steps in range(max_steps):
        if not unplaced:
            ticks = [s.low_ticks + bits.bit_length() - 1 for s, bits in zip(slots, left, strict=True)]
            return Answer(ticks, steps=steps)
        # The tightest slot first; of equals the one with the most rivals, then the first.
        tightest = min(unplaced, key=lambda i: (left[i].bit_count(), -len(rivals[i]), i))
        unplaced.remove(tightest)
        path.append(_Step(tightest, left[tightest]))
        while path and not _place_next(problem, path[-1], left, rivals, allowed, unplaced):
            unplaced.add(path.pop().slot)
        if not path:
            return Answer(None, steps=steps)
    return Answer(None, is_proven=False, steps=max_steps)


def _open_ticks(slot: Slot) -> int:
    """The ticks that a slot may take, as bits from its lowest."""
    barred = sum(1 << t - slot.low_ticks for t in slot.barred_ticks if slot.low_ticks <= t <= slot.high_ticks)
    return (1 << (slot.high_ticks - slot.low_ticks + 1)) - 1 & ~barred


def _place_next(
    problem: SlotProblem,
    step: _Step,
    left: list[int],
    rivals: dict[int, list[int]],
    allowed: dict[tuple[int, int], tuple[int, int]],
    unplaced: set[int],
) -> bool:
    """Puts a step's slot on its next tick that leaves every rival one; false when it has none."""
    slots = problem.slots
    for rival, bits in step.saved.items():
        left[rival] = bits
    while step.untried:
        bit = step.untried & -step.untried
        step.untried ^= bit
        ticks = slots[step.slot].low_ticks + bit.bit_length() - 1
        step.saved = {}
        for rival in rivals[step.slot]:
            if rival not in unplaced:
                continue
            mask, lowest = allowed[step.slot, rival]
            shift = ticks + lowest - slots[rival].low_ticks
            remaining = left[rival] & (mask << shift if shift >= 0 else mask >> -shift)
            step.saved[rival] = left[rival]
            left[rival] = remaining
            if not remaining:
                break
        else:
            left[step.slot] = bit
            return True
        for rival, bits in step.saved.items():
            left[rival] = bits
    step.saved = {}
    return False


def _allowed_differences(
    problem: SlotProblem, rivals: dict[int, list[int]], gap: int
) -> dict[tuple[int, int], tuple[int, int]]:
    """For slots (i, j): bit b of the mask is set where j may lie ``lowest + b`` ticks after i.

    Of two slots that could change places without anybody noticing, the first comes first: else a proof would have to go
    through every order of them.
    """
    neighbours = {i: {i, *others} for i, others in rivals.items()}
    allowed = {}
    for i, others in rivals.items():
        for j in others:
            lowest, gaps = problem.gaps(i, j)
            mask = _bits(gaps, gap)
            if problem.slots[i] == problem.slots[j] and neighbours[i] == neighbours[j]:
                up_to_i = (1 << max(-lowest, 0)) - 1  # the bits of negative differences
                mask = mask & ~up_to_i if i < j else mask & (up_to_i << 1 | 1)
            allowed[i, j] = (mask, lowest)
    return allowed


@lru_cache(maxsize=512)
def _bits(gaps: tuple[int, ...], gap: int) -> int:
    return sum(1 << k for k, kept in enumerate(gaps) if kept >= gap)
