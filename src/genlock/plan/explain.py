"""Where each number of a plan comes from, in words: the rule, the arithmetic, the source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from genlock.k4a import PULSE_TRAINS, WiredSyncMode
from genlock.plan.budget import MJPG_BYTES_PER_PIXEL, USBFS_MB_PER_DEVICE, HostBudget
from genlock.plan.delays import lasers_of
from genlock.plan.emitters import strobe_of
from genlock.plan.model import Plan, PlannedDevice
from genlock.plan.picture import lay_out
from genlock.plan.timing import GRAINS_PER_USEC, frame_period_grains
from genlock.rig import Goal, Rig, Topology

__all__ = ["Explanation", "explain", "explain_text"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One number and its reason."""

    what: str
    value: str
    why: str

    def to_json(self) -> dict[str, str]:
        """The same for programs."""
        return {"what": self.what, "value": self.value, "why": self.why}


def explain(rig: Rig, plan: Plan) -> tuple[Explanation, ...]:
    """Every number that the plan shows, in the order in which it shows them."""
    if not plan.devices:
        return ()
    return (
        *_rig_wide(rig, plan),
        *(line for device in plan.devices for line in _device(rig, plan, device)),
        *_guard(rig, plan),
        *_emitters(plan),
        *(line for host in plan.budget for line in _budget(host)),
    )


def explain_text(rig: Rig, plan: Plan) -> str:
    """The explanations as plain text: a number a paragraph."""
    return "\n".join(f"{line.what}: {line.value}\n    {line.why}" for line in explain(rig, plan)) + "\n"


def _rig_wide(rig: Rig, plan: Plan) -> Iterator[Explanation]:
    fps = int(plan.device(plan.reference_serial).config.camera_fps)
    yield Explanation(
        "frame period",
        f"{1e6 / fps:.1f} us, {90_000 // fps} ticks",
        f"camera_fps {fps}; the device's clock has 90 000 ticks a second, 11.1 us each (SDK, color_mcu.c).",
    )
    trains = {PULSE_TRAINS[device.config.depth_mode]: device.config.depth_mode for device in plan.devices}
    for train, mode in trains.items():
        if train is not None:
            yield Explanation(
                f"laser pulses in {mode}",
                f"{train.pulses} of {train.pulse_usec} us, every {train.step_usec} us, {train.duration_usec} us in all",
                f"{train.pulses} x {train.pulse_usec} + {train.pulses - 1} x {train.idle_usec} us idle (Microsoft's "
                "hardware specification); centred on the depth stamp (SDK issue #868; unverified on hardware).",
            )
    order = "as the pulse reaches them" if plan.topology is not Topology.STANDALONE else "as in the file"
    yield Explanation(
        "start order",
        " -> ".join(plan.start_order),
        f"Subordinates first, {order}, the master last: all clocks are set to zero at the first pulse, and a device "
        "that starts later is off by whole frames (SDK issues #1240, #1435).",
    )


def _device(rig: Rig, plan: Plan, device: PlannedDevice) -> Iterator[Explanation]:
    config = device.config
    role = config.wired_sync_mode
    yield Explanation(f"{device.serial} role", role.value.lower(), _role(rig, plan, device))
    if config.has_color:
        if device.exposure_usec is None:
            yield Explanation(f"{device.serial} exposure", "automatic", "The rig file says so.")
        else:
            yield Explanation(
                f"{device.serial} exposure",
                f"{device.exposure_usec} us",
                f"{device.requested_exposure_usec} us asked for; the device's table at {int(device.powerline_hz)} Hz "
                f"has {device.exposure_usec} as the next one at or above it (SDK, color_priv.h).",
            )
    yield from _delays(rig, plan, device)


def _role(rig: Rig, plan: Plan, device: PlannedDevice) -> str:
    match device.config.wired_sync_mode:
        case WiredSyncMode.MASTER:
            return "wiring.master names it; its color camera's VSYNC is the pulse that the others follow."
        case WiredSyncMode.SUBORDINATE if plan.topology is Topology.EXTERNAL_TRIGGER:
            return "Under an external trigger every device is a subordinate (SDK issues #366, #1801)."
        case WiredSyncMode.SUBORDINATE:
            return f"Every device but the master {rig.wiring.master} follows the pulse."
        case _:
            return "The topology is standalone: no common clock."


def _delays(rig: Rig, plan: Plan, device: PlannedDevice) -> Iterator[Explanation]:
    config, own = device.config, rig.device(device.serial)
    ticks = config.subordinate_delay_off_master_ticks
    if config.wired_sync_mode is WiredSyncMode.SUBORDINATE:
        shift_usec = plan.center_shifts_grains[device.serial] / GRAINS_PER_USEC
        if own.subordinate_delay_off_master_usec is not None:
            why = "Pinned in the rig file."
        elif rig.plan.goal is Goal.INTERLEAVED_FPS:
            why = "goal interleaved_fps: the colors share the frame period evenly, master first, then in cable order."
        elif not config.has_color:
            why = "Without color there is no depth delay; this one staggers the laser, and it cannot be negative."
        elif ticks:
            why = (
                f"Its exposure is longer than the master's; half of the difference, {-shift_usec:.1f} us, brings the "
                "centres together (SDK, green_screen; unverified on hardware)."
            )
        else:
            why = "Colors are aligned: only lasers disturb each other, so depth is staggered, not color (SDK #1654)."
        value = _request(config.subordinate_delay_off_master_usec, ticks)
        yield Explanation(f"{device.serial} subordinate_delay_off_master_usec", value, why)
    if config.has_color and config.has_depth_camera:
        why = _depth_delay(rig, plan, device, is_pinned=own.depth_delay_off_color_usec is not None)
        value = _request(config.depth_delay_off_color_usec, config.depth_delay_off_color_ticks)
        yield Explanation(f"{device.serial} depth_delay_off_color_usec", value, why)


def _depth_delay(rig: Rig, plan: Plan, device: PlannedDevice, *, is_pinned: bool) -> str:
    if is_pinned:
        return "Pinned in the rig file: judged, never changed."
    if PULSE_TRAINS[device.config.depth_mode] is None:
        return "Its laser stays dark, so that it needs no slot."
    if plan.topology is Topology.STANDALONE:
        return "Without a common clock no delay keeps lasers apart."
    if rig.plan.goal is Goal.ALIGNED_DEPTH:
        return "goal aligned_depth: everything at once."
    if plan.guard_usec is None and not plan.emitters:
        return "No other laser sees the same space: depth lies on its color."
    center_usec = lasers_of(plan.configs, plan.center_shifts_grains)[device.serial].center_grains / GRAINS_PER_USEC
    return (
        f"Its slot: depth is centred {center_usec:+.1f} us from the master's color. Chosen with all others for the "
        "wanted guard, then the smallest largest skew, then the largest guard."
    )


def _request(usec: int, ticks: int) -> str:
    if usec == 0:
        return "0"
    return f"{usec} us, which the device keeps as {ticks} ticks, {ticks * 100 / 9:.1f} us"


def _guard(rig: Rig, plan: Plan) -> Iterator[Explanation]:
    overlap = rig.plan.overlap
    if overlap is not None:
        why = "plan.overlap says so."
    elif isinstance(plan.overlap, str):
        why = "Not given, nor a pose for every depth camera: all are taken to see the same space."
    else:
        why = (
            "Computed from the nominal poses and each depth mode's field of view and range (Microsoft's specification)."
        )
    shown = plan.overlap if isinstance(plan.overlap, str) else f"{len(plan.overlap)} pairs"
    yield Explanation("overlap", shown, why)
    yield Explanation(
        "wanted guard",
        f"{rig.plan.min_guard_usec} us",
        "plan.min_guard_usec. Microsoft's 160 us from start to start leave 35; healthy rigs show errors of up to 55 us "
        "(SDK issue #1261), and more guard costs next to no skew, so the default is 100.",
    )
    gap = lay_out(plan).gap
    absence = plan.no_guard
    if absence is not None:
        yield Explanation("laser guard", absence.what, f"{absence.why[:1].upper()}{absence.why[1:]}.")
    if gap is None:
        return
    serials = [device.serial for device in plan.devices]
    yield Explanation(
        "laser guard",
        f"{plan.guard_usec:.1f} us",
        f"The smallest gap in an endless row of frames, every pulse against every pulse: from the end of a pulse of "
        f"{serials[gap.first_row]} at {gap.start / GRAINS_PER_USEC:.1f} us to the start of one of "
        f"{serials[gap.second_row]} at {gap.end / GRAINS_PER_USEC:.1f} us.{_capacity(plan)}",
    )


def _emitters(plan: Plan) -> Iterator[Explanation]:
    period = frame_period_grains(plan.device(plan.reference_serial).config.camera_fps)
    for emitter in plan.emitters:
        value = f"{emitter.pulse_usec:g} us every {emitter.period_usec:g} us"
        strobe = strobe_of(emitter, period) if plan.topology is not Topology.STANDALONE else None
        if strobe is None:
            why = "It runs free of the rig's clock, or its period does not fit the frame: no delay keeps clear of it."
        else:
            why = (
                f"Locked, {strobe.flashes} in a frame, one at {strobe.start_grains / GRAINS_PER_USEC:+.1f} us from the "
                "master's color: lasers keep clear of it where that costs them nothing of their own guard."
            )
        yield Explanation(f"emitter {emitter.name}", value, why)


def _capacity(plan: Plan) -> str:
    """How many lasers of one kind fit a pulse step, where all meet all."""
    trains = {PULSE_TRAINS[device.config.depth_mode] for device in plan.devices} - {None}
    train = trains.pop() if len(trains) == 1 else None
    if plan.overlap != "all" or train is None:
        return ""
    return (
        f" The trains repeat every {train.step_usec} us: {train.step_usec // 160} lasers keep Microsoft's 160 us all "
        "round, one more does not."
    )


def _budget(host: HostBudget) -> Iterator[Explanation]:
    for number, mb_per_sec in host.usb_by_controller_mb_per_sec.items():
        parts = [
            f"{d.serial}: depth {d.depth_usb_mb_per_sec:.1f}, color {d.color_usb_mb_per_sec:.1f}"
            for d in host.devices
            if d.usb_controller == number
        ]
        yield Explanation(
            f"{host.host} USB controller {number}",
            f"{mb_per_sec:.0f} MB/s",
            f"{'; '.join(parts)}. Depth: a mode's raw frame in transfers of 1024 bytes (SDK, depthcommands.h), exact; "
            f"MJPG at {MJPG_BYTES_PER_PIXEL} bytes a pixel, an estimate.",
        )
    yield Explanation(
        f"{host.host} usbfs memory",
        f"{host.usbfs_memory_mb} MB",
        f"{USBFS_MB_PER_DEVICE} MB a device on Linux, what users found to be enough (SDK issues #485, #1316).",
    )
    yield Explanation(
        f"{host.host} disk",
        f"{host.disk_mb_per_sec:.0f} MB/s, {host.disk_gb_per_min:.1f} GB a minute",
        f"{host.exact_disk_mb_per_sec:.1f} MB/s for depth and IR, 16 bits a pixel each, exact; the rest is color.",
    )
    if host.preview_fps:
        yield Explanation(
            f"{host.host} network",
            f"{host.network_mbit_per_sec:.0f} Mbit/s",
            f"Previews of {len(host.devices)} devices at {host.preview_fps} fps, 640 x 360; an estimate.",
        )
