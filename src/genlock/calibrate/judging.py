"""Rules on a calibration's numbers: what is accepted, what should be known, and what to film next.

Bounds are in millimetres at the board, because that is what a calibration is for: a pixel of a 720P camera is 3.3 mm
wide two metres away, of a webcam's telephoto lens a fraction of that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from genlock.calibrate.depthalign import DepthAlignment
from genlock.calibrate.depthcheck import DepthCheck
from genlock.calibrate.solve import LensTrial, Solved
from genlock.findings import Finding, Severity
from genlock.geometry import RigExtrinsics
from genlock.targets import Target, TargetKind

__all__ = [
    "Bounds",
    "alignment_findings",
    "connection_findings",
    "depth_findings",
    "film_findings",
    "lens_findings",
    "quality_findings",
    "rejection_findings",
    "target_findings",
    "unusable_findings",
]


_MOST_MISFITS_RATIO = 0.4
"""Of one camera's views in one film: single views fall out of any film, so many of a camera only where it moved, or one
beside it. Of each camera by itself, because of sets, or of all views, spoilt and moved ones are a part that changes
with the number of cameras."""
_LEAST_MISFITS = 4
"""With both, a camera is accused without cause in less than 1 film of 100 where a tenth of all views is spoilt (9 views
of it, worst of all numbers), and of 1000 where a twentieth is: the binomial distribution's tail."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is still accepted."""

    held_out_mm: float = 5.0
    """Error of a corner's pixel, carried to the corner: half of what a depth camera's systematic error is (11 mm,
    Microsoft's specification), so that poses add little to it."""
    rigid_mm: float = 5.0
    sigma_mm: float = 5.0
    sigma_deg: float = 0.2
    board_size_ratio: float = 0.03
    """By how much the board may differ from what it was said to be: depth is good to 1 % at 2 m, paper to less."""
    disagreement_ratio: float = 4.0
    """How many times a single view's own error a set's views may err together. They share noise and lens with it: what
    goes beyond is motion between images of one set, or a camera that moved while filming."""
    disagreement_px: float = 0.5
    """Less than this together is no matter, however well single views fit."""


def connection_findings(solved: Solved | None, sets_seen: Mapping[str, Collection[int]]) -> list[Finding]:
    """Cameras that saw no board, and cameras that no chain of common views joins.

    Args:
        solved: ``None`` when no two cameras could be joined.
        sets_seen: in which sets each camera saw enough of the board.
    """
    findings = _blind_findings(sets_seen)
    seeing = [camera for camera, sets in sets_seen.items() if sets]
    if len(sets_seen) == 1:
        findings.append(
            Finding(
                "calibrate.not_connected",
                Severity.ERROR,
                f"camera {next(iter(sets_seen))}",
                "it is the only one: there is no other to place it against",
                "give a session, or images, of two cameras or more",
            )
        )
    elif solved is None and len(seeing) > 1:
        findings.append(_not_connected("rig", "no two cameras are joined", seeing, seeing, sets_seen))
    groups = [group for group in solved.groups if any(sets_seen[c] for c in group)] if solved else []
    for group in groups[1:]:
        others = [camera for camera in seeing if camera not in group]
        where, words = f"cameras {', '.join(sorted(group))}", "they are not joined to the others"
        findings.append(_not_connected(where, words, group, others, sets_seen))
    return findings


def _blind_findings(sets_seen: Mapping[str, Collection[int]]) -> list[Finding]:
    blind = [f"camera {camera}" for camera, sets in sets_seen.items() if not sets]
    message, remedy = "it never saw enough of the board", "film the board large and in focus before it and one other"
    if 1 < len(blind) == len(sets_seen):
        blind, message = ["rig"], "no camera ever saw enough of the board"
        remedy = "film the board large and in focus"
    return [
        Finding(
            "calibrate.board_not_seen",
            Severity.ERROR,
            where,
            message,
            f"{remedy}; check the target's description: dictionary, count of squares, :legacy, :inverted",
        )
        for where in blind
    ]


def _not_connected(
    where: str, words: str, group: Sequence[str], others: Sequence[str], sets_seen: Mapping[str, Collection[int]]
) -> Finding:
    """With the pair of cameras that is nearest to joining them."""
    pairs = [(len({*sets_seen[a]} & {*sets_seen[b]}), a, b) for a in group for b in others if a != b]
    count, first, second = max(pairs, key=lambda pair: pair[0])
    return Finding(
        "calibrate.not_connected",
        Severity.ERROR,
        where,
        f"{words}, for two cameras need 3 common views of the board at the very least; {first} and {second} have "
        f"{count}, and no pair has more",
        f"hold the board where {first} and {second} both see it, at 10 positions or more; between facing cameras "
        "hold it edge on to neither, or use a camera in between",
    )


def quality_findings(solved: Solved, extrinsics: RigExtrinsics | None, bounds: Bounds) -> list[Finding]:
    """Whether held-out sets and each pose's sigma are within the bounds."""
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
    elif score.rms_mm > bounds.held_out_mm or score.rigid_rms_mm > bounds.rigid_mm:
        findings.append(
            Finding(
                "calibrate.held_out_error",
                Severity.ERROR,
                "rig",
                f"on sets that it has not seen corners err by {score.rms_px:.2f} px, {score.rms_mm:.1f} mm at the "
                f"board, and the board is bent by {score.rigid_rms_mm:.1f} mm; accepted are "
                f"{bounds.held_out_mm:g} mm and {bounds.rigid_mm:g} mm",
                "look at the worst camera below; move the board slowly, keep it flat, measure its squares",
            )
        )
    if score is not None and score.rms_px > max(
        bounds.disagreement_ratio * solved.single_rms_px, bounds.disagreement_px
    ):
        findings.append(
            Finding(
                "calibrate.sets_disagree",
                Severity.WARNING,
                "rig",
                f"a view by itself fits the board to {solved.single_rms_px:.2f} px, the views of a set together only "
                f"to {score.rms_px:.2f} px: the images of a set are not of one moment, or a camera moved while filming",
                "hold the board still at each position; check the synchronization with genlock verify; hold the "
                "cameras fast",
            )
        )
    for camera, sigma in (extrinsics.sigmas if extrinsics else {}).items():
        if sigma.translation_mm > bounds.sigma_mm or sigma.rotation_deg > bounds.sigma_deg:
            findings.append(
                Finding(
                    "calibrate.uncertain_pose",
                    Severity.ERROR,
                    f"camera {camera}",
                    f"its pose is known to {sigma.translation_mm:.1f} mm and {sigma.rotation_deg:.2f} deg (one sigma); "
                    f"accepted are {bounds.sigma_mm:g} mm and {bounds.sigma_deg:g} deg",
                    "show it the board, tilted in several directions and near its image's corners, together with "
                    "a neighbour",
                )
            )
    return findings


def rejection_findings(solved: Solved) -> list[Finding]:
    """Views that do not fit, by camera and reason."""
    rejected = [(r.view.camera, r.view.set_index, r.reason) for r in solved.rejections]
    return [
        Finding(
            "calibrate.views_left_out",
            Severity.INFO,
            f"camera {camera}",
            f"{_count(sets, 'view')} left out: {reason} ({_listed(sets)})",
            "",
        )
        for (camera, reason), sets in _by_camera_and_reason(rejected).items()
    ]


def film_findings(solved: Solved, films: Mapping[str, range]) -> list[Finding]:
    """Films in which cameras stood elsewhere than in the others.

    Args:
        solved: with the views that were left out.
        films: the sets of each, by name; all are one where there is none.
    """
    findings = []
    group = set(solved.groups[0])
    left_out = [rejection.view for rejection in solved.rejections if rejection.view.camera in group]
    views = [*(view for view in solved.observations.views if view.camera in group), *left_out]
    seeing = Counter(view.set_index for view in views)
    for name, sets in (films or {"rig": range(max(seeing, default=0) + 1)}).items():
        seen, misfits = (
            Counter(view.camera for view in some if view.set_index in sets and seeing[view.set_index] > 1)
            for some in (views, left_out)
        )
        moved = [
            f"camera {camera} in {count} of {seen[camera]}"
            for camera, count in sorted(misfits.items())
            if count >= _LEAST_MISFITS and count > _MOST_MISFITS_RATIO * seen[camera]
        ]
        if moved:
            findings.append(
                Finding(
                    "calibrate.cameras_moved",
                    Severity.ERROR,
                    name,
                    f"many views do not fit where the others put the camera: {', '.join(moved)} that it shared with "
                    "others; it or one beside it stood elsewhere then, or images of a set are not of one moment",
                    "give only what was filmed since the cameras were last touched; genlock calibrate check says which "
                    "moved, genlock verify whether they were in sync",
                )
            )
    return findings


def lens_findings(solved: Solved) -> list[Finding]:
    """What came of refining the lenses."""
    trial = solved.lens_trial
    if trial is None:
        return []
    numbers = (
        f"held-out error {trial.factory_px:.3f} px with the given lenses, {trial.refined_px:.3f} px with refined ones"
    )
    if not trial.is_gain:
        return [
            Finding(
                "calibrate.lenses_kept",
                Severity.INFO,
                "rig",
                f"{numbers}: {_why_kept(trial)}, so the given ones stay",
                "",
            )
        ]
    return [
        Finding(
            "calibrate.lenses_refined",
            Severity.WARNING,
            "rig",
            f"{numbers}: the refined ones are taken",
            "the poses are right only together with these lenses; both are in the extrinsics file, from which genlock "
            "fuse, check and export take them",
        )
    ]


def _why_kept(trial: LensTrial) -> str:
    if trial.refined_px < 0.95 * trial.factory_px:
        return (
            f"but poses would be {trial.sigma_ratio:.1f} times as uncertain, for too few tilts tell lenses from poses"
        )
    return "no gain worth having"


def unusable_findings(unusable: Sequence[tuple[str, int, str]]) -> list[Finding]:
    """Images that show nothing, by camera and reason."""
    return [
        Finding(
            "calibrate.unusable_images",
            Severity.WARNING,
            f"camera {camera}",
            f"{_count(sets, 'image')} {'is' if len(sets) == 1 else 'are'} {reason} ({_listed(sets)})",
            "left out; if there are many, look at the exposure, the focus, the cable and the disk",
        )
        for (camera, reason), sets in _by_camera_and_reason(unusable).items()
    ]


def target_findings(target: Target) -> list[Finding]:
    """What a kind of target cannot give."""
    if target.kind is not TargetKind.GRID or target.marker_count > 1:
        return []
    return [
        Finding(
            "calibrate.separate_markers",
            Severity.ERROR,
            "board",
            "a single marker has four corners: they leave nothing to check, and blur and bright paper make it look "
            "smaller, which its spacing to another one would tell from a distance",
            "use a grid of two markers or more, or a ChArUco",
        )
    ]


def depth_findings(target: Target, depth: DepthCheck | None, bounds: Bounds) -> list[Finding]:
    """Whether the board is as large as it was said to be."""
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


def alignment_findings(alignment: DepthAlignment | None) -> list[Finding]:
    """What the depth cameras made of the poses."""
    if alignment is None:
        return []
    numbers = (
        f"surfaces of held-out sets lie {alignment.before_mm:.1f} mm apart by the board's poses, "
        f"{alignment.after_mm:.1f} mm by those aligned to depth"
    )
    if not alignment.is_taken:
        return [Finding("calibrate.depth_not_taken", Severity.INFO, "rig", f"{numbers}: {alignment.reason}", "")]
    furthest = max(alignment.moved_mm, key=lambda serial: alignment.moved_mm[serial])
    found = [
        Finding(
            "calibrate.depth_aligned",
            Severity.INFO,
            "rig",
            f"{numbers}, which are taken; device {furthest} moved furthest, by {alignment.moved_mm[furthest]:.1f} mm",
            "",
        )
    ]
    if alignment.held_directions < alignment.directions:
        found.append(
            Finding(
                "calibrate.depth_slides",
                Severity.INFO,
                "rig",
                f"surfaces hold {alignment.held_directions} of {alignment.directions} directions; along the others "
                "things would slide, and the board's poses stay",
                "put boxes or other things with sides into the common view, if depth shall hold all directions",
            )
        )
    return found


def _by_camera_and_reason(entries: Sequence[tuple[str, int, str]]) -> dict[tuple[str, str], list[int]]:
    """Sets by camera and reason; what a reason says of its own image alone, in brackets, is left to the JSON."""
    sets: dict[tuple[str, str], list[int]] = {}
    for camera, set_index, reason in sorted(entries):
        sets.setdefault((camera, reason.partition(" (")[0]), []).append(set_index)
    return sets


def _count(sets: Sequence[int], noun: str) -> str:
    return f"1 {noun}" if len(sets) == 1 else f"{len(sets)} {noun}s"


def _listed(sets: Sequence[int]) -> str:
    return f"{'set' if len(sets) == 1 else 'sets'} {', '.join(map(str, sets[:8]))}{', ...' if len(sets) > 8 else ''}"
