"""The board's corners as the depth cameras see them: is the board as large as it is said to be, is depth biased?

Corners found in the color images say where the board is, in units of its own size. Depth cameras measure in metres and
know nothing of the board. If the board is larger than it was told, every depth reading of it is larger by the same
ratio; if a depth camera is off, its readings are off by millimetres, whatever the distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.geometry import CameraModel, Pose

__all__ = ["DepthCheck", "DepthReadings", "check_depth", "read_depth"]

_MIN_READINGS = 50


@dataclass(frozen=True, slots=True, eq=False)
class DepthReadings:
    """One device's depth at the board's corners."""

    expected_mm: NDArray[np.float64]  # (N,), by the board's pose
    measured_mm: NDArray[np.float64]  # (N,), by the depth camera


@dataclass(frozen=True, slots=True)
class DepthCheck:
    """What depth says of the board."""

    size_ratio: float
    """True size over the size told; 1.02 is a board that is 2 % larger than it was said to be."""
    bias_mm: Mapping[str, float]
    """By device: median of measured less expected depth, the ratio taken out."""
    readings: int


def read_depth(
    depth: NDArray[np.uint16], camera: CameraModel, T_depth_cam: Pose, points_cam: NDArray[np.float64]
) -> DepthReadings:
    """Depth at points that another camera of the device saw: the median of 3 x 3 pixels, where all nine have one.

    Args:
        depth: (H, W), mm, 0 = no reading.
        camera: the depth camera.
        T_depth_cam: from the camera that saw the board.
        points_cam: (N, 3), metres, in that camera's frame.
    """
    points = T_depth_cam.apply(points_cam)
    px, is_valid = camera.project(points)
    x, y = np.rint(px).astype(int).T
    inside = is_valid & (x >= 1) & (y >= 1) & (x < depth.shape[1] - 1) & (y < depth.shape[0] - 1)
    x, y = x[inside], y[inside]
    offsets = np.array([(j, i) for j in (-1, 0, 1) for i in (-1, 0, 1)])
    patches = depth[y[:, None] + offsets[:, 0], x[:, None] + offsets[:, 1]].astype(np.float64)
    is_whole = (patches > 0).all(axis=1)
    return DepthReadings(1000 * points[inside, 2][is_whole], np.median(patches[is_whole], axis=1))


def check_depth(readings: Mapping[str, DepthReadings]) -> DepthCheck | None:
    """Ratio and biases from all devices' readings; ``None`` when there are too few.

    One ratio for the board and one bias for each device fit measured = ratio * expected + bias; each device needs the
    board at different distances for the two to be told apart, so the bias is held near zero with the sigma that
    others report of real devices, 15 mm.
    """
    used = {serial: r for serial, r in readings.items() if len(r.expected_mm)}
    count = sum(len(r.expected_mm) for r in used.values())
    if count < _MIN_READINGS:
        return None
    serials = list(used)
    expected = np.concatenate([used[s].expected_mm for s in serials])
    measured = np.concatenate([used[s].measured_mm for s in serials])
    which = np.repeat(np.arange(len(serials)), [len(used[s].expected_mm) for s in serials])
    design = np.zeros((len(expected), 1 + len(serials)))
    design[:, 0] = expected
    design[np.arange(len(expected)), 1 + which] = 1
    prior_sigma_mm, reading_sigma_mm = 15.0, 5.0
    solution = np.zeros(1 + len(serials))
    weights = np.ones(len(expected))
    for _ in range(10):  # reweighted: readings on a hand or beside the board lie far off
        normal = (design * weights[:, None]).T @ design
        normal[1:, 1:] += np.eye(len(serials)) * (reading_sigma_mm / prior_sigma_mm) ** 2
        solution = np.linalg.solve(normal, (design * weights[:, None]).T @ measured)
        residual = measured - design @ solution
        weights = 1 / (1 + (residual / (3 * reading_sigma_mm)) ** 2)
    bias = {
        serial: float(np.median(used[serial].measured_mm - solution[0] * used[serial].expected_mm))
        for serial in serials
    }
    return DepthCheck(float(solution[0]), bias, count)
