"""The factory calibration that every Azure Kinect carries, as cameras and poses. Millimetres end here.

The device stores JSON: for each camera fourteen intrinsic parameters and a pose relative to the depth camera, for each
inertial sensor a pose. The JSON's intrinsics are *unitised*: centre and focal length are parts of the image's width and
height, measured from the corner of the first pixel. What a mode's images need follows from its binning and its crop::

    cx_px = cx * binned_width - crop_x - 0.5      fx_px = fx * binned_width       (the same for y)

Sources: Azure Kinect Sensor SDK 1.4, ``calibration.c``, ``mode_specific_calibration.c``; parameter order
``k4a_calibration_intrinsic_parameters_t``. Checked against numbers of the real library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from genlock.geometry import CameraModel, DeviceLenses, LensModel, Pose
from genlock.k4a.images import COLOR_GEOMETRY, DEPTH_GEOMETRY, ColorGeometry, DepthGeometry
from genlock.k4a.modes import ColorResolution, DepthMode

__all__ = ["DeviceCalibration", "UnitisedCamera"]

_Mode = TypeVar("_Mode", ColorResolution, DepthMode)

_LENS_MODELS = {
    "CALIBRATION_LensDistortionModelBrownConrady": LensModel.BROWN_CONRADY,
    "CALIBRATION_LensDistortionModelRational6KT": LensModel.RATIONAL_6KT,
}

# Where the JSON leaves the radius out (color cameras have 0), the SDK takes 1.7.
_DEFAULT_METRIC_RADIUS = 1.7
_SMALLEST_METRIC_RADIUS = 0.0001

# Binned sensor size and the corner of the crop, in binned pixels.
_DEPTH_CROPS: dict[DepthMode, tuple[int, int, int]] = {
    DepthMode.NFOV_2X2BINNED: (512, 96, 90),
    DepthMode.NFOV_UNBINNED: (1024, 192, 180),
    DepthMode.WFOV_2X2BINNED: (512, 0, 0),
    DepthMode.WFOV_UNBINNED: (1024, 0, 0),
    DepthMode.PASSIVE_IR: (1024, 0, 0),
}


@dataclass(frozen=True, slots=True)
class UnitisedCamera:
    """One camera as the JSON has it: parts of the sensor's width and height, before any mode is chosen."""

    cx_ratio: float
    cy_ratio: float
    fx_ratio: float
    fy_ratio: float
    lens: CameraModel
    """Carries distortion, radius and formula; a mode's own size and pixels replace what it says of these."""

    def in_mode(
        self, binned_width_px: int, binned_height_px: int, crop_px: tuple[int, int], size_px: tuple[int, int]
    ) -> CameraModel:
        """The model for images cut out of the binned sensor; pixel centres at integers."""
        return replace(
            self.lens,
            width_px=size_px[0],
            height_px=size_px[1],
            cx_px=self.cx_ratio * binned_width_px - crop_px[0] - 0.5,
            cy_px=self.cy_ratio * binned_height_px - crop_px[1] - 0.5,
            fx_px=self.fx_ratio * binned_width_px,
            fy_px=self.fy_ratio * binned_height_px,
        )

    @classmethod
    def from_mode(
        cls, camera: CameraModel, binned_width_px: int, binned_height_px: int, crop_px: tuple[int, int]
    ) -> UnitisedCamera:
        """The inverse of ``in_mode``."""
        return cls(
            cx_ratio=(camera.cx_px + crop_px[0] + 0.5) / binned_width_px,
            cy_ratio=(camera.cy_px + crop_px[1] + 0.5) / binned_height_px,
            fx_ratio=camera.fx_px / binned_width_px,
            fy_ratio=camera.fy_px / binned_height_px,
            lens=replace(camera, cx_px=0, cy_px=0, fx_px=1, fy_px=1),
        )


@dataclass(frozen=True, slots=True)
class DeviceCalibration:
    """One device's factory calibration. The device's frame is its depth camera's."""

    serial: str
    """``Metadata.SerialId``; empty where the JSON has none. It equals the device's serial as far as is known."""
    depth: UnitisedCamera
    color: UnitisedCamera
    T_color_depth: Pose
    """Metres, like the two below."""
    T_gyro_depth: Pose | None
    T_accel_depth: Pose | None

    @classmethod
    def from_json(cls, raw: bytes | str) -> DeviceCalibration:
        """Reads the device's raw calibration; a trailing NUL, which the device sends along, may be there.

        Raises:
            ValueError: no JSON, a part is missing, or a lens model that the SDK refuses too.
        """
        text = raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else raw
        try:
            root = json.loads(text.rstrip("\0"))
            content = root["CalibrationInformation"]
            cameras = {camera["Location"].removeprefix("CALIBRATION_CameraLocation"): camera
                       for camera in content["Cameras"]}  # fmt: skip
            depth, color = cameras["D0"], cameras["PV0"]
            T_depth_ref, T_color_ref = _pose("depth", depth["Rt"]), _pose("color", color["Rt"])
            T_ref_depth = T_depth_ref.inverse()
            return cls(
                serial=str(content.get("Metadata", {}).get("SerialId", "")),
                depth=_depth_camera(depth),
                color=_color_camera(color),
                T_color_depth=T_color_ref @ T_ref_depth,
                T_gyro_depth=_sensor_pose(content, "Gyro", "gyro", T_ref_depth),
                T_accel_depth=_sensor_pose(content, "Accelerometer", "accel", T_ref_depth),
            )
        except json.JSONDecodeError as error:
            raise ValueError(f"the calibration is no JSON: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the calibration lacks or misplaces {error}") from error

    def with_lenses(self, lenses: DeviceLenses) -> DeviceCalibration:
        """The same device with lenses that were measured again, for every mode.

        Raises:
            ValueError: a lens of a size that no mode has.
        """
        color, depth = self.color, self.depth
        if lenses.color is not None:
            resolution = _mode_of(lenses.color, COLOR_GEOMETRY)
            color = UnitisedCamera.from_mode(lenses.color, *_color_cut(resolution))
        if lenses.depth is not None:
            binned_px, *crop_px = _DEPTH_CROPS[_mode_of(lenses.depth, DEPTH_GEOMETRY)]
            depth = UnitisedCamera.from_mode(lenses.depth, binned_px, binned_px, (crop_px[0], crop_px[1]))
        return replace(self, color=color, depth=depth)

    def depth_camera(self, mode: DepthMode) -> CameraModel:
        """The depth camera in this mode. Raises ``ValueError`` for OFF."""
        if mode is DepthMode.OFF:
            raise ValueError("depth_mode OFF has no camera")
        binned_px, crop_x_px, crop_y_px = _DEPTH_CROPS[mode]
        geometry = DEPTH_GEOMETRY[mode]
        size_px = (geometry.width_px, geometry.height_px)
        return self.depth.in_mode(binned_px, binned_px, (crop_x_px, crop_y_px), size_px)

    def color_camera(self, resolution: ColorResolution) -> CameraModel:
        """The color camera at this resolution. Raises ``ValueError`` for OFF.

        All resolutions use the sensor's full width; the 16:9 ones cut an equal strip off its top and bottom.
        """
        if resolution is ColorResolution.OFF:
            raise ValueError("color_resolution OFF has no camera")
        geometry = COLOR_GEOMETRY[resolution]
        return self.color.in_mode(*_color_cut(resolution), (geometry.width_px, geometry.height_px))


def _color_cut(resolution: ColorResolution) -> tuple[int, int, tuple[int, int]]:
    """Width and height of the binned sensor, and the corner of the crop."""
    geometry = COLOR_GEOMETRY[resolution]
    full_height_px = geometry.width_px * 3 // 4
    return geometry.width_px, full_height_px, (0, (full_height_px - geometry.height_px) // 2)


def _mode_of(camera: CameraModel, geometry: Mapping[_Mode, ColorGeometry] | Mapping[_Mode, DepthGeometry]) -> _Mode:
    """A mode whose images have the camera's size; where there are two, their cuts are the same."""
    size_px = (camera.width_px, camera.height_px)
    for mode, image in geometry.items():
        if (image.width_px, image.height_px) == size_px:
            return mode
    raise ValueError(f"a lens was measured in images of {size_px[0]}x{size_px[1]}, which no mode of this device has")


def _depth_camera(camera: Mapping[str, Any]) -> UnitisedCamera:  # Any: parsed JSON
    size_px = (camera["SensorWidth"], camera["SensorHeight"])
    if size_px != (1024, 1024):
        raise ValueError(f"the depth sensor must be 1024x1024; the calibration says {size_px[0]}x{size_px[1]}")
    return _unitised(camera)


def _color_camera(camera: Mapping[str, Any]) -> UnitisedCamera:  # Any: parsed JSON
    width_px, height_px = camera["SensorWidth"], camera["SensorHeight"]
    unitised = _unitised(camera)
    if width_px * 9 == height_px * 16:
        # Early units were calibrated on a 16:9 cut of the sensor: 2304 of its 3072 rows, 384 below the top.
        return replace(
            unitised, cy_ratio=(unitised.cy_ratio * 2304 + 384) / 3072, fy_ratio=unitised.fy_ratio * 2304 / 3072
        )
    if width_px * 3 != height_px * 4:
        raise ValueError(f"the color sensor must be 4:3 or 16:9; the calibration says {width_px}x{height_px}")
    return unitised


def _unitised(camera: Mapping[str, Any]) -> UnitisedCamera:  # Any: parsed JSON
    intrinsics = camera["Intrinsics"]
    model_name = intrinsics["ModelType"]
    if model_name not in _LENS_MODELS:
        raise ValueError(f"lens model {model_name} is not supported, neither here nor by the SDK")
    parameters = [float(value) for value in intrinsics["ModelParameters"]]
    if len(parameters) < 14:
        raise ValueError(f"a camera has 14 intrinsic parameters; the calibration has {len(parameters)}")
    cx, cy, fx, fy, k1, k2, k3, k4, k5, k6, codx, cody, p2, p1 = parameters[:14]
    metric_radius = float(camera["MetricRadius"])
    lens = CameraModel(
        width_px=int(camera["SensorWidth"]),
        height_px=int(camera["SensorHeight"]),
        cx_px=0, cy_px=0, fx_px=1, fy_px=1,
        k1=k1, k2=k2, k3=k3, k4=k4, k5=k5, k6=k6, p1=p1, p2=p2, codx=codx, cody=cody,
        metric_radius=metric_radius if metric_radius > _SMALLEST_METRIC_RADIUS else _DEFAULT_METRIC_RADIUS,
        lens_model=_LENS_MODELS[model_name],
    )  # fmt: skip
    return UnitisedCamera(cx, cy, fx, fy, lens)


def _pose(to_frame: str, rt: Mapping[str, Any]) -> Pose:  # Any: parsed JSON
    return Pose(to_frame, "ref", np.reshape(rt["Rotation"], (3, 3)), np.asarray(rt["Translation"]))


def _sensor_pose(content: Mapping[str, Any], sensor: str, frame: str, T_ref_depth: Pose) -> Pose | None:
    # Any: parsed JSON
    for entry in content.get("InertialSensors", []):
        if entry["SensorType"] == f"CALIBRATION_InertialSensorType_{sensor}":
            return _pose(frame, entry["Rt"]) @ T_ref_depth
    return None
