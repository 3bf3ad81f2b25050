"""The report: a verdict with every number that it rests on, as one frozen value, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from genlock.findings import Finding
from genlock.k4a import CameraFps, DeviceConfig
from genlock.plan import Plan
from genlock.sync import DriftFit
from genlock.verify.checks import StartOrder
from genlock.verify.diagnosis import Diagnosis
from genlock.verify.lasers import LaserPair
from genlock.verify.measure import TakeMeasures
from genlock.verify.statistics import OffsetStats
from genlock.verify.verdict import (
    GOOD_COMPLETE_RATIO,
    GOOD_USEC,
    MIN_JUDGED_SETS,
    PASS_COMPLETE_RATIO,
    PASS_USEC,
    SetCounts,
    Verdict,
)

__all__ = ["REPORT_FORMAT_VERSION", "DeviceReport", "DropGap", "EpochReport", "FileReport", "Report"]

REPORT_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class DropGap:
    """A run of captures that are not there."""

    from_usec: int
    """The first moment without one, on the master's color time."""
    missing: int
    """How many moments in a row."""


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch of a take in which all devices were started again."""

    number: int
    verdict: Verdict
    reason: str
    sets: SetCounts
    span_sec: float | None

    def to_json(self) -> dict[str, Any]:
        """As it stands in the report's JSON. Any: a JSON value."""
        return {
            "number": self.number,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "sets": self.sets.to_json(),
            "span_sec": self.span_sec,
        }


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file of the take."""

    name: str
    size_bytes: int
    digest: str | None
    """What the session noted when it was written; ``None`` where nobody did."""
    is_intact: bool | None = None
    """Whether every byte is still what was written; ``None``: nobody looked."""


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """The numbers of one device."""

    serial: str
    source: str
    """The names of its files."""
    config: DeviceConfig
    is_reference: bool
    is_simulated: bool
    captures: int
    """All that its recording holds."""
    first_usec: int | None
    last_usec: int | None
    """Time of its first and last capture on the master's color time; ``None`` without any."""
    missing: int
    """Judged sets in which it has no capture."""
    partial: int
    """Judged sets in which its capture lacks an image that its modes promise."""
    extra: int
    """Captures inside the judged span that belong to no set."""
    color: OffsetStats | None
    """Its color against the reference's; ``None`` on the reference itself and without color."""
    depth: OffsetStats | None
    """Its depth against the reference's color; ``None`` without depth."""
    drift: DriftFit | None
    slips: int = 0
    """Judged sets in which its offset is a tick or more other than in the set before: the jitter, counted."""
    gaps: tuple[DropGap, ...] = ()
    """Runs of judged sets without a capture of it, in order of time."""
    lost_from_usec: int | None = None
    """From about when on it did not follow the master; ``None`` when it did throughout."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Its settings and firmware as the recording names them."""
    reported_exposure_usec: float | None = None
    """The exposure that its captures report."""

    def to_json(self) -> dict[str, Any]:
        """The numbers as they stand in the report's JSON."""
        config = self.config
        return {
            "serial": self.serial,
            "source": self.source,
            "is_reference": self.is_reference,
            "is_simulated": self.is_simulated,
            "wired_sync_mode": config.wired_sync_mode.value,
            "depth_mode": config.depth_mode.value,
            "color_resolution": config.color_resolution.value,
            "subordinate_delay_off_master_usec": config.subordinate_delay_off_master_usec,
            "depth_delay_off_color_usec": config.depth_delay_off_color_usec,
            "subordinate_delay_off_master_ticks": config.subordinate_delay_off_master_ticks,
            "depth_delay_off_color_ticks": config.depth_delay_off_color_ticks,
            "captures": self.captures,
            "first_usec": self.first_usec,
            "last_usec": self.last_usec,
            "missing": self.missing,
            "partial": self.partial,
            "extra": self.extra,
            "color_error": self.color.to_json() if self.color else None,
            "depth_error": self.depth.to_json() if self.depth else None,
            "drift": _drift_json(self.drift),
            "slips": self.slips,
            "gaps": [{"from_usec": gap.from_usec, "missing": gap.missing} for gap in self.gaps],
            "lost_from_usec": self.lost_from_usec,
            "settings": dict(self.settings),
            "reported_exposure_usec": self.reported_exposure_usec,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Whether a take was synchronized, and how that is known."""

    name: str
    verdict: Verdict
    reason: str
    """One sentence: why this verdict."""
    is_simulated: bool
    """Whether any of the devices is virtual."""
    camera_fps: CameraFps | None
    """``None`` when the devices differ."""
    reference_serial: str | None
    """Whom the others are measured against; ``None`` when nothing could be measured."""
    sets: SetCounts
    numbers_include_settling: bool
    """Whether the devices' numbers are of all sets, because too few are left without the settling ones."""
    span_start_usec: int | None
    span_end_usec: int | None
    """What was looked at, on the master's color time: microseconds since the first pulse."""
    start_order: StartOrder
    session_state: str | None
    devices: tuple[DeviceReport, ...]
    """By serial."""
    findings: tuple[Finding, ...]
    """Gravest first."""
    diagnoses: tuple[Diagnosis, ...] = ()
    """What most likely happened, the surest first."""
    lasers: tuple[LaserPair, ...] = ()
    """How far the lasers of every pair that sees the same space were kept apart; empty without a plan."""
    files: tuple[FileReport, ...] = ()
    pictures: int | None = None
    """How many pictures were looked at; ``None``: none, and covered, moved or dark cameras would not be noticed."""
    epochs: tuple[EpochReport, ...] = ()
    """Every epoch's own verdict; empty when there was but one."""
    plan: Plan | None = field(default=None, repr=False, compare=False)
    measures: TakeMeasures | None = field(default=None, repr=False, compare=False)
    """Every single error, for plots."""

    @property
    def max_error_usec(self) -> float | None:
        """The largest absolute offset error of any image; ``None`` when no two images could be compared."""
        stats = [s for device in self.devices for s in (device.color, device.depth) if s]
        return max((s.max_usec for s in stats), default=None)

    @property
    def measured_guard_usec(self) -> float | None:
        """The smallest gap between two lasers that see the same space, as measured; ``None`` where none was."""
        return min((pair.gap_usec for pair in self.lasers), default=None)

    @property
    def lost_from_usec(self) -> int | None:
        """From about when on a device did not follow the master: before that all did, as far as is known."""
        return min((d.lost_from_usec for d in self.devices if d.lost_from_usec is not None), default=None)

    @property
    def are_files_checked(self) -> bool:
        """Whether every byte of every file was read and held against its digest."""
        return bool(self.files) and all(file.is_intact is not None for file in self.files)

    @property
    def pass_usec(self) -> int | None:
        """Microsoft's tolerance at this frame rate."""
        return PASS_USEC[self.camera_fps] if self.camera_fps else None

    @property
    def span_sec(self) -> float | None:
        """How long the span is that was looked at."""
        if self.span_start_usec is None or self.span_end_usec is None:
            return None
        return (self.span_end_usec - self.span_start_usec) / 1e6

    def to_json(self) -> dict[str, Any]:
        """The whole report but the single errors; documented in ``docs/reference/verify-report.md``.

        Any: a JSON value.
        """
        max_error_usec = self.max_error_usec
        return {
            "format_version": REPORT_FORMAT_VERSION,
            "name": self.name,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "is_simulated": self.is_simulated,
            "camera_fps": self.camera_fps.value if self.camera_fps else None,
            "reference_serial": self.reference_serial,
            "max_error_usec": None if max_error_usec is None else round(max_error_usec, 1),
            "tolerances": {
                "good_usec": GOOD_USEC,
                "good_complete_ratio": GOOD_COMPLETE_RATIO,
                "pass_usec": self.pass_usec,
                "pass_complete_ratio": PASS_COMPLETE_RATIO,
                "min_judged_sets": MIN_JUDGED_SETS,
            },
            "sets": self.sets.to_json(),
            "numbers_include_settling": self.numbers_include_settling,
            "span_start_usec": self.span_start_usec,
            "span_end_usec": self.span_end_usec,
            "start_order": self.start_order.value,
            "session_state": self.session_state,
            "planned_guard_usec": self.plan.guard_usec if self.plan else None,
            "measured_guard_usec": self.measured_guard_usec,
            "pictures": self.pictures,
            "are_files_checked": self.are_files_checked,
            "files": [asdict(file) for file in self.files],
            "epochs": [epoch.to_json() for epoch in self.epochs],
            "diagnoses": [diagnosis.to_json() for diagnosis in self.diagnoses],
            "lasers": [asdict(pair) for pair in self.lasers],
            "devices": [device.to_json() for device in self.devices],
            "findings": [finding.to_json() for finding in self.findings],
        }

    def to_text(self) -> str:
        """The report for a terminal, in plain text."""
        # text.py reads the report; importing it here keeps the value free of layout.
        from genlock.verify.text import report_text

        return report_text(self)


def _drift_json(drift: DriftFit | None) -> dict[str, float] | None:
    if drift is None:
        return None
    return {
        "drift_ppm": round(drift.drift_ppm, 4),
        "standard_error_ppm": round(drift.standard_error_ppm, 4),
        "samples": drift.samples,
    }
