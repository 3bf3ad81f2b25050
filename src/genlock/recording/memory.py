"""Memory for images, used again once nobody looks at what was in it.

A fresh array of an image's size is memory that the system has to find, clear and map page by page: in a program that
only reads a recording this took longer than the reading. Freed memory is no help, because the allocator gives back to
the system what lies at the end of a thread's heap, and there images lie.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrayPool"]

_MAX_BLOCKS = 8
"""As many as are in use between a reader and who drops each capture before the next but one."""


class ArrayPool:
    """Hands out arrays of about the same size; several threads may ask at once.

    That an array is gone, with all that was made of it, is not guessed: it looks into a ``bytearray``, and Python lets
    nobody change the length of one while an array, a slice, a memoryview, anything looks into it. What is held when the
    pool goes stays good: it keeps its own memory.
    """

    def __init__(self) -> None:
        self._blocks: list[bytearray] = []
        """Held or not, the longest unused first."""
        self._lock = threading.Lock()

    def take(self, size_bytes: int) -> NDArray[np.uint8]:
        """(size_bytes,) an array of the caller's own with anything in it."""
        with self._lock:
            block = self._take_free(size_bytes)
            if block is not None:
                self._blocks.append(block)
                return np.frombuffer(block, np.uint8, size_bytes)
            if len(self._blocks) >= _MAX_BLOCKS:  # somebody keeps what he reads: his memory is used once
                return np.empty(size_bytes, np.uint8)
            block = bytearray(size_bytes + size_bytes // 8 + 1)  # JPEGs differ
            array = np.frombuffer(block, np.uint8, size_bytes)
            if not _is_free(block):  # true wherever Python counts who looks; elsewhere nothing is used again
                self._blocks.append(block)
            return array

    def _take_free(self, size_bytes: int) -> bytearray | None:
        """A block that nobody holds, no longer in the list; one of a size that is out of use goes for good."""
        for place, block in enumerate(self._blocks):
            if _is_free(block):
                del self._blocks[place]
                return block if size_bytes < len(block) <= 4 * size_bytes else None
        return None


def _is_free(block: bytearray) -> bool:
    """Whether nothing looks into it."""
    try:
        block.append(block.pop())
    except BufferError:
        return False
    return True
