"""A recording's bytes, read where they are asked for.

Not a memory map: a file that shrinks, or a disk that goes away, would end the process with a bus error instead of an
``OSError``. Reading at an offset is as fast, because images are copied out anyway.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from genlock.errors import RecordingError

__all__ = ["FileSource"]


class FileSource:
    """An open file. Reads may come from several threads."""

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
        if self._has_pread:
            return os.pread(self._fd, count, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(count)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills the buffer. Raises ``RecordingError`` when the file has become shorter."""
        done = 0
        while done < len(buffer):
            count = self._read_some(offset + done, buffer[done:])
            if count == 0:
                raise RecordingError(self._path, "became shorter while it was read")
            done += count

    def _read_some(self, offset: int, buffer: memoryview) -> int:
        if self._has_pread:
            return os.preadv(self._fd, [buffer], offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(buffer) or 0

    def close(self) -> None:
        """Safe twice."""
        self._file.close()
