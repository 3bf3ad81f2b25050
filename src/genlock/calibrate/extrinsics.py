"""From solved cameras to devices in a world."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from genlock.calibrate.bundle import Solution
from genlock.geometry import Pose, PoseSigma, RigExtrinsics, device_frame, renamed

__all__ = ["extrinsics_of", "sigmas_of"]


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
