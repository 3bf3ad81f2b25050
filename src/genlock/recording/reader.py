"""Reads one device's recording: genlock's, the SDK's, a damaged one.

Opening reads the header alone. What is asked of times walks the clusters once and touches no image; images are read one
by one, as they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Capture, Image, ImuSample
from genlock.errors import RecordingError
from genlock.findings import Finding
from genlock.k4a import DeviceConfig, image_bytes
from genlock.recording.clusters import IMU_SAMPLE
from genlock.recording.cursor import CaptureCursor
from genlock.recording.damage import damage_findings
from genlock.recording.document import Document, read_document
from genlock.recording.ebml import MalformedElementError
from genlock.recording.grouping import MISSING, CaptureGroups, SyncTimes, group_images
from genlock.recording.images import ImageLoader, ImageViewer
from genlock.recording.index import BlockIndex, TrackBlocks, scan_blocks
from genlock.recording.lacing import unlace
from genlock.recording.layout import (
    CALIBRATION_FILE,
    IMAGE_TRACKS,
    NSEC_PER_USEC,
    LayoutError,
    TagTarget,
    Track,
    TrackName,
    find_config,
    find_roles,
    image_formats,
)
from genlock.recording.playhead import Playhead
from genlock.recording.source import FileSource
from genlock.recording.stamps_track import STAMP_RECORD, StampRecords, decode_stamp_records, find_records

__all__ = ["CaptureStamps", "DataBlock", "RecordingReader"]

TimesUsec = NDArray[np.int64]  # (N,), device time in us

_MAX_IMU_BLOCK_BYTES = 1 << 16
"""A block holds 256 samples of 40 bytes at most; longer ones are damage."""


@dataclass(frozen=True, slots=True, eq=False)
class CaptureStamps:
    """The times of every capture, without images."""

    color_usec: TimesUsec
    """(N,) device time of the color image, -1 where the capture has none."""
    depth_usec: TimesUsec
    """(N,) device time of the depth and IR images, -1 where the capture has neither."""
    arrival_nsec: NDArray[np.int64]
    """(N,) host time at which the last of the capture's images arrived, -1 where nobody wrote it down."""


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

    def __init__(self, path: Path) -> None:
        """Opens the file and reads its header.

        Raises:
            RecordingError: no file, no MKV, no recording that the SDK's playback would accept, or one that is cut
                before anything in it can be read.
        """
        self._path = path
        self._source = FileSource(path)
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
        """Safe twice."""
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
        blocks = self._blocks.get(track)
        if blocks is None:
            return np.empty(0, np.int64)
        return np.frombuffer(blocks.nsec, np.int64) // NSEC_PER_USEC + self.start_offset_usec

    def stamps(self) -> CaptureStamps:
        """The times of every capture that ``captures`` would give, without reading any image."""
        times = {}
        arrivals = np.full(len(self._groups), -1, np.int64)
        for column, role in enumerate(self._image_roles):
            numbers = self._groups[:, column]
            times[role] = _taken(self.image_usec(role), numbers)
            np.maximum(arrivals, _taken(self._arrivals_nsec[role], numbers), out=arrivals)
        nothing = np.full(len(self._groups), -1, np.int64)
        depth = times.get(TrackName.DEPTH, nothing)
        infrared = times.get(TrackName.IR, nothing)
        return CaptureStamps(
            color_usec=times.get(TrackName.COLOR, nothing),
            depth_usec=np.where(infrared == -1, depth, infrared),
            arrival_nsec=arrivals,
        )

    def exposures_usec(self) -> NDArray[np.int64]:
        """(N,) exposure of each capture's color image, as the device reported it; 0 where nobody wrote it down."""
        if TrackName.COLOR not in self._image_roles:
            return np.zeros(len(self._groups), np.int64)
        numbers = self._groups[:, self._image_roles.index(TrackName.COLOR)]
        recorded = _taken(self._records["exposure_usec"].astype(np.int64), self._record_numbers[TrackName.COLOR])
        return np.maximum(_taken(recorded, numbers), 0)

    @property
    def groups(self) -> CaptureGroups:
        """(N, T) for each capture and image track, in the order COLOR, DEPTH, IR, the image's number or -1."""
        return self._groups

    def has_image(self) -> NDArray[np.bool_]:
        """(N, T) whether each capture has an image of each image track, in the order COLOR, DEPTH, IR."""
        return np.not_equal(self._groups, MISSING)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is damaged or missing, found by walking the whole file once; empty for a whole recording."""
        return damage_findings(
            self._path.name,
            self._document,
            self._index,
            has_images=any(len(self._blocks[role].nsec) for role in self._image_roles),
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
        return self._captures(start_usec, ImageLoader(self._source, self._roles, self._blocks, self._formats))

    def views(self, start_usec: int | None = None) -> Iterator[Capture]:
        """The same captures without a copy: their arrays are read-only views of the file, mapped into memory.

        Depth and IR are big-endian there (dtype ``>u2``), which numpy computes with as they are. Pages are read when
        they are looked at; if the disk goes away or the file shrinks then, the system ends the process: for whatever
        must not die use ``captures``. The views stay good after ``close``.
        """
        return self._captures(start_usec, ImageViewer(self._path, self._roles, self._blocks, self._formats))

    def cursor(self) -> CaptureCursor:
        """A place in the recording that moves by itself; any number of them at the same time."""
        loader = ImageLoader(self._source, self._roles, self._blocks, self._formats)
        return CaptureCursor(
            self._playhead(),
            lambda group: self._capture(self._index_of(group), group, loader),
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

    def _captures(self, start_usec: int | None, loader: ImageLoader | ImageViewer) -> Iterator[Capture]:
        if start_usec is None:
            for index, group in enumerate(self._groups.tolist()):
                yield self._capture(index, group, loader)
            return
        playhead = self._playhead()
        playhead.seek(max(0, start_usec - self.start_offset_usec) * NSEC_PER_USEC)
        while (found := playhead.next()) is not None:
            yield self._capture(self._index_of(found), found, loader)

    def _capture(self, index: int, group: Sequence[int], loader: ImageLoader | ImageViewer) -> Capture:
        images: dict[TrackName, Image] = {}
        temperature_c = float("nan")
        for role, number in zip(self._image_roles, group, strict=True):
            if number == MISSING:
                continue
            record = self._record_of(role, number)
            images[role] = loader.image(role, number, self._image_times[role][number], record)
            if record is not None:
                temperature_c = float(record["temperature_c"])
        return Capture(
            serial=self.serial or self._path.stem,
            index=index,
            color=images.get(TrackName.COLOR),
            depth=images.get(TrackName.DEPTH),
            ir=images.get(TrackName.IR),
            temperature_c=temperature_c,
        )

    def _playhead(self) -> Playhead:
        return Playhead(self._sync_times, self._period_nsec)

    def _index_of(self, group: Sequence[int]) -> int:
        """Which of ``captures`` holds the group's first image."""
        column, number = next((column, number) for column, number in enumerate(group) if number != MISSING)
        return int(self._rows_of_images[column][number])

    @cached_property
    def _rows_of_images(self) -> tuple[NDArray[np.int64], ...]:
        """For each image track, by the image's number, the row in the groups."""
        return tuple(np.flatnonzero(column != MISSING) for column in self._groups.T)

    @cached_property
    def _image_times(self) -> dict[TrackName, list[int]]:
        return {role: self.image_usec(role).tolist() for role in self._image_roles}

    # ---- the walk over the file, once ---------------------------------------------------------------------------

    @cached_property
    def _index(self) -> BlockIndex:
        """The blocks of every track."""
        columns = {track.number: TrackBlocks(may_lace=True) for track in self._document.tracks}
        for role, track in self._roles.items():
            image_format = self._formats.get(role)
            expected = image_bytes(image_format, track.width_px, track.height_px) if image_format else None
            columns[track.number] = TrackBlocks(
                image_bytes=expected,
                may_lace=role is TrackName.IMU,
                keep_bytes=STAMP_RECORD.itemsize if role is TrackName.GENLOCK_STAMPS else 0,
            )
        return scan_blocks(self._source, self._document, columns)

    @cached_property
    def _blocks(self) -> dict[TrackName, TrackBlocks]:
        return {role: self._index.tracks[track.number] for role, track in self._roles.items()}

    @cached_property
    def _image_roles(self) -> tuple[TrackName, ...]:
        return tuple(role for role in IMAGE_TRACKS if role in self._roles)

    @cached_property
    def _sync_times(self) -> list[SyncTimes]:
        """Of each image track, block times in ns without the configured delay."""
        delay_nsec = self._config.depth_delay_off_color_usec * NSEC_PER_USEC
        times = []
        for role in self._image_roles:
            waits_nsec = max(delay_nsec, 0) if role is TrackName.COLOR else max(-delay_nsec, 0)
            times.append(np.frombuffer(self._blocks[role].nsec, np.int64) + waits_nsec)
        return times

    @property
    def _period_nsec(self) -> int:
        tagged_nsec = self._roles[self._image_roles[0]].frame_period_nsec if self._image_roles else 0
        return tagged_nsec or self._config.camera_fps.period_usec * NSEC_PER_USEC

    @cached_property
    def _groups(self) -> CaptureGroups:
        if not self._image_roles:
            return np.empty((0, 0), np.int64)
        return group_images(self._sync_times, self._period_nsec)

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

    # ---- genlock's own track ------------------------------------------------------------------------------------

    @cached_property
    def _records(self) -> StampRecords:
        blocks = self._blocks.get(TrackName.GENLOCK_STAMPS)
        return decode_stamp_records(bytes(blocks.kept) if blocks is not None else b"")

    @cached_property
    def _record_numbers(self) -> dict[TrackName, NDArray[np.int64]]:
        return {role: find_records(self._records, role.lower(), self.image_usec(role)) for role in self._image_roles}

    def _record_of(self, role: TrackName, number: int) -> np.void | None:
        record = self._record_numbers[role][number]
        return None if record == MISSING else self._records[record]

    @cached_property
    def _arrivals_nsec(self) -> dict[TrackName, NDArray[np.int64]]:
        arrivals = {}
        for role, numbers in self._record_numbers.items():
            recorded = _taken(self._records[f"{role.lower()}_arrival_nsec"], numbers)
            arrivals[role] = np.where(recorded > 0, recorded, -1)
        return arrivals


def _taken(values: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values by number; -1 where the number is MISSING."""
    if len(values) == 0:
        return np.full(len(numbers), -1, np.int64)
    return np.where(numbers == MISSING, -1, values[np.maximum(numbers, 0)])


def _tagged_nsec(tags: Mapping[str, str]) -> int | None:
    text = tags.get("K4A_START_OFFSET_NS")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise LayoutError(f"its tag K4A_START_OFFSET_NS should be a number of nanoseconds; it says {text!r}")
    return int(text)
