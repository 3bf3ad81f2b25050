"""A device that is never late: what the way from the rig to a client can carry, without the rig in the way."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from genlock.capture import Capture, Image
from genlock.devices import DeviceInfo
from genlock.errors import DeviceLostError
from genlock.k4a import DeviceConfig, ImageFormat

DEPTH_SHAPE = (288, 320)


class FastDevice:
    """The part of ``SimDevice`` that a visit needs to stream; image n is full of the number n."""

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self._runs = threading.Event()
        self._number = 0

    @property
    def info(self) -> DeviceInfo:
        return DeviceInfo(self.serial, "fast", "1.6.110", "1.6.80")

    def raw_calibration(self) -> bytes:
        return b"{}"

    def arm(self, config: DeviceConfig, *, imu: bool = True) -> None:
        pass

    def start(self) -> None:
        self._runs.set()

    def stop_cameras(self) -> None:
        self._runs.clear()

    def stop_imu(self) -> None:
        pass

    def take_imu(self) -> tuple[()]:
        return ()

    def close(self) -> None:
        pass

    def next_capture(self, timeout_sec: float) -> Capture:
        if not self._runs.is_set():
            raise DeviceLostError(self.serial, "stopped")
        self._number += 1
        pixels = np.full(DEPTH_SHAPE, self._number % 65536, np.uint16)
        images = (
            Image(image_format, DEPTH_SHAPE[1], DEPTH_SHAPE[0], pixels, self._number * 100, self._number)
            for image_format in (ImageFormat.DEPTH16, ImageFormat.IR16)
        )
        return Capture(self.serial, self._number, None, *images)


class FastRig:
    """The part of ``SimBackend`` that a server needs."""

    def __init__(self, clock: Any, serials: list[str]) -> None:
        self.clock = clock
        self._serials = serials

    def on_bus(self) -> tuple[DeviceInfo, ...]:
        return tuple(FastDevice(serial).info for serial in self._serials)

    def open(self, serial: str) -> FastDevice:
        return FastDevice(serial)
