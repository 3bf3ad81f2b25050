"""Sorts samples of several tracks into clusters, within a bounded window of time and memory."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from genlock.recording.clusters import CLUSTER_USEC, Payload, Sample

__all__ = ["REORDER_WINDOW_USEC", "ReorderQueue"]

REORDER_WINDOW_USEC = 500_000
"""How long a silent track holds back the others: as far as the SDK's own queue reaches, 15 images at 30 fps."""

_MAX_PENDING_BYTES = 64 << 20
"""Images that wait for their cluster; a bound for stamps that do not advance. Two captures of 2160P take 10 MB."""


class ReorderQueue:
    """Samples that wait, sorted by time, until nothing that belongs before them can be expected any more.

    That is so when every track has moved past the end of the earliest sample's cluster, or when the newest sample is
    ``REORDER_WINDOW_USEC`` ahead of it: a track that is silent, or was switched on and never spoke, holds back no more.
    """

    def __init__(self, track_numbers: Iterable[int]) -> None:
        """Takes the tracks that are waited for: those with a steady stream of their own."""
        self._reached_usec = dict.fromkeys(track_numbers, -1)
        self._samples: list[Sample] = []
        self._bytes = 0
        self._given = 0
        self._newest_usec = -1

    def __len__(self) -> int:
        """How many samples wait."""
        return len(self._samples)

    def add(
        self,
        usec: int,
        track_number: int,
        payload: Payload,
        *,
        is_imu: bool = False,
        lacing_flags: int = 0,
        duration_usec: int = 0,
    ) -> None:
        """One sample; of equal times the one that was given first stays first."""
        insort(self._samples, Sample(usec, self._given, track_number, payload, is_imu, lacing_flags, duration_usec))
        self._given += 1
        self._bytes += len(payload)
        self._newest_usec = max(self._newest_usec, usec)
        if track_number in self._reached_usec:
            self._reached_usec[track_number] = max(self._reached_usec[track_number], usec)

    @property
    def size_bytes(self) -> int:
        """How many payload bytes wait."""
        return self._bytes

    @property
    def first_usec(self) -> int | None:
        """Time of the earliest sample that waits; ``None`` when none does."""
        return self._samples[0].usec if self._samples else None

    @property
    def is_ready(self) -> bool:
        """Whether the earliest samples need not wait any longer."""
        if not self._samples:
            return False
        first_usec = self._samples[0].usec
        return (
            min(self._reached_usec.values(), default=-1) >= first_usec + CLUSTER_USEC
            or self._newest_usec - first_usec >= REORDER_WINDOW_USEC
            or self._bytes > _MAX_PENDING_BYTES
        )

    def take(self) -> list[Sample]:
        """The samples of the earliest cluster, sorted; there is one at least."""
        end_usec = self._samples[0].usec + CLUSTER_USEC
        count = bisect_left(self._samples, end_usec, key=lambda sample: sample.usec)
        taken = self._samples[:count]
        del self._samples[:count]
        self._bytes -= sum(len(sample.payload) for sample in taken)
        return taken
