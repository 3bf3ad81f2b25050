"""What a take asks of the disk: room before it starts, parts while it runs, and an account of what was lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genlock.findings import Finding, Severity
from genlock.plan import Plan
from genlock.recording import DiskPolicy, Recorder, RecordingSummary, SessionFolder, SplitRule, check_space
from genlock.session import SessionStatus

__all__ = ["Storing", "make_recorder", "room_findings", "storage_findings"]


@dataclass(frozen=True, slots=True)
class Storing:
    """How a take is stored."""

    split: SplitRule | None = None
    """When recordings go on in a new file; ``None``: never."""
    on_disk_error: DiskPolicy = DiskPolicy.STOP
    """What happens when the disk refuses."""


def room_findings(plan: Plan, folder: Path, seconds: float) -> Iterator[Finding]:
    """What there is to say of the disk's room before a take; an error when it cannot hold it."""
    exact = sum(host.exact_disk_mb_per_sec for host in plan.budget)
    usual = sum(host.disk_mb_per_sec for host in plan.budget)
    if usual > 0:
        yield from check_space(folder, seconds, exact, usual)


def make_recorder(
    paths: Mapping[str, Path], folder: SessionFolder, storing: Storing, tags: Mapping[str, Mapping[str, str]]
) -> Recorder:
    """A recorder into a session folder.

    Args:
        paths: each device's first file of the epoch.
        folder: where further files go.
        storing: how.
        tags: what every recording shall carry, by serial.
    """
    return Recorder(
        paths,
        tags=lambda serial: tags[serial],
        split=storing.split,
        next_part=folder.next_part,
        on_part=folder.add_part,
        on_disk_error=storing.on_disk_error,
    )


def storage_findings(recorder: Recorder, status: SessionStatus, folder: SessionFolder) -> Iterator[Finding]:
    """What did not reach the disk, from when to when, and whom the disk held up; all of it is in the log too."""
    for serial, parts in recorder.parts.items():
        for part in parts:
            for loss in part.losses:
                folder.log(
                    {
                        "event": "data_lost",
                        "serial": serial,
                        "detail": loss.reason,
                        "file": part.path.relative_to(folder.path).as_posix(),
                        "first_usec": loss.first_usec,
                        "last_usec": loss.last_usec,
                        "samples": loss.samples,
                    }
                )
        for finding in (
            *_gone(serial, parts, recorder.removed),
            *_late(serial, parts),
            *_refused(serial, parts),
            *_held_up(serial, status),
        ):
            folder.log({"event": "finding", "serial": serial, "detail": str(finding), "code": finding.code})
            yield finding


def _gone(serial: str, parts: Sequence[RecordingSummary], removed: Collection[Path]) -> Iterator[Finding]:
    for part in parts:
        last_usec = part.start_offset_usec + part.duration_usec
        held = f"{part.captures} captures, {part.start_offset_usec / 1e6:.3f} s to {last_usec / 1e6:.3f} s of its clock"
        if part.path in removed:
            yield Finding(
                "session.file_removed",
                Severity.ERROR,
                f"device {serial}",
                f"its file {part.path} was removed while it was recorded, or its disk was: {held}, are lost",
                "Leave the folder and its disk alone while it is recorded.",
            )
        elif not part.path.exists():
            yield Finding(
                "session.file_moved",
                Severity.INFO,
                f"device {serial}",
                f"its file {part.path} is no longer there; it was whole when it was closed: {held}",
                "Put it back under its name before the session is verified or cut.",
            )


def _late(serial: str, parts: Sequence[RecordingSummary]) -> Iterator[Finding]:
    refused = sum(part.refused_samples for part in parts)
    if refused:
        yield Finding(
            "session.samples_lost",
            Severity.ERROR,
            f"device {serial}",
            f"{refused} images or inertial samples are not in its recording: they came so late that they lay before "
            "its beginning",
            "Look at USB bandwidth and at the processor's load; verify tells which moments are missing.",
        )


def _refused(serial: str, parts: Sequence[RecordingSummary]) -> Iterator[Finding]:
    """One finding a file and reason, however often the disk refused."""
    for part in parts:
        for reason in dict.fromkeys(loss.reason for loss in part.losses):
            losses = [loss for loss in part.losses if loss.reason == reason]
            first_usec, last_usec = min(loss.first_usec for loss in losses), max(loss.last_usec for loss in losses)
            stretches = f", in {len(losses)} stretches that the log names," if len(losses) > 1 else ""
            yield Finding(
                "session.disk_refused",
                Severity.ERROR,
                f"device {serial}",
                f"{sum(loss.samples for loss in losses)} images or inertial samples between {first_usec / 1e6:.3f} s "
                f"and {last_usec / 1e6:.3f} s of its clock{stretches} are not in {part.path.name}: {reason}",
                "Everything else is there. Free some space or record to another disk.",
            )


def _held_up(serial: str, status: SessionStatus) -> Iterator[Finding]:
    lane = status.devices[serial].lane if serial in status.devices else None
    if lane is not None and lane.blocked_nsec:
        yield Finding(
            "session.disk_slow",
            Severity.WARNING,
            f"device {serial}",
            f"{lane.deepest} captures waited for the disk and the device was held up for "
            f"{lane.blocked_nsec / 1e9:.2f} s in all; what it then dropped itself shows as gaps",
            "Record to a faster disk, spread the devices over several, or lower mode or rate.",
        )
