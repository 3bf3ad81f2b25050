"""Captures of many devices become capture sets, one by one as they arrive, in whatever order the threads deliver them.

The rule is that of ``pairing.py``. It compares one device with the reference and nothing else, so every device has a
*lane* of its own: a queue of captures that wait for the reference, and a cursor on the first set about which the device
has not yet decided. Before that, each device's stream passes a guard that takes out stray stamps (``leaps.py``). A set
comes out when all lanes have passed it, in the order of the reference::

    reference   R0 ───── R1 ───── R2 ───── R3          sets that are open
    lane A                cursor ▲   (queue empty)       has decided R0, R1
    lane B       cursor ▲            (queue empty)       holds back R0: nothing later has come from B yet

**The law.** A lane only ever acts on the head of its queue against the set under its cursor, both of which come in the
order of their own stream. What it decides is therefore a function of the two streams alone: *every interleaving of the
streams gives the same sets, the same misses and the same extras*. Threads cannot change results.

**Silence.** The price of the law is waiting: a device that has said nothing may still say something about the oldest
set. Files end (``end``), so nothing waits for ever there. Live, ``patience_usec`` bounds the wait and the memory, in
captures rather than in host time: of more open sets than fit into the patience, the oldest stops waiting for devices
that have not decided; of more captures that wait for a silent reference, the oldest is let go as extra. No rule of this
kind can hold the law for *every* interleaving (a stream delivered after all others looks silent until then), so the
matcher counts where it mattered: ``late`` is the number of captures that came after their moment had been given up. *As
long as* ``late`` *is zero for every device, the sets are exactly those of any other interleaving, and those that come
without patience.*
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from genlock.capture import CaptureSet, Stamp
from genlock.k4a import DeviceConfig
from genlock.sync.leaps import LeapGuard, Released
from genlock.sync.offsets import normaliser

__all__ = ["LIVE_PATIENCE_USEC", "Matcher"]

LIVE_PATIENCE_USEC = 2_000_000
"""How long a live run waits for a silent device. The SDK itself keeps 7 captures, so a device whose captures come later
than this has lost them already; two seconds also cover the spread of first frames (65 to 248 ms by firmware)."""

_EXTRA_TIMES_KEPT = 1000


@dataclass(slots=True)
class _OpenSet:
    """A moment of the reference that some lane has not passed yet."""

    index: int
    time_usec: int
    stamps: dict[str, Stamp]
    undecided: int
    """Lanes that have not passed it."""


@dataclass(slots=True)
class _Lane:
    """One device against the reference."""

    serial: str
    cursor: int = 0
    """Number of the first set that this lane has not decided."""
    queue: deque[tuple[int, Stamp]] = field(default_factory=deque)
    has_ended: bool = False
    given_up_usec: int | None = None
    """Time of the newest set that stopped waiting for this device and about which it has said nothing since."""


class Matcher:
    """Puts stamps together to capture sets; see the module for the rule, the law and its limit.

    Not thread-safe: one thread owns it. The ``captures`` of its sets are empty; who holds images adds them by serial
    and stamp.
    """

    def __init__(self, configs: Mapping[str, DeviceConfig], reference: str, patience_usec: int | None = None) -> None:
        """Prepares lanes for the devices.

        Args:
            configs: the configuration of every device, by serial.
            reference: the device whose captures open the sets: the master, or one device under an external trigger.
            patience_usec: how much of the reference's stream waits for a silent device, and the other way round, in
                frame periods' worth of captures; ``None`` waits until ``end``. Live runs pass ``LIVE_PATIENCE_USEC``.

        Raises:
            ValueError: if the reference is not among the devices, or their frame rates differ.
        """
        if reference not in configs:
            raise ValueError(f"reference {reference} is none of the devices {', '.join(configs)}")
        rates_fps = {config.camera_fps for config in configs.values()}
        if len(rates_fps) > 1:
            rates = ", ".join(str(fps.value) for fps in sorted(rates_fps))
            raise ValueError(f"devices that match have one frame rate; these have {rates} fps")
        self._period_usec = configs[reference].camera_fps.period_usec
        self._serials = tuple(configs)
        self._reference = reference
        self._capacity = None if patience_usec is None else max(1, patience_usec // self._period_usec)
        self._normalised_usec = {serial: normaliser(config) for serial, config in configs.items()}
        self._guards = {serial: LeapGuard[Stamp](self._period_usec) for serial in configs}
        self._lanes = {serial: _Lane(serial) for serial in configs if serial != reference}
        self._open: deque[_OpenSet] = deque()
        self._opened = 0
        self._last_opened_usec: int | None = None
        self._let_go_usec: int | None = None
        self._reference_has_ended = False
        self._extra = dict.fromkeys(configs, 0)
        self._late = dict.fromkeys(configs, 0)
        self._extra_times = {serial: deque[int](maxlen=_EXTRA_TIMES_KEPT) for serial in configs}

    @property
    def extra(self) -> Mapping[str, int]:
        """How many captures of each device belong to no set, by serial."""
        return dict(self._extra)

    @property
    def late(self) -> Mapping[str, int]:
        """How many captures came after they had been given up, by serial. All zero: the law holds."""
        return dict(self._late)

    @property
    def waiting(self) -> int:
        """Sets and captures that are held back now."""
        return len(self._open) + sum(len(lane.queue) for lane in self._lanes.values())

    def extra_times_usec(self, serial: str) -> tuple[int, ...]:
        """Normalised times of a device's latest extra captures (up to 1000)."""
        return tuple(self._extra_times[serial])

    def add(self, stamp: Stamp) -> list[CaptureSet]:
        """Takes the next stamp of a device; returns the sets that it completes, in order."""
        normalised_usec = self._normalised_usec.get(stamp.serial)
        if normalised_usec is None:
            raise ValueError(f"stamp of device {stamp.serial}, which this matcher was not told of")
        time_usec = normalised_usec(stamp)
        if time_usec is None:
            self._extra[stamp.serial] += 1
            return []
        return self._take(stamp.serial, self._guards[stamp.serial].add(time_usec, stamp))

    def end(self, serial: str) -> list[CaptureSet]:
        """Says that a device will deliver nothing more; returns the sets that waited only for it."""
        completed = self._take(serial, self._guards[serial].end())
        if serial == self._reference:
            self._reference_has_ended = True
            for lane in self._lanes.values():
                self._advance(lane)
        else:
            lane = self._lanes[serial]
            lane.has_ended = True
            self._advance(lane)
        return completed + self._emit()

    def end_all(self) -> list[CaptureSet]:
        """Says that no device will deliver anything more; returns all sets that are left."""
        last_sets = []
        for serial in (self._reference, *self._lanes):
            last_sets += self.end(serial)
        return last_sets

    def _take(self, serial: str, released: Released[Stamp]) -> list[CaptureSet]:
        """Goes on with what a guard has let go."""
        if released.stray is not None:
            self._count_extra(serial, released.stray[0])
        completed = []
        for time_usec, stamp in released.steady:
            if serial == self._reference:
                completed += self._add_reference(time_usec, stamp)
            else:
                completed += self._add_to_lane(self._lanes[serial], time_usec, stamp)
        return completed

    def _add_to_lane(self, lane: _Lane, time_usec: int, stamp: Stamp) -> list[CaptureSet]:
        if lane.given_up_usec is not None:
            if 2 * (time_usec - lane.given_up_usec) < self._period_usec:
                self._late[lane.serial] += 1
                return []
            lane.given_up_usec = None
        lane.queue.append((time_usec, stamp))
        if self._advance(lane):
            return self._emit()
        if self._capacity is not None and len(lane.queue) > self._capacity:
            self._let_go_oldest(lane)
        return []

    def _add_reference(self, time_usec: int, stamp: Stamp) -> list[CaptureSet]:
        last_usec = self._last_opened_usec
        if last_usec is not None and 2 * (time_usec - last_usec) < self._period_usec:
            self._count_extra(self._reference, time_usec)
            return []
        if self._let_go_usec is not None and 2 * (time_usec - self._let_go_usec) < self._period_usec:
            self._late[self._reference] += 1
        self._last_opened_usec = time_usec
        self._open.append(_OpenSet(self._opened, time_usec, {self._reference: stamp}, len(self._lanes)))
        self._opened += 1
        for lane in self._lanes.values():
            if lane.queue or lane.has_ended:
                self._advance(lane)
        if self._capacity is not None and len(self._open) > self._capacity:
            self._give_up_oldest()
        return self._emit()

    def _advance(self, lane: _Lane) -> bool:
        """Applies the rule as far as both streams are known; whether the oldest set may now be complete."""
        queue = lane.queue
        first = self._open[0].index if self._open else self._opened
        was_first = lane.cursor == first
        period_usec = self._period_usec
        while queue and lane.cursor < self._opened:
            time_usec, stamp = queue[0]
            open_set = self._open[lane.cursor - first]
            doubled_usec = 2 * (time_usec - open_set.time_usec)
            if doubled_usec <= -period_usec:
                queue.popleft()
                self._count_extra(lane.serial, time_usec)
                continue
            if doubled_usec < period_usec:
                queue.popleft()
                open_set.stamps[lane.serial] = stamp
            open_set.undecided -= 1
            lane.cursor += 1
        if lane.has_ended and not queue:
            while lane.cursor < self._opened:
                self._open[lane.cursor - first].undecided -= 1
                lane.cursor += 1
        if self._reference_has_ended and lane.cursor == self._opened:
            while queue:
                self._count_extra(lane.serial, queue.popleft()[0])
        return was_first and lane.cursor > first

    def _give_up_oldest(self) -> None:
        """Lets the oldest set go without the devices that have not decided about it."""
        oldest = self._open[0]
        for lane in self._lanes.values():
            if lane.cursor == oldest.index:
                lane.cursor += 1
                lane.given_up_usec = oldest.time_usec
        oldest.undecided = 0

    def _let_go_oldest(self, lane: _Lane) -> None:
        """Lets the oldest capture go that waits for a silent reference."""
        time_usec, _ = lane.queue.popleft()
        self._count_extra(lane.serial, time_usec)
        self._let_go_usec = time_usec if self._let_go_usec is None else max(time_usec, self._let_go_usec)

    def _emit(self) -> list[CaptureSet]:
        complete = []
        while self._open and not self._open[0].undecided:
            done = self._open.popleft()
            # In the order of the devices, not of arrival: the same to the letter, whatever the interleaving.
            stamps = {serial: done.stamps[serial] for serial in self._serials if serial in done.stamps}
            missing = () if len(stamps) > len(self._lanes) else tuple(s for s in self._lanes if s not in stamps)
            complete.append(CaptureSet(done.index, done.time_usec, stamps, missing, {}))
        return complete

    def _count_extra(self, serial: str, time_usec: int) -> None:
        self._extra[serial] += 1
        self._extra_times[serial].append(time_usec)
