"""Reads one device's recording: genlock's, the SDK's, a damaged one.

Opening reads the header alone. What is asked of times walks the clusters once and touches no image; images are read one
by one, as they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Capture, ImuSample
from genlock.errors import RecordingError
from genlock.findings import Finding
from genlock.k4a import DeviceConfig, image_bytes
from genlock.recording.ahead import ReadAhead
from genlock.recording.clusters import IMU_SAMPLE
from genlock.recording.cursor import CaptureCursor
from genlock.recording.damage import damage_findings
from genlock.recording.document import Document, read_document
from genlock.recording.ebml import MalformedElementError
from genlock.recording.grouping import MISSING, CaptureGroups
from genlock.recording.images import ImageLoader, ImageViewer
from genlock.recording.index import BlockIndex, TrackBlocks, scan_blocks, scan_stretch
from genlock.recording.lacing import unlace
from genlock.recording.layout import (
    CALIBRATION_FILE,
    NSEC_PER_USEC,
    LayoutError,
    TagTarget,
    Track,
    TrackName,
    find_config,
    find_roles,
    image_formats,
)
from genlock.recording.source import FileSource
from genlock.recording.stamps_track import STAMP_RECORD
from genlock.recording.table import CaptureStamps, CaptureTable, TimesUsec

__all__ = ["DataBlock", "RecordingReader"]

_MAX_IMU_BLOCK_BYTES = 1 << 16
"""A block holds 256 samples of 40 bytes at most; longer ones are damage."""


_REORDER_NSEC = 2_000_000_000
"""What belongs to one moment lies no further apart in the file: libk4arecord keeps a cluster open for so long."""


class DataBlock(NamedTuple):
    """A sample of a track, as it is stored."""

    usec: int
    """Device time."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording below its meaning: where which bytes lie."""

    source: FileSource
    document: Document
    index: BlockIndex


class RecordingReader:
    """One recording. A context manager; one thread at a time."""

    def __init__(self, path: Path | str) -> None:
        """Opens the file and reads its header.

        Raises:
            RecordingError: no file, no MKV, no recording that the SDK's playback would accept, or one that is cut
                before anything in it can be read.
        """
        self._path = path = Path(path)
        self._source = FileSource(path)
        self._readings: WeakSet[ReadAhead[Capture]] = WeakSet()
        try:
            self._document = read_document(self._source, path)
            self._tag_values = self._document.tag_values()
            self._roles = find_roles(self._document.tracks, self._document.tags)
            self._config = find_config(self._roles, self._tag_values)
            self._formats = image_formats(self._roles)
            self._tagged_offset_nsec = _tagged_nsec(self._tag_values)
        except LayoutError as error:
            self._source.close()
            raise RecordingError(path, f"is no Azure Kinect recording that can be played back: {error}") from error
        except BaseException:
            self._source.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends iterations that are under way; safe twice."""
        for reading in list(self._readings):
            reading.close()
        self._source.close()

    # ---- what the header says -----------------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def config(self) -> DeviceConfig:
        """What the SDK's playback would answer; what the format does not hold has its default."""
        return self._config

    @property
    def serial(self) -> str | None:
        """The device's serial number; ``None`` when the recorder had no device."""
        return self._tag_values.get("K4A_DEVICE_SERIAL_NUMBER")

    @property
    def tags(self) -> Mapping[str, str]:
        """Every tag's value by name."""
        return MappingProxyType(self._tag_values)

    @property
    def tracks(self) -> Sequence[Track]:
        """Every track, in the file's order."""
        return self._document.tracks

    @property
    def roles(self) -> Mapping[TrackName, Track]:
        """Which track plays which part."""
        return MappingProxyType(self._roles)

    @property
    def writing_app(self) -> str:
        """The program that wrote the file; empty when it did not come to say so."""
        return self._document.writing_app

    @property
    def calibration(self) -> bytes | None:
        """The factory calibration, JSON without the trailing NUL; ``None`` when it is not attached."""
        attachments = self._document.attachments
        tag = next((tag for tag in self._document.tags if tag.name == "K4A_CALIBRATION_FILE"), None)
        if tag is not None and tag.target is TagTarget.ATTACHMENT:
            tagged = next((a for a in attachments if a.uid == tag.target_uid), None)
            if tagged is not None:
                return tagged.content
        return next((a.content for a in attachments if a.name == CALIBRATION_FILE), None)

    @property
    def stored(self) -> StoredRecording:
        """Everything as it is stored, for whoever writes it anew."""
        return StoredRecording(self._source, self._document, self._index)

    # ---- times --------------------------------------------------------------------------------------------------

    @cached_property
    def start_offset_usec(self) -> int:
        """Device time of block time 0."""
        if self._tagged_offset_nsec is not None:
            return self._tagged_offset_nsec // NSEC_PER_USEC
        return self._recovered_offset_usec or 0

    @property
    def duration_usec(self) -> int:
        """From the start offset to the last sample of any track, as playback answers it."""
        return self._index.last_nsec // NSEC_PER_USEC

    def image_usec(self, track: TrackName) -> TimesUsec:
        """(N,) device times of a track's blocks, in the file's order; empty without such a track."""
        return self._table.image_usec(track)

    def stamps(self) -> CaptureStamps:
        """The times of every capture that ``captures`` would give, without reading any image."""
        return self._table.stamps()

    def exposures_usec(self) -> NDArray[np.int64]:
        """(N,) exposure of each capture's color image, as the device reported it; 0 where nobody wrote it down."""
        return self._table.exposures_usec()

    @property
    def groups(self) -> CaptureGroups:
        """(N, T) for each capture and image track, in the order COLOR, DEPTH, IR, the image's number or -1."""
        return self._table.groups

    def has_image(self) -> NDArray[np.bool_]:
        """(N, T) whether each capture has an image of each image track, in the order COLOR, DEPTH, IR."""
        return np.not_equal(self._table.groups, MISSING)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is damaged or missing, found by walking the whole file once; empty for a whole recording."""
        return damage_findings(
            self._path.name,
            self._document,
            self._index,
            has_images=any(len(self._blocks[role].nsec) for role in self._table.image_roles),
            has_start_offset=self._tagged_offset_nsec is not None,
            recovered_offset_usec=self._recovered_offset_usec,
        )

    # ---- captures -----------------------------------------------------------------------------------------------

    def captures(self, start_usec: int | None = None) -> Iterator[Capture]:
        """The captures in the file's order, grouped as the SDK's playback groups them; ``index`` counts from 0.

        Every array is the caller's own.

        Args:
            start_usec: device time; begins with the first capture that does not lie before it. By default at the first.
        """
        table, loader = self._table, ImageLoader(self._source)
        reading = ReadAhead(partial(table.capture, group, index, loader) for index, group in self._rows(start_usec))
        self._readings.add(reading)
        return iter(reading)

    def views(self, start_usec: int | None = None) -> Iterator[Capture]:
        """The same captures without a copy: their arrays are read-only views of the file, mapped into memory.

        Depth and IR are big-endian there (dtype ``>u2``), which numpy computes with as they are. Pages are read when
        they are looked at; if the disk goes away or the file shrinks then, the system ends the process: for whatever
        must not die use ``captures``. The views stay good after ``close``.
        """
        table, viewer = self._table, ImageViewer(self._path)
        return (table.capture(group, index, viewer) for index, group in self._rows(start_usec))

    def excerpt(self, begin_usec: int, end_usec: int) -> Iterator[Capture]:
        """The captures from one device time up to another, without walking the whole file.

        Finds the place by looking at some twenty clusters, however long the recording is, where everything else that
        asks of times walks all of them once. Therefore ``index`` counts from 0 within the excerpt.

        Args:
            begin_usec: begins with the first capture that does not lie before it.
            end_usec: ends before the first capture none of whose images lies before it.
        """
        begin_nsec, end_nsec = ((usec - self.start_offset_usec) * NSEC_PER_USEC for usec in (begin_usec, end_usec))
        index = scan_stretch(
            self._source, self._document, self._new_columns(), begin_nsec - _REORDER_NSEC, end_nsec + _REORDER_NSEC
        )
        table, loader = self._table_of(index), ImageLoader(self._source)
        playhead = table.playhead()
        playhead.seek(max(0, begin_nsec))
        number = 0
        while (group := playhead.next()) is not None and table.begins_usec(group) < end_usec:
            yield table.capture(group, number, loader)
            number += 1

    def cursor(self) -> CaptureCursor:
        """A place in the recording that moves by itself; any number of them at the same time."""
        table, loader = self._table, ImageLoader(self._source)
        return CaptureCursor(
            table.playhead(),
            lambda group: table.capture(group, table.row_of(group), loader),
            self.start_offset_usec,
            self._index.last_nsec,
        )

    def imu(self, start_usec: int | None = None) -> Iterator[ImuSample]:
        """The inertial samples in the file's order; the format does not keep their temperature.

        Args:
            start_usec: device time; samples before it are left out.
        """
        for sample in self._imu_payloads(start_usec):
            acc_nsec, ax, ay, az, gyro_nsec, gx, gy, gz = IMU_SAMPLE.unpack(sample)
            acc_usec, gyro_usec = acc_nsec // NSEC_PER_USEC, gyro_nsec // NSEC_PER_USEC
            if start_usec is None or acc_usec >= start_usec:
                yield ImuSample(acc_usec, (ax, ay, az), gyro_usec, (gx, gy, gz))

    def imu_usec(self) -> TimesUsec:
        """(N,) accelerometer times of all inertial samples, without the samples."""
        first_bytes = b"".join(sample[:8] for sample in self._imu_payloads())
        return (np.frombuffer(first_bytes, "<u8") // NSEC_PER_USEC).astype(np.int64)

    def blocks(self, track_name: str, start_usec: int | None = None) -> Iterator[DataBlock]:
        """The samples of any track by its name, as they are stored, in the file's order.

        Of several samples in one block the times are spread evenly over the block's duration, as playback does it.

        Raises:
            KeyError: there is no such track.
        """
        track = next((track for track in self._document.tracks if track.name == track_name), None)
        if track is None:
            raise KeyError(track_name)
        columns = self._index.tracks[track.number]
        for number, (offset, size, flags) in enumerate(zip(columns.offsets, columns.sizes, columns.flags, strict=True)):
            try:
                samples = unlace(self._source.read_at(offset, size), flags)
            except MalformedElementError:
                continue
            duration_nsec = columns.durations_nsec[number] if columns.durations_nsec else 0
            step_nsec = max(0, duration_nsec - 1) / max(1, len(samples) - 1)
            for place, sample in enumerate(samples):
                usec = (columns.nsec[number] + int(place * step_nsec)) // NSEC_PER_USEC + self.start_offset_usec
                if start_usec is None or usec >= start_usec:
                    yield DataBlock(usec, sample)

    def _imu_payloads(self, start_usec: int | None = None) -> Iterator[bytes]:
        blocks = self._blocks.get(TrackName.IMU)
        if blocks is None or not blocks.nsec:
            return
        first = 0
        if start_usec is not None:
            nsec = (start_usec - self.start_offset_usec) * NSEC_PER_USEC
            reached = np.maximum.accumulate(np.frombuffer(blocks.nsec, np.int64))
            first = max(0, int(np.searchsorted(reached, nsec)) - 1)  # a block before it may reach into it
        for offset, size, flags in zip(blocks.offsets[first:], blocks.sizes[first:], blocks.flags[first:], strict=True):
            if size > _MAX_IMU_BLOCK_BYTES:
                continue
            try:
                samples = unlace(self._source.read_at(offset, size), flags)
            except MalformedElementError:
                continue
            yield from (sample for sample in samples if len(sample) == IMU_SAMPLE.size)

    def _rows(self, start_usec: int | None) -> Iterator[tuple[int, Sequence[int]]]:
        """Captures as images' numbers, each with its index."""
        if start_usec is None:
            yield from enumerate(self._table.groups.tolist())
            return
        playhead = self._table.playhead()
        playhead.seek(max(0, start_usec - self.start_offset_usec) * NSEC_PER_USEC)
        while (found := playhead.next()) is not None:
            yield self._table.row_of(found), found

    # ---- the walk over the file, once ---------------------------------------------------------------------------

    @cached_property
    def _index(self) -> BlockIndex:
        """The blocks of every track."""
        return scan_blocks(self._source, self._document, self._new_columns())

    def _new_columns(self) -> dict[int, TrackBlocks]:
        """For each track by number, what the walk shall note of its blocks."""
        columns = {track.number: TrackBlocks(may_lace=True) for track in self._document.tracks}
        for role, track in self._roles.items():
            image_format = self._formats.get(role)
            expected = image_bytes(image_format, track.width_px, track.height_px) if image_format else None
            columns[track.number] = TrackBlocks(
                image_bytes=expected,
                may_lace=role is TrackName.IMU,
                keep_bytes=STAMP_RECORD.itemsize if role is TrackName.GENLOCK_STAMPS else 0,
            )
        return columns

    @cached_property
    def _blocks(self) -> dict[TrackName, TrackBlocks]:
        return {role: self._index.tracks[track.number] for role, track in self._roles.items()}

    @cached_property
    def _table(self) -> CaptureTable:
        return self._table_of(self._index)

    def _table_of(self, index: BlockIndex) -> CaptureTable:
        serial = self.serial or self._path.stem
        return CaptureTable(serial, self._config, self._roles, self._formats, index, self.start_offset_usec)

    @cached_property
    def _recovered_offset_usec(self) -> int | None:
        """The start offset of a recording whose recorder did not come to write it.

        Inertial samples carry absolute device time, their blocks relative time: the difference is the offset.
        """
        if self._document.has_info or self._tagged_offset_nsec is not None:
            return None
        blocks = self._blocks.get(TrackName.IMU)
        first = next(iter(self.imu()), None)
        if blocks is None or first is None:
            return None
        offset_usec = first.acc_timestamp_usec - blocks.nsec[0] // NSEC_PER_USEC
        return offset_usec if offset_usec >= 0 else None


def _tagged_nsec(tags: Mapping[str, str]) -> int | None:
    text = tags.get("K4A_START_OFFSET_NS")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise LayoutError(f"its tag K4A_START_OFFSET_NS should be a number of nanoseconds; it says {text!r}")
    return int(text)
