"""One device's exposures: when a frame's color and depth are centred, how they are stamped, when they arrive.

A frame begins at a pulse. Its color exposure ends one period later, so that the centre lies half an exposure before
that; the depth exposure is centred ``depth_delay_off_color_usec`` away. Both are stamped with their centre, read off a
90 kHz counter that was zero at the device's first pulse, and reach the host some milliseconds later.
# unverified on hardware: that exposures of different length share their end. It is what makes
# (subordinate - master exposure) / 2 the delay that aligns the centres, as Microsoft's green_screen sample has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from genlock.devices.faults import FaultKind
from genlock.devices.scenario import ExposurePoint, Scenario
from genlock.devices.sim.capturesync import Sensor
from genlock.devices.sim.chance import normal, stream_key, uniform
from genlock.devices.sim.controls import ColorControls, ColorSettings
from genlock.devices.sim.frames import Frame
from genlock.devices.sim.mishaps import Mishaps
from genlock.devices.sim.traits import DeviceTraits
from genlock.k4a import TICKS_PER_SEC, DepthMode, DeviceConfig, WiredSyncMode, usec_from_ticks

__all__ = ["Collision", "Sample", "Shutter"]

_NSEC_PER_TICK = 1_000_000_000 / TICKS_PER_SEC
_NSEC_PER_USEC = 1_000
_NSEC_PER_SEC = 1_000_000_000

# The nine pulses of an unbinned narrow depth image last 12.8 ms; the image leaves after the last one.
_HALF_DEPTH_EXPOSURE_USEC = 6_400

# Automatic exposure wanders between these, in about this time.
_AUTO_EXPOSURE_USEC, _AUTO_SWING_USEC, _AUTO_PERIOD_SEC = 12_000, 4_000, 6.0

# A new exposure time upsets this many frames (SDK issue #471).
_UPSET_FRAMES = 4


@dataclass(frozen=True, slots=True)
class Collision:
    """Another device's laser that flashed into a depth exposure."""

    serial: str
    depth_mode: DepthMode
    pulses: int
    """How many of this exposure's nine pulses the other's overlapped."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One exposure of one camera."""

    sensor: Sensor
    timestamp_usec: int
    """Its centre on the device's clock, as stamped."""
    center_nsec: int
    """Its centre in true time: the moment that the image shows."""
    arrival_nsec: int
    """When the host has it."""
    number: int
    """Of its frame."""
    settings: ColorSettings
    """The color controls when it began, its exposure cut to the frame's period; without meaning for depth."""
    light_ratio: float = 1.0
    """How much of its light a color image really got."""
    is_covered: bool = False
    """Whether something hides the lens."""
    turned_deg: float = 0.0
    """By how much the device was knocked out of its place."""
    collisions: tuple[Collision, ...] = ()
    """Of depth alone; known once all exposures of that moment are over."""


class Shutter:
    """Exposes the frames of one run of one device."""

    def __init__(
        self,
        serial: str,
        config: DeviceConfig,
        scenario: Scenario,
        traits: DeviceTraits,
        controls: ColorControls,
        mishaps: Mishaps,
        run: int,
    ) -> None:
        self._serial = serial
        self._config = config
        self._timing = scenario.timing
        self._traits = traits
        self._controls = controls
        self._mishaps = mishaps
        first_usec = scenario.timing.first_image_usec
        self._first_stamp_usec = scenario.firmware_of(serial).first_stamp_usec if first_usec is None else first_usec
        self._period_ticks = TICKS_PER_SEC // config.camera_fps
        self._auto_phase = uniform(stream_key(scenario.seed, serial, "auto exposure"), 0)
        # Every run has its own streams of chance: a restart does not repeat the first run's jitter.
        self._keys = {
            sensor: (
                stream_key(scenario.seed, serial, "stamp", sensor.name, str(run)),
                stream_key(scenario.seed, serial, "arrival", sensor.name, str(run)),
            )
            for sensor in Sensor
        }
        self._first_number: int | None = None
        self._last_arrival_nsec = dict.fromkeys(Sensor, 0)

    def expose(self, frame: Frame, sensor: Sensor) -> Sample | None:
        """What this camera makes of this frame; ``None`` for the first frames, which are never delivered."""
        config, timing = self._config, self._timing
        settings = self._settings(frame.pulse_nsec)
        # From the pulse to the centre of the color exposure, had the device no delay.
        center_ticks = self._center_ticks(settings.exposure_usec)
        if usec_from_ticks(frame.clock_ticks + center_ticks) < self._first_stamp_usec:
            return None
        center_ticks += config.subordinate_delay_off_master_ticks
        if config.wired_sync_mode is WiredSyncMode.SUBORDINATE:
            center_ticks += timing.delay_deviation_ticks * (2 if sensor is Sensor.DEPTH else 1)
        if sensor is Sensor.DEPTH:
            center_ticks += config.depth_delay_off_color_ticks
            if config.wired_sync_mode is WiredSyncMode.MASTER:
                center_ticks += timing.master_depth_deviation_ticks
        else:
            center_ticks += self._upset_ticks(frame)
        stamp_key, _ = self._keys[sensor]
        center_ticks += self._settling_ticks(frame, stamp_key)
        is_late = uniform(stamp_key, 2 * frame.number) < timing.late_stamp_ratio
        center_nsec = frame.pulse_nsec + round(center_ticks * _NSEC_PER_TICK)
        bump = self._mishaps.active(FaultKind.CAMERA_BUMPED, self._serial, center_nsec)
        return Sample(
            sensor=sensor,
            timestamp_usec=usec_from_ticks(frame.clock_ticks + center_ticks + is_late),
            center_nsec=center_nsec,
            arrival_nsec=self._arrival_nsec(sensor, frame.number, center_nsec, settings.exposure_usec),
            number=frame.number,
            settings=settings,
            light_ratio=self._light_ratio(settings, frame.pulse_nsec),
            is_covered=self._mishaps.active(FaultKind.LENS_COVERED, self._serial, center_nsec) is not None,
            turned_deg=(bump.amount_or_default or 0.0) if bump else 0.0,
        )

    def _center_ticks(self, exposure_usec: int) -> int:
        """From a pulse to the centre of a color exposure of this length."""
        half_ticks = exposure_usec * TICKS_PER_SEC // 2_000_000
        return {
            ExposurePoint.END: self._period_ticks - half_ticks,
            ExposurePoint.CENTER: self._period_ticks // 2,
            ExposurePoint.START: half_ticks,
        }[self._timing.exposures_share]

    def _settings(self, pulse_nsec: int) -> ColorSettings:
        """The color controls that hold for this frame, whoever set them."""
        settings = self._controls.settings
        exposure_usec = settings.exposure_usec
        wrong = self._mishaps.active(FaultKind.WRONG_EXPOSURE, self._serial, pulse_nsec)
        is_auto = self._mishaps.active(FaultKind.AUTO_EXPOSURE, self._serial, pulse_nsec) is not None
        if settings.is_auto or is_auto:
            self._controls.has_run_auto = True
            turns = pulse_nsec / _NSEC_PER_SEC / _AUTO_PERIOD_SEC + self._auto_phase
            exposure_usec = round(_AUTO_EXPOSURE_USEC + _AUTO_SWING_USEC * math.sin(2 * math.pi * turns))
        elif wrong is not None:
            exposure_usec = round(wrong.amount_or_default or exposure_usec)
        # The running frame rate cuts longer exposures.
        return replace(settings, exposure_usec=min(exposure_usec, self._config.camera_fps.period_usec))

    def _light_ratio(self, settings: ColorSettings, pulse_nsec: int) -> float:
        dark = self._mishaps.active(FaultKind.DARK_EXPOSURE, self._serial, pulse_nsec)
        if dark is None or settings.is_auto or self._controls.has_run_auto:
            return 1.0
        return dark.amount_or_default or 0.0

    def _upset_ticks(self, frame: Frame) -> int:
        """How much later color is exposed because somebody has just set the exposure, were it to the same value."""
        set_nsec = self._controls.exposure_set_nsec
        if set_nsec is None or frame.number < _UPSET_FRAMES:
            return 0
        frames_since = (frame.pulse_nsec - set_nsec) * self._config.camera_fps / _NSEC_PER_SEC
        if not 0 <= frames_since < _UPSET_FRAMES:
            return 0
        return round(self._timing.upset_usec * (1 - frames_since / _UPSET_FRAMES) * TICKS_PER_SEC / 1e6)

    def _settling_ticks(self, frame: Frame, key: int) -> int:
        """Errors of the first frames, either way, that die away."""
        if self._first_number is None:
            self._first_number = frame.number
        left = 1 - (frame.number - self._first_number) / max(self._timing.settling_frames, 1)
        if left <= 0:
            return 0
        return round(
            self._timing.settling_usec * left * uniform(key, 2 * frame.number + 1, -1, 1) * TICKS_PER_SEC / 1e6
        )

    def _arrival_nsec(self, sensor: Sensor, number: int, center_nsec: int, exposure_usec: int) -> int:
        if sensor is Sensor.COLOR:
            transfer_usec = exposure_usec / 2 + self._traits.color_transfer_usec
        else:
            transfer_usec = _HALF_DEPTH_EXPOSURE_USEC + self._traits.depth_transfer_usec
        jitter_usec = normal(self._keys[sensor][1], number) * self._timing.transfer_jitter_usec
        # No image overtakes its predecessor, and none arrives before it was taken.
        arrival_nsec = max(
            center_nsec + round(max(transfer_usec + jitter_usec, transfer_usec / 2) * _NSEC_PER_USEC),
            self._last_arrival_nsec[sensor] + 1,
        )
        self._last_arrival_nsec[sensor] = arrival_nsec
        return arrival_nsec
