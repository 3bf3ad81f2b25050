"""From observations to poses: rough poses, bundle adjustment, what does not fit thrown out and named, again.

The final solution uses every set. How good it is is judged by two others, each made from half of the sets and scored
on the other half.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.bundle import Solution, residuals_px, solve_bundle
from genlock.calibrate.observations import Observations, View
from genlock.calibrate.posegraph import Pair, RoughPoses, rough_poses
from genlock.calibrate.score import Score, combine, score

__all__ = ["Rejection", "Solved", "solve_poses"]

_ROUNDS = 3
_FAR_SIGMAS = 8.0
"""A corner further off than this many robust sigmas is none of the board's."""
_LEAST_FAR_PX = 3.0
"""... but never one that is nearer than this: sub-pixel errors belong to every image."""
_MIN_SETS_TO_SPLIT = 6


@dataclass(frozen=True, slots=True)
class Rejection:
    """A view that was left out."""

    view: View
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Poses of the cameras that hang together, and everything that a report says of them."""

    solution: Solution
    observations: Observations
    """Those that were used."""
    residuals: NDArray[np.float64]
    """(N, 2), px, of the corners used."""
    rejections: tuple[Rejection, ...]
    rejected_corners: int
    """Single corners left out of views that stayed."""
    groups: tuple[tuple[str, ...], ...]
    """Cameras that hang together; the first group was solved."""
    pairs: tuple[Pair, ...]
    held_out: Score | None
    """``None`` when there are too few sets to hold any out."""

    @property
    def training_rms_px(self) -> float:
        """Of the corners used. Says whether the solver was content, not whether the result is good."""
        return float(np.sqrt((self.residuals**2).sum(axis=1).mean()))


def solve_poses(observations: Observations, corners_board: NDArray[np.float64]) -> Solved | None:
    """Solves; ``None`` when no two cameras saw the board together."""
    rough = rough_poses(observations, corners_board)
    if not rough.groups or len(rough.groups[0]) < 2:
        return None
    used = _within(observations, rough)
    solution, used = _solve_and_sift(used, corners_board, rough)
    rejections = tuple(_rejections(observations, used, rough))
    kept_views = set(used.views)
    kept_before = sum(
        int(np.diff(observations.starts)[i]) for i, view in enumerate(observations.views) if view in kept_views
    )
    return Solved(
        solution=solution,
        observations=used,
        residuals=residuals_px(used, corners_board, solution),
        rejections=rejections,
        rejected_corners=kept_before - len(used.corners),
        groups=rough.groups,
        pairs=rough.pairs,
        held_out=_hold_out(used, corners_board, rough),
    )


def _within(observations: Observations, rough: RoughPoses) -> Observations:
    """The views of cameras in the solved group, in sets whose board has a place."""
    is_in = np.array([v.camera in rough.T_cam_ref and v.set_index in rough.T_ref_board for v in observations.views])
    return observations.kept(is_in[observations.view_of_corner])


def _solve_and_sift(
    observations: Observations, corners_board: NDArray[np.float64], rough: RoughPoses
) -> tuple[Solution, Observations]:
    solution = solve_bundle(observations, corners_board, _start(observations, rough))
    for _ in range(_ROUNDS):
        lengths = np.linalg.norm(residuals_px(observations, corners_board, solution), axis=1)
        # The median length of a 2-D normal error is 1.177 sigma.
        limit_px = max(_FAR_SIGMAS * float(np.median(lengths)) / 1.177, _LEAST_FAR_PX)
        if not (lengths > limit_px).any():
            break
        observations = observations.kept(lengths <= limit_px)
        solution = solve_bundle(observations, corners_board, _restricted(solution, observations))
    return solution, observations


def _hold_out(observations: Observations, corners_board: NDArray[np.float64], rough: RoughPoses) -> Score | None:
    sets = observations.set_indices
    if len(sets) < _MIN_SETS_TO_SPLIT:
        return None
    scores = []
    for train, test in ((sets[0::2], sets[1::2]), (sets[1::2], sets[0::2])):
        half = observations.of_sets(train)
        # A camera that the half does not tie to the others cannot be held out.
        if len({view.camera for view in half.views}) < len(rough.T_cam_ref):
            return None
        solution = solve_bundle(half, corners_board, _start(half, rough))
        found = score(observations.of_sets(test), corners_board, solution)
        if found is not None:
            scores.append(found)
    return combine(scores)


def _start(observations: Observations, rough: RoughPoses) -> Solution:
    cameras, sets = tuple(rough.T_cam_ref), observations.set_indices
    T_c = np.stack([rough.T_cam_ref[name] for name in cameras])
    T_b = np.stack([rough.T_ref_board[s] for s in sets])
    return Solution(cameras, sets, T_c[:, :3, :3], T_c[:, :3, 3], T_b[:, :3, :3], T_b[:, :3, 3])


def _restricted(solution: Solution, observations: Observations) -> Solution:
    """The same poses without the boards that have no view left."""
    sets = observations.set_indices
    rows = [solution.sets.index(s) for s in sets]
    return Solution(
        solution.cameras,
        sets,
        solution.R_cam_ref,
        solution.t_cam_ref,
        solution.R_ref_board[rows],
        solution.t_ref_board[rows],
    )


def _rejections(before: Observations, after: Observations, rough: RoughPoses) -> list[Rejection]:
    kept = set(after.views)
    counts = Counter(view.set_index for view in before.views)
    out = []
    for view in before.views:
        if view in kept:
            continue
        if view.camera not in rough.T_cam_ref:
            reason = "its camera is not connected to the others"
        elif counts[view.set_index] == 1:
            reason = "only this camera saw the board then, and not where it should be"
        else:
            reason = "its corners do not lie where the other cameras say the board was"
        out.append(Rejection(view, reason))
    return out
