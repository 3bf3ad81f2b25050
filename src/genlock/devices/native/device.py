"""One real Azure Kinect: the ``Device`` protocol over libk4a."""

from __future__ import annotations

import ctypes as c
import logging
import math
import threading
from collections.abc import Callable, Sequence
from enum import Enum

from genlock.capture import Capture, ImuSample
from genlock.clock import Clock
from genlock.devices.base import ColorControl, ColorControlValue, DeviceInfo
from genlock.devices.native.abi import SUCCEEDED, TIMEOUT, c_configuration
from genlock.devices.native.controls import NativeControls
from genlock.devices.native.handle import CLOSE_SEC, Handle, in_brackets
from genlock.devices.native.images import take_capture
from genlock.devices.native.imu import ImuReader
from genlock.devices.native.orbbec import orbbec_refusals
from genlock.errors import CaptureTimeoutError, DeviceError, DeviceLostError, DeviceStartError
from genlock.k4a import DeviceConfig, SyncJacks, WiredSyncMode, start_refusals

__all__ = ["NativeDevice"]

logger = logging.getLogger(__name__)

_SLICE_MSEC = 250
"""How long one call into the SDK waits: a signal is not handled, and a stop not seen, before it returns."""


class _State(Enum):
    OPEN = "open"
    ARMED = "armed"
    RUNNING = "running"
    CLOSED = "closed"


class NativeDevice:
    """An opened camera. ``next_capture`` and ``take_imu`` belong to one thread, the rest to any."""

    def __init__(self, handle: Handle, info: DeviceInfo, clock: Clock, on_close: Callable[[], None]) -> None:
        self._handle = handle
        self._serial = info.serial
        self._info = info
        self._clock = clock
        self._on_close = on_close
        self._controls = NativeControls(handle)
        self._is_orbbec = handle.library.is_orbbec
        self._lifecycle = threading.RLock()
        """Held while the device goes from one state to another: the SDK takes one such call at a time."""
        self._state = _State.OPEN
        self._config = DeviceConfig()
        self._with_imu = False
        self._imu: ImuReader | None = None
        self._index = 0

    @property
    def info(self) -> DeviceInfo:
        """Serial and firmware."""
        return self._info

    def sync_jacks(self) -> SyncJacks | None:
        """The plugs as the device's switches feel them; ``None`` from Orbbec's wrapper, which always says "none"."""
        return None if self._is_orbbec else self._handle.sync_jacks()

    def raw_calibration(self) -> bytes:
        """The factory calibration, read from the device."""
        return self._handle.raw_calibration()

    def set_color_control(self, control: ColorControl, setting: ColorControlValue) -> None:
        """Sets a control. Raises ``DeviceError`` with the control's range when the device refuses."""
        self._controls.set(control, setting)

    def color_control(self, control: ColorControl) -> ColorControlValue:
        """Reads a control back."""
        return self._controls.get(control)

    def arm(self, config: DeviceConfig, *, imu: bool = True) -> None:
        """Takes the configuration for the next ``start``. Raises ``DeviceError`` while running."""
        with self._lifecycle:
            if self._state is _State.RUNNING:
                raise DeviceError(self._serial, "it cannot be armed while it runs: call stop() first")
            self._check_open()
            self._config, self._with_imu, self._state = config, imu, _State.ARMED

    def start(self) -> None:
        """Starts the cameras, then the IMU; about a second. A subordinate then waits for its first pulse.

        Raises:
            DeviceStartError: not armed, already running, or refused; ``code`` is the rule broken, ``sdk_refused`` when
                none of the known rules is.
            DeviceLostError: refused, and the device does not even tell its plugs any more.
        """
        with self._lifecycle:
            self._check_open()
            if self._state is _State.OPEN:
                raise DeviceStartError(self._serial, "it has no configuration yet: call arm() first", "not_armed")
            if self._state is _State.RUNNING:
                raise DeviceStartError(self._serial, "its cameras run already: call stop() first", "already_running")
            if self._is_orbbec:  # which asks for fewer rules, and fails later in its own ways
                self._refuse_by_rule()
            self._start_cameras()
            self._imu = ImuReader(self._handle) if self._with_imu else None
            self._index = 0
            self._state = _State.RUNNING
        logger.debug("device %s runs as %s", self._serial, self._config.wired_sync_mode)

    def next_capture(self, timeout_sec: float) -> Capture:
        """The oldest capture not yet taken; the SDK keeps seven, a further one pushes the oldest out.

        Raises:
            CaptureTimeoutError: none in time; on a subordinate most likely because no pulse comes.
            DeviceLostError: the device was not running, was stopped meanwhile, or was unplugged.
        """
        deadline_nsec = self._clock.now_nsec() + round(timeout_sec * 1e9)
        capture = c.c_void_p()
        while True:
            if self._state is not _State.RUNNING:
                raise DeviceLostError(self._serial, "no captures come any more: it was stopped or never started")
            left_msec = max(0, math.ceil((deadline_nsec - self._clock.now_nsec()) / 1e6))
            result, reason = self._handle.call("k4a_device_get_capture", c.byref(capture), min(left_msec, _SLICE_MSEC))
            if result == SUCCEEDED:
                return self._deliver(capture)
            if result != TIMEOUT:
                raise self._stream_end(reason)
            if left_msec <= _SLICE_MSEC:
                raise CaptureTimeoutError(self._serial, self._silence(timeout_sec))

    def take_imu(self) -> Sequence[ImuSample]:
        """Samples since the last call; none before the first capture, none when armed without them."""
        imu = self._imu
        if imu is None or self._state is not _State.RUNNING:
            return ()
        return imu.take(has_capture=self._index > 0)

    def stop(self) -> None:
        """Stops; captures not yet taken are gone. A ``next_capture`` that waits in another thread ends. Safe twice."""
        with self._lifecycle:
            if self._state is not _State.RUNNING:
                return
            self._state = _State.ARMED  # first, so that a wait which now ends knows why
            self._stop_cameras()
            self._imu = None

    def close(self) -> None:
        """Stops and lets go. Safe twice. Raises ``DeviceError`` when the device hangs in a call; it stays open then."""
        if not self._lifecycle.acquire(timeout=CLOSE_SEC):
            raise DeviceError(
                self._serial,
                f"it does not come back from start or stop within {CLOSE_SEC:g} s: it hangs, and is not closed",
            )
        try:
            if self._state is _State.CLOSED:
                return
            self.stop()
            self._handle.close()
            self._state = _State.CLOSED
            self._on_close()
        finally:
            self._lifecycle.release()

    def _start_cameras(self) -> None:
        result, reason = self._handle.call("k4a_device_start_cameras", c.byref(c_configuration(self._config)))
        if result != SUCCEEDED:
            self._refuse_by_rule()
            raise self._refusal_of("cameras", reason)
        if self._with_imu:
            result, reason = self._handle.call("k4a_device_start_imu")
            if result != SUCCEEDED:
                self._stop_cameras()
                raise self._refusal_of("IMU, after its cameras had started,", reason)

    def _refuse_by_rule(self) -> None:
        """Raises for the first rule that the configuration breaks. The SDK has them too, and keeps to itself which."""
        refusals = start_refusals(self._config, self.sync_jacks())
        for refusal in (*refusals, *orbbec_refusals(self._config)) if self._is_orbbec else refusals:
            raise DeviceStartError(self._serial, f"{refusal.message}. {refusal.remedy}", refusal.code)

    def _refusal_of(self, what: str, reason: str) -> DeviceStartError:
        return DeviceStartError(
            self._serial,
            f"the SDK refused to start its {what} although the configuration keeps every rule{in_brackets(reason)}. "
            "Unplug its power and plug it in again",
            "sdk_refused",
        )

    def _stop_cameras(self) -> None:
        if self._with_imu:
            self._handle.call("k4a_device_stop_imu")
        self._handle.call("k4a_device_stop_cameras")

    def _deliver(self, capture: c.c_void_p) -> Capture:
        arrival_nsec = self._clock.now_nsec() if self._is_orbbec else None
        delivered = take_capture(self._handle.library, capture, self._serial, self._index, arrival_nsec)
        self._index += 1
        return delivered

    def _stream_end(self, reason: str) -> DeviceLostError:
        if self._state is not _State.RUNNING:
            return DeviceLostError(self._serial, "no captures come any more: it was stopped")
        return DeviceLostError(
            self._serial,
            f"its stream broke: it was unplugged, lost its power, or the USB bus failed{in_brackets(reason)}. Look at "
            "its cables; one USB 3 controller for each device helps",
        )

    def _silence(self, timeout_sec: float) -> str:
        if self._index == 0 and self._config.wired_sync_mode is WiredSyncMode.SUBORDINATE:
            return f"no capture within {timeout_sec:g} s: no sync pulse has come yet"
        return f"no capture within {timeout_sec:g} s"

    def _check_open(self) -> None:
        if self._state is _State.CLOSED:
            raise DeviceError(self._serial, "this handle is closed: open the device again with its backend")
