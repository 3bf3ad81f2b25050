"""Compiled: the ray of every pixel by the exact lens model, and cones around tiles of rays.

A ray is a direction whose z in the camera's frame is 1: the distance along it is the depth that a depth camera
measures. Ray tables are (2, H, W): x and y at z = 1.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.geometry import CameraModel, LensModel

__all__ = ["NO_RAY", "TILE_PX", "Cones", "Rays", "cone_meets_ball", "ray_table", "tile_cones"]

Rays = NDArray[np.float32]  # (2, H, W)
Cones = NDArray[np.float32]  # (rows, columns, 5): axis, cosine and sine of the half angle

TILE_PX = 16
NO_RAY = 1e6
"""Stands where a pixel has no ray; not NaN, of which fast arithmetic knows nothing."""

_EMPTY_TILE = 2.0


def ray_table(camera: CameraModel) -> Rays:
    """The ray of every pixel; ``NO_RAY`` where the lens has none."""
    mixed = 2.0 if camera.lens_model is LensModel.BROWN_CONRADY else 1.0
    lens = np.array(
        [
            camera.cx_px, camera.cy_px, camera.fx_px, camera.fy_px,
            camera.k1, camera.k2, camera.k3, camera.k4, camera.k5, camera.k6,
            camera.p1, camera.p2, camera.codx, camera.cody, camera.metric_radius, mixed,
        ]
    )  # fmt: skip
    rays = np.empty((2, camera.height_px, camera.width_px), dtype=np.float32)
    _fill_rays(lens, rays)
    return rays


def tile_cones(rays: Rays) -> Cones:
    """For each tile of 16 x 16 pixels a cone that holds its rays."""
    rows, columns = (-(-size // TILE_PX) for size in rays.shape[1:])
    cones = np.zeros((rows, columns, 5), dtype=np.float32)
    _fill_cones(rays, cones)
    return cones


@njit(cache=True, nogil=True, error_model="numpy")
def _invert_lens(lens: NDArray[np.float64], tx: float, ty: float, x: float, y: float) -> tuple[float, float, bool]:
    """The point on the plane Z = 1 that the lens takes to (tx, ty), from a guess; and whether there is one."""
    k1, k2, k3, k4, k5, k6, p1, p2 = lens[4], lens[5], lens[6], lens[7], lens[8], lens[9], lens[10], lens[11]
    mixed = lens[15]
    for _ in range(12):
        r2 = x * x + y * y
        if r2 > 16.0:
            return x, y, False
        d = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        slope = k1 + r2 * (2 * k2 + r2 * 3 * k3) - d * (k4 + r2 * (2 * k5 + r2 * 3 * k6))
        slope /= 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        ex = x * d + p2 * (r2 + 2 * x * x) + mixed * p1 * x * y - tx
        ey = y * d + p1 * (r2 + 2 * y * y) + mixed * p2 * x * y - ty
        if ex * ex + ey * ey < 1e-20:
            return x, y, r2 <= lens[14] * lens[14]
        a = d + 2 * x * x * slope + 6 * p2 * x + mixed * p1 * y
        b = 2 * x * y * slope + 2 * p2 * y + mixed * p1 * x
        c = 2 * x * y * slope + 2 * p1 * x + mixed * p2 * y
        e = d + 2 * y * y * slope + 6 * p1 * y + mixed * p2 * x
        det = a * e - b * c
        x -= (e * ex - b * ey) / det
        y -= (a * ey - c * ex) / det
    return x, y, False


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_rays(lens: NDArray[np.float64], rays: Rays) -> None:
    """Goes from the optical centre outwards: the neighbour's ray is nearly right, two or three Newton passes suffice.

    ``lens`` is (16,): cx, cy, fx, fy, k1 to k6, p1, p2, codx, cody, metric radius, factor of the mixed terms.
    """
    height, width = rays.shape[1], rays.shape[2]
    middle_u, middle_v = min(max(int(lens[0]), 0), width - 1), min(max(int(lens[1]), 0), height - 1)
    row_x, row_y = 0.0, 0.0
    for step_v in range(height):
        # From the middle row down, then from it up; in each row likewise to both sides.
        v = middle_v + step_v if middle_v + step_v < height else height - 1 - step_v
        if v == middle_v - 1:
            row_x, row_y = 0.0, 0.0
        x, y, step_x, step_y = row_x, row_y, 0.0, 0.0
        for step_u in range(width):
            u = middle_u + step_u if middle_u + step_u < width else width - 1 - step_u
            if u == middle_u - 1:
                x, y, step_x, step_y = row_x, row_y, 0.0, 0.0
            tx, ty = (u - lens[0]) / lens[2] - lens[12], (v - lens[1]) / lens[3] - lens[13]
            last_x, last_y = x, y
            x, y, is_valid = _invert_lens(lens, tx, ty, x + step_x, y + step_y)
            if is_valid:
                step_x, step_y = x - last_x, y - last_y
                rays[0, v, u], rays[1, v, u] = x + lens[12], y + lens[13]
                if u == middle_u:
                    row_x, row_y = x, y
            else:
                rays[0, v, u], rays[1, v, u] = NO_RAY, NO_RAY
                x, y, step_x, step_y = tx, ty, 0.0, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_cones(rays: Rays, cones: Cones) -> None:
    height, width = rays.shape[1], rays.shape[2]
    for row in range(cones.shape[0]):
        for column in range(cones.shape[1]):
            v0, u0 = row * TILE_PX, column * TILE_PX
            v1, u1 = min(v0 + TILE_PX, height), min(u0 + TILE_PX, width)
            ax, ay, az = 0.0, 0.0, 0.0
            for v in range(v0, v1):
                for u in range(u0, u1):
                    x, y = rays[0, v, u], rays[1, v, u]
                    if x < NO_RAY:
                        n = 1 / math.sqrt(x * x + y * y + 1)
                        ax, ay, az = ax + x * n, ay + y * n, az + n
            n = math.sqrt(ax * ax + ay * ay + az * az)
            cones[row, column, 3] = _EMPTY_TILE
            if n == 0:
                continue
            ax, ay, az = ax / n, ay / n, az / n
            cosine = 1.0
            for v in range(v0, v1):
                for u in range(u0, u1):
                    x, y = rays[0, v, u], rays[1, v, u]
                    if x < NO_RAY:
                        cosine = min(cosine, (ax * x + ay * y + az) / math.sqrt(x * x + y * y + 1))
            # A hair wider, for what 32-bit numbers lose.
            cosine -= 1e-6
            cones[row, column, 0], cones[row, column, 1], cones[row, column, 2] = ax, ay, az
            cones[row, column, 3], cones[row, column, 4] = cosine, math.sqrt(1 - cosine * cosine)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def cone_meets_ball(cone: NDArray[np.float32], x: float, y: float, z: float, radius: float) -> bool:
    """Whether a cone from the camera's origin can meet a ball given in the camera's frame."""
    if cone[3] > 1:
        return False
    r2 = x * x + y * y + z * z
    if r2 <= radius * radius:
        return True
    r = math.sqrt(r2)
    sine = radius / r
    # The ball's middle lies within the sum of both half angles.
    limit = cone[3] * math.sqrt(1 - sine * sine) - cone[4] * sine
    return bool(cone[0] * x + cone[1] * y + cone[2] * z >= limit * r)
