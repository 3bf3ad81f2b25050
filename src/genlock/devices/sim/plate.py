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

Row = NDArray[np.float64]
Matrix = NDArray[np.float64]
Step = tuple[float, float]
Linear = tuple[float, float, float]

_FINE = 4
"""Rays for each pixel: the square of this."""
_REACH_PX = (_FINE - 1) / 2 / _FINE
"""How far from a pixel's middle the outermost of them lie."""

# Light thrown back by white and black print, and by the plate's back.
_WHITE, _BLACK, _BACK = 0.80, 0.04, 0.25
_IR_WHITE, _IR_BLACK = 0.75, 0.20


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True)
def _along(row: Row, x: float, y: float, z: float) -> float:
    """The scalar product of a row and a vector."""
    return float(row[0] * x + row[1] * y + row[2] * z)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _lie_of(plate: Matrix, R: Matrix, o: Matrix) -> Matrix:
    """How the plate lies before a camera, (4, 3).

    Along a ray r = (x, y, 1) the plate's plane is N / (F r) away, and is met at (A r) / (F r) of the plate's width and
    (B r) / (F r) of its height: a homography. The rows are A, B, F and (N, 0, 0); F r is below 0 behind the print.

    Args:
        plate: (4, 3): top left corner, unit vectors along a row and down, width and height and 0; in the stage.
        R: (3, 3) rotation of T_stage_cam.
        o: (3,) translation of T_stage_cam, metres.
    """
    lie = np.zeros((4, 3))
    ax, ay, az = plate[1, 0], plate[1, 1], plate[1, 2]
    bx, by, bz = plate[2, 0], plate[2, 1], plate[2, 2]
    # The normal points into the board, away from who looks at the print.
    normal = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
    px, py, pz = plate[0, 0] - o[0], plate[0, 1] - o[1], plate[0, 2] - o[2]
    lie[3, 0] = _along(normal, px, py, pz)
    for k in range(3):
        lie[2, k] = _along(normal, R[0, k], R[1, k], R[2, k])
        for side in range(2):
            axis = plate[1 + side]
            by_ray, to_corner = _along(axis, R[0, k], R[1, k], R[2, k]), _along(axis, px, py, pz)
            lie[side, k] = (lie[3, 0] * by_ray - to_corner * lie[2, k]) / plate[3, side]
    return lie


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True)
def _hit_plate(
    a: float, b: float, facing: float, away: float, limit: float, texture: NDArray[np.uint8]
) -> tuple[float, float]:
    """Distance along a ray, and the print there: 0 to 1, below 0 for the back; no hit: the limit.

    ``a``, ``b``, ``facing``, ``away`` are A r, B r, F r and N of ``_lie_of``.
    """
    part = 1.0 / (facing if abs(facing) > 1e-9 else 1e-9)
    t, along, down = away * part, a * part, b * part
    if t <= 0 or t >= limit or along < 0 or along >= 1 or down < 0 or down >= 1:
        return limit, 0.0
    if facing < 0:
        return t, -1.0
    return t, texture[int(down * texture.shape[0]), int(along * texture.shape[1])] / 255.0


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _ball(plate: Matrix, R: Matrix, o: Matrix, ball: Matrix) -> None:
    """A ball around the plate, in the camera's frame: middle and radius."""
    x = plate[0, 0] + (plate[1, 0] * plate[3, 0] + plate[2, 0] * plate[3, 1]) / 2 - o[0]
    y = plate[0, 1] + (plate[1, 1] * plate[3, 0] + plate[2, 1] * plate[3, 1]) / 2 - o[1]
    z = plate[0, 2] + (plate[1, 2] * plate[3, 0] + plate[2, 2] * plate[3, 1]) / 2 - o[2]
    for axis in range(3):
        ball[axis] = R[0, axis] * x + R[1, axis] * y + R[2, axis] * z
    ball[3] = math.sqrt(plate[3, 0] ** 2 + plate[3, 1] ** 2) / 2 + 0.01


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _plate_light(plate: Matrix, px: float, py: float, pz: float, is_front: bool) -> float:
    sign = -1.0 if is_front else 1.0
    nx = sign * (plate[1, 1] * plate[2, 2] - plate[1, 2] * plate[2, 1])
    ny = sign * (plate[1, 2] * plate[2, 0] - plate[1, 0] * plate[2, 2])
    nz = sign * (plate[1, 0] * plate[2, 1] - plate[1, 1] * plate[2, 0])
    light: float = AMBIENT * (0.75 + 0.25 * nz)
    for lamp in LIGHTS:
        light += light_of_lamp(lamp, px, py, pz, nx, ny, nz)
    return light


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True)
def _over_pixel(row: Row, x: float, y: float, right: Step, below: Step) -> Linear:
    """What a row makes of a pixel's own ray, and by how much that changes to the next pixels."""
    return (
        _along(row, x, y, 1.0),
        _along(row, right[0], right[1], 0.0),
        _along(row, below[0], below[1], 0.0),
    )


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True)
def _is_negative(value: float, right: float, below: float) -> bool:
    """Whether a linear function is below 0 for all fine rays of a pixel."""
    return bool(value + _REACH_PX * (abs(right) + abs(below)) < 0)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True)
def _misses(a: Linear, b: Linear, f: Linear) -> bool:
    """Whether all fine rays of a pixel pass the same edge of the plate on its outside."""
    if not _is_negative(-abs(f[0]), f[1], f[2]):
        return False  # they see it edge-on, some from before, some from behind
    side = 1.0 if f[0] > 0 else -1.0
    return bool(
        _is_negative(side * a[0], a[1], a[2])
        or _is_negative(side * (f[0] - a[0]), f[1] - a[1], f[2] - a[2])
        or _is_negative(side * b[0], b[1], b[2])
        or _is_negative(side * (f[0] - b[0]), f[1] - b[1], f[2] - b[2])
    )


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _mean_plate(
    rays: Rays, v: int, u: int, lie: Matrix, limit: float, texture: NDArray[np.uint8]
) -> tuple[float, float, float]:
    """Of a pixel's fine rays: the part that hits the plate, the light thrown back by it, and the mean distance."""
    x, y = float(rays[0, v, u]), float(rays[1, v, u])
    next_u, next_v = min(u + 1, rays.shape[2] - 1), min(v + 1, rays.shape[1] - 1)
    if x == NO_RAY or rays[0, v, next_u] == NO_RAY or rays[0, next_v, u] == NO_RAY:
        return 0.0, 0.0, 0.0
    right = (rays[0, v, next_u] - x, rays[1, v, next_u] - y)
    below = (rays[0, next_v, u] - x, rays[1, next_v, u] - y)
    a, b = _over_pixel(lie[0], x, y, right, below), _over_pixel(lie[1], x, y, right, below)
    f = _over_pixel(lie[2], x, y, right, below)
    if _misses(a, b, f):
        return 0.0, 0.0, 0.0
    hits, white, t_sum = 0, 0.0, 0.0
    for i in range(_FINE):
        for k in range(_FINE):
            p, q = (i - (_FINE - 1) / 2) / _FINE, (k - (_FINE - 1) / 2) / _FINE
            fine_a, fine_b = a[0] + p * a[1] + q * a[2], b[0] + p * b[1] + q * b[2]
            t, shade = _hit_plate(fine_a, fine_b, f[0] + p * f[1] + q * f[2], lie[3, 0], limit, texture)
            if t < limit:
                hits += 1
                t_sum += t
                white += _BACK if shade < 0 else _BLACK + (_WHITE - _BLACK) * shade
    return hits / (_FINE * _FINE), white / (_FINE * _FINE), t_sum / max(hits, 1)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
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
        plate: (4, 3), see ``_lie_of``.
        texture: (h, w) the print.
        codes: (H, W, 3) the still image.
        tone: (3, 256): what becomes of a code in each channel.
        image: in and out (H, W, 3).
    """
    ball, lie = np.empty(4), _lie_of(plate, R, o)
    _ball(plate, R, o, ball)
    height, width = z_m.shape
    for row in range(cones.shape[0]):
        for column in range(cones.shape[1]):
            if not cone_meets_ball(cones[row, column], ball[0], ball[1], ball[2], ball[3]):
                continue
            for v in range(row * TILE_PX, min((row + 1) * TILE_PX, height)):
                for u in range(column * TILE_PX, min((column + 1) * TILE_PX, width)):
                    x, y = rays[0, v, u], rays[1, v, u]
                    covered, white, t = _mean_plate(rays, v, u, lie, z_m[v, u], texture)
                    if covered == 0:
                        continue
                    px = o[0] + t * (R[0, 0] * x + R[0, 1] * y + R[0, 2])
                    py = o[1] + t * (R[1, 0] * x + R[1, 1] * y + R[1, 2])
                    pz = o[2] + t * (R[2, 0] * x + R[2, 1] * y + R[2, 2])
                    light = white * _plate_light(plate, px, py, pz, _along(lie[2], x, y, 1.0) > 0)
                    for channel in range(3):
                        before = codes[v, u, channel] / 255.0
                        total = light + (1 - covered) * before * before * CODE_RANGE
                        code = 255 * math.sqrt(min(total / CODE_RANGE, 1.0))
                        image[v, u, channel] = tone[channel, int(code + 0.5)]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
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
    ball, lie = np.empty(4), _lie_of(plate, R, o)
    _ball(plate, R, o, ball)
    height, width = z_m.shape
    for row in range(cones.shape[0]):
        for column in range(cones.shape[1]):
            if not cone_meets_ball(cones[row, column], ball[0], ball[1], ball[2], ball[3]):
                continue
            for v in range(row * TILE_PX, min((row + 1) * TILE_PX, height)):
                for u in range(column * TILE_PX, min((column + 1) * TILE_PX, width)):
                    x, y, limit = rays[0, v, u], rays[1, v, u], z_m[v, u]
                    if limit == 0:
                        continue
                    a, b, f = _along(lie[0], x, y, 1.0), _along(lie[1], x, y, 1.0), _along(lie[2], x, y, 1.0)
                    t, shade = _hit_plate(a, b, f, lie[3, 0], limit, texture)
                    if t < limit:
                        cosine = abs(f) / math.sqrt(x * x + y * y + 1)
                        z_m[v, u] = t
                        reflection[v, u] = cosine * (
                            _IR_BLACK + (_IR_WHITE - _IR_BLACK) * max(shade, 0.5 * (shade < 0))
                        )
