"""Poses refined by what the depth cameras measure, as far as that says anything, and no further.

All devices are moved at once until surfaces that two of them measured lie in one plane (point to plane, iterated with
new neighbours). The board's poses are the prior. A floor or a wall alone says nothing about sliding along it: nearest
neighbours come closer all the same, and poses run off by decimetres. So the information matrix is taken apart: along
directions of small eigenvalues, which no surface holds, the board's poses stay to the digit.

Unknown is a twist of each device but the first, about the middle of what was seen, rotations times a lever of 2 m so
that all unknowns are metres. Eigenvalues are means of squared parts of the normals: 1/3 where surfaces face all ways, 0
where they slide. Whether it helped is judged by moments that had no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.errors import BackendUnavailableError
from genlock.geometry import CameraModel, Pose, rotation_from_vector

__all__ = ["DepthAlignment", "align_depth", "surface_points"]

Array = NDArray[np.float64]

_VOXEL_M = 0.03
_NEAR_M = 0.08
"""Points further apart than this are none of the same surface: poses from a board are better than that."""
_SAME_FACE_COSINE = 0.7
"""Normals look at their own camera: two sides of one sheet face apart."""
_ROBUST_M = 0.02
_LEVER_M = 2.0
_HELD_RATIO = 0.03
"""Below this a direction slides. Normals of noisy depth are off by 5 to 8 degrees, whose squared sine is 0.008 to
0.02, on a perfect plane too."""
_ROUNDS = 12
_PRIOR_M = 0.02
"""What board and depth may differ by: color and depth of one device do by up to 19 mm (SDK issue #1058)."""
_INDEPENDENT = 300
"""As how many independent readings a pair's many thousand count: a depth camera errs alike over whole surfaces."""
_LEAST_POINTS = 300
_MOST_MOVED_M = 0.06
_GAIN_RATIO = 0.95
_FLYING_RATIO = 0.03
"""Neighbouring readings further apart than this part of the depth lie on an edge, between two surfaces."""


@dataclass(frozen=True, slots=True)
class DepthAlignment:
    """What came of it."""

    T_world_device: Mapping[str, Pose]
    """The refined poses; the board's own where they did not help."""
    is_taken: bool
    before_mm: float
    """Held-out moments: robust mean distance of a surface to the other devices' surfaces, by the board's poses."""
    after_mm: float
    moved_mm: Mapping[str, float]
    """How far each device moved, taken or not."""
    held_directions: int
    """Of ``directions``, how many the surfaces hold; along the others the board's poses stay."""
    directions: int
    reason: str = field(default="")
    """Why it was not taken."""


def surface_points(depth: NDArray[np.uint16], camera: CameraModel, bias_mm: float = 0.0) -> Array:
    """(N, 3) points in the depth camera's frame, metres; edges, where readings hang between two surfaces, left out.

    Args:
        depth: (H, W), mm, 0 = no reading.
        camera: of the depth image.
        bias_mm: by how much it measures too far.
    """
    inner = depth[1:-1, 1:-1].astype(np.float64)
    around = np.stack([depth[:-2, 1:-1], depth[2:, 1:-1], depth[1:-1, :-2], depth[1:-1, 2:]]).astype(np.float64)
    is_smooth = (inner > 0) & (np.abs(around - inner).max(axis=0) < _FLYING_RATIO * inner)
    rows, columns = np.nonzero(is_smooth)
    rays, is_valid = camera.unproject(np.stack([columns + 1, rows + 1], axis=1))
    points = rays * ((inner[rows, columns] - bias_mm) / 1000)[:, None]
    return np.asarray(points[is_valid & (points[:, 2] > 0)])


def align_depth(moments: Sequence[Mapping[str, Array]], T_world_device: Mapping[str, Pose]) -> DepthAlignment | None:
    """Refines poses; ``None`` with fewer than two moments or where no two devices measure the same surface.

    Args:
        moments: for each moment the points of each device, (N, 3) in its own frame.
        T_world_device: the board's poses; the first device stays.

    Raises:
        BackendUnavailableError: small_gicp is not installed.
    """
    gicp = _load()
    if len(moments) < 2:
        return None
    clouds = [_clouds(gicp, moment, T_world_device) for moment in moments]
    solver = _Solver(gicp, clouds[0::2], T_world_device)
    found = solver.run()
    if found is None:
        return None
    poses, held = found
    judge = _Solver(gicp, clouds[1::2], T_world_device)
    before_m, after_m = judge.distance_m(T_world_device), judge.distance_m(poses)
    moved_m = {s: float(np.linalg.norm(T.translation_m - T_world_device[s].translation_m)) for s, T in poses.items()}
    reason = ""
    if not after_m < _GAIN_RATIO * before_m:
        reason = "surfaces of other moments come no closer"
    elif max(moved_m.values()) > _MOST_MOVED_M:
        reason = f"a device would move by {1000 * max(moved_m.values()):.0f} mm, which no board errs by"
    return DepthAlignment(
        T_world_device=dict(T_world_device) if reason else poses,
        is_taken=not reason,
        before_mm=1000 * before_m,
        after_mm=1000 * after_m,
        moved_mm={serial: 1000 * moved for serial, moved in moved_m.items()},
        held_directions=held,
        directions=6 * (len(T_world_device) - 1),
        reason=reason,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Cloud:
    """One device's surfaces at one moment, in its own frame."""

    points: Array  # (N, 3)
    normals: Array  # (N, 3), towards the device
    tree: Any  # Any: small_gicp's


def _clouds(gicp: Any, moment: Mapping[str, Array], T_world_device: Mapping[str, Pose]) -> dict[str, _Cloud]:
    # Any: a module without types
    clouds = {}
    for serial in T_world_device:
        if serial in moment and len(moment[serial]) >= _LEAST_POINTS:
            cloud, tree = gicp.preprocess_points(moment[serial], downsampling_resolution=_VOXEL_M, num_neighbors=15)
            points, normals = np.array(cloud.points())[:, :3], np.array(cloud.normals())[:, :3]
            normals = np.where((normals * points).sum(axis=1, keepdims=True) > 0, -normals, normals)
            clouds[serial] = _Cloud(points, normals, tree)
    return clouds


class _Solver:
    """Some moments' clouds, and the equations between them."""

    def __init__(self, gicp: Any, clouds: list[dict[str, _Cloud]], T_world_device: Mapping[str, Pose]) -> None:
        # Any: a module without types
        self._gicp = gicp
        self._clouds = clouds
        self._serials = list(T_world_device)
        self._prior = T_world_device
        every = [T_world_device[s].apply(c.points.mean(axis=0)) for moment in clouds for s, c in moment.items()]
        self._middle = np.mean(every, axis=0) if every else np.zeros(3)

    def run(self) -> tuple[dict[str, Pose], int] | None:
        """Poses, and how many directions surfaces hold."""
        poses = dict(self._prior)
        moved = np.zeros((len(self._serials), 6))
        held = 0
        for _ in range(_ROUNDS):
            normal, gradient, counts = self._equations(poses)
            free = counts[1:].repeat(6) > 0
            if not free.any():
                return None
            scale = np.sqrt(np.maximum(counts[1:].repeat(6), 1.0))
            # Means instead of sums: a device with many points holds no better than one with few.
            sizes, directions = np.linalg.eigh(normal[6:, 6:] / np.outer(scale, scale))
            is_held = sizes > _HELD_RATIO
            held = int(is_held.sum())
            if not held:
                break
            # The same in the held directions alone, each as if of so many independent readings, and the prior.
            pull = directions.T @ (gradient[6:] / scale) * _INDEPENDENT / scale.mean()
            prior = (_ROBUST_M / _PRIOR_M) ** 2
            back = directions.T @ (moved[1:].ravel() * scale / scale.mean()) * prior
            amount = np.where(is_held, -(pull + back) / (sizes * _INDEPENDENT + prior), 0.0)
            step = (directions @ amount * scale.mean() / scale).reshape(-1, 6)
            moved[1:] += step
            poses = {s: self._moved(self._prior[s], twist) for s, twist in zip(self._serials, moved, strict=True)}
            if np.abs(step).max() < 1e-5:
                break
        return poses, held

    def distance_m(self, poses: Mapping[str, Pose]) -> float:
        """Root mean square distance of points to other devices' surfaces, far ones counting less."""
        total, weight = 0.0, 0.0
        for pair in self._pairs(poses):
            total += float((pair.weights * pair.residuals**2).sum())
            weight += float(pair.weights.sum())
        return float(np.sqrt(total / weight)) if weight else 0.0

    def _equations(self, poses: Mapping[str, Pose]) -> tuple[Array, Array, Array]:
        """Normal matrix, gradient, and how many points hold each device."""
        size = 6 * len(self._serials)
        normal, gradient, counts = np.zeros((size, size)), np.zeros(size), np.zeros(len(self._serials))
        for pair in self._pairs(poses):
            arm = np.cross(pair.points - self._middle, pair.normals) / _LEVER_M
            J = np.concatenate([arm, pair.normals], axis=1)  # by the first device's twist; the second's is its negative
            JW = J * pair.weights[:, None]
            block, pull = JW.T @ J, JW.T @ pair.residuals
            a, b = slice(6 * pair.first, 6 * pair.first + 6), slice(6 * pair.second, 6 * pair.second + 6)
            normal[a, a] += block
            normal[b, b] += block
            normal[a, b] -= block
            normal[b, a] -= block
            gradient[a] += pull
            gradient[b] -= pull
            counts[[pair.first, pair.second]] += pair.weights.sum()
        return normal, gradient, counts

    def _pairs(self, poses: Mapping[str, Pose]) -> list[_Pair]:
        return [
            pair
            for moment in self._clouds
            for a, b in permutations(moment, 2)
            if (pair := self._pair(moment[a], moment[b], poses[a], poses[b], a, b)) is not None
        ]

    def _pair(self, a: _Cloud, b: _Cloud, T_world_a: Pose, T_world_b: Pose, first: str, second: str) -> _Pair | None:
        """Points of a with the surfaces of b that are nearest to them."""
        T_b_a = T_world_b.inverse() @ T_world_a
        in_b = T_b_a.apply(a.points)
        numbers, squares = b.tree.batch_nearest_neighbor_search(in_b)
        numbers, squares = np.asarray(numbers).ravel(), np.asarray(squares).ravel()
        facing = ((a.normals @ T_b_a.rotation.T) * b.normals[numbers]).sum(axis=1)
        used = (squares < _NEAR_M**2) & (facing > _SAME_FACE_COSINE)
        if used.sum() < _LEAST_POINTS:
            return None
        normals_b = b.normals[numbers[used]]
        residuals = (normals_b * (in_b[used] - b.points[numbers[used]])).sum(axis=1)
        weights = 1 / (1 + (residuals / _ROBUST_M) ** 2) ** 2
        return _Pair(
            self._serials.index(first), self._serials.index(second), T_world_a.apply(a.points[used]),
            normals_b @ T_world_b.rotation.T, residuals, weights,
        )  # fmt: skip

    def _moved(self, pose: Pose, twist: Array) -> Pose:
        turn = rotation_from_vector(twist[:3] / _LEVER_M)
        rotation = turn @ pose.rotation
        translation_m = turn @ (pose.translation_m - self._middle) + self._middle + twist[3:]
        return Pose(pose.to_frame, pose.from_frame, rotation, translation_m)


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Points of the first device at surfaces of the second."""

    first: int
    second: int
    points: Array  # (N, 3), world
    normals: Array  # (N, 3), world, of the second's surfaces
    residuals: Array  # (N,), metres
    weights: Array  # (N,)


def _load() -> Any:  # Any: a module without types
    try:
        import small_gicp
    except ImportError as error:
        raise BackendUnavailableError(
            f"refining by depth needs small_gicp, which does not load here ({error}); pip install 'genlock[align]'"
        ) from error
    return small_gicp
