"""Devices that behave otherwise than everybody takes for granted: what the virtual rig's own knobs do not offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from genlock.capture import Capture, Image, ImuSample
from genlock.devices import Backend, ColorControl, ColorControlValue, Device
from genlock.k4a import DeviceConfig, SyncJacks, WiredSyncMode


@dataclass(frozen=True)
class Tampering:
    """How every device of a backend differs from a real one."""

    starts_without_plugs: bool = False
    jacks: SyncJacks | None = None
    """What the jacks always show."""
    waits_not: bool = False
    """A subordinate runs as a standalone device does."""
    calibration_serial: str | None = None
    takes_any_exposure: bool = False
    """Exposures are taken as they are asked, without a table."""
    gain_after_powerline: int | None = None
    imu_slowness: float = 1.0
    arrives_later_nsec: int = 0
    depth_shift_usec: int = 0
    """Of depth stamps, where the exposure is the longer one."""
    drops_jpeg_bytes: bool = False
    dies_after_captures: int | None = None


class TamperedBackend:
    """A backend whose devices are tampered with; everything else is the backend's."""

    def __init__(self, backend: Backend, tampering: Tampering) -> None:
        self._backend = backend
        self._tampering = tampering

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def open(self, serial: str) -> TamperedDevice:
        return TamperedDevice(self._backend.open(serial), self._tampering)


class TamperedDevice:
    def __init__(self, device: Device, tampering: Tampering) -> None:
        self._device = device
        self._tampering = tampering
        self._gain: int | None = None
        self._exposure_usec = 0
        self._captures = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def sync_jacks(self) -> SyncJacks | None:
        return self._tampering.jacks or self._device.sync_jacks()

    def raw_calibration(self) -> bytes:
        content = self._device.raw_calibration()
        own = self._tampering.calibration_serial
        return content if own is None else content.replace(self._device.info.serial.encode(), own.encode())

    def set_color_control(self, control: ColorControl, setting: ColorControlValue) -> None:
        self._device.set_color_control(control, setting)
        if control is ColorControl.POWERLINE_FREQUENCY:
            self._gain = self._tampering.gain_after_powerline if self._gain is None else self._gain + 1
        if control is ColorControl.EXPOSURE_TIME_ABSOLUTE:
            self._exposure_usec = setting.value

    def color_control(self, control: ColorControl) -> ColorControlValue:
        value = self._device.color_control(control)
        if control is ColorControl.GAIN and self._gain is not None:
            return replace(value, value=self._gain)
        if control is ColorControl.EXPOSURE_TIME_ABSOLUTE and self._tampering.takes_any_exposure:
            return replace(value, value=self._exposure_usec)
        return value

    def arm(self, config: DeviceConfig, *, imu: bool = True) -> None:
        is_subordinate = config.wired_sync_mode is WiredSyncMode.SUBORDINATE
        jacks = self._device.sync_jacks()
        lacks_plug = jacks is None or not (jacks.sync_in_connected if is_subordinate else jacks.sync_out_connected)
        if (self._tampering.waits_not and is_subordinate) or (self._tampering.starts_without_plugs and lacks_plug):
            config = replace(config, wired_sync_mode=WiredSyncMode.STANDALONE, subordinate_delay_off_master_usec=0)
        self._device.arm(config, imu=imu)

    def next_capture(self, timeout_sec: float) -> Capture:
        capture = self._device.next_capture(timeout_sec)
        self._captures += 1
        if self._captures == self._tampering.dies_after_captures:
            self._device.close()
        shift_usec = self._tampering.depth_shift_usec if self._exposure_usec > 10_000 else 0
        color = self._with_arrival(capture.color)
        if color is not None and self._tampering.drops_jpeg_bytes:
            color = replace(color, pixels=color.pixels[:1000])
        depth, ir = (self._with_arrival(image, shift_usec) for image in (capture.depth, capture.ir))
        return replace(capture, color=color, depth=depth, ir=ir)

    def take_imu(self) -> Sequence[ImuSample]:
        return [
            replace(sample, acc_timestamp_usec=round(sample.acc_timestamp_usec * self._tampering.imu_slowness))
            for sample in self._device.take_imu()
        ]

    def _with_arrival(self, image: Image | None, shift_usec: int = 0) -> Image | None:
        if image is None:
            return None
        return replace(
            image,
            device_timestamp_usec=image.device_timestamp_usec + shift_usec,
            system_timestamp_nsec=image.system_timestamp_nsec - self._tampering.arrives_later_nsec,
        )
