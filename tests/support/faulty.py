"""Faults planted on top of a backend, device by device: what the virtual rig does not do by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from genlock.capture import Capture, Image, ImuSample
from genlock.clock import Clock
from genlock.devices import Backend, ColorControl, ColorControlValue, Device, DeviceInfo
from genlock.errors import DeviceLostError
from genlock.k4a import DeviceConfig, SyncJacks


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one device; times count from the start of its first run, on the clock."""

    unplugged_sec: tuple[float, float] | None = None
    """From when to when its Sync In reads empty."""
    drift_ppm: float = 0.0
    drift_from_sec: float = 0.0
    """From then on its stamps run away; a start of all devices cures it."""
    lost_at_sec: float | None = None
    """It goes away."""
    hangs_in_stop: bool = False
    is_free_running: bool = False
    """A subordinate that runs as a standalone device: it delivers before its master starts."""


class FaultyBackend:
    """A backend whose devices have faults, by serial."""

    def __init__(self, backend: Backend, faults: Mapping[str, Fault]) -> None:
        self._backend = backend
        self._faults = faults
        self.first_start_nsec: dict[str, int] = {}
        self.starts: list[str] = []

    @property
    def name(self) -> str:
        return self._backend.name

    @property
    def clock(self) -> Clock:
        return self._backend.clock

    @property
    def provenance(self) -> Mapping[str, str]:
        return self._backend.provenance

    def devices(self) -> Sequence[DeviceInfo]:
        return self._backend.devices()

    def open(self, serial: str) -> Device:
        return FaultyDevice(self._backend.open(serial), self, self._faults.get(serial, Fault()))

    def close(self) -> None:
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class FaultyDevice:
    def __init__(self, device: Device, backend: FaultyBackend, fault: Fault) -> None:
        self._device = device
        self._backend = backend
        self._fault = fault
        self._runs_away_nsec: int | None = None

    @property
    def info(self) -> DeviceInfo:
        return self._device.info

    def sync_jacks(self) -> SyncJacks:
        jacks = self._device.sync_jacks()
        pulled = self._fault.unplugged_sec
        if pulled and pulled[0] <= self._elapsed_sec < pulled[1]:
            return replace(jacks, sync_in_connected=False)
        return jacks

    def raw_calibration(self) -> bytes:
        return self._device.raw_calibration()

    def set_color_control(self, control: ColorControl, setting: ColorControlValue) -> None:
        self._device.set_color_control(control, setting)

    def color_control(self, control: ColorControl) -> ColorControlValue:
        return self._device.color_control(control)

    def arm(self, config: DeviceConfig, *, imu: bool = True) -> None:
        if self._fault.is_free_running:
            config = DeviceConfig(
                color_format=config.color_format,
                color_resolution=config.color_resolution,
                depth_mode=config.depth_mode,
                camera_fps=config.camera_fps,
            )
        self._device.arm(config, imu=imu)

    def start(self) -> None:
        serial = self.info.serial
        self._device.start()
        self._backend.starts.append(serial)
        if serial not in self._backend.first_start_nsec:
            now_nsec = self._backend.clock.now_nsec()
            self._backend.first_start_nsec[serial] = now_nsec
            if self._fault.drift_ppm:
                self._runs_away_nsec = now_nsec + round(self._fault.drift_from_sec * 1e9)

    def next_capture(self, timeout_sec: float) -> Capture:
        lost_at_sec = self._fault.lost_at_sec
        if lost_at_sec is not None and self._elapsed_sec > lost_at_sec:
            raise DeviceLostError(self.info.serial, "unplugged")
        capture = self._device.next_capture(timeout_sec)
        if self._runs_away_nsec is None:
            return capture
        free_sec = max(0.0, (self._backend.clock.now_nsec() - self._runs_away_nsec) / 1e9)
        shift_usec = round(free_sec * self._fault.drift_ppm)
        return _shifted(capture, shift_usec)

    def take_imu(self) -> Sequence[ImuSample]:
        return self._device.take_imu()

    def stop(self) -> None:
        if self._fault.hangs_in_stop:
            self._backend.clock.sleep(3600)
        self._device.stop()

    def close(self) -> None:
        self._device.close()

    @property
    def _elapsed_sec(self) -> float:
        since_nsec = self._backend.first_start_nsec.get(self.info.serial)
        return -1.0 if since_nsec is None else (self._backend.clock.now_nsec() - since_nsec) / 1e9


def _shifted(capture: Capture, shift_usec: int) -> Capture:
    def moved(image: Image | None) -> Image | None:
        return image and replace(image, device_timestamp_usec=image.device_timestamp_usec + shift_usec)

    return replace(capture, color=moved(capture.color), depth=moved(capture.depth), ir=moved(capture.ir))
