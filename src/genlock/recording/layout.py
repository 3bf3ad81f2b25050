"""What makes a Matroska file an Azure Kinect recording: track names, codec headers, tags.

Source: the recordings that Microsoft's libk4arecord 1.4 writes, and the rules by which its playback reads them. Both
directions stand side by side here: ``make_tracks`` and ``make_tags`` say what is written for a configuration,
``find_config`` what playback would answer for what was read.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from genlock.k4a import (
    COLOR_GEOMETRY,
    DEPTH_GEOMETRY,
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    ImageFormat,
    WiredSyncMode,
    image_bytes,
)

__all__ = [
    "ALLOWED_NAME",
    "CALIBRATION_FILE",
    "IMAGE_TRACKS",
    "FIRST_OFFSET_PAST_PLAYBACK_USEC",
    "NSEC_PER_USEC",
    "Attachment",
    "CustomTrack",
    "LayoutError",
    "Tag",
    "TagTarget",
    "Track",
    "TrackName",
    "TrackType",
    "find_config",
    "find_roles",
    "image_format_of",
    "image_formats",
    "make_tags",
    "make_tracks",
    "named_uid",
]

_Value = TypeVar("_Value")

NSEC_PER_USEC = 1_000
NSEC_PER_SEC = 1_000_000_000
_MAX_DELAY_NSEC = (1 << 31) * NSEC_PER_USEC
"""The SDK keeps delays in 32 bits of microseconds."""
CALIBRATION_FILE = "calibration.json"

FIRST_OFFSET_PAST_PLAYBACK_USEC = 1 << 32
"""Microsoft's playback keeps the start offset in 32 bits: from here on (71.6 min of device clock) it wraps."""


class LayoutError(ValueError):
    """A Matroska file that is no recording which playback would accept; the message says what is wrong."""


class TrackName(StrEnum):
    """The tracks that genlock knows."""

    COLOR = "COLOR"
    DEPTH = "DEPTH"
    IR = "IR"
    IMU = "IMU"
    GENLOCK_STAMPS = "GENLOCK_STAMPS"
    """What the format leaves out of a capture; see ``stamps_track.py``."""


IMAGE_TRACKS = (TrackName.COLOR, TrackName.DEPTH, TrackName.IR)
"""Those that captures are made of, in the SDK's order."""


class TrackType:
    """Matroska's track types, those that recordings use."""

    VIDEO = 1
    SUBTITLE = 17


@dataclass(frozen=True, slots=True)
class CustomTrack:
    """A track of somebody's own, beside the images: what else a set-up measures, on the device's clock."""

    name: str
    """A-Z, 0-9, - and _."""
    codec_id: str
    """What its blocks are, for whoever reads them: ``S_STUDIO/TIMECODE``."""
    codec_private: bytes = b""


@dataclass(frozen=True, slots=True)
class Track:
    """One track's entry."""

    number: int
    uid: int
    name: str
    track_type: int
    codec_id: str
    codec_private: bytes = b""
    frame_period_nsec: int = 0
    """0 where a track has no steady rate."""
    width_px: int = 0
    height_px: int = 0

    @property
    def fourcc(self) -> str:
        """The pixel format inside the codec header; empty where there is none."""
        return self.codec_private[16:20].decode("latin-1") if len(self.codec_private) >= _BITMAP_HEADER.size else ""

    @property
    def is_big_endian(self) -> bool:
        """Whether 16-bit pixels are stored big-endian."""
        return self.fourcc == _DEPTH_FOURCC


def image_format_of(role: TrackName, track: Track) -> ImageFormat | None:
    """What a track's blocks hold in its role; ``None`` for a pixel format that nobody records."""
    if role in (TrackName.DEPTH, TrackName.IR):
        # Early recordings hold little-endian depth that calls itself YUY2.
        is_gray16 = track.fourcc in (_DEPTH_FOURCC, "YUY2")
        return (ImageFormat.DEPTH16 if role is TrackName.DEPTH else ImageFormat.IR16) if is_gray16 else None
    return _FORMAT_BY_FOURCC.get(track.fourcc)


ALLOWED_NAME = re.compile(r"[A-Z0-9_-]+")
"""The names of tags and tracks that the SDK allows."""
_CODEC_VIDEO = "V_MS/VFW/FOURCC"
_CODEC_IMU = "S_K4A/IMU"
_CODEC_STAMPS = "S_GENLOCK/STAMPS"
_DEPTH_FOURCC = "b16g"
_LEGACY_IR_NAME = "DEPTH_IR"

# BITMAPINFOHEADER: size, width, height, planes, bit count, fourcc, image size, four fields that stay zero.
_BITMAP_HEADER = struct.Struct("<IIIHH4sI4I")

_FOURCC = {
    ImageFormat.MJPG: ("MJPG", 24),
    ImageFormat.NV12: ("NV12", 12),
    ImageFormat.YUY2: ("YUY2", 16),
    ImageFormat.BGRA32: ("BGRA", 32),
    ImageFormat.DEPTH16: (_DEPTH_FOURCC, 16),
    ImageFormat.IR16: (_DEPTH_FOURCC, 16),
}
_FORMAT_BY_FOURCC = {fourcc: image_format for image_format, (fourcc, _) in _FOURCC.items() if fourcc != _DEPTH_FOURCC}

# "NFOV_2x2BINNED" is how early recordings spell it.
_DEPTH_MODE_BY_TAG = {mode.value: mode for mode in DepthMode if mode is not DepthMode.OFF} | {
    "NFOV_2x2BINNED": DepthMode.NFOV_2X2BINNED,
    "WFOV_2x2BINNED": DepthMode.WFOV_2X2BINNED,
}


def named_uid(name: str) -> int:
    """A 63-bit id for a track or an attachment: unique within a file, and the same in every file."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1 | 1


# ---- writing -----------------------------------------------------------------------------------------------------


def make_tracks(config: DeviceConfig, *, imu: bool, custom: Sequence[CustomTrack] = ()) -> tuple[Track, ...]:
    """The tracks of a recording, in the SDK's order: COLOR, DEPTH, IR, IMU, then genlock's own, then the caller's.

    Raises:
        ValueError: a custom track has a name that is taken, or that the SDK does not allow.
    """
    period_nsec = NSEC_PER_SEC // config.camera_fps
    tracks: list[Track] = []

    def add(name: TrackName, track_type: int, codec_id: str, codec_private: bytes = b"", **video: int) -> None:
        tracks.append(Track(len(tracks) + 1, named_uid(name), name.value, track_type, codec_id, codec_private, **video))

    def add_video(name: TrackName, image_format: ImageFormat, width_px: int, height_px: int) -> None:
        header = _bitmap_header(image_format, width_px, height_px)
        video = {"frame_period_nsec": period_nsec, "width_px": width_px, "height_px": height_px}
        add(name, TrackType.VIDEO, _CODEC_VIDEO, header, **video)

    if config.has_color:
        color = COLOR_GEOMETRY[config.color_resolution]
        add_video(TrackName.COLOR, config.color_format, color.width_px, color.height_px)
    if config.has_depth_camera:
        depth = DEPTH_GEOMETRY[config.depth_mode]
        if depth.has_depth:
            add_video(TrackName.DEPTH, ImageFormat.DEPTH16, depth.width_px, depth.height_px)
        add_video(TrackName.IR, ImageFormat.IR16, depth.width_px, depth.height_px)
    if imu:
        add(TrackName.IMU, TrackType.SUBTITLE, _CODEC_IMU)
    add(TrackName.GENLOCK_STAMPS, TrackType.SUBTITLE, _CODEC_STAMPS)
    for track in custom:
        if track.name in {*TrackName, *(known.name for known in tracks)} or not ALLOWED_NAME.fullmatch(track.name):
            raise ValueError(f"a custom track has a name of its own, of A-Z, 0-9, - and _; this is {track.name!r}")
        number, uid = len(tracks) + 1, named_uid(track.name)
        tracks.append(Track(number, uid, track.name, TrackType.SUBTITLE, track.codec_id, track.codec_private))
    return tuple(tracks)


def _bitmap_header(image_format: ImageFormat, width_px: int, height_px: int) -> bytes:
    fourcc, bit_count = _FOURCC[image_format]
    size_bytes = image_bytes(image_format, width_px, height_px) or 0
    return _BITMAP_HEADER.pack(
        _BITMAP_HEADER.size, width_px, height_px, 1, bit_count, fourcc.encode(), size_bytes, 0, 0, 0, 0
    )


class TagTarget(StrEnum):
    """What a tag speaks of; the value is Matroska's target type."""

    FILE = ""
    TRACK = "TRACK"
    ATTACHMENT = "ATTACHMENT"


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of the recording."""

    name: str
    value: str
    target: TagTarget = TagTarget.FILE
    target_uid: int = 0


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file."""

    name: str
    uid: int
    content: bytes


def make_tags(
    config: DeviceConfig,
    tracks: Iterable[Track],
    *,
    serial: str | None,
    has_calibration: bool,
    color_firmware: str | None,
    depth_firmware: str | None,
) -> tuple[Tag, ...]:
    """The tags that libk4arecord would write, and the one that announces genlock's own track.

    The start offset is not among them: it is known only once data has come.
    """
    return (
        *_track_tags(config, tracks),
        *_sync_tags(config),
        *_device_tags(serial, color_firmware, depth_firmware, has_calibration=has_calibration),
    )


def _track_tags(config: DeviceConfig, tracks: Iterable[Track]) -> Iterable[Tag]:
    depth_mode = config.depth_mode.value
    passive = config.depth_mode is DepthMode.PASSIVE_IR
    mode_by_track: dict[str, tuple[str, str]] = {
        TrackName.COLOR: ("K4A_COLOR_MODE", _color_mode(config)),
        TrackName.DEPTH: ("K4A_DEPTH_MODE", depth_mode),
        TrackName.IR: ("K4A_IR_MODE", "PASSIVE" if passive else "ACTIVE"),
        TrackName.IMU: ("K4A_IMU_MODE", "ON"),
    }
    for track in tracks:
        if track.name not in mode_by_track:
            yield Tag(f"K4A_CUSTOM_TRACK_{track.name}", str(track.uid), TagTarget.TRACK, track.uid)
            continue
        name = TrackName(track.name)
        yield Tag(f"K4A_{name}_TRACK", str(track.uid), TagTarget.TRACK, track.uid)
        yield Tag(*mode_by_track[name], TagTarget.TRACK, track.uid)
    if passive:
        yield Tag("K4A_DEPTH_MODE", depth_mode)  # there is no DEPTH track that it could belong to


def _color_mode(config: DeviceConfig) -> str:
    if not config.has_color:
        return ""
    fourcc, _ = _FOURCC[config.color_format]
    return f"{fourcc}_{COLOR_GEOMETRY[config.color_resolution].height_px}P"


def _sync_tags(config: DeviceConfig) -> Iterable[Tag]:
    if config.has_color and config.has_depth_camera:
        yield Tag("K4A_DEPTH_DELAY_NS", str(config.depth_delay_off_color_usec * NSEC_PER_USEC))
    yield Tag("K4A_WIRED_SYNC_MODE", config.wired_sync_mode.value)
    if config.wired_sync_mode is WiredSyncMode.SUBORDINATE:
        yield Tag("K4A_SUBORDINATE_DELAY_NS", str(config.subordinate_delay_off_master_usec * NSEC_PER_USEC))


def _device_tags(
    serial: str | None, color_firmware: str | None, depth_firmware: str | None, *, has_calibration: bool
) -> Iterable[Tag]:
    if color_firmware is not None:
        yield Tag("K4A_COLOR_FIRMWARE_VERSION", color_firmware)
    if depth_firmware is not None:
        yield Tag("K4A_DEPTH_FIRMWARE_VERSION", depth_firmware)
    if serial is not None:
        yield Tag("K4A_DEVICE_SERIAL_NUMBER", serial)
    if has_calibration:
        yield Tag("K4A_CALIBRATION_FILE", CALIBRATION_FILE, TagTarget.ATTACHMENT, named_uid(CALIBRATION_FILE))


# ---- reading -----------------------------------------------------------------------------------------------------


def find_roles(tracks: Sequence[Track], tags: Sequence[Tag]) -> dict[TrackName, Track]:
    """Which track plays which part: the one whose uid a tag names, else the one of that name, as playback has it."""
    by_uid = {track.uid: track for track in tracks}
    by_name = {track.name: track for track in reversed(tracks)}
    roles: dict[TrackName, Track] = {}
    for role in TrackName:
        prefix = "K4A_CUSTOM_TRACK_{}" if role is TrackName.GENLOCK_STAMPS else "K4A_{}_TRACK"
        tag = next((tag for tag in tags if tag.name == prefix.format(role)), None)
        track = by_uid.get(_named_track_uid(tag)) if tag is not None else None
        track = track or by_name.get(role.value)
        if track is None and role is TrackName.IR:
            track = by_name.get(_LEGACY_IR_NAME)
        is_image = role in IMAGE_TRACKS
        if track in roles.values():
            continue  # damage: no track plays two parts
        if track is not None and is_image == (track.track_type == TrackType.VIDEO):
            roles[role] = track
    return roles


def image_formats(roles: Mapping[TrackName, Track]) -> dict[TrackName, ImageFormat]:
    """What each image track's blocks hold. Raises ``LayoutError`` for a pixel format that the SDK does not record."""
    formats = {}
    for role in IMAGE_TRACKS:
        if role in roles:
            image_format = image_format_of(role, roles[role])
            if image_format is None:
                raise LayoutError(
                    f"the {role} track's pixel format {roles[role].fourcc!r} is none that the SDK records"
                )
            formats[role] = image_format
    return formats


def _named_track_uid(tag: Tag) -> int:
    if tag.target is TagTarget.TRACK and tag.target_uid:
        return tag.target_uid
    return int(tag.value) if tag.value.isdecimal() and len(tag.value) <= 20 else 0


def find_config(tracks: Mapping[TrackName, Track], tags: Mapping[str, str]) -> DeviceConfig:
    """The configuration that playback would answer. Raises ``LayoutError`` where playback would refuse the file.

    Args:
        tracks: the tracks with a known role.
        tags: every tag by name, the first of each name.
    """
    color = tracks.get(TrackName.COLOR)
    sync_mode = _tag_value(tags, "K4A_WIRED_SYNC_MODE", {mode.value: mode for mode in WiredSyncMode})
    sync_mode = sync_mode or WiredSyncMode.STANDALONE
    is_subordinate = sync_mode is WiredSyncMode.SUBORDINATE
    formats = image_formats(tracks)
    return DeviceConfig(
        color_format=formats.get(TrackName.COLOR, ImageFormat.MJPG),
        color_resolution=_color_resolution(color),
        depth_mode=_depth_mode(tracks, tags),
        camera_fps=_camera_fps(tracks.values()),
        depth_delay_off_color_usec=_tag_usec(tags, "K4A_DEPTH_DELAY_NS"),
        wired_sync_mode=sync_mode,
        subordinate_delay_off_master_usec=_tag_usec(tags, "K4A_SUBORDINATE_DELAY_NS") if is_subordinate else 0,
    )


def _color_resolution(color: Track | None) -> ColorResolution:
    """By the track's size; OFF for a size that no device delivers, as playback has it."""
    if color is None:
        return ColorResolution.OFF
    size = (color.width_px, color.height_px)
    if color.width_px % 2 or color.height_px % 2:
        raise LayoutError(f"the COLOR track's size {color.width_px}x{color.height_px} is none of a camera")
    sizes = {(geometry.width_px, geometry.height_px): mode for mode, geometry in COLOR_GEOMETRY.items()}
    return sizes.get(size, ColorResolution.OFF)


def _depth_mode(tracks: Mapping[TrackName, Track], tags: Mapping[str, str]) -> DepthMode:
    mode = _tag_value(tags, "K4A_DEPTH_MODE", _DEPTH_MODE_BY_TAG)
    images = [(name, tracks[name]) for name in (TrackName.DEPTH, TrackName.IR) if name in tracks]
    if mode is None:
        if images:
            raise LayoutError("there is a DEPTH or IR track but no K4A_DEPTH_MODE tag")
        return DepthMode.OFF
    geometry = DEPTH_GEOMETRY[mode]
    for name, track in images:
        if (track.width_px, track.height_px) != (geometry.width_px, geometry.height_px):
            raise LayoutError(
                f"the {name} track is {track.width_px}x{track.height_px} px; "
                f"{mode} means {geometry.width_px}x{geometry.height_px}"
            )
    return mode


def _camera_fps(tracks: Iterable[Track]) -> CameraFps:
    periods_nsec = {track.frame_period_nsec for track in tracks if track.track_type == TrackType.VIDEO}
    if len(periods_nsec) > 1:
        raise LayoutError(f"its video tracks run at different rates: frame periods of {sorted(periods_nsec)} ns")
    period_nsec = periods_nsec.pop() if periods_nsec else 0
    if period_nsec == 0:
        return CameraFps.FPS_30  # what playback answers for a recording without video
    fps = NSEC_PER_SEC // period_nsec
    if fps not in list(CameraFps):
        raise LayoutError(f"its frame period of {period_nsec} ns is {fps} fps; an Azure Kinect runs at 5, 15 or 30")
    return CameraFps(fps)


def _tag_value(tags: Mapping[str, str], name: str, values: Mapping[str, _Value]) -> _Value | None:
    text = tags.get(name)
    if text is None:
        return None
    if text not in values:
        raise LayoutError(f"its tag {name} says {text!r}; known are {', '.join(values)}")
    return values[text]


def _tag_usec(tags: Mapping[str, str], name: str) -> int:
    text = tags.get(name, "0")
    try:
        nsec = int(text)
    except ValueError:
        raise LayoutError(f"its tag {name} should be a number of nanoseconds; it says {text!r}") from None
    if abs(nsec) > _MAX_DELAY_NSEC:
        raise LayoutError(f"its tag {name} says {nsec} ns: no delay is that long")
    return nsec // NSEC_PER_USEC if nsec >= 0 else -(-nsec // NSEC_PER_USEC)
