"""The sync cables as copper: where a pulse that reaches a device's Sync In comes from, and how late it is.

A device that is no running master repeats what comes into its Sync In at its Sync Out, about 500 ns later (SDK issue
#1228).
# unverified on hardware: that a device repeats while it is not streaming
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genlock.devices.scenario import TimingModel
from genlock.rig import Wire

__all__ = ["TRIGGER", "Cables", "PulsePath"]

SPLITTER = "splitter"
TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class PulsePath:
    """Where a device's sync pulse comes from."""

    source: str
    """The serial of a running master, or ``trigger``."""
    delay_nsec: int
    """What cables and repeaters add on the way."""


class Cables:
    """The cables of a rig."""

    def __init__(self, wires: Sequence[Wire], timing: TimingModel) -> None:
        self._feeds: dict[str, Wire] = {wire.destination: wire for wire in wires}
        self._timing = timing

    def path_to(
        self, serial: str, is_pulsing: Callable[[str], bool], carries: Callable[[Wire], bool] = lambda wire: True
    ) -> PulsePath | None:
        """Follows the cables upstream from a device's Sync In.

        Args:
            serial: the device that listens.
            is_pulsing: whether a serial, or the trigger, sends pulses of its own now.
            carries: whether a pulse that leaves the source of this wire gets to its destination.

        Returns:
            The first thing upstream that pulses; ``None`` where the cables end before, or run in a circle.
        """
        delay_nsec = 0
        place = serial
        passed = set()
        while place not in passed:
            passed.add(place)
            wire = self._feeds.get(place)
            if wire is None or not carries(wire):
                return None
            delay_nsec += round((wire.length_m or 0.0) * self._timing.cable_nsec_per_m)
            place = wire.source
            if is_pulsing(place):
                return PulsePath(place, delay_nsec)
            if place not in (SPLITTER, TRIGGER):
                delay_nsec += self._timing.hop_nsec
        return None

    def is_reached_by_trigger(self, serial: str) -> bool:
        """Whether an external trigger's pulses could get to this device."""
        return self.path_to(serial, lambda place: place == TRIGGER) is not None
