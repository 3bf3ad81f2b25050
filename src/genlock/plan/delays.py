"""Which delays the devices get: colors together, lasers apart.

The depth exposure of a device lies at master color + subordinate delay + depth delay. Colors stay aligned (subordinate
delay 0, or half of the difference where exposures are unequal, see ``exposure``); depth is staggered with
``depth_delay_off_color_usec``, centred on the color. A device without color cannot have a depth delay, and staggers
with ``subordinate_delay_off_master_usec`` instead, which cannot be negative. Where the goal is a higher rate, the
colors are first spread over the frame. A delay that the rig file pins is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from genlock.k4a import PULSE_TRAINS, TICKS_PER_SEC, CameraFps, DeviceConfig, WiredSyncMode, ticks_from_usec
from genlock.plan.emitters import place_clear, strobe_of
from genlock.plan.exposure import realigning_ticks
from genlock.plan.model import PlannedEmitter
from genlock.plan.overlap import overlapping_pairs
from genlock.plan.slot import Slot, SlotProblem
from genlock.plan.timing import GRAINS_PER_TICK, GRAINS_PER_USEC, Laser, frame_period_grains, guards_grains
from genlock.rig import Goal, Overlap, Rig, Topology, start_order

__all__ = ["Delays", "choose_delays", "guards_usec", "lasers_of", "reference_fps", "usec_request"]


@dataclass(frozen=True, slots=True)
class Delays:
    """The configurations with their delays, and how good they can be."""

    configs: Mapping[str, DeviceConfig]
    is_proven: bool = True
    """Whether no other choice is better."""
    max_guard_usec: float | None = None
    """No choice keeps a larger guard, up to the wanted one; ``None`` where there was nothing to choose."""
    min_skew_usec: float = 0.0
    """No choice keeps this one's guard, up to the wanted one, with depth nearer to the colors."""


def usec_request(ticks: int) -> int:
    """The smallest request, in whole us, that the device truncates to this many ticks.

    >>> usec_request(15), usec_request(14), usec_request(-7)
    (167, 156, -78)
    """
    usec = -(-abs(ticks) * 100 // 9)
    return usec if ticks >= 0 else -usec


def reference_fps(rig: Rig) -> CameraFps:
    """The rate of the pulses: the master's, else the first device's. Other rates are findings."""
    serials = [device.serial for device in rig.devices]
    reference = rig.wiring.master if rig.wiring.master in serials else serials[0]
    return rig.settings(reference).camera_fps


def lasers_of(configs: Mapping[str, DeviceConfig], shifts_grains: Mapping[str, int]) -> dict[str, Laser]:
    """The laser of every device that has one, as its configuration and its exposure place it."""
    lasers = {}
    for serial, config in configs.items():
        train = PULSE_TRAINS[config.depth_mode]
        if train is not None:
            ticks = config.subordinate_delay_off_master_ticks + config.depth_delay_off_color_ticks
            lasers[serial] = Laser(train, ticks * GRAINS_PER_TICK + shifts_grains[serial])
    return lasers


def guards_usec(
    rig: Rig, configs: Mapping[str, DeviceConfig], overlap: Overlap, shifts_grains: Mapping[str, int]
) -> dict[tuple[str, str], float]:
    """The gap between the lasers of every two devices that share a clock and a space."""
    if rig.wiring.topology is Topology.STANDALONE or not configs:
        return {}
    lasers = lasers_of(configs, shifts_grains)
    period = frame_period_grains(reference_fps(rig))
    gaps = guards_grains(lasers, overlapping_pairs(overlap, tuple(lasers)), period)
    return {pair: gap / GRAINS_PER_USEC for pair, gap in gaps.items()}


def choose_delays(
    rig: Rig,
    configs: Mapping[str, DeviceConfig],
    overlap: Overlap,
    shifts_grains: Mapping[str, int],
    emitters: Sequence[PlannedEmitter] = (),
) -> Delays:
    """Gives every device its delays.

    Args:
        rig: what is wanted.
        configs: in the order of the rig; their delays are 0.
        overlap: whose depth cameras see the same space.
        shifts_grains: what unequal exposures move each device's centres by.
        emitters: pulsed lights of others.
    """
    pinned = {serial: _with_pins(rig, serial, config) for serial, config in configs.items()}
    if rig.wiring.topology is Topology.STANDALONE or not configs:
        return Delays(pinned)  # without a common clock there is nothing to choose
    if rig.plan.goal is Goal.INTERLEAVED_FPS:
        colored = _interleaved(rig, pinned, shifts_grains)
    else:
        colored = _realigned(rig, pinned, shifts_grains)
    if rig.plan.goal is Goal.ALIGNED_DEPTH:
        return Delays(colored)  # everything at once
    return _staggered(rig, colored, overlap, shifts_grains, emitters)


def _realigned(
    rig: Rig, configs: Mapping[str, DeviceConfig], shifts_grains: Mapping[str, int]
) -> dict[str, DeviceConfig]:
    """Delays the subordinates of longer exposure, so that all colors have one centre."""
    aligned = dict(configs)
    for serial, config in configs.items():
        ticks = realigning_ticks(shifts_grains[serial])
        if ticks > 0 and _takes_delay(rig, serial, config):
            aligned[serial] = replace(config, subordinate_delay_off_master_usec=usec_request(ticks))
    return aligned


def _takes_delay(rig: Rig, serial: str, config: DeviceConfig) -> bool:
    is_subordinate = config.wired_sync_mode is WiredSyncMode.SUBORDINATE
    return is_subordinate and config.has_color and rig.device(serial).subordinate_delay_off_master_usec is None


def _interleaved(
    rig: Rig, configs: Mapping[str, DeviceConfig], shifts_grains: Mapping[str, int]
) -> dict[str, DeviceConfig]:
    """Spreads the colors over the frame: the master first, then the subordinates in cable order."""
    period_ticks = TICKS_PER_SEC // reference_fps(rig)
    order = sorted(start_order(rig), key=lambda serial: configs[serial].wired_sync_mode is not WiredSyncMode.MASTER)
    cameras = [serial for serial in order if configs[serial].has_color]
    spread = dict(configs)
    for turn, serial in enumerate(cameras):
        if _takes_delay(rig, serial, configs[serial]):
            ticks = turn * period_ticks // len(cameras) + realigning_ticks(shifts_grains[serial])
            request = usec_request(ticks % period_ticks)
            spread[serial] = replace(configs[serial], subordinate_delay_off_master_usec=request)
    return spread


def _staggered(
    rig: Rig,
    configs: Mapping[str, DeviceConfig],
    overlap: Overlap,
    shifts_grains: Mapping[str, int],
    emitters: Sequence[PlannedEmitter],
) -> Delays:
    """Places the depth exposures around their colors."""
    serials = tuple(serial for serial, config in configs.items() if PULSE_TRAINS[config.depth_mode] is not None)
    slots = tuple(_slot(rig, serial, configs[serial], shifts_grains[serial]) for serial in serials)
    index = {serial: i for i, serial in enumerate(serials)}
    rivals = frozenset((index[a], index[b]) for a, b in overlapping_pairs(overlap, serials))
    period = frame_period_grains(reference_fps(rig))
    problem = SlotProblem(slots, rivals, period)
    locked = [(strobe, emitter) for emitter in emitters if (strobe := strobe_of(emitter, period)) is not None]
    strobes = [[strobe for strobe, emitter in locked if serial in emitter.seen_by] for serial in serials]
    placement = place_clear(problem, strobes, rig.plan.min_guard_usec * GRAINS_PER_USEC)
    chosen = dict(configs)
    for serial, slot, ticks in zip(serials, slots, placement.ticks, strict=True):
        if not slot.is_pinned:
            chosen[serial] = _placed(configs[serial], ticks - slot.home_ticks)
    return Delays(
        chosen,
        is_proven=placement.is_proven,
        max_guard_usec=placement.max_gap_grains / GRAINS_PER_USEC if problem.has_open_rivals else None,
        min_skew_usec=placement.min_skew_ticks * GRAINS_PER_TICK / GRAINS_PER_USEC,
    )


def _with_pins(rig: Rig, serial: str, config: DeviceConfig) -> DeviceConfig:
    device = rig.device(serial)
    return replace(
        config,
        depth_delay_off_color_usec=device.depth_delay_off_color_usec or 0,
        subordinate_delay_off_master_usec=device.subordinate_delay_off_master_usec or 0,
    )


def _slot(rig: Rig, serial: str, config: DeviceConfig, shift_grains: int) -> Slot:
    """Where this device's depth exposure may lie."""
    train = PULSE_TRAINS[config.depth_mode]
    if train is None:
        raise ValueError(f"{config.depth_mode} has no laser")
    device = rig.device(serial)
    home = config.subordinate_delay_off_master_ticks
    # The SDK bounds every delay by one frame period.
    reach = ticks_from_usec(min(rig.plan.max_rgbd_skew_usec, config.camera_fps.period_usec))
    if config.has_color:
        is_free = device.depth_delay_off_color_usec is None
        low, high = home - reach, home + reach
    else:
        is_subordinate = config.wired_sync_mode is WiredSyncMode.SUBORDINATE
        is_free = is_subordinate and device.subordinate_delay_off_master_usec is None
        low, high = 0, reach
    here = home + config.depth_delay_off_color_ticks
    if not is_free:
        low = high = here
    return Slot(train, home, low, high, is_pinned=not is_free, offset_grains=shift_grains)


def _placed(config: DeviceConfig, ticks: int) -> DeviceConfig:
    if config.has_color:
        return replace(config, depth_delay_off_color_usec=usec_request(ticks))
    return replace(config, subordinate_delay_off_master_usec=usec_request(ticks))
