"""What a calibration is worth: numbers that it was not fitted to, its own uncertainty, and what was left out.

Accepted or rejected by bounds on the held-out error, on the board's rigidity and on each pose's sigma; never by the
training error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from genlock.calibrate.depthcheck import DepthCheck
from genlock.calibrate.solve import Solved
from genlock.findings import Finding, Severity
from genlock.geometry import RigExtrinsics
from genlock.targets import Target

__all__ = ["Bounds", "CalibrationReport", "CameraRow", "CalibrationVerdict", "make_report"]

_GRID = (8, 6)
"""Coverage counts cells of this grid over the image."""


class CalibrationVerdict(StrEnum):
    """Whether to use it."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """A bound is broken, or a device is missing."""
    NOT_JUDGED = "not_judged"
    """Too few sets to hold any out."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is still accepted."""

    held_out_px: float = 1.0
    """Corners are found to 0.1 to 0.3 px where the lens model is right; 1 px at 2 m is 3 mm at 720P."""
    rigid_mm: float = 5.0
    sigma_mm: float = 5.0
    sigma_deg: float = 0.2
    board_size_ratio: float = 0.03
    """By how much the board may differ from what it was said to be: depth is good to 1 % at 2 m, paper to less."""


@dataclass(frozen=True, slots=True)
class CameraRow:
    """One camera in the report."""

    camera: str
    views: int
    corners: int
    held_out_rms_px: float | None
    training_rms_px: float | None
    sigma_mm: float | None
    """Relative to the camera that holds the frame, whose own is 0."""
    sigma_deg: float | None
    coverage_ratio: float
    """Share of the image's 8 x 6 cells in which a corner was seen."""
    rejected_views: int
    depth_bias_mm: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationReport:
    """Everything that a calibration has to say."""

    target: Target
    verdict: CalibrationVerdict
    extrinsics: RigExtrinsics | None
    """``None`` when no two cameras saw the board together."""
    cameras: tuple[CameraRow, ...]
    held_out_rms_px: float | None
    edge_rms_mm: float | None
    rigid_rms_mm: float | None
    sets_used: int
    findings: tuple[Finding, ...]
    depth: DepthCheck | None = None
    rejected: tuple[tuple[str, int, str], ...] = field(default=())
    """Camera, set, reason."""

    def to_json(self) -> dict[str, object]:
        """The report as the file and ``--json`` have it."""
        return {
            "format_version": 1,
            "target": str(self.target),
            "verdict": self.verdict.value,
            "held_out_rms_px": self.held_out_rms_px,
            "edge_rms_mm": self.edge_rms_mm,
            "rigid_rms_mm": self.rigid_rms_mm,
            "sets_used": self.sets_used,
            "cameras": {
                row.camera: {
                    "views": row.views,
                    "corners": row.corners,
                    "held_out_rms_px": row.held_out_rms_px,
                    "training_rms_px": row.training_rms_px,
                    "sigma_mm": row.sigma_mm,
                    "sigma_deg": row.sigma_deg,
                    "coverage_ratio": row.coverage_ratio,
                    "rejected_views": row.rejected_views,
                    "depth_bias_mm": row.depth_bias_mm,
                }
                for row in self.cameras
            },
            "board_size_ratio": self.depth.size_ratio if self.depth else None,
            "rejected": [{"camera": c, "set": s, "reason": r} for c, s, r in self.rejected],
            "extrinsics": self.extrinsics.to_json() if self.extrinsics else None,
            "findings": [finding.to_json() for finding in self.findings],
        }

    def to_text(self) -> str:
        """The report for a terminal."""
        lines = [f"calibration {self.verdict.value.replace('_', ' ').upper()}   {self.target}, {self.sets_used} sets"]
        if self.held_out_rms_px is not None:
            lines.append(
                f"held out: {self.held_out_rms_px:.3f} px, neighbouring corners {self.edge_rms_mm:.2f} mm, "
                f"rigid board {self.rigid_rms_mm:.2f} mm"
            )
        lines.append("")
        lines.append(f"{'camera':<14} {'views':>5} {'held out':>9} {'sigma':>18} {'coverage':>8} {'depth bias':>10}")
        for row in self.cameras:
            held = f"{row.held_out_rms_px:.3f} px" if row.held_out_rms_px is not None else "-"
            sigma = "-" if row.sigma_mm is None else f"{row.sigma_mm:.2f} mm {row.sigma_deg:.3f} deg"
            bias = f"{row.depth_bias_mm:+.1f} mm" if row.depth_bias_mm is not None else "-"
            lines.append(f"{row.camera:<14} {row.views:>5} {held:>9} {sigma:>18} {row.coverage_ratio:>8.0%} {bias:>10}")
        for finding in self.findings:
            lines.append(f"\n{finding.severity.value:>7}  {finding.where}: {finding.message}  [{finding.code}]")
            if finding.remedy:
                lines.append(f"         -> {finding.remedy}")
        return "\n".join(lines)


def make_report(
    target: Target,
    solved: Solved | None,
    extrinsics: RigExtrinsics | None,
    views_before: Mapping[str, int],
    *,
    bounds: Bounds | None = None,
    depth: DepthCheck | None = None,
    unusable: Sequence[tuple[str, int, str]] = (),
) -> CalibrationReport:
    """Judges a solution.

    Args:
        target: the board.
        solved: ``None`` when there was nothing to solve.
        extrinsics: made from it.
        views_before: how many views of the board each camera had, by name, zero included.
        bounds: what is accepted.
        depth: what the depth cameras say of the board.
        unusable: images that showed nothing: camera, set, reason.
    """
    bounds = bounds or Bounds()
    rows = tuple(_row(camera, solved, extrinsics, depth) for camera in views_before)
    findings = [*_connection_findings(solved, views_before), *_unusable_findings(unusable)]
    if solved is not None:
        findings += [*_quality_findings(rows, solved, bounds), *_rejection_findings(solved)]
    findings += _depth_findings(target, depth, bounds)
    score = solved.held_out if solved else None
    if any(finding.severity is Severity.ERROR for finding in findings):
        verdict = CalibrationVerdict.REJECTED
    else:
        verdict = CalibrationVerdict.ACCEPTED if score else CalibrationVerdict.NOT_JUDGED
    return CalibrationReport(
        target=target,
        verdict=verdict,
        extrinsics=extrinsics,
        cameras=rows,
        held_out_rms_px=score.rms_px if score else None,
        edge_rms_mm=score.edge_rms_mm if score else None,
        rigid_rms_mm=score.rigid_rms_mm if score else None,
        sets_used=len(solved.solution.sets) if solved else 0,
        findings=tuple(findings),
        depth=depth,
        rejected=(
            *unusable,
            *((r.view.camera, r.view.set_index, r.reason) for r in (solved.rejections if solved else ())),
        ),
    )


def _row(camera: str, solved: Solved | None, extrinsics: RigExtrinsics | None, depth: DepthCheck | None) -> CameraRow:
    bias_mm = depth.bias_mm.get(camera) if depth else None
    if solved is None or camera not in solved.solution.cameras:
        return CameraRow(camera, 0, 0, None, None, None, None, 0.0, 0, bias_mm)
    used = solved.observations
    numbers = [i for i, view in enumerate(used.views) if view.camera == camera]
    rows = np.isin(used.view_of_corner, numbers)
    sigma = extrinsics.sigmas.get(camera) if extrinsics else None
    model = used.cameras[camera]
    cells = np.floor(used.px[rows] / [model.width_px, model.height_px] * _GRID).astype(int)
    square = (solved.residuals[rows] ** 2).sum(axis=1)
    return CameraRow(
        camera=camera,
        views=len(numbers),
        corners=int(rows.sum()),
        held_out_rms_px=solved.held_out.camera_rms_px.get(camera) if solved.held_out else None,
        training_rms_px=float(np.sqrt(square.mean())) if len(square) else None,
        sigma_mm=sigma.translation_mm if sigma else None,
        sigma_deg=sigma.rotation_deg if sigma else None,
        coverage_ratio=len(np.unique(cells, axis=0)) / (_GRID[0] * _GRID[1]),
        rejected_views=sum(r.view.camera == camera for r in solved.rejections),
        depth_bias_mm=bias_mm,
    )


def _connection_findings(solved: Solved | None, views_before: Mapping[str, int]) -> list[Finding]:
    findings = [
        Finding(
            "calibrate.board_not_seen",
            Severity.ERROR,
            f"camera {camera}",
            "it never saw enough of the board",
            "film the board large and in focus before this camera and one other at the same time; "
            "check the target's description and its dictionary",
        )
        for camera, views in views_before.items()
        if views == 0
    ]
    groups = [group for group in solved.groups if any(views_before[c] for c in group)] if solved else []
    if solved is None and sum(views > 0 for views in views_before.values()) > 0:
        findings.append(
            Finding(
                "calibrate.not_connected",
                Severity.ERROR,
                "rig",
                "no two cameras saw the board at the same moment",
                "hold the board where the views of two cameras overlap, then where the next two do",
            )
        )
    findings += [
        Finding(
            "calibrate.not_connected",
            Severity.ERROR,
            f"cameras {', '.join(sorted(group))}",
            f"saw the board together with {', '.join(sorted(groups[0]))} fewer than 3 times: where they are is unknown",
            "hold the board where a camera of each group sees it at the same time, 10 times or more; between "
            "facing cameras hold it edge on to neither, or use a camera in between",
        )
        for group in groups[1:]
    ]
    return findings


def _quality_findings(rows: tuple[CameraRow, ...], solved: Solved, bounds: Bounds) -> list[Finding]:
    findings = []
    score = solved.held_out
    if score is None:
        findings.append(
            Finding(
                "calibrate.too_few_sets",
                Severity.WARNING,
                "rig",
                f"{len(solved.solution.sets)} sets are too few to hold any out, so nothing says how good the result is",
                "film 20 positions of the board or more for each pair of neighbouring cameras",
            )
        )
    elif score.rms_px > bounds.held_out_px or score.rigid_rms_mm > bounds.rigid_mm:
        findings.append(
            Finding(
                "calibrate.held_out_error",
                Severity.ERROR,
                "rig",
                f"on sets that it has not seen it errs by {score.rms_px:.2f} px and {score.rigid_rms_mm:.1f} mm; "
                f"accepted are {bounds.held_out_px:g} px and {bounds.rigid_mm:g} mm",
                "look at the worst camera below; move the board slowly, keep it flat, measure its squares",
            )
        )
    for row in rows:
        if row.sigma_mm is None or row.sigma_deg is None:
            continue
        if row.sigma_mm > bounds.sigma_mm or row.sigma_deg > bounds.sigma_deg:
            findings.append(
                Finding(
                    "calibrate.uncertain_pose",
                    Severity.ERROR,
                    f"camera {row.camera}",
                    f"its pose is known to {row.sigma_mm:.1f} mm and {row.sigma_deg:.2f} deg (one sigma); "
                    f"accepted are {bounds.sigma_mm:g} mm and {bounds.sigma_deg:g} deg",
                    "show it the board, tilted in several directions and near its image's corners, together with "
                    "a neighbour",
                )
            )
    return findings


def _rejection_findings(solved: Solved) -> list[Finding]:
    reasons = Counter((r.view.camera, r.reason) for r in solved.rejections)
    numbers = {
        key: [r.view.set_index for r in solved.rejections if (r.view.camera, r.reason) == key] for key in reasons
    }
    findings = []
    for (camera, reason), count in sorted(reasons.items()):
        sets = ", ".join(map(str, numbers[camera, reason][:8])) + (", ..." if count > 8 else "")
        findings.append(
            Finding(
                "calibrate.views_left_out",
                Severity.INFO,
                f"camera {camera}",
                f"{count} views left out (sets {sets}): {reason}",
                "",
            )
        )
    return findings


def _unusable_findings(unusable: Sequence[tuple[str, int, str]]) -> list[Finding]:
    return [
        Finding(
            "calibrate.unusable_images",
            Severity.WARNING,
            f"camera {camera}",
            f"{len(sets)} images are {reason} (sets {', '.join(map(str, sets[:8]))}{', ...' if len(sets) > 8 else ''})",
            "they were left out; if there are many, look at the exposure, the cable and the disk",
        )
        for camera, reason in sorted({(camera, reason) for camera, _, reason in unusable})
        for sets in [[number for other, number, why in unusable if (other, why) == (camera, reason)]]
    ]


def _depth_findings(target: Target, depth: DepthCheck | None, bounds: Bounds) -> list[Finding]:
    if depth is None or abs(depth.size_ratio - 1) <= bounds.board_size_ratio:
        return []
    told_mm = 1000 * target.square_m
    return [
        Finding(
            "calibrate.board_size",
            Severity.ERROR,
            "board",
            f"its squares were said to measure {told_mm:g} mm; the depth cameras make them "
            f"{told_mm * depth.size_ratio:.1f} mm ({depth.size_ratio - 1:+.1%}), from {depth.readings} readings",
            "measure a square of the print with a ruler and say so in --target; printers scale to fit the page",
        )
    ]
