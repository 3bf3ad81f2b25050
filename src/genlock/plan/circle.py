"""Rivals of one pulse step: exact, by going once round a circle.

Trains with the same step interleave as if they were wound on a circle whose length is the step: a slot is a point on
it, and all that counts is the distance between neighbouring points. Going round from one point, it is never worse to
take the next point as early as it may come; so whether a number of slots fits is answered by a walk from each start,
without a search. Only where slots differ in what they may take (a depth-only device cannot fire early) the walk
remembers, for each way to have used them up, how early it came.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from genlock.plan.slot import Slot, SlotProblem
from genlock.plan.timing import GRAINS_PER_USEC

__all__ = ["is_circular", "place_on_circle"]

Points = tuple[int, ...]  # sorted phases in grains, the circle's second lap after the first
Trail = tuple[tuple[int, int], "Trail"] | None  # (kind, phase) of the last point, and what came before


def is_circular(problem: SlotProblem) -> bool:
    """Whether all slots are rivals of one pulse step, and near enough that the ends of the trains do not show."""
    slots = problem.slots
    if len({slot.train for slot in slots}) != 1 or not problem.is_clique:
        return False
    train = slots[0].train
    step = train.step_usec * GRAINS_PER_USEC
    latest = max(slot.center_grains(slot.high_ticks) for slot in slots)
    span = latest - min(slot.center_grains(slot.low_ticks) for slot in slots)
    # Up to here every slot has a neighbour pulse of any other on both sides ...
    same_burst = span <= (train.pulses - 1) * step
    # ... and the next frame's train is at least a step away.
    next_frame = problem.period_grains - span >= train.pulses * step
    return same_burst and next_frame


def place_on_circle(problem: SlotProblem, gap: int) -> list[int] | None:
    """Ticks for every slot that keep this gap (grains) between all of them; ``None``: there are none. Proven.

    Gaps between two pinned slots do not count: nothing can be done about them.
    """
    train = problem.slots[0].train
    step = train.step_usec * GRAINS_PER_USEC
    distance = gap + train.pulse_usec * GRAINS_PER_USEC
    pins = [slot.center_grains(slot.low_ticks) % step for slot in problem.slots if slot.is_pinned]
    wanted = Counter(slot for slot in problem.slots if not slot.is_pinned)
    ticks_at = {slot: _free_points(slot, step, distance, pins) for slot in wanted}
    found = _fill(list(ticks_at), ticks_at, wanted, step, distance, pins)
    if found is None:
        return None
    return _hand_out(problem, ticks_at, found)


def _free_points(slot: Slot, step: int, distance: int, pins: Sequence[int]) -> dict[int, int]:
    """Phase -> ticks, for every phase that the slot can take clear of the pins; the ticks nearest to its color."""
    points: dict[int, int] = {}
    for ticks in sorted(range(slot.low_ticks, slot.high_ticks + 1), key=lambda t: (abs(t - slot.home_ticks), t)):
        if ticks in slot.barred_ticks:
            continue
        phase = slot.center_grains(ticks) % step
        if all(distance <= (phase - pin) % step <= step - distance for pin in pins):
            points.setdefault(phase, ticks)
    return points


def _fill(
    kinds: list[Slot],
    ticks_at: dict[Slot, dict[int, int]],
    wanted: Counter[Slot],
    step: int,
    distance: int,
    pins: Sequence[int],
) -> list[tuple[int, int]] | None:
    """(kind, phase) of every slot that is not pinned, or ``None`` when they do not fit."""
    counts = tuple(wanted[kind] for kind in kinds)
    laps = [tuple(sorted(p + lap for p in ticks_at[kind] for lap in (0, step))) for kind in kinds]
    if not kinds:
        return []
    for start, kind in _starts(laps, counts, step, distance, pins):
        left = list(counts)
        trail: Trail = None
        earliest = start + distance
        if kind is not None:
            left[kind] -= 1
            trail = ((kind, start), None)
        trail = _walk(laps, tuple(left), earliest, start + step - distance, distance, trail)
        if trail is not None:
            return list(_unwound(trail))
    return None


def _starts(
    laps: list[Points], counts: tuple[int, ...], step: int, distance: int, pins: Sequence[int]
) -> Iterator[tuple[int, int | None]]:
    """Where to begin the walk: at a pin, else at each point that could be a first one."""
    if pins:
        yield pins[0], None
        return
    rarest = min(range(len(counts)), key=counts.__getitem__)
    points = [p for p in laps[rarest] if p < step]
    if len(counts) == 1:
        # Any placement can be turned back until it begins between the first point and that point's successor.
        points = [p for p in points if p < points[0] + max(distance, 1)]
    for point in points:
        yield point, rarest


def _walk(
    laps: list[Points], counts: tuple[int, ...], earliest: int, latest: int, distance: int, trail: Trail
) -> Trail:
    """The trail of a walk that uses up the counts between two phases, or ``None``."""
    # For each way to have used some of the slots, the earliest phase at which the next may come.
    reached: dict[tuple[int, ...], tuple[int, Trail]] = {counts: (earliest, trail)}
    for _ in range(sum(counts)):
        following: dict[tuple[int, ...], tuple[int, Trail]] = {}
        for left, (phase, so_far) in reached.items():
            for kind, points in enumerate(laps):
                here = bisect_left(points, phase)
                if not left[kind] or here == len(points) or points[here] > latest:
                    continue
                point = points[here]
                fewer = (*left[:kind], left[kind] - 1, *left[kind + 1 :])
                if fewer not in following or point + distance < following[fewer][0]:
                    following[fewer] = (point + distance, ((kind, point), so_far))
        reached = following
    return next((so_far for _, so_far in reached.values()), None)


def _unwound(trail: Trail) -> Iterator[tuple[int, int]]:
    while trail is not None:
        point, trail = trail
        yield point


def _hand_out(problem: SlotProblem, ticks_at: dict[Slot, dict[int, int]], found: list[tuple[int, int]]) -> list[int]:
    """Gives like slots their ticks in the order of time, so that a table of the plan reads well."""
    step = problem.slots[0].train.step_usec * GRAINS_PER_USEC
    kinds = list(ticks_at)
    heap = {kind: sorted(ticks_at[kind][p % step] for k, p in found if kinds[k] == kind) for kind in kinds}
    return [slot.low_ticks if slot.is_pinned else heap[slot].pop(0) for slot in problem.slots]
