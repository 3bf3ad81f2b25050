"""What others see of a run: events for a log, frozen snapshots for those who watch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from genlock.findings import Finding
from genlock.session.fanout import LaneCounts
from genlock.session.phases import Phase
from genlock.sync import DeviceHealth

__all__ = ["DeviceStatus", "SessionEvent", "SessionStatus", "SetCounter"]


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something that a log should hold."""

    event: str
    """``phase``, ``device_opened``, ``device_armed``, ``device_started``, ``all_started`` (pulses may come now),
    ``device_stopped``, ``device_state`` (its health changed), ``sync_alarm``, ``device_lost``, ``epoch``, ``finding``,
    ``failed``."""

    serial: str | None
    called_nsec: int
    """Host time at which it began."""
    returned_nsec: int
    """Host time at which it was over; equals ``called_nsec`` for what takes no time."""
    detail: str = ""
    evidence: str | None = None
    """Of an alarm: ``stamps``, ``jack``, ``arrivals``."""
    device_usec: int | None = None
    """Of an alarm: the device's latest capture then, on the master's color time."""
    code: str | None = None
    """Of a finding: its code."""


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """How one device does."""

    captures: int
    last_capture_nsec: int | None
    lane: LaneCounts
    health: DeviceHealth
    waiting: int
    """Captures that wait for the sinks now."""


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A snapshot."""

    phase: Phase
    devices: Mapping[str, DeviceStatus]
    sets: int
    complete_sets: int
    unread_sets: int
    """Sets whose images were given up because nobody took them in time."""
    findings: tuple[Finding, ...]


class SetCounter(NamedTuple):
    """How many capture sets there were, and how many were complete."""

    sets: int
    complete: int
