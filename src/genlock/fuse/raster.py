"""Compiled: a depth image drawn into another camera, as a surface, by the rules of the closed depth engine.

Every depth pixel is a vertex; every 2 x 2 block of them a quad of two triangles. A block with one reading missing is
completed from its neighbours, one with more is left out, and so is one that bridges an edge (its depths differ by more
than 4.69 %). A pixel of the target lies inside a triangle or not, its depth is interpolated, the nearest surface wins.

The rules are those that the SDK's own fallback shows (Azure Kinect Sensor SDK 1.4, ``rgbz.c``); agreement with the
engine itself is measured in ``tests/conformance/test_transforms.py``. Surfaces seen from behind are left out.

Two rows of vertices are held at a time. What can be computed for a row at once is, and so are eight neighbouring pixels
of a quad: loops without branches over memory that lies side by side, of which the compiler makes vector instructions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.fuse.lens import Lens, RayTable, project_point

__all__ = ["MIN_WIDTH_PX", "draw_depth"]

DepthImage = NDArray[np.uint16]  # (H, W), mm, 0 = no reading
Flat = NDArray[np.uint16]  # (H * W,), the same memory
Row = NDArray[np.float32]  # (W,)
Vertices = NDArray[np.float32]  # (3, W): u, v, z in mm; z = 0 where there is none
Corners = NDArray[np.int32]  # (2, W): the first pixel at or after u and v, held inside the image
Boxes = NDArray[np.int32]  # (5, W): x from, x to, y from, y to (exclusive), whether a reading is missing

# A block whose depths differ by more than this part of the smallest bridges an edge.
_EDGE_RATIO = np.float32(0.04693441759)
_ZERO, _HALF = np.float32(0), np.float32(0.5)
_LANES = MIN_WIDTH_PX = 8
"""Pixels at a time: what a vector of 256 bits holds. No image may be narrower."""


@njit(cache=True, nogil=True, error_model="numpy")
def draw_depth(depth: DepthImage, rays: RayTable, translation_mm: Row, lens: Lens, out: DepthImage) -> None:
    """Draws ``depth`` into ``out``, which is cleared first.

    Args:
        depth: (h, w), mm, 0 = no reading.
        rays: (3, h, w), turned into the target's frame.
        translation_mm: (3,), the depth camera's origin in the target's frame.
        lens: the target's.
        out: (H, W), W >= ``MIN_WIDTH_PX``, without gaps in memory; mm along the target's z, 0 = nothing there.
    """
    height, width = depth.shape
    vertices = np.zeros((2, 3, width), dtype=np.float32)
    corners = np.zeros((2, 2, width), dtype=np.int32)
    boxes = np.zeros((5, width), dtype=np.int32)
    out[:] = 0
    flat = out.reshape(-1)
    for row in range(height):
        below, above = row & 1, 1 - (row & 1)
        _place_vertices(depth, rays, row, translation_mm, lens, out.shape, vertices[below], corners[below])
        if row > 0:
            top, bottom = vertices[above], vertices[below]
            _find_boxes(top[2], bottom[2], corners[above], corners[below], boxes)
            _draw_row(top, bottom, boxes, out, flat)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _place_vertices(
    depth: DepthImage,
    rays: RayTable,
    row: int,
    translation_mm: Row,
    lens: Lens,
    size: tuple[int, int],
    vertices: Vertices,
    corners: Corners,
) -> None:
    last_x, last_y = np.float32(size[1]), np.float32(size[0])
    d, a, b, c = depth[row], rays[0, row], rays[1, row], rays[2, row]
    us, vs, zs = vertices[0], vertices[1], vertices[2]
    xs, ys = corners[0], corners[1]
    tx, ty, tz = translation_mm[0], translation_mm[1], translation_mm[2]
    for i in range(d.shape[0]):
        mm = np.float32(d[i])
        Z = c[i] * mm + tz
        u, v, is_valid = project_point(a[i] * mm + tx, b[i] * mm + ty, Z, lens)
        # Written so that NaN, which a pixel without a ray gives, is no vertex either.
        is_vertex = is_valid & (d[i] != 0)
        u, v = u if is_vertex else _ZERO, v if is_vertex else _ZERO
        us[i], vs[i], zs[i] = u, v, Z if is_vertex else _ZERO
        x, y = np.ceil(u), np.ceil(v)
        x, y = x if x > _ZERO else _ZERO, y if y > _ZERO else _ZERO
        xs[i] = np.int32(x if x < last_x else last_x)
        ys[i] = np.int32(y if y < last_y else last_y)


@njit(cache=True, nogil=True, error_model="numpy")
def _find_boxes(z_top: Row, z_bottom: Row, top: Corners, bottom: Corners, boxes: Boxes) -> None:
    for i in range(z_top.shape[0] - 1):
        near = min(min(z_top[i], z_top[i + 1]), min(z_bottom[i], z_bottom[i + 1]))
        far = max(max(z_top[i], z_top[i + 1]), max(z_bottom[i], z_bottom[i + 1]))
        boxes[0, i] = min(min(top[0, i], top[0, i + 1]), min(bottom[0, i], bottom[0, i + 1]))
        boxes[1, i] = max(max(top[0, i], top[0, i + 1]), max(bottom[0, i], bottom[0, i + 1]))
        y_from = min(min(top[1, i], top[1, i + 1]), min(bottom[1, i], bottom[1, i + 1]))
        y_to = max(max(top[1, i], top[1, i + 1]), max(bottom[1, i], bottom[1, i + 1]))
        boxes[2, i] = y_from
        boxes[3, i] = y_to if far - near <= _EDGE_RATIO * near else y_from
        boxes[4, i] = np.int32(near <= _ZERO)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw_row(top: Vertices, bottom: Vertices, boxes: Boxes, out: DepthImage, flat: Flat) -> None:
    for i in range(boxes.shape[1] - 1):
        if boxes[4, i]:
            _draw_completed(top, bottom, i, out, flat)
            continue
        _draw_quad(
            top[0, i], top[1, i], top[2, i],
            top[0, i + 1], top[1, i + 1], top[2, i + 1],
            bottom[0, i + 1], bottom[1, i + 1], bottom[2, i + 1],
            bottom[0, i], bottom[1, i], bottom[2, i],
            boxes[0, i], boxes[1, i], boxes[2, i], boxes[3, i], out.shape[1], flat,
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _draw_quad(
    tl_u: np.float32, tl_v: np.float32, tl_z: np.float32,
    tr_u: np.float32, tr_v: np.float32, tr_z: np.float32,
    br_u: np.float32, br_v: np.float32, br_z: np.float32,
    bl_u: np.float32, bl_v: np.float32, bl_z: np.float32,
    x_from: int, x_to: int, y_from: int, y_to: int,
    width: int, flat: Flat,
) -> None:  # fmt: skip
    """Fills the pixels of the box that lie in either triangle, or in both: the diagonal decides which to ask.

    Goes over eight pixels at a time, also where the box ends before them: those in which nothing is to be drawn are
    written back as they were.
    """
    for eight in range((x_to - x_from + _LANES - 1) // _LANES):
        first = np.int32(min(x_from + eight * _LANES, width - _LANES))  # at the right border they move left
        count = np.int32(x_to - first)
        for y in range(y_from, y_to):
            v = np.float32(y)
            start = np.uint64(y * width + first)  # unsigned: a negative index would mean one from the end
            for lane in range(np.uint64(_LANES)):
                u = np.float32(first + np.int32(lane))
                mid = (v - tl_v) * (br_u - tl_u) - (u - tl_u) * (br_v - tl_v)
                is_left = mid >= _ZERO  # of the diagonal: the third vertex is the bottom left one
                m_u, m_v, m_z = bl_u if is_left else tr_u, bl_v if is_left else tr_v, bl_z if is_left else tr_z
                at_tl = (v - m_v) * (tl_u - m_u) - (u - m_u) * (tl_v - m_v)
                at_br = (v - br_v) * (m_u - br_u) - (u - br_u) * (m_v - br_v)
                mid, at_tl, at_br = (
                    mid if is_left else -mid,
                    at_tl if is_left else -at_tl,
                    at_br if is_left else -at_br,
                )
                z = (at_tl * br_z + mid * m_z + at_br * tl_z) / (at_tl + mid + at_br)
                is_inside = (at_tl >= _ZERO) & (at_br > _ZERO) & (np.int32(lane) < count)
                value = np.int32((z if is_inside else _ZERO) + _HALF)
                old = np.int32(flat[start + lane])
                is_nearer = (value > 0) & ((old == 0) | (value < old))
                flat[start + lane] = np.uint16(value if is_nearer else old)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw_completed(top: Vertices, bottom: Vertices, i: int, out: DepthImage, flat: Flat) -> None:
    """A block with readings missing: one is made up from its neighbours, more are left out."""
    tl_u, tl_v, tl_z = top[0, i], top[1, i], top[2, i]
    tr_u, tr_v, tr_z = top[0, i + 1], top[1, i + 1], top[2, i + 1]
    bl_u, bl_v, bl_z = bottom[0, i], bottom[1, i], bottom[2, i]
    br_u, br_v, br_z = bottom[0, i + 1], bottom[1, i + 1], bottom[2, i + 1]
    missing = int(tl_z <= _ZERO) + int(tr_z <= _ZERO) + int(bl_z <= _ZERO) + int(br_z <= _ZERO)
    if missing > 1:
        return
    # The engine moves a corner along rather than bend the diagonal that both triangles share.
    if tl_z <= _ZERO:
        tl_u, tl_v, tl_z = (tr_u + bl_u) * _HALF, (tr_v + bl_v) * _HALF, (tr_z + bl_z) * _HALF
    elif tr_z <= _ZERO:
        tr_u, tr_v, tr_z = br_u, br_v, br_z
        br_u, br_v, br_z = (br_u + bl_u) * _HALF, (br_v + bl_v) * _HALF, (br_z + bl_z) * _HALF
    elif br_z <= _ZERO:
        br_u, br_v, br_z = (tr_u + bl_u) * _HALF, (tr_v + bl_v) * _HALF, (tr_z + bl_z) * _HALF
    else:
        bl_u, bl_v, bl_z = br_u, br_v, br_z
        br_u, br_v, br_z = (tr_u + br_u) * _HALF, (tr_v + br_v) * _HALF, (tr_z + br_z) * _HALF
    near, far = min(min(tl_z, tr_z), min(bl_z, br_z)), max(max(tl_z, tr_z), max(bl_z, br_z))
    if far - near > _EDGE_RATIO * near:
        return
    _draw_quad(
        tl_u, tl_v, tl_z, tr_u, tr_v, tr_z, br_u, br_v, br_z, bl_u, bl_v, bl_z,
        max(math.ceil(min(min(tl_u, tr_u), min(bl_u, br_u))), 0),
        min(math.ceil(max(max(tl_u, tr_u), max(bl_u, br_u))), out.shape[1]),
        max(math.ceil(min(min(tl_v, tr_v), min(bl_v, br_v))), 0),
        min(math.ceil(max(max(tl_v, tr_v), max(bl_v, br_v))), out.shape[0]),
        out.shape[1], flat,
    )  # fmt: skip
