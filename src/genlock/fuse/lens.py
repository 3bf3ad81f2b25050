"""Compiled: the lens model in 32 bits, and tables of rays; what every kernel of this room starts from.

A lens is (16,) float32: cx, cy, fx, fy, k1 to k6, p1, p2, codx, cody, metric radius squared, factor of the mixed terms.
A ray table is (3, H, W) float32: the direction of every pixel whose z in the depth camera's own frame is 1, turned into
whatever frame is wanted; NaN where the lens has no ray. ``table * depth + translation`` is then the point itself.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.geometry import CameraModel, LensModel, Pose

__all__ = ["Lens", "RayTable", "pack_lens", "project_point", "ray_table"]

Lens = NDArray[np.float32]  # (16,)
RayTable = NDArray[np.float32]  # (3, H, W), NaN = no ray

_ONE, _TWO = np.float32(1), np.float32(2)


def pack_lens(camera: CameraModel) -> Lens:
    """The model as the kernels take it."""
    mixed = 2.0 if camera.lens_model is LensModel.BROWN_CONRADY else 1.0
    return np.array(
        [
            camera.cx_px, camera.cy_px, camera.fx_px, camera.fy_px,
            camera.k1, camera.k2, camera.k3, camera.k4, camera.k5, camera.k6,
            camera.p1, camera.p2, camera.codx, camera.cody, camera.metric_radius**2, mixed,
        ],
        dtype=np.float32,
    )  # fmt: skip


def ray_table(camera: CameraModel, T_to_camera: Pose | None = None) -> RayTable:
    """The rays of every pixel, in the camera's own frame or turned into that of ``T_to_camera``.

    Computed in 64 bits by the model itself; costs some tenths of a second a megapixel, once a device and mode.
    """
    v, u = np.mgrid[: camera.height_px, : camera.width_px]
    rays, is_valid = camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    if T_to_camera is not None:
        rays = rays @ T_to_camera.rotation.T
    rays[~is_valid] = np.nan
    return np.ascontiguousarray(rays.T, dtype=np.float32).reshape(3, camera.height_px, camera.width_px)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def project_point(X: np.float32, Y: np.float32, Z: np.float32, lens: Lens) -> tuple[np.float32, np.float32, np.bool_]:
    """Pixel of a point in the camera's frame, and whether the model holds there; image bounds are not checked."""
    x, y = X / Z, Y / Z
    xp, yp = x - lens[12], y - lens[13]
    r2 = xp * xp + yp * yp
    numerator = _ONE + r2 * (lens[4] + r2 * (lens[5] + r2 * lens[6]))
    denominator = _ONE + r2 * (lens[7] + r2 * (lens[8] + r2 * lens[9]))
    d = numerator / denominator
    xd = xp * d + lens[11] * (r2 + _TWO * xp * xp) + lens[15] * lens[10] * xp * yp
    yd = yp * d + lens[10] * (r2 + _TWO * yp * yp) + lens[15] * lens[11] * xp * yp
    u = (xd + lens[12]) * lens[2] + lens[0]
    v = (yd + lens[13]) * lens[3] + lens[1]
    return u, v, (Z > 0) & (r2 <= lens[14])
