"""How the SDK joins a device's color and depth images into captures, with all that it loses on the way.

One sample of each sensor is *current*; up to 15 more of each wait behind it. With both there, the earlier sensor (by
the configured delay) sets a window for the other: a quarter of a period before its moment to three quarters after,
both ends included. A sample that can no longer find a partner leaves as a capture of its own, or not at all with
``synchronized_images_only``. Singles leave when they are decided, so captures do not leave in strict order of time.

Source: Azure Kinect Sensor SDK 1.4, ``src/capturesync/capturesync.c``; the tables of its unit tests come out alike.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

__all__ = ["FIFO_SAMPLES", "OUTPUT_CAPTURES", "CaptureSync", "JoinedCapture", "Sensor"]

FIFO_SAMPLES = 15
"""Samples of one sensor that wait behind the current one, at any frame rate."""
OUTPUT_CAPTURES = 7
"""Captures that wait for the application; a further one pushes the oldest out."""

# Depth images from before the clock's reset are recognised by their large stamps and thrown away.
_LAST_PERIOD_OF_FIRST_DEPTH = 10

S = TypeVar("S")


class Sensor(Enum):
    """Which of a device's cameras a sample comes from."""

    COLOR = auto()
    DEPTH = auto()


@dataclass(frozen=True, slots=True)
class JoinedCapture(Generic[S]):
    """What leaves towards the application: a pair, or a sample that found no partner."""

    color: S | None
    depth: S | None


@dataclass(slots=True)
class _Lane(Generic[S]):
    current: tuple[int, S] | None = None
    waiting: deque[tuple[int, S]] = field(default_factory=deque)

    def advance(self) -> None:
        self.current = self.waiting.popleft() if self.waiting else None


class CaptureSync(Generic[S]):
    """Joins samples in the order in which they reach the host. Pure; one per run of a device.

    Args:
        period_usec: the SDK's integer frame period.
        depth_delay_off_color_usec: as configured.
        synchronized_images_only: pairs only.
        sensors: those that run; with one alone every sample passes straight through.
        joins_images: False lets all pass, as ``K4A_DISABLE_SYNCHRONIZATION`` does.
    """

    def __init__(
        self,
        period_usec: int,
        depth_delay_off_color_usec: int,
        *,
        synchronized_images_only: bool = False,
        sensors: frozenset[Sensor] = frozenset(Sensor),
        joins_images: bool = True,
    ) -> None:
        self._period_usec = period_usec
        self._delay_usec = depth_delay_off_color_usec
        self._pairs_only = synchronized_images_only
        self._passes_all = len(sensors) == 1 or not joins_images
        self._lanes: dict[Sensor, _Lane[S]] = {sensor: _Lane() for sensor in Sensor}
        self._depth_has_begun = False

    def add(self, sensor: Sensor, timestamp_usec: int, sample: S) -> list[JoinedCapture[S]]:
        """Takes one sample in; returns the captures that it brings out, in their order."""
        if self._passes_all:
            return [_single(sensor, sample)]
        if sensor is Sensor.DEPTH and not self._depth_has_begun:
            if timestamp_usec // self._period_usec > _LAST_PERIOD_OF_FIRST_DEPTH:
                return []
            self._depth_has_begun = True
        out: list[JoinedCapture[S]] = []
        lane = self._lanes[sensor]
        if len(lane.waiting) == FIFO_SAMPLES:
            # "releasing capture early due to full queue": the other sensor is starved.
            self._release(sensor, out)
        if lane.current is None:
            lane.current = (timestamp_usec, sample)
        else:
            lane.waiting.append((timestamp_usec, sample))
        self._join(out)
        return out

    def _join(self, out: list[JoinedCapture[S]]) -> None:
        # The sensor that exposes first is the reference; color where they expose together.
        first, second = (Sensor.COLOR, Sensor.DEPTH) if self._delay_usec >= 0 else (Sensor.DEPTH, Sensor.COLOR)
        reference, other = self._lanes[first], self._lanes[second]
        while reference.current is not None and other.current is not None:
            begin_usec = max(0, reference.current[0] - self._period_usec // 4) + abs(self._delay_usec)
            if other.current[0] > begin_usec + self._period_usec:
                self._release(first, out)
            elif other.current[0] < begin_usec:
                self._release(second, out)
            else:
                color, depth = self._lanes[Sensor.COLOR], self._lanes[Sensor.DEPTH]
                if color.current is not None and depth.current is not None:
                    out.append(JoinedCapture(color.current[1], depth.current[1]))
                color.advance()
                depth.advance()

    def _release(self, sensor: Sensor, out: list[JoinedCapture[S]]) -> None:
        lane = self._lanes[sensor]
        if lane.current is not None and not self._pairs_only:
            out.append(_single(sensor, lane.current[1]))
        lane.advance()


def _single(sensor: Sensor, sample: S) -> JoinedCapture[S]:
    return JoinedCapture(sample, None) if sensor is Sensor.COLOR else JoinedCapture(None, sample)
