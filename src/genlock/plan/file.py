"""``plan.json`` read back: the plan that a session was run with, exactly as ``Plan.to_json`` wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from genlock.errors import PlanFileError
from genlock.findings import Finding, Severity
from genlock.k4a import (
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    ImageFormat,
    PowerlineFrequency,
    SyncJacks,
    WiredSyncMode,
)
from genlock.plan.budget import DeviceLoad, HostBudget
from genlock.plan.model import Plan, PlannedDevice, PlannedEmitter
from genlock.rig import Topology

__all__ = ["load_plan", "plan_from_json"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _DeviceTable(_Table):
    serial: str
    host: str | None
    wired_sync_mode: WiredSyncMode
    subordinate_delay_off_master_usec: int
    subordinate_delay_off_master_ticks: int
    depth_delay_off_color_usec: int
    depth_delay_off_color_ticks: int
    depth_mode: DepthMode
    color_resolution: ColorResolution
    color_format: ImageFormat
    camera_fps: CameraFps
    synchronized_images_only: bool
    disable_streaming_indicator: bool
    exposure_usec: int | None
    requested_exposure_usec: int | None
    powerline_hz: PowerlineFrequency
    color_controls: dict[str, int | Literal["auto"]]
    imu: bool
    sync_in_connected: bool
    sync_out_connected: bool

    def planned(self) -> PlannedDevice:
        """The device; its ticks follow from the requests."""
        config_keys = DeviceConfig.__dataclass_fields__
        return PlannedDevice(
            serial=self.serial,
            host=self.host,
            config=DeviceConfig(**{key: getattr(self, key) for key in config_keys}),
            exposure_usec=self.exposure_usec,
            requested_exposure_usec=self.requested_exposure_usec,
            powerline_hz=self.powerline_hz,
            color_controls=self.color_controls,
            imu=self.imu,
            jacks=SyncJacks(self.sync_in_connected, self.sync_out_connected),
        )


class _FindingTable(_Table):
    code: str
    severity: Severity
    where: str
    message: str
    remedy: str


class _BudgetTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # its sums follow from the devices

    host: str
    devices: tuple[DeviceLoad, ...]
    preview_fps: int


class _PlanTable(_Table):
    format_version: Literal[1]
    rig_name: str
    topology: Topology
    devices: tuple[_DeviceTable, ...]
    start_order: tuple[str, ...]
    guard_usec: float | None
    overlap: Literal["all", "none"] | tuple[tuple[str, str], ...]
    emitters: tuple[PlannedEmitter, ...] = ()
    budget: tuple[_BudgetTable, ...] = ()
    findings: tuple[_FindingTable, ...]


def load_plan(path: Path) -> Plan:
    """The plan that a file holds.

    Raises:
        PlanFileError: there is no such file, it is no plan, or a newer genlock wrote it.
    """
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise PlanFileError(path, f"cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, thousands of nested brackets
        raise PlanFileError(path, f"is not JSON: {error}") from error
    return plan_from_json(value, path)


def plan_from_json(value: Any, path: Path | str = "plan.json") -> Plan:  # any JSON value
    """The plan that ``Plan.to_json`` gave; ``path`` is what an error calls it. Raises ``PlanFileError``."""
    version = value.get("format_version") if isinstance(value, dict) else None
    if isinstance(version, int) and version > 1:
        raise PlanFileError(path, f"has format_version {version}, made by a newer genlock; this one reads 1")
    try:
        table = _PlanTable.model_validate(value)
    except ValidationError as error:
        mistakes = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors(include_url=False)]
        raise PlanFileError(path, "is not a plan:\n" + "\n".join(f"  {m}" for m in mistakes)) from error
    return Plan(
        rig_name=table.rig_name,
        topology=table.topology,
        devices=tuple(device.planned() for device in table.devices),
        start_order=table.start_order,
        guard_usec=table.guard_usec,
        overlap=table.overlap,
        emitters=table.emitters,
        budget=tuple(HostBudget(host.host, host.devices, host.preview_fps) for host in table.budget),
        findings=tuple(Finding(**dict(finding)) for finding in table.findings),
    )
