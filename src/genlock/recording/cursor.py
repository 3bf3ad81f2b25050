"""A place in a recording from which captures are taken forwards and backwards, as Microsoft's playback does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from genlock.capture import Capture
from genlock.recording.layout import NSEC_PER_USEC
from genlock.recording.playhead import Playhead

__all__ = ["CaptureCursor"]


class CaptureCursor:
    """Made by ``RecordingReader.cursor``; good while the reader is open.

    ``next`` after a seek gives the first capture that does not lie before the sought time, ``previous`` the last before
    it. After ``next`` had nothing more, ``previous`` gives the last capture, and the other way round.
    """

    def __init__(
        self, playhead: Playhead, load: Callable[[Sequence[int]], Capture], start_offset_usec: int, last_nsec: int
    ) -> None:
        self._playhead = playhead
        self._load = load
        self._start_offset_usec = start_offset_usec
        self._last_nsec = last_nsec

    def seek(self, device_usec: int) -> None:
        """Goes to a device time; what lies before the recording means its beginning."""
        self._playhead.seek(max(0, device_usec - self._start_offset_usec) * NSEC_PER_USEC)

    def seek_to_start(self) -> None:
        """Goes before the first capture."""
        self._playhead.seek(0)

    def seek_to_end(self) -> None:
        """Goes behind the last capture."""
        self._playhead.seek(self._last_nsec + 1)

    def next(self) -> Capture | None:
        """The next capture; ``None`` at the end."""
        group = self._playhead.next()
        return None if group is None else self._load(group)

    def previous(self) -> Capture | None:
        """The previous capture; ``None`` at the beginning."""
        group = self._playhead.previous()
        return None if group is None else self._load(group)
