"""How good a calibration is, by observations that it has not seen.

Cameras are held; every corner of a held-out set is triangulated from all cameras that saw it, one corner at a time,
without knowing that it belongs to a board. What is left over in pixels, and how far the points are from being that
board in millimetres, is the score. Nothing here was fitted: a training error says how hard one tried, not how well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.bundle import Solution, lenses_of
from genlock.calibrate.observations import Observations
from genlock.geometry import CameraModel, project_with_derivatives

__all__ = ["Score", "combine", "score"]

_TRIANGULATION_STEPS = 8


@dataclass(frozen=True, slots=True)
class Score:
    """One calibration on sets that it has not seen."""

    corners: int
    """Triangulated corners, each seen by two cameras or more."""
    rms_px: float
    """Root mean square of the 2-D errors of all their pixels."""
    rms_mm: float
    """The same errors carried to the corners: a pixel is as wide there as the lens and the distance make it."""
    camera_rms_px: Mapping[str, float]
    """The same by camera."""
    edge_rms_mm: float
    """RMS error of the distance of neighbouring corners."""
    rigid_rms_mm: float
    """RMS distance to the board, laid as well as it can be into each set's points."""


def score(observations: Observations, corners_board: NDArray[np.float64], solution: Solution) -> Score | None:
    """Scores a solution on observations; ``None`` when no corner was seen by two of its cameras."""
    number = {name: i for i, name in enumerate(solution.cameras)}
    known = [i for i, view in enumerate(observations.views) if view.camera in number]
    rows = np.concatenate([np.arange(*_span(observations, i)) for i in known]) if known else np.empty(0, np.int64)
    view = observations.view_of_corner[rows]
    camera = np.array([number.get(v.camera, -1) for v in observations.views])[view]
    set_index = np.array([v.set_index for v in observations.views])[view]
    corner, px = observations.corners[rows], observations.px[rows]
    keys, point = np.unique(np.stack([set_index, corner], axis=1), axis=0, return_inverse=True)
    point = point.reshape(-1)
    is_shared = np.bincount(point, minlength=len(keys))[point] >= 2
    if not is_shared.any():
        return None
    camera, px, point = camera[is_shared], px[is_shared], point[is_shared]
    used, point = np.unique(point, return_inverse=True)
    keys = keys[used]
    models = lenses_of(observations, solution)
    points = _triangulate(models, solution, camera, px, point, len(keys))
    errors, mm_per_px = _errors(models, solution, camera, px, points[point])
    square = (errors**2).sum(axis=1)
    by_camera = {name: float(np.sqrt(square[camera == i].mean())) for name, i in number.items() if (camera == i).any()}
    edges_mm, rigid_mm = _shape_errors_mm(keys, points, corners_board)
    return Score(
        corners=len(keys),
        rms_px=float(np.sqrt(square.mean())),
        rms_mm=_rms(np.sqrt(square) * mm_per_px),
        camera_rms_px=by_camera,
        edge_rms_mm=_rms(edges_mm),
        rigid_rms_mm=_rms(rigid_mm),
    )


def combine(scores: list[Score]) -> Score | None:
    """Several scores as one, each weighted by its corners."""
    if not scores:
        return None
    total = sum(s.corners for s in scores)

    def mean(pairs: list[tuple[float, int]]) -> float:
        weight = sum(n for _, n in pairs)
        return float(np.sqrt(sum(value**2 * n for value, n in pairs) / weight)) if weight else float("nan")

    cameras = sorted({name for s in scores for name in s.camera_rms_px})
    return Score(
        corners=total,
        rms_px=mean([(s.rms_px, s.corners) for s in scores]),
        rms_mm=mean([(s.rms_mm, s.corners) for s in scores]),
        camera_rms_px={
            name: mean([(s.camera_rms_px[name], s.corners) for s in scores if name in s.camera_rms_px])
            for name in cameras
        },
        edge_rms_mm=mean([(s.edge_rms_mm, s.corners) for s in scores]),
        rigid_rms_mm=mean([(s.rigid_rms_mm, s.corners) for s in scores]),
    )


def _span(observations: Observations, number: int) -> tuple[int, int]:
    part = observations.corners_of(number)
    return part.start, part.stop


def _triangulate(
    models: Sequence[CameraModel],
    solution: Solution,
    camera: NDArray[np.int64],
    px: NDArray[np.float64],
    point: NDArray[np.intp],
    count: int,
) -> NDArray[np.float64]:
    """The points (count, 3) with the least squared error in pixels: midpoint of the rays, then Gauss-Newton."""
    matrix, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    for i, model in enumerate(models):
        rows = np.nonzero(camera == i)[0]
        rays, _ = model.unproject(px[rows])
        R, t = solution.R_cam_ref[i], solution.t_cam_ref[i]
        directions = rays @ R
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
        np.add.at(matrix, point[rows], across)
        np.add.at(right, point[rows], across @ (-R.T @ t))
    points = np.linalg.solve(matrix + 1e-9 * np.eye(3), right[:, :, None])[:, :, 0]
    for _ in range(_TRIANGULATION_STEPS):
        normal, gradient = np.zeros((count, 3, 3)), np.zeros((count, 3))
        for i, model in enumerate(models):
            rows = np.nonzero(camera == i)[0]
            R = solution.R_cam_ref[i]
            predicted, by_point = project_with_derivatives(model, points[point[rows]] @ R.T + solution.t_cam_ref[i])
            by_ref = by_point @ R
            np.add.at(normal, point[rows], by_ref.transpose(0, 2, 1) @ by_ref)
            np.add.at(gradient, point[rows], np.einsum("nij,ni->nj", by_ref, predicted - px[rows]))
        points = points - np.linalg.solve(normal + 1e-9 * np.eye(3), gradient[:, :, None])[:, :, 0]
    return np.asarray(points, dtype=np.float64)


def _errors(
    models: Sequence[CameraModel],
    solution: Solution,
    camera: NDArray[np.int64],
    px: NDArray[np.float64],
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 2), px: where the points are seen, less where they were seen; and (N,), how wide a pixel is there, mm."""
    errors, mm_per_px = np.empty_like(px), np.empty(len(px))
    for i, model in enumerate(models):
        rows = np.nonzero(camera == i)[0]
        points_cam = points[rows] @ solution.R_cam_ref[i].T + solution.t_cam_ref[i]
        errors[rows] = project_with_derivatives(model, points_cam)[0] - px[rows]
        mm_per_px[rows] = 1000 * points_cam[:, 2] / np.sqrt(model.fx_px * model.fy_px)
    return errors, mm_per_px


def _shape_errors_mm(
    keys: NDArray[np.int64], points: NDArray[np.float64], corners_board: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    distances = np.linalg.norm(corners_board[:, None] - corners_board[None], axis=2)
    step_m = distances[distances > 0].min()
    edges, rigid = [np.empty(0)], [np.empty(0)]
    for set_index in np.unique(keys[:, 0]):
        rows = np.nonzero(keys[:, 0] == set_index)[0]
        board, found = corners_board[keys[rows, 1]], points[rows]
        apart = np.linalg.norm(board[:, None] - board[None], axis=2)
        first, second = np.nonzero(np.triu(np.abs(apart - step_m) < 1e-6, 1))
        edges.append(np.linalg.norm(found[first] - found[second], axis=1) - apart[first, second])
        if len(rows) >= 3:
            rigid.append(np.linalg.norm(found - _laid(board, found), axis=1))
    return 1000 * np.concatenate(edges), 1000 * np.concatenate(rigid)


def _laid(board: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """The board's points, moved rigidly to lie as near as they can (Kabsch)."""
    middle_board, middle_found = board.mean(axis=0), found.mean(axis=0)
    left, _, right = np.linalg.svd((board - middle_board).T @ (found - middle_found))
    turn = right.T @ np.diag([1, 1, np.linalg.det(right.T @ left.T)]) @ left.T
    return np.asarray((board - middle_board) @ turn.T + middle_found)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt((values**2).mean())) if len(values) else float("nan")
