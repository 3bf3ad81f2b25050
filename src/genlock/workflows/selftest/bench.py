"""A bench: devices started in any order, listened to by a thread each, so that an operator can take their time.

A session knows one order, the right one; what happens in the others is what has to be found out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from genlock.capture import Capture, Image, Stamp
from genlock.clock import Clock, ClockThread
from genlock.devices import Backend, Device
from genlock.errors import CaptureTimeoutError, DeviceError
from genlock.findings import errors_in
from genlock.k4a import ImageFormat, SyncJacks
from genlock.plan import PlannedDevice
from genlock.session import set_controls

__all__ = ["Bench", "Running", "Track"]

_POLL_SEC = 0.2
_JACKS_NSEC = 100_000_000
_SLICE_SEC = 0.5
_NSEC_PER_SEC = 1_000_000_000


@dataclass(slots=True)
class Track:
    """What one device delivered in one run, in order. Its listener appends; read it when the run is over, or look."""

    device: PlannedDevice
    started_nsec: int
    """When the call of ``start`` returned, host time."""
    stamps: list[Stamp] = field(default_factory=list)
    lags_nsec: list[int] = field(default_factory=list)
    """From each capture's arrival to its being taken."""
    jacks: list[tuple[int, SyncJacks | None]] = field(default_factory=list)
    """What the jacks showed, and when, ten times a second."""
    imu_usec: list[int] = field(default_factory=list)
    """Device times of the accelerometer's samples."""
    color_bytes: list[int] = field(default_factory=list)
    """Of MJPG images."""
    last_color: Image | None = None
    error: DeviceError | None = None
    """Why it ended before it was told to."""

    @property
    def period_usec(self) -> int:
        """Of its frames."""
        return self.device.config.camera_fps.period_usec

    def take(self, capture: Capture, now_nsec: int) -> None:
        """Keeps the numbers of a capture, and its color image until the next one."""
        stamp = capture.stamp
        self.stamps.append(stamp)
        if stamp.arrival_nsec is not None:
            self.lags_nsec.append(now_nsec - stamp.arrival_nsec)
        if capture.color is not None:
            self.last_color = capture.color
            if capture.color.image_format is ImageFormat.MJPG:
                self.color_bytes.append(capture.color.pixels.nbytes)


class _Listener:
    def __init__(self, device: Device, track: Track, clock: Clock) -> None:
        self._device, self._track, self._clock = device, track, clock
        self._is_stopping = False
        self._thread: ClockThread = clock.start_thread(self._run, f"genlock-selftest-{track.device.serial}")

    def stop(self) -> None:
        self._is_stopping = True
        self._device.stop()
        self._thread.join(_POLL_SEC * 10)

    def _run(self) -> None:
        next_look_nsec = 0
        try:
            while not self._is_stopping:
                now_nsec = self._clock.now_nsec()
                if now_nsec >= next_look_nsec:
                    self._track.jacks.append((now_nsec, self._device.sync_jacks()))
                    next_look_nsec = now_nsec + _JACKS_NSEC
                self._take_one()
        except DeviceError as error:
            if not self._is_stopping:
                self._track.error = error

    def _take_one(self) -> None:
        try:
            capture = self._device.next_capture(_POLL_SEC)
        except CaptureTimeoutError:
            return
        self._track.take(capture, self._clock.now_nsec())
        self._track.imu_usec.extend(sample.acc_timestamp_usec for sample in self._device.take_imu())


class Running:
    """Devices that are open and armed; some of them run."""

    def __init__(self, devices: dict[str, Device], planned: dict[str, PlannedDevice], bench: Bench) -> None:
        self._devices, self._planned, self._bench = devices, planned, bench
        self._listeners: dict[str, _Listener] = {}
        self.tracks: dict[str, Track] = {}
        """Of each device's last start."""

    def start(self, serial: str) -> Track:
        """Starts one device and listens to it."""
        clock, device = self._bench.clock, self._devices[serial]
        device.start()
        track = self.tracks[serial] = Track(self._planned[serial], clock.now_nsec())
        self._listeners[serial] = _Listener(device, track, clock)
        return track

    def stop(self, serial: str) -> None:
        """Stops one device. Safe twice."""
        listener = self._listeners.pop(serial, None)
        if listener is not None:
            listener.stop()

    def device(self, serial: str) -> Device:
        """The opened device itself."""
        return self._devices[serial]

    def wait(self, seconds: float) -> None:
        """Lets time pass; ends early when the run is cancelled."""
        clock = self._bench.clock
        until_nsec = clock.now_nsec() + round(seconds * _NSEC_PER_SEC)
        while (left_nsec := until_nsec - clock.now_nsec()) > 0 and not self._bench.is_cancelled():
            clock.sleep(min(_SLICE_SEC, left_nsec / _NSEC_PER_SEC))

    def wait_for_images(self, seconds: float) -> None:
        """Waits until every started device has delivered, but no longer than this."""
        for _ in range(round(seconds / _SLICE_SEC)):
            if all(track.stamps or track.error for track in self.tracks.values()) or self._bench.is_cancelled():
                return
            self.wait(_SLICE_SEC)


class Bench:
    """Where experiments are made: a backend, and whether somebody has had enough."""

    def __init__(self, backend: Backend, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        self._backend = backend
        self.clock = backend.clock
        self.is_cancelled = is_cancelled

    @contextmanager
    def armed(self, planned: Sequence[PlannedDevice]) -> Iterator[Running]:
        """Opens these devices, sets their controls, arms them; stops and closes them in the end.

        Raises:
            DeviceError: one could not be opened, or did not take its settings.
        """
        with ExitStack() as stack:
            stack.enter_context(self.clock.participate())
            devices: dict[str, Device] = {}
            for device in planned:
                devices[device.serial] = opened = self._backend.open(device.serial)
                stack.callback(opened.close)
                wrong = errors_in(set_controls(device, opened))
                if wrong:
                    raise DeviceError(device.serial, wrong[0].message)
                opened.arm(device.config, imu=device.imu)
            running = Running(devices, {device.serial: device for device in planned}, self)
            for serial in devices:
                stack.callback(running.stop, serial)
            yield running
