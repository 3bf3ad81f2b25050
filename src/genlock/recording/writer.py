"""Writes one device's recording: captures, inertial samples and custom blocks into an Azure Kinect MKV.

The file is complete after every cluster; see ``muxer.py`` for how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np

from genlock.capture import Capture, Image, ImuSample
from genlock.k4a import DeviceConfig, image_bytes
from genlock.recording.clusters import Payload, Sample, encode_imu_sample
from genlock.recording.layout import (
    ALLOWED_NAME,
    CALIBRATION_FILE,
    Attachment,
    CustomTrack,
    Tag,
    Track,
    TrackName,
    image_format_of,
    make_tags,
    make_tracks,
    named_uid,
)
from genlock.recording.muxer import Muxer, WriteLoss
from genlock.recording.reorder import REORDER_WINDOW_USEC
from genlock.recording.stamps_track import encode_stamp_record

__all__ = ["REORDER_WINDOW_USEC", "RecordingSummary", "RecordingWriter"]

_MAX_SPARE_BUFFERS = 8
_NO_TAGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """What a finished recording holds."""

    path: Path
    size_bytes: int
    captures: int
    imu_samples: int
    start_offset_usec: int
    """Device time of block time 0, the first sample's of the epoch; 0 when there is none."""
    duration_usec: int
    """From the start offset to the last sample."""
    late_samples: int
    """Written behind their time, because they came more than ``REORDER_WINDOW_USEC`` late. Nothing is lost."""
    refused_samples: int
    """Lost, because they were older than the recording's first cluster."""
    losses: tuple[WriteLoss, ...]
    """What the disk refused."""
    digest_root: str
    """See ``digest.py``."""

    @property
    def unwritten_samples(self) -> int:
        """Lost, because the disk refused their cluster."""
        return sum(loss.samples for loss in self.losses)


class RecordingWriter:
    """One growing MKV. Calls come from one thread at a time; a context manager.

    Images are taken as they are: a capture's arrays must not change once it was handed over.
    """

    def __init__(
        self,
        path: Path | str,
        config: DeviceConfig,
        *,
        serial: str | None,
        calibration: bytes | None,
        color_firmware: str | None,
        depth_firmware: str | None,
        tags: Mapping[str, str] = _NO_TAGS,
        imu: bool = True,
        custom_tracks: Sequence[CustomTrack] = (),
        start_offset_usec: int | None = None,
    ) -> None:
        """Creates the file at once, so that a folder that cannot be written to is known before the cameras start.

        Args:
            path: a file that does not exist yet; else ``FileExistsError``.
            config: what the device was started with; decides the tracks.
            serial: of the device, for its tag.
            calibration: the factory calibration as the device stores it.
            color_firmware: ``major.minor.iteration``.
            depth_firmware: likewise.
            tags: more tags, by names of A-Z, 0-9, - and _ that do not begin with ``K4A_``.
            imu: whether there is an IMU track.
            custom_tracks: tracks of the caller's own, for ``write_block``.
            start_offset_usec: device time of block time 0, for the later parts of an epoch; by default the first
                sample's.
        """
        tracks = make_tracks(config, imu=imu, custom=custom_tracks)
        file_tags = make_tags(
            config,
            tracks,
            serial=serial,
            has_calibration=calibration is not None,
            color_firmware=color_firmware,
            depth_firmware=depth_firmware,
        )
        more_tags = tuple(_user_tag(name, value) for name, value in tags.items())
        self._path = path = Path(path)
        self._tracks = {track.name: track for track in tracks}
        self._swapped_tracks = {track.number for track in tracks if track.is_big_endian}
        self._spare_buffers: list[memoryview] = []
        self._captures = self._imu_samples = 0
        attached = []
        if calibration is not None:
            attached = [Attachment(CALIBRATION_FILE, named_uid(CALIBRATION_FILE), calibration.rstrip(b"\0"))]
        self._muxer = Muxer(
            path,
            tracks,
            (*file_tags, *more_tags),
            attached,
            start_offset_usec=start_offset_usec,
            on_written=self._keep_buffers,
        )

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def size_bytes(self) -> int:
        """How long the file is now, with what waits for its cluster."""
        return self._muxer.size_bytes

    @property
    def start_offset_usec(self) -> int | None:
        """Device time of block time 0, as far as it can be told from what came so far; ``None`` before anything."""
        return self._muxer.earliest_usec

    def write_capture(self, capture: Capture) -> None:
        """Takes one capture. Raises ``ValueError`` for images that this recording has no track for, ``OSError``."""
        self._refuse_when_closed()
        images = [
            (self._track_of(name, image), image)
            for name, image in (
                (TrackName.COLOR, capture.color),
                (TrackName.DEPTH, capture.depth),
                (TrackName.IR, capture.ir),
            )
            if image is not None
        ]
        if not images:
            return
        payloads = [
            (track.number, image.device_timestamp_usec, self._image_payload(track, image)) for track, image in images
        ]
        stamps = self._tracks[TrackName.GENLOCK_STAMPS]
        earliest_usec = min(image.device_timestamp_usec for image in capture.images)
        self._muxer.add(earliest_usec, stamps.number, encode_stamp_record(capture))
        for track_number, usec, payload in payloads:
            self._muxer.add(usec, track_number, payload)
        self._captures += 1
        self._muxer.write_ready()

    def write_imu(self, samples: Sequence[ImuSample]) -> None:
        """Takes inertial samples, in order. Raises ``ValueError`` when the recording has no IMU track, ``OSError``."""
        self._refuse_when_closed()
        track = self._tracks.get(TrackName.IMU)
        if track is None:
            raise ValueError("this recording was made without an IMU track")
        for sample in samples:
            self._muxer.add(sample.acc_timestamp_usec, track.number, encode_imu_sample(sample), is_imu=True)
        self._imu_samples += len(samples)
        self._muxer.write_ready()

    def write_block(self, track_name: str, usec: int, payload: bytes) -> None:
        """Takes one block of a custom track at a device time. Raises ``ValueError`` without that track, ``OSError``."""
        self._refuse_when_closed()
        track = self._tracks.get(track_name)
        if track is None or track_name in set(TrackName):
            raise ValueError(f"this recording has no custom track {track_name!r}")
        self._muxer.add(usec, track.number, payload)
        self._muxer.write_ready()

    def flush(self) -> None:
        """Writes everything that waits. What arrives later with older times follows behind. Raises ``OSError``."""
        self._refuse_when_closed()
        self._muxer.flush()

    def close(self) -> RecordingSummary:
        """Writes what waits and the cues, and waits until all of it lies on the disk. Safe twice.

        Raises ``OSError`` when that fails; the file is closed and readable all the same, and ``summary`` tells.
        """
        self._muxer.close()
        return self.summary

    @property
    def summary(self) -> RecordingSummary:
        """What the closed recording holds. Raises ``ValueError`` while it is open."""
        muxed = self._muxer.summary
        return RecordingSummary(
            path=self._path,
            size_bytes=muxed.size_bytes,
            captures=self._captures,
            imu_samples=self._imu_samples,
            start_offset_usec=muxed.start_offset_usec,
            duration_usec=muxed.last_usec - muxed.start_offset_usec if muxed.last_usec is not None else 0,
            late_samples=muxed.late_samples,
            refused_samples=muxed.refused_samples,
            losses=muxed.losses,
            digest_root=muxed.digest_root,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- samples in -------------------------------------------------------------------------------------------

    def _refuse_when_closed(self) -> None:
        if self._muxer.is_closed:
            raise ValueError(f"{self._path}: this recording is closed")

    def _track_of(self, name: TrackName, image: Image) -> Track:
        track = self._tracks.get(name)
        if track is None:
            raise ValueError(f"this recording has no {name} track, its configuration had that camera off")
        image_format = image_format_of(name, track)
        if image.image_format is not image_format:
            raise ValueError(f"the {name} track holds {image_format}; this image is {image.image_format}")
        if (image.width_px, image.height_px) != (track.width_px, track.height_px):
            raise ValueError(
                f"the {name} track holds {track.width_px}x{track.height_px} px; "
                f"this image is {image.width_px}x{image.height_px}"
            )
        return track

    def _image_payload(self, track: Track, image: Image) -> Payload:
        if not track.is_big_endian:
            flat = np.ascontiguousarray(image.pixels).reshape(-1).view(np.uint8).data
            expected_bytes = image_bytes(image.image_format, image.width_px, image.height_px)
            if expected_bytes is not None and flat.nbytes != expected_bytes:
                raise ValueError(f"the {track.name} image has {flat.nbytes} bytes; its format means {expected_bytes}")
            return flat
        if image.pixels.dtype != np.uint16 or image.pixels.shape != (track.height_px, track.width_px):
            raise ValueError(
                f"the {track.name} image is {image.pixels.shape} {image.pixels.dtype}; "
                f"expected ({track.height_px}, {track.width_px}) uint16"
            )
        buffer = self._spare_buffers.pop() if self._spare_buffers else np.empty(image.pixels.nbytes, np.uint8).data
        np.copyto(np.frombuffer(buffer, ">u2").reshape(image.pixels.shape), image.pixels)
        return buffer

    def _keep_buffers(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            payload = sample.payload
            if sample.track_number not in self._swapped_tracks or len(self._spare_buffers) >= _MAX_SPARE_BUFFERS:
                continue  # a caller's own array must not be written over
            if isinstance(payload, memoryview):
                self._spare_buffers.append(payload)


def _user_tag(name: str, value: str) -> Tag:
    if not ALLOWED_NAME.fullmatch(name) or name.startswith("K4A_"):
        raise ValueError(f"a tag name has only A-Z, 0-9, - and _, and does not begin with K4A_; this is {name!r}")
    return Tag(name, value)
