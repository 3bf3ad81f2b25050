"""What simulated devices share: time, the cables, everything that sends pulses, and what goes wrong.

Nothing in this world runs by itself. Whenever a device is asked, it is brought up to the present; before anything
changes that others can notice (a master starts or stops, a fault is caused), everybody is.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from genlock.clock import Clock
from genlock.devices.faults import Fault, FaultKind
from genlock.devices.scenario import Scenario, TriggerStart
from genlock.devices.sim.capturesync import Sensor
from genlock.devices.sim.chance import stream_key, uniform
from genlock.devices.sim.flashes import find_collisions
from genlock.devices.sim.frames import Heard, PulseTrainSource
from genlock.devices.sim.mishaps import LOST, Mishaps
from genlock.devices.sim.shutter import Sample
from genlock.devices.sim.stream import Stream
from genlock.devices.sim.wires import TRIGGER, Cables
from genlock.k4a import SyncJacks, WiredSyncMode
from genlock.rig import Rig, Wire, expected_jacks, wires

__all__ = ["NSEC_PER_SEC", "World"]

NSEC_PER_SEC = 1_000_000_000

# An operator's hand from the last device to the generator's button.
_TRIGGER_AFTER_LAST_START_SEC = 0.5

_UNPLUGGED = (FaultKind.CABLE_PULLED, FaultKind.WRONG_JACK)
_FREEING = (FaultKind.FREE_RUNNING, FaultKind.CABLE_PULLED, FaultKind.DEAD_PORT)


class World:
    """The shared state of one virtual rig. All of it is guarded by ``lock``, which is never held while waiting."""

    def __init__(self, rig: Rig, scenario: Scenario, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.changed = clock.signal()
        self.version = 0
        """Goes up with every change that may wake a device; read it without the lock."""
        self.birth_nsec = clock.now_nsec()
        """When the scene began to move."""
        self.mishaps = Mishaps(scenario.faults)
        self._scenario = scenario
        self._jacks = {**expected_jacks(rig), **scenario.jacks}
        self._cables = Cables(wires(rig), scenario.timing)
        self._pulsing: dict[str, PulseTrainSource] = {}
        """Masters and the trigger: what others can hear."""
        self._own: dict[str, PulseTrainSource] = {}
        """What masters and standalone devices pace themselves by."""
        self._heard: dict[tuple[str, int], Heard | None] = {}
        """Whom each device hears between two changes of the faults; forgotten whenever anything else changes."""
        self._streams: dict[str, Stream] = {}
        self.runs: list[tuple[str, Stream]] = []
        """Every run of every device so far, in the order of their starts."""
        self._open: set[str] = set()
        self._triggered = frozenset(d.serial for d in rig.devices if self._cables.is_reached_by_trigger(d.serial))
        self._trigger_hz = float(rig.settings(min(self._triggered)).camera_fps) if self._triggered else 0.0
        if self._triggered and scenario.timing.trigger_start is TriggerStart.ALWAYS:
            self._pulsing[TRIGGER] = self._new_trigger(self.birth_nsec)

    def jacks_of(self, serial: str) -> SyncJacks:
        """Which of a device's jacks feel a plug now."""
        return self._jacks_at(serial, self.clock.now_nsec())

    def opened(self, serial: str) -> None:
        """A device was opened."""
        with self.lock:
            self._open.add(serial)

    def closed(self, serial: str) -> None:
        """A device was closed."""
        with self.lock:
            self._open.discard(serial)
            self._mind_trigger()
            self.tell()

    def start(self, serial: str, stream: Stream, mode: WiredSyncMode, own_pulses: PulseTrainSource) -> None:
        """A device runs from now on; call it under the lock.

        ``own_pulses`` are those that the device would go by, or send, without anybody else's.
        """
        self.settle()
        self._streams[serial] = stream
        self.runs.append((serial, stream))
        self._pulsing.pop(serial, None)
        self._own.pop(serial, None)
        # A master goes by its own oscillator whatever comes into its Sync In, except where a trigger drives it, as
        # Microsoft's article has it. # unverified on hardware: maintainers want all subordinate then (SDK issue #366)
        if mode is WiredSyncMode.STANDALONE:
            self._own[serial] = own_pulses
            self.mishaps.begin(own_pulses.start_nsec)
        elif mode is WiredSyncMode.MASTER and serial not in self._triggered:
            self._own[serial] = self._pulsing[serial] = own_pulses
            self.mishaps.begin(own_pulses.start_nsec)
        self._mind_trigger()
        self.tell()

    def stop(self, serial: str) -> None:
        """A device has stopped; its pulses, if it sent any, end now. Call it under the lock."""
        self.settle()
        self._streams.pop(serial, None)
        self._own.pop(serial, None)
        if serial in self._pulsing:
            self._pulsing[serial] = replace(self._pulsing[serial], end_nsec=self.clock.now_nsec())
        self._mind_trigger()
        self.tell()

    def cause(self, fault: Fault) -> None:
        """Makes something go wrong; its times count from now."""
        with self.lock:
            self.settle()
            self.mishaps.cause(fault, self.clock.now_nsec())
            self.tell()

    def cure(self, kind: FaultKind, serial: str | None) -> None:
        """Ends the faults of this kind at this device."""
        with self.lock:
            self.settle()
            self.mishaps.cure(kind, serial, self.clock.now_nsec())
            self.tell()

    def advance(self, serial: str, stream: Stream) -> int | None:
        """Brings one device up to the present; returns when it should next be looked at. Call it under the lock."""
        ear = _DeviceEar(self, serial)
        now_nsec = self.clock.now_nsec()
        stream.advance(now_nsec, ear)
        times_nsec = (stream.next_event_nsec(ear), self.mishaps.next_change_nsec(now_nsec))
        return min((nsec for nsec in times_nsec if nsec is not None), default=None)

    def settle(self) -> None:
        """Brings every device up to the present, before something changes. Call it under the lock."""
        for serial, stream in self._streams.items():
            self.advance(serial, stream)

    def with_collisions(self, serial: str, sample: Sample) -> Sample:
        """The same depth exposure, knowing who flashed into it. Call it under the lock, once the exposure is over."""
        stream = self._streams.get(serial)
        if sample.sensor is not Sensor.DEPTH or stream is None:
            return sample
        others = {other: their_stream for other, their_stream in self._streams.items() if other != serial}
        for other, their_stream in others.items():
            self.advance(other, their_stream)
        return replace(sample, collisions=tuple(find_collisions(stream.depth_mode, sample.center_nsec, others)))

    def heard_at(self, serial: str, when_nsec: int) -> Heard | None:
        """Whose pulses reach a device at this true time."""
        key = (serial, self.mishaps.changes_until(when_nsec))
        if key not in self._heard:
            self._heard[key] = self._find_heard(serial, when_nsec)
        return self._heard[key]

    def tell(self) -> None:
        """Something has changed: wakes every device that waits. Call it under the lock."""
        self.version += 1
        self._heard.clear()
        self.changed.notify()

    def _find_heard(self, serial: str, when_nsec: int) -> Heard | None:
        if serial in self._own:
            return Heard(self._own[serial], 0)
        path = self._cables.path_to(
            serial,
            lambda place: self._is_pulsing(place, when_nsec),
            lambda wire: self._carries(wire, when_nsec),
        )
        return None if path is None else Heard(self._pulsing[path.source], path.delay_nsec)

    def _is_pulsing(self, place: str, when_nsec: int) -> bool:
        source = self._pulsing.get(place)
        # A device whose host is gone, if only for a moment, sends no pulses until it is started again.
        return source is not None and self.mishaps.struck(LOST, place, source.start_nsec, when_nsec) is None

    def _carries(self, wire: Wire, when_nsec: int) -> bool:
        source, destination = wire.source, wire.destination
        if source in self._jacks and source not in self._streams and not self._scenario.timing.is_repeating_while_idle:
            return False
        return (
            (source not in self._jacks or self._jacks_at(source, when_nsec).sync_out_connected)
            and (destination not in self._jacks or self._jacks_at(destination, when_nsec).sync_in_connected)
            and self.mishaps.active(FaultKind.DEAD_PORT, destination, when_nsec) is None
            and self.mishaps.active(FaultKind.DEVICE_DIES, source, when_nsec) is None
        )

    def _jacks_at(self, serial: str, when_nsec: int) -> SyncJacks:
        jacks = self._jacks[serial]
        if not self.mishaps.has_any(_UNPLUGGED, serial, when_nsec):
            return jacks
        is_wrong = self.mishaps.active(FaultKind.WRONG_JACK, serial, when_nsec) is not None
        return SyncJacks(False, jacks.sync_out_connected or is_wrong)

    def _new_trigger(self, start_nsec: int) -> PulseTrainSource:
        key = stream_key(self._scenario.seed, TRIGGER)
        worst_ppm = self._scenario.timing.oscillator_ppm
        rate = self.mishaps.active(FaultKind.TRIGGER_RATE, None, start_nsec)
        too_fast_ratio = (rate.amount_or_default or 0.0) if rate else uniform(key, 0, -worst_ppm, worst_ppm) * 1e-6

        def is_left_out(number: int, when_nsec: int) -> bool:
            misses = self.mishaps.active(FaultKind.TRIGGER_MISSES, None, when_nsec)
            return misses is not None and uniform(key, number + 1) < (misses.amount_or_default or 0.0)

        period_nsec = NSEC_PER_SEC / self._trigger_hz / (1 + too_fast_ratio)
        self.mishaps.begin(start_nsec)
        return PulseTrainSource(start_nsec, period_nsec, is_left_out=is_left_out)

    def _mind_trigger(self) -> None:
        """The operator: switches the trigger on once every opened device that it reaches runs, off when none does."""
        if self._scenario.timing.trigger_start is TriggerStart.ALWAYS:
            return
        running = self._triggered & self._streams.keys()
        trigger = self._pulsing.get(TRIGGER)
        is_on = trigger is not None and trigger.end_nsec is None
        now_nsec = self.clock.now_nsec()
        if not is_on and running and running == self._triggered & self._open:
            start_nsec = now_nsec + round(_TRIGGER_AFTER_LAST_START_SEC * NSEC_PER_SEC)
            self._pulsing[TRIGGER] = self._new_trigger(start_nsec)
        elif is_on and trigger is not None and not running:
            self._pulsing[TRIGGER] = replace(trigger, end_nsec=now_nsec)


@dataclass(frozen=True, slots=True)
class _DeviceEar:
    """What one device of the world can hear; see ``frames.Ear``."""

    world: World
    serial: str

    def heard_at(self, when_nsec: int) -> Heard | None:
        return self.world.heard_at(self.serial, when_nsec)

    def is_deaf(self, when_nsec: int) -> bool:
        return self.world.mishaps.active(FaultKind.FREE_RUNNING, self.serial, when_nsec) is not None

    def free_period_nsec(self, when_nsec: int, source_period_nsec: float, own_period_nsec: float) -> float:
        for kind in _FREEING:
            fault = self.world.mishaps.active(kind, self.serial, when_nsec)
            if fault is not None and fault.amount is not None:
                return source_period_nsec / (1 + fault.amount * 1e-6)
        return own_period_nsec

    def next_change_nsec(self, after_nsec: int) -> int | None:
        return self.world.mishaps.next_change_nsec(after_nsec)
