"""One run of one device, from its start to its stop, without pixels: frames become samples, samples captures.

Exposures travel to the host. There the SDK joins them and keeps seven captures for the application.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from genlock.devices.faults import FaultKind
from genlock.devices.sim.capturesync import OUTPUT_CAPTURES, CaptureSync, JoinedCapture, Sensor
from genlock.devices.sim.chance import uniform
from genlock.devices.sim.frames import Ear, Frame, FrameClock
from genlock.devices.sim.mishaps import LOST, Mishaps
from genlock.devices.sim.shutter import Sample, Shutter
from genlock.k4a import DeviceConfig, usec_from_ticks

__all__ = ["Losses", "Stream"]

_NSEC_PER_USEC = 1_000
_FLASHES_KEPT = 30
"""Depth exposures remembered for those whom they may disturb: a second's worth."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Which exposures of one device never reach the host."""

    serial: str
    mishaps: Mishaps
    key: int
    """Of the stream of chance that decides."""

    def is_lost(self, sample: Sample) -> bool:
        """Whether this one gets lost on its way; asked when it should arrive."""
        when_nsec, mishaps = sample.arrival_nsec, self.mishaps
        if mishaps.has_any((*LOST, FaultKind.DEVICE_HANGS, FaultKind.BURST_DROPS), self.serial, when_nsec):
            return True
        drops = mishaps.active(FaultKind.RANDOM_DROPS, self.serial, sample.center_nsec)
        if drops is not None and uniform(self.key, 2 * sample.number) < (drops.amount_or_default or 0):
            return True
        starved = mishaps.active(FaultKind.USB_STARVED, self.serial, when_nsec)
        return (
            starved is not None
            and sample.sensor is Sensor.DEPTH
            and uniform(self.key, 2 * sample.number + 1) < (starved.amount_or_default or 0)
        )


@dataclass(order=True, slots=True)
class _Arrival:
    nsec: int
    order: int
    sample: Sample = field(compare=False)


class Stream:
    """What a running device has produced so far. Not safe for threads: the world's lock guards it."""

    def __init__(
        self,
        config: DeviceConfig,
        frame_clock: FrameClock,
        shutter: Shutter,
        losses: Losses,
        *,
        joins_images: bool = True,
    ) -> None:
        self._frames = frame_clock
        self._shutter = shutter
        self._losses = losses
        runs = {Sensor.COLOR: config.has_color, Sensor.DEPTH: config.has_depth_camera}
        self._sensors = tuple(sensor for sensor in Sensor if runs[sensor])
        self._sync: CaptureSync[Sample] = CaptureSync(
            config.camera_fps.period_usec,
            config.depth_delay_off_color_usec,
            synchronized_images_only=config.synchronized_images_only,
            sensors=frozenset(self._sensors),
            joins_images=joins_images,
        )
        self._arrivals: list[_Arrival] = []
        self._arrival_count = 0
        self._captures: deque[JoinedCapture[Sample]] = deque()
        self._upcoming: dict[Sensor, deque[Sample]] = {sensor: deque() for sensor in Sensor}
        self.depth_mode = config.depth_mode
        self._depth_centers_nsec: deque[int] = deque(maxlen=_FLASHES_KEPT)

    @property
    def depth_centers_nsec(self) -> tuple[int, ...]:
        """True times of its latest depth exposures, of which some may still lie ahead."""
        return tuple(self._depth_centers_nsec)

    @property
    def last_frame(self) -> Frame | None:
        """The frame that began last; ``None`` before the first pulse."""
        return self._frames.last

    @property
    def zero_nsec(self) -> int | None:
        """True time at which its clock was zero; ``None`` before the first pulse."""
        return self._frames.zero_nsec

    @property
    def has_capture(self) -> bool:
        """Whether a capture waits to be taken."""
        return bool(self._captures)

    def take(self) -> JoinedCapture[Sample]:
        """The oldest capture that waits."""
        capture = self._captures.popleft()
        self._forget(capture)
        return capture

    def upcoming(self) -> list[Sample]:
        """Exposures that will most likely be taken next: up to two of each camera."""
        return [sample for samples in self._upcoming.values() for sample in list(samples)[:2]]

    def device_usec_at(self, when_nsec: int) -> float | None:
        """What the device's clock says at this true time, which lies in the last frame; ``None`` before its zero."""
        last = self._frames.last
        if last is None:
            return None
        return usec_from_ticks(last.clock_ticks) + (when_nsec - last.pulse_nsec) / _NSEC_PER_USEC

    def advance(self, now_nsec: int, ear: Ear) -> None:
        """Lets everything happen that has happened by now."""
        while (frame := self._frames.peek(ear)) is not None and frame.pulse_nsec <= now_nsec:
            self._frames.begin(frame, ear)
            self._send(self._shutter.expose(frame, sensor) for sensor in self._sensors)
        while self._arrivals and self._arrivals[0].nsec <= now_nsec:
            self._receive(heapq.heappop(self._arrivals).sample)

    def next_event_nsec(self, ear: Ear) -> int | None:
        """When ``advance`` will next have something to do; ``None``: not before something in the world changes."""
        frame = self._frames.peek(ear)
        times_nsec = [frame.pulse_nsec] if frame is not None else []
        if self._arrivals:
            times_nsec.append(self._arrivals[0].nsec)
        return min(times_nsec, default=None)

    def _send(self, samples: Iterable[Sample | None]) -> None:
        for sample in samples:
            if sample is not None:
                if sample.sensor is Sensor.DEPTH:
                    self._depth_centers_nsec.append(sample.center_nsec)
                self._upcoming[sample.sensor].append(sample)
                heapq.heappush(self._arrivals, _Arrival(sample.arrival_nsec, self._arrival_count, sample))
                self._arrival_count += 1

    def _receive(self, sample: Sample) -> None:
        if self._losses.is_lost(sample):
            return
        for capture in self._sync.add(sample.sensor, sample.timestamp_usec, sample):
            self._captures.append(capture)
            if len(self._captures) > OUTPUT_CAPTURES:
                self._forget(self._captures.popleft())

    def _forget(self, capture: JoinedCapture[Sample]) -> None:
        """A capture has left, and with it the chance that an earlier exposure of the same camera still will."""
        for sample in (capture.color, capture.depth):
            if sample is not None:
                exposed = self._upcoming[sample.sensor]
                while exposed and exposed[0].number <= sample.number:
                    exposed.popleft()
