"""Images that are made once and shown again and again: one lap of a looped scene, for each way it has looked.

A *look* is everything that an image depends on besides its moment: the camera's mode, its settings, who flashes into
it. The latest few are kept; a device whose settings change every second must not fill the memory.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from numpy.typing import NDArray

from genlock.devices.sim.controls import ColorSettings
from genlock.k4a import DeviceConfig, ImageFormat

__all__ = ["ImageLoop", "kept_format", "shown_settings"]

Pixels = NDArray[Any]  # Any: bytes or 16-bit numbers

_LOOKS_KEPT = 6
"""A color and a depth look at a time, and a few that may come back."""
_AUTO_EXPOSURE_SHOWN_USEC = 12_000


class ImageLoop:
    """One device's images by look and step; several threads may ask at once."""

    def __init__(self) -> None:
        self._looks: OrderedDict[Hashable, dict[int, tuple[Pixels, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def pixels(self, look: Hashable, step: int, make: Callable[[], tuple[Pixels, ...]]) -> tuple[Pixels, ...]:
        """The arrays of this moment, which nobody can write to; made when first asked for."""
        with self._lock:
            steps = self._looks.setdefault(look, {})
            self._looks.move_to_end(look)
            if len(self._looks) > _LOOKS_KEPT:
                self._looks.popitem(last=False)
        kept = steps.get(step)
        if kept is None:
            kept = make()
            for array in kept:
                array.setflags(write=False)
            steps[step] = kept
        return kept

    def lap(self, look: Hashable) -> tuple[Pixels, ...]:
        """What there is of this look, in the order of its steps; every step has one array."""
        with self._lock:
            return tuple(array for _, arrays in sorted(self._looks.get(look, {}).items()) for array in arrays)

    def put_lap(self, look: Hashable, lap: Sequence[Pixels]) -> None:
        """Takes one array for each step as already made."""
        for step, array in enumerate(lap):
            self.pixels(look, step, partial(tuple, [array]))


def kept_format(color_format: ImageFormat) -> ImageFormat:
    """As what color images are kept: BGRA32 as JPEG, which the SDK makes it of as well; a lap would weigh gigabytes."""
    return ImageFormat.MJPG if color_format is ImageFormat.BGRA32 else color_format


def shown_settings(settings: ColorSettings, config: DeviceConfig) -> ColorSettings:
    """The settings that a looped image shows. Automatic exposure wanders from image to image: not so in a loop."""
    if settings.is_auto:
        return replace(settings, exposure_usec=_AUTO_EXPOSURE_SHOWN_USEC)
    return replace(settings, exposure_usec=min(settings.exposure_usec, config.camera_fps.period_usec))
