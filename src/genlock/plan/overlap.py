"""Whose depth cameras see the same space: as the rig file says, or from its nominal poses.

What a depth camera can see is taken as a pyramid cut off at both ends: its mode's nominal field of view between the
nearest and farthest distance (Microsoft's hardware specifications). Two such bodies are apart exactly when some plane
parallel to a face of one of them, or to an edge of each, lies between them.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genlock.geometry import Pose
from genlock.k4a import DEPTH_GEOMETRY, PULSE_TRAINS, DepthGeometry
from genlock.rig import Overlap, Rig, RigDevice

__all__ = ["overlap_from_poses", "overlap_of", "overlapping_pairs"]

Points = NDArray[np.float64]  # (N, 3), metres


def overlapping_pairs(overlap: Overlap, serials: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The pairs among these serials, in their order, each once."""
    if overlap == "none":
        return ()
    every_pair = combinations(serials, 2)
    if overlap == "all":
        return tuple(every_pair)
    wanted = {frozenset(pair) for pair in overlap}
    return tuple(pair for pair in every_pair if frozenset(pair) in wanted)


def overlap_of(rig: Rig) -> Overlap:
    """Whose depth cameras see the same space: what the file says, else computed where every pose is given, else all."""
    if rig.plan.overlap is not None:
        return rig.plan.overlap
    computed = overlap_from_poses(rig)
    return "all" if computed is None else computed


def overlap_from_poses(rig: Rig) -> tuple[tuple[str, str], ...] | None:
    """The pairs that see the same space by their nominal poses; ``None`` unless every depth camera has one."""
    seen = {serial: _seen_by(rig, rig.device(serial)) for serial in dict.fromkeys(d.serial for d in rig.devices)}
    bodies = {serial: body for serial, body in seen.items() if PULSE_TRAINS[rig.settings(serial).depth_mode]}
    if not bodies or any(body is None for body in bodies.values()):
        return None
    return tuple(
        (a, b)
        for (a, body_a), (b, body_b) in combinations(bodies.items(), 2)
        if body_a is not None and body_b is not None and _meet(body_a, body_b)
    )


def _seen_by(rig: Rig, device: RigDevice) -> Points | None:
    """The eight corners of what its depth camera sees, in the world; ``None`` without a pose or a laser."""
    geometry = DEPTH_GEOMETRY.get(rig.settings(device.serial).depth_mode)
    if device.position_m is None or device.rotation_wxyz is None or geometry is None:
        return None
    try:
        T_world_depth = Pose.from_quaternion("world", "depth", device.rotation_wxyz, device.position_m)
    except ValueError:
        return None  # no rotation at all: a finding of its own
    return T_world_depth.apply(_corners(geometry))


def _corners(geometry: DepthGeometry) -> Points:
    """Near corners, then far ones, each going round; in the depth camera's frame."""
    right, down = (math.tan(math.radians(fov) / 2) for fov in (geometry.fov_x_deg, geometry.fov_y_deg))
    rays = np.array([(-right, -down, 1), (right, -down, 1), (right, down, 1), (-right, down, 1)])
    return np.concatenate([rays * geometry.range_min_m, rays * geometry.range_max_m])


def _meet(a: Points, b: Points) -> bool:
    """Whether two cut pyramids share a point."""
    edges_a, edges_b = _edges(a), _edges(b)
    crosses = [np.cross(edge_a, edge_b) for edge_a in edges_a for edge_b in edges_b]
    normals = [np.cross(e, f) for edges in (edges_a, edges_b) for e, f in combinations(edges, 2)]
    for direction in (*normals, *crosses):
        along_a, along_b = a @ direction, b @ direction
        if along_a.max() < along_b.min() or along_b.max() < along_a.min():
            return False
    return True


def _edges(corners: Points) -> Points:
    """The directions of a cut pyramid's edges: right, down, and the four slanted ones, (6, 3)."""
    return np.stack(
        [corners[1] - corners[0], corners[3] - corners[0], *(corners[4 + i] - corners[i] for i in range(4))]
    )
