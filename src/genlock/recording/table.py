"""The captures of a recording, or of a stretch of it, as a table: which images make up each, and all their times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Capture
from genlock.k4a import DeviceConfig, ImageFormat
from genlock.recording.grouping import MISSING, CaptureGroups, SyncTimes, group_images
from genlock.recording.images import ColorSettings, ImageSource, TrackImages
from genlock.recording.index import BlockIndex
from genlock.recording.layout import IMAGE_TRACKS, NSEC_PER_USEC, Track, TrackName
from genlock.recording.playhead import Playhead
from genlock.recording.stamps_track import StampRecords, decode_stamp_records, find_records

__all__ = ["CaptureStamps", "CaptureTable", "TimesUsec"]

TimesUsec = NDArray[np.int64]  # (N,), device time in us


@dataclass(frozen=True, slots=True, eq=False)
class CaptureStamps:
    """The times of every capture, without images."""

    color_usec: TimesUsec
    """(N,) device time of the color image, -1 where the capture has none."""
    depth_usec: TimesUsec
    """(N,) device time of the depth and IR images, -1 where the capture has neither."""
    arrival_nsec: NDArray[np.int64]
    """(N,) host time at which the last of the capture's images arrived, -1 where nobody wrote it down."""

    @property
    def begins_usec(self) -> TimesUsec:
        """(N,) device time of each capture's earliest image: from there a seek finds the whole of it."""
        color, depth = self.color_usec, self.depth_usec
        return np.where(color == -1, depth, np.where(depth == -1, color, np.minimum(color, depth)))


@dataclass(frozen=True)
class CaptureTable:
    """Which images make up each capture. Made of times alone; rows count from 0."""

    serial: str
    config: DeviceConfig
    roles: Mapping[TrackName, Track]
    formats: Mapping[TrackName, ImageFormat]
    index: BlockIndex
    start_offset_usec: int

    @cached_property
    def image_roles(self) -> tuple[TrackName, ...]:
        """The image tracks that there are: the columns of ``groups``."""
        return tuple(role for role in IMAGE_TRACKS if role in self.roles)

    def image_usec(self, role: TrackName) -> TimesUsec:
        """(N,) device times of a track's blocks; empty without such a track."""
        if role not in self.roles:
            return np.empty(0, np.int64)
        nsec = np.frombuffer(self.index.tracks[self.roles[role].number].nsec, np.int64)
        return nsec // NSEC_PER_USEC + self.start_offset_usec

    @cached_property
    def groups(self) -> CaptureGroups:
        """(N, T) for each capture and image track, in the order COLOR, DEPTH, IR, the image's number or -1."""
        if not self.image_roles:
            return np.empty((0, 0), np.int64)
        return group_images(self._sync_times, self._period_nsec)

    def stamps(self) -> CaptureStamps:
        """The times of every row."""
        times = {}
        arrivals = np.full(len(self.groups), -1, np.int64)
        for column, role in enumerate(self.image_roles):
            numbers = self.groups[:, column]
            times[role] = _taken(self.image_usec(role), numbers)
            np.maximum(arrivals, _taken(self._arrivals_nsec[role], numbers), out=arrivals)
        nothing = np.full(len(self.groups), -1, np.int64)
        depth = times.get(TrackName.DEPTH, nothing)
        infrared = times.get(TrackName.IR, nothing)
        return CaptureStamps(
            color_usec=times.get(TrackName.COLOR, nothing),
            depth_usec=np.where(infrared == -1, depth, infrared),
            arrival_nsec=arrivals,
        )

    def exposures_usec(self) -> NDArray[np.int64]:
        """(N,) exposure of each row's color image; 0 where nobody wrote it down."""
        if TrackName.COLOR not in self.image_roles:
            return np.zeros(len(self.groups), np.int64)
        numbers = self.groups[:, self.image_roles.index(TrackName.COLOR)]
        recorded = _taken(self._records["exposure_usec"].astype(np.int64), self._record_numbers[TrackName.COLOR])
        return np.maximum(_taken(recorded, numbers), 0)

    def capture(self, group: Sequence[int], index: int, source: ImageSource) -> Capture:
        """One capture with its images.

        Args:
            group: the images' numbers, or MISSING, as in a row of ``groups``.
            index: that it shall have.
            source: of the pixels.
        """
        present = [(role, number) for role, number in zip(self.image_roles, group, strict=True) if number != MISSING]
        found = source.images([(self._images[role], number) for role, number in present])
        images = {role: image for (role, _), image in zip(present, found, strict=True)}
        temperature_c = float("nan")
        for role, number in present:
            record = self._record_lists[role][number]
            if record != MISSING:
                temperature_c = self._temperatures_c[record]
        return Capture(
            serial=self.serial,
            index=index,
            color=images.get(TrackName.COLOR),
            depth=images.get(TrackName.DEPTH),
            ir=images.get(TrackName.IR),
            temperature_c=temperature_c,
        )

    def begins_usec(self, group: Sequence[int]) -> int:
        """Device time of the group's earliest image."""
        return min(
            self._images[role].usec[number]
            for role, number in zip(self.image_roles, group, strict=True)
            if number != MISSING
        )

    def playhead(self) -> Playhead:
        """A place between two rows, at the beginning."""
        return Playhead(self._sync_times, self._period_nsec)

    def row_of(self, group: Sequence[int]) -> int:
        """The row that holds the group's first image."""
        column, number = next((column, number) for column, number in enumerate(group) if number != MISSING)
        return int(self._rows_of_images[column][number])

    @cached_property
    def _rows_of_images(self) -> tuple[NDArray[np.int64], ...]:
        """For each image track, by the image's number, the row in the groups."""
        return tuple(np.flatnonzero(column != MISSING) for column in self.groups.T)

    @cached_property
    def _images(self) -> dict[TrackName, TrackImages]:
        return {role: self._images_of(role) for role in self.image_roles}

    def _images_of(self, role: TrackName) -> TrackImages:
        track, numbers = self.roles[role], self._record_numbers[role]
        settings = None
        if role is TrackName.COLOR and len(self._records):
            recorded = (_taken(self._records[name].astype(np.int64), numbers) for name in ColorSettings._fields)
            columns = (np.maximum(column, 0).tolist() for column in recorded)
            settings = [ColorSettings(*values) for values in zip(*columns, strict=True)]
        gray16 = ">u2" if track.is_big_endian else "<u2"
        return TrackImages(
            image_format=self.formats[role],
            width_px=track.width_px,
            height_px=track.height_px,
            stored_dtype="u1" if role is TrackName.COLOR else gray16,
            blocks=self.index.tracks[track.number],
            usec=self.image_usec(role).tolist(),
            arrivals_nsec=np.maximum(self._arrivals_nsec[role], 0).tolist(),
            settings=settings,
        )

    @cached_property
    def _sync_times(self) -> list[SyncTimes]:
        """Of each image track, block times in ns without the configured delay."""
        delay_nsec = self.config.depth_delay_off_color_usec * NSEC_PER_USEC
        times = []
        for role in self.image_roles:
            waits_nsec = max(delay_nsec, 0) if role is TrackName.COLOR else max(-delay_nsec, 0)
            times.append(np.frombuffer(self.index.tracks[self.roles[role].number].nsec, np.int64) + waits_nsec)
        return times

    @property
    def _period_nsec(self) -> int:
        tagged_nsec = self.roles[self.image_roles[0]].frame_period_nsec if self.image_roles else 0
        return tagged_nsec or self.config.camera_fps.period_usec * NSEC_PER_USEC

    # ---- genlock's own track ------------------------------------------------------------------------------------

    @cached_property
    def _records(self) -> StampRecords:
        track = self.roles.get(TrackName.GENLOCK_STAMPS)
        return decode_stamp_records(bytes(self.index.tracks[track.number].kept) if track is not None else b"")

    @cached_property
    def _temperatures_c(self) -> list[float]:
        return [float(value) for value in self._records["temperature_c"]]

    @cached_property
    def _record_numbers(self) -> dict[TrackName, NDArray[np.int64]]:
        """For each image the record that speaks of it, or MISSING."""
        return {role: find_records(self._records, role.lower(), self.image_usec(role)) for role in self.image_roles}

    @cached_property
    def _record_lists(self) -> dict[TrackName, list[int]]:
        return {role: numbers.tolist() for role, numbers in self._record_numbers.items()}

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
