"""A bounded queue between a device and the sinks, so that a slow disk does not hold up a camera unseen.

One lane per device: the pump puts captures in, the lane's own thread hands them to the sinks. The queue never drops:
when it is full the pump waits, and the time that it waited is counted. A device that is not read for longer than its
own queue lasts (7 captures in the SDK) then drops captures itself, which the stamps show.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from genlock.capture import Capture, ImuSample, Sink
from genlock.clock import Clock

__all__ = ["Lane", "LaneCounts"]

logger = logging.getLogger(__name__)

DEFAULT_CAPACITY = 60
"""Captures: two seconds at 30 fps. At 2160P MJPG with NFOV_UNBINNED depth and IR that is about 170 MB a device."""


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """What a lane has carried, and what its sinks cost."""

    captures: int
    deepest: int
    """The most captures that ever waited."""
    blocked_nsec: int
    """How long the pump had to wait because the lane was full."""


class Lane:
    """The queue and thread between one device and all sinks."""

    def __init__(self, serial: str, sinks: Sequence[Sink], clock: Clock, capacity: int = DEFAULT_CAPACITY) -> None:
        self._serial = serial
        self._sinks = sinks
        self._clock = clock
        self._capacity = capacity
        self._changed = clock.signal()
        self._queue: deque[tuple[Capture | None, Sequence[ImuSample]]] = deque()
        self._is_closing = False
        self._captures = 0
        self._deepest = 0
        self._blocked_nsec = 0
        self.error: Exception | None = None
        """What a sink raised; the lane takes nothing more after it."""
        self._thread = clock.start_thread(self._run, name=f"genlock-lane-{serial}")

    @property
    def counts(self) -> LaneCounts:
        """A snapshot."""
        return LaneCounts(self._captures, self._deepest, self._blocked_nsec)

    @property
    def waiting(self) -> int:
        """Captures that wait now."""
        return len(self._queue)

    def put(self, capture: Capture | None, imu: Sequence[ImuSample]) -> None:
        """Hands one capture and the inertial samples since the last one to the sinks; waits while the lane is full."""
        if len(self._queue) >= self._capacity:
            since_nsec = self._clock.now_nsec()
            self._changed.wait_for(lambda: len(self._queue) < self._capacity or self.error is not None)
            self._blocked_nsec += self._clock.now_nsec() - since_nsec
        if self.error is None:
            self._queue.append((capture, imu))
            self._deepest = max(self._deepest, len(self._queue))
            self._changed.notify()

    def close(self) -> None:
        """Lets the sinks take what still waits, then ends the thread. The pump must have ended before."""
        self._is_closing = True
        self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._changed.wait_for(lambda: bool(self._queue) or self._is_closing)
            if not self._queue:
                return
            capture, imu = self._queue.popleft()
            self._changed.notify()
            try:
                self._hand_over(capture, imu)
            except OSError as error:  # a disk that is full or gone: the message says it all
                logger.error("device %s: a sink failed: %s", self._serial, error)
                self._fail(error)
                return
            except Exception as error:  # a thread ends here: the session tells what went wrong
                logger.exception("device %s: a sink failed", self._serial)
                self._fail(error)
                return

    def _fail(self, error: Exception) -> None:
        self.error = error
        self._queue.clear()
        self._changed.notify()

    def _hand_over(self, capture: Capture | None, imu: Sequence[ImuSample]) -> None:
        for sink in self._sinks:
            if capture is not None:
                sink.on_capture(capture)
            if imu:
                sink.on_imu(self._serial, imu)
        if capture is not None:
            self._captures += 1
