"""While a board is carried about: who has seen it where, what is missing, and what to film next.

What counts is positions, not images: a view counts when the board has moved since those that count already. Two cameras
are joined once they have seen it together often enough; the set is done when a chain of joined pairs reaches every
camera and every camera has seen the board tilted and in most regions of its image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.boardpose import board_poses
from genlock.calibrate.detect import Detection
from genlock.calibrate.observations import MIN_CORNERS
from genlock.geometry import CameraModel

__all__ = ["POSITIONS_WANTED", "CameraCoverage", "Coverage", "Guidance"]

POSITIONS_WANTED = 12
"""Positions that a pair must share. With half of them held out there are still enough to solve and to judge."""
_NEW_POSITION_RATIO = 0.03
"""A board whose corners have moved by this part of the image's width, on average, is in another position."""
_REGIONS_WANTED = 3
"""Of nine. Factory lenses are good to their edges, so poses need little more than the middle of an image; a board
always in one place of it leaves the turn about that place uncertain."""
_TILT_WANTED_DEG = 25.0
"""Between two attitudes of the board; less leaves distance and size of a board indistinguishable."""
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "center", "right")


@dataclass(frozen=True, slots=True)
class CameraCoverage:
    """What one camera has seen so far."""

    camera: str
    sees_board_now: bool
    positions: int
    regions: tuple[bool, ...]
    """Nine parts of the image, row by row from the top left: whether a corner was seen there."""
    tilt_deg: float
    """The largest angle between two attitudes in which it saw the board."""
    shared: Mapping[str, int]
    """Positions in common, by other camera."""

    @property
    def missing_regions(self) -> tuple[str, ...]:
        """Names of the regions without a corner."""
        names = [f"{row} {column}" for row in _ROWS for column in _COLUMNS]
        return tuple(name for name, is_seen in zip(names, self.regions, strict=True) if not is_seen)

    @property
    def wants(self) -> tuple[str, ...]:
        """What is still missing here, in words; empty when this camera has seen enough."""
        out = []
        if self.positions == 0:
            return ("see the board",)
        if sum(self.regions) < _REGIONS_WANTED:
            out.append(f"board at its {self.missing_regions[0]}")
        if self.tilt_deg < _TILT_WANTED_DEG:
            out.append("tilt the board")
        return tuple(out)


@dataclass(frozen=True, slots=True)
class Guidance:
    """How far the filming has come, and what comes next."""

    cameras: tuple[CameraCoverage, ...]
    groups: tuple[tuple[str, ...], ...]
    """Cameras that are joined already, largest group first."""
    next_step: str
    """What to film now; empty when enough was seen."""

    @property
    def is_enough(self) -> bool:
        """Whether the set can be solved and judged."""
        return not self.next_step

    def to_json(self) -> dict[str, object]:
        """One line of ``--jsonl``."""
        return {
            "cameras": {
                c.camera: {
                    "sees_board_now": c.sees_board_now,
                    "positions": c.positions,
                    "regions": [int(is_seen) for is_seen in c.regions],
                    "tilt_deg": round(c.tilt_deg, 1),
                    "shared": dict(c.shared),
                    "wants": list(c.wants),
                }
                for c in self.cameras
            },
            "groups": [list(group) for group in self.groups],
            "next_step": self.next_step,
            "is_enough": self.is_enough,
        }


@dataclass(slots=True)
class _Seen:
    """What one camera has seen."""

    positions: list[Detection] = field(default_factory=list)
    normals: list[NDArray[np.float64]] = field(default_factory=list)
    regions: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(9, bool))
    is_now: bool = False


class Coverage:
    """Grows with every moment that is looked at."""

    def __init__(self, cameras: Mapping[str, CameraModel], corners_board: NDArray[np.float64]) -> None:
        self._cameras = cameras
        self._corners_board = corners_board
        self._seen = {name: _Seen() for name in cameras}
        self._shared: dict[tuple[str, str], int] = dict.fromkeys(combinations(sorted(cameras), 2), 0)

    def add(self, found: Mapping[str, Detection]) -> None:
        """One moment: what each camera found; cameras without an image may be missing."""
        seen_now = {name: seen for name, seen in found.items() if len(seen) >= MIN_CORNERS}
        is_new = {name: self._is_new(name, seen) for name, seen in seen_now.items()}
        for name in self._seen:
            self._seen[name].is_now = name in seen_now
        for pair in self._shared:
            # A position counts for a pair when it is new to one of the two.
            if all(name in seen_now for name in pair) and any(is_new[name] for name in pair):
                self._shared[pair] += 1
        for name, seen in seen_now.items():
            if is_new[name]:
                self._keep(name, seen)

    def _is_new(self, name: str, seen: Detection) -> bool:
        limit_px = _NEW_POSITION_RATIO * self._cameras[name].width_px
        return all(_apart_px(seen, other) > limit_px for other in self._seen[name].positions)

    def _keep(self, name: str, seen: Detection) -> None:
        camera, state = self._cameras[name], self._seen[name]
        state.positions.append(seen)
        cells = np.floor(seen.px / [camera.width_px, camera.height_px] * 3).astype(int).clip(0, 2)
        state.regions[np.unique(cells[:, 1] * 3 + cells[:, 0])] = True
        poses = board_poses(camera, self._corners_board[seen.corners], seen.px, np.array([0, len(seen)]))
        if np.isfinite(poses.rms_px[0, 0]):
            state.normals.append(poses.T_cam_board[0, 0, :3, 2])

    def guidance(self) -> Guidance:
        """What has been seen, and what to film next."""
        cameras = tuple(self._of(name) for name in self._cameras)
        groups = self._groups()
        return Guidance(cameras, groups, self._next_step(cameras, groups))

    def _of(self, name: str) -> CameraCoverage:
        seen = self._seen[name]
        normals = np.array(seen.normals).reshape(-1, 3)
        tilt = np.arccos(np.clip(normals @ normals.T, -1, 1)).max() if len(normals) else 0.0
        shared = {
            (set(pair) - {name}).pop(): count for pair, count in self._shared.items() if name in pair and count > 0
        }
        regions = tuple(bool(is_seen) for is_seen in seen.regions)
        return CameraCoverage(name, seen.is_now, len(seen.positions), regions, float(np.degrees(tilt)), shared)

    def _groups(self) -> tuple[tuple[str, ...], ...]:
        left = list(self._cameras)
        groups = []
        while left:
            group = [left.pop(0)]
            for name in group:
                joined = [o for o in left if self._shared[tuple(sorted((name, o)))] >= POSITIONS_WANTED]  # type: ignore[index]  # two
                group += joined
                left = [other for other in left if other not in joined]
            groups.append(tuple(group))
        return tuple(sorted(groups, key=len, reverse=True))

    def _next_step(self, cameras: Sequence[CameraCoverage], groups: tuple[tuple[str, ...], ...]) -> str:
        unseen = [c.camera for c in cameras if c.positions == 0]
        if len(unseen) == len(cameras):
            return "hold the board where two cameras see it"
        if len(groups) > 1:
            # The bridge that is nearest to being one.
            bridges = [
                (count, pair)
                for pair, count in self._shared.items()
                if not any(set(pair) <= set(group) for group in groups)
            ]
            count, (first, second) = max(bridges, key=lambda bridge: (bridge[0], *bridge[1]))
            if count == 0 and unseen:
                return f"show the board to {unseen[0]} and a neighbour at the same time"
            return f"hold the board where {first} and {second} both see it: {count} of {POSITIONS_WANTED} positions"
        return next((f"for {c.camera}: {', '.join(c.wants)}" for c in cameras if c.wants), "")


def _apart_px(seen: Detection, other: Detection) -> float:
    """How far corners that both show have moved, on average; infinite when too few are the same."""
    _, mine, theirs = np.intersect1d(seen.corners, other.corners, return_indices=True)
    if len(mine) < MIN_CORNERS // 2:
        return float("inf")
    return float(np.linalg.norm(seen.px[mine] - other.px[theirs], axis=1).mean())
