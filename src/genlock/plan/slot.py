"""The question that the slot planner answers, as values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from genlock.k4a import PulseTrain
from genlock.plan.timing import GRAINS_PER_TICK, gap_grains

__all__ = ["Slot", "SlotProblem"]


@dataclass(frozen=True, slots=True)
class Slot:
    """One laser's train and the whole ticks at which its centre may lie, counted from the master's color."""

    train: PulseTrain
    home_ticks: int
    """Where its own color lies: the distance from here is its skew."""
    low_ticks: int
    high_ticks: int

    is_pinned: bool = False
    """Whether the rig file gives its ticks: it is judged, not placed."""
    offset_grains: int = 0
    """What its centre is moved by beside its ticks, where exposures are unequal (see ``exposure``)."""
    barred_ticks: frozenset[int] = frozenset()
    """Ticks that a pulsed light of others forbids."""

    @property
    def start_ticks(self) -> int:
        """Where it lies before anybody chooses: as near to its color as is allowed, or where it is pinned."""
        if self.is_pinned:
            return self.low_ticks
        if self.home_ticks not in self.barred_ticks:
            return self.home_ticks
        ticks = sorted(range(self.low_ticks, self.high_ticks + 1), key=lambda t: (abs(t - self.home_ticks), t))
        return next((t for t in ticks if t not in self.barred_ticks), self.home_ticks)

    def center_grains(self, ticks: int) -> int:
        """The centre of its depth exposure at these ticks, after the centre of the master's color exposure."""
        return ticks * GRAINS_PER_TICK + self.offset_grains

    def within(self, skew_ticks: int) -> Slot:
        """The same slot, no farther than this from its color; a pinned one stays."""
        if self.is_pinned:
            return self
        low = max(self.low_ticks, self.home_ticks - skew_ticks)
        high = min(self.high_ticks, self.home_ticks + skew_ticks)
        return replace(self, low_ticks=low, high_ticks=high)


@dataclass(frozen=True, slots=True)
class SlotProblem:
    """Slots and who of them are rivals."""

    slots: tuple[Slot, ...]
    rivals: frozenset[tuple[int, int]]
    """Pairs of indices into ``slots``, the smaller one first."""
    period_grains: int
    """Frame period, in grains."""

    def gap(self, i: int, j: int, ticks_i: int, ticks_j: int) -> int:
        """The gap in grains between two slots at these ticks."""
        a, b = self.slots[i], self.slots[j]
        b_after_a = b.center_grains(ticks_j) - a.center_grains(ticks_i)
        return gap_grains(a.train, b.train, self.period_grains, b_after_a)

    def gaps(self, i: int, j: int) -> tuple[int, tuple[int, ...]]:
        """The smallest difference in ticks of j to i, and the gap at that difference and at each further one."""
        a, b = self.slots[i], self.slots[j]
        lowest, highest = b.low_ticks - a.high_ticks, b.high_ticks - a.low_ticks
        offset = b.offset_grains - a.offset_grains
        return lowest, _gaps(a.train, b.train, self.period_grains, lowest, highest, offset)

    def possible_gaps(self) -> list[int]:
        """Every gap that some rivals can have, sorted: a guard is one of these."""
        distinct = {self.gaps(i, j) for i, j in self.open_rivals()}
        return sorted({gap for _, gaps in distinct for gap in gaps})

    def only(self, indices: Sequence[int]) -> SlotProblem:
        """The problem of some of the slots, in this order."""
        place_of = {index: place for place, index in enumerate(indices)}
        kept = frozenset((place_of[i], place_of[j]) for i, j in self.rivals if i in place_of and j in place_of)
        return SlotProblem(tuple(self.slots[i] for i in indices), kept, self.period_grains)

    def within(self, skew_ticks: int) -> SlotProblem:
        """The same problem with every slot no farther than this from its color."""
        return replace(self, slots=tuple(slot.within(skew_ticks) for slot in self.slots))

    def guard(self, ticks: Sequence[int]) -> int | None:
        """The smallest gap that a choice could change; ``None`` where there is none to choose."""
        return min((self.gap(i, j, ticks[i], ticks[j]) for i, j in self.open_rivals()), default=None)

    def skew(self, ticks: Sequence[int]) -> int:
        """The largest distance in ticks of a slot from its color; pinned ones do not count."""
        skews = (abs(tick - s.home_ticks) for s, tick in zip(self.slots, ticks, strict=True) if not s.is_pinned)
        return max(skews, default=0)

    def open_rivals(self) -> Iterator[tuple[int, int]]:
        """Rivals of which at least one is not pinned, in order."""
        return ((i, j) for i, j in sorted(self.rivals) if not (self.slots[i].is_pinned and self.slots[j].is_pinned))

    @property
    def has_open_rivals(self) -> bool:
        """Whether there is anything to choose."""
        return any(True for _ in self.open_rivals())

    @property
    def is_clique(self) -> bool:
        """Whether everybody is everybody's rival."""
        return len(self.rivals) == len(self.slots) * (len(self.slots) - 1) // 2

    def neighbours(self) -> list[set[int]]:
        """For each slot, its rivals."""
        rivals: list[set[int]] = [set() for _ in self.slots]
        for i, j in self.rivals:
            rivals[i].add(j)
            rivals[j].add(i)
        return rivals

    def max_skew_ticks(self) -> int:
        """The largest skew that any slot allows."""
        free = [slot for slot in self.slots if not slot.is_pinned]
        return max((max(abs(s.low_ticks - s.home_ticks), abs(s.high_ticks - s.home_ticks)) for s in free), default=0)


@lru_cache(maxsize=512)
def _gaps(a: PulseTrain, b: PulseTrain, period: int, lowest: int, highest: int, offset: int) -> tuple[int, ...]:
    return tuple(gap_grains(a, b, period, ticks * GRAINS_PER_TICK + offset) for ticks in range(lowest, highest + 1))
