"""A scene with an exact answer: a ball before a wall, seen by cameras without distortion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlock.fuse import DeviceView
from genlock.geometry import CameraModel, Pose

WALL_M = 3.0
BALL_M, BALL_RADIUS_M = np.array([0.0, 0.0, 1.5]), 0.3


def camera(width_px: int = 160, height_px: int = 144, focal_px: float = 130.0) -> CameraModel:
    return CameraModel(
        width_px=width_px,
        height_px=height_px,
        cx_px=(width_px - 1) / 2,
        cy_px=(height_px - 1) / 2,
        fx_px=focal_px,
        fy_px=focal_px,
    )


def view(serial: str, x_m: float, turn_deg: float = 0.0, color_shift_m: float = 0.05) -> DeviceView:
    """A device at ``x_m``, turned about y; its color camera stands to its left, as in an Azure Kinect."""
    turn_rad = np.deg2rad(turn_deg)
    rotation = np.array([[np.cos(turn_rad), 0, np.sin(turn_rad)], [0, 1, 0], [-np.sin(turn_rad), 0, np.cos(turn_rad)]])
    return DeviceView(
        serial=serial,
        depth_camera=camera(),
        color_camera=camera(200, 150, 150.0),
        T_color_device=Pose(f"color_{serial}", f"depth_{serial}", np.eye(3), [-color_shift_m, 0, 0]),
        T_world_device=Pose("world", f"depth_{serial}", rotation, [x_m, 0, 0]),
    )


def depth_of(model: CameraModel, T_world_camera: Pose) -> NDArray[np.float64]:
    """(H, W) in mm, exact: the ball or the wall, whichever is nearer."""
    v, u = np.mgrid[: model.height_px, : model.width_px]
    rays, _ = model.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    directions = rays @ T_world_camera.rotation.T
    origin = T_world_camera.translation_m
    wall = (WALL_M - origin[2]) / directions[:, 2]
    to_ball = origin - BALL_M
    a = (directions**2).sum(axis=1)
    b = directions @ to_ball
    root = b * b - a * (to_ball @ to_ball - BALL_RADIUS_M**2)
    with np.errstate(invalid="ignore"):
        ball = (-b - np.sqrt(root)) / a
    z = np.where((root > 0) & (ball > 0), np.fmin(ball, wall), wall)
    return np.where(z > 0, 1000 * z, 0).reshape(model.height_px, model.width_px)


def measured(device: DeviceView) -> NDArray[np.uint16]:
    return np.rint(depth_of(device.depth_camera, device.T_world_device)).astype(np.uint16)
