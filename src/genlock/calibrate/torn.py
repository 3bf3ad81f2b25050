"""Images put together from two moments: above some row the board of one, below it the board of another.

A lost transfer or a display of half a frame does that. Each part shows a flat board, the whole shows none: no single
pose fits all corners, and two do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.boardpose import BoardPoses, board_poses
from genlock.calibrate.observations import MIN_CORNERS, Observations

__all__ = ["find_torn"]

_SUSPICIOUS_RATIO = 4.0
"""How many times a camera's median a view's error must be before a tear is looked for ..."""
_SUSPICIOUS_PX = 0.5
"""... and how large it must be: less tears nothing that matters."""
_EXPLAINED_RATIO = 1 / 3
"""Two poses must leave no more than this of one pose's error. Two poses of noise alone leave nearly all of it."""


def find_torn(observations: Observations, corners_board: NDArray[np.float64], poses: BoardPoses) -> dict[int, int]:
    """The row at which each torn view is torn, by the view's number."""
    rms_px = poses.rms_px[:, 0]
    torn = {}
    for camera in observations.cameras:
        numbers = [i for i, view in enumerate(observations.views) if view.camera == camera]
        usual_px = float(np.median(rms_px[numbers])) if numbers else 0.0
        for number in numbers:
            if rms_px[number] > max(_SUSPICIOUS_RATIO * usual_px, _SUSPICIOUS_PX):
                row = _tear(observations, corners_board, number, float(rms_px[number]))
                if row is not None:
                    torn[number] = row
    return torn


def _tear(observations: Observations, corners_board: NDArray[np.float64], number: int, rms_px: float) -> int | None:
    """The row between two parts that each show a flat board of its own; ``None`` when there is none."""
    part = observations.corners_of(number)
    order = np.argsort(observations.px[part][:, 1], kind="stable")
    px, board = observations.px[part][order], corners_board[observations.corners[part][order]]
    splits = np.arange(MIN_CORNERS, len(px) - MIN_CORNERS + 1)
    if not len(splits):
        return None
    parts = [np.arange(*span) for split in splits for span in ((0, split), (split, len(px)))]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    every = np.concatenate(parts)
    camera = observations.cameras[observations.views[number].camera]
    parts_px = board_poses(camera, board[every], px[every], starts).rms_px[:, 0].reshape(-1, 2)
    counts = np.stack([splits, len(px) - splits], axis=1)
    both_px = np.sqrt((parts_px**2 * counts).sum(axis=1) / len(px))
    best = int(np.argmin(both_px))
    if not both_px[best] < _EXPLAINED_RATIO * rms_px:
        return None
    return round(float(px[splits[best] - 1 : splits[best] + 1, 1].mean()))
