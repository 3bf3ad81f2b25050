"""One recorded device: the ``Device`` protocol over the files that it once left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import Enum
from pathlib import Path

from genlock.capture import Capture, Image, ImuSample
from genlock.devices.base import ColorControl, ColorControlValue, DeviceInfo
from genlock.devices.playback.stage import Stage
from genlock.errors import CaptureTimeoutError, DeviceError, DeviceLostError, DeviceStartError, StreamEndedError
from genlock.k4a import (
    DeviceConfig,
    PowerlineFrequency,
    SyncJacks,
    WiredSyncMode,
    nearest_exposure_usec,
    start_refusals,
)
from genlock.recording import RecordingReader
from genlock.sync import normaliser

__all__ = ["PlaybackDevice"]


class _State(Enum):
    OPEN = "open"
    ARMED = "armed"
    RUNNING = "running"
    CLOSED = "closed"


class PlaybackDevice:
    """An opened recording. ``next_capture`` and ``take_imu`` belong to one thread, the rest to any.

    Color controls are taken and read back as a device would have them; they change nothing, the images are what they
    were. Nothing is ever dropped: whoever reads too slowly gets every capture, late.
    """

    def __init__(
        self,
        serial: str,
        info: DeviceInfo,
        files: Sequence[Path],
        jacks: SyncJacks,
        stage: Stage,
        on_close: Callable[[], None],
    ) -> None:
        self._serial = serial
        self._info = info
        self._files = tuple(files)
        self._jacks = jacks
        self._stage = stage
        self._on_close = on_close
        self._state = _State.OPEN
        self._controls: dict[ColorControl, ColorControlValue] = {}
        self._armed = DeviceConfig()
        self._with_imu = False
        with RecordingReader(self._files[0]) as reader:
            self._recorded = reader.config
            self._calibration = reader.calibration or b""
        self._moment_of = normaliser(self._recorded)
        self._playing = ExitStack()
        self._captures: Iterator[Capture] = iter(())
        self._samples: Iterator[ImuSample] = iter(())
        self._next: Capture | None = None
        self._next_sample: ImuSample | None = None
        self._zero_nsec: int | None = None
        self._index = 0

    @property
    def info(self) -> DeviceInfo:
        """Serial and firmware, as recorded."""
        return self._info

    def sync_jacks(self) -> SyncJacks:
        """The plugs as the rig's wiring has them: a recording does not know."""
        self._check_open()
        return self._jacks

    def raw_calibration(self) -> bytes:
        """The factory calibration that the recording carries; empty when it carries none."""
        self._check_open()
        return self._calibration

    def set_color_control(self, control: ColorControl, setting: ColorControlValue) -> None:
        """Takes a setting; exposures are rounded as the SDK does it, in the table of the powerline that was set."""
        self._check_open()
        if control is ColorControl.EXPOSURE_TIME_ABSOLUTE and setting.is_manual:
            setting = replace(setting, value=nearest_exposure_usec(setting.value, self._powerline))
        self._controls[control] = setting

    def color_control(self, control: ColorControl) -> ColorControlValue:
        """What was set; automatic, 0, before."""
        self._check_open()
        return self._controls.get(control, ColorControlValue(is_manual=False, value=0))

    def arm(self, config: DeviceConfig, *, imu: bool = True) -> None:
        """Takes the configuration, which ``start`` compares with the recorded one."""
        self._check_open()
        if self._state is _State.RUNNING:
            raise DeviceError(self._serial, "it cannot be armed while it plays: call stop() first")
        self._armed, self._with_imu, self._state = config, imu, _State.ARMED

    def start(self) -> None:
        """Plays from the beginning; a subordinate waits for its master.

        Raises:
            DeviceStartError: not armed, playing already, refused by the SDK's rules, or the configuration is not what
                was recorded (``code`` is ``not_as_recorded``).
        """
        self._check_open()
        if self._state is _State.OPEN:
            raise DeviceStartError(self._serial, "it has no configuration yet: call arm() first", "not_armed")
        if self._state is _State.RUNNING:
            raise DeviceStartError(self._serial, "it plays already: call stop() first", "already_running")
        refusals = start_refusals(self._armed, self._jacks)
        if refusals:
            raise DeviceStartError(self._serial, f"{refusals[0].message}. {refusals[0].remedy}", refusals[0].code)
        self._refuse_what_was_not_recorded()
        self._rewind()
        self._state = _State.RUNNING
        if self._armed.wired_sync_mode is not WiredSyncMode.SUBORDINATE:
            self._zero_nsec = self._stage.clock.now_nsec()
        if self._armed.wired_sync_mode is WiredSyncMode.MASTER:
            self._stage.master_zero_nsec = self._zero_nsec
        self._stage.tell()

    def next_capture(self, timeout_sec: float) -> Capture:
        """The next recorded capture, when its time has come.

        Raises:
            CaptureTimeoutError: not in time: the master does not play yet, or nobody has stepped.
            StreamEndedError: the recording is over.
            DeviceLostError: not playing, or stopped meanwhile.
        """
        clock = self._stage.clock
        deadline_nsec = clock.now_nsec() + round(timeout_sec * 1e9)
        while True:
            version = self._stage.version
            if self._state is not _State.RUNNING:
                raise DeviceLostError(self._serial, "no captures come any more: it was stopped or never started")
            due_nsec, now_nsec = self._due_nsec(), clock.now_nsec()
            if due_nsec is not None and due_nsec <= now_nsec:
                return self._deliver(due_nsec)
            if now_nsec >= deadline_nsec:
                raise CaptureTimeoutError(self._serial, f"no capture within {timeout_sec:g} s: {self._why_not()}")
            until_nsec = deadline_nsec if due_nsec is None else min(deadline_nsec, due_nsec)
            self._stage.wait_for_news(version, (until_nsec - now_nsec) / 1e9)

    def take_imu(self) -> Sequence[ImuSample]:
        """The recorded samples up to now; none when armed without them."""
        zero_nsec = self._zero_nsec
        if self._state is not _State.RUNNING or zero_nsec is None or not self._with_imu:
            return ()
        until_usec = self._stage.device_usec(zero_nsec)
        taken = []
        while self._next_sample is not None and self._next_sample.acc_timestamp_usec <= until_usec:
            taken.append(self._next_sample)
            self._next_sample = next(self._samples, None)
        return taken

    def stop(self) -> None:
        """Stops. Safe twice."""
        if self._state is not _State.RUNNING:
            return
        self._state = _State.ARMED
        self._zero_nsec = None
        if self._armed.wired_sync_mode is WiredSyncMode.MASTER:
            self._stage.master_zero_nsec = None
        self._stage.tell()

    def close(self) -> None:
        """Stops and lets go. Safe twice."""
        self.stop()
        if self._state is not _State.CLOSED:
            self._state = _State.CLOSED
            self._playing.close()
            self._on_close()

    # ---- how ----------------------------------------------------------------------------------------------------

    @property
    def _powerline(self) -> PowerlineFrequency:
        """60 Hz until it is set, as in the SDK."""
        setting = self._controls.get(ColorControl.POWERLINE_FREQUENCY)
        known = {powerline.sdk_value: powerline for powerline in PowerlineFrequency}
        return known.get(setting.value, PowerlineFrequency.HZ_60) if setting else PowerlineFrequency.HZ_60

    def _refuse_what_was_not_recorded(self) -> None:
        names = [
            "color_resolution",
            "depth_mode",
            "camera_fps",
            "wired_sync_mode",
            "subordinate_delay_off_master_usec",
            "depth_delay_off_color_usec",
        ]
        if self._armed.has_color and self._recorded.has_color:
            names.insert(0, "color_format")  # a recording without color does not say
        differences = [
            f"{name} is planned as {wanted} and was recorded as {recorded}"
            for name in names
            if (wanted := getattr(self._armed, name)) != (recorded := getattr(self._recorded, name))
        ]
        if differences:
            raise DeviceStartError(
                self._serial, f"{'; '.join(differences)}: play a take with its own plan", "not_as_recorded"
            )

    def _rewind(self) -> None:
        self._playing.close()
        self._playing = ExitStack()
        readers = [self._playing.enter_context(RecordingReader(path)) for path in self._files]
        self._captures = (capture for reader in readers for capture in reader.captures() if capture.images)
        self._samples = (sample for reader in readers for sample in reader.imu())
        self._next, self._next_sample = next(self._captures, None), next(self._samples, None)
        self._zero_nsec = None
        self._index = 0

    def _due_nsec(self) -> int | None:
        if self._zero_nsec is None:
            self._zero_nsec = self._stage.master_zero_nsec  # from its first pulse on a subordinate keeps going
        if self._next is None:
            raise StreamEndedError(self._serial, "its recording is over")
        if self._zero_nsec is None:
            return None
        last_usec = max(image.device_timestamp_usec for image in self._next.images)
        moment_usec = self._moment_of(self._next.stamp)
        return self._stage.due_nsec(self._zero_nsec, last_usec, last_usec if moment_usec is None else moment_usec)

    def _deliver(self, due_nsec: int) -> Capture:
        capture = self._next
        if capture is None:
            raise StreamEndedError(self._serial, "its recording is over")
        self._next = next(self._captures, None)
        index, self._index = self._index, self._index + 1

        def arrived(image: Image | None) -> Image | None:
            # Arrivals were on another host's clock, or another day's: on this one the image arrives now.
            return image and replace(image, system_timestamp_nsec=due_nsec)

        return replace(
            capture,
            serial=self._serial,
            index=index,
            color=arrived(capture.color),
            depth=arrived(capture.depth),
            ir=arrived(capture.ir),
        )

    def _why_not(self) -> str:
        if self._zero_nsec is None:
            return "its master does not play yet"
        return "nobody has stepped" if self._stage.is_stepwise else "the next one is not due yet"

    def _check_open(self) -> None:
        if self._state is _State.CLOSED:
            raise DeviceError(self._serial, "this handle is closed: open the device again with its backend")
