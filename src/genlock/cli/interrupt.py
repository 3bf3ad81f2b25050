"""Ctrl-C as a request: the first one ends the work in order, a second one ends the process."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["cancellation", "interruptible"]


@contextmanager
def cancellation() -> Iterator[Callable[[], bool]]:
    """While entered, Ctrl-C (and a polite kill) sets a flag; yields the function that tells whether it is set.

    The handler only sets a flag: it runs between two instructions of the main thread, which may hold any lock.
    """
    requested = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if requested.is_set():
            raise KeyboardInterrupt
        requested.set()
        sys.stderr.write("\ngenlock: stopping; once more to stop at once (the last second may be lost)\n")

    names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]  # SIGBREAK: Windows
    before = {name: signal.signal(getattr(signal, name), handle) for name in names}
    try:
        yield requested.is_set
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """While entered, Ctrl-C breaks off a read with ``KeyboardInterrupt``: after a handler that returns it goes on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
