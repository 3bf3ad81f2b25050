"""What a camera is to the rest of the house: the ``Device`` and ``Backend`` protocols.

One device lives this life, and its verbs are named for the state that they leave::

    backend.open(serial)    -> OPEN
    arm(config)             -> ARMED
    start()                 -> RUNNING
    stop()                  -> ARMED
    close()                 -> CLOSED

``start`` returns once the device is armed for its clock: on a subordinate that means "waiting for the pulse", on a
master "go". ``next_capture`` blocks; threads are the session's affair. Color controls are set while OPEN or ARMED.
Everything that fails raises a ``DeviceError`` with the serial and a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from genlock.capture import Capture, ImuSample
from genlock.clock import Clock
from genlock.findings import Finding
from genlock.k4a import DeviceConfig, SyncJacks

__all__ = ["Backend", "ColorControl", "ColorControlRange", "ColorControlValue", "Device", "DeviceInfo"]


class ColorControl(StrEnum):
    """``k4a_color_control_command_t``, by the SDK's names."""

    EXPOSURE_TIME_ABSOLUTE = "EXPOSURE_TIME_ABSOLUTE"
    BRIGHTNESS = "BRIGHTNESS"
    CONTRAST = "CONTRAST"
    SATURATION = "SATURATION"
    SHARPNESS = "SHARPNESS"
    WHITEBALANCE = "WHITEBALANCE"
    BACKLIGHT_COMPENSATION = "BACKLIGHT_COMPENSATION"
    GAIN = "GAIN"
    POWERLINE_FREQUENCY = "POWERLINE_FREQUENCY"


@dataclass(frozen=True, slots=True)
class ColorControlValue:
    """A control's state: manual with a value, or automatic (then the value is what the device has now)."""

    is_manual: bool
    value: int
    """In the SDK's unit: us for exposure, K for white balance, 1 or 2 for the powerline."""


@dataclass(frozen=True, slots=True)
class ColorControlRange:
    """What a device says of a control: ``k4a_device_get_color_control_capabilities``."""

    has_auto: bool
    min_value: int
    max_value: int
    step: int
    default: ColorControlValue


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Who a device is."""

    serial: str
    backend: str
    """The backend's registered name: ``sim``, ``native``, ``playback``."""
    color_firmware: str
    """``major.minor.iteration``."""
    depth_firmware: str
    findings: tuple[Finding, ...] = ()
    """What to know of it before it is trusted: that it cannot be opened, that it is another maker's."""


class Device(Protocol):
    """One opened Azure Kinect, real, recorded or simulated."""

    @property
    def info(self) -> DeviceInfo:
        """Serial and firmware."""
        ...

    def sync_jacks(self) -> SyncJacks | None:
        """Which sync jacks have a plug; may be asked at any time, also while running. ``None``: it cannot tell."""
        ...

    def raw_calibration(self) -> bytes:
        """The factory calibration as the device stores it: JSON, without the trailing NUL."""
        ...

    def set_color_control(self, control: ColorControl, setting: ColorControlValue) -> None:
        """Sets a control; the device may round the value."""
        ...

    def color_control(self, control: ColorControl) -> ColorControlValue:
        """Reads a control back."""
        ...

    def arm(self, config: DeviceConfig, *, imu: bool = True) -> None:
        """Takes the configuration that ``start`` will use; with ``imu`` the inertial sensors run beside the cameras."""
        ...

    def start(self) -> None:
        """Starts the cameras, then the IMU. Raises ``DeviceStartError`` where the SDK would refuse."""
        ...

    def next_capture(self, timeout_sec: float) -> Capture:
        """The oldest capture not yet taken; waits for it. Raises ``CaptureTimeoutError`` or ``DeviceLostError``.

        Its ``index`` counts the captures *delivered*: what is lost before delivery shows in the stamps alone.
        """
        ...

    def take_imu(self) -> Sequence[ImuSample]:
        """All inertial samples that have arrived since the last call; never waits."""
        ...

    def stop(self) -> None:
        """Stops IMU and cameras; a ``next_capture`` that waits in another thread ends. Safe twice."""
        ...

    def close(self) -> None:
        """Stops and lets go of the device. Safe twice."""
        ...


class Backend(Protocol):
    """A way to reach devices; a context manager that closes what it opened."""

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock on which this backend's devices live."""
        ...

    @property
    def provenance(self) -> Mapping[str, str]:
        """Recording tags that say where the images come from; the virtual rig's says ``GENLOCK_BACKEND=sim``."""
        ...

    def devices(self) -> Sequence[DeviceInfo]:
        """Those that are not open here; one that cannot be opened now has a finding that says so."""
        ...

    def open(self, serial: str) -> Device:
        """Opens one device. Raises ``DeviceOpenError``."""
        ...

    def close(self) -> None:
        """Closes every device. Safe twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
