"""What one recording holds, told from the file alone: tracks, tags, times, gaps, damage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genlock.findings import Finding, Severity
from genlock.k4a import DeviceConfig, start_refusals, usec_from_ticks
from genlock.recording.layout import FIRST_OFFSET_PAST_PLAYBACK_USEC, IMAGE_TRACKS, Track, TrackName
from genlock.recording.provenance import comes_from_virtual_rig
from genlock.recording.reader import RecordingReader
from genlock.recording.table import CaptureStamps, TimesUsec

__all__ = ["DepthDelay", "RecordingInspection", "TrackInspection", "inspect_recording"]

_GAP_PERIODS = 1.5
"""From here on an image is missing: the SDK's own throughput test counts so."""
_FEWEST_IMAGES_WITH_A_RATE = 3


@dataclass(frozen=True, slots=True)
class TrackInspection:
    """One track."""

    name: str
    role: str | None
    """The part it plays; ``None`` for a custom track that genlock does not know."""
    codec: str
    """The codec's id, and the pixel format where there is one."""
    width_px: int
    height_px: int
    blocks: int | None
    """Images or blocks of samples; ``None`` for a track without a known part, which is not walked."""
    first_usec: int | None
    """Device time of the first block; ``None`` when there is none."""
    last_usec: int | None
    fps: float | None
    """The rate between neighbours (the median); ``None`` for anything but images, or when there are too few."""
    gaps: int
    """How often the next image came 1.5 periods late or later."""
    missing: int
    """How many images these gaps swallowed."""
    longest_gap_usec: int


@dataclass(frozen=True, slots=True)
class DepthDelay:
    """How far the depth lies behind the color."""

    configured_usec: int
    expected_usec: int
    """What the device makes of it: whole ticks of 90 kHz."""
    measured_usec: float | None
    """The median; ``None`` when no capture has both."""


@dataclass(frozen=True, slots=True)
class RecordingInspection:
    """Everything that ``genlock inspect`` tells."""

    path: Path
    size_bytes: int
    writing_app: str
    serial: str | None
    config: DeviceConfig
    is_simulated: bool
    start_offset_usec: int
    duration_usec: int
    tracks: tuple[TrackInspection, ...]
    tags: Mapping[str, str]
    captures: int
    complete_captures: int
    """Those that hold an image of every image track."""
    partial_captures: int
    depth_delay: DepthDelay | None
    """``None`` unless both cameras ran."""
    imu_samples: int
    imu_hz: float | None
    """``None`` when there are too few samples."""
    has_calibration: bool
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "format_version": 1,
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "writing_app": self.writing_app,
            "serial": self.serial,
            "is_simulated": self.is_simulated,
            "config": config_to_json(self.config),
            "start_offset_usec": self.start_offset_usec,
            "duration_usec": self.duration_usec,
            "captures": self.captures,
            "complete_captures": self.complete_captures,
            "partial_captures": self.partial_captures,
            "depth_delay": _fields(self.depth_delay) if self.depth_delay else None,
            "imu_samples": self.imu_samples,
            "imu_hz": self.imu_hz,
            "has_calibration": self.has_calibration,
            "tracks": [_fields(track) for track in self.tracks],
            "tags": dict(self.tags),
            "findings": [finding.to_json() for finding in self.findings],
        }

    def to_text(self) -> str:
        """The same for people, several lines; the findings are left to whoever prints it."""
        return "\n".join(_text_lines(self))


def inspect_recording(path: Path) -> RecordingInspection:
    """Looks into one recording. Raises ``RecordingError`` when it cannot be opened."""
    with RecordingReader(path) as reader:
        stamps = reader.stamps()
        images = [role for role in IMAGE_TRACKS if role in reader.roles]
        complete = _complete_captures(reader, images)
        tracks = tuple(_inspect_track(reader, track) for track in reader.tracks)
        imu_usec = reader.imu_usec()
        delay = _depth_delay(reader.config, stamps)
        return RecordingInspection(
            path=path,
            size_bytes=path.stat().st_size,
            writing_app=reader.writing_app,
            serial=reader.serial,
            config=reader.config,
            is_simulated=comes_from_virtual_rig(reader.tags, reader.calibration),
            start_offset_usec=reader.start_offset_usec,
            duration_usec=reader.duration_usec,
            tracks=tracks,
            tags=dict(reader.tags),
            captures=len(stamps.color_usec),
            complete_captures=complete,
            partial_captures=len(stamps.color_usec) - complete,
            depth_delay=delay,
            imu_samples=len(imu_usec),
            imu_hz=_rate(imu_usec),
            has_calibration=reader.calibration is not None,
            findings=(*reader.findings, *_findings(reader, tracks, len(stamps.color_usec), complete)),
        )


def config_to_json(config: DeviceConfig) -> dict[str, object]:
    """A configuration by the SDK's names."""
    return {
        "color_format": config.color_format.value,
        "color_resolution": config.color_resolution.value,
        "depth_mode": config.depth_mode.value,
        "camera_fps": int(config.camera_fps),
        "depth_delay_off_color_usec": config.depth_delay_off_color_usec,
        "wired_sync_mode": config.wired_sync_mode.value,
        "subordinate_delay_off_master_usec": config.subordinate_delay_off_master_usec,
    }


def _fields(value: TrackInspection | DepthDelay) -> dict[str, object]:
    return {name: getattr(value, name) for name in value.__slots__}


def _complete_captures(reader: RecordingReader, images: list[TrackName]) -> int:
    return int(np.count_nonzero(reader.has_image().all(axis=1))) if images else 0


def _inspect_track(reader: RecordingReader, track: Track) -> TrackInspection:
    role = next((role for role, played in reader.roles.items() if played == track), None)
    usec = reader.image_usec(role) if role is not None else np.empty(0, np.int64)
    period_usec = reader.config.camera_fps.period_usec
    steps_usec = np.diff(usec) if role in IMAGE_TRACKS else np.empty(0, np.int64)
    gaps_usec = steps_usec[steps_usec >= _GAP_PERIODS * period_usec]
    return TrackInspection(
        name=track.name,
        role=role.value if role is not None else None,
        codec=f"{track.codec_id} {track.fourcc}".strip(),
        width_px=track.width_px,
        height_px=track.height_px,
        blocks=len(usec) if role is not None else None,
        first_usec=int(usec[0]) if len(usec) else None,
        last_usec=int(usec[-1]) if len(usec) else None,
        fps=_rate(usec) if role in IMAGE_TRACKS else None,
        gaps=len(gaps_usec),
        missing=int(np.sum(np.rint(gaps_usec / period_usec) - 1)),
        longest_gap_usec=int(gaps_usec.max(initial=0)),
    )


def _rate(usec: TimesUsec) -> float | None:
    """Events a second by the median distance of neighbours."""
    if len(usec) < _FEWEST_IMAGES_WITH_A_RATE:
        return None
    median_usec = float(np.median(np.diff(usec)))
    return round(1e6 / median_usec, 3) if median_usec > 0 else None


def _depth_delay(config: DeviceConfig, stamps: CaptureStamps) -> DepthDelay | None:
    if not (config.has_color and config.has_depth_camera):
        return None
    both = (stamps.color_usec != -1) & (stamps.depth_usec != -1)
    distances = (stamps.depth_usec - stamps.color_usec)[both]
    return DepthDelay(
        configured_usec=config.depth_delay_off_color_usec,
        expected_usec=usec_from_ticks(config.depth_delay_off_color_ticks),
        measured_usec=float(np.median(distances)) if len(distances) else None,
    )


# ---- findings ----------------------------------------------------------------------------------------------------


def _findings(
    reader: RecordingReader, tracks: tuple[TrackInspection, ...], captures: int, complete: int
) -> Iterator[Finding]:
    where = reader.path.name
    for refusal in start_refusals(reader.config):
        yield Finding(
            "recording.impossible_configuration",
            Severity.WARNING,
            where,
            f"no device starts with the configuration in its tags: {refusal.message}",
            "A program that had no device wrote these tags; do not rely on them.",
        )
    yield from _calibration_findings(reader, where)
    if reader.start_offset_usec >= FIRST_OFFSET_PAST_PLAYBACK_USEC:
        yield Finding(
            "recording.start_offset_past_playback",
            Severity.WARNING,
            where,
            f"its first sample lies {reader.start_offset_usec / 60e6:.1f} min after the device clock's zero; "
            "Microsoft's playback keeps that time in 32 bits and shows it less multiples of 71.6 min",
            "genlock reads it right. For Microsoft's tools restart the take, so that the clocks begin at zero again.",
        )
    for track in tracks:
        if track.gaps:
            yield Finding(
                "recording.gaps",
                Severity.WARNING,
                f"{where}, track {track.name}",
                f"{track.missing} images are missing in {track.gaps} gaps; the longest lasts "
                f"{track.longest_gap_usec / 1000:.1f} ms",
                "Look at USB bandwidth (one controller a device), at the disk, and at the processor's load.",
            )
    if 0 < captures < _FEWEST_IMAGES_WITH_A_RATE:
        yield Finding(
            "recording.too_short_to_judge",
            Severity.INFO,
            where,
            f"rate, gaps and synchronization cannot be judged from {captures} capture{'s' if captures > 1 else ''}",
            "Record for some seconds.",
        )
    elif captures > complete:
        yield Finding(
            "recording.partial_captures",
            Severity.INFO,
            where,
            f"{captures - complete} of {captures} captures lack an image that other captures have",
            "A few at the start and the end are normal; many of them mean lost images.",
        )


def _calibration_findings(reader: RecordingReader, where: str) -> Iterator[Finding]:
    calibration = reader.calibration
    if calibration is None:
        yield Finding(
            "recording.no_calibration",
            Severity.WARNING,
            where,
            "the device's factory calibration is not attached: depth cannot be turned into points",
            "Attach calibration.json of the same device; Microsoft's recorder does it when it is given a device.",
        )
        return
    try:
        serial = json.loads(calibration)["CalibrationInformation"]["Metadata"]["SerialId"]
    except (ValueError, KeyError, TypeError):
        return
    # Equal in the one real recording at hand. # unverified on hardware: that it is so for every unit
    if reader.serial is not None and isinstance(serial, str) and serial != reader.serial:
        yield Finding(
            "recording.calibration_of_another_device",
            Severity.WARNING,
            where,
            f"the attached calibration says that it belongs to device {serial}; the recording says {reader.serial}",
            "Make sure that the calibration is this device's before using it.",
        )


# ---- text --------------------------------------------------------------------------------------------------------


_TABLE_ROW = "  {:<14} {:<22} {:>10} {:>7} {:>14} {:>14} {:>7} {:>7}"


def _text_lines(found: RecordingInspection) -> Iterator[str]:
    config = found.config
    yield f"{found.path}{'   SIMULATED' if found.is_simulated else ''}"
    yield (
        f"  device {found.serial or 'unknown'}, {config.wired_sync_mode}, written by {found.writing_app or 'unknown'}, "
        f"{found.size_bytes / 1e6:.1f} MB"
    )
    yield (
        f"  color {config.color_resolution} {config.color_format}, depth {config.depth_mode}, {config.camera_fps} fps, "
        f"subordinate delay {config.subordinate_delay_off_master_usec} us"
    )
    yield f"  {found.duration_usec / 1e6:.3f} s from device time {found.start_offset_usec} us"
    yield f"  {found.captures} captures, {found.complete_captures} complete, {found.partial_captures} partial"
    if found.depth_delay is not None:
        delay = found.depth_delay
        measured = "nothing to measure" if delay.measured_usec is None else f"measured {delay.measured_usec:g} us"
        configured = f"configured {delay.configured_usec} us = {delay.expected_usec} us in ticks"
        yield f"  depth off color: {configured}, {measured}"
    if found.imu_samples:
        rate = f" at {found.imu_hz:g} Hz" if found.imu_hz else ""
        yield f"  {found.imu_samples} inertial samples{rate}"
    yield f"  calibration {'attached' if found.has_calibration else 'missing'}"
    yield ""
    yield _TABLE_ROW.format("track", "codec", "size", "blocks", "first us", "last us", "fps", "missing")
    for track in found.tracks:
        yield _TABLE_ROW.format(
            track.name,
            track.codec,
            f"{track.width_px}x{track.height_px}" if track.width_px else "",
            *(_cell(value) for value in (track.blocks, track.first_usec, track.last_usec)),
            "" if track.fps is None else f"{track.fps:.2f}",
            track.missing if track.role in IMAGE_TRACKS else "",
        ).rstrip()
    yield ""
    yield from (f"  {name} = {value}" for name, value in found.tags.items())


def _cell(value: int | None) -> str:
    return "" if value is None else str(value)
