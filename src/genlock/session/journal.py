"""What a run says: every event to whoever keeps the log, every finding kept, every device tried and told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from genlock.clock import Clock
from genlock.errors import DeviceError, RigError
from genlock.findings import Finding
from genlock.session.status import SessionEvent
from genlock.session.watch import sync_lost
from genlock.sync import SyncAlarm

__all__ = ["Journal"]

logger = logging.getLogger(__name__)


class Journal:
    """Hands events on as they happen and keeps the findings; used from one thread."""

    def __init__(self, clock: Clock, on_event: Callable[[SessionEvent], None]) -> None:
        self._clock = clock
        self._on_event = on_event
        self.findings: list[Finding] = []
        """All that was told so far."""

    def log(
        self,
        event: str,
        serial: str | None = None,
        since_nsec: int | None = None,
        detail: str = "",
        code: str | None = None,
    ) -> None:
        """Hands on an event that is over now and began at ``since_nsec`` (``None``: it took no time)."""
        now_nsec = self._clock.now_nsec()
        called_nsec = now_nsec if since_nsec is None else since_nsec
        self._on_event(SessionEvent(event, serial, called_nsec, now_nsec, detail, code=code))

    def tell(self, finding: Finding) -> None:
        """Keeps a finding and hands it on."""
        self.findings.append(finding)
        logger.warning("%s", finding)
        serial = finding.where.removeprefix("device ") if finding.where.startswith("device ") else None
        self.log("finding", serial, detail=str(finding), code=finding.code)

    def tell_alarm(self, alarm: SyncAlarm) -> None:
        """Hands on an alarm, with the moment at which it was noticed, and its finding."""
        self._on_event(
            SessionEvent(
                "sync_alarm",
                alarm.serial,
                alarm.host_nsec,
                alarm.host_nsec,
                alarm.message,
                alarm.evidence.value,
                alarm.device_usec,
            )
        )
        self.tell(sync_lost(alarm))

    def try_each(self, serials: Sequence[str], act: Callable[[str], None], event: str) -> dict[str, Exception]:
        """Does one thing to every device; returns the errors instead of stopping at the first."""
        errors: dict[str, Exception] = {}
        for serial in serials:
            called_nsec = self._clock.now_nsec()
            try:
                act(serial)
            except DeviceError as error:
                errors[serial] = error
                self.log("failed", serial, called_nsec, error.reason)
            else:
                self.log(event, serial, called_nsec)
        return errors

    def for_each(self, serials: Sequence[str], act: Callable[[str], None], event: str, failure: str) -> None:
        """Does one thing to every device; when all were tried, raises ``RigError`` with those that failed."""
        errors = self.try_each(serials, act, event)
        if errors:
            raise RigError(failure, errors)
