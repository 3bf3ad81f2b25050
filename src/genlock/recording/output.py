"""The file under a recording that grows: append, patch, and take back what was written only in part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from genlock.recording.clusters import Payload
from genlock.recording.header import Patch
from genlock.recording.writeback import WriteBack

__all__ = ["OutputFile"]

_MAX_BUFFERS = 512
"""Buffers handed to one ``writev``; systems take 1024 at least where they have the call."""


class OutputFile:
    """A new file, written without any buffer of our own: what ``append`` has returned from survives the process."""

    def __init__(self, path: Path) -> None:
        """Creates the file. Raises ``FileExistsError`` rather than touch one that is there."""
        self._file = path.open("xb", buffering=0)
        self._size_bytes = 0
        self._write_back = WriteBack(self._file.fileno())
        self._append_parts = self._writev if hasattr(os, "writev") else self._write_each

    @property
    def size_bytes(self) -> int:
        """What has been appended."""
        return self._size_bytes

    def append(self, parts: Sequence[Payload]) -> int:
        """Writes the parts at the end and returns the offset of the first; all of them or, on ``OSError``, none."""
        begin = self._size_bytes
        try:
            self._append_parts(parts)
        except OSError:
            self.truncate(begin)
            raise
        self._size_bytes = self._file.tell()
        return begin

    def patch(self, *patches: Patch) -> None:
        """Writes over bytes that are already there: the last thing that is done to what was appended."""
        for patch in patches:
            self._file.seek(patch.offset_bytes)
            _write_all(self._file.fileno(), patch.content)
        self._file.seek(self._size_bytes)
        self._write_back.grown_to(self._size_bytes)

    def truncate(self, size_bytes: int) -> None:
        """Takes back what lies past ``size_bytes``."""
        self._file.truncate(size_bytes)
        self._file.seek(size_bytes)
        self._size_bytes = size_bytes

    def sync(self) -> None:
        """Waits until all of it lies on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Safe twice."""
        self._write_back.close()
        self._file.close()

    def _writev(self, parts: Sequence[Payload]) -> None:
        left = [memoryview(part).cast("B") for part in parts if len(part)]
        fd = self._file.fileno()
        while left:
            written = os.writev(fd, left[:_MAX_BUFFERS])
            done = 0
            while done < len(left) and written >= len(left[done]):
                written -= len(left[done])
                done += 1
            del left[:done]
            if written:
                left[0] = left[0][written:]

    def _write_each(self, parts: Sequence[Payload]) -> None:
        for part in parts:
            _write_all(self._file.fileno(), part)


def _write_all(fd: int, content: Payload) -> None:
    left = memoryview(content).cast("B")
    while left:
        left = left[os.write(fd, left) :]
