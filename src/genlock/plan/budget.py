"""What a rig asks of its computers: USB payload by controller, usbfs memory, disk, network.

Exact are the depth images: the raw bytes of a mode's frame (SDK, ``depthcommands.h``), sent in transfers that are whole
multiples of 1024 bytes, and recorded as 16-bit depth and IR images. MJPG images vary with the scene; they are an
estimate. Inertial samples are left out: 1666 of 40 bytes a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genlock.k4a import (
    COLOR_GEOMETRY,
    DEPTH_GEOMETRY,
    ColorResolution,
    DepthMode,
    ImageFormat,
    image_bytes,
)
from genlock.rig import CaptureSettings, Host, Rig

__all__ = ["THIS_COMPUTER", "DeviceLoad", "HostBudget", "budget_of", "device_load"]

THIS_COMPUTER = "this computer"
"""The name of the host of devices that name none."""

# A camera's MJPG image at 720P in a public recording (pyk4a's test asset) has 217 095 bytes, 0.236 a pixel.
# unverified on hardware: other scenes and resolutions
MJPG_BYTES_PER_PIXEL = 0.25
# The same compression for a preview of 640 x 360.
PREVIEW_BYTES = round(640 * 360 * MJPG_BYTES_PER_PIXEL)
# The SDK keeps 10 MB of USB transfers for depth on Linux, and as much again is taken for color; users found 32 MB a
# device to be enough (SDK issues #485, #1316).
USBFS_MB_PER_DEVICE = 32
USBFS_DEFAULT_MB = 16

_MB = 1e6


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    """What one device sends and what of it is recorded, in MB (10^6 bytes) per second."""

    serial: str
    usb_controller: int
    """The controller of its host that carries it, from 1."""
    depth_usb_mb_per_sec: float
    """Exact."""
    color_usb_mb_per_sec: float
    """Estimated where it is MJPG."""
    depth_disk_mb_per_sec: float
    """Depth and IR images; exact."""
    color_disk_mb_per_sec: float
    """Estimated where it is MJPG."""

    @property
    def usb_mb_per_sec(self) -> float:
        """All of its payload."""
        return self.depth_usb_mb_per_sec + self.color_usb_mb_per_sec


@dataclass(frozen=True, slots=True)
class HostBudget:
    """What one computer has to carry."""

    host: str
    devices: tuple[DeviceLoad, ...]
    preview_fps: int = 0

    @property
    def usb_by_controller_mb_per_sec(self) -> dict[int, float]:
        """USB payload of each controller in use."""
        load: dict[int, float] = {}
        for device in self.devices:
            load[device.usb_controller] = load.get(device.usb_controller, 0.0) + device.usb_mb_per_sec
        return dict(sorted(load.items()))

    @property
    def usbfs_memory_mb(self) -> int:
        """What Linux should grant for USB transfers."""
        return USBFS_MB_PER_DEVICE * len(self.devices)

    @property
    def exact_disk_mb_per_sec(self) -> float:
        """Depth and IR images alone."""
        return sum(device.depth_disk_mb_per_sec for device in self.devices)

    @property
    def disk_mb_per_sec(self) -> float:
        """All recordings."""
        return self.exact_disk_mb_per_sec + sum(device.color_disk_mb_per_sec for device in self.devices)

    @property
    def disk_gb_per_min(self) -> float:
        """All recordings."""
        return self.disk_mb_per_sec * 60 / 1000

    @property
    def network_mbit_per_sec(self) -> float:
        """Previews; estimated."""
        return len(self.devices) * self.preview_fps * PREVIEW_BYTES * 8 / _MB

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """The budget as it stands in ``plan.json``, with its sums."""
        return {
            "host": self.host,
            "devices": [
                {name: getattr(device, name) for name in DeviceLoad.__dataclass_fields__} for device in self.devices
            ],
            "preview_fps": self.preview_fps,
            "usb_by_controller_mb_per_sec": {str(k): v for k, v in self.usb_by_controller_mb_per_sec.items()},
            "usbfs_memory_mb": self.usbfs_memory_mb,
            "disk_mb_per_sec": self.disk_mb_per_sec,
            "disk_gb_per_min": self.disk_gb_per_min,
            "network_mbit_per_sec": self.network_mbit_per_sec,
        }


def budget_of(rig: Rig) -> tuple[HostBudget, ...]:
    """The load of every computer that has devices, in the order of the devices."""
    serials = dict.fromkeys(device.serial for device in rig.devices)
    names = dict.fromkeys(rig.device(serial).host or THIS_COMPUTER for serial in serials)
    described: dict[str, Host] = {}
    for host in rig.hosts:
        described.setdefault(host.name, host)
    return tuple(
        _host_budget(rig, name, [s for s in serials if (rig.device(s).host or THIS_COMPUTER) == name], described)
        for name in names
    )


def _host_budget(rig: Rig, name: str, serials: list[str], described: dict[str, Host]) -> HostBudget:
    host = described.get(name)
    count = (host.usb_controllers if host else None) or max(len(serials), 1)
    load = dict.fromkeys(range(1, count + 1), 0.0)
    chosen: dict[str, int] = {}
    # Those that name a controller first; then the others, each to the least loaded one.
    for serial in sorted(serials, key=lambda s: rig.device(s).usb_controller is None):
        controller = rig.device(serial).usb_controller or min(load, key=lambda c: (load[c], c))
        chosen[serial] = controller
        load[controller] = load.get(controller, 0.0) + device_load(serial, rig.settings(serial), 1).usb_mb_per_sec
    devices = tuple(device_load(serial, rig.settings(serial), chosen[serial]) for serial in serials)
    return HostBudget(name, devices, host.preview_fps if host else 0)


def device_load(serial: str, settings: CaptureSettings, usb_controller: int) -> DeviceLoad:
    """The load of one device with these settings."""
    fps = int(settings.camera_fps)
    depth_usb_bytes = depth_disk_bytes = 0
    if settings.depth_mode is not DepthMode.OFF:
        depth = DEPTH_GEOMETRY[settings.depth_mode]
        depth_usb_bytes = -(-depth.raw_frame_bytes // 1024) * 1024
        depth_disk_bytes = depth.width_px * depth.height_px * 2 * (2 if depth.has_depth else 1)
    color_usb_bytes = color_disk_bytes = 0.0
    if settings.color_resolution is not ColorResolution.OFF:
        color = COLOR_GEOMETRY[settings.color_resolution]
        mjpg_bytes = color.width_px * color.height_px * MJPG_BYTES_PER_PIXEL
        raw_bytes = image_bytes(settings.color_format, color.width_px, color.height_px)
        # BGRA32 comes over the cable as MJPG: the computer decodes it.
        comes_as_mjpg = raw_bytes is None or settings.color_format is ImageFormat.BGRA32
        color_usb_bytes = mjpg_bytes if comes_as_mjpg else float(raw_bytes or 0)
        color_disk_bytes = mjpg_bytes if raw_bytes is None else float(raw_bytes)
    return DeviceLoad(
        serial,
        usb_controller,
        depth_usb_mb_per_sec=depth_usb_bytes * fps / _MB,
        color_usb_mb_per_sec=color_usb_bytes * fps / _MB,
        depth_disk_mb_per_sec=depth_disk_bytes * fps / _MB,
        color_disk_mb_per_sec=color_disk_bytes * fps / _MB,
    )
