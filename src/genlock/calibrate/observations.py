"""What a calibration is made from: corners of one board, seen by many cameras in many sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.detect import Detection
from genlock.geometry import CameraModel

__all__ = ["MIN_CORNERS", "Observations", "View", "gather"]

MIN_CORNERS = 6
"""A view with fewer corners says too little about where the board is: four fix it, and leave nothing to check."""


@dataclass(frozen=True, slots=True, order=True)
class View:
    """One camera's look at the board at one moment."""

    camera: str
    set_index: int


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Every corner of every view, in columns; sorted by view."""

    cameras: Mapping[str, CameraModel]
    views: tuple[View, ...]
    starts: NDArray[np.int64]
    """(V + 1,): view i has the corners starts[i] to starts[i + 1]."""
    corners: NDArray[np.int64]
    """(N,) corner numbers."""
    px: NDArray[np.float64]
    """(N, 2)."""
    inward: NDArray[np.float64]
    """(N, 2): where a corner goes when its marker's edges all move inwards by one pixel; 0 where squares meet."""

    @property
    def view_of_corner(self) -> NDArray[np.int64]:
        """(N,): the number of each corner's view."""
        return np.repeat(np.arange(len(self.views)), np.diff(self.starts))

    def corners_of(self, number: int) -> slice:
        """Where a view's corners lie."""
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    def kept(self, is_kept: NDArray[np.bool_]) -> Observations:
        """Those corners for which (N,) is true; views that keep fewer than ``MIN_CORNERS`` go altogether."""
        number = self.view_of_corner
        counts = np.bincount(number[is_kept], minlength=len(self.views))
        is_kept = is_kept & (counts[number] >= MIN_CORNERS)
        remaining = np.nonzero(counts >= MIN_CORNERS)[0]
        return Observations(
            cameras=self.cameras,
            views=tuple(self.views[i] for i in remaining),
            starts=np.concatenate([[0], np.cumsum(counts[remaining])]),
            corners=self.corners[is_kept],
            px=self.px[is_kept],
            inward=self.inward[is_kept],
        )

    def of_sets(self, sets: Iterable[int]) -> Observations:
        """The views of these sets alone."""
        wanted = set(sets)
        is_wanted = np.array([view.set_index in wanted for view in self.views], dtype=bool)
        return self.kept(is_wanted[self.view_of_corner] if len(self.views) else np.zeros(0, bool))

    @property
    def set_indices(self) -> tuple[int, ...]:
        """Every set that has a view, rising."""
        return tuple(sorted({view.set_index for view in self.views}))


def gather(cameras: Mapping[str, CameraModel], found: Mapping[View, Detection]) -> Observations:
    """Puts detections into columns; views with too few corners, or of cameras that are not there, are left out."""
    views = sorted(view for view, seen in found.items() if view.camera in cameras and len(seen) >= MIN_CORNERS)
    counts = [len(found[view]) for view in views]
    return Observations(
        cameras=dict(cameras),
        views=tuple(views),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        corners=np.concatenate([found[view].corners for view in views]) if views else np.empty(0, np.int64),
        px=np.concatenate([found[view].px for view in views]) if views else np.empty((0, 2)),
        inward=np.concatenate([_inward(found[view]) for view in views]) if views else np.empty((0, 2)),
    )


def _inward(seen: Detection) -> NDArray[np.float64]:
    return np.zeros_like(seen.px) if seen.inward is None else seen.inward
