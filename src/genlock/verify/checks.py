"""What can be said before anything is measured: from the files' own tags, the plan, the log, the session's state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum

from genlock.findings import Finding, Severity
from genlock.k4a import WiredSyncMode
from genlock.plan import Plan
from genlock.verify.evidence import DeviceEvidence, StartEvent, TakeEvidence

__all__ = ["StartOrder", "check_files", "check_start_order", "check_state", "check_unwritten"]


class StartOrder(StrEnum):
    """Whether the subordinates were waiting when the master began to give pulses."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_JUDGED = "not_judged"
    """Nothing in the evidence tells."""
    NOT_NEEDED = "not_needed"
    """There is no master with subordinates."""


def check_files(evidence: TakeEvidence) -> Iterator[Finding]:
    """Whether these files can be one synchronized take."""
    devices = sorted(evidence.devices, key=lambda device: (device.serial, device.source))
    for device in devices:
        yield from device.findings
    yield from _check_same_take(devices)
    yield from _check_serials(devices)
    yield from _check_rates(devices)
    yield from _check_roles(devices, evidence.plan)
    yield from _check_contents(devices, was_cancelled=evidence.session_state == "CANCELLED")
    if evidence.plan is not None:
        yield from _check_against_plan(devices, evidence.plan)


def check_start_order(
    devices: Sequence[DeviceEvidence], starts: Sequence[StartEvent] | None, plan: Plan | None
) -> tuple[StartOrder, tuple[Finding, ...]]:
    """Whether every subordinate was waiting for the first pulse before the master was started.

    Stamps cannot show this: a subordinate that comes late takes its own first pulse for zero, so its captures pair with
    the wrong ones of the others *with no error at all* (SDK issues #1240, #1435).
    """
    masters = [d.serial for d in devices if d.config.wired_sync_mode is WiredSyncMode.MASTER]
    subordinates = sorted(d.serial for d in devices if d.config.wired_sync_mode is WiredSyncMode.SUBORDINATE)
    if not subordinates or len(masters) > 1 or len(devices) == 1:
        return StartOrder.NOT_NEEDED, ()
    if not masters:
        why = "no master is among these, so that nothing says when the pulses began"
        return StartOrder.NOT_JUDGED, (_start_not_judged(why, _TRIGGER_REMEDY),)
    if starts is None:
        return StartOrder.NOT_JUDGED, (_start_not_judged("there is no log of when each device was started"),)
    by_serial = {start.serial: start for start in starts}
    unknown = [serial for serial in (*subordinates, masters[0]) if serial not in by_serial]
    if unknown:
        why = f"the log does not say when {', '.join(unknown)} was started"
        return StartOrder.NOT_JUDGED, (_start_not_judged(why),)
    pulses_nsec = by_serial[masters[0]].called_nsec
    late = [serial for serial in subordinates if by_serial[serial].returned_nsec > pulses_nsec]
    if late:
        return StartOrder.WRONG, tuple(_started_late(by_serial[serial], pulses_nsec) for serial in late)
    return StartOrder.RIGHT, tuple(_check_cable_order(by_serial, plan))


def check_state(evidence: TakeEvidence) -> Iterator[Finding]:
    """How the session ended, where that says something about the files."""
    if evidence.session_state == "RUNNING":
        yield Finding(
            "verify.session_not_closed",
            Severity.WARNING,
            "session",
            "the session was never closed: it is still recording, or its program was killed, on one computer at least "
            "if several recorded it; the files end up to a second before that",
            "If it still records, verify again when it has ended. If not, use the take as far as all devices go.",
        )
    elif evidence.session_state == "FAILED":
        yield Finding(
            "verify.session_failed",
            Severity.WARNING,
            "session",
            "the session ended with an error; the files hold what came before it"
            + (f": {evidence.failure}" if evidence.failure else ""),
            "Look into the session's log for the device and the error.",
        )
    elif evidence.session_state == "CANCELLED":
        yield Finding(
            "verify.session_cancelled",
            Severity.INFO,
            "session",
            "the session was ended by hand before its time; the files are whole",
            "Nothing is needed.",
        )


def check_unwritten(evidence: TakeEvidence) -> Iterator[Finding]:
    """What was captured and is not in the files, as the run itself wrote into its log."""
    for serial in dict.fromkeys(loss.serial for loss in evidence.data_losses):
        losses = [loss for loss in evidence.data_losses if loss.serial == serial]
        first_usec, last_usec = min(loss.first_usec for loss in losses), max(loss.last_usec for loss in losses)
        stretches = f", in {len(losses)} stretches that the log names," if len(losses) > 1 else ""
        yield Finding(
            "verify.data_lost",
            Severity.ERROR,
            f"device {serial}",
            f"{sum(loss.samples for loss in losses)} images or inertial samples between {first_usec / 1e6:.3f} s and "
            f"{last_usec / 1e6:.3f} s of its clock{stretches} did not reach the disk: "
            f"{'; '.join(dict.fromkeys(loss.reason for loss in losses))}",
            "What is there was judged; what is missing was not. Record again if it is needed.",
        )


def _check_same_take(devices: Sequence[DeviceEvidence]) -> Iterator[Finding]:
    """Whether genlock recorded these files in one go: each carries its session's id.

    Computers that each record their own devices of one take have a session each, so only files of one host can
    contradict each other.
    """
    sessions: dict[str, set[str]] = {}
    for device in devices:
        if "GENLOCK_SESSION_ID" in device.tags:
            sessions.setdefault(device.tags.get("GENLOCK_HOST", ""), set()).add(device.tags["GENLOCK_SESSION_ID"])
    for host, ids in sorted(sessions.items()):
        if len(ids) > 1:
            yield Finding(
                "verify.different_sessions",
                Severity.ERROR,
                f"host {host}" if host else "files",
                f"these files come from {len(ids)} sessions of one computer ({', '.join(sorted(ids))}); stamps of "
                "different takes may agree and mean nothing",
                "Name the files of one take only, or its session folder.",
            )


def _check_serials(devices: Sequence[DeviceEvidence]) -> Iterator[Finding]:
    for serial, count in sorted(Counter(device.serial for device in devices).items()):
        if count > 1:
            sources = ", ".join(device.source or "?" for device in devices if device.serial == serial)
            yield Finding(
                "verify.duplicate_serial",
                Severity.ERROR,
                f"device {serial}",
                f"{count} recordings are of the same device: {sources}; one take has one recording of each device",
                "Name the files of one take only.",
            )


def _check_rates(devices: Sequence[DeviceEvidence]) -> Iterator[Finding]:
    rates_fps = sorted({device.config.camera_fps for device in devices})
    if len(rates_fps) > 1:
        listed = "; ".join(
            f"{fps} fps: {', '.join(d.serial for d in devices if d.config.camera_fps is fps)}" for fps in rates_fps
        )
        yield Finding(
            "verify.mixed_fps",
            Severity.ERROR,
            "rig",
            f"synchronized devices have one frame rate; these have {len(rates_fps)} ({listed})",
            "Record again with one camera_fps for all devices; check that all files are of one take.",
        )


def _check_roles(devices: Sequence[DeviceEvidence], plan: Plan | None) -> Iterator[Finding]:
    serials = {
        mode: [device.serial for device in devices if device.config.wired_sync_mode is mode] for mode in WiredSyncMode
    }
    masters, standalone = serials[WiredSyncMode.MASTER], serials[WiredSyncMode.STANDALONE]
    if len(devices) == 1:
        yield Finding(
            "verify.single_device",
            Severity.INFO,
            f"device {devices[0].serial}",
            "this is the recording of one device; whether devices were synchronized takes at least two to judge",
            "Name all files of the take, or its session folder.",
        )
        return
    if len(masters) > 1:
        yield Finding(
            "verify.two_masters",
            Severity.ERROR,
            "rig",
            f"a rig has one master; these recordings were made by {len(masters)}: {', '.join(masters)}. Each ran on "
            "its own clock",
            "Make all but one of them subordinates. If the files are of different takes, verify them apart.",
        )
    for serial in standalone:
        yield Finding(
            "verify.standalone_among_several",
            Severity.ERROR,
            f"device {serial}",
            "recorded as STANDALONE: it ran on its own clock, and nothing ties it to the other devices",
            "Set its wired_sync_mode to SUBORDINATE (or MASTER) and cable it; leave its file out to judge the others.",
        )
    has_trigger = plan is not None and not any(
        device.config.wired_sync_mode is WiredSyncMode.MASTER for device in plan.devices
    )
    if not masters and not standalone and not has_trigger:
        yield Finding(
            "verify.no_master",
            Severity.INFO,
            "rig",
            "all recordings are of subordinates; they are measured against one of them",
            "Right under an external trigger. If the rig has a master, name its file too.",
        )


def _check_contents(devices: Sequence[DeviceEvidence], *, was_cancelled: bool) -> Iterator[Finding]:
    for device in devices:
        if not device.color_usec.size:
            # Whoever ends a take before the first captures has proved nothing about its cables.
            yield Finding(
                "verify.device_without_captures",
                Severity.WARNING if was_cancelled else Severity.ERROR,
                f"device {device.serial}",
                f"its recording ({device.source or 'no file'}) holds no capture: a subordinate that never saw a pulse, "
                "or a device that delivered nothing",
                "Check its sync cable (Sync In, fully pushed in, cover off) and its USB connection; record again.",
            )


def _check_against_plan(devices: Sequence[DeviceEvidence], plan: Plan) -> Iterator[Finding]:
    found = {device.serial: device for device in devices}
    planned = {device.serial: device for device in plan.devices}
    for serial in sorted(planned.keys() - found.keys()):
        yield Finding(
            "verify.device_missing",
            Severity.ERROR,
            f"device {serial}",
            "it is in the plan, but there is no recording of it",
            "Name its file too; if it was left out on purpose, verify the other files without the plan.",
        )
    for serial in sorted(found.keys() - planned.keys()):
        yield Finding(
            "verify.unplanned_device",
            Severity.WARNING,
            f"device {serial}",
            "there is a recording of it, but it is not in the plan",
            "Check that all files are of this take.",
        )
    for serial in sorted(found.keys() & planned.keys()):
        recorded, meant = found[serial].config, planned[serial].config
        differing = [
            f"{name} is {getattr(recorded, name)}, planned {getattr(meant, name)}"
            for name in (
                "wired_sync_mode",
                "camera_fps",
                "depth_mode",
                "color_resolution",
                "subordinate_delay_off_master_usec",
                "depth_delay_off_color_usec",
            )
            if getattr(recorded, name) != getattr(meant, name)
        ]
        if differing:
            yield Finding(
                "verify.config_differs",
                Severity.WARNING,
                f"device {serial}",
                f"it was not recorded as planned: {'; '.join(differing)}. Its offsets are judged by what was recorded",
                "Check that the plan is this take's; lasers may have met where delays differ.",
            )


_LOG_REMEDY = "Record with `genlock record`, which keeps that log; by hand, start every subordinate, then the master."
_TRIGGER_REMEDY = "Start the trigger only when all devices wait for it."


def _start_not_judged(why: str, remedy: str = _LOG_REMEDY) -> Finding:
    return Finding(
        "verify.start_order_not_judged",
        Severity.INFO,
        "rig",
        f"whether every subordinate was waiting before the first pulse is not judged: {why}. A late one would pair "
        "wrong captures without any offset error",
        remedy,
    )


def _started_late(start: StartEvent, pulses_nsec: int) -> Finding:
    late_ms = (start.returned_nsec - pulses_nsec) / 1e6
    return Finding(
        "verify.started_after_master",
        Severity.ERROR,
        f"device {start.serial}",
        f"it was ready {late_ms:.1f} ms after the master's start was called. A subordinate that misses the first pulse "
        "counts from its own, so its captures pair with wrong ones, whole periods away, and the offsets cannot show it",
        "Record again: start every subordinate, wait until each start has returned, then start the master.",
    )


def _check_cable_order(by_serial: dict[str, StartEvent], plan: Plan | None) -> Iterator[Finding]:
    if plan is None:
        return
    planned = [serial for serial in plan.start_order if serial in by_serial]
    called = sorted(planned, key=lambda serial: by_serial[serial].called_nsec)
    if called != planned:
        yield Finding(
            "verify.start_order_differs",
            Severity.INFO,
            "rig",
            f"the master came last, as it must, but the order was {', '.join(called)}, not {', '.join(planned)}",
            "Nothing is needed.",
        )
