"""One session out of those that several computers recorded of the same rig at the same time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from genlock.errors import SessionFolderError
from genlock.plan import Plan
from genlock.recording import NewSession, RecordingReader, SessionFolder, SessionState, copy_file, new_session
from genlock.workflows.progress import NoProgress, Progress

__all__ = ["MergeResult", "merge_sessions"]

# The gravest state of any part is the whole's.
_GRAVITY = (SessionState.COMPLETED, SessionState.CANCELLED, SessionState.RUNNING, SessionState.FAILED)


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What was made."""

    output: Path
    hosts: tuple[str, ...]
    devices: tuple[str, ...]
    missing: tuple[str, ...]
    """Devices of the rig that no session holds."""

    def to_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "format_version": 1,
            "output": str(self.output),
            "hosts": list(self.hosts),
            "devices": list(self.devices),
            "missing": list(self.missing),
            "findings": [],
        }


def merge_sessions(sources: Sequence[Path], output: Path, *, progress: Progress | None = None) -> MergeResult:
    """Makes one session folder of several; recordings keep their bytes (links, where the disk is the same).

    The hosts' logs become one, told apart by ``host``, with their host times moved to the wall clock as far as each
    host kept it: good enough to see who was started first, not for more.

    Raises:
        UnreadableInputError: a source cannot be read; they are not of one rig; a device is in two of them; the epochs
            differ; the output exists.
    """
    told = progress or NoProgress()
    folders = [SessionFolder.open(path) for path in sources]
    _check_same_rig(folders)
    first = folders[0]
    with new_session(output) as made:
        for folder in folders:
            told.step(f"take over {folder.path}")
            _take_over(made, folder)
        made.copy_plan(first)
        events = sorted((event for folder in folders for event in _events(folder)), key=lambda event: event["utc"])
        made.write_log(events)
        sessions = [folder.session for folder in folders]
        made.write(
            first.session,
            session_id=uuid.uuid4().hex,
            state=max((session.state for session in sessions), key=_GRAVITY.index),
            created_utc=min(session.created_utc for session in sessions),
            finished_utc=max((s.finished_utc for s in sessions if s.finished_utc), default=None),
            host=", ".join(session.host for session in sessions),
            provenance={key: value for session in sessions for key, value in session.provenance.items()},
            failure="; ".join(f"{s.host}: {s.failure}" for s in sessions if s.failure) or None,
            derived_from=[f"session {s.session_id} of host {s.host}" for s in sessions],
        )
    devices = tuple(sorted(serial for folder in folders for serial in folder.session.recordings))
    planned = [device.serial for device in first.plan.devices]
    missing = tuple(serial for serial in planned if serial not in devices)
    return MergeResult(output, tuple(folder.session.host for folder in folders), devices, missing)


def _check_same_rig(folders: Sequence[SessionFolder]) -> None:
    first = folders[0]
    owners: dict[str, Path] = {}
    for folder in folders:
        if _rig_of(folder.plan) != _rig_of(first.plan):
            raise SessionFolderError(
                folder.path, f"was recorded by another plan than {first.path}: not one rig's take."
            )
        if list(folder.epochs()) != list(first.epochs()):
            raise SessionFolderError(
                folder.path,
                f"has {len(folder.epochs())} epochs, {first.path} has {len(first.epochs())}: their devices were not "
                "started together.",
            )
        for serial in folder.session.recordings:
            if serial in owners:
                raise SessionFolderError(folder.path, f"holds device {serial}, which {owners[serial]} holds too.")
            owners[serial] = folder.path


def _rig_of(plan: Plan) -> dict[str, object]:
    """What must be the same on all hosts."""
    return {key: value for key, value in plan.to_json().items() if key in ("rig_name", "topology", "devices")}


def _take_over(made: NewSession, folder: SessionFolder) -> None:
    digests = folder.session.digests
    for serial, names in folder.session.recordings.items():
        for name in names:
            target = made.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                copy_file(folder.path / name, target)
            except FileNotFoundError as error:
                raise SessionFolderError(folder.path, f"names {name}, which does not exist.") from error
            made.add(serial, target, digests.get(name))


def _events(folder: SessionFolder) -> list[dict[str, Any]]:  # Any: events of later versions may hold anything
    """The log of one host; its host times on the wall clock, or left out where nothing ties the two together."""
    shift_nsec = _wall_minus_host_nsec(folder)
    return [_moved(event, folder.session.host, shift_nsec) for event in folder.events() or [] if "utc" in event]


def _moved(event: Mapping[str, Any], host: str, shift_nsec: int | None) -> dict[str, Any]:
    moved = {**event, "host": host}
    for key in ("called_nsec", "returned_nsec"):
        if isinstance(moved.get(key), int):
            if shift_nsec is None:
                del moved[key]
            else:
                moved[key] += shift_nsec
    return moved


def _wall_minus_host_nsec(folder: SessionFolder) -> int | None:
    """From the pair of readings that every recording carries."""
    path = next((files[0] for files in folder.recordings().values()), None)
    if path is None:
        return None
    with RecordingReader(path) as reader:
        wall, host = reader.tags.get("GENLOCK_WALL_CLOCK_UTC"), reader.tags.get("GENLOCK_HOST_CLOCK_NSEC")
    if wall is None or host is None or not host.isdecimal():
        return None
    try:
        return round(datetime.fromisoformat(wall).timestamp() * 1e6) * 1000 - int(host)
    except ValueError:
        return None
