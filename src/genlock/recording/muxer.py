"""Samples of several tracks into one growing MKV that is complete after every cluster.

Samples of several tracks arrive out of order (the IMU runs ahead of the images by what USB and the depth engine take),
so they wait, sorted, until every track has moved past the end of their cluster, or until the newest is
``REORDER_WINDOW_USEC`` ahead. Then the cluster is written whole, made valid by one last byte, and the header is brought
up to date. Nothing that a reader needs waits for ``close``: it adds the cues, which only make seeking faster.

Where libk4arecord refuses a sample that is older than what it has written, this one puts it into a cluster of its own,
behind: playback reads each track in the order of the file, so nothing is lost. Only what is older than the start
offset, before which block times cannot reach, must go; it is counted. So is what the disk refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from genlock.recording import ids
from genlock.recording.clusters import Cluster, Payload, Sample, encode_cluster
from genlock.recording.cues import CueList
from genlock.recording.digest import DigestFold
from genlock.recording.ebml import encode_id
from genlock.recording.header import FileHeader, Patch
from genlock.recording.layout import NSEC_PER_USEC, Attachment, Tag, Track, TrackName
from genlock.recording.output import OutputFile
from genlock.recording.reorder import ReorderQueue

__all__ = ["Muxer", "MuxerSummary", "WriteLoss"]


@dataclass(frozen=True, slots=True)
class WriteLoss:
    """A stretch of samples that the disk refused."""

    first_usec: int
    last_usec: int
    """Device times of the first and the last lost sample; what lies between may have been written."""
    samples: int
    reason: str
    """What the system said: ``No space left on device``."""


@dataclass(frozen=True, slots=True)
class MuxerSummary:
    """What a finished file holds."""

    size_bytes: int
    start_offset_usec: int
    """Device time of block time 0; 0 when there is no sample."""
    first_usec: int | None
    """Device time of the earliest sample that was written; ``None`` when there is none."""
    last_usec: int | None
    """Of the latest."""
    late_samples: int
    refused_samples: int
    losses: tuple[WriteLoss, ...]
    digest_root: str


class Muxer:
    """One growing file. Calls come from one thread at a time."""

    def __init__(
        self,
        path: Path,
        tracks: Sequence[Track],
        tags: Sequence[Tag],
        attachments: Sequence[Attachment],
        *,
        start_offset_usec: int | None = None,
        on_written: Callable[[Sequence[Sample]], None] = lambda samples: None,
    ) -> None:
        """Creates the file at once. Raises ``FileExistsError``, or ``OSError`` and leaves nothing behind.

        Args:
            path: a file that does not exist yet.
            tracks: in the file's order.
            tags: without the start offset.
            attachments: the calibration, usually.
            start_offset_usec: device time of block time 0; by default the first sample's.
            on_written: called with the samples of each cluster when their payloads are no longer needed.
        """
        self._header = FileHeader(tracks, tags, attachments=attachments, created=datetime.now(UTC))
        # Genlock's own track is not waited for: its records come with the images.
        self._queue = ReorderQueue(track.number for track in tracks if track.name != TrackName.GENLOCK_STAMPS)
        self._cues = CueList(track_number=1, data_offset=self._header.data_offset)
        self._on_written = on_written
        self._first_usec: int | None = None
        self._written_usec = -1
        self._start_offset_usec = start_offset_usec
        self._fold = DigestFold()
        self._late = self._refused = 0
        self._losses: list[WriteLoss] = []
        self._summary: MuxerSummary | None = None
        if start_offset_usec is not None:
            self._header.patch_start_offset(start_offset_usec * NSEC_PER_USEC)
        self._output = OutputFile(path)
        try:
            self._output.append([self._header.content])
        except OSError:
            self._output.close()
            path.unlink()
            raise

    @property
    def is_closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._summary is not None

    @property
    def size_bytes(self) -> int:
        """How long the file is now, with what waits for its cluster."""
        return self._output.size_bytes + self._queue.size_bytes

    @property
    def start_offset_usec(self) -> int | None:
        """Device time of block time 0; ``None`` until it is known."""
        return self._start_offset_usec

    @property
    def earliest_usec(self) -> int | None:
        """The start offset that this file will have: known as soon as there is a sample."""
        return self._queue.first_usec if self._start_offset_usec is None else self._start_offset_usec

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
        """Takes one sample; ``write_ready`` writes it."""
        if self._start_offset_usec is not None and usec < self._start_offset_usec:
            self._refused += 1
            return
        if usec < self._written_usec:
            self._late += 1
        self._queue.add(
            usec, track_number, payload, is_imu=is_imu, lacing_flags=lacing_flags, duration_usec=duration_usec
        )

    def write_ready(self) -> None:
        """Writes what need not wait any longer. Raises ``OSError``; the samples of that cluster are lost, no others."""
        while self._queue.is_ready:
            self._write_cluster()

    def flush(self) -> None:
        """Writes everything that waits. What arrives later with older times follows behind."""
        while self._queue:
            self._write_cluster()

    def close(self) -> MuxerSummary:
        """Writes what waits and the cues, and waits until all of it lies on the disk. Safe twice.

        Raises ``OSError`` when that fails; the file is closed and readable all the same.
        """
        if self._summary is not None:
            return self._summary
        tail = b""
        try:
            self.flush()
            tail = self._write_cues()
            self._output.sync()
        except OSError as error:
            while self._queue:
                self._lose(self._queue.take(), error)
            raise
        finally:
            self._output.close()
            self._summary = self._summarize(tail)
        return self._summary

    @property
    def summary(self) -> MuxerSummary:
        """What the closed file holds. Raises ``ValueError`` while it is open."""
        if self._summary is None:
            raise ValueError("the file is still open")
        return self._summary

    def _write_cluster(self) -> None:
        samples = self._queue.take()
        try:
            cluster, offset = self._append(samples)
        except OSError as error:
            self._lose(samples, error)
            raise
        self._fold.add_cluster(offset, cluster.size_bytes, cluster.content_crc)
        self._cues.add(samples, offset, self._start_offset_usec or 0)
        self._on_written(samples)

    def _append(self, samples: Sequence[Sample]) -> tuple[Cluster, int]:
        start_offset_usec = self._start_offset_usec
        if start_offset_usec is None:
            start_offset_usec = samples[0].usec
            self._output.patch(self._header.patch_start_offset(start_offset_usec * NSEC_PER_USEC))
            self._start_offset_usec = start_offset_usec
        cluster = encode_cluster(samples, start_offset_usec)
        offset = self._output.append(cluster.parts)
        written_usec = max(self._written_usec, cluster.last_usec)
        try:
            self._output.patch(
                self._header.patch_size(self._output.size_bytes),
                self._header.patch_duration(written_usec - start_offset_usec),
                Patch(offset, encode_id(ids.CLUSTER)[:1]),  # last: the one byte that makes it a cluster
            )
        except OSError:
            with suppress(OSError):  # the disk is gone: the cluster stays unfinished, which every reader skips
                self._output.truncate(offset)
            raise
        self._written_usec = written_usec
        self._first_usec = cluster.first_usec if self._first_usec is None else min(cluster.first_usec, self._first_usec)
        return cluster, offset

    def _lose(self, samples: Sequence[Sample], error: OSError) -> None:
        reason = error.strerror or str(error)
        loss = WriteLoss(samples[0].usec, samples[-1].usec, len(samples), reason)
        last = self._losses[-1] if self._losses else None
        # What was lost without anything written in between is one loss.
        if last is not None and last.reason == reason and self._written_usec < last.first_usec:
            last_usec = max(last.last_usec, loss.last_usec)
            loss = WriteLoss(last.first_usec, last_usec, last.samples + loss.samples, reason)
            self._losses.pop()
        self._losses.append(loss)

    def _write_cues(self) -> bytes:
        cues = self._cues.encode()
        if cues:
            offset = self._output.append([cues])
            self._output.patch(self._header.patch_size(self._output.size_bytes), self._header.patch_cues(offset))
        return cues

    def _summarize(self, tail: bytes) -> MuxerSummary:
        return MuxerSummary(
            size_bytes=self._output.size_bytes,
            start_offset_usec=self._start_offset_usec or 0,
            first_usec=self._first_usec,
            last_usec=self._written_usec if self._first_usec is not None else None,
            late_samples=self._late,
            refused_samples=self._refused,
            losses=tuple(self._losses),
            digest_root=self._fold.root(self._header.content, tail),
        )
