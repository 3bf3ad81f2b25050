"""A recording at a glance: a strip of small pictures, time from left to right; color above, then depth, then IR."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Capture
from genlock.errors import RecordingError
from genlock.fuse import depth_colors, png_bytes
from genlock.pixels import to_rgb
from genlock.recording import RecordingReader, write_atomically

__all__ = ["thumbnail_strip", "write_thumbnail_strip"]

Picture = NDArray[np.uint8]  # (H, W, 3), RGB

_WIDTH_PX = 160
_NEAR_MM, _FAR_MM = 500.0, 5000.0


def thumbnail_strip(path: Path, moments: int = 8) -> Picture:
    """(H, W, 3) pictures of captures spread evenly over a recording, one column each.

    Raises:
        RecordingError: it cannot be opened, or holds no image.
    """
    with RecordingReader(path) as reader:
        at_usec = reader.stamps().begins_usec
        if len(at_usec) == 0:
            raise RecordingError(path, "holds no image to show.")
        chosen = np.unique(np.linspace(0, len(at_usec) - 1, moments).astype(int))
        captures = [next(islice(reader.captures(int(at_usec[index])), 1)) for index in chosen]
    columns = [_column(capture) for capture in captures]
    rows = [name for name in ("color", "depth", "ir") if any(name in column for column in columns)]
    heights = {name: max(column[name].shape[0] for column in columns if name in column) for name in rows}
    return np.concatenate(
        [
            np.concatenate(
                [column.get(name, np.zeros((heights[name], _WIDTH_PX, 3), np.uint8)) for column in columns], 1
            )
            for name in rows
        ]
    )


def write_thumbnail_strip(path: Path, picture: Path) -> None:
    """Writes the strip as a PNG file; an older one is replaced."""
    write_atomically(picture, png_bytes(thumbnail_strip(path)))


def _column(capture: Capture) -> dict[str, Picture]:
    column = {}
    if capture.color is not None:
        column["color"] = _small(to_rgb(capture.color))
    if capture.depth is not None:
        column["depth"] = _small(depth_colors(capture.depth.pixels, _NEAR_MM, _FAR_MM))
    if capture.ir is not None:
        bright = max(1.0, float(np.percentile(capture.ir.pixels, 99)))
        gray = np.clip(capture.ir.pixels * (255.0 / bright), 0, 255).astype(np.uint8)
        column["ir"] = _small(np.repeat(gray[..., None], 3, axis=2))
    return column


def _small(picture: NDArray[Any]) -> Picture:  # Any: whatever a picture's maker says
    """The pixels at the places of a smaller grid: enough for a glance."""
    height, width = picture.shape[:2]
    height_px = max(1, round(height * _WIDTH_PX / width))
    rows = (np.arange(height_px) * height) // height_px
    columns = (np.arange(_WIDTH_PX) * width) // _WIDTH_PX
    return np.ascontiguousarray(picture[rows[:, None], columns], np.uint8)
