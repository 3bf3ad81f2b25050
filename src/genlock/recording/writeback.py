"""Has the system carry a growing file to its disk from the first megabytes on.

Left alone, Linux begins to write when its memory is a tenth full of what waits, or after half a minute: whoever closes
a take then waits for gigabytes, and a power failure takes as much. Nobody waits for the disk here but a thread of its
own, so that a disk that stalls holds up a recording no earlier than it would without.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["WriteBack", "find_call"]

_STEP_BYTES = 8 << 20
"""Asked for at once: large enough for any disk's liking, and never to be touched again (but for the file's header)."""

RangeCall = Callable[[int, int, int], object]
"""Of a file's descriptor, an offset and a count of bytes."""


class WriteBack:
    """For one file. Where the system has no such call it does nothing: ``fsync`` at the end then does it all."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._asked_bytes = 0
        self._is_closed = False
        self._news = threading.Event()
        self._thread: threading.Thread | None = None
        self._begin_writing = find_call()

    def grown_to(self, size_bytes: int) -> None:
        """What lies before that is not going to change. Never waits; short files start no thread."""
        size_bytes -= size_bytes % _STEP_BYTES
        if size_bytes <= self._asked_bytes or self._begin_writing is None:
            return
        self._asked_bytes = size_bytes
        if self._thread is None:
            thread = threading.Thread(
                target=self._work, args=(self._begin_writing,), name="genlock-write-back", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # no more threads: no reason to lose a capture
                self._begin_writing = None
                return
            self._thread = thread
        self._news.set()

    def close(self) -> None:
        """The descriptor is not used any more when this returns. Safe twice."""
        self._is_closed = True
        self._news.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self, begin_writing: RangeCall) -> None:
        begun_bytes = 0
        while self._news.wait() and not self._is_closed:
            self._news.clear()
            asked_bytes = self._asked_bytes
            with suppress(OSError):  # a disk that fails tells it to ``fsync`` too
                begin_writing(self._fd, begun_bytes, asked_bytes - begun_bytes)
            begun_bytes = asked_bytes


def find_call() -> RangeCall | None:
    """Begins to write a range of a file; ``None`` where the system has nothing of the kind."""
    if sys.platform != "linux":
        return None
    # "I shall not need it": Linux begins to write what is not on the disk yet, and waits for nothing. What gets there
    # at once leaves memory, where a long take would not stay anyway. ``fdatasync`` would have other files wait for the
    # journal.
    return lambda fd, begin, count: os.posix_fadvise(fd, begin, count, os.POSIX_FADV_DONTNEED)
