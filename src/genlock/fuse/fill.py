"""Holes of one device's view, filled from any number of others.

A color camera sees surfaces that its own depth camera does not: in the shadow that the foreground casts between the
two, out of range, or where too little light came back. Other devices may have measured them. What a donor offers for a
hole is taken when nothing speaks against it:

* A point in front of what the device's own depth camera measured along the same ray would have been seen by it: it is
  an error of a pose, a flying pixel, or another moment.
* What lies behind a surface that any donor saw from its other side is hidden by it. Nobody measured the side that this
  camera looks at, so the pixel stays a hole rather than show the wall behind.

Of several donors that pass the nearest surface wins, as everywhere in an image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.fuse.lens import Lens, RayTable, pack_lens, project_point, ray_table
from genlock.fuse.transformation import DepthImage, DepthWarp, announce_compilation
from genlock.fuse.view import DeviceView

__all__ = ["NO_SOURCE", "FilledDepth", "Filler"]

NO_SOURCE = 0
"""In a source map: nobody saw this pixel. 1 is the device itself, 2 its first donor."""

_TOLERANCE_MM = 30.0
_TOLERANCE_RATIO = 0.015
"""How far in front of a measurement a donor's point may lie and still agree with it: a depth camera's systematic error
is 11 mm + 0.1 % (Microsoft's specification), two of them and a pose of the same size come to about 30 mm."""


@dataclass(frozen=True, slots=True, eq=False)
class FilledDepth:
    """A color camera's view with its holes filled."""

    depth: DepthImage
    """(H, W), mm along the color camera's z, 0 = nobody saw it."""
    source: NDArray[np.uint8]
    """(H, W): who measured each pixel; 0 nobody, 1 the device itself, 2 and more its donors in order."""
    sources: tuple[str, ...]
    """Serials by source, from 1 on: the device, then its donors."""

    @property
    def own_ratio(self) -> float:
        """Share of pixels that the device measured itself."""
        return float((self.source == 1).mean())

    @property
    def filled_ratio(self) -> float:
        """Share of the device's holes that donors filled; 0 when there are none."""
        holes = int((self.source != 1).sum())
        return float((self.source > 1).sum() / holes) if holes else 0.0


class Filler:
    """Fills one device's color view; its tables are made once for a rig."""

    def __init__(self, target: DeviceView, donors: Sequence[DeviceView]) -> None:
        """``donors`` may be in any order and any number; the target among them is passed over."""
        announce_compilation(_take_offers)
        self.target = target
        self.donors = tuple(donor for donor in donors if donor.serial != target.serial)
        T_color_world = target.T_world_color.inverse()
        self._own = DepthWarp(target.depth_camera, target.color_camera, target.T_color_device)
        self._warps = {
            donor.serial: DepthWarp(donor.depth_camera, target.color_camera, T_color_world @ donor.T_world_device)
            for donor in self.donors
        }
        T_device_color = target.T_color_device.inverse()
        self._rays_to_device: RayTable = ray_table(target.color_camera, T_device_color)
        self._translation_mm = (T_device_color.translation_m * 1000).astype(np.float32)
        self._depth_lens: Lens = pack_lens(target.depth_camera)

    def __call__(self, depths: Mapping[str, DepthImage]) -> FilledDepth:
        """The target's color view of one moment.

        Args:
            depths: by serial, each (H, W) mm; the target's must be there, donors without an image are passed over.
        """
        own = depths[self.target.serial]
        filled = self._own(own)
        source = (filled > 0).astype(np.uint8)
        is_own = source.astype(bool)
        offered = np.empty_like(filled)
        hidden_from = self._nearest_backs(depths)
        for number, donor in enumerate(self.donors, start=2):
            if donor.serial in depths:
                self._warps[donor.serial](depths[donor.serial], offered)
                _take_offers(
                    offered, hidden_from, is_own, own, self._rays_to_device, self._translation_mm, self._depth_lens,
                    np.uint8(number), filled, source,
                )  # fmt: skip
        return FilledDepth(filled, source, (self.target.serial, *(donor.serial for donor in self.donors)))

    def _nearest_backs(self, depths: Mapping[str, DepthImage]) -> DepthImage:
        """(H, W): from where on everything is hidden behind a surface seen from its other side; mm, 65535 = nowhere."""
        nearest = np.full((self.target.color_camera.height_px, self.target.color_camera.width_px), 0xFFFF, np.uint16)
        for serial, warp in self._warps.items():
            if serial in depths:
                backs = warp.backs(depths[serial])
                np.minimum(nearest, backs - np.uint16(1), out=nearest)  # 0, no back, becomes 65535
        return nearest


@njit(cache=True, nogil=True, error_model="numpy")
def _take_offers(
    offered: DepthImage,
    hidden_from: DepthImage,
    is_own: NDArray[np.bool_],
    measured: DepthImage,
    rays: RayTable,
    translation_mm: NDArray[np.float32],
    lens: Lens,
    number: np.uint8,
    filled: DepthImage,
    source: NDArray[np.uint8],
) -> None:
    half = np.float32(0.5)
    for row in range(offered.shape[0]):
        for i in range(offered.shape[1]):
            value = offered[row, i]
            if value == 0 or is_own[row, i] or (filled[row, i] != 0 and filled[row, i] <= value):
                continue
            z = np.float32(value)
            behind_mm = z - hidden_from[row, i]
            if behind_mm > _TOLERANCE_MM + _TOLERANCE_RATIO * z:
                continue  # somebody saw the back of what stands in between
            X, Y = rays[0, row, i] * z + translation_mm[0], rays[1, row, i] * z + translation_mm[1]
            Z = rays[2, row, i] * z + translation_mm[2]
            u, v, is_valid = project_point(X, Y, Z, lens)
            if is_valid and u > -half and v > -half and u < measured.shape[1] - half and v < measured.shape[0] - half:
                seen = measured[int(v + half), int(u + half)]
                in_front_mm = seen - Z
                if seen != 0 and in_front_mm > _TOLERANCE_MM + _TOLERANCE_RATIO * seen:
                    continue  # the device's own depth camera looked through this point
            filled[row, i] = value
            source[row, i] = number
