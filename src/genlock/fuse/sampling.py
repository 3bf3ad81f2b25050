"""Compiled: color images as the depth camera sees them, and images without their lens's distortion."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.fuse.lens import Lens, RayTable, project_point

__all__ = ["color_at_depth", "undistort_bilinear", "undistort_nearest"]

_ONE, _HALF = np.float32(1), np.float32(0.5)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _bilinear(image: NDArray[np.uint8], u: np.float32, v: np.float32, out: NDArray[np.uint8]) -> bool:
    """Mixes the four pixels around (u, v) into ``out``; false where one of them is outside."""
    x, y = int(np.floor(u)), int(np.floor(v))
    if x < 0 or y < 0 or x + 1 >= image.shape[1] or y + 1 >= image.shape[0]:
        return False
    right, below = u - np.float32(x), v - np.float32(y)
    left, above = _ONE - right, _ONE - below
    for channel in range(image.shape[2]):
        upper = left * image[y, x, channel] + right * image[y, x + 1, channel]
        lower = left * image[y + 1, x, channel] + right * image[y + 1, x + 1, channel]
        out[channel] = np.uint8(above * upper + below * lower + _HALF)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def color_at_depth(
    depth: NDArray[np.uint16],
    rays: RayTable,
    translation_mm: NDArray[np.float32],
    lens: Lens,
    color: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """The color of every depth pixel's point, mixed from four pixels; all channels 0 where there is none.

    A color that is 0 in every channel becomes 1 in the first, so that 0 keeps its meaning, as in the SDK.
    """
    for row in range(depth.shape[0]):
        for i in range(depth.shape[1]):
            z = np.float32(depth[row, i])
            Z = rays[2, row, i] * z + translation_mm[2]
            u, v, is_valid = project_point(
                rays[0, row, i] * z + translation_mm[0], rays[1, row, i] * z + translation_mm[1], Z, lens
            )
            pixel = out[row, i]
            if depth[row, i] == 0 or not is_valid or not _bilinear(color, u, v, pixel):
                pixel[:] = 0
                continue
            is_black = True
            for channel in range(pixel.shape[0]):
                is_black &= pixel[channel] == 0
            if is_black:
                pixel[0] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def undistort_bilinear(image: NDArray[np.uint8], lens: Lens, pinhole: Lens, out: NDArray[np.uint8]) -> None:
    """A picture (H, W, C) as the pinhole camera would take it; 0 where the lens did not look."""
    for row in range(out.shape[0]):
        for i in range(out.shape[1]):
            x, y = (np.float32(i) - pinhole[0]) / pinhole[2], (np.float32(row) - pinhole[1]) / pinhole[3]
            u, v, is_valid = project_point(x, y, _ONE, lens)
            if not is_valid or not _bilinear(image, u, v, out[row, i]):
                out[row, i, :] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def undistort_nearest(image: NDArray[np.uint16], lens: Lens, pinhole: Lens, out: NDArray[np.uint16]) -> None:
    """Depth or IR (H, W) as the pinhole camera would take it; never mixed, for a mean of two depths is neither."""
    for row in range(out.shape[0]):
        for i in range(out.shape[1]):
            x, y = (np.float32(i) - pinhole[0]) / pinhole[2], (np.float32(row) - pinhole[1]) / pinhole[3]
            u, v, is_valid = project_point(x, y, _ONE, lens)
            inside = u >= -_HALF and v >= -_HALF and u < image.shape[1] - _HALF and v < image.shape[0] - _HALF
            out[row, i] = image[int(v + _HALF), int(u + _HALF)] if is_valid and inside else np.uint16(0)
