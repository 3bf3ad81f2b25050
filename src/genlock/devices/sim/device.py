"""One simulated Azure Kinect: the ``Device`` protocol over a stream of the shared world."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

from genlock.capture import Capture, Image, ImuSample
from genlock.devices.base import ColorControl, ColorControlRange, ColorControlValue, DeviceInfo
from genlock.devices.faults import FaultKind
from genlock.devices.scenario import Scenario
from genlock.devices.sim.body import Body, device_info
from genlock.devices.sim.chance import stream_key
from genlock.devices.sim.controls import HandleControls
from genlock.devices.sim.darkroom import Darkroom
from genlock.devices.sim.frames import FrameClock, PulseTrainSource
from genlock.devices.sim.imu import InertialSensors
from genlock.devices.sim.mishaps import LOST
from genlock.devices.sim.shutter import Shutter
from genlock.devices.sim.stream import Losses, Stream
from genlock.devices.sim.world import NSEC_PER_SEC, World
from genlock.errors import CaptureTimeoutError, DeviceError, DeviceLostError, DeviceStartError
from genlock.k4a import TICKS_PER_SEC, DeviceConfig, ImageFormat, SyncJacks, start_refusals

__all__ = ["SimDevice"]

logger = logging.getLogger(__name__)


# Half of the longest depth exposure, twice: by then every laser that could flash into it has flashed.
_EXPOSURE_OVER_NSEC = 20_245_000


class _State(Enum):
    OPEN = "open"
    ARMED = "armed"
    STARTING = "starting"
    RUNNING = "running"
    CLOSED = "closed"


class SimDevice:
    """An opened device of the virtual rig. ``next_capture`` and ``take_imu`` have a thread each; the rest, any."""

    def __init__(
        self,
        body: Body,
        world: World,
        scenario: Scenario,
        render_pool: ThreadPoolExecutor,
        on_close: Callable[[], None],
    ) -> None:
        self._serial = body.serial
        self._body = body
        self._world = world
        self._scenario = scenario
        self._render_pool = render_pool
        self._on_close = on_close
        self.joins_images = True
        """Whether the next start joins color and depth into captures, as the SDK does unless it is told not to."""
        self._controls = HandleControls(body.serial, body.controls)
        self._state = _State.OPEN
        self._config = DeviceConfig()
        self._with_imu = False
        self._stream: Stream | None = None
        self._darkroom: Darkroom | None = None
        self._imu: InertialSensors | None = None
        self._imu_stream: Stream | None = None
        """The run whose clock the inertial sensors go by; they outlast the cameras' stop."""
        self._run = 0
        self._index = 0
        self._opened_nsec = world.clock.now_nsec()

    @property
    def info(self) -> DeviceInfo:
        """Serial and firmware."""
        return device_info(self._serial, self._scenario)

    @property
    def is_lost(self) -> bool:
        """Whether it went away since it was opened, if only for a moment."""
        now_nsec = self._world.clock.now_nsec()
        return self._world.mishaps.struck(LOST, self._serial, self._opened_nsec, now_nsec) is not None

    def sync_jacks(self) -> SyncJacks:
        """The plugs as the wiring or the scenario put them."""
        self._check_open()
        return self._world.jacks_of(self._serial)

    def raw_calibration(self) -> bytes:
        """The device's own factory calibration; its Notes say that it was simulated."""
        self._check_open()
        return self._body.raw_calibration

    def color_control_range(self, control: ColorControl) -> ColorControlRange:
        """What values the control takes."""
        self._check_open()
        return self._controls.range(control)

    def set_color_control(self, control: ColorControl, setting: ColorControlValue) -> None:
        """Sets a control; exposures are rounded up in the table of the mains frequency that this handle knows of."""
        self._check_open()
        with self._world.lock:
            self._world.settle()  # exposures that have begun keep what they began with
            self._controls.set(control, setting, self._world.clock.now_nsec())

    def color_control(self, control: ColorControl) -> ColorControlValue:
        """Reads a control back."""
        self._check_open()
        return self._controls.get(control)

    def arm(self, config: DeviceConfig, *, imu: bool = True) -> None:
        """Takes the configuration for the next ``start``. Raises ``DeviceError`` while running."""
        self._check_open()
        if self._state not in (_State.OPEN, _State.ARMED):
            raise DeviceError(self._serial, "it cannot be armed while it runs: call stop() first")
        if not self._world.clock.is_virtual and not start_refusals(config, self.sync_jacks()):
            # Real time does not wait: seven captures would be lost while the first image is prepared.
            self._body.imager.prepare(config, self._body.controls.settings, self._render_pool)
        self._config = config
        self._with_imu = imu
        self._state = _State.ARMED

    def start(self) -> None:
        """Starts the cameras; takes the scenario's ``start_sec``. A subordinate then waits for its first pulse.

        Raises:
            DeviceStartError: not armed, already running, or the SDK would refuse; ``code`` is the rule broken.
        """
        self._check_open()
        if self._state is _State.OPEN:
            raise DeviceStartError(self._serial, "it has no configuration yet: call arm() first", "not_armed")
        if self._state is not _State.ARMED:
            raise DeviceStartError(self._serial, "its cameras run already: call stop() first", "already_running")
        if self._imu is not None:
            # They share the clock that starting the cameras resets (k4a.c).
            raise DeviceStartError(self._serial, "its IMU runs: stop it before the cameras start", "imu_running")
        refusals = start_refusals(self._config, self.sync_jacks())
        if refusals:
            first = refusals[0]
            raise DeviceStartError(self._serial, f"{first.message}. {first.remedy}", first.code)
        self._state = _State.STARTING
        self._world.clock.sleep(self._scenario.timing.start_sec)
        with self._world.lock:
            if self._state is not _State.STARTING:
                raise DeviceStartError(self._serial, "it was stopped while it was starting", "stopped")
            self._begin()
            self._state = _State.RUNNING
        if self._with_imu:
            self.start_imu()
        logger.debug("device %s runs as %s", self._serial, self._config.wired_sync_mode)

    def next_capture(self, timeout_sec: float) -> Capture:
        """The oldest capture not yet taken; seven wait at most, a further one pushes the oldest out.

        Raises:
            CaptureTimeoutError: none in time; on a subordinate most likely because no pulse comes.
            DeviceLostError: the device was not running, was stopped meanwhile, or is no longer there.
        """
        world = self._world
        deadline_nsec = world.clock.now_nsec() + round(timeout_sec * NSEC_PER_SEC)
        while True:
            with world.lock:
                stream, darkroom, version = self._stream, self._darkroom, world.version
                if self._state is not _State.RUNNING or stream is None or darkroom is None:
                    raise DeviceLostError(self._serial, "no captures come any more: it was stopped or never started")
                self._check_there()
                next_nsec = world.advance(self._serial, stream)
                now_nsec = world.clock.now_nsec()
                joined = stream.take() if stream.has_capture else None
                taken = [] if joined is None else [sample for sample in (joined.color, joined.depth) if sample]
                upcoming = [s for s in stream.upcoming() if s.center_nsec + _EXPOSURE_OVER_NSEC <= now_nsec]
                samples = [
                    world.with_collisions(self._serial, sample) if darkroom.wants_collisions(sample) else sample
                    for sample in (*taken, *upcoming)
                ]
            darkroom.begin(samples)
            if joined is not None:
                return self._capture([image for sample in taken for image in darkroom.finish(sample)])
            if now_nsec >= deadline_nsec:
                raise CaptureTimeoutError(self._serial, self._silence(stream, timeout_sec))
            until_nsec = deadline_nsec if next_nsec is None else min(deadline_nsec, next_nsec)
            self._wait_until(until_nsec, now_nsec, version)

    def start_imu(self) -> None:
        """Starts the inertial sensors beside the running cameras; ``start`` does it when armed with them.

        Raises:
            DeviceStartError: no camera runs, or they run already.
        """
        self._check_open()
        body = self._body
        with self._world.lock:
            if self._imu is not None:
                raise DeviceStartError(self._serial, "its IMU runs already: call stop_imu() first", "imu_running")
            if self._state is not _State.RUNNING or self._stream is None:
                message = "its IMU starts only while a camera runs, which resets its clock: call start() first"
                raise DeviceStartError(self._serial, message, "imu_without_cameras")
            key = stream_key(self._scenario.seed, self._serial, "imu", str(self._run))
            self._imu = InertialSensors(key, body.calibration, body.T_stage_depth, body.traits)
            self._imu_stream = self._stream
            self._world.advance(self._serial, self._stream)
            self._imu.skip_until(self._stream.device_usec_at(self._world.clock.now_nsec()) or 0.0)

    def stop_imu(self) -> None:
        """Stops the inertial sensors; the cameras go on. Safe twice."""
        with self._world.lock:
            self._imu = None
            self._imu_stream = None

    def take_imu(self) -> Sequence[ImuSample]:
        """Samples since the last call, or since the start; none before the first pulse, none without ``start_imu``."""
        with self._world.lock:
            stream, imu = self._imu_stream, self._imu
            if stream is None or imu is None:
                return ()
            now_nsec = self._world.clock.now_nsec()
            if self._world.mishaps.has_any((*LOST, FaultKind.DEVICE_HANGS), self._serial, now_nsec):
                return ()
            if stream is self._stream:
                self._world.advance(self._serial, stream)
            device_usec = stream.device_usec_at(now_nsec)
            return () if device_usec is None else imu.take_until(device_usec)

    def stop_cameras(self) -> None:
        """Stops the cameras alone; captures not yet taken are gone, as with the SDK. Safe twice."""
        with self._world.lock:
            if self._state not in (_State.RUNNING, _State.STARTING):
                return
            self._state = _State.ARMED
            self._stream = None
            self._darkroom = None
            self._world.stop(self._serial)

    def stop(self) -> None:
        """Stops IMU and cameras. Safe twice."""
        self.stop_imu()
        self.stop_cameras()

    def close(self) -> None:
        """Stops and lets go. Safe twice."""
        self.stop()
        if self._state is not _State.CLOSED:
            self._state = _State.CLOSED
            self._on_close()

    def _begin(self) -> None:
        timing = self._scenario.timing
        now_nsec = self._world.clock.now_nsec()
        run = next(self._body.run_numbers)
        seed, mishaps = self._scenario.seed, self._world.mishaps
        own_period_nsec = NSEC_PER_SEC / self._config.camera_fps / (1 + self._body.traits.oscillator_ppm * 1e-6)
        own_pulses = PulseTrainSource(
            now_nsec + round(timing.first_pulse_after_start_sec * NSEC_PER_SEC), own_period_nsec
        )
        late = mishaps.active(FaultKind.STARTS_LATE, self._serial, now_nsec)
        armed_nsec = now_nsec + round((late.amount_or_default or 0.0) * NSEC_PER_SEC if late else 0.0)
        frame_clock = FrameClock(
            armed_nsec,
            own_period_nsec,
            TICKS_PER_SEC // self._config.camera_fps,
            timing.stamp_clock,
            timing.is_late_start_on_masters_clock,
        )
        shutter = Shutter(
            self._serial, self._config, self._scenario, self._body.traits, self._body.controls, mishaps, run
        )
        losses = Losses(self._serial, mishaps, stream_key(seed, self._serial, "losses", str(run)))
        self._stream = Stream(self._config, frame_clock, shutter, losses, joins_images=self.joins_images)
        self._darkroom = Darkroom(self._body.imager, self._config, self._render_pool)
        self._run = run
        self._index = 0
        self._world.start(self._serial, self._stream, self._config.wired_sync_mode, own_pulses)

    def _capture(self, images: Sequence[Image]) -> Capture:
        by_format = {image.image_format: image for image in images}
        index = self._index
        self._index += 1
        return Capture(
            serial=self._serial,
            index=index,
            color=by_format.get(self._config.color_format),
            depth=by_format.get(ImageFormat.DEPTH16),
            ir=by_format.get(ImageFormat.IR16),
            temperature_c=self._body.traits.temperature_c,
        )

    def _wait_until(self, until_nsec: int, now_nsec: int, version: int) -> None:
        world = self._world
        world.changed.wait_for(lambda: world.version != version, (until_nsec - now_nsec) / NSEC_PER_SEC)

    def _silence(self, stream: Stream, timeout_sec: float) -> str:
        if stream.last_frame is None:
            return f"no capture within {timeout_sec:g} s: no sync pulse has come yet"
        return f"no capture within {timeout_sec:g} s"

    def _check_open(self) -> None:
        if self._state is _State.CLOSED:
            raise DeviceError(self._serial, "this handle is closed: open the device again with its backend")
        self._check_there()

    def _check_there(self) -> None:
        """A device that went away, if only for a moment, is lost to this handle."""
        struck = self._world.mishaps.struck(LOST, self._serial, self._opened_nsec, self._world.clock.now_nsec())
        if struck is FaultKind.USB_UNPLUGGED:
            raise DeviceLostError(self._serial, "it is gone from the USB bus: plug it in and open it again")
        if struck is not None:
            raise DeviceLostError(self._serial, "it is gone: it has no power")
