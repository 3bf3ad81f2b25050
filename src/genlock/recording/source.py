"""A recording's bytes, read where they are asked for.

Not a memory map: a file that shrinks, or a disk that goes away, would end the process with a bus error instead of a
``RecordingError``. Reading at an offset is as fast, because images are copied out anyway.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from genlock.errors import RecordingError

__all__ = ["FileSource"]


class FileSource:
    """An open file. Reads may come from several threads.

    What the disk refuses is a ``RecordingError`` with the file's name: whoever reads one file while another is written
    could not tell whose ``OSError`` it is, since the system names no file when a read or a write fails.
    """

    def __init__(self, path: Path) -> None:
        """Raises ``RecordingError`` when there is nothing that can be opened."""
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise RecordingError(path, f"cannot be opened: {error.strerror}") from error
        self._fd = self._file.fileno()
        self._path = path
        self._lock = threading.Lock()
        self._has_pread = hasattr(os, "pread") and hasattr(os, "preadv")
        self.size_bytes = os.fstat(self._fd).st_size
        """When it was opened; what a live recording adds later is not looked at."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes; fewer only at the end of the file."""
        if offset + count > self.size_bytes:
            count = max(0, self.size_bytes - offset)
        try:
            if self._has_pread:
                return os.pread(self._fd, count, offset)
            with self._lock:
                self._file.seek(offset)
                return self._file.read(count)
        except OSError as error:
            raise self._unread(error) from error

    def read_into(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fills the buffers with what lies there in one row. A file that became shorter is a ``RecordingError`` too."""
        left = [buffer for buffer in buffers if len(buffer)]
        while left:
            done = self._read_some(offset, left)
            if done == 0:
                raise RecordingError(self._path, "became shorter while it was read")
            offset += done
            while left and done >= len(left[0]):
                done -= len(left.pop(0))
            if done:
                left[0] = left[0][done:]

    def _read_some(self, offset: int, buffers: list[memoryview]) -> int:
        try:
            if self._has_pread:
                return os.preadv(self._fd, buffers, offset)
            with self._lock:
                self._file.seek(offset)
                return self._file.readinto(buffers[0]) or 0
        except OSError as error:
            raise self._unread(error) from error

    def _unread(self, error: OSError) -> RecordingError:
        return RecordingError(self._path, f"cannot be read: {error.strerror}")

    def close(self) -> None:
        """Safe twice. What reads later fails: the system may have given the descriptor's number to another file."""
        self._fd = -1
        self._file.close()
