"""What is known of a computer, as values: gathered by ``gather``, judged by the rules, printed as JSON.

``None`` means that this could not be found out here; the rules say so aloud. Sizes in MB and GB are 10^6 and 10^9
bytes, as on a disk's box.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = [
    "SUPER_SPEED_MBIT_PER_SEC",
    "CpuFacts",
    "DiskFacts",
    "DisplayFacts",
    "HostFacts",
    "JpegFacts",
    "KinectUsb",
    "PowerFacts",
    "SdkFacts",
    "UsbFacts",
    "UsbfsFacts",
]

SUPER_SPEED_MBIT_PER_SEC = 5000
"""What a USB 3 link says of itself at least; 480 is USB 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbfsFacts:
    """How much memory Linux grants for USB transfers of programs, all devices together."""

    granted_mb: int
    """``usbfs_memory_mb``; 0 is no limit."""
    at_boot_mb: int | None
    """What the boot loader's file, the kernel's command line or modprobe.d set; ``None``: the kernel's default."""
    grub_options: str | None
    """The value of ``GRUB_CMDLINE_LINUX_DEFAULT``; ``None`` where there is no GRUB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KinectUsb:
    """One Azure Kinect as the USB bus shows it: two hubs, and behind them depth, color and microphones."""

    serial: str
    controller: str
    """Which USB host controller carries it: a PCI address, else the name of its root hub."""
    port: str
    """The kernel's name of its place, ``2-1.3``: bus 2, port 1 of the root hub, port 3 of the hub there."""
    hubs: tuple[str, ...]
    """Names of the hubs between the computer and the device, from the computer; the device's own not counted."""
    depth_mbit_per_sec: int | None
    """Speed of the depth camera's link; ``None``: the bus shows no depth camera, only its slower parts."""
    color_mbit_per_sec: int | None
    """The same for the color camera."""
    connected_sec: float | None
    """For how long it has been on the bus."""
    is_accessible: bool | None
    """Whether this user may open its cameras; ``None`` where there is no device node to ask."""
    may_sleep: bool
    """Whether the kernel may suspend it when it is idle."""

    @property
    def is_fast(self) -> bool:
        """Whether its depth camera is there, over USB 3."""
        return (self.depth_mbit_per_sec or 0) >= SUPER_SPEED_MBIT_PER_SEC


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbFacts:
    """The USB bus, as far as Azure Kinects hang on it."""

    kinects: tuple[KinectUsb, ...]
    controllers: tuple[str, ...]
    """Every controller with a USB 3 root hub."""
    slow_only: tuple[str, ...]
    """Ports at which the USB 2 half of an Azure Kinect shows, and no cameras."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFacts:
    """Where the power comes from and how the processor saves it."""

    is_on_battery: bool | None
    governor: str | None
    """``scaling_governor`` of the processors; several are joined by commas."""
    driver: str | None
    """``scaling_driver``: under ``intel_pstate`` the governor ``powersave`` is the usual, dynamic one."""
    preference: str | None
    """``energy_performance_preference``, where the driver has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuFacts:
    """Processor and memory."""

    model: str
    logical_cpus: int
    memory_total_mb: int | None
    memory_available_mb: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegFacts:
    """How long one image takes on one processor of this computer, measured with images of noise and gradients."""

    decode_msec: dict[str, float]
    """By color resolution of the plan: what BGRA32 costs, which the host decodes."""
    encode_preview_msec: float
    """A preview of 640 x 360."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayFacts:
    """What the depth engine draws with."""

    display: str | None
    """``DISPLAY``; ``None`` where it is not set."""
    graphics_nodes: tuple[str, ...]
    """Graphics devices under ``/dev``."""
    opengl_version: str | None
    """``4.6``; ``None`` where nothing tells (``glxinfo`` is not installed or no display answers)."""
    opengl_renderer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkFacts:
    """Microsoft's library and its depth engine."""

    library: str | None
    """Where libk4a is; ``None``: nowhere."""
    depth_engine: str | None
    """Where the closed depth engine is; ``None``: nowhere."""
    looked_for: str
    """What was looked for and where, in a line."""
    is_virtual: bool = False
    """Whether this runs under ``genlock virtual``, whose libk4a shows a virtual rig and computes no depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts:
    """The disk that a take would go to."""

    folder: str
    filesystem: str | None
    free_gb: float
    write_mb_per_sec: float | None
    """Measured by writing and syncing a file there; ``None`` where that was not possible."""
    write_error: str = ""
    """Why it was not possible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """Everything that was found out about this computer."""

    system: str
    """``Linux``, ``Windows`` or ``Darwin``."""
    is_superuser: bool
    usbfs: UsbfsFacts | None
    udev_products: tuple[str, ...] | None
    """Product ids of the Azure Kinect that a udev rule opens to users."""
    usb: UsbFacts | None
    power: PowerFacts
    cpu: CpuFacts
    jpeg: JpegFacts
    display: DisplayFacts
    is_clock_synchronized: bool | None
    sdk: SdkFacts
    disk: DiskFacts

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """The facts by their names."""
        return asdict(self)
