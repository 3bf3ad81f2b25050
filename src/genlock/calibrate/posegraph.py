"""Rough poses to start from: cameras that saw the board at the same moment are joined, pair by pair.

No view of the board that all cameras share is needed, only a chain of pairs. For every pair the pose is taken that
explains the other moments of the pair best, which also settles which of a flat board's two answers is true. The chain
is a spanning tree of the best pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.boardpose import BoardPose, board_poses
from genlock.calibrate.observations import Observations

__all__ = ["Pair", "RoughPoses", "rough_poses"]

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


def rough_poses(observations: Observations, corners_board: NDArray[np.float64]) -> RoughPoses:
    """Poses of cameras and boards good enough to begin with.

    Args:
        observations: of one board.
        corners_board: (K, 3), by corner number.
    """
    seen: dict[str, dict[int, _SeenBoard]] = defaultdict(dict)
    for number, view in enumerate(observations.views):
        part = observations.corners_of(number)
        corners, px = corners_board[observations.corners[part]], observations.px[part]
        poses = board_poses(observations.cameras[view.camera], corners, px)
        if poses:
            seen[view.camera][view.set_index] = _SeenBoard(corners, px, tuple(_matrix(p) for p in poses))
    pairs = []
    for first, second in combinations(observations.cameras, 2):
        common = sorted(seen[first].keys() & seen[second].keys())
        if common:
            pairs.append(_pair(observations, seen, first, second, common))
    groups, T_cam_ref = _join(tuple(observations.cameras), pairs, {name: len(views) for name, views in seen.items()})
    return RoughPoses(T_cam_ref, _boards(observations, seen, T_cam_ref), tuple(pairs), groups)


@dataclass(frozen=True, slots=True, eq=False)
class _SeenBoard:
    corners_board: NDArray[np.float64]  # (N, 3)
    px: NDArray[np.float64]  # (N, 2)
    T_cam_board: tuple[Matrix, ...]  # one or two answers


_Seen = Mapping[str, Mapping[int, _SeenBoard]]


def _pair(observations: Observations, seen: _Seen, first: str, second: str, common: Sequence[int]) -> Pair:
    proposals = [
        a @ np.linalg.inv(b)
        for s in _evenly(common, _PROPOSALS)
        for a in seen[first][s].T_cam_board
        for b in seen[second][s].T_cam_board
    ]
    judges = _evenly(common, _JUDGES)
    errors = [
        float(np.median([_landing_error_px(observations, second, seen[first][s], seen[second][s], T) for s in judges]))
        for T in proposals
    ]
    best = int(np.argmin(errors))
    return Pair((first, second), len(common), proposals[best], errors[best])


def _landing_error_px(
    observations: Observations, second: str, in_first: _SeenBoard, in_second: _SeenBoard, T_first_second: Matrix
) -> float:
    T_second_first = np.linalg.inv(T_first_second)
    return min(
        _error_px(observations, second, in_second, T_second_first @ T_first_board)
        for T_first_board in in_first.T_cam_board
    )


def _error_px(observations: Observations, camera: str, seen: _SeenBoard, T_cam_board: Matrix) -> float:
    points = seen.corners_board @ T_cam_board[:3, :3].T + T_cam_board[:3, 3]
    px, is_valid = observations.cameras[camera].project(points)
    if not is_valid.all():
        return 1e4  # behind the camera or beyond its lens: as wrong as can be, but still a number
    return float(np.sqrt(((px - seen.px) ** 2).sum(axis=1).mean()))


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


def _boards(observations: Observations, seen: _Seen, T_cam_ref: Mapping[str, Matrix]) -> dict[int, Matrix]:
    """Each set's board: of what the cameras propose, that which fits all of them best."""
    by_set: dict[int, list[str]] = defaultdict(list)
    for camera in T_cam_ref:
        for set_index in seen.get(camera, {}):
            by_set[set_index].append(camera)
    boards = {}
    for set_index, cameras in by_set.items():
        proposals = [
            np.linalg.inv(T_cam_ref[camera]) @ T_cam_board
            for camera in cameras
            for T_cam_board in seen[camera][set_index].T_cam_board
        ]
        errors = [
            np.median([_error_px(observations, c, seen[c][set_index], T_cam_ref[c] @ T) for c in cameras])
            for T in proposals
        ]
        boards[set_index] = proposals[int(np.argmin(errors))]
    return boards


def _matrix(pose: BoardPose) -> Matrix:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = pose.rotation, pose.translation_m
    return T


def _evenly(items: Sequence[int], count: int) -> Sequence[int]:
    if len(items) <= count:
        return items
    return [items[int(position)] for position in np.linspace(0, len(items) - 1, count)]
