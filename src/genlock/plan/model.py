"""What will happen: the plan as a frozen value, made by ``make_plan`` and kept as ``plan.json`` in a session folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from genlock.findings import Finding, errors_in
from genlock.k4a import DeviceConfig, PowerlineFrequency, SyncJacks, WiredSyncMode
from genlock.plan.budget import HostBudget
from genlock.plan.exposure import center_shifts_grains
from genlock.rig import Overlap, Topology

__all__ = ["Plan", "PlannedDevice", "PlannedEmitter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDevice:
    """What one device is told, and what must be seen in its jacks."""

    serial: str
    host: str | None = None
    """Name of the computer that it is plugged into; ``None``: this one."""
    config: DeviceConfig
    """What its start is given. Its delays are requests: the device keeps their whole ticks."""
    exposure_usec: int | None
    """The exposure that the device will have, its table's value; ``None``: automatic."""
    requested_exposure_usec: int | None
    """The exposure that the rig file asks for; ``None``: automatic."""
    powerline_hz: PowerlineFrequency
    color_controls: Mapping[str, int | Literal["auto"]] = field(default_factory=dict)
    """The other color controls to set, by the SDK's names (``WHITEBALANCE``, ``GAIN`` ...), in the SDK's units. A
    control that is missing here stays as the device has it."""
    imu: bool = True
    jacks: SyncJacks
    """The plugs that the wiring puts into its jacks."""

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """The device as it stands in ``plan.json``: the SDK's names, and the ticks that the requests become."""
        config = self.config
        return {
            "serial": self.serial,
            "host": self.host,
            "wired_sync_mode": config.wired_sync_mode.value,
            "subordinate_delay_off_master_usec": config.subordinate_delay_off_master_usec,
            "subordinate_delay_off_master_ticks": config.subordinate_delay_off_master_ticks,
            "depth_delay_off_color_usec": config.depth_delay_off_color_usec,
            "depth_delay_off_color_ticks": config.depth_delay_off_color_ticks,
            "depth_mode": config.depth_mode.value,
            "color_resolution": config.color_resolution.value,
            "color_format": config.color_format.value,
            "camera_fps": int(config.camera_fps),
            "synchronized_images_only": config.synchronized_images_only,
            "disable_streaming_indicator": config.disable_streaming_indicator,
            "exposure_usec": self.exposure_usec,
            "requested_exposure_usec": self.requested_exposure_usec,
            "powerline_hz": int(self.powerline_hz),
            "color_controls": dict(self.color_controls),
            "imu": self.imu,
            "sync_in_connected": self.jacks.sync_in_connected,
            "sync_out_connected": self.jacks.sync_out_connected,
        }

    @property
    def depth_delay_off_master_color_ticks(self) -> int:
        """Its depth exposure after the master's color exposure as the delays alone give it, as the device keeps them.

        Unequal exposures move it beside that, see ``Plan.center_shifts_grains``. The two delays are rounded apart from
        each other (``color_mcu.c`` sends two numbers of ticks).
        """
        return self.config.subordinate_delay_off_master_ticks + self.config.depth_delay_off_color_ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEmitter:
    """A pulsed light of others, as the rig file gives it."""

    name: str
    period_usec: float
    pulse_usec: float
    phase_usec: float | None
    """Start of a pulse after the centre of the master's color exposure; ``None``: it runs free."""
    seen_by: tuple[str, ...]
    """Serials of the lasers that its light reaches."""

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """The emitter as it stands in ``plan.json``."""
        return {
            "name": self.name,
            "period_usec": self.period_usec,
            "pulse_usec": self.pulse_usec,
            "phase_usec": self.phase_usec,
            "seen_by": list(self.seen_by),
        }


@dataclass(frozen=True, slots=True)
class NoGuard:
    """Why a plan has no guard between lasers."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A rig's configurations, start order, laser guard, and everything that a check had to say."""

    rig_name: str
    topology: Topology
    devices: tuple[PlannedDevice, ...]
    """In the order of the rig file; each serial once."""
    start_order: tuple[str, ...]
    """Serials: subordinates in cable order, the master last."""
    guard_usec: float | None
    """The smallest gap between one laser's pulse and another's among devices that see the same space, as the devices
    will keep it; negative where pulses collide, ``None`` where no two lasers overlap or devices have no common
    clock."""
    overlap: Overlap = "all"
    """Whose depth cameras see the same space, as the rig file says it."""
    emitters: tuple[PlannedEmitter, ...] = ()
    """Pulsed lights of others."""
    budget: tuple[HostBudget, ...] = ()
    """What each computer has to carry."""
    findings: tuple[Finding, ...] = ()
    format_version: int = 1

    def device(self, serial: str) -> PlannedDevice:
        """The planned device with this serial. Raises ``KeyError`` when there is none."""
        for device in self.devices:
            if device.serial == serial:
                return device
        raise KeyError(serial)

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """The plan as ``plan.json`` holds it; ``plan_from_json`` gives it back."""
        return {
            "format_version": self.format_version,
            "rig_name": self.rig_name,
            "topology": self.topology.value,
            "devices": [device.to_json() for device in self.devices],
            "start_order": list(self.start_order),
            "guard_usec": self.guard_usec,
            "overlap": self.overlap if isinstance(self.overlap, str) else [list(pair) for pair in self.overlap],
            "emitters": [emitter.to_json() for emitter in self.emitters],
            "budget": [budget.to_json() for budget in self.budget],
            "findings": [finding.to_json() for finding in self.findings],
        }

    @property
    def configs(self) -> dict[str, DeviceConfig]:
        """The configurations by serial."""
        return {device.serial: device.config for device in self.devices}

    @property
    def center_shifts_grains(self) -> dict[str, int]:
        """How much later than its delay says each device's exposures are centred, in grains, where exposures differ."""
        return center_shifts_grains(self.configs, {device.serial: device.exposure_usec for device in self.devices})

    @property
    def reference_serial(self) -> str:
        """Whom the others are measured against: the master, else the first device.

        Raises:
            ValueError: the plan has no devices.
        """
        if not self.devices:
            raise ValueError("a plan without devices has no reference")
        masters = (d.serial for d in self.devices if d.config.wired_sync_mode is WiredSyncMode.MASTER)
        return next(masters, self.devices[0].serial)

    @property
    def guard_text(self) -> str:
        """The guard in words, or why there is none."""
        absence = self.no_guard
        return f"{self.guard_usec:.1f} us" if absence is None else f"{absence.what}: {absence.why}"

    @property
    def no_guard(self) -> NoGuard | None:
        """Why there is no guard; ``None`` where there is one."""
        if self.guard_usec is not None:
            return None
        if self.topology is Topology.STANDALONE and len(self.devices) > 1:
            return NoGuard("not computed", "standalone devices have no common clock")
        return NoGuard("none needed", "no two lasers see the same space")

    @property
    def has_errors(self) -> bool:
        """Whether a finding says that this cannot work."""
        return bool(errors_in(self.findings))
