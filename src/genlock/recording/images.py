"""Images out of a recording: copied into native byte order, or looked at where they lie."""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Image
from genlock.k4a import ImageFormat
from genlock.recording.index import TrackBlocks
from genlock.recording.memory import ArrayPool
from genlock.recording.source import FileSource

__all__ = ["ColorSettings", "ImageLoader", "ImageSource", "ImageViewer", "TrackImages"]

_MAX_GAP_BYTES = 16 << 10
"""What may lie between two images that are read in one go: copying it takes less than asking the system again."""


class ColorSettings(NamedTuple):
    """How the color camera was set for one image; 0 where unknown."""

    exposure_usec: int = 0
    white_balance_k: int = 0
    iso_speed: int = 0


_UNKNOWN_SETTINGS = ColorSettings()


@dataclass(frozen=True, slots=True)
class TrackImages:
    """All that is known of a track's images before their pixels are read; by number, in the file's order."""

    image_format: ImageFormat
    width_px: int
    height_px: int
    stored_dtype: str
    """Of pixels as they lie in the file, in numpy's words."""
    blocks: TrackBlocks
    usec: list[int]
    """Device times."""
    arrivals_nsec: list[int]
    """Host times of arrival; 0 where nobody wrote it down."""
    settings: list[ColorSettings] | None = None
    """Of a color track whose recorder wrote them down."""

    shape: tuple[int, ...] = field(init=False)
    """The shape that ``Image.pixels`` promises."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _shape(self.image_format, self.width_px, self.height_px))

    def with_pixels(self, number: int, pixels: NDArray[Any]) -> Image:  # Any: uint8 or uint16
        """The image of that number around its pixels."""
        settings = self.settings[number] if self.settings is not None else _UNKNOWN_SETTINGS
        return Image(
            self.image_format,
            self.width_px,
            self.height_px,
            pixels,
            self.usec[number],
            self.arrivals_nsec[number],
            *settings,
        )


def _shape(image_format: ImageFormat, width_px: int, height_px: int) -> tuple[int, ...]:
    match image_format:
        case ImageFormat.MJPG:
            return (-1,)
        case ImageFormat.NV12:
            return (height_px * 3 // 2, width_px)
        case ImageFormat.YUY2:
            return (height_px, width_px * 2)
        case ImageFormat.BGRA32:
            return (height_px, width_px, 4)
        case _:
            return (height_px, width_px)


class ImageSource(Protocol):
    """Where pixels come from; several threads may ask at once."""

    def images(self, wanted: Sequence[tuple[TrackImages, int]]) -> list[Image]:
        """The images of those numbers in their tracks."""


class ImageLoader:
    """Reads images; every array is the caller's own."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._pools: dict[ImageFormat, ArrayPool] = defaultdict(ArrayPool)
        self._stages = ArrayPool()
        self._gap = memoryview(bytearray(_MAX_GAP_BYTES))
        """What nobody wants, of all threads."""

    def images(self, wanted: Sequence[tuple[TrackImages, int]]) -> list[Image]:
        """The images of those numbers in their tracks, in native byte order.

        What lies together in the file, as the images of a capture do, is read in one go: after each call of the system
        a thread has to wait until the other lets it in again.
        """
        pieces: list[tuple[int, memoryview]] = []
        swaps: list[tuple[NDArray[np.uint16], NDArray[np.uint16]]] = []
        found: list[Image] = []
        for images, number in wanted:
            offset, size = images.blocks.offsets[number], images.blocks.sizes[number]
            pixels: NDArray[Any] = self._pools[images.image_format].take(size)  # Any: uint8 or uint16
            if images.stored_dtype == "u1":
                pieces.append((offset, pixels.data))
            else:
                # Through memory that stays in the cache: its bytes are swapped on the way to where it belongs.
                stage = self._stages.take(size)
                pixels = pixels.view(np.uint16)
                pieces.append((offset, stage.data))
                swaps.append((pixels, stage.view(images.stored_dtype)))
            found.append(images.with_pixels(number, pixels.reshape(images.shape)))
        self._read(pieces)
        for native, stored in swaps:
            np.copyto(native, stored)
        return found

    def _read(self, pieces: list[tuple[int, memoryview]]) -> None:
        """Fills each piece from its offset."""
        pieces.sort(key=itemgetter(0))
        begin = at = pieces[0][0] if pieces else 0
        row: list[memoryview] = []
        for offset, target in pieces:
            if not 0 <= offset - at <= _MAX_GAP_BYTES:
                self._source.read_into(begin, row)
                begin, row = offset, []
            elif offset > at:
                row.append(self._gap[: offset - at])
            row.append(target)
            at = offset + len(target)
        self._source.read_into(begin, row)


class ImageViewer:
    """Shows images where they lie in the file: read-only, depth and IR in the byte order that they are stored in."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # lives as long as any view of it

    def images(self, wanted: Sequence[tuple[TrackImages, int]]) -> list[Image]:
        """The images of those numbers in their tracks."""
        return [images.with_pixels(number, self._look(images, number)) for images, number in wanted]

    def _look(self, images: TrackImages, number: int) -> NDArray[Any]:  # Any: uint8 or uint16
        offset, size = images.blocks.offsets[number], images.blocks.sizes[number]
        dtype = np.dtype(images.stored_dtype)
        return np.frombuffer(self._file, dtype, size // dtype.itemsize, offset).reshape(images.shape)
