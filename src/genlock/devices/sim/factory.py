"""The factory calibration of a simulated device: the JSON that a real one would send, drawn from seed and serial.

Numbers lie around those of retail units: lenses of the rational model, a color camera 32 mm beside the depth camera
and tilted by 4.9 to 6 degrees, inertial sensors behind. ``Metadata.Notes`` says that it was simulated.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.devices.sim.chance import stream_key, uniform

__all__ = ["factory_calibration"]

JsonObject = dict[str, Any]  # Any: JSON


def factory_calibration(serial: str, seed: int) -> bytes:
    """The raw calibration of one device, without a trailing NUL."""
    draw = _Draw(stream_key(seed, serial, "factory"))
    content = {
        "Cameras": [_depth_camera(draw), _color_camera(draw)],
        "InertialSensors": [_inertial_sensor("Gyro", draw), _inertial_sensor("Accelerometer", draw)],
        "Metadata": {
            "SerialId": serial,
            "FactoryCalDate": "1/1/2020 12:00:00 AM GMT",
            "Version": {"Major": 1, "Minor": 2},
            "DeviceName": "AzureKinect-PV",
            "Notes": f"simulated by genlock, seed {seed}: this device does not exist",
        },
    }
    return json.dumps({"CalibrationInformation": content}, indent=1).encode()


class _Draw:
    """Numbers around a nominal value, one after the other."""

    def __init__(self, key: int) -> None:
        self._key = key
        self._count = 0

    def around(self, nominal: float, spread: float) -> float:
        self._count += 1
        return uniform(self._key, self._count, nominal - spread, nominal + spread)


def _depth_camera(draw: _Draw) -> JsonObject:
    # Numerator and denominator of the radial factor move together, as they do from unit to unit: apart they would give
    # lenses that nobody makes.
    shared = [draw.around(0.0, spread) for spread in (0.04, 0.006, 0.001)]
    k1, k2, k3 = (n + s + draw.around(0.0, 0.0004) for n, s in zip((0.548, -0.021, -0.0026), shared, strict=True))
    k4, k5, k6 = (n + s for n, s in zip((0.889, 0.086, -0.0139), shared, strict=True))
    return _camera(
        "D0",
        "Depth",
        [
            draw.around(0.510, 0.008), draw.around(0.512, 0.008),
            draw.around(0.4925, 0.002), draw.around(0.4925, 0.002),
            k1, k2, k3, k4, k5, k6, 0.0, 0.0, draw.around(0.0, 1e-4), draw.around(0.0, 1e-4),
        ],
        size_px=(1024, 1024),
        metric_radius=1.74,
        rotation=np.eye(3),
        translation_m=[0.0, 0.0, 0.0],
    )  # fmt: skip


def _color_camera(draw: _Draw) -> JsonObject:
    shared = [draw.around(0.0, spread) for spread in (0.05, 0.06, 0.03)]
    k1, k2, k3 = (n + s + draw.around(0.0, 0.003) for n, s in zip((0.33, -2.4, 1.42), shared, strict=True))
    k4, k5, k6 = (n + s for n, s in zip((0.21, -2.22, 1.345), shared, strict=True))
    tilt_rad = np.deg2rad(draw.around(5.45, 0.55))
    return _camera(
        "PV0",
        "PhotoVideo",
        [
            draw.around(0.500, 0.004), draw.around(0.504, 0.006),
            draw.around(0.478, 0.003), draw.around(0.6373, 0.004),
            k1, k2, k3, k4, k5, k6, 0.0, 0.0, draw.around(0.0, 3e-4), draw.around(0.0, 3e-4),
        ],
        size_px=(4096, 3072),
        metric_radius=0.0,  # as retail units have it: the SDK then takes 1.7
        rotation=_rotation([-tilt_rad, draw.around(0.0, 0.002), draw.around(0.0, 0.002)]),
        translation_m=[draw.around(-0.03225, 0.00025), draw.around(-0.00195, 0.00025), draw.around(0.00415, 0.00025)],
    )  # fmt: skip


def _camera(
    location: str,
    purpose: str,
    parameters: list[float],
    *,
    size_px: tuple[int, int],
    metric_radius: float,
    rotation: NDArray[np.float64],
    translation_m: list[float],
) -> JsonObject:
    return {
        "Intrinsics": {
            "ModelParameterCount": len(parameters),
            "ModelParameters": parameters,
            "ModelType": "CALIBRATION_LensDistortionModelBrownConrady",
        },
        "Location": f"CALIBRATION_CameraLocation{location}",
        "Purpose": f"CALIBRATION_CameraPurpose{purpose}",
        "MetricRadius": metric_radius,
        "Rt": {"Rotation": rotation.ravel().tolist(), "Translation": translation_m},
        "SensorHeight": size_px[1],
        "SensorWidth": size_px[0],
        "Shutter": "CALIBRATION_ShutterTypeUndefined",
        "ThermalAdjustmentParams": {"Params": [0.0] * 12},
    }


def _inertial_sensor(kind: str, draw: _Draw) -> JsonObject:
    is_gyro = kind == "Gyro"
    noise = 0.00095 if is_gyro else 0.0107
    # The sensor's axes: x up in the image, y to its left, z backwards.
    upright = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    # It leans by six degrees, like the color camera.
    lean = _rotation([draw.around(-0.11, 0.005), draw.around(0.0, 0.003), draw.around(0.0, 0.003)])
    bias = [draw.around(0.0, 0.005 if is_gyro else 0.2) for _ in range(3)]
    mixing = np.eye(3).ravel()
    return {
        "BiasTemperatureModel": [value for axis in bias for value in (axis, 0.0, 0.0, 0.0)],
        "BiasUncertainty": [1e-4 if is_gyro else 0.01] * 3,
        "Id": "CALIBRATION_InertialSensorId_LSM6DSM",
        "MixingMatrixTemperatureModel": [value for entry in mixing for value in (float(entry), 0.0, 0.0, 0.0)],
        "ModelTypeMask": 16 if is_gyro else 56,
        "Noise": [noise] * 3 + [0.0] * 3,
        "Rt": {
            "Rotation": (upright @ lean).ravel().tolist(),
            "Translation": [0.0] * 3 if is_gyro else [draw.around(-0.051, 3e-4), draw.around(0.0035, 3e-4), 0.0013],
        },
        "SecondOrderScaling": [0.0] * 9,
        "SensorType": f"CALIBRATION_InertialSensorType_{kind}",
        "TemperatureBounds": [5.0, 60.0],
        "TemperatureC": 0.0,
    }


def _rotation(vector_rad: list[float]) -> NDArray[np.float64]:
    """The rotation about this vector by its length (Rodrigues)."""
    angle_rad = float(np.linalg.norm(vector_rad))
    x, y, z = np.asarray(vector_rad) / angle_rad
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross)
