"""Compiled: a printed board held into the scene, exactly antialiased enough to measure corners on it.

Every pixel that can see the board is the mean of sixteen rays. A ray that misses the board, or meets something nearer,
shows what stood there before.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.devices.sim.lens import NO_RAY, TILE_PX, Cones, Rays, cone_meets_ball
from genlock.devices.sim.shading import AMBIENT, LIGHTS, light_of_lamp
from genlock.devices.sim.still import CODE_RANGE

__all__ = ["paint_plate", "trace_plate"]

Matrix = NDArray[np.float64]

_FINE = 4
"""Rays for each pixel: the square of this."""

# Light thrown back by white and black print, and by the plate's back.
_WHITE, _BLACK, _BACK = 0.80, 0.04, 0.25
_IR_WHITE, _IR_BLACK = 0.75, 0.20


@njit(cache=True, nogil=True, fastmath=True)
def _hit_plate(
    x: float, y: float, R: Matrix, o: Matrix, limit: float, plate: Matrix, texture: NDArray[np.uint8]
) -> tuple[float, float]:
    """Distance along a ray, and the print there: 0 to 1, below 0 for the back; no hit: the limit.

    ``plate`` is (4, 3): top left corner, unit vectors along a row and down, width and height and 0; of T_stage_plate.
    """
    dx = R[0, 0] * x + R[0, 1] * y + R[0, 2]
    dy = R[1, 0] * x + R[1, 1] * y + R[1, 2]
    dz = R[2, 0] * x + R[2, 1] * y + R[2, 2]
    ax, ay, az = plate[1, 0], plate[1, 1], plate[1, 2]
    bx, by, bz = plate[2, 0], plate[2, 1], plate[2, 2]
    # The normal points into the board, away from who looks at the print.
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    facing = nx * dx + ny * dy + nz * dz
    px, py, pz = plate[0, 0] - o[0], plate[0, 1] - o[1], plate[0, 2] - o[2]
    t = (nx * px + ny * py + nz * pz) / (facing if abs(facing) > 1e-9 else 1e-9)
    if t <= 0 or t >= limit:
        return limit, 0.0
    qx, qy, qz = t * dx - px, t * dy - py, t * dz - pz
    along, down = (qx * ax + qy * ay + qz * az) / plate[3, 0], (qx * bx + qy * by + qz * bz) / plate[3, 1]
    if along < 0 or along >= 1 or down < 0 or down >= 1:
        return limit, 0.0
    if facing < 0:
        return t, -1.0
    return t, texture[int(down * texture.shape[0]), int(along * texture.shape[1])] / 255.0


@njit(cache=True, nogil=True, fastmath=True)
def _ball(plate: Matrix, R: Matrix, o: Matrix, ball: Matrix) -> None:
    """A ball around the plate, in the camera's frame: middle and radius."""
    x = plate[0, 0] + (plate[1, 0] * plate[3, 0] + plate[2, 0] * plate[3, 1]) / 2 - o[0]
    y = plate[0, 1] + (plate[1, 1] * plate[3, 0] + plate[2, 1] * plate[3, 1]) / 2 - o[1]
    z = plate[0, 2] + (plate[1, 2] * plate[3, 0] + plate[2, 2] * plate[3, 1]) / 2 - o[2]
    for axis in range(3):
        ball[axis] = R[0, axis] * x + R[1, axis] * y + R[2, axis] * z
    ball[3] = math.sqrt(plate[3, 0] ** 2 + plate[3, 1] ** 2) / 2 + 0.01


@njit(cache=True, nogil=True, fastmath=True)
def _plate_light(plate: Matrix, px: float, py: float, pz: float, is_front: bool) -> float:
    sign = -1.0 if is_front else 1.0
    nx = sign * (plate[1, 1] * plate[2, 2] - plate[1, 2] * plate[2, 1])
    ny = sign * (plate[1, 2] * plate[2, 0] - plate[1, 0] * plate[2, 2])
    nz = sign * (plate[1, 0] * plate[2, 1] - plate[1, 1] * plate[2, 0])
    light: float = AMBIENT * (0.75 + 0.25 * nz)
    for lamp in LIGHTS:
        light += light_of_lamp(lamp, px, py, pz, nx, ny, nz)
    return light


@njit(cache=True, nogil=True, fastmath=True)
def _mean_plate(
    rays: Rays, v: int, u: int, R: Matrix, o: Matrix, limit: float, plate: Matrix, texture: NDArray[np.uint8]
) -> tuple[float, float, float]:
    """Of a pixel's fine rays: the part that hits the plate, the light thrown back by it, and the mean distance."""
    x, y = rays[0, v, u], rays[1, v, u]
    right, below = min(u + 1, rays.shape[2] - 1), min(v + 1, rays.shape[1] - 1)
    if x == NO_RAY or rays[0, v, right] == NO_RAY or rays[0, below, u] == NO_RAY:
        return 0.0, 0.0, 0.0
    hits, white, t_sum = 0, 0.0, 0.0
    for i in range(_FINE):
        for k in range(_FINE):
            a, b = (i - (_FINE - 1) / 2) / _FINE, (k - (_FINE - 1) / 2) / _FINE
            fine_x = x + a * (rays[0, v, right] - x) + b * (rays[0, below, u] - x)
            fine_y = y + a * (rays[1, v, right] - y) + b * (rays[1, below, u] - y)
            t, shade = _hit_plate(fine_x, fine_y, R, o, limit, plate, texture)
            if t < limit:
                hits += 1
                t_sum += t
                white += _BACK if shade < 0 else _BLACK + (_WHITE - _BLACK) * shade
    return hits / (_FINE * _FINE), white / (_FINE * _FINE), t_sum / max(hits, 1)


@njit(cache=True, nogil=True, fastmath=True)
def paint_plate(
    rays: Rays,
    cones: Cones,
    z_m: NDArray[np.float32],
    R: Matrix,
    o: Matrix,
    plate: Matrix,
    texture: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    tone: NDArray[np.uint8],
    image: NDArray[np.uint8],
) -> None:
    """Paints the board over the still color image.

    Args:
        rays: (2, H, W) of this camera, see ``lens``.
        cones: of the rays' tiles.
        z_m: (H, W) depth of what does not move; 0 where there is no ray.
        R: (3, 3) rotation of T_stage_cam.
        o: (3,) translation of T_stage_cam, metres.
        plate: (4, 3), see ``_hit_plate``.
        texture: (h, w) the print.
        codes: (H, W, 3) the still image.
        tone: (3, 256): what becomes of a code in each channel.
        image: in and out (H, W, 3).
    """
    ball = np.empty(4)
    _ball(plate, R, o, ball)
    height, width = z_m.shape
    for row in range(cones.shape[0]):
        for column in range(cones.shape[1]):
            if not cone_meets_ball(cones[row, column], ball[0], ball[1], ball[2], ball[3]):
                continue
            for v in range(row * TILE_PX, min((row + 1) * TILE_PX, height)):
                for u in range(column * TILE_PX, min((column + 1) * TILE_PX, width)):
                    x, y = rays[0, v, u], rays[1, v, u]
                    covered, white, t = _mean_plate(rays, v, u, R, o, z_m[v, u], plate, texture)
                    if covered == 0:
                        continue
                    px = o[0] + t * (R[0, 0] * x + R[0, 1] * y + R[0, 2])
                    py = o[1] + t * (R[1, 0] * x + R[1, 1] * y + R[1, 2])
                    pz = o[2] + t * (R[2, 0] * x + R[2, 1] * y + R[2, 2])
                    _, center = _hit_plate(x, y, R, o, 1e9, plate, texture)
                    light = white * _plate_light(plate, px, py, pz, center >= 0)
                    for channel in range(3):
                        before = codes[v, u, channel] / 255.0
                        total = light + (1 - covered) * before * before * CODE_RANGE
                        code = 255 * math.sqrt(min(total / CODE_RANGE, 1.0))
                        image[v, u, channel] = tone[channel, int(code + 0.5)]


@njit(cache=True, nogil=True, fastmath=True)
def trace_plate(
    rays: Rays,
    cones: Cones,
    R: Matrix,
    o: Matrix,
    plate: Matrix,
    texture: NDArray[np.uint8],
    z_m: NDArray[np.float32],
    reflection: NDArray[np.float32],
) -> None:
    """Puts the board into a depth camera's exact depth.

    Args:
        rays: as for ``paint_plate``.
        cones: see there.
        R: see there.
        o: see there.
        plate: see there.
        texture: see there.
        z_m: in and out (H, W) metres.
        reflection: in and out (H, W).
    """
    ball = np.empty(4)
    _ball(plate, R, o, ball)
    height, width = z_m.shape
    nx = plate[1, 1] * plate[2, 2] - plate[1, 2] * plate[2, 1]
    ny = plate[1, 2] * plate[2, 0] - plate[1, 0] * plate[2, 2]
    nz = plate[1, 0] * plate[2, 1] - plate[1, 1] * plate[2, 0]
    for row in range(cones.shape[0]):
        for column in range(cones.shape[1]):
            if not cone_meets_ball(cones[row, column], ball[0], ball[1], ball[2], ball[3]):
                continue
            for v in range(row * TILE_PX, min((row + 1) * TILE_PX, height)):
                for u in range(column * TILE_PX, min((column + 1) * TILE_PX, width)):
                    x, y, limit = rays[0, v, u], rays[1, v, u], z_m[v, u]
                    if limit == 0:
                        continue
                    t, shade = _hit_plate(x, y, R, o, limit, plate, texture)
                    if t < limit:
                        dx = R[0, 0] * x + R[0, 1] * y + R[0, 2]
                        dy = R[1, 0] * x + R[1, 1] * y + R[1, 2]
                        dz = R[2, 0] * x + R[2, 1] * y + R[2, 2]
                        cosine = abs(nx * dx + ny * dy + nz * dz) / math.sqrt(x * x + y * y + 1)
                        z_m[v, u] = t
                        reflection[v, u] = cosine * (
                            _IR_BLACK + (_IR_WHITE - _IR_BLACK) * max(shade, 0.5 * (shade < 0))
                        )
