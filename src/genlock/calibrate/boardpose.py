"""Where a flat board lies before one camera: both answers that a view of it allows, the better one first.

Seen from afar a flat board and its mirror image about the line of sight look almost alike. Which of the two is true
shows only when several views are put together, so both are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.geometry import CameraModel, derivative_by_rotation, project_with_derivatives, rotation_from_vector

__all__ = ["BoardPose", "board_poses", "refine_board_pose"]

_REFINING_STEPS = 12
_CONVERGED_RATIO = 1e-6
"""These poses are only to begin with."""


@dataclass(frozen=True, slots=True, eq=False)
class BoardPose:
    """``T_cam_board`` with what it leaves over."""

    rotation: NDArray[np.float64]  # (3, 3)
    translation_m: NDArray[np.float64]  # (3,)
    rms_px: float


def board_poses(camera: CameraModel, corners_board: NDArray[np.float64], px: NDArray[np.float64]) -> list[BoardPose]:
    """One or two poses of a flat board seen by one camera, best first; none where the corners lie on a line.

    Args:
        camera: its lens.
        corners_board: (N, 3), metres, z = 0, N >= 4.
        px: (N, 2).
    """
    rays, is_valid = camera.unproject(px)
    if is_valid.sum() < 4:
        return []
    first = _from_homography(corners_board[is_valid, :2], rays[is_valid, :2])
    if first is None:
        return []
    starts = [first, _mirrored(*first, corners_board.mean(axis=0))]
    found = [refine_board_pose(camera, corners_board, px, *start) for start in starts]
    found = [pose for pose in found if pose.translation_m[2] > 0 and np.isfinite(pose.rms_px)]
    found.sort(key=lambda pose: pose.rms_px)
    if len(found) == 2 and np.abs(found[0].rotation - found[1].rotation).max() < 0.02:
        found.pop()  # both starts led to the same answer
    return found


def refine_board_pose(
    camera: CameraModel,
    corners_board: NDArray[np.float64],
    px: NDArray[np.float64],
    rotation: NDArray[np.float64],
    translation_m: NDArray[np.float64],
) -> BoardPose:
    """The pose nearest to a start that leaves the least squared error in pixels (Gauss-Newton with damping)."""
    damping, cost = 1e-4, np.inf
    best = (rotation, translation_m)
    for _ in range(_REFINING_STEPS):
        points = corners_board @ rotation.T + translation_m
        projected, by_point = project_with_derivatives(camera, points)
        residual = (projected - px).ravel()
        new_cost = float(residual @ residual)
        if not new_cost < cost:
            damping *= 10
        else:
            converged = cost - new_cost < _CONVERGED_RATIO * new_cost
            best, cost, damping = (rotation, translation_m), new_cost, damping / 10
            turned = points - translation_m
            by_twist = np.concatenate([derivative_by_rotation(turned, by_point), by_point], axis=2).reshape(-1, 6)
            normal, gradient = by_twist.T @ by_twist, by_twist.T @ residual
            if converged:
                break
        step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(6), gradient)
        rotation, translation_m = rotation_from_vector(step[:3]) @ best[0], best[1] + step[3:]
    return BoardPose(*best, float(np.sqrt(cost / len(px))))


def _from_homography(
    flat_m: NDArray[np.float64], rays: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The pose that a plane-to-plane mapping implies (Zhang, "A flexible new technique for camera calibration")."""
    middle, scale = flat_m.mean(axis=0), float(np.abs(flat_m - flat_m.mean(axis=0)).max())
    if scale == 0:
        return None
    x, y = ((flat_m - middle) / scale).T
    u, v = rays.T
    one, nought = np.ones_like(x), np.zeros_like(x)
    rows_u = np.stack([x, y, one, nought, nought, nought, -u * x, -u * y, -u], axis=1)
    rows_v = np.stack([nought, nought, nought, x, y, one, -v * x, -v * y, -v], axis=1)
    _, sizes, right = np.linalg.svd(np.concatenate([rows_u, rows_v]))
    if sizes[-2] < 1e-9 * sizes[0]:
        return None
    homography = right[-1].reshape(3, 3)
    if homography[2, 2] < 0:
        homography = -homography
    columns = homography[:, :2] / scale
    length = float(np.sqrt(np.linalg.norm(columns[:, 0]) * np.linalg.norm(columns[:, 1])))
    if length == 0:
        return None
    first, second = columns[:, 0] / length, columns[:, 1] / length
    left, _, right_t = np.linalg.svd(np.column_stack([first, second, np.cross(first, second)]))
    rotation = left @ np.diag([1, 1, np.linalg.det(left @ right_t)]) @ right_t
    origin = homography[:, 2] / (length * scale) * scale
    return rotation, origin - rotation @ np.array([*middle, 0.0])


def _mirrored(
    rotation: NDArray[np.float64], translation_m: NDArray[np.float64], middle_board: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The other answer's start: the board's normal reflected about the line of sight, its middle kept in place."""
    middle = rotation @ middle_board + translation_m
    sight = middle / np.linalg.norm(middle)
    normal = rotation[:, 2]
    reflected = 2 * (normal @ sight) * sight - normal
    axis = np.cross(normal, reflected)
    sine, cosine = float(np.linalg.norm(axis)), float(normal @ reflected)
    turn = rotation_from_vector(axis / sine * np.arctan2(sine, cosine)) if sine > 1e-9 else np.eye(3)
    mirrored = turn @ rotation
    return mirrored, middle - mirrored @ middle_board
