"""What the playing devices of one take share: the clock, when the first pulse was, and how far one may step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlock.clock import Clock

__all__ = ["Stage"]


class Stage:
    """The common time base. Device times play from ``origin_usec`` on, at ``pace`` seconds a second.

    Args:
        clock: on which the devices live.
        pace: recorded seconds per second of the clock; ``None``: step by step.
        origin_usec: the earliest device time of any file.
        moments_usec: (N,) the reference's captures on the master's color time, for stepping.
        period_usec: the frame period.
    """

    def __init__(
        self, clock: Clock, pace: float | None, origin_usec: int, moments_usec: NDArray[np.int64], period_usec: int
    ) -> None:
        self.clock = clock
        self._changed = clock.signal()
        self.version = 0
        """Grows with every start, stop and step: what a waiting device looks at."""
        self.master_zero_nsec: int | None = None
        """Host time of the first pulse; ``None`` while the master does not run."""
        self._pace = pace
        self._origin_usec = origin_usec
        self._moments_usec = moments_usec
        self._period_usec = period_usec
        self._steps = 0

    @property
    def is_stepwise(self) -> bool:
        """Whether captures wait for ``step``."""
        return self._pace is None

    def tell(self) -> None:
        """Something has changed: every waiting device looks again."""
        self.version += 1
        self._changed.notify()

    def wait_for_news(self, version: int, timeout_sec: float) -> None:
        """Waits until something has changed since that version, or the time is over."""
        self._changed.wait_for(lambda: self.version != version, timeout_sec)

    def step(self, moments: int = 1) -> bool:
        """Lets the captures of so many more moments through; whether there are any left."""
        self._steps = min(self._steps + moments, len(self._moments_usec))
        self.tell()
        return self._steps < len(self._moments_usec)

    def due_nsec(self, zero_nsec: int, device_usec: int, moment_usec: int) -> int | None:
        """Host time at which a capture is delivered; ``None``: not before a step.

        Args:
            zero_nsec: host time of the device's first pulse.
            device_usec: the capture's latest image on the device's clock.
            moment_usec: the capture on the master's color time.
        """
        if self._pace is not None:
            return zero_nsec + round((device_usec - self._origin_usec) * 1000 / self._pace)
        return zero_nsec if moment_usec < self._limit_usec else None

    def device_usec(self, zero_nsec: int) -> int:
        """What a device's clock says now; while stepping, the last moment that was let through."""
        if self._pace is None:
            return self._limit_usec
        return self._origin_usec + int((self.clock.now_nsec() - zero_nsec) * self._pace) // 1000

    @property
    def _limit_usec(self) -> int:
        """Half a period behind the last moment that was let through, so that all devices' captures of it pass."""
        if self._steps == 0:
            return self._origin_usec
        return int(self._moments_usec[self._steps - 1]) + self._period_usec // 2
