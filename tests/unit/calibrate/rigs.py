"""Virtual rigs that look at a board: poses known, corners with known noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate import Detection, Observations, View, gather
from genlock.geometry import CameraModel
from genlock.geometry.jacobian import rotation_from_vector
from genlock.targets import Target, parse_target

TARGET = parse_target("charuco:9x6:80mm:60mm:DICT_5X5_250")

# A real Azure Kinect's color lens at 720p, to four digits.
LENS = CameraModel(
    width_px=1280, height_px=720, cx_px=639.3, cy_px=365.9, fx_px=611.8, fy_px=611.9,
    k1=0.33, k2=-2.4, k3=1.42, k4=0.21, k5=-2.22, k6=1.345, p1=3e-4, p2=-2e-4,
)  # fmt: skip


@dataclass(frozen=True)
class VirtualRig:
    observations: Observations
    R_world_cam: NDArray[np.float64]  # (C, 3, 3)
    t_world_cam: NDArray[np.float64]  # (C, 3)
    found: dict[View, Detection]

    def true_pose(self, camera: str, reference: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """R and t of T_camera_reference."""
        c, r = int(camera), int(reference)
        R = self.R_world_cam[c].T @ self.R_world_cam[r]
        return R, self.R_world_cam[c].T @ (self.t_world_cam[r] - self.t_world_cam[c])


def looking_at(position: NDArray[np.float64], aim: NDArray[np.float64]) -> NDArray[np.float64]:
    forward = (aim - position) / np.linalg.norm(aim - position)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def placed(kind: str, count: int) -> NDArray[np.float64]:
    """Positions of a ring, a wall of cameras side by side, or facing pairs; metres, z up."""
    if kind == "ring":
        angles = 2 * np.pi * np.arange(count) / count
        return np.stack([2.2 * np.cos(angles), 2.2 * np.sin(angles), np.full(count, 1.25)], axis=1)
    if kind == "wall":
        return np.stack([np.linspace(-0.4, 0.4, count) * count, np.full(count, -2.2), np.full(count, 1.25)], axis=1)
    sides = np.where(np.arange(count) % 2 == 0, -2.2, 2.2)
    return np.stack([0.7 * (np.arange(count) // 2 - (count - 1) / 4), sides, np.full(count, 1.25)], axis=1)


def make_rig(
    kind: str, count: int, sets: int, *, noise_px: float = 0.15, seed: int = 0, target: Target = TARGET
) -> VirtualRig:
    rng = np.random.default_rng(seed)
    t_world_cam = placed(kind, count) + rng.normal(0, 0.05, (count, 3))
    R_world_cam = np.stack([looking_at(t, np.array([0.0, 0.0, 0.9])) for t in t_world_cam])
    board = target.corners_board - target.corners_board.mean(axis=0)
    found = {}
    for number in range(sets):
        facing = rng.integers(count)
        toward = R_world_cam[facing]
        turn = toward @ rotation_from_vector(rng.normal(0, 0.45, 3))
        middle = np.array([0, 0, 0.9]) + rng.uniform(-0.5, 0.5, 3)
        points_world = board @ turn.T + middle
        for c in range(count):
            points = (points_world - t_world_cam[c]) @ R_world_cam[c]
            if (turn[:, 2] @ R_world_cam[c][:, 2]) < 0.35:  # seen too flat, or from behind
                continue
            px, is_valid = LENS.project(points)
            is_seen = is_valid & (px > 2).all(axis=1) & (px[:, 0] < 1277) & (px[:, 1] < 717)
            if is_seen.sum() >= 6:
                noisy = px[is_seen] + rng.normal(0, noise_px, (int(is_seen.sum()), 2))
                found[View(str(c), number)] = Detection(np.nonzero(is_seen)[0], noisy)
    cameras = {str(c): LENS for c in range(count)}
    return VirtualRig(gather(cameras, found), R_world_cam, t_world_cam, found)
