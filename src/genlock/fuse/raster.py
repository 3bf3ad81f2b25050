"""Compiled: a depth image drawn into another camera, as a surface, by the rules of the closed depth engine.

Every depth pixel is a vertex; every 2 x 2 block of them a quad of two triangles. A block with one reading missing is
the one triangle that is left, one with more is left out, and so is one that bridges an edge (its depths differ by more
than 4.69 %). A pixel of the target lies inside a triangle or not, its depth is interpolated, the nearest surface wins.

The rules are those that the SDK's own fallback shows (Azure Kinect Sensor SDK 1.4, ``rgbz.c``); agreement with the
engine itself is measured in ``tests/conformance/test_transforms.py``. Surfaces seen from behind are left out.

A quad covers few pixels, so vectors run across quads. Of 32 neighbours in a row the first pixel of every one's box is
computed, then the second of every one's, as far as the largest box goes: loops without branches over memory that lies
side by side, of which the compiler makes vector instructions. A plain loop then draws what they found. A quad that is
much larger than its neighbours would make all 32 as slow as itself; it is cut in 32 pieces, which are drawn together.

The sign of ``(v - m_v) * (n_u - m_u) - (u - m_u) * (n_v - m_v)`` tells on which side of the line from m to n the pixel
(u, v) lies; its first product is the same for a whole row of pixels. Both quads at a line take the same m and n, so
that a pixel on it belongs to exactly one of them. Depth over a triangle is a plane through the quad's top left corner.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.fuse.lens import Lens, RayTable, project_point

__all__ = ["draw_depth"]

DepthImage = NDArray[np.uint16]  # (H, W), mm, 0 = no reading
Flat = NDArray[np.uint16]  # (H * W,), the same memory
Translation = NDArray[np.float32]  # (3,), mm
Vertices = NDArray[np.float32]  # (3, W): u, v, z in mm; z = 0 where there is none
Quads = NDArray[np.float32]  # (_FIELDS * 32,): the fields below, each of 32 quads
Numbers = NDArray[np.int32]  # (N * 32,): N for each of 32 quads
Aside = NDArray[np.float32]  # (32, _FIELDS): quads one by one
Corners = tuple[np.float32, np.float32, np.float32, np.float32]  # top left, top right, bottom right, bottom left

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
# A block whose depths differ by more than this part of the smallest bridges an edge.
_EDGE_RATIO = np.float32(0.04693441759)
# While drawing, nothing is the farthest there is: the nearest surface is the smallest number.
_NOTHING = np.uint16(65535)

_COUNT = 32
_LANES = np.uint64(_COUNT)  # unsigned: a negative index would mean one from the end
# A box of pixels, ends exclusive. X_END_HERE: in the row of pixels at hand, 0 where the box does not reach it.
_X, _X_END, _Y, _Y_END, _X_END_HERE = (np.uint64(k * _COUNT) for k in range(5))
# Lines: where m is, n - m, and the first product for the row at hand.
_M_U, _M_V, _DU, _DV, _HERE = (np.uint64(k * _COUNT) for k in range(5))
_DIAGONAL, _LEFT, _RIGHT, _TOP, _BOTTOM = (np.uint64(k * _COUNT) for k in range(5, 30, 5))
# Planes of the lower left and of the upper right triangle: mm a pixel, and z in the row at hand, at the corner's u.
_ALONG_U, _ALONG_V, _Z_HERE = (np.uint64(k * _COUNT) for k in range(3))
_LOWER, _UPPER = (np.uint64(k * _COUNT) for k in range(30, 36, 3))
_CORNER_Z = np.uint64(36 * _COUNT)
_FIELDS = 37


@njit(cache=True, nogil=True, error_model="numpy")
def draw_depth(depth: DepthImage, rays: RayTable, translation_mm: Translation, lens: Lens, out: DepthImage) -> None:
    """Draws ``depth`` into ``out``, whatever was there before.

    Args:
        depth: (h, w), mm, 0 = no reading.
        rays: (3, h, w), turned into the target's frame.
        translation_mm: (3,), the depth camera's origin in the target's frame.
        lens: the target's.
        out: (H, W), without gaps in memory; mm along the target's z, 0 = nothing there.
    """
    height, width = depth.shape
    # Past the last vertex there are none, so that the last 32 quads are 32 as well.
    vertices = np.zeros((2, 3, (width // _COUNT + 1) * _COUNT + 1), dtype=np.float32)
    quads = np.empty(_FIELDS * _COUNT, dtype=np.float32)
    aside = np.empty((_COUNT, _FIELDS), dtype=np.float32)
    starts = np.empty(_COUNT, dtype=np.int32)
    found = np.empty(out.shape[1] * _COUNT, dtype=np.int32)
    flat = out.reshape(-1)
    cleared = 0
    for row in range(height):
        below, above = row & 1, 1 - (row & 1)
        lowest = _place_vertices(depth, rays, row, translation_mm, lens, out.shape[0], vertices[below])
        # Not the whole image at the start: what is cleared now is in the cache when it is drawn into.
        if lowest > cleared:
            flat[cleared * out.shape[1] : lowest * out.shape[1]] = _NOTHING
            cleared = lowest
        if row > 0:
            _draw_row(vertices[above], vertices[below], width - 1, out.shape, quads, aside, starts, found, flat)
    drawn = flat[: cleared * out.shape[1]]
    for i in range(drawn.shape[0]):
        drawn[i] = drawn[i] if drawn[i] != _NOTHING else np.uint16(0)
    flat[cleared * out.shape[1] :] = 0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _place_vertices(
    depth: DepthImage,
    rays: RayTable,
    row: int,
    translation_mm: Translation,
    lens: Lens,
    image_height: int,
    vertices: Vertices,
) -> int:
    """Projects a row of the depth image; returns the row of pixels that all of it lies before."""
    d, a, b, c = depth[row], rays[0, row], rays[1, row], rays[2, row]
    us, vs, zs = vertices[0], vertices[1], vertices[2]
    tx, ty, tz = translation_mm[0], translation_mm[1], translation_mm[2]
    end, lowest = np.float32(image_height), np.int32(0)
    for i in range(d.shape[0]):
        mm = np.float32(d[i])
        Z = c[i] * mm + tz
        u, v, is_valid = project_point(a[i] * mm + tx, b[i] * mm + ty, Z, lens)
        # NaN, which is not itself, comes of a pixel without a ray and of a lens beyond all bounds.
        is_vertex = is_valid & (d[i] != 0) & (u + v == u + v)
        u, v = u if is_vertex else _ZERO, v if is_vertex else _ZERO
        us[i], vs[i], zs[i] = u, v, Z if is_vertex else _ZERO
        lowest = max(lowest, np.int32(min(np.ceil(v), end)))
    return int(lowest)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw_row(
    top: Vertices,
    bottom: Vertices,
    count: int,
    size: tuple[int, int],
    quads: Quads,
    aside: Aside,
    starts: Numbers,
    found: Numbers,
    flat: Flat,
) -> None:
    for first in range(0, count, _COUNT):
        columns, rows, limit = _make_quads(top, bottom, first, size, quads)
        large = 0
        if max(columns, rows) > limit:
            large, columns, rows = _set_aside(limit, quads, aside)
        for turn in range(large + 1):
            if turn > 0:
                columns, rows = _cut(turn - 1, quads, aside)
            _place_boxes(columns, rows, size, quads, starts)
            for y in range(rows):
                _enter_row(y, quads)
                for x in range(columns):
                    _find_depths(x, quads, found)
                for x in range(np.uint64(columns)):
                    pixel = np.uint64(y * size[1]) + x
                    for lane in range(_LANES):
                        at = np.uint64(starts[lane]) + pixel
                        flat[at] = np.uint16(min(np.int32(flat[at]), found[x * _LANES + lane]))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _make_quads(
    top: Vertices, bottom: Vertices, first: int, size: tuple[int, int], quads: Quads
) -> tuple[int, int, int]:
    """Makes 32 quads; returns how many columns and rows the largest boxes have, and how many are not too many."""
    columns, rows, drawn, sides = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
    for lane in range(_LANES):
        i, j = np.uint64(first) + lane, np.uint64(first) + lane + np.uint64(1)
        tl, tr, br, bl = top[2, i] > _ZERO, top[2, j] > _ZERO, bottom[2, j] > _ZERO, bottom[2, i] > _ZERO
        tl_u, tr_u, br_u, bl_u = _complete(top[0, i], top[0, j], bottom[0, j], bottom[0, i], tl, tr, br, bl)
        tl_v, tr_v, br_v, bl_v = _complete(top[1, i], top[1, j], bottom[1, j], bottom[1, i], tl, tr, br, bl)
        tl_z, tr_z, br_z, bl_z = _complete(top[2, i], top[2, j], bottom[2, j], bottom[2, i], tl, tr, br, bl)
        readings = np.int32(tl) + np.int32(tr) + np.int32(br) + np.int32(bl)
        near, far = min(min(tl_z, tr_z), min(bl_z, br_z)), max(max(tl_z, tr_z), max(bl_z, br_z))
        _set_line(tl_u, tl_v, br_u, br_v, _DIAGONAL, lane, quads)
        _set_line(bl_u, bl_v, tl_u, tl_v, _LEFT, lane, quads)
        _set_line(br_u, br_v, tr_u, tr_v, _RIGHT, lane, quads)
        _set_line(tr_u, tr_v, tl_u, tl_v, _TOP, lane, quads)
        _set_line(br_u, br_v, bl_u, bl_v, _BOTTOM, lane, quads)
        quads[_CORNER_Z + lane] = tl_z
        du, dv, dz = br_u - tl_u, br_v - tl_v, br_z - tl_z
        lower = _set_plane(du, dv, dz, bl_u - tl_u, bl_v - tl_v, bl_z - tl_z, _LOWER, lane, quads)
        upper = _set_plane(du, dv, dz, tr_u - tl_u, tr_v - tl_v, tr_z - tl_z, _UPPER, lane, quads)
        x, x_end = _span(tl_u, tr_u, br_u, bl_u, size[1])
        y, y_end = _span(tl_v, tr_v, br_v, bl_v, size[0])
        is_surface = (readings >= 3) & (far - near <= _EDGE_RATIO * near) & ((lower > _ZERO) | (upper < _ZERO))
        is_drawn = is_surface & (x_end > x) & (y_end > y)
        x_end, y_end = x_end if is_drawn else x, y_end if is_drawn else y
        quads[_X + lane], quads[_X_END + lane], quads[_Y + lane], quads[_Y_END + lane] = x, x_end, y, y_end
        w, h = np.int32(x_end - x), np.int32(y_end - y)
        columns, rows = max(columns, w), max(rows, h)
        drawn, sides = np.int32(drawn + np.int32(is_drawn)), np.int32(sides + w + h)
    return int(columns), int(rows), int(sides) // max(int(drawn), 1) + 1  # twice the mean side, and one


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _set_aside(limit: int, quads: Quads, aside: Aside) -> tuple[int, int, int]:
    """Takes out the quads with a side above the limit; returns how many, and the largest box of the others."""
    count, columns, rows = 0, 0, 0
    for lane in range(_LANES):
        w, h = int(quads[_X_END + lane] - quads[_X + lane]), int(quads[_Y_END + lane] - quads[_Y + lane])
        if max(w, h) <= limit:
            columns, rows = max(columns, w), max(rows, h)
            continue
        for field in range(_FIELDS):
            aside[count, field] = quads[np.uint64(field * _COUNT) + lane]
        quads[_X_END + lane], quads[_Y_END + lane] = quads[_X + lane], quads[_Y + lane]
        count += 1
    return count, columns, rows


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _cut(number: int, quads: Quads, aside: Aside) -> tuple[int, int]:
    """Makes the 32 quads all the same one, and their boxes slices of its box; returns a slice's columns and rows."""
    for field in range(_FIELDS):
        for lane in range(_LANES):
            quads[np.uint64(field * _COUNT) + lane] = aside[number, field]
    columns, rows = int(quads[_X_END] - quads[_X]), int(quads[_Y_END] - quads[_Y])
    step_x, step_y = 0, 0
    if columns >= rows:
        columns = step_x = (columns + _COUNT - 1) // _COUNT
    else:
        rows = step_y = (rows + _COUNT - 1) // _COUNT
    for lane in range(_LANES):
        x, y = quads[_X + lane] + np.float32(step_x * lane), quads[_Y + lane] + np.float32(step_y * lane)
        quads[_X + lane], quads[_X_END + lane] = x, min(quads[_X_END + lane], x + np.float32(columns))
        quads[_Y + lane], quads[_Y_END + lane] = y, min(quads[_Y_END + lane], y + np.float32(rows))
    return columns, rows


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _place_boxes(columns: int, rows: int, size: tuple[int, int], quads: Quads, starts: Numbers) -> None:
    """Finds every box's first pixel. All are gone through alike; one at a far border begins earlier for that."""
    last_x, last_y = np.float32(size[1] - columns), np.float32(size[0] - rows)
    for lane in range(_LANES):
        x, y = min(quads[_X + lane], last_x), min(quads[_Y + lane], last_y)
        quads[_X + lane], quads[_Y + lane] = x, y
        starts[lane] = np.int32(np.int32(y) * np.int32(size[1]) + np.int32(x))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _complete(
    tl: np.float32, tr: np.float32, br: np.float32, bl: np.float32,
    has_tl: np.bool_, has_tr: np.bool_, has_br: np.bool_, has_bl: np.bool_,
) -> Corners:  # fmt: skip
    """u, v or z of the corners, where one is missing the surface of the three others."""
    across = (tr + bl) * _HALF  # the diagonal that both triangles share then ends on the line between those two
    return tl if has_tl else across, tr if has_tr else br, br if has_br else across, bl if has_bl else br


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _span(a: np.float32, b: np.float32, c: np.float32, d: np.float32, size: int) -> tuple[np.float32, np.float32]:
    """The first pixel at or after the first of them, and at or after the last; held inside the image."""
    end = np.float32(size)
    first, last = np.ceil(min(min(a, b), min(c, d))), np.ceil(max(max(a, b), max(c, d)))
    return min(max(first, _ZERO), end), min(max(last, _ZERO), end)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _set_line(
    m_u: np.float32, m_v: np.float32, n_u: np.float32, n_v: np.float32, line: np.uint64, lane: int, quads: Quads
) -> None:
    quads[line + _M_U + lane], quads[line + _M_V + lane] = m_u, m_v
    quads[line + _DU + lane], quads[line + _DV + lane] = n_u - m_u, n_v - m_v


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _set_plane(
    a_u: np.float32, a_v: np.float32, a_z: np.float32, b_u: np.float32, b_v: np.float32, b_z: np.float32,
    plane: np.uint64, lane: int, quads: Quads,
) -> np.float32:  # fmt: skip
    """The plane through the corner that holds the steps a and b; returns twice their triangle's area, with its sign."""
    area = a_u * b_v - a_v * b_u
    scale = _ONE / area
    quads[plane + _ALONG_U + lane] = (a_z * b_v - a_v * b_z) * scale
    quads[plane + _ALONG_V + lane] = (a_u * b_z - a_z * b_u) * scale
    return area


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _enter_row(y: int, quads: Quads) -> None:
    """What all pixels of row ``y`` of a box have in common."""
    for lane in range(_LANES):
        v, x_end = quads[_Y + lane] + np.float32(y), quads[_X_END + lane]
        quads[_X_END_HERE + lane] = x_end if v < quads[_Y_END + lane] else _ZERO
        for line in (_DIAGONAL, _LEFT, _RIGHT, _TOP, _BOTTOM):
            quads[line + _HERE + lane] = (v - quads[line + _M_V + lane]) * quads[line + _DU + lane]
        dv = v - quads[_DIAGONAL + _M_V + lane]
        for plane in (_LOWER, _UPPER):
            quads[plane + _Z_HERE + lane] = quads[_CORNER_Z + lane] + dv * quads[plane + _ALONG_V + lane]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _find_depths(x: int, quads: Quads, found: Numbers) -> None:
    """Depths at pixel ``x`` of the row at hand, in whole mm; ``_NOTHING`` outside of both triangles."""
    begin = np.uint64(x) * _LANES
    for lane in range(_LANES):
        u = quads[_X + lane] + np.float32(x)
        diagonal = _side(u, _DIAGONAL, lane, quads)
        is_lower = diagonal >= _ZERO
        in_lower = is_lower & (_side(u, _LEFT, lane, quads) >= _ZERO) & (_side(u, _BOTTOM, lane, quads) > _ZERO)
        in_upper = (diagonal < _ZERO) & (_side(u, _TOP, lane, quads) <= _ZERO) & (_side(u, _RIGHT, lane, quads) < _ZERO)
        lower, upper = _depth(u, _LOWER, lane, quads), _depth(u, _UPPER, lane, quads)
        is_inside = (in_lower | in_upper) & (u < quads[_X_END_HERE + lane])
        mm = np.int32(((lower if is_lower else upper) if is_inside else _ZERO) + _HALF)
        found[begin + lane] = mm if mm > 0 else np.int32(_NOTHING)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _side(u: np.float32, line: np.uint64, lane: int, quads: Quads) -> np.float32:
    """Positive on one side of the line, negative on the other."""
    side: np.float32 = quads[line + _HERE + lane] - (u - quads[line + _M_U + lane]) * quads[line + _DV + lane]
    return side


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _depth(u: np.float32, plane: np.uint64, lane: int, quads: Quads) -> np.float32:
    du = u - quads[_DIAGONAL + _M_U + lane]
    z: np.float32 = quads[plane + _Z_HERE + lane] + du * quads[plane + _ALONG_U + lane]
    return z
