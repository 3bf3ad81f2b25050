"""A thread per device: takes its captures as they come, so that no device waits for another."""

from __future__ import annotations

import logging
from collections.abc import Callable

from genlock.capture import Capture
from genlock.clock import Clock
from genlock.devices import Device
from genlock.errors import CaptureTimeoutError, DeviceError, StreamEndedError
from genlock.k4a import SyncJacks
from genlock.session.fanout import Lane

__all__ = ["Pump"]

logger = logging.getLogger(__name__)

_POLL_SEC = 0.5
"""How long one call for a capture waits before the pump looks whether it should stop."""
_JACKS_NSEC = 1_000_000_000
"""How often a device's sync jacks are read while it streams."""


class Pump:
    """Reads one device until it is told to stop or the device fails."""

    def __init__(
        self,
        serial: str,
        device: Device,
        lane: Lane,
        clock: Clock,
        on_capture: Callable[[Capture], None],
        on_end: Callable[[str], None],
        on_jacks: Callable[[str, SyncJacks], None],
    ) -> None:
        self._serial = serial
        self._device = device
        self._lane = lane
        self._clock = clock
        self._on_capture = on_capture
        self._on_end = on_end
        self._on_jacks = on_jacks
        self._next_poll_nsec = clock.now_nsec() + _JACKS_NSEC
        self._is_stopping = False
        self.captures = 0
        self.last_capture_nsec: int | None = None
        """Host time of the latest capture's hand-over; ``None`` before the first."""
        self.has_ended = False
        """Whether the device has delivered all that it has: played recordings end."""
        self.error: Exception | None = None
        self._thread = clock.start_thread(self._run, name=f"genlock-pump-{serial}")

    def tell_to_stop(self) -> None:
        """Makes the pump end after the capture in hand."""
        self._is_stopping = True

    def join(self, timeout_sec: float) -> bool:
        """Waits for the pump's end; false when its device holds it up for longer."""
        return self._thread.join(timeout_sec)

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                self._take_one()
        except StreamEndedError:
            self.has_ended = True
        except DeviceError as error:
            if not self._is_stopping:  # a device that was just stopped may say so
                logger.error("%s", error)
                self.error = error
        except Exception as error:  # a thread ends here: the session tells what went wrong
            logger.exception("device %s: its pump failed", self._serial)
            self.error = error
        finally:
            self._on_end(self._serial)

    def _take_one(self) -> None:
        if self._clock.now_nsec() >= self._next_poll_nsec:
            self._next_poll_nsec = self._clock.now_nsec() + _JACKS_NSEC
            jacks = self._device.sync_jacks()
            if jacks is not None:
                self._on_jacks(self._serial, jacks)
        try:
            capture = self._device.next_capture(_POLL_SEC)
        except CaptureTimeoutError:
            imu = self._device.take_imu()
            if imu:
                self._lane.put(None, imu)
            return
        self.captures += 1
        self.last_capture_nsec = self._clock.now_nsec()
        self._lane.put(capture, self._device.take_imu())
        self._on_capture(capture)
