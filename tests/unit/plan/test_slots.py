"""Slots against a checker that shares no code with the planner: exact fractions, every pulse against every pulse."""

from fractions import Fraction
from functools import cache
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.k4a import PULSE_TRAINS, DepthMode
from genlock.plan.slot import Slot, SlotProblem
from genlock.plan.slots import place

# Everything here is a multiple of 1/18 us: a tick of 100/9 us is 200 of them.
TICK_USEC = Fraction(100, 9)
UNIT_USEC = Fraction(1, 18)
IDLE_USEC = {"NFOV_UNBINNED": 1450, "WFOV_UNBINNED": 2390}


@cache
def pulses(mode, ticks):
    """(start, end) of nine pulses of 125 us, centred on a moment, in 1/18 us."""
    step = 18 * (125 + IDLE_USEC[mode])
    first = 200 * ticks - (8 * step + 18 * 125) // 2
    return [(first + k * step, first + k * step + 18 * 125) for k in range(9)]


@cache
def gap_usec(mode_a, ticks_a, mode_b, ticks_b, fps):
    """The smallest gap of two lasers over this frame and its neighbours."""
    period = 18 * 10**6 // fps
    smallest = min(
        max(start_b + shift - end_a, start_a - end_b - shift)
        for start_a, end_a in pulses(mode_a, ticks_a)
        for start_b, end_b in pulses(mode_b, ticks_b)
        for shift in (-period, 0, period)
    )
    return smallest * UNIT_USEC


def guard_usec(modes, ticks, rivals, fps):
    # Only the difference counts: asked like this, the count of all pulses is remembered.
    return min((gap_usec(modes[i], 0, modes[j], ticks[j] - ticks[i], fps) for i, j in rivals), default=None)


def problem_of(modes, bounds, rivals, fps):
    slots = []
    for mode, (low, high) in zip(modes, bounds, strict=True):
        train = PULSE_TRAINS[DepthMode(mode)]
        assert train is not None
        slots.append(Slot(train, 0, low, high, is_pinned=low == high))
    return SlotProblem(tuple(slots), frozenset(rivals), 90_000 // fps * 200)


def best_by_trying_all(modes, bounds, rivals, fps, wanted_usec):
    """(guard, largest skew) of the best of all placements; a pinned slot's skew is nobody's choice."""
    free = [i for i, (low, high) in enumerate(bounds) if low < high]
    ranges = [range(low, high + 1) for low, high in bounds]

    def merit(ticks):
        guard = min(gap_usec(modes[i], 0, modes[j], ticks[j] - ticks[i], fps) for i, j in rivals)
        skew = max(abs(ticks[i]) for i in free)
        return (min(guard, wanted_usec), -skew, guard)

    _, skew, guard = max(merit(ticks) for ticks in product(*ranges))
    return guard, -skew


MODES = st.sampled_from(["NFOV_UNBINNED", "WFOV_UNBINNED"])


@st.composite
def problems(draw, max_slots, reach, one_mode):
    count = draw(st.integers(2, max_slots))
    mode = draw(MODES)
    modes = [mode if one_mode else draw(MODES) for _ in range(count)]
    kind = st.sampled_from([(-reach, reach), (0, reach)])
    if draw(st.booleans()):
        kind = st.one_of(kind, st.integers(-reach, reach).map(lambda t: (t, t)))
    bounds = [draw(kind) for _ in range(count)]
    pairs = list(combinations(range(count), 2))
    rivals = pairs if draw(st.booleans()) else draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1))
    return modes, bounds, sorted(rivals), draw(st.sampled_from([5, 15]))


@given(problems(max_slots=3, reach=12, one_mode=False), st.integers(0, 200))
@settings(max_examples=400, deadline=None)
def test_no_placement_of_a_small_rig_is_better(question, wanted_usec):
    modes, bounds, rivals, fps = question
    open_rivals = [(i, j) for i, j in rivals if bounds[i][0] < bounds[i][1] or bounds[j][0] < bounds[j][1]]
    placement = place(problem_of(modes, bounds, rivals, fps), wanted_usec * 18)
    assert placement.is_proven
    if not open_rivals:
        return
    free = [abs(t) for t, (low, high) in zip(placement.ticks, bounds, strict=True) if low < high]
    guard, skew = best_by_trying_all(modes, bounds, open_rivals, fps, wanted_usec)
    assert guard_usec(modes, placement.ticks, open_rivals, fps) == guard
    assert max(free) == skew


@given(problems(max_slots=12, reach=180, one_mode=True), st.integers(0, 200))
@settings(max_examples=2000, deadline=None)
def test_a_placement_keeps_the_guard_that_it_claims_within_its_bounds(question, wanted_usec):
    modes, bounds, rivals, fps = question
    problem = problem_of(modes, bounds, rivals, fps)
    placement = place(problem, wanted_usec * 18)
    assert all(low <= t <= high for t, (low, high) in zip(placement.ticks, bounds, strict=True))
    claimed = problem.guard(placement.ticks)
    open_rivals = [(i, j) for i, j in rivals if bounds[i][0] < bounds[i][1] or bounds[j][0] < bounds[j][1]]
    checked = guard_usec(modes, placement.ticks, open_rivals, fps)
    assert checked == (None if claimed is None else claimed * UNIT_USEC)


def clique(mode, count, fps, reach=180):
    return [mode] * count, [(-reach, reach)] * count, list(combinations(range(count), 2)), fps


def best_on_a_circle(mode, count, reach):
    """(guard, skew) of the best placement by another road: depth-first over sorted positions, pruned by the gap."""
    step = (125 + IDLE_USEC[mode]) / TICK_USEC

    def distance(d):
        return min(d % step, -d % step)

    def fits(gap, skew):
        stack = [[x] for x in range(-skew, skew + 1)]
        allowed = {d for d in range(-2 * skew, 2 * skew + 1) if distance(d) >= gap}
        while stack:
            chosen = stack.pop()
            if len(chosen) == count:
                return True
            stack += [[*chosen, x] for x in range(chosen[-1] + 1, skew + 1) if all(x - c in allowed for c in chosen)]
        return False

    gaps = sorted({distance(d) for d in range(2 * reach + 1)}, reverse=True)
    wanted = Fraction(225) / TICK_USEC
    threshold = wanted if fits(wanted, reach) else next(gap for gap in gaps if fits(gap, reach))
    skew = next(k for k in range(reach + 1) if fits(threshold, k))
    return next(gap for gap in gaps if fits(gap, skew)) * TICK_USEC - 125, skew


@pytest.mark.parametrize(("count", "reach"), [(2, 40), (3, 40), (4, 40), (4, 25), (3, 15), (5, 45)])
def test_rigs_of_one_mode_are_placed_as_well_as_can_be(count, reach):
    modes, bounds, rivals, fps = clique("NFOV_UNBINNED", count, 30, reach)
    placement = place(problem_of(modes, bounds, rivals, fps), 100 * 18)
    assert (guard_usec(modes, placement.ticks, rivals, fps), max(map(abs, placement.ticks))) == best_on_a_circle(
        "NFOV_UNBINNED", count, reach
    )


@pytest.mark.parametrize(
    ("mode", "fps", "capacity"),
    # Microsoft's rule, 160 us between the starts of pulses, leaves 35 us. The trains repeat every 1575 and 2515 us:
    # 1575 / 160 = 9.8 and 2515 / 160 = 15.7.
    [("NFOV_UNBINNED", 30, 9), ("WFOV_UNBINNED", 15, 15)],
)
def test_so_many_devices_keep_160_us_all_round_and_no_more(mode, fps, capacity):
    for count, keeps in ((capacity, True), (capacity + 1, False)):
        modes, bounds, rivals, _ = clique(mode, count, fps)
        placement = place(problem_of(modes, bounds, rivals, fps), 100 * 18)
        guard = guard_usec(modes, placement.ticks, rivals, fps)
        assert (guard >= 35) == keeps
        assert placement.is_proven


def test_ten_devices_keep_30_6_us():
    modes, bounds, rivals, fps = clique("NFOV_UNBINNED", 10, 30)
    placement = place(problem_of(modes, bounds, rivals, fps), 100 * 18)
    # 1575 / 10 = 157.5 us, 14.175 ticks: at most 14 whole ones, 155.6 us, minus the pulse of 125 us.
    assert guard_usec(modes, placement.ticks, rivals, fps) == 14 * TICK_USEC - 125


@pytest.mark.parametrize(
    ("count", "ticks"),
    # 100 us of guard need 225 us from start to start: 20.25 ticks, so 21 whole ones, centred on the color.
    [(1, (0,)), (2, (-11, 11)), (3, (-21, 0, 21)), (5, (-42, -21, 0, 21, 42))],
)
def test_depth_is_centred_on_the_color(count, ticks):
    modes, bounds, rivals, fps = clique("NFOV_UNBINNED", count, 30)
    assert place(problem_of(modes, bounds, rivals, fps), 100 * 18).ticks == ticks


def test_slots_that_do_not_meet_share_their_ticks():
    modes, bounds, _, fps = clique("NFOV_UNBINNED", 4, 30)
    placement = place(problem_of(modes, bounds, [(0, 1), (2, 3)], fps), 100 * 18)
    assert placement.ticks == (-11, 11, -11, 11)


def test_a_pinned_slot_is_never_moved_and_the_others_keep_clear_of_it():
    modes, bounds, rivals, fps = clique("NFOV_UNBINNED", 3, 30)
    bounds[1] = (5, 5)
    placement = place(problem_of(modes, bounds, rivals, fps), 100 * 18)
    assert placement.ticks[1] == 5
    assert guard_usec(modes, placement.ticks, rivals, fps) >= 100


def test_what_is_pinned_into_a_collision_does_not_spoil_the_rest():
    modes, bounds, rivals, fps = clique("NFOV_UNBINNED", 3, 30)
    bounds[0] = bounds[1] = (0, 0)
    placement = place(problem_of(modes, bounds, rivals, fps), 100 * 18)
    assert guard_usec(modes, placement.ticks, [(0, 2), (1, 2)], fps) >= 100


def test_a_slot_that_cannot_be_early_is_late():
    modes, bounds, rivals, fps = clique("NFOV_UNBINNED", 3, 30)
    bounds[2] = (0, 180)
    placement = place(problem_of(modes, bounds, rivals, fps), 100 * 18)
    assert placement.ticks[2] >= 0
    assert guard_usec(modes, placement.ticks, rivals, fps) >= 100
    assert max(map(abs, placement.ticks)) == 21
