"""Compiled: traces the person, for every image anew, in those tiles of the image that can see one of her limbs.

Within a row of a tile the limbs are tried one after the other over all pixels at once: that loop has no branches, so
that the compiler makes vector instructions of it. (Python's own rules for division and for rounding down would stop it:
hence NumPy's error model and ``np.floor``.)
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.devices.sim.lens import TILE_PX, Cones, Rays
from genlock.devices.sim.shading import AMBIENT, LIGHTS
from genlock.devices.sim.still import CODE_RANGE

__all__ = ["paint_person", "trace_person"]

Table = NDArray[np.float32]
Matrix = NDArray[np.float64]

# Columns of a limb in the camera's frame: start, axis, radius, and what is the same for every ray.
_START, _AXIS, _RADIUS, _AXIS2, _START_AXIS, _RIM, _START_RIM, _END_RIM, _LIMB_COLUMNS = 0, 3, 6, 7, 8, 9, 10, 11, 12

# Columns of a cone, after its axis; in how many pieces a limb is looked for at most.
_COSINE, _SINE, _LIMB, _CONE_COLUMNS = 3, 4, 5, 6
_MAX_PIECES, _HAIR_M = 8, 1e-5
_EVERYWHERE = -4.0
"""Instead of a cone's cosine: it meets every tile."""

# 32-bit constants: a 64-bit one would pull a whole loop to half its speed.
_ZERO, _QUARTER, _HALF, _THREE_QUARTERS, _ONE, _TINY = (np.float32(n) for n in (0, 0.25, 0.5, 0.75, 1, 1e-9))
_AMBIENT, _STRIPES_PER_M, _FLOOR_SKIN_M = np.float32(AMBIENT), np.float32(16), np.float32(0.01)
_LAMPS = tuple(tuple(np.float32(n) for n in lamp) for lamp in LIGHTS)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _to_camera(R: Matrix, o: Matrix, x: float, y: float, z: float, axis: int) -> float:
    return float(R[0, axis] * (x - o[0]) + R[1, axis] * (y - o[1]) + R[2, axis] * (z - o[2]))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _limbs_in_camera(capsules: Table, R: Matrix, o: Matrix, limbs: Table) -> None:
    for i in range(capsules.shape[0]):
        a, c = np.empty(3), np.empty(3)
        for axis in range(3):
            a[axis] = _to_camera(R, o, capsules[i, 0], capsules[i, 1], capsules[i, 2], axis)
            c[axis] = _to_camera(R, o, capsules[i, 3], capsules[i, 4], capsules[i, 5], axis)
            limbs[i, _START + axis], limbs[i, _AXIS + axis] = a[axis], c[axis] - a[axis]
        r2 = float(capsules[i, 6]) ** 2
        b = c - a
        aa, bb = a[0] ** 2 + a[1] ** 2 + a[2] ** 2, b[0] ** 2 + b[1] ** 2 + b[2] ** 2
        ab = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
        limbs[i, _RADIUS], limbs[i, _AXIS2], limbs[i, _START_AXIS] = capsules[i, 6], bb, -ab
        limbs[i, _RIM] = bb * aa - ab * ab - r2 * bb
        limbs[i, _START_RIM] = aa - r2
        limbs[i, _END_RIM] = c[0] ** 2 + c[1] ** 2 + c[2] ** 2 - r2


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _cone_around(x: float, y: float, z: float, radius: float, cone: Table) -> None:
    """The cone from the camera that just holds a ball in the camera's frame: axis, cosine, sine of its half angle."""
    r = max(math.sqrt(x * x + y * y + z * z), 1e-9)
    sine = min(radius / r, 1.0)
    cone[0], cone[1], cone[2] = x / r, y / r, z / r
    cone[_COSINE] = math.sqrt(1 - sine * sine) if sine < 1 else _EVERYWHERE
    cone[_SINE] = sine


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _cones_around(limbs: Table) -> Table:
    """Cones that hold all of the person (the first), and each a piece of a limb, limb after limb.

    A limb is long and thin: one ball around it would be seen by several times the tiles that see the limb.
    """
    cones = np.empty((1 + limbs.shape[0] * _MAX_PIECES, _CONE_COLUMNS), np.float32)
    middle, count, reach = np.zeros(3), 1, 0.0
    for axis in range(3):
        middle[axis] = np.mean(limbs[:, _START + axis]) + np.mean(limbs[:, _AXIS + axis]) / 2
    for i in range(limbs.shape[0]):
        length, radius = math.sqrt(float(limbs[i, _AXIS2])), float(limbs[i, _RADIUS])
        # The round ends count as cylinder, which holds them.
        pieces = min(int((length / 2 + radius) / radius) + 1, _MAX_PIECES)
        half = (length / 2 + radius) / pieces
        ball = math.sqrt(radius * radius + half * half) + _HAIR_M
        for k in range(pieces):
            along = ((2 * k + 1) * half - radius) / max(length, 1e-9)
            x = limbs[i, 0] + along * limbs[i, 3]
            y = limbs[i, 1] + along * limbs[i, 4]
            z = limbs[i, 2] + along * limbs[i, 5]
            _cone_around(x, y, z, ball, cones[count])
            cones[count, _LIMB] = i
            off2 = (x - middle[0]) ** 2 + (y - middle[1]) ** 2 + (z - middle[2]) ** 2
            reach = max(reach, math.sqrt(off2) + ball)
            count += 1
    _cone_around(middle[0], middle[1], middle[2], reach, cones[0])
    return cones[:count]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _cone_around_shadow(R: Matrix, o: Matrix, shadow: Table) -> Table:
    """The cone that holds the shadow on the floor."""
    cone = np.empty(_CONE_COLUMNS, np.float32)
    x, y = float(shadow[0]), float(shadow[1])
    middle = (_to_camera(R, o, x, y, 0.0, 0), _to_camera(R, o, x, y, 0.0, 1), _to_camera(R, o, x, y, 0.0, 2))
    _cone_around(middle[0], middle[1], middle[2], float(shadow[2]), cone)
    return cone


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _cones_meet(tile: Table, cone: Table) -> bool:
    """Whether two cones from the camera overlap: their axes lie within the sum of both half angles."""
    cosine = tile[0] * cone[0] + tile[1] * cone[1] + tile[2] * cone[2]
    return bool(cosine >= tile[3] * cone[_COSINE] - tile[4] * cone[_SINE])


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _limbs_in_tile(tile: Table, person: Table, seen: NDArray[np.int64]) -> int:
    """Which limbs a tile may see; how many."""
    count = 0
    if _cones_meet(tile, person[0]):
        for i in range(1, person.shape[0]):
            limb = int(person[i, _LIMB])
            if (count == 0 or seen[count - 1] != limb) and _cones_meet(tile, person[i]):
                seen[count] = limb
                count += 1
    return count


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _nearest_in_row(
    limbs: Table, seen: NDArray[np.int64], count: int,
    xs: Table, ys: Table, best: Table, which: NDArray[np.int32],
) -> None:  # fmt: skip
    """The nearest limb of each ray of a tile's row, where it lies before ``best``; -1 for none."""
    which[:] = -1
    for k in range(count):
        limb, number = limbs[seen[k]], np.int32(seen[k])
        ax, ay, az, bx, by, bz = limb[0], limb[1], limb[2], limb[3], limb[4], limb[5]
        bb, ba, rim, start_rim, end_rim = limb[_AXIS2], limb[_START_AXIS], limb[_RIM], limb[_START_RIM], limb[_END_RIM]
        for u in range(TILE_PX):
            x, y = xs[u], ys[u]
            dd = x * x + y * y + _ONE
            bd = bx * x + by * y + bz
            ad = -(ax * x + ay * y + az)
            # The endless cylinder around the limb ...
            a = max(bb * dd - bd * bd, _TINY)
            b = bb * ad - ba * bd
            h = b * b - a * rim
            t_side = (-b - math.sqrt(max(h, _ZERO))) / a
            along = ba + t_side * bd
            is_side = (along > _ZERO) & (along < bb)
            # ... and the ball at the end beyond which the ray meets it.
            is_start = along <= _ZERO
            b_end = ad if is_start else ad - bd
            h_end = b_end * b_end - dd * (start_rim if is_start else end_rim)
            t_end = (-b_end - math.sqrt(max(h_end, _ZERO))) / dd
            t = t_side if is_side else t_end
            is_hit = (h >= _ZERO) & (is_side | (h_end >= _ZERO)) & (t > _ZERO) & (t < best[u])
            best[u] = t if is_hit else best[u]
            which[u] = number if is_hit else which[u]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _load_row(rays: Rays, z_m: Table, v: int, u0: int, xs: Table, ys: Table, best: Table) -> int:
    """Copies one row of a tile; pixels beyond the image, or without a ray, get a limit of 0. Returns the width."""
    width: int = min(TILE_PX, rays.shape[2] - u0)
    for u in range(TILE_PX):
        inside = u < width
        xs[u] = rays[0, v, u0 + u] if inside else _ZERO
        ys[u] = rays[1, v, u0 + u] if inside else _ZERO
        best[u] = z_m[v, u0 + u] if inside else _ZERO
    return width


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _normals_in_row(limbs: Table, which: NDArray[np.int32], xs: Table, ys: Table, ts: Table, normals: Table) -> None:
    """Normals (3, TILE_PX), in the camera's frame, where a row's rays meet their limbs; anything where they miss."""
    for u in range(TILE_PX):
        limb = max(which[u], 0)
        x, y, t = xs[u], ys[u], ts[u]
        px, py, pz = x * t - limbs[limb, 0], y * t - limbs[limb, 1], t - limbs[limb, 2]
        bx, by, bz = limbs[limb, 3], limbs[limb, 4], limbs[limb, 5]
        along = (px * bx + py * by + pz * bz) / max(limbs[limb, _AXIS2], _TINY)
        along = min(max(along, _ZERO), _ONE)
        part = _ONE / limbs[limb, _RADIUS]
        normals[0, u] = (px - along * bx) * part
        normals[1, u] = (py - along * by) * part
        normals[2, u] = (pz - along * bz) * part


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _light_in_row(
    R: Table, o: Table, xs: Table, ys: Table, ts: Table, normals: Table, shadow: Table, light: Table, darker: Table
) -> None:
    """Light on each of a row's points, and how much of the floor's light the shadow leaves there."""
    for u in range(TILE_PX):
        x, y, t, cx, cy, cz = xs[u], ys[u], ts[u], normals[0, u], normals[1, u], normals[2, u]
        px = o[0] + t * (R[0, 0] * x + R[0, 1] * y + R[0, 2])
        py = o[1] + t * (R[1, 0] * x + R[1, 1] * y + R[1, 2])
        pz = o[2] + t * (R[2, 0] * x + R[2, 1] * y + R[2, 2])
        nx = R[0, 0] * cx + R[0, 1] * cy + R[0, 2] * cz
        ny = R[1, 0] * cx + R[1, 1] * cy + R[1, 2] * cz
        nz = R[2, 0] * cx + R[2, 1] * cy + R[2, 2] * cz
        total = _AMBIENT * (_THREE_QUARTERS + _QUARTER * nz)
        for lamp in _LAMPS:
            dx, dy, dz = lamp[0] - px, lamp[1] - py, lamp[2] - pz
            r2 = dx * dx + dy * dy + dz * dz
            cosine = (nx * dx + ny * dy + nz * dz) / math.sqrt(r2)
            total += lamp[3] * max(cosine, _ZERO) / (_ONE + r2)
        # Faint stripes: cloth gives matching something to hold on to.
        stripe = abs(pz * _STRIPES_PER_M - np.floor(pz * _STRIPES_PER_M) - _HALF)
        light[u] = math.sqrt(total * (_ONE - _HALF * stripe))
        off2 = ((px - shadow[0]) ** 2 + (py - shadow[1]) ** 2) / (shadow[2] * shadow[2])
        depth = max(_ONE - off2, _ZERO)
        darker[u] = math.sqrt(_ONE - _HALF * depth * depth) if pz < _FLOOR_SKIN_M else _ONE


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def paint_person(
    rays: Rays,
    cones: Cones,
    z_m: Table,
    R: Matrix,
    o: Matrix,
    capsules: Table,
    shadow: Table,
    codes: NDArray[np.uint8],
    tone: NDArray[np.uint8],
    image: NDArray[np.uint8],
) -> None:
    """Paints the person, and her shadow on the floor, over the still color image.

    Args:
        rays: (2, H, W) of this camera, see ``lens``.
        cones: of the rays' tiles.
        z_m: (H, W) depth of what does not move; 0 where there is no ray.
        R: (3, 3) rotation of T_stage_cam.
        o: (3,) translation of T_stage_cam, metres.
        capsules: (N, 11) in the stage, see ``scene.Person``.
        shadow: (3,) its middle on the floor and its radius, metres.
        codes: (H, W, 3) the still image: square roots of linear light, 255 = ``CODE_RANGE``.
        tone: (3, 256): what becomes of a code in each channel.
        image: in and out (H, W, 3).
    """
    limbs = np.empty((capsules.shape[0], _LIMB_COLUMNS), np.float32)
    _limbs_in_camera(capsules, R, o, limbs)
    person = _cones_around(limbs)
    # What does not change over a limb: the square root of its color, as a code.
    paint = np.sqrt(capsules[:, 7:10] / np.float32(CODE_RANGE)) * np.float32(255)
    seen, which = np.empty(capsules.shape[0], np.int64), np.empty(TILE_PX, np.int32)
    xs, ys, ts = np.empty(TILE_PX, np.float32), np.empty(TILE_PX, np.float32), np.empty(TILE_PX, np.float32)
    normals = np.empty((3, TILE_PX), np.float32)
    light, darker = np.empty(TILE_PX, np.float32), np.empty(TILE_PX, np.float32)
    ground = _cone_around_shadow(R, o, shadow)
    R32, o32 = R.astype(np.float32), o.astype(np.float32)
    for row in range(cones.shape[0]):
        for column in range(cones.shape[1]):
            count = _limbs_in_tile(cones[row, column], person, seen)
            is_shaded = _cones_meet(cones[row, column], ground)
            if count == 0 and not is_shaded:
                continue
            u0 = column * TILE_PX
            for v in range(row * TILE_PX, min((row + 1) * TILE_PX, rays.shape[1])):
                width = _load_row(rays, z_m, v, u0, xs, ys, ts)
                _nearest_in_row(limbs, seen, count, xs, ys, ts, which)
                if not is_shaded and which.max() < 0:
                    continue
                _normals_in_row(limbs, which, xs, ys, ts, normals)
                _light_in_row(R32, o32, xs, ys, ts, normals, shadow, light, darker)
                for u in range(width):
                    if which[u] >= 0:
                        for channel in range(3):
                            code = min(paint[which[u], channel] * light[u], np.float32(255.0))
                            image[v, u0 + u, channel] = tone[channel, int(code)]
                    elif darker[u] < _ONE and ts[u] > _ZERO:
                        for channel in range(3):
                            image[v, u0 + u, channel] = tone[channel, int(codes[v, u0 + u, channel] * darker[u])]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def trace_person(
    rays: Rays, cones: Cones, R: Matrix, o: Matrix, capsules: Table, z_m: Table, reflection: Table
) -> None:
    """Puts the person into a depth camera's exact depth.

    Args:
        rays: as for ``paint_person``.
        cones: see there.
        R: see there.
        o: see there.
        capsules: see there.
        z_m: in and out (H, W) metres.
        reflection: in and out (H, W).
    """
    limbs = np.empty((capsules.shape[0], _LIMB_COLUMNS), np.float32)
    _limbs_in_camera(capsules, R, o, limbs)
    person = _cones_around(limbs)
    seen, which = np.empty(capsules.shape[0], np.int64), np.empty(TILE_PX, np.int32)
    xs, ys, ts = np.empty(TILE_PX, np.float32), np.empty(TILE_PX, np.float32), np.empty(TILE_PX, np.float32)
    normals = np.empty((3, TILE_PX), np.float32)
    for row in range(cones.shape[0]):
        for column in range(cones.shape[1]):
            count = _limbs_in_tile(cones[row, column], person, seen)
            if count == 0:
                continue
            u0 = column * TILE_PX
            for v in range(row * TILE_PX, min((row + 1) * TILE_PX, rays.shape[1])):
                width = _load_row(rays, z_m, v, u0, xs, ys, ts)
                _nearest_in_row(limbs, seen, count, xs, ys, ts, which)
                if which.max() < 0:
                    continue
                _normals_in_row(limbs, which, xs, ys, ts, normals)
                for u in range(width):
                    if which[u] >= 0:
                        cosine = -(normals[0, u] * xs[u] + normals[1, u] * ys[u] + normals[2, u])
                        cosine /= math.sqrt(xs[u] * xs[u] + ys[u] * ys[u] + _ONE)
                        z_m[v, u0 + u] = ts[u]
                        reflection[v, u0 + u] = capsules[which[u], 10] * max(cosine, _ZERO)
