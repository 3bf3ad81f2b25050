"""Writes recordings anew from what others hold: every payload byte as it is, clusters, sizes, checksums and cues fresh.

Repair, trim, split and merge are this and a choice: which files, which stretch of time, which start offset. A stretch
never cuts a capture: a capture belongs to it by its moment on the master's color time (its color image less the
device's delays, else its depth image less its delays), with all its images; so the same moments of all devices of a
take stay together. Everything else belongs to it by its own device time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genlock.errors import RecordingError
from genlock.recording.atomic import new_file
from genlock.recording.clusters import IMU_SAMPLE
from genlock.recording.ebml import MalformedElementError
from genlock.recording.index import TrackBlocks
from genlock.recording.lacing import unlace
from genlock.recording.layout import IMAGE_TRACKS, NSEC_PER_USEC, Tag, TrackName
from genlock.recording.muxer import Muxer, MuxerSummary
from genlock.recording.reader import RecordingReader
from genlock.recording.stamps_track import decode_stamp_records
from genlock.sync import normalise_usec

__all__ = ["EVERYTHING", "Span", "capture_usec", "rewrite"]

_LACING_BITS = 0x06
_LONGEST_LACE_USEC = 10_000_000
"""256 samples at 1.6 kHz are a sixth of a second; a sample further from its block's first has a damaged time."""
_START_OFFSET = "K4A_START_OFFSET_NS"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of device time, on the master's color time: from one moment up to, not including, another."""

    from_usec: int | None = None
    """``None``: from the beginning."""
    until_usec: int | None = None
    """``None``: to the end."""

    def holds(self, usec: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N,) which of the times lie in it."""
        inside = np.ones(len(usec), np.bool_)
        if self.from_usec is not None:
            inside &= usec >= self.from_usec
        if self.until_usec is not None:
            inside &= usec < self.until_usec
        return inside

    def overlaps(self, first_usec: int, last_usec: int) -> bool:
        """Whether any moment from the first to the last lies in it."""
        begins_before = self.until_usec is None or first_usec < self.until_usec
        return begins_before and (self.from_usec is None or self.from_usec <= last_usec)


EVERYTHING = Span()


def capture_usec(reader: RecordingReader) -> NDArray[np.int64]:
    """(N,) the moment of each capture on the master's color time, by the delays that the device was told to keep."""
    stamps = reader.stamps()
    return normalise_usec(reader.config, stamps.color_usec, stamps.depth_usec)


def rewrite(
    readers: Sequence[RecordingReader],
    path: Path,
    *,
    span: Span = EVERYTHING,
    start_offset_usec: int | None = None,
    tags: Mapping[str, str] | None = None,
) -> MuxerSummary:
    """Writes one recording from one, or from several of the same device and epoch in order.

    Args:
        readers: open recordings with the same tracks.
        path: a file that does not exist yet; it appears when it is whole.
        span: what to take.
        start_offset_usec: device time of every source's block time 0, when a source does not know it itself.
        tags: tags to set; of the others the first source's are kept.

    Raises:
        RecordingError: the tracks differ, or the target exists.
        OSError: the disk refused.
    """
    first = readers[0]
    for reader in readers[1:]:
        if _shape(reader) != _shape(first):
            raise RecordingError(reader.path, f"has other tracks than {first.path}: they are no parts of one recording")
    document = first.stored.document
    new_tags = dict(tags or {})
    kept_tags = [tag for tag in document.tags if tag.name != _START_OFFSET and tag.name not in new_tags]
    offset_usec = first.start_offset_usec if start_offset_usec is None else start_offset_usec
    try:
        with new_file(path) as temporary:
            muxer = Muxer(
                temporary,
                document.tracks,
                (*kept_tags, *(Tag(name, value) for name, value in new_tags.items())),
                document.attachments,
                start_offset_usec=offset_usec,
            )
            try:
                for reader in readers:
                    _copy(reader, muxer, span, reader.start_offset_usec if start_offset_usec is None else offset_usec)
            finally:
                summary = muxer.close()
    except FileExistsError as error:
        raise RecordingError(path, "exists already and is not written over; name another file.") from error
    return summary


def _shape(reader: RecordingReader) -> list[tuple[object, ...]]:
    return [(t.number, t.name, t.codec_id, t.codec_private) for t in reader.stored.document.tracks]


def _copy(reader: RecordingReader, muxer: Muxer, span: Span, offset_usec: int) -> None:
    """All blocks of the span in order of time, whatever order they are stored in."""
    source, index = reader.stored.source, reader.stored.index
    numbers = {track.number: role for role, track in reader.roles.items()}
    tracks = sorted(index.tracks)
    chosen = {track: _chosen(reader, numbers.get(track), index.tracks[track], span, offset_usec) for track in tracks}
    if not any(len(found) for found in chosen.values()):
        return
    track_of = np.concatenate([np.full(len(chosen[track]), track) for track in tracks])
    block_of = np.concatenate([chosen[track] for track in tracks])
    nsec = np.concatenate([np.frombuffer(index.tracks[track].nsec, np.int64)[chosen[track]] for track in tracks])
    for place in np.argsort(nsec, kind="stable").tolist():
        track, number = int(track_of[place]), int(block_of[place])
        blocks = index.tracks[track]
        payload = source.read_at(blocks.offsets[number], blocks.sizes[number])
        flags = blocks.flags[number]
        usec = int(nsec[place]) // NSEC_PER_USEC + offset_usec
        if numbers.get(track) is TrackName.IMU:
            for sample_usec, sample in _imu_samples(payload, flags, usec, span):
                muxer.add(sample_usec, track, sample, is_imu=True)
        elif flags & _LACING_BITS:
            duration_usec = blocks.durations_nsec[number] // NSEC_PER_USEC
            muxer.add(usec, track, payload, lacing_flags=flags & _LACING_BITS, duration_usec=duration_usec)
        else:
            muxer.add(usec, track, payload)
        muxer.write_ready()


def _chosen(
    reader: RecordingReader, role: TrackName | None, blocks: TrackBlocks, span: Span, offset_usec: int
) -> NDArray[np.int64]:
    """(n,) the numbers of a track's blocks that belong to the span."""
    usec = np.frombuffer(blocks.nsec, np.int64) // NSEC_PER_USEC + offset_usec
    if role in IMAGE_TRACKS:
        column = [name for name in IMAGE_TRACKS if name in reader.roles].index(role)
        shift_usec = offset_usec - reader.start_offset_usec
        found = reader.groups[span.holds(capture_usec(reader) + shift_usec)][:, column]
        return found[found >= 0]
    if role is TrackName.GENLOCK_STAMPS:
        records = decode_stamp_records(bytes(blocks.kept))
        if len(records) == len(usec):
            usec = normalise_usec(
                reader.config,
                records["color_usec"],
                np.where(records["ir_usec"] < 0, records["depth_usec"], records["ir_usec"]),
            )
    if role is TrackName.IMU:  # blocks hold up to a fifth of a second: their samples are looked at one by one
        return np.arange(len(usec))
    return np.flatnonzero(span.holds(usec))


def _imu_samples(payload: bytes, flags: int, usec: int, span: Span) -> Iterator[tuple[int, bytes]]:
    """The samples of a block and their times: the block's, and their own distance from its first."""
    try:
        samples = [sample for sample in unlace(payload, flags) if len(sample) == IMU_SAMPLE.size]
    except MalformedElementError:
        return
    own_usec = [int(IMU_SAMPLE.unpack(sample)[0]) // NSEC_PER_USEC for sample in samples]
    later_usec = [own - own_usec[0] for own in own_usec]
    times = np.array([usec + (later if 0 <= later <= _LONGEST_LACE_USEC else 0) for later in later_usec], np.int64)
    for inside, sample_usec, sample in zip(span.holds(times).tolist(), times.tolist(), samples, strict=True):
        if inside:
            yield sample_usec, sample
