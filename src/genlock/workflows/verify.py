"""Judge a take from its files alone: a session folder, or the MKVs of one take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genlock.errors import RecordingError, SessionFolderError
from genlock.findings import Finding, Severity, errors_in
from genlock.plan import Plan
from genlock.recording import RecordingReader, SessionFolder, SessionState
from genlock.sync import LossEvidence
from genlock.verify import (
    AlarmEvent,
    DataLossEvent,
    DeviceEvidence,
    FileReport,
    LiveFinding,
    PictureSample,
    Report,
    StartEvent,
    TakeEvidence,
    combine_epochs,
    evidence_from_reader,
    join_parts,
    verify_take,
)
from genlock.workflows.checksums import check_files
from genlock.workflows.hosts import plan_of_share
from genlock.workflows.pictures import look_at_pictures
from genlock.workflows.progress import Progress

__all__ = ["Depth", "verify_files", "verify_path", "verify_session"]


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep a take is looked into, beyond its times."""

    pictures: bool = True
    """Look at some pictures of each device: a second for ten devices."""
    files: bool = False
    """Read every byte and hold it against the digests: as long as the disk takes."""


_USUAL_DEPTH = Depth()


def verify_path(paths: Sequence[Path], depth: Depth = _USUAL_DEPTH, progress: Progress | None = None) -> Report:
    """Judges one session folder, or the files of one take.

    Raises:
        UnreadableInputError: something is no session folder or no recording; says which.
    """
    is_session = len(paths) == 1 and paths[0].is_dir()
    for path in paths if not is_session else ():
        if path.is_dir():
            raise SessionFolderError(path, "is a folder among files; name one session folder alone, or only MKV files.")
    changes = tuple(check_files(paths, progress)) if depth.files else ()
    try:
        report = verify_session(paths[0], depth) if is_session else verify_files(paths, depth)
    except RecordingError as error:  # what was found in the other files is not lost with it
        told = [f"{finding.where}: {finding.message}" for finding in errors_in(changes)]
        raise RecordingError(error.path, "\n".join([error.reason, *told])) from error
    return _with_changes(report, changes) if depth.files else report


def verify_session(path: Path, depth: Depth = _USUAL_DEPTH) -> Report:
    """Judges a session folder with its plan and its log, each epoch by itself."""
    folder = SessionFolder.open(path)
    expected = [file for files in folder.recordings().values() for file in files]
    missing = [file for file in expected if not file.exists()]
    # A run that failed before it could begin has no files, and still a log that says why.
    is_empty = folder.session.state is SessionState.FAILED and len(missing) == len(expected)
    if missing and not is_empty:
        raise RecordingError(missing[0], f"is named by {path / 'session.json'} but does not exist.")
    plan = plan_of_share(folder.plan, folder.session.host, folder.session.recordings)
    epochs = folder.epochs()
    logs = _logs(folder)
    last = max(epochs)
    reports = {}
    for number, files in epochs.items():
        devices, pictures = _read_all(() if is_empty else files.values(), depth)
        reports[number] = verify_take(
            TakeEvidence(
                devices=devices,
                plan=plan,
                starts=_starts(logs[number]) if number in logs else None,
                alarms=_alarms(logs.get(number, ())),
                live_findings=_live_findings(logs.get(number, ())),
                data_losses=_data_losses(logs.get(number, ())),
                failure=folder.session.failure if number == last else None,
                pictures=pictures,
                name=folder.session.name,
                # An epoch that another one follows was ended in order.
                session_state=folder.session.state.value if number == last else SessionState.COMPLETED.value,
            )
        )
    digests = folder.session.digests
    names = {} if is_empty else {file.relative_to(folder.path).as_posix(): file for file in expected}
    told = tuple(FileReport(name, file.stat().st_size, digests.get(name)) for name, file in sorted(names.items()))
    report = combine_epochs(folder.session.name, reports)
    return replace(report, files=told, findings=(*report.findings, *_others(folder, plan)))


def _others(folder: SessionFolder, share: Plan) -> Iterator[Finding]:
    """What a session of one computer's devices does not hold."""
    others = sorted({device.serial for device in folder.plan.devices} - {device.serial for device in share.devices})
    if others:
        yield Finding(
            "verify.one_host",
            Severity.INFO,
            "session",
            f"only the devices of host {folder.session.host} were judged; {', '.join(others)} of the same rig are "
            "recorded by other computers",
            "Make one session of all: genlock session merge. Then verify that.",
        )


def verify_files(paths: Sequence[Path], depth: Depth = _USUAL_DEPTH) -> Report:
    """Judges the files of one take by what their own tags say."""
    # Each by itself: two files of one device are a mistake among loose files, unless they are its parts.
    devices, pictures = _read_all(_parts_together(paths), depth)
    report = verify_take(
        TakeEvidence(
            devices=devices,
            plan=None,
            starts=None,
            pictures=pictures,
            name=", ".join(map(str, paths)),
            session_state=None,
        )
    )
    return replace(report, files=tuple(FileReport(str(path), path.stat().st_size, None) for path in sorted(paths)))


def _with_changes(report: Report, findings: tuple[Finding, ...]) -> Report:
    """The same report, knowing whether the files are still what was written."""
    damaged = {finding.where for finding in errors_in(findings)}
    files = tuple(
        replace(file, is_intact=not any(Path(file.name).as_posix().endswith(where) for where in damaged))
        for file in report.files
    )
    return replace(report, files=files, findings=(*findings, *report.findings))


def _parts_together(paths: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Files that say that they are parts of one recording, in order; every other file by itself."""
    grouped: dict[tuple[object, ...], list[tuple[int, Path]]] = {}
    for place, path in enumerate(paths):
        with RecordingReader(path) as reader:
            tags, part = reader.tags, reader.tags.get("GENLOCK_PART", "")
            whole = (reader.serial, tags.get("GENLOCK_SESSION_ID"), tags.get("GENLOCK_EPOCH"), reader.start_offset_usec)
        is_part = part.isdecimal()
        grouped.setdefault(whole if is_part else (place,), []).append((int(part) if is_part else 0, path))
    return [tuple(path for _, path in sorted(parts)) for parts in grouped.values()]


def _read_all(
    recordings: Iterable[Sequence[Path]], depth: Depth
) -> tuple[tuple[DeviceEvidence, ...], dict[str, Pictures] | None]:
    """Every device's evidence, and its pictures by serial; ``None`` where none were looked at."""
    read = [_read(parts, depth) for parts in recordings]
    pictures = {device.serial: samples for device, samples in read} if depth.pictures and read else None
    return tuple(device for device, _ in read), pictures


def _read(parts: Sequence[Path], depth: Depth) -> tuple[DeviceEvidence, Pictures]:
    """One device's evidence from the parts of its recording, and the pictures that were asked for."""
    with ExitStack() as stack:
        readers = [stack.enter_context(RecordingReader(path)) for path in parts]
        evidence = join_parts([evidence_from_reader(reader) for reader in readers])
        return evidence, look_at_pictures(readers) if depth.pictures else ()


Pictures = tuple[PictureSample, ...]
Log = list[dict[str, Any]]  # Any: events of later versions may hold anything


def _logs(folder: SessionFolder) -> dict[int, Log]:
    """The log's events by epoch; empty without a log."""
    events = folder.events()
    if events is None:
        return {}
    logs: dict[int, Log] = {1: []}
    for event in events:
        if event.get("event") == "epoch":
            logs[len(logs) + 1] = []
        logs[len(logs)].append(event)
    return logs


def _starts(events: Log) -> tuple[StartEvent, ...]:
    return tuple(
        StartEvent(serial=event["serial"], called_nsec=event["called_nsec"], returned_nsec=event["returned_nsec"])
        for event in events
        if event.get("event") == "device_started" and {"serial", "called_nsec", "returned_nsec"} <= event.keys()
    )


def _alarms(events: Sequence[Mapping[str, Any]]) -> tuple[AlarmEvent, ...]:
    """What the live session saw: devices that stopped following, and devices that went away."""
    return tuple(
        AlarmEvent(
            serial=event["serial"],
            evidence=LossEvidence(event["evidence"]) if event["event"] == "sync_alarm" else None,
            device_usec=event.get("device_usec"),
            message=event.get("detail", ""),
        )
        for event in events
        if event.get("event") in ("sync_alarm", "device_lost")
    )


def _live_findings(events: Sequence[Mapping[str, Any]]) -> tuple[LiveFinding, ...]:
    return tuple(
        LiveFinding(event["code"], event.get("serial"), event.get("detail", ""))
        for event in events
        if event.get("event") == "finding" and event.get("code")
    )


def _data_losses(events: Sequence[Mapping[str, Any]]) -> tuple[DataLossEvent, ...]:
    return tuple(
        DataLossEvent(
            serial=event["serial"],
            first_usec=event["first_usec"],
            last_usec=event["last_usec"],
            samples=event["samples"],
            reason=event.get("detail", ""),
        )
        for event in events
        if event.get("event") == "data_lost" and {"serial", "first_usec", "last_usec", "samples"} <= event.keys()
    )
