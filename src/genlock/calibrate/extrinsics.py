"""From solved cameras to devices in a world."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.bundle import Solution
from genlock.geometry import WORLD, Pose, PoseSigma, RigExtrinsics, device_frame, renamed

__all__ = ["extrinsics_of", "on_board", "sigmas_of"]


def extrinsics_of(solution: Solution, T_cam_device: Mapping[str, Pose], T_world_ref: Pose, world: str) -> RigExtrinsics:
    """Every device in the world.

    Args:
        solution: of the cameras that saw the board.
        T_cam_device: by serial: from the device's own frame to the camera that saw the board.
        T_world_ref: from the solution's frame, that of its first camera, called ``ref``.
        world: what the world is, for people.
    """
    poses = {}
    for number, serial in enumerate(solution.cameras):
        T_cam_ref = Pose("cam", "ref", solution.R_cam_ref[number], solution.t_cam_ref[number])
        T_device_cam = renamed(T_cam_device[serial].inverse(), device_frame(serial), "cam")
        poses[serial] = T_world_ref @ (T_device_cam @ T_cam_ref).inverse()
    return RigExtrinsics(poses, world, sigmas_of(solution))


def sigmas_of(solution: Solution) -> dict[str, PoseSigma]:
    """How uncertain each camera lies to the first one: the largest axis of its covariance's two halves."""
    sigmas = {solution.cameras[0]: PoseSigma(0.0, 0.0)}
    if solution.covariance is not None:
        for number, camera in enumerate(solution.cameras[1:]):
            block = solution.covariance[6 * number : 6 * number + 6, 6 * number : 6 * number + 6]
            turn_rad, shift_m = (float(np.sqrt(np.linalg.eigvalsh(block[s, s])[-1])) for s in (slice(3), slice(3, 6)))
            sigmas[camera] = PoseSigma(1000 * shift_m, float(np.degrees(turn_rad)))
    return sigmas


def on_board(solution: Solution, set_index: int, middle_board: NDArray[np.float64]) -> Pose:
    """``T_world_ref`` of a world that stands on the board of one set: z up out of its print, the middle at its origin.

    Lay the board on the floor for that set. Raises ``ValueError`` when that set was not used.
    """
    if set_index not in solution.sets:
        raise ValueError(f"set {set_index} was not used; these were: {', '.join(map(str, solution.sets))}")
    number = solution.sets.index(set_index)
    T_ref_board = Pose("ref", "board", solution.R_ref_board[number], solution.t_ref_board[number])
    # The board's z goes into it and its y down the page; the world's z comes out and its y goes up.
    flip = np.diag([1.0, -1.0, -1.0])
    return Pose(WORLD, "board", flip, -flip @ middle_board) @ T_ref_board.inverse()
