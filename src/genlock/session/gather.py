"""Where the device threads meet: captures in, capture sets with their images out, in order of time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from genlock.capture import Capture, CaptureSet
from genlock.clock import Clock
from genlock.k4a import DeviceConfig
from genlock.sync import LIVE_PATIENCE_USEC, Matcher

__all__ = ["Gatherer"]

MAX_WAITING_SETS = 30
"""Sets that may wait for a reader. When more come the oldest one is given up, and counted: whoever looks at the sets
live wants the newest, and what is recorded is recorded without them."""


class Gatherer:
    """Matches the captures of all devices and keeps the images until their set is complete."""

    def __init__(self, configs: Mapping[str, DeviceConfig], reference: str, clock: Clock) -> None:
        self._matcher = Matcher(configs, reference, patience_usec=LIVE_PATIENCE_USEC)
        self._lock = threading.Lock()
        self._images: dict[str, dict[int, Capture]] = {serial: {} for serial in configs}
        self._sets: deque[CaptureSet] = deque()
        self._open = set(configs)
        self._changed = clock.signal()
        self.unread_sets = 0
        """Sets given up because nobody took them."""

    def add(self, capture: Capture) -> None:
        """Takes one capture; called from the device's own thread."""
        with self._lock:
            self._images[capture.serial][capture.index] = capture
            self._keep(self._matcher.add(capture.stamp))
        self._changed.notify()

    def end(self, serial: str) -> None:
        """That device will deliver no more."""
        with self._lock:
            self._open.discard(serial)
            self._keep(self._matcher.end(serial))
        self._changed.notify()

    def wait_for(self, predicate: Callable[[], bool], timeout_sec: float) -> bool:
        """Waits until something is true that may change with a capture or with a device's end."""
        return self._changed.wait_for(predicate, timeout_sec)

    def next_set(self, is_interrupted: Callable[[], bool], timeout_sec: float) -> CaptureSet | None:
        """The next set; ``None`` when none came in time, none will ever come, or the wait was interrupted."""
        self.wait_for(lambda: bool(self._sets) or not self._open or is_interrupted(), timeout_sec)
        with self._lock:
            return self._sets.popleft() if self._sets else None

    @property
    def has_ended(self) -> bool:
        """Whether every device has ended and every set was taken."""
        return not self._open and not self._sets

    def _keep(self, matched: Sequence[CaptureSet]) -> None:
        for stamps_only in matched:
            captures = {}
            for serial, stamp in stamps_only.stamps.items():
                held = self._images[serial]
                captures[serial] = held[stamp.index]
                # A device's captures come in order: what is older than this one belongs to no set any more.
                for index in [i for i in held if i <= stamp.index]:
                    del held[index]
            self._sets.append(replace(stamps_only, captures=captures))
        while len(self._sets) > MAX_WAITING_SETS:
            self._sets.popleft()
            self.unread_sets += 1
