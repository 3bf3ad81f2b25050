"""Images out of a recording: copied into native byte order, or looked at where they lie."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Image
from genlock.k4a import ImageFormat
from genlock.recording.index import TrackBlocks
from genlock.recording.source import FileSource

__all__ = ["ColorSettings", "ImageLoader", "ImageSource", "ImageViewer", "TrackImages"]


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

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that ``Image.pixels`` promises."""
        match self.image_format:
            case ImageFormat.MJPG:
                return (-1,)
            case ImageFormat.NV12:
                return (self.height_px * 3 // 2, self.width_px)
            case ImageFormat.YUY2:
                return (self.height_px, self.width_px * 2)
            case ImageFormat.BGRA32:
                return (self.height_px, self.width_px, 4)
            case _:
                return (self.height_px, self.width_px)

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


class ImageSource(Protocol):
    """Where pixels come from; several threads may ask at once."""

    def image(self, images: TrackImages, number: int) -> Image:
        """The image of that number in its track."""


class ImageLoader:
    """Reads images; every array is the caller's own."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._scratch: list[bytearray] = []
        """Those that no thread is using."""

    def image(self, images: TrackImages, number: int) -> Image:
        """The image of that number in its track, in native byte order."""
        offset, size = images.blocks.offsets[number], images.blocks.sizes[number]
        if images.stored_dtype == "u1":
            pixels: NDArray[Any] = np.empty(size, np.uint8)  # Any: uint8 or uint16
            self._source.read_into(offset, pixels.data)
            return images.with_pixels(number, pixels.reshape(images.shape))
        # Through a buffer that stays in the cache: half the memory traffic of swapping bytes in place.
        scratch = self._take_scratch(size)
        self._source.read_into(offset, memoryview(scratch)[:size])
        pixels = np.empty(images.shape, np.uint16)
        np.copyto(pixels, np.frombuffer(scratch, images.stored_dtype, pixels.size).reshape(images.shape))
        self._scratch.append(scratch)
        return images.with_pixels(number, pixels)

    def _take_scratch(self, size_bytes: int) -> bytearray:
        try:
            scratch = self._scratch.pop()
        except IndexError:
            scratch = bytearray()
        return scratch if len(scratch) >= size_bytes else bytearray(size_bytes)


class ImageViewer:
    """Shows images where they lie in the file: read-only, depth and IR in the byte order that they are stored in."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # lives as long as any view of it

    def image(self, images: TrackImages, number: int) -> Image:
        """The image of that number in its track."""
        offset, size = images.blocks.offsets[number], images.blocks.sizes[number]
        dtype = np.dtype(images.stored_dtype)
        pixels = np.frombuffer(self._file, dtype, size // dtype.itemsize, offset)
        return images.with_pixels(number, pixels.reshape(images.shape))
