"""The currency of the house: what a device delivers, and what several devices' deliveries become together.

Device times are microseconds of the device's own 90 kHz clock (centre of exposure); host times are nanoseconds of the
host's monotonic clock. The two never meet here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from genlock.k4a import DeviceConfig, ImageFormat

__all__ = ["SETTLING_SETS", "Capture", "CaptureSet", "CaptureSource", "Image", "ImuSample", "Sink", "Stamp"]


SETTLING_SETS = 10
"""The first so many moments of an epoch are marked and not judged, as in Microsoft's multi-device test: timing settles
in the first captures (SDK issue #396)."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A capture's times and counters, without its pixels: all that matching needs."""

    serial: str
    index: int
    """Counts the captures that the device delivered in this epoch, from 0."""
    color_usec: int | None
    """Device time of the color image; ``None`` when the capture has none."""
    depth_usec: int | None
    """Device time of the depth and IR images, which share it; ``None`` when the capture has neither."""
    arrival_nsec: int | None
    """Host time at which the capture arrived; ``None`` where nobody wrote it down."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image of one camera."""

    image_format: ImageFormat
    width_px: int
    height_px: int
    pixels: NDArray[Any]
    """DEPTH16 and IR16: (H, W) uint16, depth in mm with 0 = no reading. MJPG: (N,) uint8, the JPEG's bytes. BGRA32:
    (H, W, 4) uint8. NV12: (H * 3 / 2, W) uint8. YUY2: (H, W * 2) uint8. Any: the dtype depends on the format."""
    device_timestamp_usec: int
    """Centre of exposure on the device clock."""
    system_timestamp_nsec: int
    """Arrival of the last byte on the host clock; 0 where unknown."""
    exposure_usec: int = 0
    """0 where unknown; so are the two below."""
    white_balance_k: int = 0
    iso_speed: int = 0


@dataclass(frozen=True, slots=True)
class Capture:
    """The images of one device at one moment; any of them may be missing."""

    serial: str
    index: int
    """Counts the captures that the device delivered in this epoch, from 0."""
    color: Image | None
    depth: Image | None
    ir: Image | None
    temperature_c: float = float("nan")

    @property
    def images(self) -> tuple[Image, ...]:
        """Those that are there, in the order color, depth, IR."""
        return tuple(image for image in (self.color, self.depth, self.ir) if image is not None)

    @property
    def stamp(self) -> Stamp:
        """The capture's times."""
        depth = self.ir or self.depth
        arrivals_nsec = [image.system_timestamp_nsec for image in self.images if image.system_timestamp_nsec]
        return Stamp(
            serial=self.serial,
            index=self.index,
            color_usec=self.color.device_timestamp_usec if self.color else None,
            depth_usec=depth.device_timestamp_usec if depth else None,
            arrival_nsec=max(arrivals_nsec, default=None),
        )


@dataclass(frozen=True, slots=True)
class ImuSample:
    """One reading of the inertial sensors, on the images' clock."""

    acc_timestamp_usec: int
    acc_m_per_s2: tuple[float, float, float]
    gyro_timestamp_usec: int
    gyro_rad_per_s: tuple[float, float, float]
    temperature_c: float = float("nan")


@dataclass(frozen=True, slots=True)
class CaptureSet:
    """Captures of many devices that belong to one moment."""

    index: int
    """Counts the reference device's captures, from 0."""
    reference_usec: int
    """The moment: the reference device's capture, normalised to the master's color."""
    stamps: Mapping[str, Stamp]
    """By serial; a device that has nothing here is missing from it."""
    missing: tuple[str, ...]
    """Serials of the devices that have no capture of this moment."""
    captures: Mapping[str, Capture]
    """The images by serial; empty where only stamps were matched."""

    @property
    def is_settling(self) -> bool:
        """Whether it is one of the first, whose timing has not settled yet."""
        return self.index < SETTLING_SETS

    @property
    def is_complete(self) -> bool:
        """Whether every device has a capture here."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class CaptureSource:
    """What a sink must know of a device before its first capture."""

    serial: str
    config: DeviceConfig
    imu: bool
    """Whether inertial samples will come too."""
    calibration: bytes
    """The factory calibration, JSON as the device stores it."""
    color_firmware: str
    """``major.minor.iteration``."""
    depth_firmware: str


class Sink(Protocol):
    """Something that receives what a session captures: a recorder, a preview, a counter.

    ``open`` is called once, before any device starts. ``on_capture`` and ``on_imu`` of one device are called from one
    thread, those of different devices from different threads; ``on_capture_set`` from one thread in order. ``close`` is
    called once all of these have returned.
    """

    def open(self, sources: Sequence[CaptureSource]) -> None:
        """These devices are armed and will be started next. What raises here keeps the session from starting."""
        ...

    def on_capture(self, capture: Capture) -> None:
        """One capture of one device, in the order of delivery."""
        ...

    def on_imu(self, serial: str, samples: Sequence[ImuSample]) -> None:
        """Inertial samples of one device, in order."""
        ...

    def on_capture_set(self, capture_set: CaptureSet) -> None:
        """One set, complete or not, in order of time."""
        ...

    def close(self) -> None:
        """Nothing more will come. Safe twice."""
        ...
