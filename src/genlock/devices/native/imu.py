"""Inertial samples, taken as they come, and kept back until it is certain on which clock they are.

The SDK keeps half a second of samples; whoever asks less often loses the oldest. A subordinate's sensors run before
its first pulse, on a clock that the pulse then sets to zero. So nothing is given out before the device's first
capture, and of what came until then only what lies behind the last step backwards.
# unverified on hardware: what a waiting subordinate's sensors say
"""

from __future__ import annotations

import ctypes as c
from collections import deque
from collections.abc import Iterator

from genlock.capture import ImuSample
from genlock.devices.native.abi import SUCCEEDED, k4a_imu_sample_t
from genlock.devices.native.handle import Handle

__all__ = ["ImuReader"]

_KEPT_SAMPLES = 3332
"""Two seconds at 1666 Hz: the first capture comes within a quarter of a second of the first pulse (SDK issue #1240)."""


class ImuReader:
    """The inertial samples of one run of a device. Belongs to one thread."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._kept: deque[ImuSample] = deque(maxlen=_KEPT_SAMPLES)

    def take(self, *, has_capture: bool) -> list[ImuSample]:
        """What has arrived since the last call; nothing before the device's first capture. Never waits."""
        for sample in self._read():
            if self._kept and sample.acc_timestamp_usec < self._kept[-1].acc_timestamp_usec:
                self._kept.clear()
            self._kept.append(sample)
        if not has_capture:
            return []
        taken = list(self._kept)
        self._kept.clear()
        return taken

    def _read(self) -> Iterator[ImuSample]:
        sample = k4a_imu_sample_t()
        read, target = self._handle.library.c.k4a_device_get_imu_sample, c.byref(sample)
        with self._handle.borrowed() as pointer:
            # A failure here is the stream's end, as is an empty queue: the images tell of it.
            while read(pointer, target, 0) == SUCCEEDED:
                acc, gyro = sample.acc_sample, sample.gyro_sample
                yield ImuSample(
                    acc_timestamp_usec=sample.acc_timestamp_usec,
                    acc_m_per_s2=(acc.x, acc.y, acc.z),
                    gyro_timestamp_usec=sample.gyro_timestamp_usec,
                    gyro_rad_per_s=(gyro.x, gyro.y, gyro.z),
                    temperature_c=sample.temperature,
                )
