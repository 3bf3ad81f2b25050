"""Rigid-board bundle adjustment: all cameras and all boards at once, to the least robust error in pixels.

Unknown are the pose of every camera but one, which holds the frame, and the pose of the board in every set. The board
itself is rigid and known. A residual is a corner's pixel less where its camera's lens puts it::

    p_cam = R_c (R_b X + t_b) + t_c        twist of a camera, in its own frame: omega x p_cam + tau
                                           twist of a board, in its own frame: omega x X + tau, turned by R_c R_b

Derivatives are analytic. Boards meet only cameras, so the normal equations have a block diagonal part that is folded
away (Schur complement): what is left to solve has six unknowns a camera. A step is kept when it lowers the cost
(Levenberg and Marquardt). Far-off corners count less (soft L1: rho = 2 s^2 (sqrt(1 + r^2 / s^2) - 1), r the length of
a corner's residual, by reweighting). Lenses are kept, or refined near what was given (``lens``).

Blur and bright paper move the edges of separate markers, all of one view by about the same number of pixels, which
looks like another distance. So each view of such has one more unknown, its inset k; a residual there is r + k d, where
d is where a corner goes when edges move by one pixel (``edges``). Markers shrink with it and their spacing does not,
which tells it from the distance. It is linear and touches one view only: the best k is put in wherever residuals are
computed, and what it could explain is taken out of the view's normal equations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.lens import LENS_UNKNOWNS, adjusted, lens_derivatives
from genlock.calibrate.observations import Observations
from genlock.geometry import CameraModel, derivative_by_rotation, project_with_derivatives, rotation_from_vector

__all__ = ["Solution", "lenses_of", "residuals_px", "solve_bundle"]

Array = NDArray[np.float64]

_MAX_STEPS = 60
_CONVERGED_RATIO = 1e-6
"""A step that gains less changes poses by a thousandth of their sigma."""
_SOFT_PX = 1.0
_PRIOR_PX = 0.3
"""What one prior sigma of a lens or an inset weighs, against errors of corners: those are found to 0.1 to 0.3 px."""
_INSET_SIGMA_PX = 1.0
"""Wider than insets are (blur and paper make some tenths), so that it hardly weighs: four corners alone hold an inset
by their sum of d^2 = 8, this by 0.3^2, and takes 1 % off. It decides where nothing tells an inset from a distance."""
_INSET_WEIGHT = (_PRIOR_PX / _INSET_SIGMA_PX) ** 2
_INSET_ROUNDS = 4
_LEAST_NOISE_PX = 0.07
"""What a corner's coordinate is good to at best, whatever residuals say: a lens, and light that falls off along the
board, move all corners of a view together by some hundredths of a pixel, which shows in none of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Poses that fit, in the frame of the camera that holds it (or any frame that they were moved to)."""

    cameras: tuple[str, ...]
    """The first one holds the frame."""
    sets: tuple[int, ...]
    R_cam_ref: Array  # (C, 3, 3)
    t_cam_ref: Array  # (C, 3), metres
    R_ref_board: Array  # (B, 3, 3)
    t_ref_board: Array  # (B, 3), metres
    covariance: Array | None = None
    """(6 (C - 1), 6 (C - 1)): of the twists of all cameras but the first, each in its own frame; rad and m."""
    steps: int = 0
    lens_steps: Array | None = None
    """(C, 8), by how many prior sigmas each lens was refined; ``None``: lenses as they were given."""


def lenses_of(observations: Observations, solution: Solution) -> list[CameraModel]:
    """The lens of each camera of a solution."""
    given = [observations.cameras[name] for name in solution.cameras]
    if solution.lens_steps is None:
        return given
    return [adjusted(camera, steps) for camera, steps in zip(given, solution.lens_steps, strict=True)]


def residuals_px(observations: Observations, corners_board: Array, solution: Solution) -> Array:
    """(N, 2): each corner's pixel as predicted, less as seen, but for what its view's inset explains."""
    return _linearize(_Problem(observations, corners_board, solution), solution).residuals


def solve_bundle(observations: Observations, corners_board: Array, start: Solution) -> Solution:
    """The best poses near a start, with the covariance of the cameras'.

    Args:
        observations: only of cameras and sets that ``start`` has.
        corners_board: (K, 3), by corner number.
        start: where to begin; its first camera stays. With ``lens_steps`` the lenses are refined too.
    """
    problem = _Problem(observations, corners_board, start)
    now = start
    linear = _linearize(problem, now)
    cost, damping, steps = linear.cost, 1e-3, 0
    while steps < _MAX_STEPS:
        steps += 1
        step = linear.step(problem, damping)
        trial = _moved(now, *step)
        trial_linear = _linearize(problem, trial)
        if trial_linear.cost < cost:
            gain = cost - trial_linear.cost
            now, linear, cost, damping = trial, trial_linear, trial_linear.cost, max(damping / 10, 1e-12)
            if gain <= _CONVERGED_RATIO * cost:
                break
        else:
            damping *= 10
            if damping > 1e8:
                break
    return replace(now, covariance=linear.covariance(problem), steps=steps)


class _Problem:
    """Which corner belongs to which camera and board."""

    def __init__(self, observations: Observations, corners_board: Array, solution: Solution) -> None:
        self.px = observations.px
        self.inward = observations.inward
        self.view = observations.view_of_corner
        self.has_insets = bool(observations.inward.any())
        self.points_board = corners_board[observations.corners]
        camera_number = {name: i for i, name in enumerate(solution.cameras)}
        set_number = {s: i for i, s in enumerate(solution.sets)}
        self.view_camera = np.array([camera_number[view.camera] for view in observations.views], dtype=np.int64)
        self.view_board = np.array([set_number[view.set_index] for view in observations.views], dtype=np.int64)
        self.starts = observations.starts
        counts = np.diff(self.starts)
        self.camera = np.repeat(self.view_camera, counts)
        self.board = np.repeat(self.view_board, counts)
        self.observations = observations
        self.rows = [np.nonzero(self.camera == i)[0] for i in range(len(solution.cameras))]
        self.camera_count, self.board_count = len(solution.cameras), len(solution.sets)
        self.width = 6 if solution.lens_steps is None else 6 + LENS_UNKNOWNS
        """Unknowns of a camera: its pose, then its lens."""
        # The first camera's pose holds the frame; its lens is as free as any.
        self.free = np.arange(6, self.width * self.camera_count)
        self.pose = (self.width * np.arange(1, self.camera_count)[:, None] + np.arange(6)).ravel()


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """The problem about one point: residuals, and the weighted normal equations by blocks."""

    residuals: Array  # (N, 2)
    cost: float
    weights: Array  # (N,)
    by_camera: Array  # (N, 2, W), pose then lens
    by_board: Array  # (N, 2, 6)
    lens_pull: Array | None
    """(C, 8), how far the lenses are from the given ones, weighted as the prior wants it."""

    def blocks(self, problem: _Problem) -> tuple[Array, Array, Array, Array, Array]:
        """Normal matrices of cameras (C, W, W), boards (B, 6, 6), their mix (B, C, 6, W), and both gradients."""
        root = np.sqrt(self.weights)[:, None]
        jacobian = np.concatenate([self.by_camera, self.by_board], axis=2) * root[:, :, None]
        residual = self.residuals * root
        cameras, boards, width = problem.camera_count, problem.board_count, problem.width
        H_c, H_b = np.zeros((cameras, width, width)), np.zeros((boards, 6, 6))
        H_bc = np.zeros((boards, cameras, 6, width))
        g_c, g_b = np.zeros((cameras, width)), np.zeros((boards, 6))
        for number, (c, b) in enumerate(zip(problem.view_camera, problem.view_board, strict=True)):
            part = slice(problem.starts[number], problem.starts[number + 1])
            J = jacobian[part].reshape(-1, width + 6)
            normal, gradient = J.T @ J, J.T @ residual[part].ravel()
            if problem.has_insets:
                inward = (problem.inward[part] * root[part]).ravel()
                pull = inward @ J
                normal -= np.outer(pull, pull) / (inward @ inward + _INSET_WEIGHT)
            H_c[c] += normal[:width, :width]
            H_b[b] += normal[width:, width:]
            H_bc[b, c] += normal[width:, :width]
            g_c[c] += gradient[:width]
            g_b[b] += gradient[width:]
        if self.lens_pull is not None:
            lens = np.arange(6, width)
            H_c[:, lens, lens] += _PRIOR_PX**2
            g_c[:, lens] += self.lens_pull
        return H_c, H_b, H_bc, g_c, g_b

    def step(self, problem: _Problem, damping: float) -> tuple[Array, Array]:
        """Changes of cameras (C, W), the first one's pose stays, and twists of boards (B, 6)."""
        H_c, H_b, H_bc, g_c, g_b = self.blocks(problem)
        H_b = _damped(H_b, damping)
        H_b_inverse = np.linalg.inv(H_b)
        folded = H_b_inverse[:, None] @ H_bc  # (B, C, 6, W)
        reduced, gradient = _reduce(_damped(H_c, damping), H_bc, folded, g_c, g_b)
        change = np.zeros(problem.camera_count * problem.width)
        free = problem.free
        change[free] = -np.linalg.solve(reduced[np.ix_(free, free)], gradient[free])
        change_c = change.reshape(problem.camera_count, problem.width)
        twist_b = -(H_b_inverse @ g_b[:, :, None])[:, :, 0] - np.einsum("bcij,cj->bi", folded, change_c)
        return change_c, twist_b

    def covariance(self, problem: _Problem) -> Array:
        """Of the cameras' twists, boards and lenses taken into account; scaled by what the residuals show."""
        H_c, H_b, H_bc, g_c, g_b = self.blocks(problem)
        H_b = _damped(H_b, 1e-12)
        folded = np.linalg.inv(H_b)[:, None] @ H_bc
        reduced, _ = _reduce(H_c, H_bc, folded, g_c, g_b)
        unknowns = len(problem.free) + 6 * problem.board_count + problem.has_insets * len(problem.view_camera)
        freedom = max(2 * len(self.residuals) - unknowns, 1)
        # The variance of one coordinate, from the corners' weighted squares (sandwich with a nearly constant weight).
        variance = float((self.weights[:, None] * self.residuals**2).sum() / self.weights.mean() / freedom)
        variance = max(variance, _LEAST_NOISE_PX**2)
        bread = np.linalg.pinv(reduced[np.ix_(problem.free, problem.free)])
        pose = np.searchsorted(problem.free, problem.pose)
        if not len(pose):
            return np.zeros((0, 0))
        independent = (bread * self.weights.mean() * variance)[np.ix_(pose, pose)]
        scores = self._scores(problem)[:, problem.free]
        by_set = (bread @ (scores.T @ scores) @ bread)[np.ix_(pose, pose)] * len(scores) / max(len(scores) - 1, 1)
        # Errors that corners of a set share (it moved while rows were read, it is bent) do not average out within it.
        # Spread between sets shows them; where there are none it is the smaller one, for boards fit their own sets.
        shared = float(np.mean(np.diag(by_set) / np.maximum(np.diag(independent), 1e-30)))
        return np.asarray(independent * max(shared, 1.0))

    def _scores(self, problem: _Problem) -> Array:
        """(B, C W): how each set by itself pulls at the cameras. At the solution they cancel out."""
        pulls = np.einsum("nki,nk->ni", self.by_camera, self.residuals * self.weights[:, None])
        by_view = np.add.reduceat(pulls, problem.starts[:-1], axis=0)
        out = np.zeros((problem.board_count, problem.camera_count, problem.width))
        out[problem.view_board, problem.view_camera] = by_view
        return out.reshape(problem.board_count, -1)


def _linearize(problem: _Problem, solution: Solution) -> _Linear:
    R_c, R_b = solution.R_cam_ref, solution.R_ref_board
    points_ref = np.einsum("nij,nj->ni", R_b[problem.board], problem.points_board) + solution.t_ref_board[problem.board]
    points_cam = np.empty_like(points_ref)
    predicted, by_point = np.empty_like(problem.px), np.empty((len(points_ref), 2, 3))
    by_lens = []
    for number, (camera, rows) in enumerate(zip(lenses_of(problem.observations, solution), problem.rows, strict=True)):
        points_cam[rows] = points_ref[rows] @ R_c[number].T + solution.t_cam_ref[number]
        predicted[rows], by_point[rows] = project_with_derivatives(camera, points_cam[rows])
        if solution.lens_steps is not None:
            given = problem.observations.cameras[solution.cameras[number]]
            by_lens.append(lens_derivatives(camera, given, points_cam[rows]))
    residuals, insets_px = _without_insets(problem, predicted - problem.px)
    R_cam_board = R_c[problem.camera] @ R_b[problem.board]
    by_board_point = by_point @ R_cam_board
    square = (residuals**2).sum(axis=1) / _SOFT_PX**2
    by_camera = np.empty((len(residuals), 2, problem.width))
    by_camera[:, :, :3], by_camera[:, :, 3:6] = derivative_by_rotation(points_cam, by_point), by_point
    for rows, derivatives in zip(problem.rows, by_lens, strict=False):
        by_camera[rows, :, 6:] = derivatives
    lens_cost = 0.0 if solution.lens_steps is None else _PRIOR_PX**2 * float((solution.lens_steps**2).sum())
    inset_cost = _INSET_WEIGHT * float((insets_px**2).sum())
    return _Linear(
        residuals=residuals,
        cost=float((2 * _SOFT_PX**2 * (np.sqrt(1 + square) - 1)).sum()) + lens_cost + inset_cost,
        weights=1 / np.sqrt(1 + square),
        by_camera=by_camera,
        by_board=np.concatenate([derivative_by_rotation(problem.points_board, by_board_point), by_board_point], axis=2),
        lens_pull=None if solution.lens_steps is None else _PRIOR_PX**2 * solution.lens_steps,
    )


def _without_insets(problem: _Problem, residuals: Array) -> tuple[Array, Array]:
    """Residuals less what insets explain, and (V,) the insets that do so best, px inwards; none but of markers."""
    if not problem.has_insets:
        return residuals, np.zeros(0)
    left = residuals
    for _ in range(_INSET_ROUNDS):
        weights = 1 / np.sqrt(1 + (left**2).sum(axis=1) / _SOFT_PX**2)
        along, square = (
            np.add.reduceat(weights * (problem.inward * other).sum(axis=1), problem.starts[:-1])
            for other in (residuals, problem.inward)
        )
        insets_px = -along / (square + _INSET_WEIGHT)
        left = residuals + insets_px[problem.view, None] * problem.inward
    return left, insets_px


def _damped(blocks: Array, damping: float) -> Array:
    """Each block with its diagonal enlarged; a hair of its own for boards that hardly any corner holds."""
    out = blocks.copy()
    diagonal = np.arange(blocks.shape[1])
    out[:, diagonal, diagonal] *= 1 + damping
    out[:, diagonal, diagonal] += 1e-9
    return out


def _reduce(H_c: Array, H_bc: Array, folded: Array, g_c: Array, g_b: Array) -> tuple[Array, Array]:
    """The cameras' equations with the boards folded away: (W C, W C) and (W C,)."""
    boards, cameras, _, width = H_bc.shape
    tall = H_bc.transpose(0, 2, 1, 3).reshape(boards * 6, cameras * width)
    tall_folded = folded.transpose(0, 2, 1, 3).reshape(boards * 6, cameras * width)
    reduced = -tall.T @ tall_folded
    for c in range(cameras):
        reduced[width * c : width * (c + 1), width * c : width * (c + 1)] += H_c[c]
    return reduced, g_c.ravel() - tall_folded.T @ g_b.ravel()


def _moved(solution: Solution, change_c: Array, twist_b: Array) -> Solution:
    turn_c, turn_b = rotation_from_vector(change_c[:, :3]), rotation_from_vector(twist_b[:, :3])
    return replace(
        solution,
        R_cam_ref=turn_c @ solution.R_cam_ref,
        t_cam_ref=(turn_c @ solution.t_cam_ref[:, :, None])[:, :, 0] + change_c[:, 3:6],
        R_ref_board=solution.R_ref_board @ turn_b,
        t_ref_board=solution.t_ref_board + (solution.R_ref_board @ twist_b[:, 3:, None])[:, :, 0],
        lens_steps=None if solution.lens_steps is None else solution.lens_steps + change_c[:, 6:],
    )
