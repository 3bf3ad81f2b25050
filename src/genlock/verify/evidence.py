"""What a verdict rests on, as values: the stamps of each device, the plan, the log. No file is opened here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from genlock.findings import Finding, Severity
from genlock.k4a import DeviceConfig
from genlock.plan import Plan
from genlock.recording import RecordingReader, TrackName, comes_from_virtual_rig
from genlock.sync import MISSING_USEC, LossEvidence, normalise_usec
from genlock.verify.pictures import PictureSample

__all__ = [
    "AlarmEvent",
    "DataLossEvent",
    "DeviceEvidence",
    "LiveFinding",
    "StartEvent",
    "TakeEvidence",
    "evidence_from_reader",
    "join_parts",
]

TimesUsec = NDArray[np.int64]  # (N,), device time of each capture's image, -1 where the capture has none


@dataclass(frozen=True, slots=True, eq=False)
class DeviceEvidence:
    """The captures of one device as its recording holds them: times only."""

    serial: str
    config: DeviceConfig
    color_usec: TimesUsec
    """(N,) device time of each capture's color image, -1 where it has none."""
    depth_usec: TimesUsec
    """(N,) device time of each capture's depth and IR images, -1 where it has neither."""
    arrival_nsec: NDArray[np.int64]
    """(N,) host time of each capture's arrival, -1 where nobody wrote it down."""
    source: str = ""
    """Where this comes from: the names of its files."""
    is_simulated: bool = False
    """Whether the images come from a virtual rig."""
    findings: tuple[Finding, ...] = ()
    """Damage found while reading."""
    exposure_usec: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(N,) exposure of each capture's color image as the device reported it, 0 where unknown; (0,) without any."""
    imu_usec: TimesUsec = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(B,) when each block of inertial samples begins; a block holds up to 0.15 s. Empty without inertial samples."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What the recording says of settings and firmware."""

    @property
    def set_exposure_usec(self) -> int | None:
        """The exposure that the device was told to keep; ``None`` where it was automatic or nobody wrote it down."""
        text = self.tags.get("GENLOCK_EXPOSURE_USEC", "")
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def normalised_usec(self) -> TimesUsec:
        """(N,) the captures on the master's color time, by the delays that this device was told to keep."""
        return normalise_usec(self.config, self.color_usec, self.depth_usec)


@dataclass(frozen=True, slots=True)
class StartEvent:
    """When one device's start was called and returned, on the host's clock: a line of the session's log."""

    serial: str
    called_nsec: int
    returned_nsec: int


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """A line of the session's log: a device was seen to follow the master no longer, or went away."""

    serial: str
    evidence: LossEvidence | None
    """What the alarm rests on; ``None`` for a device that went away."""
    device_usec: int | None
    """The device's latest capture then, on the master's color time."""
    message: str


@dataclass(frozen=True, slots=True)
class LiveFinding:
    """A line of the session's log: what the run itself had to say of a device."""

    code: str
    serial: str | None
    message: str


@dataclass(frozen=True, slots=True)
class DataLossEvent:
    """A line of the session's log: a stretch of what a device delivered did not reach the disk."""

    serial: str
    first_usec: int
    """Device time of the first sample that is lost."""
    last_usec: int
    samples: int
    """Images and inertial samples together."""
    reason: str
    """What the system said."""


@dataclass(frozen=True, slots=True)
class TakeEvidence:
    """Everything that is known of one take."""

    devices: tuple[DeviceEvidence, ...]
    plan: Plan | None = None
    """What was meant; ``None`` for loose files."""
    starts: tuple[StartEvent, ...] | None = None
    """``None`` when there is no log."""
    alarms: tuple[AlarmEvent, ...] = ()
    """What the live session saw; empty without a log."""
    live_findings: tuple[LiveFinding, ...] = ()
    """What the run said; empty without a log."""
    data_losses: tuple[DataLossEvent, ...] = ()
    """What did not reach the disk; empty without a log."""
    failure: str | None = None
    """Why the session failed, in its own words."""
    pictures: Mapping[str, Sequence[PictureSample]] | None = None
    """Some samples of each device; ``None`` when nobody looked."""
    name: str = ""
    session_state: str | None = None
    """How the session ended: ``COMPLETED``, ``CANCELLED``, ``FAILED``; ``RUNNING`` when nobody closed it; ``None`` for
    files that are not a session."""

    @property
    def is_session(self) -> bool:
        """Whether these files were recorded together, and not only named together."""
        return self.session_state is not None

    def recorder_of(self, device: DeviceEvidence) -> str:
        """Names the recorder of a device's files; devices of one recorder should begin and end together.

        Loose files may be of as many recorders as devices. Computers of one session are started and stopped one after
        the other, by hand; where it failed or was never closed, nobody meant them to end: then all count as one.
        """
        if not self.is_session:
            return device.serial
        was_ended = self.session_state in ("COMPLETED", "CANCELLED")
        return device.tags.get("GENLOCK_HOST", "") if was_ended else ""


def evidence_from_reader(reader: RecordingReader) -> DeviceEvidence:
    """The evidence that one open recording holds.

    A recording without a serial number (a program that gave libk4arecord no device) goes by its file's name.
    """
    stamps = reader.stamps()
    has_image = (stamps.color_usec != MISSING_USEC) | (stamps.depth_usec != MISSING_USEC)
    # In a session folder every file is called e01-p001.mkv: its folder's name, the serial, tells them apart.
    name = f"{reader.serial}/{reader.path.name}" if reader.path.parent.name == reader.serial else reader.path.name
    findings = tuple(replace(finding, where=name) for finding in reader.findings)
    if reader.serial is None:
        findings += (
            Finding(
                "verify.no_serial",
                Severity.INFO,
                name,
                "the recording does not say which device made it; the file's name stands for the serial number",
                "Nothing is needed if you know the device.",
            ),
        )
    return DeviceEvidence(
        serial=reader.serial or reader.path.stem,
        config=reader.config,
        color_usec=stamps.color_usec[has_image],
        depth_usec=stamps.depth_usec[has_image],
        arrival_nsec=stamps.arrival_nsec[has_image],
        exposure_usec=reader.exposures_usec()[has_image],
        imu_usec=reader.image_usec(TrackName.IMU),
        tags={key: value for key, value in reader.tags.items() if key.startswith(("GENLOCK_", "K4A_"))},
        source=name,
        is_simulated=comes_from_virtual_rig(reader.tags, reader.calibration),
        findings=findings,
    )


def join_parts(parts: Sequence[DeviceEvidence]) -> DeviceEvidence:
    """One device's recording that was cut into several files, in order, as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return replace(
        first,
        color_usec=np.concatenate([part.color_usec for part in parts]),
        depth_usec=np.concatenate([part.depth_usec for part in parts]),
        arrival_nsec=np.concatenate([part.arrival_nsec for part in parts]),
        exposure_usec=np.concatenate([part.exposure_usec for part in parts]),
        imu_usec=np.concatenate([part.imu_usec for part in parts]),
        source=", ".join(part.source for part in parts),
        findings=tuple(finding for part in parts for finding in part.findings),
    )
