"""Rough poses to start from: cameras that saw the board at the same moment are joined, pair by pair.

No view of the board that all cameras share is needed, only a chain of pairs. For every pair the pose is taken that
explains the other moments of the pair best, which also settles which of a flat board's two answers is true. The chain
is a spanning tree of the best pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.boardpose import BoardPoses, board_poses, rms_by_view
from genlock.calibrate.observations import Observations

__all__ = ["Pair", "RoughPoses", "rough_poses", "view_poses"]

_PROPOSALS = 8
_JUDGES = 8
_LEAST_SETS = 3
"""How many moments propose a pair's pose, and how many judge it: evenly picked, for the work grows with the product."""

# A flat board seen once or twice by a pair has two answers that fit, and nothing tells them apart: such a pair joins
# nobody, or a wrong answer would pass unseen.
Matrix = NDArray[np.float64]  # (4, 4), rigid


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two cameras that saw the board together."""

    cameras: tuple[str, str]
    sets: int
    """In how many sets both saw enough of it."""
    T_first_second: Matrix
    error_px: float
    """Median over the judging moments: how far the first camera's board lands from the second's corners."""


@dataclass(frozen=True, slots=True, eq=False)
class RoughPoses:
    """Where everything is, roughly, in the frame of the first camera of ``groups[0]``."""

    T_cam_ref: Mapping[str, Matrix]
    """Of the cameras in the largest group."""
    T_ref_board: Mapping[int, Matrix]
    """By set; of those that a camera of the largest group saw."""
    pairs: tuple[Pair, ...]
    groups: tuple[tuple[str, ...], ...]
    """Cameras that hang together, largest group first; one group when all do. Cameras that saw nothing stand alone."""


def view_poses(observations: Observations, corners_board: NDArray[np.float64]) -> BoardPoses:
    """What every view by itself says of where the board is, by the view's number."""
    count = len(observations.views)
    T, rms_px = np.tile(np.eye(4), (count, 2, 1, 1)), np.full((count, 2), np.inf)
    for camera, model in observations.cameras.items():
        numbers = np.array([i for i, view in enumerate(observations.views) if view.camera == camera], dtype=np.int64)
        rows, starts = _rows_of(observations, numbers)
        poses = board_poses(model, corners_board[observations.corners[rows]], observations.px[rows], starts)
        T[numbers], rms_px[numbers] = poses.T_cam_board, poses.rms_px
    return BoardPoses(T, rms_px)


def rough_poses(
    observations: Observations, corners_board: NDArray[np.float64], poses: BoardPoses | None = None
) -> RoughPoses:
    """Poses of cameras and boards good enough to begin with.

    Args:
        observations: of one board.
        corners_board: (K, 3), by corner number.
        poses: ``view_poses`` of these observations, where they are known already.
    """
    scene = _Scene(observations, corners_board, poses or view_poses(observations, corners_board))
    pairs = []
    for first, second in combinations(observations.cameras, 2):
        common = sorted(scene.views[first].keys() & scene.views[second].keys())
        if common:
            pairs.append(_pair(scene, first, second, common))
    views = {name: len(by_set) for name, by_set in scene.views.items()}
    groups, T_cam_ref = _join(tuple(observations.cameras), pairs, views)
    return RoughPoses(T_cam_ref, _boards(scene, T_cam_ref), tuple(pairs), groups)


class _Scene:
    """Observations with what each view says of the board."""

    def __init__(self, observations: Observations, corners_board: NDArray[np.float64], poses: BoardPoses) -> None:
        self.observations = observations
        self.corners_board = corners_board
        self.poses = poses
        self.views: dict[str, dict[int, int]] = {name: {} for name in observations.cameras}
        """View numbers by camera and set, of views that define a pose."""
        for number, view in enumerate(observations.views):
            if np.isfinite(poses.rms_px[number, 0]):
                self.views[view.camera][view.set_index] = number

    def answers(self, view: int) -> NDArray[np.float64]:  # (1 or 2, 4, 4)
        return np.asarray(self.poses.T_cam_board[view, np.isfinite(self.poses.rms_px[view])])

    def errors_px(self, camera: str, views: NDArray[np.int64], T_cam_board: NDArray[np.float64]) -> NDArray[np.float64]:
        """(M,): how far boards (M, 4, 4) land from the corners of as many views (M,) of one camera, RMS."""
        rows, starts = _rows_of(self.observations, views)
        T = T_cam_board[np.repeat(np.arange(len(views)), np.diff(starts))]
        board = self.corners_board[self.observations.corners[rows]]
        points_cam = np.einsum("nij,nj->ni", T[:, :3, :3], board) + T[:, :3, 3]
        px, is_valid = self.observations.cameras[camera].project(points_cam)
        rms_px = rms_by_view(px - self.observations.px[rows], starts)
        # Behind the camera or beyond its lens: as wrong as can be, but still a number.
        return np.asarray(np.where(np.logical_and.reduceat(is_valid, starts[:-1]), rms_px, 1e4))


def _rows_of(observations: Observations, views: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The corners of these views one after the other, and where each begins."""
    counts = np.diff(observations.starts)[views]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = np.arange(starts[-1]) + np.repeat(observations.starts[:-1][views] - starts[:-1], counts)
    return rows, starts


def _pair(scene: _Scene, first: str, second: str, common: Sequence[int]) -> Pair:
    proposals = np.array(
        [
            a @ np.linalg.inv(b)
            for s in _evenly(common, _PROPOSALS)
            for a in scene.answers(scene.views[first][s])
            for b in scene.answers(scene.views[second][s])
        ]
    )
    T_second_first = np.linalg.inv(proposals)
    judged = [
        (judge, scene.views[second][s], answer)
        for judge, s in enumerate(_evenly(common, _JUDGES))
        for answer in scene.answers(scene.views[first][s])
    ]
    T_first_board = np.array([answer for _, _, answer in judged])
    boards = (T_second_first[:, None] @ T_first_board).reshape(-1, 4, 4)
    views = np.tile([view for _, view, _ in judged], len(proposals))
    landed = scene.errors_px(second, views, boards).reshape(len(proposals), -1)
    # Of a judge's two answers the better one counts.
    begins = np.unique([judge for judge, _, _ in judged], return_index=True)[1]
    errors = np.median(np.minimum.reduceat(landed, begins, axis=1), axis=1)
    best = int(np.argmin(errors))
    return Pair((first, second), len(common), proposals[best], float(errors[best]))


def _join(
    cameras: tuple[str, ...], pairs: Sequence[Pair], views: Mapping[str, int]
) -> tuple[tuple[tuple[str, ...], ...], dict[str, Matrix]]:
    """Grows a tree from the camera with most views, always over the best pair; what is left makes the next group."""
    # A pair of many moments is worth more than one that fits a single moment well.
    cost = {id(pair): (pair.error_px + 0.5) / np.sqrt(pair.sets) for pair in pairs}
    left = sorted(cameras, key=lambda name: (-views.get(name, 0), name))
    trees: list[dict[str, Matrix]] = []
    while left:
        tree = {left[0]: np.eye(4)}
        while True:
            bridges = [p for p in pairs if p.sets >= _LEAST_SETS and (p.cameras[0] in tree) != (p.cameras[1] in tree)]
            if not bridges:
                break
            best = min(bridges, key=lambda pair: cost[id(pair)])
            first, second = best.cameras
            if first in tree:
                tree[second] = np.linalg.inv(best.T_first_second) @ tree[first]
            else:
                tree[first] = best.T_first_second @ tree[second]
        trees.append(tree)
        left = [name for name in left if name not in tree]
    trees.sort(key=len, reverse=True)
    return tuple(tuple(tree) for tree in trees), trees[0] if trees else {}


def _boards(scene: _Scene, T_cam_ref: Mapping[str, Matrix]) -> dict[int, Matrix]:
    """Each set's board: of what the cameras propose, that which fits all of them best."""
    proposals = [
        (s, np.linalg.inv(T) @ answer)
        for camera, T in T_cam_ref.items()
        for s, view in scene.views[camera].items()
        for answer in scene.answers(view)
    ]
    errors = np.full((len(proposals), len(T_cam_ref)), np.nan)
    for column, (camera, T) in enumerate(T_cam_ref.items()):
        rows = [row for row, (s, _) in enumerate(proposals) if s in scene.views[camera]]
        if rows:
            views = np.array([scene.views[camera][proposals[row][0]] for row in rows])
            errors[rows, column] = scene.errors_px(camera, views, T @ np.array([proposals[row][1] for row in rows]))
    fit_px = np.nanmedian(errors, axis=1) if proposals else np.empty(0)
    best: dict[int, int] = {}
    for row, (s, _) in enumerate(proposals):
        if s not in best or fit_px[row] < fit_px[best[s]]:
            best[s] = row
    return {s: proposals[row][1] for s, row in sorted(best.items())}


def _evenly(items: Sequence[int], count: int) -> Sequence[int]:
    if len(items) <= count:
        return items
    return [items[int(position)] for position in np.linspace(0, len(items) - 1, count)]
