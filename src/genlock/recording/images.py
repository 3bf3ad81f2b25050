"""Images out of a recording: copied into native byte order, or looked at where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Image
from genlock.k4a import ImageFormat
from genlock.recording.index import TrackBlocks
from genlock.recording.layout import Track, TrackName
from genlock.recording.source import FileSource

__all__ = ["ImageLoader", "ImageViewer"]

_Roles = Mapping[TrackName, Track]
_Blocks = Mapping[TrackName, TrackBlocks]
_Formats = Mapping[TrackName, ImageFormat]


class ImageLoader:
    """Reads images; every array is the caller's own."""

    def __init__(self, source: FileSource, roles: _Roles, blocks: _Blocks, formats: _Formats) -> None:
        self._source = source
        self._roles, self._blocks, self._formats = roles, blocks, formats
        sizes = (blocks[role].image_bytes or 0 for role in formats)
        self._scratch = memoryview(bytearray(max(sizes, default=0)))

    def image(self, role: TrackName, number: int, usec: int, record: np.void | None) -> Image:
        """The image of that number in its track.

        Args:
            role: which track.
            number: in the file's order.
            usec: its device time.
            record: what genlock's own track says of its capture.
        """
        track, blocks, image_format = self._roles[role], self._blocks[role], self._formats[role]
        offset, size = blocks.offsets[number], blocks.sizes[number]
        if role is TrackName.COLOR:
            pixels: NDArray[np.uint8] | NDArray[np.uint16] = np.empty(size, np.uint8)
            self._source.read_into(offset, pixels.data)
            pixels = pixels.reshape(_color_shape(image_format, track))
        else:
            # Through a buffer that stays in the cache: half the memory traffic of swapping bytes in place.
            self._source.read_into(offset, self._scratch[:size])
            pixels = np.empty((track.height_px, track.width_px), np.uint16)
            stored = np.frombuffer(self._scratch, ">u2" if track.is_big_endian else "<u2", pixels.size)
            np.copyto(pixels, stored.reshape(pixels.shape))
        return _image(role, track, image_format, pixels, usec, record)


class ImageViewer:
    """Shows images where they lie in the file."""

    def __init__(self, path: Path, roles: _Roles, blocks: _Blocks, formats: _Formats) -> None:
        self._file = np.memmap(path, np.uint8, mode="r")
        self._roles, self._blocks, self._formats = roles, blocks, formats

    def image(self, role: TrackName, number: int, usec: int, record: np.void | None) -> Image:
        """As ``ImageLoader.image``, but read-only, and depth and IR as they are stored: big-endian."""
        track, blocks, image_format = self._roles[role], self._blocks[role], self._formats[role]
        offset = blocks.offsets[number]
        stored: NDArray[Any] = np.asarray(self._file[offset : offset + blocks.sizes[number]])  # Any: two dtypes
        if role is TrackName.COLOR:
            pixels = stored.reshape(_color_shape(image_format, track))
        else:
            pixels = stored.view(">u2" if track.is_big_endian else "<u2").reshape(track.height_px, track.width_px)
        return _image(role, track, image_format, pixels, usec, record)


def _image(
    role: TrackName,
    track: Track,
    image_format: ImageFormat,
    pixels: NDArray[Any],  # Any: uint8 or uint16
    usec: int,
    record: np.void | None,
) -> Image:
    return Image(
        image_format=image_format,
        width_px=track.width_px,
        height_px=track.height_px,
        pixels=pixels,
        device_timestamp_usec=usec,
        system_timestamp_nsec=int(record[f"{role.lower()}_arrival_nsec"]) if record is not None else 0,
        **(_color_settings(record) if record is not None and role is TrackName.COLOR else {}),
    )


def _color_shape(image_format: ImageFormat, track: Track) -> tuple[int, ...]:
    """The shapes that ``Image.pixels`` promises."""
    width, height = track.width_px, track.height_px
    shapes = {
        ImageFormat.NV12: (height * 3 // 2, width),
        ImageFormat.YUY2: (height, width * 2),
        ImageFormat.BGRA32: (height, width, 4),
    }
    return shapes.get(image_format, (-1,))


def _color_settings(record: np.void) -> dict[str, int]:
    return {name: int(record[name]) for name in ("exposure_usec", "white_balance_k", "iso_speed")}
