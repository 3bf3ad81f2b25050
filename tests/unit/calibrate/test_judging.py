"""What is accepted is judged in millimetres at the board, and what spoils it is told apart."""

import re

import numpy as np
import pytest

from genlock.calibrate import (
    CalibrationReport,
    CalibrationVerdict,
    DepthAlignment,
    Detection,
    View,
    extrinsics_of,
    gather,
    make_report,
    report_html,
    solve_poses,
)
from genlock.findings import Severity
from genlock.geometry import Pose, device_frame
from genlock.targets import parse_target
from unit.calibrate.rigs import TARGET, VirtualRig, make_rig


def report_of(rig: VirtualRig, found: dict, **further: object) -> CalibrationReport:
    solved = solve_poses(gather(rig.observations.cameras, found), TARGET.corners_board)
    assert solved is not None
    return make_report(TARGET, solved, None, dict.fromkeys(rig.observations.cameras, range(9)), **further)


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
        ("grid:1x1:180mm:150mm:DICT_APRILTAG_36h11", ["calibrate.separate_markers"]),
        ("grid:2x1:180mm:150mm:DICT_APRILTAG_36h11", []),
        ("charuco:9x6:80mm:60mm:DICT_5X5_250", []),
        ("chessboard:9x6:80mm", []),
    ],
)
def test_a_single_marker_is_no_target_to_calibrate_with(target: str, codes: list[str]):
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
    report = make_report(TARGET, solved, None, dict.fromkeys("012", range(9)), unusable=unusable)
    (finding,) = report.findings
    assert finding.message == "2 images are blurred (sets 4, 6)"
    assert {"camera": "1", "set": 4, "reason": "blurred (edges 9 px wide, 3 px elsewhere)"} in report.to_json()[
        "rejected"
    ]
    assert "2 images are blurred" in report_html(report, solved)


def test_cameras_that_are_not_joined_are_told_with_the_pair_that_is_nearest_to_it():
    seen = {"1": range(15), "2": range(14, 30), "3": range(40, 50)}
    (finding,) = make_report(TARGET, None, None, seen).findings
    assert finding.code == "calibrate.not_connected"
    assert "1 and 2 have 1" in finding.message
    assert "where 1 and 2 both see it" in finding.remedy


def test_a_group_apart_is_told_with_the_pair_that_is_nearest_to_joining_it():
    rig = make_rig("wall", 3, 25, seed=3)
    found = {view: seen for view, seen in rig.found.items() if view.camera != "2" or view.set_index < 2}
    solved = solve_poses(gather(rig.observations.cameras, found), TARGET.corners_board)
    sets = {name: [view.set_index for view in found if view.camera == name] for name in "012"}
    told = {f.code: f for f in make_report(TARGET, solved, None, sets).findings}
    assert told["calibrate.not_connected"].where == "cameras 2"
    assert "have 2" in told["calibrate.not_connected"].message


def test_views_are_counted_where_nothing_could_be_solved():
    report = make_report(TARGET, None, None, {"1": range(15), "2": []})
    assert [row.views for row in report.cameras] == [15, 0]
    assert [f.code for f in report.findings] == ["calibrate.board_not_seen"]


def test_a_single_camera_is_told_that_it_is_one():
    (finding,) = make_report(TARGET, None, None, {"1": range(15)}).findings
    assert "the only one" in finding.message


def test_a_description_that_fits_no_print_is_told_once():
    (finding,) = make_report(TARGET, None, None, {"1": [], "2": [], "3": []}).findings
    assert (finding.code, finding.where) == ("calibrate.board_not_seen", "rig")
    assert "dictionary" in finding.remedy


def test_a_film_in_which_the_cameras_stood_elsewhere_rejects_the_calibration():
    """Some 5 cm beside their places. What is left in may fit well: the views that were left out tell of it."""
    rig, elsewhere = make_rig("wall", 5, 30, seed=3), make_rig("wall", 5, 10, seed=4)
    later = {View(view.camera, 1000 + view.set_index): seen for view, seen in elsewhere.found.items()}
    solved = solve_poses(gather(rig.observations.cameras, rig.found | later), TARGET.corners_board)
    assert solved is not None
    films = {"monday": range(1000), "tuesday": range(1000, 2000)}
    report = make_report(TARGET, solved, None, dict.fromkeys("01234", range(9)), films=films)
    moved = [finding for finding in report.findings if finding.code == "calibrate.cameras_moved"]
    assert [(finding.where, finding.severity) for finding in moved] == [("tuesday", Severity.ERROR)]
    assert report.verdict is CalibrationVerdict.REJECTED
    alone = solve_poses(rig.observations, TARGET.corners_board)
    same = make_report(TARGET, alone, None, dict.fromkeys("01234", range(9)), films=films)
    assert "calibrate.cameras_moved" not in {finding.code for finding in same.findings}


def moved_of(rig: VirtualRig, found: dict, films: dict | None = None) -> list[tuple[str, str]]:
    findings = report_of(rig, found, films=films or {}).findings
    return [(finding.where, finding.message) for finding in findings if finding.code == "calibrate.cameras_moved"]


@pytest.mark.parametrize("cameras", [3, 10])
def test_views_that_are_spoilt_here_and_there_are_no_movement_however_many_cameras(cameras: int):
    """Of ten cameras a third of all sets has such a view."""
    rig, rng = make_rig("wall", cameras, 40, seed=3), np.random.default_rng(0)
    spoilt = {view: seen for view, seen in displaced(rig, 15).items() if rng.random() < 0.08}
    assert moved_of(rig, rig.found | spoilt) == []


@pytest.mark.parametrize("cameras", [3, 10])
def test_a_camera_that_moved_is_told_however_many_did_not(cameras: int):
    rig = make_rig("wall", cameras, 40, seed=3)
    turned = {
        view: Detection(seen.corners, seen.px + 15)
        for view, seen in rig.found.items()
        if view.camera == "1" and view.set_index >= 28
    }
    ((where, message),) = moved_of(rig, rig.found | turned, {"monday": range(28), "tuesday": range(28, 40)})
    assert where == "tuesday"
    assert ": camera 1 in " in message


def test_the_page_says_what_was_left_out_what_is_accepted_and_which_camera_holds_the_frame():
    rig = make_rig("wall", 3, 25, seed=3)
    solved = solve_poses(rig.observations, TARGET.corners_board)
    assert solved is not None
    poses = {name: Pose("cam", device_frame(name), np.eye(3), np.zeros(3)) for name in "012"}
    extrinsics = extrinsics_of(solved.solution, poses, Pose("world", "ref", np.eye(3), np.zeros(3)), "device 0")
    report = make_report(
        TARGET,
        solved,
        extrinsics,
        dict.fromkeys("012", range(9)),
        unusable=[("1", number, "black") for number in range(12)],
    )
    page = report_html(report, solved)
    assert "12 images were left out" in page
    assert "<td>11</td><td>black</td>" in page
    assert "up to 5 mm" in page
    assert page.count("<td>holds the frame</td>") == 1
    assert report.to_text().count("holds the frame") == 1
    captions = re.findall(r"<figcaption>(\d)", page)
    assert captions == [row.camera for row in report.cameras]
