"""One image, looked at for the board: its corners, or why it cannot show them.

A black or damaged image shows nothing. A blurred one shows corners that are not where they seem: it is told by its
edges, which are several times as wide as in the same camera's other images, or, where nothing is found at all, by its
detail, which is far less than that of the images before and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.detect import Detection, TargetDetector
from genlock.calibrate.gray import gray_image
from genlock.calibrate.observations import View
from genlock.capture import Image

__all__ = ["UNREADABLE", "Look", "find_blurred", "look_at", "look_at_gray"]

_DARK_LEVEL = 12
"""An image whose brightest hundredth lies below this shows nothing: a cap on the lens, a lost exposure."""
_PATCH_PX = 8
"""Half the side of what is looked at around a corner: wider edges than this are blurred at any distance."""
_DIRECTIONS = np.stack([np.cos(np.pi * np.arange(8) / 8), np.sin(np.pi * np.arange(8) / 8)])  # (2, 8)
_BLURRED_RATIO = 2.0
_BLURRED_PX = 6.0
"""An edge of a sharp image is 3 px wide as measured here; below 6 px corners are still found to a fraction of one."""
_NEIGHBOURS = 3
_LOST_DETAIL_RATIO = 0.6
_NOTHING = Detection(np.empty(0, np.int64), np.empty((0, 2)))


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one image showed."""

    seen: Detection
    flaw: str = ""
    """Why the image can show nothing: ``black``, ``damaged``; empty for any other."""
    detail: float = 0.0
    """How much there is to see in it: mean second difference at half size."""
    edge_px: float = float("nan")
    """How wide the edges at the corners are; NaN without corners."""


UNREADABLE = Look(_NOTHING, "damaged")
"""An image whose bytes are none, or none of this camera."""


def look_at(image: Image, detector: TargetDetector) -> Look:
    """Looks for the board in a color or IR image."""
    try:
        gray = gray_image(image)
    except ValueError:
        return UNREADABLE
    return look_at_gray(gray, detector)


def look_at_gray(gray: NDArray[np.uint8], detector: TargetDetector) -> Look:
    """Looks for the board in a gray image (H, W)."""
    if np.quantile(gray[::4, ::4], 0.99) < _DARK_LEVEL:
        return Look(_NOTHING, "black")
    seen = detector.find(gray)
    return Look(seen, "", _detail(gray), _edge_px(gray, seen.px) if len(seen) else float("nan"))


def find_blurred(looks: Mapping[View, Look]) -> dict[View, str]:
    """Which images are too blurred to measure in, and how that shows."""
    by_camera: dict[str, list[View]] = {}
    for view in sorted(looks):
        if not looks[view].flaw:
            by_camera.setdefault(view.camera, []).append(view)
    blurred = {}
    for views in by_camera.values():
        edges = np.array([looks[view].edge_px for view in views])
        usual_px = float(np.nanmedian(edges)) if np.isfinite(edges).any() else np.inf
        details = np.array([looks[view].detail for view in views])
        for number, view in enumerate(views):
            if edges[number] > max(_BLURRED_RATIO * usual_px, _BLURRED_PX):
                blurred[view] = f"blurred (edges {edges[number]:.0f} px wide, {usual_px:.0f} px elsewhere)"
            elif not len(looks[view].seen) and _is_lost(details, number) and _is_seen_around(views, number, looks):
                blurred[view] = "blurred (no detail left)"
    return blurred


def _is_lost(details: NDArray[np.float64], number: int) -> bool:
    around = np.delete(details[max(0, number - _NEIGHBOURS) : number + _NEIGHBOURS + 1], min(number, _NEIGHBOURS))
    return len(around) > 1 and bool(details[number] < _LOST_DETAIL_RATIO * np.median(around))


def _is_seen_around(views: list[View], number: int, looks: Mapping[View, Look]) -> bool:
    """Shortly before and shortly after: a board that comes or goes changes the detail too."""
    before, after = views[max(0, number - _NEIGHBOURS) : number], views[number + 1 : number + _NEIGHBOURS + 1]
    return all(any(len(looks[view].seen) for view in side) for side in (before, after))


def _detail(gray: NDArray[np.uint8]) -> float:
    whole = gray[: gray.shape[0] // 2 * 2, : gray.shape[1] // 2 * 2].astype(np.int16)
    half = (whole[::2, ::2] + whole[1::2, ::2] + whole[::2, 1::2] + whole[1::2, 1::2]) / np.float32(4)
    across = np.abs(half[1:-1, 2:] + half[1:-1, :-2] - 2 * half[1:-1, 1:-1])
    down = np.abs(half[2:, 1:-1] + half[:-2, 1:-1] - 2 * half[1:-1, 1:-1])
    return float((across + down).mean())


def _edge_px(gray: NDArray[np.uint8], px: NDArray[np.float64]) -> float:
    """Median width of the edges at corners: from dark to bright over the steepest slope, where that is least steep.

    A corner has edges in two directions. Motion blurs those across its way alone: of the slopes in eight directions
    the smallest counts.
    """
    columns, rows = np.rint(px).astype(int).T
    inside = (columns > _PATCH_PX) & (rows > _PATCH_PX)
    inside &= (columns < gray.shape[1] - _PATCH_PX - 1) & (rows < gray.shape[0] - _PATCH_PX - 1)
    if not inside.any():
        return float("nan")
    around = np.arange(-_PATCH_PX - 1, _PATCH_PX + 2)
    at = rows[inside, None, None] + around[:, None], columns[inside, None, None] + around
    patches = gray[at].astype(np.float32)  # (N, K, K)
    across = (patches[:, 1:-1, 2:] - patches[:, 1:-1, :-2]) / 2
    down = (patches[:, 2:, 1:-1] - patches[:, :-2, 1:-1]) / 2
    slopes = np.abs(across[..., None] * _DIRECTIONS[0] + down[..., None] * _DIRECTIONS[1])
    steepest = np.quantile(slopes.reshape(len(patches), -1, 8), 0.98, axis=1).min(axis=1)
    low, high = np.quantile(patches.reshape(len(patches), -1), (0.05, 0.95), axis=1)
    return float(np.median((high - low) / np.maximum(steepest, 1e-3)))
