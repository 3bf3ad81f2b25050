"""Has a camera moved since?

Extrinsics of two days are in two frames of their own. What can be compared is how cameras lie to each other: two
cameras that have not moved agree about that. The largest group of cameras that agree among themselves stands still;
every other one has moved, and by how much is measured against that group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from genlock.geometry import Pose, RigExtrinsics

__all__ = ["Movement", "find_movements"]

_SIGMAS = 4.0
_LEAST_MM, _LEAST_DEG = 3.0, 0.15
"""Less than this no rig holds: warming up alone moves a camera so far.  # unverified on hardware"""


@dataclass(frozen=True, slots=True)
class Movement:
    """How one device lies now, against then."""

    serial: str
    moved_mm: float
    turned_deg: float
    limit_mm: float
    """What would have been called moved."""
    limit_deg: float
    has_moved: bool


def find_movements(then: RigExtrinsics, now: RigExtrinsics) -> tuple[Movement, ...]:
    """Compares the devices that both have; empty with fewer than two of them.

    With two devices one cannot know which of them moved: both are then called moved.
    """
    serials = [serial for serial in then.T_world_device if serial in now.T_world_device]
    if len(serials) < 2:
        return ()
    limits = {serial: _limits(serial, then, now) for serial in serials}
    change = {(a, b): _change(then, now, a, b) for a in serials for b in serials if a != b}
    still = _largest_agreeing(serials, change, limits)
    movements = []
    for serial in serials:
        others = [other for other in still if other != serial] or [other for other in serials if other != serial]
        moved_mm = float(np.median([change[other, serial][0] for other in others]))
        turned_deg = float(np.median([change[other, serial][1] for other in others]))
        movements.append(Movement(serial, moved_mm, turned_deg, *limits[serial], serial not in still))
    return tuple(movements)


def _change(then: RigExtrinsics, now: RigExtrinsics, a: str, b: str) -> tuple[float, float]:
    """How far b has moved and turned as seen from a: mm and degrees."""
    before, after = then.between(a, b), now.between(a, b)
    moved_mm = 1000 * float(np.linalg.norm(after.translation_m - before.translation_m))
    return moved_mm, _angle_deg(before, after)


def _angle_deg(before: Pose, after: Pose) -> float:
    turn = before.rotation.T @ after.rotation
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    return float(np.degrees(np.arctan2(np.linalg.norm(axis), np.trace(turn) - 1)))


def _limits(serial: str, then: RigExtrinsics, now: RigExtrinsics) -> tuple[float, float]:
    sigmas = [e.sigmas[serial] for e in (then, now) if serial in e.sigmas]
    mm = _SIGMAS * float(np.sqrt(sum(s.translation_mm**2 for s in sigmas)))
    deg = _SIGMAS * float(np.sqrt(sum(s.rotation_deg**2 for s in sigmas)))
    return max(mm, _LEAST_MM), max(deg, _LEAST_DEG)


def _largest_agreeing(
    serials: list[str],
    change: Mapping[tuple[str, str], tuple[float, float]],
    limits: Mapping[str, tuple[float, float]],
) -> set[str]:
    """The largest set of devices that agree with one of them; nobody when no two do."""

    def agree(a: str, b: str) -> bool:
        moved_mm, turned_deg = change[a, b]
        # Seen from a, b also moves when a turned: a's turn is bounded by its own limit of degrees.
        return moved_mm <= max(limits[a][0], limits[b][0]) and turned_deg <= max(limits[a][1], limits[b][1])

    groups = [{a, *(b for b in serials if b != a and agree(a, b))} for a in serials]
    best = max(groups, key=len)
    return best if len(best) >= 2 else set()
