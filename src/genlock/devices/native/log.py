"""The SDK's log in Python's logging, and the SDK's own reason for a call that failed.

libk4a answers a failed call with a bare FAILED; why stands in its log, written by the calling thread while the call
runs. So each thread collects what the SDK says during its own calls: that becomes the reason of the error that is
raised, and is logged at DEBUG. What the SDK says from threads of its own keeps its level. Microsoft's library calls its
reasons errors, Orbbec's calls some of them warnings.

The handler is one for the whole process and must be gone before the interpreter is: a callback into a Python that no
longer runs crashes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from genlock.devices.native.abi import LogHandler, LogLevel

__all__ = ["Reasons", "SdkLog"]

logger = logging.getLogger("genlock.k4a")

_LEVELS: dict[int, int] = {
    LogLevel.CRITICAL: logging.CRITICAL,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.TRACE: logging.DEBUG,
}


class Reasons:
    """What the SDK said during one call."""

    def __init__(self) -> None:
        self._said: list[tuple[int, str]] = []

    def add(self, level: int, text: str) -> None:
        """Takes one message."""
        self._said.append((level, text))

    @property
    def text(self) -> str:
        """The first of the gravest messages: the cause, whose echoes follow it. Empty when nothing was said."""
        return min(self._said, key=lambda said: said[0])[1] if self._said else ""


class SdkLog:
    """Receives the SDK's messages; keep it for as long as ``handler`` is registered."""

    def __init__(self) -> None:
        self.handler = LogHandler(self._receive)
        """What ``k4a_set_debug_message_handler`` is given."""
        self._local = threading.local()

    @contextmanager
    def reasons(self) -> Iterator[Reasons]:
        """Collects the errors and warnings that this thread's calls log meanwhile."""
        collected = Reasons()
        self._local.collected = collected
        try:
            yield collected
        finally:
            self._local.collected = None

    @property
    def least_level(self) -> LogLevel:
        """What to ask the SDK for: errors are always wanted, as reasons; more only where somebody listens."""
        return next(
            (
                level
                for level in (LogLevel.TRACE, LogLevel.INFO, LogLevel.WARNING)
                if logger.isEnabledFor(_LEVELS[level])
            ),
            LogLevel.ERROR,
        )

    def _receive(self, context: int | None, level: int, file: bytes | None, line: int, message: bytes | None) -> None:
        text = (message or b"").decode(errors="replace").strip()
        python_level = _LEVELS.get(level, logging.DEBUG)
        collected: Reasons | None = getattr(self._local, "collected", None)
        if collected is not None and level <= LogLevel.WARNING:
            collected.add(level, text)
            python_level = logging.DEBUG
        logger.log(python_level, "%s (%s:%d)", text, (file or b"").decode(errors="replace"), line)
