"""How every device of a running rig does, from its stamps, its jacks and its arrivals: live, pure, in constant memory.

**What a device's state says**, the gravest that holds::

    waiting    no capture yet
    silent     it delivered, and has delivered nothing for a second (or five periods)
    lost       its Sync In reads empty although it follows a pulse: it runs free from now on
    drifting   it leaves the reference: by its stamps, or by when its captures arrive
    offset     its stamps lie 100 us and more from where they should, and stay there
    dropping   more than a twentieth of its latest captures are missing, or three in a row
    settling   its first ten captures, which Microsoft's own test leaves out (SDK issue #396)
    locked     none of these

**The sync-loss alarm.** What the stamps of a freed subordinate do is not known (SDK issue #1850): they may drift, or
stay perfect. So three kinds of evidence are watched side by side, and every alarm names its own: *stamps* against the
reference's (``departure.py``, bounds derived there), the *jack* (a plug pulled at the device itself shows at the next
poll; one pulled elsewhere does not), *arrivals* on the host (``arrival_slope.py``, slow but independent of stamps).
# unverified on hardware: what any of the three shows when a cable is pulled
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from genlock.capture import SETTLING_SETS, Stamp
from genlock.k4a import DeviceConfig, SyncJacks, WiredSyncMode
from genlock.sync.arrival_slope import ArrivalDetector
from genlock.sync.departure import StampDetector
from genlock.sync.offsets import expected_color_ticks, expected_depth_ticks, normaliser
from genlock.sync.running import ForgettingLine, ForgettingMean

__all__ = ["DeviceHealth", "HealthState", "LossEvidence", "RigHealth", "SyncAlarm"]

OFFSET_LIMIT_USEC = 100.0
SILENCE_SEC = 1.0
_SILENT_PERIODS = 5
_DROP_LIMIT_RATIO = 0.05
_DROP_BURST = 3
_BURST_MEMORY_SEC = 2.0
_KEPT_SEC = 3
"""How long a capture waits for the reference's of the same moment: longer than a live matcher waits."""
_TICKS_PER_NINTH = 1 / 100
_USEC_PER_TICK = 100 / 9
_PPM_HALF_LIFE_SEC = 10.0


class HealthState(StrEnum):
    """What a device does now; see the module."""

    WAITING = "waiting"
    SETTLING = "settling"
    LOCKED = "locked"
    OFFSET = "offset"
    DRIFTING = "drifting"
    LOST = "lost"
    SILENT = "silent"
    DROPPING = "dropping"


class LossEvidence(StrEnum):
    """What an alarm rests on."""

    STAMPS = "stamps"
    JACK = "jack"
    ARRIVALS = "arrivals"


@dataclass(frozen=True, slots=True)
class SyncAlarm:
    """A device no longer follows the master, as far as one kind of evidence tells."""

    serial: str
    evidence: LossEvidence
    host_nsec: int
    """When it was noticed."""
    device_usec: int | None
    """The device's latest capture then, on the master's color time."""
    message: str
    """What was seen, with numbers."""


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """A snapshot of one device."""

    serial: str
    state: HealthState
    is_reference: bool
    captures: int
    missed: int
    """Captures that its own pacing shows to be missing."""
    fps: float | None
    """Captures a second of device time, over about the last second; ``None`` before the second capture."""
    offset_usec: float | None
    """Where its images lie against where they should, over about the last second; ``None`` on the reference."""
    jitter_usec: float | None
    """Standard deviation of the offset."""
    drift_ppm: float | None
    """How much faster its stamps run than the reference's, over some ten seconds."""
    drift_error_ppm: float | None
    """One sigma of it."""
    evidence: tuple[LossEvidence, ...]
    """What says that it no longer follows; empty while nothing does."""


@dataclass(slots=True)
class _Tracked:
    """One device."""

    serial: str
    config: DeviceConfig
    stamps: StampDetector | None
    """``None`` on the reference."""
    pending: deque[tuple[int, Stamp]]
    captures: int = 0
    paired: int = 0
    missed: int = 0
    last_usec: int | None = None
    last_seen_nsec: int | None = None
    burst_usec: int | None = None
    has_plug: bool | None = None
    pacing: ForgettingMean = field(default_factory=lambda: ForgettingMean(30))
    drop_ratio: ForgettingMean = field(default_factory=lambda: ForgettingMean(60))
    offset: ForgettingMean = field(default_factory=lambda: ForgettingMean(30))
    line: ForgettingLine = field(default_factory=lambda: ForgettingLine(_PPM_HALF_LIFE_SEC))
    arrivals: ArrivalDetector = field(default_factory=ArrivalDetector)


class RigHealth:
    """The live state of every device of a rig. Not thread-safe: one thread at a time."""

    def __init__(self, configs: Mapping[str, DeviceConfig], reference: str) -> None:
        """Prepares for these devices.

        Args:
            configs: of every device, by serial; one frame rate.
            reference: the device that the others are held against: the master, or one of the triggered devices.
        """
        self._period_usec = configs[reference].camera_fps.period_usec
        kept = _KEPT_SEC * int(configs[reference].camera_fps)
        self._reference = reference
        self._normalisers = {serial: normaliser(config) for serial, config in configs.items()}
        self._moments: deque[tuple[int, Stamp]] = deque(maxlen=kept)
        self._devices = {
            serial: _Tracked(
                serial,
                config,
                None if serial == reference else StampDetector(_stamps_of(config, configs[reference])),
                deque(maxlen=kept),
            )
            for serial, config in configs.items()
        }

    def add(self, stamp: Stamp, host_nsec: int) -> list[SyncAlarm]:
        """Takes a capture's stamp; returns the alarms that begin with it.

        Args:
            stamp: the next of its device.
            host_nsec: when it was handed over.
        """
        device = self._devices[stamp.serial]
        device.captures += 1
        device.last_seen_nsec = host_nsec
        time_usec = self._normalisers[stamp.serial](stamp)
        if time_usec is None:
            return []
        self._pace(device, time_usec)
        if stamp.serial != self._reference:
            moment = self._moment_of(time_usec)
            if moment is None:
                device.pending.append((time_usec, stamp))
                return []
            return self._compare(device, stamp, time_usec, moment, host_nsec)
        self._moments.append((time_usec, stamp))
        alarms: list[SyncAlarm] = []
        for other in self._devices.values():
            while other.pending and 2 * (other.pending[0][0] - time_usec) < self._period_usec:
                waiting_usec, waiting = other.pending.popleft()
                if 2 * abs(waiting_usec - time_usec) < self._period_usec:
                    alarms += self._compare(other, waiting, waiting_usec, stamp, host_nsec)
        return alarms

    def on_jacks(self, serial: str, jacks: SyncJacks, host_nsec: int) -> list[SyncAlarm]:
        """Takes what the jacks of a device read now; an alarm when a subordinate's plug has gone."""
        device = self._devices[serial]
        if device.config.wired_sync_mode is not WiredSyncMode.SUBORDINATE:
            return []
        had_plug, device.has_plug = device.has_plug, jacks.sync_in_connected
        if jacks.sync_in_connected or had_plug is False:
            return []
        return [SyncAlarm(serial, LossEvidence.JACK, host_nsec, device.last_usec, "its Sync In reads no plug any more")]

    def reads_empty(self, serial: str) -> bool:
        """Whether a subordinate's Sync In read no plug at the last poll."""
        return self._devices[serial].has_plug is False

    def look(self, host_nsec: int) -> dict[str, DeviceHealth]:
        """A snapshot of every device.

        Args:
            host_nsec: now; decides who is silent.
        """
        return {serial: self._snapshot(device, host_nsec) for serial, device in self._devices.items()}

    def _pace(self, device: _Tracked, time_usec: int) -> None:
        last_usec, device.last_usec = device.last_usec, max(time_usec, device.last_usec or time_usec)
        if last_usec is None or 2 * (time_usec - last_usec) < self._period_usec:
            return
        pacing_usec = time_usec - last_usec
        missed = max(0, round(pacing_usec / self._period_usec) - 1)
        device.pacing.add(pacing_usec)
        device.missed += missed
        for _ in range(min(missed, 60)):
            device.drop_ratio.add(1.0)
        device.drop_ratio.add(0.0)
        if missed >= _DROP_BURST:
            device.burst_usec = time_usec

    def _moment_of(self, time_usec: int) -> Stamp | None:
        for moment_usec, stamp in reversed(self._moments):
            if 2 * abs(moment_usec - time_usec) < self._period_usec:
                return stamp
            if moment_usec < time_usec:
                return None
        return None

    def _compare(
        self, device: _Tracked, stamp: Stamp, time_usec: int, reference: Stamp, host_nsec: int
    ) -> list[SyncAlarm]:
        device.paired += 1
        if device.paired <= SETTLING_SETS or device.stamps is None:
            return []
        alarms = []
        error = _error_of(stamp, device.config, reference, self._devices[self._reference].config)
        if error is not None:
            device.offset.add(error.shown_ticks * _USEC_PER_TICK)
            device.line.add(time_usec / 1e6, error.shown_ticks * _USEC_PER_TICK)
            if device.stamps.add(error.mean_ticks):
                alarms.append(SyncAlarm(device.serial, LossEvidence.STAMPS, host_nsec, time_usec, _by_stamps(device)))
        if stamp.arrival_nsec is not None and reference.arrival_nsec is not None:
            behind_usec = (stamp.arrival_nsec - reference.arrival_nsec) / 1000
            if device.arrivals.add(time_usec, behind_usec):
                alarms.append(
                    SyncAlarm(device.serial, LossEvidence.ARRIVALS, host_nsec, time_usec, _by_arrivals(device))
                )
        return alarms

    def _snapshot(self, device: _Tracked, host_nsec: int) -> DeviceHealth:
        line = device.line if device.paired > SETTLING_SETS + 1 else None
        return DeviceHealth(
            serial=device.serial,
            state=self._state(device, host_nsec),
            is_reference=device.stamps is None,
            captures=device.captures,
            missed=device.missed,
            fps=1e6 / device.pacing.value if device.pacing.value else None,
            offset_usec=device.offset.value if line else None,
            jitter_usec=line.noise if line else None,
            drift_ppm=line.slope if line else None,
            drift_error_ppm=line.slope_error if line else None,
            evidence=_evidence(device),
        )

    def _state(self, device: _Tracked, host_nsec: int) -> HealthState:
        if device.last_seen_nsec is None:
            return HealthState.WAITING
        evidence = _evidence(device)
        silent_nsec = 1000 * max(SILENCE_SEC * 1e6, _SILENT_PERIODS * self._period_usec)
        is_bursting = (
            device.burst_usec is not None
            and device.last_usec is not None
            and device.last_usec - device.burst_usec < _BURST_MEMORY_SEC * 1e6
        )
        is_settling = device.captures <= SETTLING_SETS
        holds = {
            HealthState.SILENT: host_nsec - device.last_seen_nsec > silent_nsec,
            HealthState.LOST: LossEvidence.JACK in evidence,
            HealthState.DRIFTING: bool(evidence),
            HealthState.OFFSET: abs(device.offset.value) > OFFSET_LIMIT_USEC,
            HealthState.DROPPING: not is_settling and (is_bursting or device.drop_ratio.value > _DROP_LIMIT_RATIO),
            HealthState.SETTLING: is_settling,
        }
        return next((state for state, is_so in holds.items() if is_so), HealthState.LOCKED)


def _stamps_of(config: DeviceConfig, reference: DeviceConfig) -> int:
    """How many stamps an error is made of: color and depth where both devices have both."""
    has_both = all(c.has_color and c.has_depth_camera for c in (config, reference))
    return 4 if has_both else 2


class _Error(NamedTuple):
    """Where a capture lies against the reference's of the same moment, measured minus expected."""

    mean_ticks: float
    """Over color and depth, where both devices have both: what the detector is given."""
    shown_ticks: float
    """Of the color, where there is one: a master's depth is off by itself."""


def _error_of(stamp: Stamp, config: DeviceConfig, reference: Stamp, against: DeviceConfig) -> _Error | None:
    """The error; ``None`` where an image is missing that the errors are usually made of.

    The detector's threshold holds for errors of one kind, so that a capture with one image of two is passed over.
    """
    has_colors = config.has_color and against.has_color
    has_depths = config.has_depth_camera and against.has_depth_camera
    color = depth = None
    if stamp.color_usec is not None and reference.color_usec is not None:
        color = _ticks(stamp.color_usec - reference.color_usec, expected_color_ticks(config))
        color += expected_color_ticks(against)
    if stamp.depth_usec is not None and reference.depth_usec is not None:
        depth = _ticks(stamp.depth_usec - reference.depth_usec, expected_depth_ticks(config))
        depth += expected_depth_ticks(against)
    if has_colors and has_depths:
        return None if color is None or depth is None else _Error((color + depth) / 2, color)
    # Always the same kind, whatever is lost now and then: a master's depth is off by itself, its color is not.
    known = color if has_colors else depth if has_depths else _crossed_ticks(stamp, config, reference, against)
    return None if known is None else _Error(known, known)


def _crossed_ticks(stamp: Stamp, config: DeviceConfig, reference: Stamp, against: DeviceConfig) -> float | None:
    """The error of a device that has only the one camera against a reference that has only the other."""
    if stamp.depth_usec is not None and reference.color_usec is not None:
        return _ticks(stamp.depth_usec - reference.color_usec, expected_depth_ticks(config)) + expected_color_ticks(
            against
        )
    if stamp.color_usec is not None and reference.depth_usec is not None:
        return _ticks(stamp.color_usec - reference.depth_usec, expected_color_ticks(config)) + expected_depth_ticks(
            against
        )
    return None


def _ticks(difference_usec: int, expected_ticks: int) -> float:
    return difference_usec * 9 * _TICKS_PER_NINTH - expected_ticks


def _evidence(device: _Tracked) -> tuple[LossEvidence, ...]:
    if device.stamps is None:
        return ()
    holds = {
        LossEvidence.STAMPS: device.stamps.is_departed,
        LossEvidence.JACK: device.has_plug is False,
        LossEvidence.ARRIVALS: device.arrivals.is_departed,
    }
    return tuple(evidence for evidence, is_so in holds.items() if is_so)


def _by_stamps(device: _Tracked) -> str:
    slope, error = device.line.slope or 0.0, device.line.slope_error or 0.0
    jitter_usec = device.stamps.jitter_ticks * _USEC_PER_TICK if device.stamps is not None else 0.0
    return (
        f"its stamps leave the reference's: {device.offset.value:+.0f} us in the last second, at "
        f"{slope:+.1f} +- {error:.1f} us a second over ten; its jitter is {jitter_usec:.0f} us"
    )


def _by_arrivals(device: _Tracked) -> str:
    return (
        f"its captures arrive {device.arrivals.slope_ppm or 0.0:+.0f} us a second later and later than the "
        "reference's although their stamps agree: its camera no longer runs at the master's pace"
    )
