"""Compiled: traces everything that does not move, once for each camera and mode, tile by tile of the image.

Functions that hand several numbers back for every ray are inlined: as calls they took half of the time.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.devices.sim.lens import NO_RAY, TILE_PX, Cones, Rays, cone_meets_ball
from genlock.devices.sim.shading import AMBIENT, LIGHTS, grain, hash01, light_of_lamp

__all__ = ["CODE_RANGE", "trace_still_color", "trace_still_depth"]

CODE_RANGE = 1.5
"""Linear light that the code 255 stands for. Codes are square roots of light, as an eye would have them."""

Row = NDArray[np.float64]
Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

# What a ray hits.
_FLOOR, _WALL, _BOX, _SPHERE = 1, 2, 3, 4
_CEILING = 4
_FAR_M = 1e9

# Two neighbours that differ by more than this many codes lie on an edge.
_EDGE_CODES = 24

# The tower's lamps on each of its sides.
_LAMP_ROWS, _LAMP_COLUMNS = 4, 3
_LAMP_PITCH_M, _LAMP_RADIUS_M, _LAMP_TOP_M = 0.085, 0.032, 2.20


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _hit_box(box: Row, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float) -> tuple[float, int]:
    """Entry distance into a box turned about z, and its face: 1, 2, 3 for x, y, z, negative on the low side."""
    c, s = box[6], box[7]
    px, py, pz = ox - box[0], oy - box[1], oz - box[2]
    near, far, face = -_FAR_M, _FAR_M, 0
    for axis in range(3):
        p = c * px + s * py if axis == 0 else (c * py - s * px if axis == 1 else pz)
        e = c * dx + s * dy if axis == 0 else (c * dy - s * dx if axis == 1 else dz)
        half = box[3 + axis]
        if abs(e) < 1e-9:
            e = 1e-9
        a, b = (-half - p) / e, (half - p) / e
        if min(a, b) > near:
            near, face = min(a, b), axis + 1 if e < 0 else -axis - 1
        far = min(far, max(a, b))
    if near > far or near <= 1e-4:
        return _FAR_M, 0
    return near, face


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _hit_sphere(sphere: Row, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float) -> float:
    px, py, pz = ox - sphere[0], oy - sphere[1], oz - sphere[2]
    a = dx * dx + dy * dy + dz * dz
    b = px * dx + py * dy + pz * dz
    h = b * b - a * (px * px + py * py + pz * pz - sphere[3] * sphere[3])
    if h < 0:
        return _FAR_M
    t = (-b - math.sqrt(h)) / a
    return t if t > 1e-4 else _FAR_M


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _passes_ball(cx: float, cy: float, cz: float, r2: float, dx: float, dy: float, dz: float, d2: float) -> bool:
    """Whether a line from the origin along d, d2 long squared, stays clear of a ball."""
    along = cx * dx + cy * dy + cz * dz
    away2 = cx * cx + cy * cy + cz * cz - r2
    return away2 > 0.0 and (along <= 0.0 or away2 * d2 > along * along)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _is_shadowed(boxes: Table, spheres: Table, px: float, py: float, pz: float, lamp: tuple[float, ...]) -> bool:
    dx, dy, dz = lamp[0] - px, lamp[1] - py, lamp[2] - pz
    for i in range(spheres.shape[0]):
        if _hit_sphere(spheres[i], px, py, pz, dx, dy, dz) < 1:
            return True
    d2 = dx * dx + dy * dy + dz * dz
    for i in range(boxes.shape[0]):
        # A ball around the box first: it is missed nearly always, at a fraction of the price.
        r2 = boxes[i, 3] * boxes[i, 3] + boxes[i, 4] * boxes[i, 4] + boxes[i, 5] * boxes[i, 5]
        if _passes_ball(boxes[i, 0] - px, boxes[i, 1] - py, boxes[i, 2] - pz, r2, dx, dy, dz, d2):
            continue
        if _hit_box(boxes[i], px, py, pz, dx, dy, dz)[0] < 1:
            return True
    return False


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True)
def _hit_room(
    room: Row, ox: float, oy: float, oz: float, dx: float, dy: float, dz: float
) -> tuple[float, int, int, float, float, float]:
    """The room's nearest side from within; ``room`` is half its width and its height."""
    t, what, which = _FAR_M, _FLOOR, 0
    nx, ny, nz = 0.0, 0.0, 1.0
    if dz < 0:
        t = -oz / dz
    elif dz > 0:
        t, what, which, nz = (room[1] - oz) / dz, _WALL, _CEILING, -1.0
    if dx != 0:
        wall = (math.copysign(room[0], dx) - ox) / dx
        if wall < t:
            t, what, which = wall, _WALL, 0 if dx > 0 else 1
            nx, ny, nz = -math.copysign(1.0, dx), 0.0, 0.0
    if dy != 0:
        wall = (math.copysign(room[0], dy) - oy) / dy
        if wall < t:
            t, what, which = wall, _WALL, 2 if dy > 0 else 3
            nx, ny, nz = 0.0, -math.copysign(1.0, dy), 0.0
    return t, what, which, nx, ny, nz


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True)
def _hit_still(
    room: Row, boxes: Table, spheres: Table, near: Numbers,
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float,
) -> tuple[float, int, int, float, float, float]:  # fmt: skip
    """The nearest thing that does not move: distance, what, which, and its normal. ``near`` says what to try."""
    t, what, which, nx, ny, nz = _hit_room(room, ox, oy, oz, dx, dy, dz)
    for i in near:
        if i < boxes.shape[0]:
            hit, face = _hit_box(boxes[i], ox, oy, oz, dx, dy, dz)
            if hit < t:
                t, what, which = hit, _BOX, i
                c, s, sign = boxes[i, 6], boxes[i, 7], 1.0 if face > 0 else -1.0
                if abs(face) == 1:
                    nx, ny, nz = sign * c, sign * s, 0.0
                elif abs(face) == 2:
                    nx, ny, nz = -sign * s, sign * c, 0.0
                else:
                    nx, ny, nz = 0.0, 0.0, sign
        else:
            k = i - boxes.shape[0]
            hit = _hit_sphere(spheres[k], ox, oy, oz, dx, dy, dz)
            if hit < t:
                t, what, which, r = hit, _SPHERE, k, spheres[k, 3]
                nx = (ox + hit * dx - spheres[k, 0]) / r
                ny = (oy + hit * dy - spheres[k, 1]) / r
                nz = (oz + hit * dz - spheres[k, 2]) / r
    return t, what, which, nx, ny, nz


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _floor_color(x: float, y: float) -> tuple[float, float, float, float]:
    """Tiles of half a metre, each a little different, with dark joints; r, g, b and reflected laser light."""
    tx, ty = math.floor(x * 2), math.floor(y * 2)
    u, v = x * 2 - tx, y * 2 - ty
    if min(min(u, 1 - u), min(v, 1 - v)) < 0.012:
        return 0.12, 0.12, 0.12, 0.40
    shade = 0.20 if (tx + ty) % 2 == 0 else 0.36
    shade *= 0.80 + 0.25 * hash01(tx, ty, 7) + 0.20 * grain(x * 25, y * 25, 1)
    return shade * 1.02, shade * 0.98, shade * 0.92, 0.35 + shade * 0.5


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _wall_color(which: int, along: float, z: float) -> tuple[float, float, float, float]:
    """Four walls of different paint with a row of pictures each, and a white ceiling."""
    if which == _CEILING:
        return 0.62, 0.62, 0.60, 0.6
    tint = 0.9 + 0.15 * grain(along * 12, z * 12, which)
    if z < 0.12:
        return 0.18 * tint, 0.16 * tint, 0.15 * tint, 0.4
    panel = math.floor(along / 0.8)
    u = along / 0.8 - panel
    # A picture in every panel, made of colored fields.
    if 0.15 < u < 0.85 and 1.0 < z < 1.9:
        cell_u, cell_z, seed = int((u - 0.15) / 0.7 * 4), int((z - 1.0) / 0.9 * 5), panel * 31 + which * 7
        r = 0.05 + 0.65 * hash01(cell_u, cell_z, seed) ** 2
        g = 0.05 + 0.65 * hash01(cell_u, cell_z, seed + 1) ** 2
        return r, g, 0.05 + 0.65 * hash01(cell_u, cell_z, seed + 2) ** 2, 0.5
    if which == 0:
        return 0.50 * tint, 0.36 * tint, 0.22 * tint, 0.6
    if which == 1:
        return 0.22 * tint, 0.34 * tint, 0.46 * tint, 0.6
    if which == 2:
        return 0.28 * tint, 0.42 * tint, 0.26 * tint, 0.6
    return 0.44 * tint, 0.30 * tint, 0.40 * tint, 0.6


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _box_color(
    box: Row, px: float, py: float, pz: float, nx: float, ny: float, nz: float
) -> tuple[float, float, float, float]:
    """The box's own color with a fine chequer, so that a surface has something to hold on to."""
    c, s = box[6], box[7]
    lx = c * (px - box[0]) + s * (py - box[1])
    ly = c * (py - box[1]) - s * (px - box[0])
    across = lx if abs(ny * c - nx * s) > 0.7 or abs(nz) > 0.7 else ly
    along = ly if abs(nz) > 0.7 else pz
    shade = 0.82 + 0.22 * grain(across * 20, along * 20, 5)
    if (math.floor(across * 8) + math.floor(along * 8)) % 2 == 0:
        shade *= 0.82
    return box[8] * shade, box[9] * shade, box[10] * shade, box[11]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _lamp_on_tower(tower: Row, px: float, py: float, pz: float, nx: float, ny: float, nz: float) -> int:
    """Which of the tower's lamps this point of its surface belongs to; -1 for none."""
    across = (py - tower[1]) * nx - (px - tower[0]) * ny
    row = math.floor((_LAMP_TOP_M - pz) / _LAMP_PITCH_M)
    column = math.floor(across / _LAMP_PITCH_M + _LAMP_COLUMNS / 2)
    if abs(nz) > 0.5 or row < 0 or row >= _LAMP_ROWS or column < 0 or column >= _LAMP_COLUMNS:
        return -1
    off_z = _LAMP_TOP_M - (row + 0.5) * _LAMP_PITCH_M - pz
    off_across = (column + 0.5 - _LAMP_COLUMNS / 2) * _LAMP_PITCH_M - across
    if off_z * off_z + off_across * off_across > _LAMP_RADIUS_M * _LAMP_RADIUS_M:
        return -1
    return int(row * _LAMP_COLUMNS + column)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _find_near(cone: NDArray[np.float32], R: Table, o: Row, boxes: Table, spheres: Table, room_for: Numbers) -> Numbers:
    """Numbers of what a tile may see: boxes, and balls after them."""
    count = 0
    for i in range(room_for.shape[0]):
        if i < boxes.shape[0]:
            x, y, z = boxes[i, 0] - o[0], boxes[i, 1] - o[1], boxes[i, 2] - o[2]
            radius = math.sqrt(boxes[i, 3] ** 2 + boxes[i, 4] ** 2 + boxes[i, 5] ** 2)
        else:
            k = i - boxes.shape[0]
            x, y, z, radius = spheres[k, 0] - o[0], spheres[k, 1] - o[1], spheres[k, 2] - o[2], spheres[k, 3]
        cx = R[0, 0] * x + R[1, 0] * y + R[2, 0] * z
        cy = R[0, 1] * x + R[1, 1] * y + R[2, 1] * z
        cz = R[0, 2] * x + R[1, 2] * y + R[2, 2] * z
        if cone_meets_ball(cone, cx, cy, cz, radius):
            room_for[count] = i
            count += 1
    return room_for[:count]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", forceinline=True)
def _surface(
    what: int, which: int, boxes: Table, spheres: Table,
    px: float, py: float, pz: float, nx: float, ny: float, nz: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    if what == _FLOOR:
        return _floor_color(px, py)
    if what == _WALL:
        return _wall_color(which, py if abs(nx) > 0.5 else px, pz)
    if what == _BOX:
        return _box_color(boxes[which], px, py, pz, nx, ny, nz)
    return spheres[which, 4], spheres[which, 5], spheres[which, 6], spheres[which, 7]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _radiance(
    x: float, y: float, R: Table, o: Row, room: Row, boxes: Table, spheres: Table, near: Numbers
) -> tuple[float, float, float, float, int]:
    """Linear light along one ray: r, g, b; the depth there, and the tower's lamp or -1."""
    dx = R[0, 0] * x + R[0, 1] * y + R[0, 2]
    dy = R[1, 0] * x + R[1, 1] * y + R[1, 2]
    dz = R[2, 0] * x + R[2, 1] * y + R[2, 2]
    t, what, which, nx, ny, nz = _hit_still(room, boxes, spheres, near, o[0], o[1], o[2], dx, dy, dz)
    px, py, pz = o[0] + t * dx, o[1] + t * dy, o[2] + t * dz
    r, g, b, _ = _surface(what, which, boxes, spheres, px, py, pz, nx, ny, nz)
    light = AMBIENT * (0.75 + 0.25 * nz)
    for lamp in LIGHTS:
        gain = light_of_lamp(lamp, px, py, pz, nx, ny, nz)
        # Things stand on the floor, away from the walls: these see no shadow. The point is lifted a hair above its
        # surface, or it would lie in its own.
        if gain > 0 and (
            what == _WALL or not _is_shadowed(boxes, spheres, px + 1e-3 * nx, py + 1e-3 * ny, pz + 1e-3 * nz, lamp)
        ):
            light += gain
    lamp_number = _lamp_on_tower(boxes[0], px, py, pz, nx, ny, nz) if what == _BOX and which == 0 else -1
    return r * light, g * light, b * light, t, lamp_number


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _mean_radiance(
    rays: Rays, v: int, u: int, R: Table, o: Row, room: Row, boxes: Table, spheres: Table, near: Numbers
) -> tuple[float, float, float]:
    """Linear light of a pixel as the mean of four rays."""
    x, y = float(rays[0, v, u]), float(rays[1, v, u])
    across_x, across_y = (rays[0, v, u + 1] - x) * 0.25, (rays[1, v, u + 1] - y) * 0.25
    down_x, down_y = (rays[0, v + 1, u] - x) * 0.25, (rays[1, v + 1, u] - y) * 0.25
    mean_r, mean_g, mean_b = 0.0, 0.0, 0.0
    for i in (-1, 1):
        for k in (-1, 1):
            fine_x, fine_y = x + i * across_x + k * down_x, y + i * across_y + k * down_y
            r, g, b, _, _ = _radiance(fine_x, fine_y, R, o, room, boxes, spheres, near)
            mean_r, mean_g, mean_b = mean_r + 0.25 * r, mean_g + 0.25 * g, mean_b + 0.25 * b
    return mean_r, mean_g, mean_b


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _code(light: float) -> int:
    """The code of this much linear light."""
    return int(255 * math.sqrt(min(light / CODE_RANGE, 1.0)))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _is_edge(codes: NDArray[np.uint8], v: int, u: int) -> bool:
    """Whether a pixel differs from a neighbour."""
    here = np.int64(codes[v, u, 1])  # signed: the difference of two bytes may be negative
    right, below = min(u + 1, codes.shape[1] - 1), min(v + 1, codes.shape[0] - 1)
    steps = max(abs(np.int64(codes[v, right, 1]) - here), abs(np.int64(codes[below, u, 1]) - here))
    steps = max(steps, abs(np.int64(codes[v, max(u - 1, 0), 1]) - here))
    return bool(max(steps, abs(np.int64(codes[max(v - 1, 0), u, 1]) - here)) > _EDGE_CODES)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def trace_still_color(
    rays: Rays,
    cones: Cones,
    R: Table,
    o: Row,
    room: Row,
    boxes: Table,
    spheres: Table,
    z_m: NDArray[np.float32],
    codes: NDArray[np.uint8],
    lamps: NDArray[np.int8],
) -> None:
    """Fills the color camera's still image; pixels on edges are the mean of four rays.

    Args:
        rays: (2, H, W), see ``lens``.
        cones: of the rays' tiles.
        R: (3, 3) rotation of T_stage_cam.
        o: (3,) translation of T_stage_cam, metres.
        room: (2,) half of the room's width, its height, metres.
        boxes: (N, 12) as in ``Scene``.
        spheres: (N, 8) as in ``Scene``.
        z_m: out (H, W), depth; 0 where there is no ray.
        codes: out (H, W, 3), square roots of linear light, 255 = ``CODE_RANGE``.
        lamps: out (H, W), the tower's lamp seen, -1 for none.
    """
    room_for = np.empty(boxes.shape[0] + spheres.shape[0], np.int64)
    height, width = z_m.shape
    is_edge = np.zeros((height, width), np.bool_)
    for refines in (False, True):
        for row in range(cones.shape[0]):
            for column in range(cones.shape[1]):
                near = _find_near(cones[row, column], R, o, boxes, spheres, room_for)
                for v in range(row * TILE_PX, min((row + 1) * TILE_PX, height)):
                    for u in range(column * TILE_PX, min((column + 1) * TILE_PX, width)):
                        r, g, b = 0.0, 0.0, 0.0
                        if not refines:
                            x, y = float(rays[0, v, u]), float(rays[1, v, u])
                            t, lamp = 0.0, -1
                            if x < NO_RAY:
                                r, g, b, t, lamp = _radiance(x, y, R, o, room, boxes, spheres, near)
                            z_m[v, u], lamps[v, u] = t, lamp
                        elif is_edge[v, u] and u + 1 < width and v + 1 < height:
                            r, g, b = _mean_radiance(rays, v, u, R, o, room, boxes, spheres, near)
                        else:
                            continue
                        codes[v, u, 0], codes[v, u, 1], codes[v, u, 2] = _code(r), _code(g), _code(b)
        for v in range(height):
            for u in range(width):
                is_edge[v, u] = rays[0, v, u] < NO_RAY and _is_edge(codes, v, u)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def trace_still_depth(
    rays: Rays,
    cones: Cones,
    R: Table,
    o: Row,
    room: Row,
    boxes: Table,
    spheres: Table,
    z_m: NDArray[np.float32],
    reflection: NDArray[np.float32],
) -> None:
    """Fills a depth camera's exact depth and what it reflects; arguments as for ``trace_still_color``.

    Args:
        rays: see there.
        cones: see there.
        R: see there.
        o: see there.
        room: see there.
        boxes: see there.
        spheres: see there.
        z_m: out (H, W), depth; 0 where there is no ray.
        reflection: out (H, W), part of the laser's light that is thrown back, by material and angle.
    """
    room_for = np.empty(boxes.shape[0] + spheres.shape[0], np.int64)
    height, width = z_m.shape
    for row in range(cones.shape[0]):
        for column in range(cones.shape[1]):
            near = _find_near(cones[row, column], R, o, boxes, spheres, room_for)
            for v in range(row * TILE_PX, min((row + 1) * TILE_PX, height)):
                for u in range(column * TILE_PX, min((column + 1) * TILE_PX, width)):
                    x, y = float(rays[0, v, u]), float(rays[1, v, u])
                    z_m[v, u], reflection[v, u] = 0.0, 0.0
                    if x == NO_RAY:
                        continue
                    dx = R[0, 0] * x + R[0, 1] * y + R[0, 2]
                    dy = R[1, 0] * x + R[1, 1] * y + R[1, 2]
                    dz = R[2, 0] * x + R[2, 1] * y + R[2, 2]
                    t, what, which, nx, ny, nz = _hit_still(room, boxes, spheres, near, o[0], o[1], o[2], dx, dy, dz)
                    px, py, pz = o[0] + t * dx, o[1] + t * dy, o[2] + t * dz
                    _, _, _, ir = _surface(what, which, boxes, spheres, px, py, pz, nx, ny, nz)
                    cosine = -(nx * dx + ny * dy + nz * dz) / math.sqrt(dx * dx + dy * dy + dz * dz)
                    z_m[v, u], reflection[v, u] = t, ir * max(cosine, 0.0)
