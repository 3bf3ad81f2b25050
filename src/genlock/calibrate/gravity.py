"""Which way is up, by the accelerometers of devices that stand still.

At rest the floor pushes a device up: its accelerometer reads 9.81 m/s^2 upwards. (On the one real recording at hand the
reading, turned into the depth camera's frame by the factory calibration, points along -y: up in the image.) Each device
speaks for itself; poses carry all of them into one frame, where they must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.findings import Finding, Severity
from genlock.geometry import Pose

__all__ = ["Gravity", "RestingImu", "find_up"]

Array = NDArray[np.float64]

_G_M_PER_S2 = 9.81
_MAX_G_ERROR_M_PER_S2 = 0.5
_MAX_NOISE_M_PER_S2 = 0.3
"""A device at rest reads 9.81 within its bias and a noise of 0.01 (the factory calibration's); shaken ones do not."""
_MAX_DISAGREEMENT_DEG = 2.0
"""A bias of 0.2 m/s^2 tilts an accelerometer's idea of up by 1.2 degrees."""


@dataclass(frozen=True, slots=True, eq=False)
class RestingImu:
    """What one device's accelerometer read, in its depth camera's frame."""

    mean_m_per_s2: Array
    """(3,)."""
    noise_m_per_s2: float
    """Standard deviation, the three axes together."""
    samples: int

    @classmethod
    def of(cls, readings_accel: Array, T_accel_depth: Pose) -> RestingImu:
        """From (N, 3) readings in the sensor's own frame, m/s^2."""
        mean = T_accel_depth.rotation.T @ readings_accel.mean(axis=0)
        return cls(mean, float(np.sqrt(readings_accel.var(axis=0).sum())), len(readings_accel))

    @property
    def is_at_rest(self) -> bool:
        """Whether it felt gravity and nothing else."""
        error = abs(float(np.linalg.norm(self.mean_m_per_s2)) - _G_M_PER_S2)
        return error < _MAX_G_ERROR_M_PER_S2 and self.noise_m_per_s2 < _MAX_NOISE_M_PER_S2


@dataclass(frozen=True, slots=True, eq=False)
class Gravity:
    """Which way is up."""

    up_ref: Array
    """(3,), unit."""
    disagreement_deg: Mapping[str, float]
    """By device: how far its own idea of up lies from that of all."""
    findings: tuple[Finding, ...]


def find_up(imus: Mapping[str, RestingImu], T_ref_device: Mapping[str, Pose]) -> Gravity:
    """Up, as the devices at rest have it: the mean of their directions.

    Raises:
        ValueError: no device at rest has inertial samples.
    """
    ups = {
        serial: T_ref_device[serial].rotation @ imu.mean_m_per_s2 / np.linalg.norm(imu.mean_m_per_s2)
        for serial, imu in imus.items()
        if serial in T_ref_device and imu.is_at_rest
    }
    if not ups:
        raise ValueError(
            "gravity needs the inertial samples of a device at rest, and there are none: record with the IMU on, "
            "and do not touch the devices while filming"
        )
    # The median of each coordinate does not follow one device with a large bias; then it is a direction again.
    up_ref = np.median(list(ups.values()), axis=0)
    up_ref = up_ref / np.linalg.norm(up_ref)
    off_deg = {
        serial: float(np.degrees(np.arctan2(np.linalg.norm(np.cross(up, up_ref)), up @ up_ref)))
        for serial, up in ups.items()
    }
    return Gravity(up_ref, off_deg, (*_shaken(imus), *_disagreeing(off_deg)))


def _shaken(imus: Mapping[str, RestingImu]) -> list[Finding]:
    return [
        Finding(
            "calibrate.device_not_at_rest",
            Severity.WARNING,
            f"device {serial}",
            f"its accelerometer read {np.linalg.norm(imu.mean_m_per_s2):.2f} m/s2 with a noise of "
            f"{imu.noise_m_per_s2:.2f}; at rest it reads 9.81 with 0.02. It has no say in which way is up",
            "fasten it, and calibrate again if it was moved while filming",
        )
        for serial, imu in imus.items()
        if not imu.is_at_rest
    ]


def _disagreeing(off_deg: Mapping[str, float]) -> list[Finding]:
    return [
        Finding(
            "calibrate.gravity_disagrees",
            Severity.WARNING,
            f"device {serial}",
            f"its accelerometer says up lies {angle_deg:.1f} deg beside where the other devices say it does",
            "its sensor is biased, or its pose is wrong: look at its row in the report",
        )
        for serial, angle_deg in off_deg.items()
        if angle_deg > _MAX_DISAGREEMENT_DEG
    ]
