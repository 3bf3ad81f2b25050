"""Lenses that a calibration refined go with its poses: into fusion, into checks, into other tools' files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

import cv2

from flow.test_calibrate import TARGET, Studio, answer_of, make_studio, record
from genlock.geometry import DeviceLenses, RigExtrinsics, load_extrinsics
from genlock.k4a import ColorResolution
from genlock.recording import RecordedSession
from genlock.workflows.fuse import views_of_session

CENTER_RATIO = 0.005
"""How far to the right of the truth the files say the color lenses' centres are, in widths of an image: 6.4 px."""


@pytest.fixture(scope="module")
def studio() -> Studio:
    return make_studio()


@pytest.fixture(scope="module")
def take(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session whose files tell another color lens than the images were taken with."""
    folder = tmp_path_factory.mktemp("refined")
    told = {}
    for serial, raw in studio.raw.items():
        content = json.loads(raw.rstrip(b"\0"))
        for camera in content["CalibrationInformation"]["Cameras"]:
            if camera["Location"].endswith("PV0"):
                camera["Intrinsics"]["ModelParameters"][0] += CENTER_RATIO
        told[serial] = json.dumps(content).encode()
    record(studio, folder / "board", seed=1, told=told)
    return folder


@pytest.fixture
def refined(take: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = take / "refined.json"
    if not path.exists():
        command = ("calibrate", take / "board", "--target", TARGET, "--refine", "intrinsics", "-o", path)
        status, answer = answer_of(capsys, *command)
        assert status == 0
        assert "calibrate.lenses_refined" in [finding["code"] for finding in answer["findings"]]
    return path


@pytest.fixture
def plain(take: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = take / "plain.json"
    if not path.exists():
        answer_of(capsys, "calibrate", take / "board", "--target", TARGET, "-o", path)
    return path


def misplaced_px(studio: Studio, take: Path, extrinsics: RigExtrinsics) -> float:
    """How far from the true pixels of the color images fusion puts points that another device measured, median."""
    with RecordedSession(take / "board") as session:
        views = views_of_session(session.readers, extrinsics, take / "extrinsics.json")
    points_depth = np.random.default_rng(0).uniform([-0.4, -0.3, 1.5], [0.4, 0.3, 2.1], (500, 3))
    errors_px = []
    first, *others = views
    for serial in others:
        calibration = studio.calibration(serial)
        T_device_first = studio.T_world_device[serial].inverse() @ studio.T_world_device[first]
        in_device = points_depth @ T_device_first.rotation.T + T_device_first.translation_m
        true_px, is_seen = calibration.color_camera(ColorResolution.RES_720P).project(
            in_device @ calibration.T_color_depth.rotation.T + calibration.T_color_depth.translation_m
        )
        T_color_first = views[serial].T_world_color.inverse() @ views[first].T_world_device
        fused_px, _ = views[serial].color_camera.project(T_color_first.apply(points_depth))
        errors_px.append(np.linalg.norm(fused_px - true_px, axis=1)[is_seen])
    return float(np.median(np.concatenate(errors_px)))


def test_fusion_puts_points_where_they_are_with_the_lenses_that_belong_to_the_poses(
    studio: Studio, take: Path, plain: Path, refined: Path
):
    """Poses are good to 2 mm here, which is 0.6 px. A centre 6.4 px off, of which solving takes a part into the poses,
    leaves 5 px; the same where poses and lenses that do not belong together meet."""
    extrinsics = load_extrinsics(refined)
    assert misplaced_px(studio, take, extrinsics) < 1.2
    assert misplaced_px(studio, take, load_extrinsics(plain)) > 4
    assert misplaced_px(studio, take, replace(extrinsics, lenses={})) > 4


@pytest.mark.parametrize("is_refined", [True, False])
def test_fusion_says_which_lenses_it_used(
    take: Path, plain: Path, refined: Path, is_refined: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    path = refined if is_refined else plain
    status, answer = answer_of(
        capsys, "fuse", take / "board", "--extrinsics", path, "--cloud", "ply", "-o", tmp_path / "out"
    )
    assert status == 0
    assert set(answer["lenses"].values()) == {"refined" if is_refined else "factory"}
    assert json.loads(path.read_text(encoding="utf-8"))["format_version"] == (2 if is_refined else 1)


def test_a_check_uses_the_lenses_that_the_poses_were_solved_with(
    studio: Studio, take: Path, refined: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    """Nothing moved: with the files' lenses devices would seem to have."""
    command = ("calibrate", "check", take / "board", "--target", TARGET, "--extrinsics")
    status, answer = answer_of(capsys, *command, refined)
    assert (status, answer["moved"]) == (0, [])
    stripped = tmp_path / "stripped.json"
    stripped.write_text(json.dumps(replace(load_extrinsics(refined), lenses={}).to_json()), encoding="utf-8")
    status, answer = answer_of(capsys, *command, stripped)
    assert (status, len(answer["moved"]) > 0) == (1, True)


def test_exports_have_the_refined_lens(
    studio: Studio, take: Path, refined: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    status, answer = answer_of(
        capsys, "calibrate", "export", take / "board", "--extrinsics", refined, "--to", "opencv", "-o", tmp_path
    )
    assert status == 0
    for serial in studio.raw:
        true = studio.calibration(serial).color_camera(ColorResolution.RES_720P)
        (file,) = [path for path in map(Path, answer["files"]) if serial in path.name]
        storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_READ)
        matrix = storage.getNode("camera_matrix").mat()
        storage.release()
        assert matrix[0, 2] == pytest.approx(true.cx_px, abs=CENTER_RATIO * true.width_px / 3)


def test_a_lens_that_no_device_has_is_told_with_its_file(
    take: Path, refined: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    extrinsics = load_extrinsics(refined)
    wrong = {s: DeviceLenses(replace(lens.color, width_px=640, height_px=480)) for s, lens in extrinsics.lenses.items()}
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(replace(extrinsics, lenses=wrong).to_json()), encoding="utf-8")
    status, answer = answer_of(
        capsys, "fuse", take / "board", "--extrinsics", path, "--cloud", "ply", "-o", tmp_path / "out"
    )
    assert status == 2
    assert "640x480" in json.dumps(answer)
