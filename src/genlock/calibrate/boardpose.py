"""Where a flat board lies before one camera: both answers that a view of it allows, the better one first.

Seen from afar a flat board and its mirror image about the line of sight look almost alike. Which of the two is true
shows only when several views are put together, so both are kept. All views of a camera are worked on at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.geometry import CameraModel, derivative_by_rotation, project_with_derivatives, rotation_from_vector

__all__ = ["BoardPoses", "board_poses", "rms_by_view"]

Array = NDArray[np.float64]

_REFINING_STEPS = 8
_CONVERGED_RATIO = 1e-4
"""These poses are only to begin with."""
_SAME_ROTATION = 0.02
"""Two starts that end this near to each other have found the same answer."""


@dataclass(frozen=True, slots=True, eq=False)
class BoardPoses:
    """Two answers for each of V views."""

    T_cam_board: Array
    """(V, 2, 4, 4)."""
    rms_px: Array
    """(V, 2), the better first; infinite where there is no such answer: corners on a line, or only one pose fits."""


def board_poses(camera: CameraModel, corners_board: Array, px: Array, starts: NDArray[np.int64]) -> BoardPoses:
    """The poses of a flat board in many views of one camera.

    Args:
        camera: its lens.
        corners_board: (N, 3), metres, z = 0, of all views one after the other.
        px: (N, 2).
        starts: (V + 1,): view i has the rows starts[i] to starts[i + 1], four or more.
    """
    if len(starts) < 2:
        return BoardPoses(np.empty((0, 2, 4, 4)), np.empty((0, 2)))
    rays, is_valid = camera.unproject(px)
    with np.errstate(all="ignore"):  # views that define no pose run off, and are marked below
        R, t, is_posed = _from_homographies(corners_board[:, :2], rays[:, :2], is_valid, starts)
        middle = _sum_by_view(corners_board, starts) / np.diff(starts)[:, None]
        answers = [_refine(camera, corners_board, px, starts, *start) for start in ((R, t), _mirrored(R, t, middle))]
    T, rms_px = np.tile(np.eye(4), (len(middle), 2, 1, 1)), np.empty((len(middle), 2))
    for number, (R, t, rms) in enumerate(answers):
        T[:, number, :3, :3], T[:, number, :3, 3] = R, t
        rms_px[:, number] = np.where(is_posed & (t[:, 2] > 0) & np.isfinite(rms), rms, np.inf)
    order = np.argsort(rms_px, axis=1)
    T, rms_px = np.take_along_axis(T, order[:, :, None, None], 1), np.take_along_axis(rms_px, order, 1)
    is_same = np.abs(T[:, 0, :3, :3] - T[:, 1, :3, :3]).max(axis=(1, 2)) < _SAME_ROTATION
    rms_px[is_same, 1] = np.inf
    return BoardPoses(T, rms_px)


def rms_by_view(errors: Array, starts: NDArray[np.int64]) -> Array:
    """(V,): root mean square length of 2-D errors (N, 2) by view."""
    return np.asarray(np.sqrt(_sum_by_view((errors**2).sum(axis=1), starts) / np.diff(starts)))


def _sum_by_view(values: Array, starts: NDArray[np.int64]) -> Array:
    return np.asarray(np.add.reduceat(values, starts[:-1], axis=0))


def _refine(
    camera: CameraModel, corners_board: Array, px: Array, starts: NDArray[np.int64], R: Array, t: Array
) -> tuple[Array, Array, Array]:
    """The poses nearest to a start with the least squared error in pixels (Gauss-Newton with damping), and its RMS."""
    counts = np.diff(starts)
    view = np.repeat(np.arange(len(counts)), counts)
    best_R, best_t, cost = R, t, np.full(len(counts), np.inf)
    damping, is_done = np.full(len(counts), 1e-4), np.zeros(len(counts), bool)
    normal, gradient = np.zeros((len(counts), 6, 6)), np.zeros((len(counts), 6))
    diagonal = np.arange(6)
    for _ in range(_REFINING_STEPS):
        turned = np.einsum("nij,nj->ni", R[view], corners_board)
        projected, by_point = project_with_derivatives(camera, turned + t[view])
        residual = projected - px
        new_cost = _sum_by_view((residual**2).sum(axis=1), starts)
        is_better = new_cost < cost
        is_done |= is_better & (cost - new_cost < _CONVERGED_RATIO * new_cost)
        best_R, best_t = np.where(is_better[:, None, None], R, best_R), np.where(is_better[:, None], t, best_t)
        cost = np.where(is_better, new_cost, cost)
        damping = np.where(is_better, damping / 10, damping * 10)
        by_twist = np.concatenate([derivative_by_rotation(turned, by_point), by_point], axis=2)
        products = by_twist.transpose(0, 2, 1) @ by_twist
        pulls = (by_twist * residual[:, :, None]).sum(axis=1)
        normal = np.where(is_better[:, None, None], _sum_by_view(products, starts), normal)
        gradient = np.where(is_better[:, None], _sum_by_view(pulls, starts), gradient)
        if is_done.all():
            break
        damped = normal.copy()
        damped[:, diagonal, diagonal] = damped[:, diagonal, diagonal] * (1 + damping[:, None]) + 1e-9
        damped = np.where(np.isfinite(damped), damped, np.eye(6))
        step = np.asarray(-np.linalg.solve(damped, np.nan_to_num(gradient)[:, :, None])[:, :, 0], dtype=np.float64)
        R, t = rotation_from_vector(step[:, :3]) @ best_R, best_t + step[:, 3:]
    return best_R, best_t, np.sqrt(cost / counts)


def _from_homographies(
    flat_m: Array, rays: Array, is_valid: NDArray[np.bool_], starts: NDArray[np.int64]
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The poses that plane-to-plane mappings imply (Zhang, "A flexible new technique for camera calibration")."""
    counts = np.diff(starts)
    view = np.repeat(np.arange(len(counts)), counts)
    middle = _sum_by_view(flat_m, starts) / counts[:, None]
    scale = np.maximum.reduceat(np.abs(flat_m - middle[view]).max(axis=1), starts[:-1])
    x, y = ((flat_m - middle[view]) / scale[view, None]).T
    u, v = rays.T
    one, nought = np.ones_like(x), np.zeros_like(x)
    rows_u = np.stack([x, y, one, nought, nought, nought, -u * x, -u * y, -u], axis=1)
    rows_v = np.stack([nought, nought, nought, x, y, one, -v * x, -v * y, -v], axis=1)
    rows = np.stack([rows_u, rows_v], axis=1) * is_valid[:, None, None]  # (N, 2, 9)
    normal = _sum_by_view(np.nan_to_num(rows.transpose(0, 2, 1) @ rows), starts)
    sizes, vectors = np.linalg.eigh(normal)
    # Corners on a line leave a second homography free. Squares of singular values: 1e-9 of them is 3e-5 of one.
    is_posed = (sizes[:, 1] > 1e-9 * sizes[:, -1]) & (_sum_by_view(is_valid.astype(np.float64), starts) >= 4)
    H = vectors[:, :, 0].reshape(-1, 3, 3)
    H = H * np.where(H[:, 2, 2] < 0, -1.0, 1.0)[:, None, None]
    columns = H[:, :, :2] / scale[:, None, None]
    length = np.sqrt(np.linalg.norm(columns[:, :, 0], axis=1) * np.linalg.norm(columns[:, :, 1], axis=1))
    is_posed &= length > 0
    length = np.where(is_posed, length, 1.0)
    first, second = columns[:, :, 0] / length[:, None], columns[:, :, 1] / length[:, None]
    basis = np.stack([first, second, np.cross(first, second)], axis=2)
    left, _, right = np.linalg.svd(np.where(is_posed[:, None, None], basis, np.eye(3)))
    sign = np.linalg.det(left @ right)
    R = (left * np.stack([np.ones_like(sign), np.ones_like(sign), sign], axis=1)[:, None, :]) @ right
    t = H[:, :, 2] / length[:, None] - np.einsum("vij,vj->vi", R[:, :, :2], middle)
    return R, np.where(is_posed[:, None], t, [0.0, 0.0, 1.0]), is_posed


def _mirrored(R: Array, t: Array, middle_board: Array) -> tuple[Array, Array]:
    """The other answers' starts: boards' normals reflected about the line of sight, their middles kept in place."""
    middle = np.einsum("vij,vj->vi", R, middle_board) + t
    sight = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    normal = R[:, :, 2]
    cosine_sight = (normal * sight).sum(axis=1, keepdims=True)
    reflected = 2 * cosine_sight * sight - normal
    axis = np.cross(normal, reflected)
    sine, cosine = np.linalg.norm(axis, axis=1), (normal * reflected).sum(axis=1)
    angle_over_sine = np.where(sine > 1e-9, np.arctan2(sine, cosine) / np.where(sine > 1e-9, sine, 1.0), 0.0)
    mirrored = rotation_from_vector(np.asarray(axis * angle_over_sine[:, None])) @ R
    return mirrored, middle - np.einsum("vij,vj->vi", mirrored, middle_board)
