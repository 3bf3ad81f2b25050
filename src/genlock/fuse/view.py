"""One device as fusion sees it: its two cameras, and where they are."""

from __future__ import annotations

from dataclasses import dataclass

from genlock.geometry import CameraModel, Pose, RigExtrinsics, color_frame, device_frame, renamed
from genlock.k4a import ColorResolution, DepthMode
from genlock.k4a.calibration import DeviceCalibration

__all__ = ["DeviceView"]


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device in its modes, in its place."""

    serial: str
    depth_camera: CameraModel
    color_camera: CameraModel
    T_color_device: Pose
    """The device's frame is its depth camera's."""
    T_world_device: Pose

    @property
    def T_world_color(self) -> Pose:
        """Where the color camera is."""
        return self.T_world_device @ self.T_color_device.inverse()

    @classmethod
    def of(
        cls,
        serial: str,
        calibration: DeviceCalibration,
        modes: tuple[DepthMode, ColorResolution],
        extrinsics: RigExtrinsics,
    ) -> DeviceView:
        """From the factory calibration and the measured extrinsics, whose lenses go before the factory's.

        Raises:
            KeyError: the extrinsics lack the device.
            ValueError: they have a lens for it that is no Azure Kinect's.
        """
        depth_mode, color_resolution = modes
        calibration = calibration.with_lenses(extrinsics.lenses_of(serial))
        return cls(
            serial=serial,
            depth_camera=calibration.depth_camera(depth_mode),
            color_camera=calibration.color_camera(color_resolution),
            T_color_device=renamed(calibration.T_color_depth, color_frame(serial), device_frame(serial)),
            T_world_device=extrinsics.T_world_device[serial],
        )
