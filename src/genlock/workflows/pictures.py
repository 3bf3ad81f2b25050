"""Look at a few pictures of a recording, spread evenly over it: small, gray, and cheap."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Capture
from genlock.errors import RecordingError
from genlock.pixels import small_gray
from genlock.recording import RecordingReader
from genlock.verify import PictureSample

__all__ = ["look_at_pictures"]

logger = logging.getLogger(__name__)

_SAMPLES = 16
_WIDTH_PX = 320
_IR_WIDTH_PX = 160
"""Infrared images are noisier: each small pixel is the mean of many."""
_EDGE_RATIO = 0.02
"""The first and the last moments of a take are left out: devices settle, and end one after the other."""
_BRIGHT_PCT = 99.0


def look_at_pictures(parts: Sequence[RecordingReader]) -> tuple[PictureSample, ...]:
    """Some samples of one device; none where its pictures cannot be read.

    Args:
        parts: the parts of its recording, open, in order; a part whose stamps were read is not walked again.
    """
    try:
        return tuple(sample for part in parts for sample in _look_at_part(part, max(2, _SAMPLES // len(parts))))
    except (RecordingError, OSError) as error:
        logger.warning("no pictures: %s", error)
        return ()


def _look_at_part(reader: RecordingReader, count: int) -> Iterator[PictureSample]:
    stamps = reader.stamps()
    times_usec = np.sort(stamps.begins_usec)
    if not times_usec.size:
        return
    edge = int(_EDGE_RATIO * times_usec.size)
    chosen = np.unique(np.linspace(edge, times_usec.size - 1 - edge, count).astype(int))
    cursor = reader.cursor()
    for usec in times_usec[chosen].tolist():
        cursor.seek(usec)
        capture = cursor.next() or cursor.previous()
        sample = None if capture is None else _sample(capture)
        if sample is not None:
            yield sample


def _sample(capture: Capture) -> PictureSample | None:
    """The capture, looked at; ``None`` where its color image is damaged or it lacks one that others have."""
    usec = capture.stamp.color_usec if capture.stamp.color_usec is not None else capture.stamp.depth_usec
    gray: NDArray[np.float32] | None = None
    exposure_usec = 0
    if capture.color is not None:
        try:
            gray = small_gray(capture.color, _WIDTH_PX).astype(np.float32)
        except ValueError:
            return None
        exposure_usec = capture.color.exposure_usec
    elif capture.ir is not None:
        gray = _shown(capture.ir.pixels)
    depth_ratio = None if capture.depth is None else float(np.mean(capture.depth.pixels[::4, ::4] > 0))  # 0: none
    return PictureSample(usec or 0, gray, capture.color is not None, depth_ratio, exposure_usec)


def _shown(ir: NDArray[np.uint16]) -> NDArray[np.float32]:
    """An infrared image, small, as gray values of its own brightness."""
    stride = max(1, ir.shape[1] // _IR_WIDTH_PX)
    height, width = (side // stride * stride for side in ir.shape)
    blocks = ir[:height, :width].reshape(height // stride, stride, width // stride, stride)
    small = np.sqrt(blocks.mean(axis=(1, 3), dtype=np.float32))
    bright = float(np.percentile(small, _BRIGHT_PCT))
    return np.asarray(np.minimum(small * (200.0 / max(bright, 10.0)), 255.0), np.float32)
