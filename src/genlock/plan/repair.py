"""Finds a placement by mending one: quick where there is one, silent where there is none.

All slots are put somewhere; then, over and over, one that meets a rival moves to where it meets the fewest. The choice
among equals is drawn from a seeded generator, so the same question has the same answer on any computer.
"""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.typing import NDArray

from genlock.plan.slot import Slot, SlotProblem

__all__ = ["place_by_repair"]

Conflicts = NDArray[np.int32]  # (ticks that a slot may take,), how many rivals it would meet there

# Now and then a slot moves anywhere, or two could push each other to and fro for ever.
_SHAKE_PROBABILITY = 0.02


def place_by_repair(problem: SlotProblem, gap: int, max_steps: int) -> list[int] | None:
    """Ticks for every slot that keep this gap (grains) between rivals; ``None``: none were found in so many steps.

    Gaps between two pinned slots do not count: nothing can be done about them.
    """
    return _Repair(problem, gap).run(max_steps)


def _barred(slot: Slot) -> Conflicts:
    """Ticks that a pulsed light of others forbids count as if everybody lay there."""
    conflicts = np.zeros(slot.high_ticks - slot.low_ticks + 1, np.int32)
    conflicts[[t - slot.low_ticks for t in slot.barred_ticks if slot.low_ticks <= t <= slot.high_ticks]] = 1 << 20
    return conflicts


class _Repair:
    def __init__(self, problem: SlotProblem, gap: int) -> None:
        self._random = Random(1)
        self._slots = problem.slots
        self._sizes = [slot.high_ticks - slot.low_ticks + 1 for slot in problem.slots]
        self._meets: dict[tuple[int, int], Conflicts] = {}
        """For (i, j): 1 at each difference of ticks, from the smallest, at which j meets i."""
        self._rivals: list[list[int]] = [[] for _ in problem.slots]
        for a, b in problem.open_rivals():
            for i, j in ((a, b), (b, a)):
                self._rivals[i].append(j)
                self._meets[i, j] = (np.array(problem.gaps(i, j)[1]) < gap).astype(np.int32)
        self._places = [self._random.randrange(size) for size in self._sizes]
        self._conflicts = [_barred(slot) for slot in problem.slots]
        for i in range(len(self._slots)):
            self._count(i, 1)

    def run(self, max_steps: int) -> list[int] | None:
        free = [i for i, slot in enumerate(self._slots) if not slot.is_pinned]
        for _ in range(max_steps):
            meeting = [i for i in free if self._conflicts[i][self._places[i]]]
            if not meeting:
                return [slot.low_ticks + place for slot, place in zip(self._slots, self._places, strict=True)]
            self._move(self._random.choice(meeting))
        return None

    def _move(self, i: int) -> None:
        conflicts = self._conflicts[i]
        if self._random.random() < _SHAKE_PROBABILITY:
            place = self._random.randrange(self._sizes[i])
        else:
            place = int(self._random.choice(np.flatnonzero(conflicts == conflicts.min())))
        self._count(i, -1)
        self._places[i] = place
        self._count(i, 1)

    def _count(self, i: int, sign: int) -> None:
        """Adds what slot i means to its rivals at its present place, or takes it away."""
        for j in self._rivals[i]:
            first = self._sizes[i] - 1 - self._places[i]
            self._conflicts[j] += sign * self._meets[i, j][first : first + self._sizes[j]]
