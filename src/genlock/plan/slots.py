"""Where each laser fires: the best whole ticks for every depth exposure.

A *slot* is one device's depth exposure: where it may lie, and where its color lies. Slots that must not meet are
*rivals*. Of all placements the best one

1. keeps the wanted gap between all rivals; where none can, it keeps the largest gap that any can,
2. then has the smallest largest skew, the distance between a depth exposure and its color,
3. then the largest gap.

Groups of rivals that share nobody are placed apart from each other, against one common gap and skew. A group in which
everybody is everybody's rival, of one pulse step, is answered exactly (``circle``); others by a search (``search``)
that proves its answer, or, past its limit, says that it did not. Cliques inside a group bound what it can reach.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from genlock.plan.bursts import burst_ticks
from genlock.plan.circle import is_circular, place_on_circle
from genlock.plan.repair import place_by_repair
from genlock.plan.search import Answer, place_by_search
from genlock.plan.slot import SlotProblem

__all__ = ["Placement", "place"]

# Steps of the search for one group: a second or so in all, whatever the computer.
_STEPS_PER_ATTEMPT = 12_000
_STEPS_PER_GROUP = 60_000
# A step looks at every tick that a slot may take: where they are more than this, there are fewer steps in a second.
_TICKS_PER_STEP = 1_000
_REPAIRS_PER_ATTEMPT = 1_000


@dataclass(frozen=True, slots=True)
class Placement:
    """A tick for every slot."""

    ticks: tuple[int, ...]
    is_proven: bool
    """Whether it is proven to be the best one."""
    max_gap_grains: int
    """No placement keeps a larger gap, up to the wanted one, than this."""
    min_skew_ticks: int
    """No placement keeps the gap that this one keeps, up to the wanted one, with a smaller largest skew than this."""


def place(problem: SlotProblem, wanted_gap_grains: int) -> Placement:
    """The best placement (see the module) for a wanted gap."""
    groups = [_Group(problem, indices) for indices in _connected(problem) if problem.only(indices).has_open_rivals]
    ticks = [slot.start_ticks for slot in problem.slots]
    gap = min((group.best_gap(wanted_gap_grains) for group in groups), default=wanted_gap_grains)
    skew = max((group.least_skew(gap) for group in groups), default=0)
    final_gap = min((group.largest_gap(skew) for group in groups), default=gap)
    for group in groups:
        # No group need leave its colors farther than the common gap asks; within that it takes the gap it can get.
        own_skew = group.least_skew(final_gap)
        own_ticks = group.attempt(group.largest_gap(own_skew), own_skew)
        for index, tick in zip(group.indices, own_ticks or (), strict=True):
            ticks[index] = tick
    return Placement(
        tuple(ticks),
        is_proven=all(group.is_proven for group in groups),
        max_gap_grains=min((group.gap_bound(wanted_gap_grains) for group in groups), default=wanted_gap_grains),
        min_skew_ticks=max((group.skew_bound(gap) for group in groups), default=0),
    )


def _connected(problem: SlotProblem) -> list[list[int]]:
    """The slots in groups of those that are rivals of rivals, in order."""
    group_of = {i: [i] for i in range(len(problem.slots))}
    for i, j in sorted(problem.rivals):
        if group_of[i] is not group_of[j]:
            joined = group_of[i] + group_of[j]
            group_of.update(dict.fromkeys(joined, joined))
    return sorted({id(group): sorted(group) for group in group_of.values()}.values())


@dataclass(frozen=True, slots=True)
class _Found:
    """A placement of one group, and what it keeps."""

    gap: int
    skew: int
    ticks: list[int]


class _Group:
    """Rivals of rivals, placed together. Remembers what it found and what it knows to be impossible."""

    def __init__(self, problem: SlotProblem, indices: Sequence[int]) -> None:
        self.indices = indices
        self.problem = problem.only(indices)
        self.is_proven = True
        self._gaps = self.problem.possible_gaps()
        self._max_skew = self.problem.max_skew_ticks()
        self._found = [self._measured([slot.start_ticks for slot in self.problem.slots])]
        self._impossible: list[tuple[int, int]] = []
        self._given_up: set[tuple[int, int]] = set()
        width = max(_TICKS_PER_STEP, 2 * self._max_skew)
        self._steps_per_attempt = _STEPS_PER_ATTEMPT * _TICKS_PER_STEP // width
        self._steps_left = _STEPS_PER_GROUP * _TICKS_PER_STEP // width
        cliques = [] if is_circular(self.problem) else _cliques(self.problem)
        self._cliques = [_Group(self.problem, clique) for clique in cliques]

    def best_gap(self, wanted: int) -> int:
        """The wanted gap if it can be kept, else the largest that can."""
        if self.attempt(wanted, self._max_skew) is not None:
            return wanted
        return self.largest_gap(self._max_skew)

    def least_skew(self, gap: int) -> int:
        """The smallest largest skew, in ticks, at which this gap can be kept; it must be one that can."""
        return bisect_left(range(self._max_skew), True, key=lambda skew: self.attempt(gap, skew) is not None)

    def largest_gap(self, skew: int) -> int:
        """The largest gap that can be kept within a skew."""
        impossible = bisect_left(self._gaps, True, key=lambda gap: self.attempt(gap, skew) is None)
        return self._gaps[max(impossible - 1, 0)]

    def _gap_below(self, gap: int) -> int:
        """The largest gap that some rivals can have below this one."""
        return self._gaps[max(bisect_left(self._gaps, gap) - 1, 0)]

    def gap_bound(self, wanted: int) -> int:
        """No placement keeps more than this, up to the wanted gap."""
        if self.is_proven:
            return self.best_gap(wanted)
        bounds = [self._gap_below(gap) for gap, skew in self._impossible if skew >= self._max_skew]
        return min([wanted, *bounds, *(clique.gap_bound(wanted) for clique in self._cliques)])

    def skew_bound(self, gap: int) -> int:
        """No placement keeps this gap with a smaller largest skew."""
        if self.is_proven:
            return self.least_skew(gap)
        bounds = [its_skew + 1 for its_gap, its_skew in self._impossible if its_gap <= gap]
        return max([0, *bounds, *(clique.skew_bound(gap) for clique in self._cliques)])

    def attempt(self, gap: int, skew: int) -> list[int] | None:
        """Ticks that keep a gap within a skew, if there are any or any were found."""
        for found in self._found:
            if found.gap >= gap and found.skew <= skew:
                return found.ticks
        if any(gap >= its_gap and skew <= its_skew for its_gap, its_skew in self._impossible):
            return None
        if (gap, skew) in self._given_up:
            return None
        answer = self._answer(self.problem.within(skew), gap, skew)
        if answer.ticks is not None:
            self._found.append(self._measured(answer.ticks))
        elif answer.is_proven:
            self._impossible.append((gap, skew))
        else:
            self._given_up.add((gap, skew))
            self.is_proven = False
        return answer.ticks

    def _measured(self, ticks: list[int]) -> _Found:
        guard = self.problem.guard(ticks)
        return _Found(self._gaps[-1] if guard is None else guard, self.problem.skew(ticks), ticks)

    def _answer(self, problem: SlotProblem, gap: int, skew: int) -> Answer:
        if is_circular(problem):
            return Answer(place_on_circle(problem, gap))
        ticks = _in_bursts(problem, gap)
        if ticks is not None:
            return Answer(ticks)
        if any(clique.attempt(gap, skew) is None and clique.is_proven for clique in self._cliques):
            return Answer(None)
        answer = place_by_search(problem, gap, min(self._steps_per_attempt, self._steps_left))
        self._steps_left -= answer.steps
        if answer.ticks is None and not answer.is_proven:
            ticks = place_by_repair(problem, gap, _REPAIRS_PER_ATTEMPT)
            answer = Answer(ticks, is_proven=ticks is not None)
        return answer


def _in_bursts(problem: SlotProblem, gap: int) -> list[int] | None:
    """Where all are rivals of one kind, the placement in bursts, if it lies within their bounds."""
    slots = problem.slots
    if gap < 0 or len(set(slots)) != 1 or not problem.is_clique:
        return None
    ticks = burst_ticks(len(slots), slots[0].train, problem.period_grains, gap)
    if ticks is None or slots[0].barred_ticks.intersection(ticks):
        return None
    return ticks if slots[0].low_ticks <= ticks[0] and ticks[-1] <= slots[0].high_ticks else None


def _cliques(problem: SlotProblem) -> list[list[int]]:
    """Some sets of slots, smaller than the whole, in which everybody is everybody's rival; of like ones only the first.

    For each slot one such set that holds it, and of sets with several pulse steps also the part with each step alone,
    which is quickly answered.
    """
    rivals = problem.neighbours()
    trains = dict.fromkeys(slot.train for slot in problem.slots)
    found: dict[tuple[object, ...], list[int]] = {}
    for first in range(len(problem.slots)):
        clique = [first]
        for other in sorted(rivals[first], key=lambda i: (-len(rivals[i] & rivals[first]), i)):
            if all(other in rivals[member] for member in clique):
                clique.append(other)
        by_train = [[i for i in clique if problem.slots[i].train == train] for train in trains]
        for part in (clique, *by_train):
            if len(part) < len(problem.slots) and problem.only(part).has_open_rivals:
                kind = tuple(sorted(repr(problem.slots[i]) for i in part))
                found.setdefault(kind, sorted(part))
    return list(found.values())
