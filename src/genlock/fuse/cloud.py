"""One cloud in world coordinates out of many devices' depth images, with colors where somebody sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.fuse.lens import Lens, RayTable, pack_lens, ray_table
from genlock.fuse.points import sample_colors, write_points
from genlock.fuse.transformation import DepthImage, DepthWarp, announce_compilation
from genlock.fuse.view import DeviceView

__all__ = ["Cloud", "CloudMaker", "ply_bytes"]

_GRAY = 128
_TOLERANCE_MM = 20.0
"""A point this far behind the surface that the color camera sees still belongs to it: depth noise (17 mm at most,
Microsoft's specification) and a pixel's slope."""


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Points of many devices."""

    points_world: NDArray[np.float32]
    """(N, 3), metres."""
    colors: NDArray[np.uint8]
    """(N, 3), red first; gray (128) where no color camera sees the point."""
    device: NDArray[np.uint8]
    """(N,): which device measured it, by its number in ``serials``."""
    serials: tuple[str, ...]


class CloudMaker:
    """Makes clouds of one rig; its tables are made once."""

    def __init__(self, views: Sequence[DeviceView]) -> None:
        announce_compilation(write_points)
        announce_compilation(sample_colors)
        self.views = tuple(views)
        self._tables = [_Table(view) for view in self.views]
        pixels = sum(view.depth_camera.width_px * view.depth_camera.height_px for view in self.views)
        self._points = np.empty((pixels, 3), np.float32)

    def points(self, depths: Mapping[str, DepthImage]) -> NDArray[np.float32]:
        """(N, 3) points in the world, metres; a view of memory that the next call writes over.

        Args:
            depths: by serial, (H, W) mm; devices without an image are passed over.
        """
        return self._points[: self._write(depths)[-1]]

    def cloud(self, depths: Mapping[str, DepthImage], colors: Mapping[str, NDArray[np.uint8]]) -> Cloud:
        """The points with their own device's color.

        Args:
            depths: by serial, (H, W) mm.
            colors: by serial, (h, w, 3), red first; a device without one gives gray points.
        """
        ends = self._write(depths)
        points = self._points[: ends[-1]].copy()
        rgb = np.full(points.shape, _GRAY, np.uint8)
        device = np.empty(len(points), np.uint8)
        start = 0
        for number, (view, table, end) in enumerate(zip(self.views, self._tables, ends, strict=True)):
            device[start:end] = number
            if view.serial in colors and end > start:
                table.color(depths[view.serial], points[start:end], colors[view.serial], rgb[start:end])
            start = end
        return Cloud(points, rgb, device, tuple(view.serial for view in self.views))

    def _write(self, depths: Mapping[str, DepthImage]) -> list[int]:
        ends, end = [], 0
        for view, table in zip(self.views, self._tables, strict=True):
            if view.serial in depths:
                end = write_points(depths[view.serial], table.rays_world, table.origin_world, self._points, end)
            ends.append(end)
        return ends


class _Table:
    """What one device's part of a cloud needs again and again."""

    def __init__(self, view: DeviceView) -> None:
        self.rays_world: RayTable = ray_table(view.depth_camera, view.T_world_device) / np.float32(1000)  # m per mm
        self.origin_world = view.T_world_device.translation_m.astype(np.float32)
        self._warp = DepthWarp(view.depth_camera, view.color_camera, view.T_color_device)
        T_color_world = view.T_world_color.inverse()
        self._rotation = T_color_world.rotation.astype(np.float32)
        self._translation = T_color_world.translation_m.astype(np.float32)
        self._lens: Lens = pack_lens(view.color_camera)

    def color(
        self,
        depth: DepthImage,
        points_world: NDArray[np.float32],
        rgb: NDArray[np.uint8],
        out: NDArray[np.uint8],
    ) -> None:
        is_colored = np.empty(len(points_world), np.bool_)
        sample_colors(
            points_world, self._rotation, self._translation, self._lens, rgb, self._warp(depth), _TOLERANCE_MM,
            out, is_colored,
        )  # fmt: skip


def ply_bytes(cloud: Cloud) -> bytes:
    """The cloud as a binary little-endian PLY: x, y, z in metres, red, green, blue, and the device's number."""
    serials = "".join(f"comment device {number} {serial}\n" for number, serial in enumerate(cloud.serials))
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment genlock, world frame, metres\n{serials}"
        f"element vertex {len(cloud.points_world)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar device\nend_header\n"
    )
    vertices = np.empty(len(cloud.points_world), np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3), ("device", "u1")]))
    vertices["xyz"], vertices["rgb"], vertices["device"] = cloud.points_world, cloud.colors, cloud.device
    return header.encode("ascii") + vertices.tobytes()
