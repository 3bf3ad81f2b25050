"""Rules about lasers, overlaps, pinned delays and goals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from genlock.findings import Finding, Severity
from genlock.k4a import PULSE_TRAINS, PulseTrain, WiredSyncMode, ticks_from_usec
from genlock.plan.bursts import burst_ticks
from genlock.plan.case import Case, Rule
from genlock.plan.delays import reference_fps, usec_request
from genlock.plan.exposure import realigning_ticks
from genlock.plan.exposure_checks import ALIGNED_USEC
from genlock.plan.overlap import overlap_from_poses, overlapping_pairs
from genlock.plan.timing import GRAINS_PER_TICK, GRAINS_PER_USEC, SMALL_GUARD_USEC, frame_period_grains
from genlock.rig import Goal, Topology

__all__ = ["LASER_RULES"]


def _overlap_known(case: Case) -> Iterator[Finding]:
    overlap = case.rig.plan.overlap
    if overlap is None or isinstance(overlap, str):
        return
    serials = [device.serial for device in case.plan.devices]
    for i, pair in enumerate(overlap):
        where = f"[plan] overlap[{i}]"
        for serial in dict.fromkeys(pair):
            if serial not in serials:
                message = f"overlap names {serial}, which is no device of this rig"
                remedy = f"The devices of this rig are {', '.join(serials) or 'none'}."
                yield Finding("plan.overlap_unknown_serial", Severity.ERROR, where, message, remedy)
        if pair[0] == pair[1]:
            message = f"overlap pairs {pair[0]} with itself"
            yield Finding("plan.overlap_with_itself", Severity.ERROR, where, message, "Name two different devices.")
        elif set(pair) in [set(earlier) for earlier in overlap[:i]]:
            message = f"overlap names the pair {pair[0]}, {pair[1]} twice"
            yield Finding("plan.overlap_twice", Severity.INFO, where, message, "")


def _overlap_against_poses(case: Case) -> Iterator[Finding]:
    """The file says that two do not overlap, its own poses say that they do."""
    if case.rig.plan.overlap in (None, "all"):
        return
    computed = overlap_from_poses(case.rig) or ()
    said = set(overlapping_pairs(case.plan.overlap, tuple(device.serial for device in case.plan.devices)))
    unsaid = [f"{a} and {b}" for a, b in computed if not {(a, b), (b, a)} & said]
    if unsaid:
        yield Finding(
            "plan.overlap_against_poses",
            Severity.WARNING,
            "[plan] overlap",
            f"by their nominal poses {', '.join(unsaid)} see the same space, but plan.overlap does not say so: their "
            "lasers may fire at the same time",
            "Correct the poses or the pairs, or leave plan.overlap out to have it computed.",
        )


def _overlap_computed(case: Case) -> Iterator[Finding]:
    if case.rig.plan.overlap is None and not isinstance(case.plan.overlap, str):
        lasers = sum(PULSE_TRAINS[device.config.depth_mode] is not None for device in case.plan.devices)
        yield Finding(
            "plan.overlap_from_poses",
            Severity.INFO,
            "[plan] overlap",
            f"from the nominal poses, {len(case.plan.overlap)} of {lasers * (lasers - 1) // 2} pairs of depth cameras "
            "see the same space",
            'Write plan.overlap = "all" to keep all lasers apart whatever the poses.',
        )


def _goal(case: Case) -> Iterator[Finding]:
    goal = case.rig.plan.goal
    if goal is Goal.INTERLEAVED_FPS and case.plan.topology is Topology.STANDALONE:
        yield Finding(
            "plan.goal_needs_common_clock",
            Severity.ERROR,
            "[plan] goal",
            "interleaving needs cameras on one clock; this rig is standalone",
            'Connect the devices with sync cables and set topology = "daisy_chain" and a master.',
        )
    elif goal is Goal.INTERLEAVED_FPS and not case.color_devices and case.plan.devices:
        message = "interleaving spreads color images over the frame; no device has its color camera on"
        remedy = 'Give the devices a color_resolution, or set plan.goal = "aligned_color".'
        yield Finding("plan.goal_needs_color", Severity.ERROR, "[plan] goal", message, remedy)
    elif goal is Goal.ALIGNED_DEPTH and case.guards_usec:
        pairs = len(case.guards_usec)
        yield Finding(
            "plan.goal_aligned_depth_overlaps",
            Severity.ERROR,
            "[plan] goal",
            f"depth can be aligned only where no two depth cameras see the same space; here {pairs} pairs do",
            'Set plan.goal = "aligned_color", or describe in plan.overlap who really sees the same space.',
        )


def _interleaved_rate(case: Case) -> Iterator[Finding]:
    if case.rig.plan.goal is not Goal.INTERLEAVED_FPS or not case.is_synchronized or not case.color_devices:
        return
    fps = int(reference_fps(case.rig))
    period_ticks = 90_000 // fps
    shifts = case.plan.center_shifts_grains
    ticks = sorted(
        (d.config.subordinate_delay_off_master_ticks - realigning_ticks(shifts[d.serial])) % period_ticks
        for d in case.color_devices
    )
    steps = [(after - before) % period_ticks for before, after in zip(ticks, [*ticks[1:], ticks[0]], strict=True)]
    low_usec, high_usec = (tick * 100 / 9 for tick in (min(steps), max(steps)))
    if len(ticks) == 1:
        low_usec = high_usec = period_ticks * 100 / 9
    apart = f"{low_usec:.0f}" if round(low_usec) == round(high_usec) else f"{low_usec:.0f} to {high_usec:.0f}"
    message = f"{len(ticks)} color cameras give {len(ticks) * fps} images per second, {apart} us apart"
    yield Finding("plan.interleaved_rate", Severity.INFO, "[plan] goal", message, "")


def _guard(case: Case) -> Iterator[Finding]:
    if not case.guards_usec or case.rig.plan.goal is Goal.ALIGNED_DEPTH:
        return
    wanted_usec = case.rig.plan.min_guard_usec
    pair, guard_usec = min(case.guards_usec.items(), key=lambda item: item[1])
    where = f"devices {pair[0]} and {pair[1]}"
    others = sum(gap < min(wanted_usec, SMALL_GUARD_USEC) for gap in case.guards_usec.values()) - 1
    more = f", and {others} other {'pair' if others == 1 else 'pairs'}" if others > 0 else ""
    remedy = (
        f"{_offer(case)}Describe in plan.overlap who really sees the same space, remove pinned delays, or use fewer "
        "depth cameras."
    )
    if guard_usec < 0:
        message = f"laser pulses overlap by {-guard_usec:.1f} us{more}: each disturbs the other's depth"
        yield Finding("plan.lasers_collide", Severity.ERROR, where, message + _why_so_tight(case), remedy)
    elif guard_usec < SMALL_GUARD_USEC:
        message = (
            f"only {guard_usec:.1f} us between their laser pulses{more}; Microsoft recommends {SMALL_GUARD_USEC} us "
            "(160 from start to start), and healthy rigs show timing errors of up to 55 us (SDK issue #1261)"
        )
        yield Finding("plan.guard_small", Severity.WARNING, where, message + _why_so_tight(case), remedy)
    elif guard_usec < wanted_usec:
        message = f"{guard_usec:.1f} us between their laser pulses; {wanted_usec} us were wanted and are not to be had"
        yield Finding("plan.guard_below_wanted", Severity.INFO, where, message + _why_so_tight(case), remedy)


def _one_clique(case: Case) -> tuple[PulseTrain, int] | None:
    """The train and number of lasers where all are of one kind, all meet all, and none is pinned."""
    trains = [train for d in case.plan.devices if (train := PULSE_TRAINS[d.config.depth_mode]) is not None]
    pins = [d for d in case.rig.devices if d.depth_delay_off_color_usec is not None]
    has_shifts = any(case.plan.center_shifts_grains.values())
    if len(set(trains)) != 1 or pins or has_shifts or len(case.guards_usec) != len(list(combinations(trains, 2))):
        return None
    return trains[0], len(trains)


def _why_so_tight(case: Case) -> str:
    """The arithmetic of one burst, where it is the reason."""
    clique = _one_clique(case)
    if clique is None:
        return ""
    train, count = clique
    return (
        f". {count} lasers share a pulse step of {train.step_usec} us: {train.step_usec / count:.1f} us for each, "
        f"and a pulse takes {train.pulse_usec}"
    )


def _offer(case: Case) -> str:
    """What a larger bound on skew would buy: several bursts in one frame."""
    clique = _one_clique(case)
    if clique is None:
        return ""
    wanted_usec = case.rig.plan.min_guard_usec
    period = frame_period_grains(reference_fps(case.rig))
    ticks = burst_ticks(clique[1], clique[0], period, wanted_usec * GRAINS_PER_USEC)
    if ticks is None:
        return ""
    skew_usec = usec_request(max(map(abs, ticks)))
    if skew_usec <= case.rig.plan.max_rgbd_skew_usec:
        return ""
    in_bursts = " in bursts one after the other" if _is_in_bursts(ticks, clique[0]) else ""
    return f"plan.max_rgbd_skew_usec = {skew_usec} would allow {wanted_usec} us{in_bursts}. "


def _is_in_bursts(ticks: Sequence[int], train: PulseTrain) -> bool:
    """Whether the trains do not all lie within one another's idle times."""
    return (ticks[-1] - ticks[0]) * GRAINS_PER_TICK >= train.step_usec * GRAINS_PER_USEC


def _not_proven(case: Case) -> Iterator[Finding]:
    delays, guard_usec, wanted_usec = case.delays, case.plan.guard_usec, case.rig.plan.min_guard_usec
    if delays.is_proven or guard_usec is None or delays.max_guard_usec is None:
        return
    if guard_usec < wanted_usec:
        message = (
            f"{guard_usec:.1f} us is the largest guard that was found; that there is none up to "
            f"{delays.max_guard_usec:.1f} us is not proven"
        )
    else:
        message = (
            f"depth lies up to {_largest_skew_usec(case):.0f} us from color, the least that was found; less than "
            f"{delays.min_skew_usec:.0f} us is impossible, what lies between is not proven"
        )
    yield Finding("plan.delays_not_proven", Severity.INFO, "[plan]", message, "")


def _largest_skew_usec(case: Case) -> float:
    lasers = [d.config for d in case.plan.devices if PULSE_TRAINS[d.config.depth_mode] is not None]
    ticks = [c.depth_delay_off_color_ticks if c.has_color else c.subordinate_delay_off_master_ticks for c in lasers]
    return max(map(abs, ticks)) * 100 / 9


def _pins_rounded(case: Case) -> Iterator[Finding]:
    for device in case.rig.devices:
        for key in ("depth_delay_off_color_usec", "subordinate_delay_off_master_usec"):
            usec = getattr(device, key)
            ticks = ticks_from_usec(usec or 0)
            if usec is not None and ticks * 100 != usec * 9:
                yield Finding(
                    "plan.pinned_delay_rounded",
                    Severity.INFO,
                    f"device {device.serial}",
                    f"{key} = {usec} is kept as {ticks} ticks of the 90 kHz clock, {ticks * 100 / 9:.1f} us",
                    "",
                )


def _pins_near_color(case: Case) -> Iterator[Finding]:
    if not case.is_synchronized:
        return
    max_skew_usec = case.rig.plan.max_rgbd_skew_usec
    for device in case.color_devices:
        where = f"device {device.serial}"
        depth_usec = device.config.depth_delay_off_color_ticks * 100 / 9
        if device.config.has_depth_camera and abs(depth_usec) > max_skew_usec:
            message = f"its depth lies {depth_usec:.0f} us from its color; plan.max_rgbd_skew_usec is {max_skew_usec}"
            remedy = "Remove the pinned depth delay, or raise plan.max_rgbd_skew_usec."
            yield Finding("plan.depth_far_from_color", Severity.WARNING, where, message, remedy)
        is_pinned = (
            device.config.wired_sync_mode is WiredSyncMode.SUBORDINATE  # elsewhere the delay itself is a mistake
            and case.rig.device(device.serial).subordinate_delay_off_master_usec is not None
        )
        color_usec = device.config.subordinate_delay_off_master_ticks * 100 / 9
        color_usec += case.plan.center_shifts_grains[device.serial] / GRAINS_PER_USEC
        if is_pinned and abs(color_usec) > ALIGNED_USEC and case.rig.plan.goal is not Goal.INTERLEAVED_FPS:
            message = f"its color lies {color_usec:.0f} us after the master's; aligned means within {ALIGNED_USEC} us"
            remedy = "Remove the pinned subordinate delay; stagger depth with depth_delay_off_color_usec."
            yield Finding("plan.color_not_aligned", Severity.WARNING, where, message, remedy)


def _pins_against_aligned_depth(case: Case) -> Iterator[Finding]:
    """With goal aligned_depth every delay is zero unless it is pinned."""
    if not case.is_synchronized or case.rig.plan.goal is not Goal.ALIGNED_DEPTH:
        return
    for device in case.plan.devices:
        if not device.config.has_depth_camera:
            continue
        ticks = device.config.subordinate_delay_off_master_ticks + device.config.depth_delay_off_color_ticks
        usec = ticks * 100 / 9 + case.plan.center_shifts_grains[device.serial] / GRAINS_PER_USEC
        if abs(usec) > ALIGNED_USEC:
            message = f"its depth lies {usec:+.0f} us from the master's color; aligned means within {ALIGNED_USEC} us"
            remedy = "Remove the pinned delay: aligned_depth sets the delays itself."
            yield Finding("plan.depth_not_aligned", Severity.WARNING, f"device {device.serial}", message, remedy)


LASER_RULES: tuple[Rule, ...] = (
    _overlap_known,
    _overlap_against_poses,
    _overlap_computed,
    _goal,
    _interleaved_rate,
    _guard,
    _not_proven,
    _pins_rounded,
    _pins_near_color,
    _pins_against_aligned_depth,
)
