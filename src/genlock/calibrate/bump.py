"""Has a camera moved since?

Extrinsics of two days are in two frames of their own. What can be compared is how cameras lie to each other. A pose is
known far worse along some directions than along others: a camera that turns a little and steps aside sees a board in
the middle of the room as before, and neither calibration can tell. So poses are compared by what they are for: where
the board's corners come to lie, seen through one camera, by the other's old and new place beside it. That this differs
is a movement where it is more than both calibrations' covariance explains.

Cameras that agree among themselves stand still; of those that disagree the one that disagrees most is taken away until
the rest agree, and has moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.bundle import Solution
from genlock.calibrate.extrinsics import sigmas_of
from genlock.calibrate.solve import Solved
from genlock.geometry import Pose, PoseSigma, RigExtrinsics, cross_matrix

__all__ = ["Movement", "find_movements"]

_SIGMAS = 3.0
_LEAST_MM = 1.5
"""Less than this no rig holds: warming up alone moves a camera so far.  # unverified on hardware"""
_MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class Movement:
    """How one device lies now, against then."""

    serial: str
    shift_mm: float
    """How far corners of the board lie from where the old place puts them, RMS, beside the device that it agrees with
    least."""
    limit_mm: float
    """From which shift on it has moved."""
    moved_mm: float
    """How far its camera stands from its old place; where the board was seen little, less certain than the shift."""
    turned_deg: float
    has_moved: bool


@dataclass(frozen=True, slots=True)
class _Change:
    """Two cameras to each other, then and now."""

    shift_mm: float
    limit_mm: float
    moved_mm: float
    turned_deg: float

    @property
    def excess_ratio(self) -> float:
        """By how much it is more than errors explain; not positive where it is not."""
        return self.shift_mm / self.limit_mm - 1


def find_movements(
    then: RigExtrinsics, now: Solved, corners_board: NDArray[np.float64], T_cam_device: Mapping[str, Pose]
) -> tuple[Movement, ...]:
    """Compares the devices that both have; empty with fewer than two of them.

    With two devices one cannot know which of them moved: both are then called moved.

    Args:
        then: where the devices were.
        now: a board filmed since.
        corners_board: (K, 3), by corner number.
        T_cam_device: by serial: from the device's own frame to the camera that saw the board.
    """
    serials = [serial for serial in then.T_world_device if serial in now.solution.cameras]
    if len(serials) < 2:
        return ()
    points_cam = {serial: _points_cam(now, corners_board, serial) for serial in serials}
    change: dict[tuple[str, str], _Change] = {}
    for a, b in combinations(serials, 2):
        before = (T_cam_device[a] @ then.between(a, b)) @ T_cam_device[b].inverse()
        change[a, b] = change[b, a] = _compared(now.solution, then.sigmas, before, (a, b), points_cam[b])
    still = _standing(serials, change)
    movements = []
    for serial in serials:
        others = [other for other in still if other != serial] or [other for other in serials if other != serial]
        against = [change[other, serial] for other in others]
        worst = max(against, key=lambda c: c.excess_ratio)
        moved_mm, turned_deg = (
            float(np.median([getattr(c, name) for c in against])) for name in ("moved_mm", "turned_deg")
        )
        movements.append(Movement(serial, worst.shift_mm, worst.limit_mm, moved_mm, turned_deg, serial not in still))
    return tuple(movements)


def _standing(serials: list[str], change: Mapping[tuple[str, str], _Change]) -> set[str]:
    """The cameras that agree with each other; nobody when no two do."""
    still = set(serials)
    while any(change[pair].excess_ratio > 0 for pair in combinations(still, 2)):
        still.remove(max(sorted(still), key=lambda a: sum(max(change[a, b].excess_ratio, 0) for b in still if b != a)))
    return still if len(still) >= 2 else set()


def _compared(
    now: Solution,
    sigmas_then: Mapping[str, PoseSigma],
    T_a_b_then: Pose,
    cameras: tuple[str, str],
    points_b: NDArray[np.float64],
) -> _Change:
    """One camera beside another, by points that it sees, (N, 3) in its own frame."""
    (R_a, t_a), (R_b, t_b) = (_pose(now, camera) for camera in cameras)
    R_a_b = R_a @ R_b.T
    t_a_b = t_a - R_a_b @ t_b
    points_a = points_b @ R_a_b.T + t_a_b
    shift_m = np.linalg.norm(T_a_b_then.apply(points_b) - points_a, axis=1)
    # Twists of a move points in a's frame; twists of b move them in b's, the other way round.
    by_a = np.concatenate([-cross_matrix(points_a), np.tile(np.eye(3), (len(points_a), 1, 1))], axis=2)
    by_b = -R_a_b @ np.concatenate([-cross_matrix(points_b), np.tile(np.eye(3), (len(points_b), 1, 1))], axis=2)
    J = np.concatenate([by_a, by_b], axis=2)  # (N, 3, 12)
    normal = np.einsum("nki,nkj->ij", J, J) / len(J)
    variance_m2 = float(np.sum(normal * _covariance(now, cameras)))
    # The old film's covariance was not kept, its sigmas were: it is taken for this one's, as many times as large.
    variance_m2 *= 1 + _sigma_ratio(sigmas_then, sigmas_of(now)) ** 2
    turn = T_a_b_then.rotation.T @ R_a_b
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    return _Change(
        shift_mm=1000 * float(np.sqrt((shift_m**2).mean())),
        limit_mm=max(1000 * _SIGMAS * float(np.sqrt(variance_m2)), _LEAST_MM),
        moved_mm=1000 * float(np.linalg.norm(t_a_b - T_a_b_then.translation_m)),
        turned_deg=float(np.degrees(np.arctan2(np.linalg.norm(axis), np.trace(turn) - 1))),
    )


def _covariance(now: Solution, cameras: tuple[str, str]) -> NDArray[np.float64]:
    """(12, 12): of both cameras' twists; the first camera's of the solution is fixed."""
    whole = np.zeros((6 * len(now.cameras),) * 2)
    if now.covariance is not None:
        whole[6:, 6:] = now.covariance
    rows = np.concatenate([6 * now.cameras.index(camera) + np.arange(6) for camera in cameras])
    return np.asarray(whole[np.ix_(rows, rows)])


def _sigma_ratio(then: Mapping[str, PoseSigma], now: Mapping[str, PoseSigma]) -> float:
    """How many times as uncertain poses were then; 1 where that is not known."""
    before, after = ([s.translation_mm for s in sigmas.values() if s.translation_mm > 0] for sigmas in (then, now))
    return float(np.median(before) / np.median(after)) if before and after else 1.0


def _points_cam(now: Solved, corners_board: NDArray[np.float64], camera: str) -> NDArray[np.float64]:
    """(N, 3): the board's corners that a camera saw, in its own frame."""
    used, solution = now.observations, now.solution
    R_cam, t_cam = _pose(solution, camera)
    seen = []
    for number, view in enumerate(used.views):
        if view.camera == camera:
            board = solution.sets.index(view.set_index)
            points = corners_board[used.corners[used.corners_of(number)]]
            seen.append(points @ solution.R_ref_board[board].T + solution.t_ref_board[board])
    points_ref = np.concatenate(seen)
    return np.asarray(points_ref[:: -(-len(points_ref) // _MOST_POINTS)] @ R_cam.T + t_cam)


def _pose(solution: Solution, camera: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    number = solution.cameras.index(camera)
    return solution.R_cam_ref[number], solution.t_cam_ref[number]
