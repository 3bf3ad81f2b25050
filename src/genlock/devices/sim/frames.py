"""When a device begins its frames: at its pulses while it hears them, by its own oscillator while it does not.

Times here are true times, nanoseconds of the world that all devices share; no device can read them. What a device
reads is its clock, in ticks of 90 kHz since its first pulse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from genlock.devices.scenario import StampClock

__all__ = ["Ear", "Frame", "FrameClock", "Heard", "PulseTrainSource"]

_MAX_PULSES_OUT = 10_000
"""So many pulses in a row may be missing before a source counts as silent."""


@dataclass(frozen=True, slots=True)
class PulseTrainSource:
    """Something that sends sync pulses at an even pace: a running master or a trigger."""

    start_nsec: int
    period_nsec: float
    end_nsec: int | None = None
    """When it stopped; ``None`` while it runs."""
    is_left_out: Callable[[int, int], bool] | None = None
    """Whether the pulse with this number, due at this true time, is missing."""

    def first_at_or_after(self, when_nsec: float, until_nsec: float = math.inf) -> int | None:
        """The first pulse not before this time; ``None`` when it has stopped before, or none comes until then."""
        number = max(0, math.ceil((when_nsec - self.start_nsec) / self.period_nsec))
        for candidate in range(number, number + _MAX_PULSES_OUT):
            pulse_nsec = self.start_nsec + round(candidate * self.period_nsec)
            if pulse_nsec > until_nsec or (self.end_nsec is not None and pulse_nsec >= self.end_nsec):
                return None
            if self.is_left_out is None or not self.is_left_out(candidate, pulse_nsec):
                return pulse_nsec
        return None


@dataclass(frozen=True, slots=True)
class Heard:
    """A source of pulses, and how late they are at a device."""

    source: PulseTrainSource
    delay_nsec: int


class Ear(Protocol):
    """What one device can hear."""

    def heard_at(self, when_nsec: int) -> Heard | None:
        """Whose pulses reach the device at this true time."""
        ...

    def is_deaf(self, when_nsec: int) -> bool:
        """Whether the device, having begun, minds no pulses at this true time."""
        ...

    def free_period_nsec(self, when_nsec: int, source_period_nsec: float, own_period_nsec: float) -> float:
        """The frame period that the device has without pulses, knowing the one it had with them."""
        ...

    def next_change_nsec(self, after_nsec: int) -> int | None:
        """When that may next be otherwise."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of one device."""

    number: int
    """Counts from the device's first pulse, which is number 0 and sets its clock to zero."""
    pulse_nsec: int
    """True time of the pulse, or of where the device would have had one."""
    is_locked: bool
    """Whether there was a pulse."""
    clock_ticks: int
    """What the device's clock says at that moment."""


class FrameClock:
    """Goes from frame to frame.

    A device that was armed waits for its first pulse. After that it never stops: without a pulse within half a period
    of the expected moment it begins the frame by itself (SDK issue #1850), and follows again when pulses come back.

    Args:
        armed_nsec: from when on the device listens.
        own_period_nsec: of its frames, by its own oscillator.
        period_ticks: of its frames, by its own clock.
        stamp_clock: what its clock does while it hears no pulses.
        is_on_sources_clock: whether it counts from the first pulse of whoever sends them, had it heard that or not.
    """

    def __init__(
        self,
        armed_nsec: int,
        own_period_nsec: float,
        period_ticks: int,
        stamp_clock: StampClock,
        is_on_sources_clock: bool = False,
    ) -> None:
        self._armed_nsec = armed_nsec
        self._own_period_nsec = own_period_nsec
        self._source_period_nsec = own_period_nsec
        self._period_ticks = period_ticks
        self._stamp_clock = stamp_clock
        self._is_on_sources_clock = is_on_sources_clock
        self._exact_ticks = 0.0
        self._last: Frame | None = None
        self.zero_nsec: int | None = None
        """True time of the first pulse, which set the device's clock to zero; ``None`` before it."""

    @property
    def last(self) -> Frame | None:
        """The frame that was begun last; ``None`` before the first pulse."""
        return self._last

    def peek(self, ear: Ear) -> Frame | None:
        """The next frame if nothing changes until then; ``None`` while there is no first pulse in sight."""
        if self._last is None:
            return self._first(ear)
        last = self._last
        period_nsec = ear.free_period_nsec(last.pulse_nsec, self._source_period_nsec, self._own_period_nsec)
        due_nsec = last.pulse_nsec + period_nsec
        heard = None if ear.is_deaf(round(due_nsec)) else ear.heard_at(round(due_nsec))
        if heard is not None:
            listened_nsec = due_nsec - heard.delay_nsec
            pulse_nsec = heard.source.first_at_or_after(
                listened_nsec - period_nsec / 2, listened_nsec + period_nsec / 2
            )
            if pulse_nsec is not None:
                return self._next(last, pulse_nsec + heard.delay_nsec, heard)
        return self._next(last, round(due_nsec), None)

    def begin(self, frame: Frame, ear: Ear) -> None:
        """Makes the frame that ``peek`` gave the last one."""
        heard = ear.heard_at(frame.pulse_nsec) if frame.is_locked else None
        if self._last is None:
            self._exact_ticks = frame.clock_ticks
        else:
            self._exact_ticks += self._step_ticks(self._last, frame.pulse_nsec, frame.is_locked)
        if heard is not None:
            self._source_period_nsec = heard.source.period_nsec
        if self.zero_nsec is None:
            self.zero_nsec = frame.pulse_nsec
        self._last = frame

    def _first(self, ear: Ear) -> Frame | None:
        when_nsec: int | None = self._armed_nsec
        while when_nsec is not None:
            heard = ear.heard_at(when_nsec)
            if heard is not None:
                pulse_nsec = heard.source.first_at_or_after(when_nsec - heard.delay_nsec)
                # It counts only if nothing cuts it off before it comes.
                if pulse_nsec is not None and ear.heard_at(pulse_nsec + heard.delay_nsec) == heard:
                    missed = round((pulse_nsec - heard.source.start_nsec) / heard.source.period_nsec)
                    ticks = missed * self._period_ticks if self._is_on_sources_clock else 0
                    return Frame(0, pulse_nsec + heard.delay_nsec, is_locked=True, clock_ticks=ticks)
            when_nsec = ear.next_change_nsec(when_nsec)
        return None

    def _next(self, last: Frame, pulse_nsec: int, heard: Heard | None) -> Frame:
        ticks = self._exact_ticks + self._step_ticks(last, pulse_nsec, heard is not None)
        return Frame(last.number + 1, pulse_nsec, is_locked=heard is not None, clock_ticks=round(ticks))

    def _step_ticks(self, last: Frame, pulse_nsec: int, is_locked: bool) -> float:
        """What the clock goes on by: a frame's worth of ticks, or the time that has really passed."""
        if self._stamp_clock is StampClock.DISCIPLINED or (last.is_locked and is_locked):
            return self._period_ticks
        # It runs on as even as before, while the frames are a little too long or too short for it.
        return self._period_ticks * (pulse_nsec - last.pulse_nsec) / self._source_period_nsec
