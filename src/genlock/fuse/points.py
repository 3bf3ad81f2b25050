"""Compiled: depth images as points: in the SDK's integers, and in metres of any frame."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.fuse.lens import Lens, RayTable, project_point

__all__ = ["sample_colors", "sdk_points", "write_points"]

_ZERO = np.float32(0)
_LOW, _HIGH = np.float32(-32768), np.float32(32767)
_U0, _U1, _U2, _U3 = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)


@njit(cache=True, nogil=True, error_model="numpy")
def sdk_points(depth: NDArray[np.uint16], rays: RayTable, out: NDArray[np.int16]) -> None:
    """``k4a_transformation_depth_image_to_point_cloud``: x, y, z in whole mm, (H, W, 3); no reading is (0, 0, 0).

    Rounds half to even and saturates, as the SDK does on x86; depths above 32767 mm wrap, as there.
    """
    for row in range(depth.shape[0]):
        d, x, y, o = depth[row], rays[0, row], rays[1, row], out[row].reshape(-1)
        for i in range(d.shape[0]):
            has_ray = x[i] == x[i]  # NaN is not itself
            z = np.float32(d[i])
            px = np.rint(x[i] * z) if has_ray else _ZERO
            py = np.rint(y[i] * z) if has_ray else _ZERO
            o[3 * i] = np.int16(np.int32(min(max(px, _LOW), _HIGH)))
            o[3 * i + 1] = np.int16(np.int32(min(max(py, _LOW), _HIGH)))
            o[3 * i + 2] = np.int16(d[i]) if has_ray else np.int16(0)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def write_points(
    depth: NDArray[np.uint16],
    rays: RayTable,
    origin: NDArray[np.float32],
    out: NDArray[np.float32],
    start: int,
) -> int:
    """Writes the point of every reading into ``out`` from ``start`` on.

    Args:
        depth: (H, W), mm, 0 = no reading.
        rays: (3, H, W) in the wanted frame, *per millimetre* of depth.
        origin: (3,), the depth camera's origin in that frame, in the unit of ``rays``.
        out: (N, 3), with room for every pixel.
        start: where to begin.

    Returns:
        Where it ended.
    """
    flat = out.reshape(-1)
    origin_x, origin_y, origin_z = origin[0], origin[1], origin[2]
    at = _U3 * np.uint64(start)  # unsigned: a negative index would mean one from the end
    for row in range(depth.shape[0]):
        d, x, y, z = depth[row], rays[0, row], rays[1, row], rays[2, row]
        for i in range(d.shape[0]):
            mm = np.float32(d[i])
            px = x[i] * mm + origin_x
            # Always written, kept only where there is a point: a branch would cost more.
            flat[at], flat[at + _U1], flat[at + _U2] = px, y[i] * mm + origin_y, z[i] * mm + origin_z
            at += _U3 if (d[i] != 0) & (px == px) else _U0
    return int(at // _U3)


@njit(cache=True, nogil=True, error_model="numpy")
def sample_colors(
    points: NDArray[np.float32],
    rotation: NDArray[np.float32],
    translation: NDArray[np.float32],
    lens: Lens,
    rgb: NDArray[np.uint8],
    visible_mm: NDArray[np.uint16],
    tolerance_mm: float,
    out: NDArray[np.uint8],
    is_colored: NDArray[np.bool_],
) -> None:
    """The color of every point in a color image, where that camera sees it.

    The SDK asks for no visibility, so that shadows get the foreground's color (SDK issue #762).

    Args:
        points: (N, 3), metres.
        rotation: (3, 3), takes the points' frame to the color camera's.
        translation: (3,), metres.
        lens: the color camera's.
        rgb: (H, W, 3).
        visible_mm: (H, W), how far the color camera sees at each pixel; 0 = unknown, sees everything.
        tolerance_mm: a point this far behind what is seen still counts as seen.
        out: (N, 3), written where the point has a color.
        is_colored: (N,), set where it has.
    """
    height, width = rgb.shape[0], rgb.shape[1]
    for i in range(points.shape[0]):
        a, b, c = points[i, 0], points[i, 1], points[i, 2]
        X = rotation[0, 0] * a + rotation[0, 1] * b + rotation[0, 2] * c + translation[0]
        Y = rotation[1, 0] * a + rotation[1, 1] * b + rotation[1, 2] * c + translation[1]
        Z = rotation[2, 0] * a + rotation[2, 1] * b + rotation[2, 2] * c + translation[2]
        u, v, is_valid = project_point(X, Y, Z, lens)
        is_colored[i] = False
        if not is_valid or not (u > -0.5 and v > -0.5 and u < width - 0.5 and v < height - 0.5):
            continue
        x, y = int(u + 0.5), int(v + 0.5)
        seen_mm = visible_mm[y, x]
        behind_mm = Z * 1000 - seen_mm
        if seen_mm != 0 and behind_mm > tolerance_mm:
            continue
        is_colored[i] = True
        out[i, 0], out[i, 1], out[i, 2] = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
