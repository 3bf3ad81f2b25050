"""The inertial sensors: gravity as the device's attitude turns it, with bias and noise, 1666 times a second.

They run on the images' clock, from the device's first pulse on. A device at rest feels the floor push it up:
acceleration points away from the ground.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from genlock.capture import ImuSample
from genlock.devices.sim.chance import normals
from genlock.devices.sim.traits import DeviceTraits
from genlock.geometry import Pose
from genlock.k4a.calibration import DeviceCalibration

__all__ = ["IMU_HZ", "InertialSensors"]

IMU_HZ = 1666
_GRAVITY_M_PER_S2 = 9.81
_UP_STAGE = np.array([0.0, 0.0, 1.0])

# Standard deviations of single readings, as the factory calibration of a real device has them.
_ACC_NOISE_M_PER_S2 = 0.0107
_GYRO_NOISE_RAD_PER_S = 0.00095


class InertialSensors:
    """One run of one device's accelerometer and gyroscope.

    Args:
        key: of the noise; no two runs have the same.
        calibration: where the sensors sit in the device.
        T_stage_depth: the device's attitude.
        traits: its remaining bias, its temperature.
    """

    def __init__(self, key: int, calibration: DeviceCalibration, T_stage_depth: Pose, traits: DeviceTraits) -> None:
        self._key = key
        T_accel_depth, T_gyro_depth = calibration.T_accel_depth, calibration.T_gyro_depth
        if T_accel_depth is None or T_gyro_depth is None:
            raise ValueError("the calibration holds no inertial sensors")
        up_depth = T_stage_depth.rotation.T @ _UP_STAGE
        self._acc_mean = T_accel_depth.rotation @ up_depth * _GRAVITY_M_PER_S2 + traits.acc_bias_m_per_s2
        self._gyro_mean = np.array(traits.gyro_bias_rad_per_s)
        self._temperature_c = traits.temperature_c
        self._next = 1  # whoever reads them takes a time of zero for one that was not filled in

    def skip_until(self, device_usec: float) -> None:
        """Nobody will take the samples before this device time."""
        self._next = max(self._next, math.ceil(device_usec * IMU_HZ / 1e6))

    def take_until(self, device_usec: float) -> list[ImuSample]:
        """The samples not yet taken that lie before this device time."""
        stop = max(self._next, int(device_usec * IMU_HZ / 1e6))
        numbers = np.arange(self._next, stop, dtype=np.int64)
        self._next = stop
        if not len(numbers):
            return []
        acc = self._acc_mean + self._noise(numbers, 0) * _ACC_NOISE_M_PER_S2
        gyro = self._gyro_mean + self._noise(numbers, 3) * _GYRO_NOISE_RAD_PER_S
        # Whole ticks of the 90 kHz clock, as for images.
        times_usec = (numbers * 90_000 // IMU_HZ) * 100 // 9
        return [
            ImuSample(usec, (a[0], a[1], a[2]), usec, (g[0], g[1], g[2]), self._temperature_c)
            for usec, a, g in zip(times_usec.tolist(), acc.tolist(), gyro.tolist(), strict=True)
        ]

    def _noise(self, numbers: NDArray[np.int64], first_axis: int) -> NDArray[np.float64]:
        return normals(self._key, 6 * numbers[:, None] + first_axis + np.arange(3))
