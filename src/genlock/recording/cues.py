"""Cues: where in the file a moment lies, so that a player need not walk there."""

from __future__ import annotations

from collections.abc import Sequence

from genlock.recording import ids
from genlock.recording.clusters import Sample
from genlock.recording.ebml import element, uint_element

__all__ = ["CueList"]

_STEP_USEC = 1_000_000


class CueList:
    """One cue a second, at a cluster that holds something of one track; never backwards, as playback wants it."""

    def __init__(self, track_number: int, data_offset: int) -> None:
        """Takes the track, and where the segment's payload begins: positions count from there."""
        self._track_number = track_number
        self._data_offset = data_offset
        self._points: list[bytes] = []
        self._next_usec = 0

    def add(self, samples: Sequence[Sample], cluster_offset: int, start_offset_usec: int) -> None:
        """Looks at a cluster that was written."""
        usec = next((sample.usec for sample in samples if sample.track_number == self._track_number), None)
        if usec is None or usec < self._next_usec:
            return
        self._next_usec = usec + _STEP_USEC
        positions = element(
            ids.CUE_TRACK_POSITIONS,
            uint_element(ids.CUE_TRACK, self._track_number),
            uint_element(ids.CUE_CLUSTER_POSITION, cluster_offset - self._data_offset),
        )
        self._points.append(element(ids.CUE_POINT, uint_element(ids.CUE_TIME, usec - start_offset_usec), positions))

    def encode(self) -> bytes:
        """The element; empty when there is no cue."""
        return element(ids.CUES, *self._points) if self._points else b""
