"""What one camera in one mode sees of everything that does not move, traced once and kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.devices.sim.lens import Cones, Rays, ray_table, tile_cones
from genlock.devices.sim.scene import ROOM_HALF_M, ROOM_HEIGHT_M, Scene
from genlock.devices.sim.shelf import Shelf, shelf_key
from genlock.devices.sim.still import trace_still_color, trace_still_depth
from genlock.geometry import CameraModel, Pose
from genlock.k4a import DEPTH_GEOMETRY, DepthMode

__all__ = ["ColorView", "DepthView", "color_view", "depth_view", "view_of"]

FloatImage = NDArray[np.float32]  # (H, W)
Codes = NDArray[np.uint8]  # (H, W, 3)

_ROOM_M = np.array([ROOM_HALF_M, ROOM_HEIGHT_M], dtype=np.float64)
_LAMP_OFF = (26, 34, 28)


@dataclass(frozen=True, slots=True)
class _Eye:
    """Where a camera stands and along what its pixels look."""

    rays: Rays
    cones: Cones
    rotation: NDArray[np.float64]  # (3, 3) of T_stage_cam
    position_m: NDArray[np.float64]  # (3,) of T_stage_cam


@dataclass(frozen=True, slots=True)
class ColorView:
    """The color camera's still image."""

    eye: _Eye
    z_m: FloatImage
    """Depth of what does not move; 0 where there is no ray."""
    codes: Codes
    lamp_pixels: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
    """Rows, columns and lamp numbers of the pixels that see a lamp of the tower."""


@dataclass(frozen=True, slots=True)
class DepthView:
    """The depth camera's still depth and reflection, before laser and noise."""

    eye: _Eye
    z_m: FloatImage
    reflection: FloatImage
    lit: FloatImage
    """The laser's strength along each ray, 1 in the middle, 0 outside its field."""


def color_view(camera: CameraModel, T_stage_color: Pose, scene: Scene, shelf: Shelf | None = None) -> ColorView:
    """Traces the still part of a color image, or takes it from a shelf where it lies there."""
    eye = _eye(camera, T_stage_color)
    key = shelf_key("still", *view_of(camera, T_stage_color, scene))
    kept = shelf.load(key) if shelf else None
    z_m, codes, lamps = kept or _still_color(eye, scene)
    if shelf and not kept:
        shelf.store(key, (z_m, codes, lamps))
    rows, columns = np.nonzero(lamps >= 0)
    return ColorView(eye, z_m, codes, (rows, columns, lamps[rows, columns].astype(np.intp)))


def view_of(camera: CameraModel, T_stage_cam: Pose, scene: Scene) -> tuple[object, ...]:
    """All that a camera's images depend on but moment and settings, for a shelf's key."""
    return (
        camera, np.array(T_stage_cam.rotation), np.array(T_stage_cam.translation_m),
        scene.name, scene.boxes, scene.spheres, scene.texture, scene.board_size_m, scene.board_margin_m,
    )  # fmt: skip


def _still_color(eye: _Eye, scene: Scene) -> tuple[FloatImage, Codes, NDArray[np.int8]]:
    """Depth, codes, and the lamps seen (-1: none), of everything that does not move."""
    shape = eye.rays.shape[1:]
    z_m, codes, lamps = np.empty(shape, np.float32), np.zeros((*shape, 3), np.uint8), np.empty(shape, np.int8)
    trace_still_color(
        eye.rays, eye.cones, eye.rotation, eye.position_m, _ROOM_M, scene.boxes, scene.spheres, z_m, codes, lamps
    )
    codes[lamps >= 0] = _LAMP_OFF
    return z_m, codes, lamps


def depth_view(camera: CameraModel, mode: DepthMode, T_stage_depth: Pose, scene: Scene) -> DepthView:
    """Traces the still part of a depth image, and how the laser lights it."""
    eye = _eye(camera, T_stage_depth)
    shape = eye.rays.shape[1:]
    z_m, reflection = np.empty(shape, np.float32), np.empty(shape, np.float32)
    trace_still_depth(
        eye.rays, eye.cones, eye.rotation, eye.position_m, _ROOM_M, scene.boxes, scene.spheres, z_m, reflection
    )
    return DepthView(eye, z_m, reflection, _laser_field(eye.rays, mode))


def _eye(camera: CameraModel, T_stage_cam: Pose) -> _Eye:
    rays = ray_table(camera)
    return _Eye(rays, tile_cones(rays), np.array(T_stage_cam.rotation), np.array(T_stage_cam.translation_m))


def _laser_field(rays: Rays, mode: DepthMode) -> FloatImage:
    """How strongly the laser lights each ray: weaker to the sides, nothing outside the mode's field of view.

    The narrow modes' field is 75 x 65 degrees with its corners cut off, the wide ones' a circle of 120 degrees.
    # unverified on hardware: the exact outline and fall-off
    """
    x, y = np.abs(rays)
    geometry = DEPTH_GEOMETRY[mode]
    edge_x = np.tan(np.deg2rad(geometry.fov_x_deg / 2))
    edge_y = np.tan(np.deg2rad(geometry.fov_y_deg / 2))
    radius2 = x * x + y * y
    if mode in (DepthMode.NFOV_2X2BINNED, DepthMode.NFOV_UNBINNED):
        inside = (x / edge_x + y / edge_y < 1.55) & (x < 1.15 * edge_x) & (y < 1.15 * edge_y)
    else:
        inside = radius2 < edge_x * edge_x
    return np.where(inside, 1.0 / (1.0 + 0.6 * radius2), 0.0).astype(np.float32)
