"""Trim, split and join takes after the fact: every image's bytes as they are, all files of a session together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlock.errors import RecordingError, SessionFolderError
from genlock.recording import (
    NewSession,
    RecordingReader,
    SessionFolder,
    Span,
    SplitRule,
    moments,
    new_session,
    parts_in_order,
    rewrite,
    snapped,
    split_spans,
)
from genlock.workflows.progress import NoProgress, Progress

__all__ = ["CutResult", "merge_parts", "split", "trim"]

_Devices = Mapping[str, Sequence[RecordingReader]]


@dataclass(frozen=True, slots=True)
class CutResult:
    """What was written."""

    output: Path
    files: tuple[Path, ...]
    captures: int
    """In all files together."""
    size_bytes: int

    def to_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "format_version": 1,
            "output": str(self.output),
            "files": [str(path) for path in self.files],
            "captures": self.captures,
            "size_bytes": self.size_bytes,
            "findings": [],
        }


def trim(
    source: Path,
    output: Path,
    *,
    from_usec: int | None = None,
    until_usec: int | None = None,
    epoch: int | None = None,
    progress: Progress | None = None,
) -> CutResult:
    """Takes a stretch out of a session folder or a single recording.

    Args:
        source: only read.
        output: a new folder for a session, a new file for a recording.
        from_usec: device time on the master's color time; the first capture that is kept does not lie before it.
        until_usec: the first capture that is not kept does not lie before it.
        epoch: which epoch's time is meant; needed when the take has several.
        progress: told of every file.

    Raises:
        UnreadableInputError: the source cannot be read or holds nothing of the stretch, the output exists, or the epoch
            is not there.
    """
    shown = [
        ("the beginning", "the end")[n] if t is None else f"{t / 1e6:g} s"
        for n, t in enumerate((from_usec, until_usec))
    ]
    stretch = f"{shown[0]} to {shown[1]} of device time"

    def spans(devices: _Devices, reference: str) -> list[Span]:
        times, period_usec = moments(devices[reference]), devices[reference][0].config.camera_fps.period_usec
        limits = [None if usec is None else snapped(usec, times, period_usec) for usec in (from_usec, until_usec)]
        span = Span(*limits)
        if not span.holds(times).any():
            there = (
                f"its captures lie from {times[0] / 1e6:.3f} to {times[-1] / 1e6:.3f} s"
                if len(times)
                else "none at all"
            )
            raise RecordingError(source, f"holds no capture from {stretch}: {there}.")
        return [span]

    note = f"trimmed: {stretch}"
    if not source.is_dir():
        with _opened({"": (source,)}) as devices:
            rewritten = rewrite(devices[""], output, span=spans(devices, "")[0])
        return _result(output, [output], rewritten.size_bytes)
    folder = SessionFolder.open(source)
    epochs = folder.epochs()
    if epoch is None and len(epochs) > 1:
        numbers = ", ".join(map(str, epochs))
        raise SessionFolderError(source, f"has epochs {numbers}, each with a time of its own: say which with --epoch.")
    number = epoch or next(iter(epochs))
    if number not in epochs:
        raise SessionFolderError(source, f"has no epoch {number}; there are: {', '.join(map(str, epochs))}.")
    return _cut_session(folder, output, {number: epochs[number]}, spans, note, progress or NoProgress())


def split(source: Path, output: Path, rule: SplitRule, *, progress: Progress | None = None) -> CutResult:
    """Cuts a session folder, or a single recording, into parts at the same moments on all devices.

    Args:
        source: only read.
        output: a new folder: a session again, or the parts ``p001.mkv`` ... of a single recording.
        rule: how long or how large parts may be.
        progress: told of every file.

    Raises:
        UnreadableInputError: the source cannot be read, or the output exists.
    """
    told = progress or NoProgress()

    def spans(devices: _Devices, reference: str) -> list[Span]:
        return split_spans(devices, reference, rule)

    if source.is_dir():
        folder = SessionFolder.open(source)
        return _cut_session(folder, output, folder.epochs(), spans, "split into parts", told)
    with _opened({"": (source,)}) as devices, new_session(output) as made:
        names = []
        for number, span in enumerate(spans(devices, ""), 1):
            names.append(f"p{number:03d}.mkv")
            told.step(f"write {names[-1]}")
            rewrite(devices[""], made.path / names[-1], span=span, tags={"GENLOCK_PART": str(number)})
    files = [output / name for name in names]
    return _result(output, files, sum(path.stat().st_size for path in files))


def merge_parts(sources: Sequence[Path], output: Path, *, progress: Progress | None = None) -> CutResult:
    """Joins parts: those of every device of a session folder, or the files of one device.

    Args:
        sources: one session folder, or files of one device and epoch; only read.
        output: a new folder, or a new file.
        progress: told of every file.

    Raises:
        UnreadableInputError: a source cannot be read or is no part of the same recording, or the output exists.
    """
    if len(sources) == 1 and sources[0].is_dir():
        folder = SessionFolder.open(sources[0])
        note = "parts joined"
        return _cut_session(folder, output, folder.epochs(), lambda d, r: [Span()], note, progress or NoProgress())
    for path in sources:
        if path.is_dir():
            raise SessionFolderError(path, "is a folder among files; name one session folder alone, or only MKV files.")
    with _opened({"": sources}) as devices:
        rewritten = rewrite(parts_in_order(devices[""]), output)
    return _result(output, [output], rewritten.size_bytes)


def _cut_session(
    folder: SessionFolder,
    output: Path,
    epochs: Mapping[int, Mapping[str, Sequence[Path]]],
    spans: Callable[[_Devices, str], list[Span]],
    note: str,
    progress: Progress,
) -> CutResult:
    with new_session(output) as made:
        kept: list[Span] = []
        for number, files in epochs.items():
            with _opened(files) as devices:
                reference = folder.plan.reference_serial
                measure = reference if reference in devices else next(iter(devices))
                of_epoch = spans(devices, measure)
                _write_parts(made, number, devices, of_epoch, progress)
            kept += of_epoch
        made.copy_plan(folder)
        events = folder.events()
        if events is not None:
            made.write_log(event for event in events if not _is_loss_elsewhere(event, kept))
        made.write(folder.session, derived_from=[*folder.session.derived_from, f"{folder.path.name}: {note}"])
        written = [output / name for names in made.recordings.values() for name in names]
    return _result(output, written, sum(path.stat().st_size for path in written))


def _is_loss_elsewhere(event: Mapping[str, Any], kept: Sequence[Span]) -> bool:
    """Whether a line of the log tells of lost data outside of all that is kept: no fault of the new take."""
    if event.get("event") != "data_lost" or not {"first_usec", "last_usec"} <= event.keys():
        return False
    return not any(span.overlaps(event["first_usec"], event["last_usec"]) for span in kept)


def _write_parts(made: NewSession, epoch: int, devices: _Devices, spans: Sequence[Span], progress: Progress) -> None:
    for serial, readers in devices.items():
        times = moments(readers)
        written = 0
        for number, span in enumerate(spans, 1):
            is_last_chance = number == len(spans) and not written
            if not span.holds(times).any() and not is_last_chance:
                continue  # the device was gone then: it has no file of that stretch
            path = made.place(serial, epoch, number)
            progress.step(f"write {path.relative_to(made.path)}")
            tags = {"GENLOCK_PART": str(number)} if len(spans) > 1 or "GENLOCK_PART" in readers[0].tags else {}
            made.add(serial, path, rewrite(readers, path, span=span, tags=tags).digest_root)
            written += 1


@contextmanager
def _opened(files: Mapping[str, Sequence[Path]]) -> Iterator[_Devices]:
    with ExitStack() as stack:
        yield {
            serial: [stack.enter_context(RecordingReader(path)) for path in parts] for serial, parts in files.items()
        }


def _result(output: Path, files: Sequence[Path], size_bytes: int) -> CutResult:
    captures = 0
    for path in files:
        with RecordingReader(path) as reader:
            captures += len(reader.groups)
    return CutResult(output, tuple(files), captures, size_bytes)
