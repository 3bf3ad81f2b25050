"""Rescues a recording whose recorder was killed, or whose file was cut: a new file that every reader opens.

The original is never touched. What can be read of it is written anew, with sizes, header, cues and the start offset
that a killed recorder did not come to write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genlock.errors import RecordingError
from genlock.findings import Finding, Severity
from genlock.recording.digest import digest_recording
from genlock.recording.layout import TrackName
from genlock.recording.offsets import OffsetEstimate, OffsetSource, find_offsets, sidecar_path
from genlock.recording.reader import RecordingReader
from genlock.recording.rewrite import rewrite

__all__ = ["RepairResult", "repair_recording", "repaired_path"]

_TOLERANCE_USEC = 1000
"""Estimates that lie further apart contradict each other: they are taken from stamps cut to microseconds."""


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What came of a repair."""

    original: Path
    repaired: Path
    offset: OffsetEstimate
    """What the new file's times rest on."""
    other_offsets: tuple[OffsetEstimate, ...]
    """What else there was to ask."""
    captures: int
    imu_samples: int
    first_usec: int | None
    """Device time of the earliest sample; ``None`` when there is none."""
    last_usec: int | None
    original_bytes: int
    repaired_bytes: int
    lost_bytes: int
    """Bytes of the original that could not be read as anything."""
    digest_root: str
    findings: tuple[Finding, ...]
    """What is lost, and how sure the times are."""

    def to_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "format_version": 1,
            "original": str(self.original),
            "repaired": str(self.repaired),
            "offset": self.offset.to_json(),
            "other_offsets": [estimate.to_json() for estimate in self.other_offsets],
            "captures": self.captures,
            "imu_samples": self.imu_samples,
            "first_usec": self.first_usec,
            "last_usec": self.last_usec,
            "original_bytes": self.original_bytes,
            "repaired_bytes": self.repaired_bytes,
            "lost_bytes": self.lost_bytes,
            "digest_root": self.digest_root,
            "findings": [finding.to_json() for finding in self.findings],
        }


def repaired_path(original: Path) -> Path:
    """Where a repaired recording goes when nobody says: ``take.repaired.mkv``."""
    return original.with_name(f"{original.stem}.repaired{original.suffix}")


def repair_recording(
    original: Path, repaired: Path | None = None, *, start_offset_usec: int | None = None
) -> RepairResult:
    """Writes what can be read of a recording into a new file.

    Args:
        original: any Azure Kinect recording; only read.
        repaired: must not exist; by default beside the original.
        start_offset_usec: device time of block time 0, if you know it; overrules what the file says.

    Raises:
        RecordingError: nothing in it can be read, or the new file exists.
        OSError: the disk refused the new file.
    """
    with RecordingReader(original) as reader:
        target = repaired or repaired_path(original)
        if not reader.stored.index.clusters:
            raise RecordingError(original, "holds no readable cluster: there is nothing to rescue.")
        estimates = find_offsets(reader, start_offset_usec)
        best = estimates[0] if estimates else OffsetEstimate(OffsetSource.NONE, 0, 0, 0)
        written = rewrite([reader], target, start_offset_usec=best.offset_usec)
        damage = reader.stored.index.damage
        missing_bytes = max(0, (reader.stored.document.segment_end or 0) - reader.stored.document.file_bytes)
        return RepairResult(
            original=original,
            repaired=target,
            offset=best,
            other_offsets=estimates[1:],
            captures=len(reader.groups),
            imu_samples=len(reader.imu_usec()) if TrackName.IMU in reader.roles else 0,
            first_usec=written.first_usec,
            last_usec=written.last_usec,
            original_bytes=original.stat().st_size,
            repaired_bytes=written.size_bytes,
            lost_bytes=sum(d.size_bytes for d in damage) + missing_bytes,
            digest_root=written.digest_root,
            findings=(*_offset_findings(reader.path, estimates), *_losses(reader), *_changed(reader)),
        )


def _losses(reader: RecordingReader) -> Iterator[Finding]:
    """What the original lacks; what it has to say of its start offset is said better by the estimates."""
    for finding in reader.findings:
        if finding.code not in ("recording.start_offset_recovered", "recording.start_offset_unknown"):
            yield finding


def _changed(reader: RecordingReader) -> Iterator[Finding]:
    """What the new file's checksums would hide: content that contradicts the original's, and was taken over."""
    changed = [damaged for damaged in digest_recording(reader.path).damaged_clusters if damaged.is_cluster]
    if changed:
        usec = changed[0].usec + reader.start_offset_usec
        clusters = "1 cluster" if len(changed) == 1 else f"{len(changed)} clusters, the first"
        yield Finding(
            "recording.content_changed",
            Severity.WARNING,
            reader.path.name,
            f"{clusters} at byte {changed[0].offset_bytes}, device time {usec / 1e6:.3f} s, "
            f"contradict{'s' if len(changed) == 1 else ''} the checksum: images or samples there are not what was "
            "recorded, and were taken over as they are",
            "Look at the images of that moment before you use them. Copy the file again if you can.",
        )


def _offset_findings(path: Path, estimates: Sequence[OffsetEstimate]) -> Iterator[Finding]:
    where = path.name
    if not estimates:
        yield Finding(
            "recording.start_offset_unknown",
            Severity.ERROR,
            where,
            "nothing tells its start offset: no tag, no inertial samples, no side-car; device times in the new file "
            "count from its first sample, not from the first pulse",
            f"Give --start-offset-usec if you know it, or write it into {sidecar_path(path).name}.",
        )
        return
    best = estimates[0]
    if best.source in (OffsetSource.IMU, OffsetSource.STAMPS, OffsetSource.SIDECAR):
        witnesses = "one witness" if best.witnesses == 1 else f"{best.witnesses} witnesses"
        sure = "certain" if best.is_certain else "not certain"
        yield Finding(
            "recording.start_offset_recovered",
            Severity.INFO if best.is_certain else Severity.WARNING,
            where,
            f"its start offset was never written; recovered {best.offset_usec} us from {best.source} "
            f"({witnesses}, {best.spread_usec} us apart): {sure}",
            "Device times can be used." if best.is_certain else "Check one time against another device of the take.",
        )
    for other in estimates[1:]:
        if abs(other.offset_usec - best.offset_usec) > _TOLERANCE_USEC:
            yield Finding(
                "recording.start_offset_contradicted",
                Severity.WARNING,
                where,
                f"{best.source} says {best.offset_usec} us, {other.source} says {other.offset_usec} us; "
                f"the new file rests on {best.source}",
                "Find out which is right before you match this recording with others; repair again with "
                "--start-offset-usec.",
            )
