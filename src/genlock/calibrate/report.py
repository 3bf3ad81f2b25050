"""What a calibration is worth: numbers that it was not fitted to, its own uncertainty, and what was left out.

Accepted or rejected by bounds on the held-out error, on the board's rigidity and on each pose's sigma; never by the
training error.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from genlock.calibrate.depthalign import DepthAlignment
from genlock.calibrate.depthcheck import DepthCheck
from genlock.calibrate.judging import (
    Bounds,
    alignment_findings,
    connection_findings,
    depth_findings,
    film_findings,
    lens_findings,
    quality_findings,
    rejection_findings,
    target_findings,
    unusable_findings,
)
from genlock.calibrate.solve import LensTrial, Solved
from genlock.findings import Finding, Severity
from genlock.geometry import RigExtrinsics
from genlock.targets import Target

__all__ = ["CalibrationReport", "CalibrationVerdict", "CameraRow", "make_report"]

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
class CameraRow:
    """One camera in the report."""

    camera: str
    views: int
    """Of the board, that the solution was made from; all that there were where it has no place."""
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

    @property
    def holds_frame(self) -> bool:
        """Whether it is the one that the others' sigmas are relative to."""
        return self.sigma_mm == 0


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationReport:
    """Everything that a calibration has to say."""

    target: Target
    verdict: CalibrationVerdict
    extrinsics: RigExtrinsics | None
    """``None`` when no two cameras saw the board together."""
    cameras: tuple[CameraRow, ...]
    held_out_rms_px: float | None
    held_out_mm: float | None
    """The same, carried from the pixels to the board."""
    edge_rms_mm: float | None
    rigid_rms_mm: float | None
    single_rms_px: float | None
    """Where each view has its board to itself: noise and lenses, without poses and clocks."""
    sets_used: int
    findings: tuple[Finding, ...]
    depth: DepthCheck | None = None
    rejected: tuple[tuple[str, int, str], ...] = field(default=())
    """Camera, set, reason."""
    lens_trial: LensTrial | None = None
    alignment: DepthAlignment | None = None
    bounds: Bounds = field(default_factory=Bounds)
    """By which it was judged."""

    def to_json(self) -> dict[str, object]:
        """The report as the file and ``--json`` have it."""
        return {
            "format_version": 1,
            "target": str(self.target),
            "verdict": self.verdict.value,
            "held_out_rms_px": self.held_out_rms_px,
            "held_out_mm": self.held_out_mm,
            "single_rms_px": self.single_rms_px,
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
            "lenses": _lens_json(self.lens_trial),
            "depth_alignment": _alignment_json(self.alignment),
            "findings": [finding.to_json() for finding in self.findings],
        }

    def to_text(self) -> str:
        """The report for a terminal."""
        lines = [f"calibration {self.verdict.value.replace('_', ' ').upper()}   {self.target}, {self.sets_used} sets"]
        if self.held_out_rms_px is not None:
            lines.append(
                f"held out: {self.held_out_rms_px:.3f} px, {self.held_out_mm:.2f} mm at the board; "
                f"neighbouring corners {self.edge_rms_mm:.2f} mm, "
                f"rigid board {self.rigid_rms_mm:.2f} mm"
            )
        lines.append("")
        lines.append(f"{'camera':<14} {'views':>5} {'held out':>9} {'sigma':>18} {'coverage':>8} {'depth bias':>10}")
        for row in self.cameras:
            held = f"{row.held_out_rms_px:.3f} px" if row.held_out_rms_px is not None else "-"
            sigma = "-" if row.sigma_mm is None else f"{row.sigma_mm:.2f} mm {row.sigma_deg:.3f} deg"
            sigma = "holds the frame" if row.holds_frame else sigma
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
    sets_seen: Mapping[str, Collection[int]],
    *,
    bounds: Bounds | None = None,
    depth: DepthCheck | None = None,
    unusable: Sequence[tuple[str, int, str]] = (),
    findings: Sequence[Finding] = (),
    alignment: DepthAlignment | None = None,
    films: Mapping[str, range] | None = None,
) -> CalibrationReport:
    """Judges a solution.

    Args:
        target: the board.
        solved: ``None`` when there was nothing to solve.
        extrinsics: made from it.
        sets_seen: in which sets each camera saw enough of the board, by name; none included.
        bounds: what is accepted.
        depth: what the depth cameras say of the board.
        unusable: images that showed nothing: camera, set, reason.
        findings: further ones.
        alignment: what the depth cameras made of the poses.
        films: the sets of each, where there are several.
    """
    bounds = bounds or Bounds()
    rows = tuple(_row(camera, len(sets), solved, extrinsics, depth) for camera, sets in sets_seen.items())
    found = [*connection_findings(solved, sets_seen), *unusable_findings(unusable)]
    if solved is not None:
        found += [*quality_findings(solved, extrinsics, bounds), *film_findings(solved, films or {})]
        found += [*lens_findings(solved), *rejection_findings(solved)]
    found += [
        *target_findings(target),
        *depth_findings(target, depth, bounds),
        *alignment_findings(alignment),
        *findings,
    ]
    score = solved.held_out if solved else None
    if any(finding.severity is Severity.ERROR for finding in found):
        verdict = CalibrationVerdict.REJECTED
    else:
        verdict = CalibrationVerdict.ACCEPTED if score else CalibrationVerdict.NOT_JUDGED
    return CalibrationReport(
        target=target,
        verdict=verdict,
        extrinsics=extrinsics,
        cameras=rows,
        held_out_rms_px=score.rms_px if score else None,
        held_out_mm=score.rms_mm if score else None,
        single_rms_px=solved.single_rms_px if solved else None,
        edge_rms_mm=score.edge_rms_mm if score else None,
        rigid_rms_mm=score.rigid_rms_mm if score else None,
        sets_used=len(solved.solution.sets) if solved else 0,
        findings=tuple(found),
        depth=depth,
        rejected=(
            *unusable,
            *((r.view.camera, r.view.set_index, r.reason) for r in (solved.rejections if solved else ())),
        ),
        lens_trial=solved.lens_trial if solved else None,
        alignment=alignment,
        bounds=bounds,
    )


def _lens_json(trial: LensTrial | None) -> dict[str, object] | None:
    if trial is None:
        return None
    return {
        "factory_px": trial.factory_px,
        "refined_px": trial.refined_px,
        "sigma_ratio": trial.sigma_ratio,
        "is_refined": trial.is_gain,
    }


def _alignment_json(alignment: DepthAlignment | None) -> dict[str, object] | None:
    if alignment is None:
        return None
    return {
        "is_taken": alignment.is_taken,
        "reason": alignment.reason,
        "before_mm": alignment.before_mm,
        "after_mm": alignment.after_mm,
        "held_directions": alignment.held_directions,
        "directions": alignment.directions,
        "moved_mm": dict(alignment.moved_mm),
    }


def _row(
    camera: str, seen: int, solved: Solved | None, extrinsics: RigExtrinsics | None, depth: DepthCheck | None
) -> CameraRow:
    bias_mm = depth.bias_mm.get(camera) if depth else None
    rejected = sum(rejection.view.camera == camera for rejection in solved.rejections) if solved else 0
    if solved is None or camera not in solved.solution.cameras:
        return CameraRow(camera, seen, 0, None, None, None, None, 0.0, rejected, bias_mm)
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
        rejected_views=rejected,
        depth_bias_mm=bias_mm,
    )
