"""A recorded session as capture sets again: the same loop as over a live one."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from genlock.capture import Capture, CaptureSet
from genlock.recording.folder import SessionFolder
from genlock.recording.reader import RecordingReader
from genlock.sync import Matcher

__all__ = ["RecordedSession"]


class RecordedSession:
    """The capture sets of a session folder: ``with RecordedSession(path) as session: for capture_set in session: ...``.

    The files are read side by side in order of device time, so that memory stays at a few captures a device however
    long the take is. Parts are read as one; epochs, which share no time base, one after the other, each counting its
    sets from 0. May be iterated again.

    Raises:
        UnreadableInputError: no session folder, or a recording in it that cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.folder = SessionFolder.open(Path(path))
        self.plan = self.folder.plan
        self._open_files = ExitStack()
        self._readers: dict[str, RecordingReader] = {}

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for serial, files in self.folder.recordings().items():
                self._readers[serial] = opening.enter_context(RecordingReader(files[0]))
            self._open_files = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open_files.close()

    @property
    def readers(self) -> Mapping[str, RecordingReader]:
        """The open recording of each device: the first part of its first epoch."""
        return self._readers

    def __iter__(self) -> Iterator[CaptureSet]:
        for files in self.folder.epochs().values():
            yield from self._sets_of_epoch(files)

    def epoch(self, number: int) -> Iterator[CaptureSet]:
        """The sets of one epoch, from 1. Raises ``KeyError`` when the take has no such epoch."""
        return self._sets_of_epoch(self.folder.epochs()[number])

    def _sets_of_epoch(self, files: Mapping[str, Sequence[Path]]) -> Iterator[CaptureSet]:
        present = {d.serial: d.config for d in self.plan.devices if d.serial in files}
        planned = self.plan.reference_serial
        matcher = Matcher(present, planned if planned in present else next(iter(present)))
        held: dict[str, deque[Capture]] = {serial: deque() for serial in files}
        streams = [self._stream(serial, parts) for serial, parts in files.items()]
        for _, _, serial, capture in heapq.merge(*streams, key=lambda item: item[:3]):
            if capture is None:
                yield from _with_images(matcher.end(serial), held)
            else:
                held[serial].append(capture)
                yield from _with_images(matcher.add(capture.stamp), held)

    @staticmethod
    def _stream(serial: str, parts: Sequence[Path]) -> Iterator[tuple[int, int, str, Capture | None]]:
        """The device's captures by time; then ``None`` in place of one, right after the last."""
        last_usec = index = 0
        for path in parts:
            with RecordingReader(path) as reader:
                for capture in reader.captures():
                    stamp = capture.stamp
                    time_usec = stamp.color_usec if stamp.color_usec is not None else stamp.depth_usec
                    last_usec = max(last_usec, time_usec or 0)
                    yield last_usec, 0, serial, replace(capture, serial=serial, index=index)
                    index += 1
        yield last_usec, 1, serial, None


def _with_images(matched: list[CaptureSet], held: Mapping[str, deque[Capture]]) -> Iterator[CaptureSet]:
    for stamps_only in matched:
        captures = {}
        for serial, stamp in stamps_only.stamps.items():
            queue = held[serial]
            while queue[0].index < stamp.index:  # captures come in order: these belong to no set
                queue.popleft()
            captures[serial] = queue.popleft()
        yield replace(stamps_only, captures=captures)
