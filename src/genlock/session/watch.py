"""The rig's health while it runs: fed by every device's own thread, read by whoever watches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from enum import StrEnum

from genlock.capture import Stamp
from genlock.clock import Clock
from genlock.errors import DeviceStartError
from genlock.findings import Finding, Severity
from genlock.k4a import DeviceConfig, SyncJacks
from genlock.sync import DeviceHealth, HealthState, LossEvidence, RigHealth, SyncAlarm

__all__ = ["HealthWatch", "LossPolicy", "sync_lost", "sync_lost_error"]

_REMEDY = {
    LossEvidence.JACK: "Push the plug back into Sync In until it clicks (plastic cover off). The device has no common "
    "time base with the others until all are started again: record a new take, or use --on-loss restart.",
    LossEvidence.STAMPS: "Check the sync cable into its Sync In and every device before it in the chain; then start "
    "all devices again, the master last. What was recorded before the alarm is in step.",
    LossEvidence.ARRIVALS: "Check the sync cable into its Sync In and every device before it in the chain. Its stamps "
    "do not show the loss, so do not trust this take's sets after the alarm.",
}


class LossPolicy(StrEnum):
    """What a run does when a device no longer follows the master."""

    MARK = "mark"
    """It goes on; the alarm is in its log and its findings."""
    STOP = "stop"
    """It ends."""
    RESTART = "restart"
    """It ends as soon as every plug sits where it should, for whoever runs it to begin a new epoch."""


def sync_lost(alarm: SyncAlarm) -> Finding:
    """The finding of an alarm."""
    at = "" if alarm.device_usec is None else f" at {alarm.device_usec / 1e6:.2f} s"
    return Finding(
        "session.sync_lost",
        Severity.ERROR,
        f"device {alarm.serial}",
        f"it no longer follows the master{at}, by its {alarm.evidence}: {alarm.message}",
        _REMEDY[alarm.evidence],
    )


def sync_lost_error(alarm: SyncAlarm) -> DeviceStartError:
    """The same as an error, for an alarm that ends a start."""
    finding = sync_lost(alarm)
    return DeviceStartError(alarm.serial, f"{finding.message} -> {finding.remedy}", finding.code)


class HealthWatch:
    """A thread-safe ``RigHealth`` that keeps its alarms until they are taken."""

    def __init__(self, configs: Mapping[str, DeviceConfig], reference: str, clock: Clock) -> None:
        self._health = RigHealth(configs, reference)
        self._clock = clock
        self._lock = threading.Lock()
        self._alarms: deque[SyncAlarm] = deque()
        self._unplugged: set[str] = set()
        self._states = dict.fromkeys(configs, HealthState.WAITING)

    @property
    def has_alarms(self) -> bool:
        """Whether alarms wait to be taken."""
        return bool(self._alarms)

    @property
    def unplugged(self) -> frozenset[str]:
        """The subordinates whose Sync In reads empty."""
        with self._lock:
            return frozenset(self._unplugged)

    def on_stamp(self, stamp: Stamp) -> None:
        """Takes a capture's stamp; called from its device's thread."""
        with self._lock:
            self._alarms += self._health.add(stamp, self._clock.now_nsec())

    def on_jacks(self, serial: str, jacks: SyncJacks) -> None:
        """Takes a reading of a device's jacks; called from its device's thread."""
        with self._lock:
            self._alarms += self._health.on_jacks(serial, jacks, self._clock.now_nsec())
            is_empty = self._health.reads_empty(serial)
            (self._unplugged.add if is_empty else self._unplugged.discard)(serial)

    def take_alarms(self) -> list[SyncAlarm]:
        """The alarms since the last call."""
        with self._lock:
            alarms = list(self._alarms)
            self._alarms.clear()
        return alarms

    def look(self) -> dict[str, DeviceHealth]:
        """A snapshot of every device."""
        with self._lock:
            return self._health.look(self._clock.now_nsec())

    def take_changes(self) -> list[tuple[str, HealthState, HealthState]]:
        """Serial, former and present state of each device whose state has changed since the last call."""
        changes = []
        for serial, health in self.look().items():
            former, self._states[serial] = self._states[serial], health.state
            if former is not health.state:
                changes.append((serial, former, health.state))
        return changes
