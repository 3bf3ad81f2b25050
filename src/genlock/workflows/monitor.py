"""Watch a rig live: start it, tell how every device does, record nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genlock.devices import Backend
from genlock.findings import Finding
from genlock.plan import Plan
from genlock.session import DeviceStatus, FinishReason, LossPolicy, Session, SessionStatus

__all__ = ["MonitorResult", "monitor_rig", "status_json"]

STATUS_EVERY_SEC = 1.0


@dataclass(frozen=True, slots=True)
class MonitorResult:
    """What a watch came to."""

    reason: FinishReason
    status: SessionStatus
    """The last look before the rig was stopped."""
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it. Any: a JSON value."""
        return {
            "format_version": 1,
            "reason": self.reason.value,
            **status_json(self.status),
            "findings": [finding.to_json() for finding in self.findings],
        }


def monitor_rig(
    plan: Plan,
    backend: Backend,
    *,
    seconds: float | None = None,
    on_status: Callable[[SessionStatus], None] = lambda status: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    on_loss: LossPolicy = LossPolicy.MARK,
) -> MonitorResult:
    """Runs a rig without recording it; ``on_status`` is called about once a second of the rig's time.

    Args:
        plan: of the rig.
        backend: who makes the captures.
        seconds: of the reference device's time; ``None``: until cancelled.
        on_status: receives every snapshot.
        is_cancelled: asked between sets.
        on_loss: ``STOP`` ends the watch at the first alarm.

    Raises:
        UnworkablePlanError: the plan holds errors.
        RigError: devices failed.
    """
    session = Session(plan, backend, duration_sec=seconds, is_cancelled=is_cancelled, on_loss=on_loss)
    clock = backend.clock
    with session:
        status = session.status
        next_nsec = clock.now_nsec()
        for _ in session:
            if clock.now_nsec() >= next_nsec:
                next_nsec = clock.now_nsec() + round(STATUS_EVERY_SEC * 1e9)
                status = session.status
                on_status(status)
        status = session.status
        on_status(status)
    return MonitorResult(session.finish_reason or FinishReason.FAILED, status, session.status.findings)


def status_json(status: SessionStatus) -> dict[str, Any]:
    """One snapshot: one line of ``--jsonl``. Any: a JSON value."""
    return {
        "phase": status.phase.value,
        "sets": status.sets,
        "complete_sets": status.complete_sets,
        "devices": [_device_json(serial, device) for serial, device in status.devices.items()],
    }


def _device_json(serial: str, device: DeviceStatus) -> dict[str, Any]:
    health = device.health
    return {
        "serial": serial,
        "state": health.state.value,
        "is_reference": health.is_reference,
        "captures": health.captures,
        "missed": health.missed,
        "fps": _rounded(health.fps, 3),
        "offset_usec": _rounded(health.offset_usec, 1),
        "jitter_usec": _rounded(health.jitter_usec, 1),
        "drift_ppm": _rounded(health.drift_ppm, 2),
        "drift_error_ppm": _rounded(health.drift_error_ppm, 2),
        "queued": device.waiting,
        "evidence": [evidence.value for evidence in health.evidence],
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
