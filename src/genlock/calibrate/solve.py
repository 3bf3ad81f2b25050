"""From observations to poses: rough poses, bundle adjustment, what does not fit thrown out and named, again.

The final solution uses every set. How good it is is judged by two others, each made from half of the sets and scored
on the other half.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.boardpose import BoardPoses
from genlock.calibrate.bundle import Solution, residuals_px, solve_bundle
from genlock.calibrate.lens import LENS_UNKNOWNS
from genlock.calibrate.observations import Observations, View
from genlock.calibrate.posegraph import Pair, RoughPoses, rough_poses, view_poses
from genlock.calibrate.score import Score, combine, score
from genlock.calibrate.torn import find_torn

__all__ = ["LensTrial", "Rejection", "Solved", "solve_poses"]

_ROUNDS = 3
_FAR_SIGMAS = 8.0
"""A corner further off than this many robust sigmas is none of the board's."""
_LEAST_FAR_PX = 3.0
"""... but never one that is nearer than this: sub-pixel errors belong to every image."""
_MOST_FAR_RATIO = 1 / 3
"""A view with more far-off corners than this is no view of that moment: what is left of it goes too."""
_MIN_SETS_TO_SPLIT = 6
_LENS_GAIN_RATIO = 0.95
"""Refined lenses must lower the held-out error to this part of the factory's: less is luck."""
_MOST_SIGMA_RATIO = 2.0
"""Where few tilts tell distance from focal length, errors fall and poses run off together with the lenses ..."""
_LARGE_GAIN_RATIO = 0.9
"""... then only twice the usual gain is worth it."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A view that was left out."""

    view: View
    reason: str


@dataclass(frozen=True, slots=True)
class LensTrial:
    """What refining the lenses did to sets that had no part in it."""

    factory_px: float
    refined_px: float
    sigma_ratio: float
    """How many times as uncertain poses are with lenses free to move, of the worst unknown."""

    @property
    def is_gain(self) -> bool:
        """Whether the refined lenses are taken."""
        limit_ratio = _LENS_GAIN_RATIO if self.sigma_ratio < _MOST_SIGMA_RATIO else _LARGE_GAIN_RATIO
        return self.refined_px < limit_ratio * self.factory_px


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
    single_rms_px: float
    """Median of what is left where every view has its board to itself: the noise of corners and the faults of lenses,
    without those of poses and of clocks."""
    lens_trial: LensTrial | None = None
    """``None`` where the lenses were not to be refined, or nothing could be held out."""

    @property
    def training_rms_px(self) -> float:
        """Of the corners used. Says whether the solver was content, not whether the result is good."""
        return float(np.sqrt((self.residuals**2).sum(axis=1).mean()))


def solve_poses(
    observations: Observations, corners_board: NDArray[np.float64], *, refine_lenses: bool = False
) -> Solved | None:
    """Solves; ``None`` when no two cameras saw the board together.

    Args:
        observations: of one board.
        corners_board: (K, 3), by corner number.
        refine_lenses: whether to look for better lenses near the given ones. They are taken when held-out sets gain.
    """
    poses = view_poses(observations, corners_board)
    torn = find_torn(observations, corners_board, poses)
    is_whole = np.ones(len(observations.views), bool)
    is_whole[list(torn)] = False
    whole = observations.kept(is_whole[observations.view_of_corner])
    poses = BoardPoses(poses.T_cam_board[is_whole], poses.rms_px[is_whole])
    rough = rough_poses(whole, corners_board, poses)
    if not rough.groups or len(rough.groups[0]) < 2:
        return None
    used = _within(whole, rough)
    solution, used = _solve_and_sift(used, corners_board, rough)
    held_out = _hold_out(used, corners_board, rough)
    trial = None
    if refine_lenses and held_out is not None:
        refined = _hold_out(used, corners_board, rough, refine_lenses=True)
        if refined is not None:
            freed = solve_bundle(used, corners_board, _with_lenses(solution))
            trial = LensTrial(held_out.rms_px, refined.rms_px, _sigma_ratio(freed, solution))
            if trial.is_gain:
                held_out, solution = refined, freed
    rejections = [Rejection(observations.views[number], f"torn (at row {row})") for number, row in torn.items()]
    kept_views = set(used.views)
    kept_before = sum(
        int(np.diff(observations.starts)[i]) for i, view in enumerate(observations.views) if view in kept_views
    )
    return Solved(
        solution=solution,
        observations=used,
        residuals=residuals_px(used, corners_board, solution),
        rejections=(*rejections, *_rejections(whole, used, rough)),
        rejected_corners=kept_before - len(used.corners),
        groups=rough.groups,
        pairs=rough.pairs,
        held_out=held_out,
        single_rms_px=float(np.median(poses.rms_px[np.isfinite(poses.rms_px[:, 0]), 0])),
        lens_trial=trial,
    )


def _sigma_ratio(freed: Solution, fixed: Solution) -> float:
    if freed.covariance is None or fixed.covariance is None:
        return float("inf")
    return float(np.sqrt((np.diag(freed.covariance) / np.diag(fixed.covariance)).max()))


def _with_lenses(solution: Solution) -> Solution:
    """The same poses, from which lenses are refined too."""
    return replace(solution, lens_steps=np.zeros((len(solution.cameras), LENS_UNKNOWNS)))


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
        view = observations.view_of_corner
        far_ratio = np.bincount(view[lengths > limit_px], minlength=len(observations.views)) / np.bincount(view)
        observations = observations.kept((lengths <= limit_px) & (far_ratio[view] <= _MOST_FAR_RATIO))
        solution = solve_bundle(observations, corners_board, _restricted(solution, observations))
    return solution, observations


def _hold_out(
    observations: Observations, corners_board: NDArray[np.float64], rough: RoughPoses, *, refine_lenses: bool = False
) -> Score | None:
    sets = observations.set_indices
    if len(sets) < _MIN_SETS_TO_SPLIT:
        return None
    scores = []
    for train, test in ((sets[0::2], sets[1::2]), (sets[1::2], sets[0::2])):
        half = observations.of_sets(train)
        # A camera that the half does not tie to the others cannot be held out.
        if len({view.camera for view in half.views}) < len(rough.T_cam_ref):
            return None
        start = _start(half, rough)
        solution = solve_bundle(half, corners_board, _with_lenses(start) if refine_lenses else start)
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
