"""The takes of a day side by side: which of them to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlock.errors import UnreadableInputError
from genlock.verify import Report, TakeOnPage, Verdict, comparison_html
from genlock.workflows.report import ReportFiles, write_pages
from genlock.workflows.simulate import TRUTH_SUFFIX
from genlock.workflows.verify import verify_path

__all__ = ["ComparedTake", "Comparison", "compare_takes", "write_comparison"]

_RANK = {Verdict.GOOD: 0, Verdict.PASS: 1, Verdict.NOT_JUDGED: 2, Verdict.FAIL: 3}


@dataclass(frozen=True, slots=True)
class ComparedTake:
    """One take, or why it could not be read."""

    path: Path
    report: Report | None
    error: str | None = None

    @property
    def lost_captures(self) -> int | None:
        """Judged captures that are missing or lack an image, of all devices."""
        return None if self.report is None else sum(d.missing + d.partial for d in self.report.devices)

    @property
    def worst_jitter_usec(self) -> float | None:
        """Of any device and image."""
        stats = [s for d in self.report.devices for s in (d.color, d.depth) if s] if self.report else []
        return max((s.jitter_usec for s in stats), default=None)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it. Any: a JSON value."""
        report = self.report
        if report is None:
            return {"path": str(self.path), "error": self.error}
        return {
            "path": str(self.path),
            "error": None,
            "verdict": report.verdict.value,
            "reason": report.reason,
            "is_simulated": report.is_simulated,
            "devices": len(report.devices),
            "span_sec": report.span_sec,
            "camera_fps": report.camera_fps.value if report.camera_fps else None,
            "sets": report.sets.to_json(),
            "max_error_usec": report.max_error_usec,
            "worst_jitter_usec": self.worst_jitter_usec,
            "lost_captures": self.lost_captures,
            "measured_guard_usec": report.measured_guard_usec,
            "causes": [diagnosis.cause.value for diagnosis in report.diagnoses],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All takes in the order in which they were named."""

    takes: tuple[ComparedTake, ...]

    @property
    def best(self) -> ComparedTake | None:
        """The one to use: the best verdict, then the fewest diagnoses, the most complete sets, the smallest offset."""
        judged = [take for take in self.takes if take.report is not None]
        return min(judged, key=_merit, default=None)

    @property
    def names(self) -> tuple[str, ...]:
        """What to call the takes: their folders' names, where these differ."""
        short = tuple(take.path.resolve().name for take in self.takes)
        return short if len(set(short)) == len(short) else tuple(str(take.path) for take in self.takes)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it. Any: a JSON value."""
        best = self.best
        return {
            "format_version": 1,
            "best": None if best is None else str(best.path),
            "takes": [take.to_json() for take in self.takes],
        }


def compare_takes(paths: Sequence[Path]) -> Comparison:
    """Judges every session folder or single file; what cannot be read is told and does not stop the others."""
    takes = []
    for path in paths:
        if path.name.endswith(TRUTH_SUFFIX):
            continue  # lies beside a virtual take, where takes/* finds it too
        try:
            takes.append(ComparedTake(path, verify_path([path])))
        except UnreadableInputError as error:
            takes.append(ComparedTake(path, None, str(error)))
    return Comparison(tuple(takes))


def write_comparison(comparison: Comparison, folder: Path) -> ReportFiles:
    """Writes ``compare.html`` and ``compare.json`` into a folder, which is made; older ones there are replaced.

    Raises:
        SessionFolderError: the folder cannot be made or is a session folder, in which nothing derived is stored.
    """
    best = comparison.best
    page = comparison_html(
        [
            TakeOnPage(name, take.report, take.error, take is best, take.worst_jitter_usec, take.lost_captures)
            for take, name in zip(comparison.takes, comparison.names, strict=True)
        ]
    )
    return write_pages(folder, "compare", page, comparison.to_json())


def _merit(take: ComparedTake) -> tuple[int, int, float, float]:
    report = take.report
    if report is None:
        return len(_RANK), 0, 0.0, 0.0
    ratio, error_usec = report.sets.complete_ratio or 0.0, report.max_error_usec or 0.0
    return _RANK[report.verdict], len(report.diagnoses), -ratio, error_usec
