"""Where exposures become images: ahead of their delivery, on a few threads that all devices share.

On a virtual clock only one device's thread runs at a time, since time stands still for it; what keeps the other
processors busy is that an image is begun as soon as its exposure is over and its predecessor was taken, some
milliseconds of virtual time before it arrives. These threads only compute: they wait for nothing and know no clock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

from genlock.capture import Image
from genlock.devices.sim.capturesync import Sensor
from genlock.devices.sim.controls import ColorSettings
from genlock.devices.sim.shutter import Sample
from genlock.k4a import DeviceConfig

__all__ = ["Darkroom", "Imager", "new_render_pool"]


class Imager(Protocol):
    """Turns one device's exposures into pixels; several threads may ask at once."""

    @property
    def sees_lasers(self) -> bool:
        """Whether it matters to its images who flashed into them."""
        ...

    @property
    def is_instant(self) -> bool:
        """Whether making an image takes no time worth another thread."""
        ...

    def prepare(self, config: DeviceConfig, settings: ColorSettings, pool: Executor) -> None:
        """Does whatever would make the first image slower than the next."""
        ...

    def images(self, config: DeviceConfig, sample: Sample) -> tuple[Image, ...]:
        """A color image; or depth and IR, in passive mode IR alone."""
        ...


def new_render_pool() -> ThreadPoolExecutor:
    """As many threads as there are processors; whoever makes the pool shuts it down."""
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="genlock-sim-render")


class Darkroom:
    """One run of one device. ``begin`` and ``finish`` are called from one thread."""

    def __init__(self, imager: Imager, config: DeviceConfig, pool: ThreadPoolExecutor) -> None:
        self._imager = imager
        self._config = config
        self._pool = pool
        self._begun: dict[tuple[Sensor, int], Future[tuple[Image, ...]]] = {}

    def wants_collisions(self, sample: Sample) -> bool:
        """Whether it matters to this exposure, not begun yet, who flashed into it."""
        return self._imager.sees_lasers and (sample.sensor, sample.number) not in self._begun

    def begin(self, samples: Iterable[Sample]) -> None:
        """Starts on these; those not among them, and not begun again, are forgotten."""
        if self._imager.is_instant:
            return
        wanted = {(sample.sensor, sample.number): sample for sample in samples}
        for key in self._begun.keys() - wanted.keys():
            self._begun.pop(key).cancel()
        for key, sample in wanted.items():
            if key not in self._begun:
                try:
                    self._begun[key] = self._pool.submit(self._imager.images, self._config, sample)
                except RuntimeError:  # the backend was closed meanwhile: whoever still waits develops his own
                    return

    def finish(self, sample: Sample) -> tuple[Image, ...]:
        """The images of this exposure, begun before or not."""
        begun = self._begun.pop((sample.sensor, sample.number), None)
        if begun is not None:
            with suppress(CancelledError):
                return begun.result()
        return self._imager.images(self._config, sample)
