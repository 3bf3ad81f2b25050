"""What a take asks of the disk: room before it starts, parts while it runs, and an account of what was lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    """What did not reach the disk, from when to when, and whom the disk held up; each loss is a line of the log too."""
    for serial, parts in recorder.parts.items():
        yield from _late(serial, parts)
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
                yield Finding(
                    "session.disk_refused",
                    Severity.ERROR,
                    f"device {serial}",
                    f"{loss.samples} images or inertial samples between {loss.first_usec / 1e6:.3f} s and "
                    f"{loss.last_usec / 1e6:.3f} s of its clock are not in {part.path.name}: {loss.reason}",
                    "Everything before and after is there. Free some space or record to another disk.",
                )
    for serial, device in status.devices.items():
        if device.lane.blocked_nsec:
            yield Finding(
                "session.disk_slow",
                Severity.WARNING,
                f"device {serial}",
                f"{device.lane.deepest} captures waited for the disk and the device was held up for "
                f"{device.lane.blocked_nsec / 1e9:.2f} s in all; what it then dropped itself shows as gaps",
                "Record to a faster disk, spread the devices over several, or lower mode or rate.",
            )


def _late(serial: str, parts: tuple[RecordingSummary, ...]) -> Iterator[Finding]:
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
