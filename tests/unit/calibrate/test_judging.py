"""What is accepted is judged in millimetres at the board, and what spoils it is told apart."""

import numpy as np
import pytest

from genlock.calibrate import (
    CalibrationReport,
    CalibrationVerdict,
    DepthAlignment,
    Detection,
    gather,
    make_report,
    report_html,
    solve_poses,
)
from genlock.targets import parse_target
from unit.calibrate.rigs import TARGET, VirtualRig, make_rig


def report_of(rig: VirtualRig, found: dict, **further: object) -> CalibrationReport:
    solved = solve_poses(gather(rig.observations.cameras, found), TARGET.corners_board)
    assert solved is not None
    return make_report(TARGET, solved, None, dict.fromkeys(rig.observations.cameras, 9), **further)


def displaced(rig: VirtualRig, shift_px: float) -> dict:
    """Every view moved as a whole by this much, each its own way: as if no two cameras looked at the same moment."""
    rng = np.random.default_rng(0)
    out = {}
    for view, seen in rig.found.items():
        angle = rng.uniform(0, 2 * np.pi)
        out[view] = Detection(seen.corners, seen.px + shift_px * np.array([np.cos(angle), np.sin(angle)]))
    return out


@pytest.mark.parametrize(
    ("target", "codes"),
    [
        ("grid:4x3:180mm:150mm:DICT_APRILTAG_36h11", ["calibrate.separate_markers"]),
        ("charuco:9x6:80mm:60mm:DICT_5X5_250", []),
        ("chessboard:9x6:80mm", []),
    ],
)
def test_a_grid_of_separate_markers_is_told_apart_from_boards_whose_squares_meet(target: str, codes: list[str]):
    report = make_report(parse_target(target), None, None, {})
    assert [finding.code for finding in report.findings] == codes


def test_a_good_set_is_accepted_without_a_word():
    rig = make_rig("wall", 3, 25, seed=3)
    report = report_of(rig, rig.found)
    assert report.verdict is CalibrationVerdict.ACCEPTED
    assert report.findings == ()
    # 0.15 px a coordinate, f = 612 px, boards around 2.2 m: 0.76 mm, less what triangulation takes up.
    assert report.held_out_mm == pytest.approx(0.15 * np.sqrt(2) * 2200 / 612, rel=0.35)
    assert f"{report.held_out_mm:.2f} mm" in report.to_text()


@pytest.mark.parametrize(
    ("shift_px", "verdict"), [(1.5, CalibrationVerdict.ACCEPTED), (5.0, CalibrationVerdict.REJECTED)]
)
def test_cameras_that_look_at_different_moments_are_said_to(shift_px: float, verdict: CalibrationVerdict):
    """1.5 px are 5.4 mm at 2.2 m, of which triangulation leaves some two thirds; 5 px are 18 mm."""
    rig = make_rig("wall", 3, 25, seed=3)
    report = report_of(rig, displaced(rig, shift_px))
    assert report.single_rms_px == pytest.approx(0.15 * np.sqrt(2), rel=0.15)
    assert report.verdict is verdict
    codes = {finding.code for finding in report.findings}
    assert "calibrate.sets_disagree" in codes
    assert ("calibrate.held_out_error" in codes) == (verdict is CalibrationVerdict.REJECTED)


def test_lens_errors_are_not_called_clocks():
    rig = make_rig("wall", 3, 25, noise_px=0.8, seed=3)
    assert "calibrate.sets_disagree" not in {finding.code for finding in report_of(rig, rig.found).findings}


def test_what_depth_made_of_the_poses_is_told_either_way():
    rig = make_rig("wall", 3, 25, seed=3)
    taken = DepthAlignment({}, True, 8.0, 5.0, {"1": 4.0, "2": 9.0}, 6, 12)
    report = report_of(rig, rig.found, alignment=taken)
    assert [f.code for f in report.findings] == ["calibrate.depth_aligned", "calibrate.depth_slides"]
    assert "device 2 moved furthest, by 9.0 mm" in report.findings[0].message
    kept = DepthAlignment({}, False, 5.0, 5.0, {"1": 0.0}, 12, 12, "surfaces of other moments come no closer")
    report = report_of(rig, rig.found, alignment=kept)
    assert [f.code for f in report.findings] == ["calibrate.depth_not_taken"]
    assert report.to_json()["depth_alignment"]["is_taken"] is False


def test_flaws_are_listed_with_their_sets_and_the_page_shows_them():
    rig = make_rig("wall", 3, 25, seed=3)
    unusable = [
        ("1", 4, "blurred (edges 9 px wide, 3 px elsewhere)"),
        ("1", 6, "blurred (edges 8 px wide, 3 px elsewhere)"),
    ]
    solved = solve_poses(rig.observations, TARGET.corners_board)
    report = make_report(TARGET, solved, None, dict.fromkeys("012", 9), unusable=unusable)
    (finding,) = report.findings
    assert finding.message == "2 images are blurred (sets 4, 6)"
    assert {"camera": "1", "set": 4, "reason": "blurred (edges 9 px wide, 3 px elsewhere)"} in report.to_json()[
        "rejected"
    ]
    assert "2 images are blurred" in report_html(report, solved)
