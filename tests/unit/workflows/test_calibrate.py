"""What a calibration leaves on the disk, and which images it takes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

import cv2

from genlock.calibrate import Solved, extrinsics_of, make_report, solve_poses
from genlock.errors import SessionFolderError
from genlock.geometry import LensModel, Pose, device_frame
from genlock.workflows.boards import CalibrationResult
from genlock.workflows.calibrate import calibrate_images, write_calibration
from unit.calibrate.rigs import TARGET, make_rig

CAMERAS = "012"


@pytest.fixture(scope="module")
def solved() -> Solved:
    found = solve_poses(make_rig("wall", 3, 25, seed=3).observations, TARGET.corners_board)
    assert found is not None
    return found


def refined(solved: Solved) -> Solved:
    return replace(solved, solution=replace(solved.solution, lens_steps=np.full((len(CAMERAS), 8), 0.5)))


def written(solved: Solved, path: Path, *, seen: str = CAMERAS) -> list[str]:
    """The files that are there after a calibration; with cameras that saw nothing it is rejected."""
    poses = {name: Pose("cam", device_frame(name), np.eye(3), np.zeros(3)) for name in CAMERAS}
    extrinsics = extrinsics_of(solved.solution, poses, Pose("world", "ref", np.eye(3), np.zeros(3)), "")
    sets_seen = {name: range(9) if name in seen else range(0) for name in CAMERAS}
    files = write_calibration(CalibrationResult(make_report(TARGET, solved, extrinsics, sets_seen), solved), path)
    assert all(file.is_file() for file in files)
    return sorted(file.name for file in path.parent.iterdir())


def test_refined_lenses_of_an_earlier_calibration_do_not_outlive_it(solved: Solved, tmp_path: Path):
    path = tmp_path / "x.json"
    assert "x-lenses.toml" in written(refined(solved), path)
    assert written(solved, path) == ["x-report.html", "x-report.json", "x.json"]


def test_a_rejected_calibration_leaves_the_lenses_of_the_accepted_one(solved: Solved, tmp_path: Path):
    path = tmp_path / "x.json"
    written(refined(solved), path)
    assert "x-rejected-lenses.toml" in written(refined(solved), path, seen="01")
    files = written(solved, path, seen="01")
    assert "x-rejected.json" in files
    assert "x-rejected-lenses.toml" not in files
    assert "x-lenses.toml" in files


def test_lenses_that_the_file_cannot_hold_are_in_the_extrinsics_alone(solved: Solved, tmp_path: Path):
    cameras = solved.observations.cameras
    older = {name: replace(lens, lens_model=LensModel.RATIONAL_6KT) for name, lens in cameras.items()}
    of_older_units = replace(refined(solved), observations=replace(solved.observations, cameras=older))
    assert written(of_older_units, tmp_path / "x.json") == ["x-report.html", "x-report.json", "x.json"]


def test_the_size_of_images_is_looked_at_where_a_camera_missed_the_first_set(tmp_path: Path):
    tables = [
        f"[cam_{n}]\nmatrix = [[500, 0, 32], [0, 500, 24], [0, 0, 1]]\ndistortions = [0, 0, 0, 0]\nsize = [64, 48]\n"
        for n in range(3)
    ]
    (tmp_path / "lenses.toml").write_text("".join(tables))
    for n, sets, size in ((0, range(3), (48, 64)), (1, range(3), (48, 64)), (2, range(1, 3), (96, 128))):
        (tmp_path / "film" / f"cam_{n}").mkdir(parents=True)
        for number in sets:
            cv2.imwrite(str(tmp_path / "film" / f"cam_{n}" / f"{number}.png"), np.zeros(size, np.uint8))
    with pytest.raises(SessionFolderError, match="cam_2 has images of 128x96; its lens was measured at 64x48"):
        calibrate_images(tmp_path / "film", tmp_path / "lenses.toml", TARGET)
