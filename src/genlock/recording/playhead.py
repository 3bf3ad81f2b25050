"""Next and previous capture from anywhere, by the rule of Microsoft's playback, on times alone.

Every track has a pointer. After a seek the pointers are unset: the next capture begins at each track's first image at
or after the sought time, the previous one at the last before it. Images that belong to the capture but lie on the other
side of the sought time are fetched too, so that a seek into the middle of a capture gives the whole of it.
Source: how libk4arecord 1.4 plays back (``matroska_read.cpp``); the conformance tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genlock.recording.grouping import MISSING, SyncTimes

__all__ = ["Playhead"]

Group = tuple[int, ...]  # (T,) for each track its image's number, or MISSING


class Playhead:
    """A place between two captures."""

    def __init__(self, times: Sequence[SyncTimes], period_nsec: int) -> None:
        """At the beginning.

        Args:
            times: of each track's images, ns, delays taken out, in the file's order.
            period_nsec: the frame period.
        """
        self._times = [track.tolist() for track in times]
        # A seek finds the first image whose time is not before the target, wherever late ones were written.
        self._reached = [np.maximum.accumulate(track) if len(track) else track for track in times]
        self._half_nsec = max(period_nsec // 2, 1)
        self._places: list[int | None] = []
        self._found: list[int] = []
        self.seek(0)

    def seek(self, nsec: int) -> None:
        """Goes between the last capture before a block time and the first at or after it."""
        self._found = [int(np.searchsorted(track, nsec)) for track in self._reached]
        self._places = [None] * len(self._times)

    def next(self) -> Group | None:
        """The capture after this place, and goes behind it; ``None`` at the end."""
        numbers = self._step(1)
        starts = self._times_of(numbers)
        if not starts:
            return None
        start_nsec = min(starts)
        group = [self._if_within(track, number, start_nsec) for track, number in enumerate(numbers)]
        end_nsec = max(self._times_of(group))
        for track, number in enumerate(group):
            if self._may_fill(track, number):
                group[track] = self._if_within(track, self._found[track] - 1, end_nsec)
        return self._arrive(group)

    def previous(self) -> Group | None:
        """The capture before this place, and goes before it; ``None`` at the beginning."""
        numbers = self._step(-1)
        ends = self._times_of(numbers)
        if not ends:
            return None
        end_nsec = max(ends)
        group = [self._if_within(track, number, end_nsec) for track, number in enumerate(numbers)]
        start_nsec = min(self._times_of(group))
        filled = False
        for track, number in enumerate(group):
            if self._may_fill(track, number):
                group[track] = self._if_within(track, self._found[track], start_nsec)
                filled |= group[track] != MISSING
        arrived = self._arrive(group)
        # A seek into the middle of a capture: that capture counts as the next one.
        return self.previous() if filled else arrived

    def _step(self, direction: int) -> list[int]:
        """The number one further in each track; -1 or the track's length where it has ended, which then is its place.

        Such a track ended for good: it does not take part in filling.
        """
        numbers = []
        for track, place in enumerate(self._places):
            count = len(self._times[track])
            if place is None:
                number = self._found[track] if direction > 0 else self._found[track] - 1
            else:
                number = min(max(place + direction, -1), count)
            if not 0 <= number < count:
                self._places[track] = number
            numbers.append(number)
        return numbers

    def _time(self, track: int, number: int) -> int | None:
        times = self._times[track]
        return times[number] if 0 <= number < len(times) else None

    def _times_of(self, numbers: Sequence[int]) -> list[int]:
        times = (self._time(track, number) for track, number in enumerate(numbers))
        return [time for time in times if time is not None]

    def _if_within(self, track: int, number: int, nsec: int) -> int:
        time = self._time(track, number)
        return number if time is not None and abs(time - nsec) < self._half_nsec else MISSING

    def _may_fill(self, track: int, number: int) -> bool:
        return number == MISSING and self._places[track] is None

    def _arrive(self, group: Sequence[int]) -> Group:
        for track, number in enumerate(group):
            if number != MISSING:
                self._places[track] = number
        return tuple(group)
