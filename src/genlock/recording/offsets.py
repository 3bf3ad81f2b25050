"""What device time block time 0 stands for, in a recording whose recorder did not come to write it down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from genlock.errors import RecordingError
from genlock.recording.clusters import IMU_SAMPLE
from genlock.recording.layout import NSEC_PER_USEC, TrackName
from genlock.recording.reader import RecordingReader
from genlock.recording.stamps_track import STAMP_RECORD

__all__ = ["OffsetEstimate", "OffsetSource", "find_offsets", "sidecar_path"]


class OffsetSource(StrEnum):
    """Where a start offset comes from, the surest first."""

    OPTION = "option"
    """Somebody said so."""
    TAG = "tag"
    """The recording's own tag."""
    IMU = "imu"
    """Inertial samples carry absolute device time, their blocks relative time."""
    STAMPS = "stamps"
    """So do the records of genlock's own track."""
    SIDECAR = "sidecar"
    """A file beside the recording, which somebody wrote."""
    NONE = "none"
    """Nothing tells."""


@dataclass(frozen=True, slots=True)
class OffsetEstimate:
    """One answer."""

    source: OffsetSource
    offset_usec: int
    witnesses: int
    """How many blocks say so; 1 for what was said once."""
    spread_usec: int
    """How far the witnesses lie apart; 0 means that all agree."""

    @property
    def is_certain(self) -> bool:
        """Whether nothing is guessed: a tag, an option, or at least three witnesses that agree to the microsecond."""
        if self.source in (OffsetSource.OPTION, OffsetSource.TAG):
            return True
        return self.witnesses >= _FEWEST_WITNESSES and self.spread_usec <= 1

    def to_json(self) -> dict[str, object]:
        """The estimate in an answer of the command line."""
        return {
            "source": self.source.value,
            "offset_usec": self.offset_usec,
            "witnesses": self.witnesses,
            "spread_usec": self.spread_usec,
            "is_certain": self.is_certain,
        }


_FEWEST_WITNESSES = 3
_MAX_WITNESSES = 10_000


def sidecar_path(recording: Path) -> Path:
    """Where a side-car lies: ``take.mkv.json``, an object with ``start_offset_usec``."""
    return recording.with_name(recording.name + ".json")


def find_offsets(reader: RecordingReader, option_usec: int | None = None) -> tuple[OffsetEstimate, ...]:
    """Every answer there is, the surest first; empty when nothing tells.

    Raises:
        RecordingError: there is a side-car that does not say it.
    """
    return tuple(_estimates(reader, option_usec))


def _estimates(reader: RecordingReader, option_usec: int | None) -> Iterator[OffsetEstimate]:
    if option_usec is not None:
        yield OffsetEstimate(OffsetSource.OPTION, option_usec, 1, 0)
    if "K4A_START_OFFSET_NS" in reader.tags:
        yield OffsetEstimate(OffsetSource.TAG, reader.start_offset_usec, 1, 0)
    for source, offsets_usec in ((OffsetSource.IMU, _by_imu(reader)), (OffsetSource.STAMPS, _by_stamps(reader))):
        plausible = [offset for offset in offsets_usec if offset >= 0]
        if plausible:
            spread_usec = max(plausible) - min(plausible)
            yield OffsetEstimate(source, int(np.median(plausible)), len(plausible), spread_usec)
    sidecar = sidecar_path(reader.path)
    if sidecar.exists():
        yield OffsetEstimate(OffsetSource.SIDECAR, _read_sidecar(sidecar), 1, 0)


def _by_imu(reader: RecordingReader) -> list[int]:
    track = reader.roles.get(TrackName.IMU)
    if track is None:
        return []
    source, index = reader.stored.source, reader.stored.index
    blocks = index.tracks[track.number]
    offsets = []
    for number in range(min(len(blocks.nsec), _MAX_WITNESSES)):
        is_laced = bool(blocks.flags[number])
        # Lacing of one fixed size puts one byte before the samples; others are not what recorders write.
        sample = source.read_at(blocks.offsets[number] + is_laced, 8)
        if blocks.sizes[number] >= IMU_SAMPLE.size and len(sample) == 8:
            offsets.append((int.from_bytes(sample, "little") - blocks.nsec[number]) // NSEC_PER_USEC)
    return offsets


def _by_stamps(reader: RecordingReader) -> list[int]:
    track = reader.roles.get(TrackName.GENLOCK_STAMPS)
    if track is None:
        return []
    blocks = reader.stored.index.tracks[track.number]
    records = np.frombuffer(bytes(blocks.kept), STAMP_RECORD)
    times = np.stack([records[f"{image}_usec"] for image in ("color", "depth", "ir")], axis=-1)
    earliest_usec = np.where(times < 0, np.iinfo(np.int64).max, times).min(axis=-1)
    known = (times >= 0).any(axis=-1)
    offsets = earliest_usec[known] - np.frombuffer(blocks.nsec, np.int64)[known] // NSEC_PER_USEC
    return [int(offset) for offset in offsets[:_MAX_WITNESSES]]


def _read_sidecar(path: Path) -> int:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordingError(path, f"is no side-car that can be read: {error}") from error
    usec = content.get("start_offset_usec") if isinstance(content, dict) else None
    if not isinstance(usec, int) or isinstance(usec, bool) or usec < 0:
        raise RecordingError(path, 'is no side-car: expected an object with "start_offset_usec", a whole number >= 0')
    return usec
