"""A sink that records: one K4A MKV per device, or several in a row, each written by its device's own thread.

A disk that refuses is not the end of a take unless somebody says so: what it refused is lost and told, the next cluster
is tried again, and the files stay valid all the while.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path

from genlock.capture import Capture, CaptureSet, CaptureSource, ImuSample
from genlock.errors import message_of
from genlock.recording.parts import PartedWriter, SplitRule
from genlock.recording.writer import RecordingSummary, RecordingWriter

__all__ = ["DiskPolicy", "Recorder"]

logger = logging.getLogger(__name__)

_LOOK_USEC = 1_000_000


class DiskPolicy(StrEnum):
    """What a recorder does when the disk refuses a write."""

    STOP = "stop"
    """It raises, which ends the run."""
    GO_ON = "go-on"
    """It counts what is lost and tries the next cluster."""


class Recorder:
    """Writes what a session captures.

    Args:
        paths: where each device's recording begins, by serial; the files must not exist.
        tags: what every recording shall carry, by serial.
        split: when a recording goes on in a new file; ``None``: never.
        next_part: says where a device's next file goes; needed with ``split``. Called from the device's own thread, as
            is the next one.
        on_part: told of every further file once it is there.
        on_disk_error: what happens when the disk refuses.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        tags: Callable[[str], Mapping[str, str]] = lambda serial: {},
        *,
        split: SplitRule | None = None,
        next_part: Callable[[str], Path] | None = None,
        on_part: Callable[[str, Path], None] = lambda serial, path: None,
        on_disk_error: DiskPolicy = DiskPolicy.STOP,
    ) -> None:
        if split is not None and next_part is None:
            raise ValueError("a recorder that splits must be told where the next part goes")
        self._paths = paths
        self._tags = tags
        self._split = split
        self._next_part = next_part
        self._on_part = on_part
        self._on_disk_error = on_disk_error
        self._writers: dict[str, PartedWriter] = {}
        self._looked_usec: dict[str, int] = {}
        self._parts: dict[str, tuple[RecordingSummary, ...]] = {}
        self._lock = threading.Lock()
        self.removed: set[Path] = set()
        """Files that were no longer there when they were closed: what they hold is lost."""

    @property
    def parts(self) -> Mapping[str, tuple[RecordingSummary, ...]]:
        """What each device's files hold, in order, once the recorder is closed."""
        return self._parts

    def open(self, sources: Sequence[CaptureSource]) -> None:
        """Creates every file, so that a folder that cannot be written to stops the take before it starts."""
        for source in sources:
            self._writers[source.serial] = PartedWriter(self._opener(source), self._split)

    def on_capture(self, capture: Capture) -> None:
        """Writes a capture into its device's file."""
        try:
            self._writers[capture.serial].write_capture(capture)
            self._look_whether_it_is_there(capture)
        except OSError as error:
            self._disk_refused(capture.serial, error)

    def on_imu(self, serial: str, samples: Sequence[ImuSample]) -> None:
        """Writes inertial samples into their device's file."""
        try:
            self._writers[serial].write_imu(samples)
        except OSError as error:
            self._disk_refused(serial, error)

    def on_capture_set(self, capture_set: CaptureSet) -> None:
        """Nothing: sets follow from the files."""

    def close(self) -> None:
        """Completes every file, whatever the others raise. Safe twice."""
        with self._lock:
            writers, self._writers = self._writers, {}
        with ExitStack() as stack:
            for serial, writer in writers.items():
                stack.callback(self._close_one, serial, writer)

    def _opener(self, source: CaptureSource) -> Callable[[int, int | None], RecordingWriter]:
        serial, tags = source.serial, dict(self._tags(source.serial))

        def open_part(number: int, start_offset_usec: int | None) -> RecordingWriter:
            if number > 1:  # the former part, for the last time: once it is closed it may be moved away
                self._is_there(self._writers[serial].path)
            path = self._paths[serial] if number == 1 or self._next_part is None else self._next_part(serial)
            writer = RecordingWriter(
                path,
                source.config,
                serial=serial,
                calibration=source.calibration,
                color_firmware=source.color_firmware,
                depth_firmware=source.depth_firmware,
                tags={**tags, "GENLOCK_PART": str(number)} if self._split else tags,
                imu=source.imu,
                start_offset_usec=start_offset_usec,
            )
            if number > 1:
                self._announce(serial, writer)
            return writer

        return open_part

    def _announce(self, serial: str, writer: RecordingWriter) -> None:
        try:
            self._on_part(serial, writer.path)
        except OSError:
            writer.close()
            writer.path.unlink()
            raise

    def _close_one(self, serial: str, writer: PartedWriter) -> None:
        self._is_there(writer.path)
        try:
            writer.close()
        except OSError as error:
            self._disk_refused(serial, error)
        finally:
            self._parts[serial] = tuple(writer.summaries)

    def _look_whether_it_is_there(self, capture: Capture) -> None:
        """Once a second: a file that was removed, or whose disk was detached, takes writes without a word."""
        usec = max((image.device_timestamp_usec for image in capture.images), default=0)
        if usec - self._looked_usec.get(capture.serial, usec - _LOOK_USEC) < _LOOK_USEC:
            return
        self._looked_usec[capture.serial] = usec
        path = self._writers[capture.serial].path
        if not self._is_there(path):
            raise FileNotFoundError(errno.ENOENT, "was removed while it was recorded, or its disk was", str(path))

    def _is_there(self, path: Path) -> bool:
        if not path.exists():
            self.removed.add(path)
        return path not in self.removed

    def _disk_refused(self, serial: str, error: OSError) -> None:
        """The writer has counted what is lost."""
        if self._on_disk_error is DiskPolicy.STOP:
            raise error
        logger.error("device %s: the disk refused a write, recording goes on: %s", serial, message_of(error))
