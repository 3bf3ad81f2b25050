"""Where the devices stand on the stage: by the rig file, or else on a ring.

The stage is the scene's own frame: z up, floor at z = 0, the action around the origin. A rig file's world may have any
axis up and any origin; the stage is laid into it so that the devices stand upright around it and look at its middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genlock.geometry import Pose
from genlock.rig import Rig, RigDevice

__all__ = ["look_at", "stage_poses"]

_RING_RADIUS_M = 2.2
_RING_HEIGHT_M = 1.25
_TARGET_HEIGHT_M = 0.9

Vector = NDArray[np.float64]  # (3,)


def stage_poses(rig: Rig) -> dict[str, Pose]:
    """``T_stage_depth`` of every device, by serial.

    Devices with ``position_m`` and ``rotation_wxyz`` keep their arrangement; all others stand on a ring around the
    middle, each in the place that its number in the rig gives it, and look at the middle.
    """
    placed = {d.serial: _nominal(d) for d in rig.devices if d.position_m is not None and d.rotation_wxyz is not None}
    poses: dict[str, Pose] = {}
    if placed:
        T_stage_world = _stage_in_world(list(placed.values()))
        poses = {serial: T_stage_world @ T_world_depth for serial, T_world_depth in placed.items()}
    return {
        device.serial: poses.get(device.serial) or _on_ring(number, len(rig.devices))
        for number, device in enumerate(rig.devices)
    }


def look_at(to_frame: str, position_m: Sequence[float], target_m: Sequence[float], up: Sequence[float]) -> Pose:
    """``T_to_depth`` of a camera that stands here, looks there, and holds its head up."""
    forward = np.subtract(target_m, position_m)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, np.asarray(up, dtype=np.float64))
    right = right / np.linalg.norm(right)
    down = np.cross(forward, right)
    return Pose(to_frame, "depth", np.stack([right, down, forward], axis=1), np.asarray(position_m, dtype=np.float64))


def _on_ring(number: int, count: int) -> Pose:
    # The first device stands in front (-y); fewer than three stay 60 degrees apart, so that they see the same side.
    step_rad = 2 * math.pi / count if count >= 3 else math.pi / 3
    angle_rad = -math.pi / 2 + number * step_rad
    position_m = (_RING_RADIUS_M * math.cos(angle_rad), _RING_RADIUS_M * math.sin(angle_rad), _RING_HEIGHT_M)
    return look_at("stage", position_m, (0.0, 0.0, _TARGET_HEIGHT_M), (0.0, 0.0, 1.0))


def _nominal(device: RigDevice) -> Pose:
    rotation_wxyz = device.rotation_wxyz or (1.0, 0.0, 0.0, 0.0)
    return Pose.from_quaternion("world", "depth", rotation_wxyz, device.position_m or (0.0, 0.0, 0.0))


def _stage_in_world(poses: Sequence[Pose]) -> Pose:
    """``T_stage_world``: up is the world axis nearest to the devices' own up, the floor lies below the lowest."""
    positions_m = np.stack([T.translation_m for T in poses])
    forwards = np.stack([T.rotation[:, 2] for T in poses])
    mean_up = -np.mean([T.rotation[:, 1] for T in poses], axis=0)
    up = np.zeros(3)
    axis = int(np.argmax(np.abs(mean_up)))
    up[axis] = math.copysign(1.0, mean_up[axis])
    middle_m = _meeting_point(positions_m, forwards)
    heights_m = positions_m @ up
    floor_m = heights_m.min() - _RING_HEIGHT_M
    # The stage's x runs to the right of the first device.
    right = poses[0].rotation[:, 0] - up * (poses[0].rotation[:, 0] @ up)
    right = right / np.linalg.norm(right)
    rotation_stage_world = np.stack([right, np.cross(up, right), up])
    origin_m = middle_m + up * (floor_m - middle_m @ up)
    return Pose("stage", "world", rotation_stage_world, -rotation_stage_world @ origin_m)


def _meeting_point(positions_m: Vector, forwards: Vector) -> Vector:
    """The point nearest to all lines of sight, held near 2.2 m from the devices where these hardly cross."""
    weight = 1e-3
    matrix, right_side = np.zeros((3, 3)), np.zeros(3)
    for position_m, forward in zip(positions_m, forwards, strict=True):
        off_axis = np.eye(3) - np.outer(forward, forward)
        matrix += off_axis + weight * np.eye(3)
        right_side += off_axis @ position_m + weight * (position_m + _RING_RADIUS_M * forward)
    return np.asarray(np.linalg.solve(matrix, right_side))
