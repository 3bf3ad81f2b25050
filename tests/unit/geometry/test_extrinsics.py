"""The extrinsics file, and derivatives that the calibration rests on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genlock.errors import ExtrinsicsFileError
from genlock.geometry import (
    FACTORY_LENSES,
    CameraModel,
    DeviceLenses,
    Pose,
    PoseSigma,
    RigExtrinsics,
    cross_matrix,
    device_frame,
    load_extrinsics,
    project_with_derivatives,
    rotation_from_vector,
)

LENS = CameraModel(
    width_px=1280, height_px=720, cx_px=639.3, cy_px=365.9, fx_px=611.8, fy_px=611.9,
    k1=0.33, k2=-2.4, k3=1.42, k4=0.21, k5=-2.22, k6=1.345, p1=3e-4, p2=-2e-4,
)  # fmt: skip


def make_extrinsics() -> RigExtrinsics:
    poses = {
        serial: Pose("world", device_frame(serial), rotation_from_vector(np.array(vector)), shift)
        for serial, vector, shift in (("1", [0, 0, 0], [0, 0, 0]), ("2", [0.1, -0.5, 0.3], [1, 2, -0.5]))
    }
    return RigExtrinsics(poses, "device 1", {"1": PoseSigma(0, 0), "2": PoseSigma(0.4, 0.01)})


def test_what_is_written_is_read_again(tmp_path: Path):
    extrinsics = make_extrinsics()
    (tmp_path / "e.json").write_text(json.dumps(extrinsics.to_json()))
    again = load_extrinsics(tmp_path / "e.json")
    assert again.world == "device 1"
    assert again.sigmas == extrinsics.sigmas
    for serial, pose in extrinsics.T_world_device.items():
        np.testing.assert_allclose(again.T_world_device[serial].rotation, pose.rotation, atol=1e-12)
        np.testing.assert_allclose(again.T_world_device[serial].translation_m, pose.translation_m)


def test_a_pose_under_another_devices_serial_is_refused():
    with pytest.raises(ValueError, match="needs T_world_depth_2"):
        RigExtrinsics({"2": make_extrinsics().T_world_device["1"]})


def test_between_takes_points_of_one_device_to_another():
    extrinsics = make_extrinsics()
    point = np.array([0.3, -0.2, 1.5])
    np.testing.assert_allclose(
        extrinsics.T_world_device["1"].apply(extrinsics.between("1", "2").apply(point)),
        extrinsics.T_world_device["2"].apply(point),
    )


def test_lenses_are_written_with_the_poses_that_were_solved_with_them(tmp_path: Path):
    extrinsics = replace(make_extrinsics(), lenses={"2": DeviceLenses(color=LENS)})
    content = extrinsics.to_json()
    assert content["format_version"] == 2
    (tmp_path / "e.json").write_text(json.dumps(content))
    again = load_extrinsics(tmp_path / "e.json")
    assert again.lenses == {"2": DeviceLenses(color=LENS)}
    assert again.lenses_of("1") == FACTORY_LENSES


def test_a_file_without_lenses_is_what_older_programs_read():
    content = make_extrinsics().to_json()
    assert content["format_version"] == 1
    assert {key for device in content["devices"].values() for key in device} == {
        "rotation_wxyz", "translation_m", "sigma_mm", "sigma_deg"
    }  # fmt: skip


def test_a_lens_that_lacks_something_is_told(tmp_path: Path):
    content = replace(make_extrinsics(), lenses={"2": DeviceLenses(depth=LENS)}).to_json()
    del content["devices"]["2"]["depth_lens"]["k3"]
    (tmp_path / "e.json").write_text(json.dumps(content))
    with pytest.raises(ExtrinsicsFileError, match=r"devices\.2\.depth_lens\.k3"):
        load_extrinsics(tmp_path / "e.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "no extrinsics file"),
        ("{", "no JSON"),
        ('{"devices": {}}', "devices"),
        ('{"devices": {"1": {"rotation_wxyz": [1, 0, 0], "translation_m": [0, 0, 0]}}}', "rotation_wxyz"),
        ('{"devices": {"1": {"rotation_wxyz": [2, 0, 0, 0], "translation_m": [0, 0, 0]}}}', "length 1"),
        ('{"devices": {"1": {"rotation_wxyz": [1, 0, 0, 0], "translation_mm": [0, 0, 0]}}}', "translation_m"),
        ('{"format_version": 9, "devices": {"1": {"rotation_wxyz": [1,0,0,0], "translation_m": [0,0,0]}}}', "version"),
    ],
)
def test_a_damaged_file_names_its_mistake(tmp_path: Path, content: str, says: str):
    (tmp_path / "e.json").write_text(content)
    with pytest.raises(ExtrinsicsFileError, match=says):
        load_extrinsics(tmp_path / "e.json")


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(ExtrinsicsFileError, match="cannot be read"):
        load_extrinsics(tmp_path / "none.json")


def test_pixels_move_as_the_derivatives_say():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.4, (50, 3)) + np.array([0, 0, 2])
    px, by_point = project_with_derivatives(LENS, points)
    np.testing.assert_allclose(px, LENS.project(points)[0], atol=1e-9)
    for axis in range(3):
        step = np.eye(3)[axis] * 1e-6
        numeric = (LENS.project(points + step)[0] - LENS.project(points - step)[0]) / 2e-6
        # Central differences of pixels near 1000: 1e-13 relative over 2e-6 m.
        np.testing.assert_allclose(by_point[:, :, axis], numeric, atol=1e-3)


def test_rotations_of_vectors_form_a_group_about_each_axis():
    rng = np.random.default_rng(1)
    vectors = rng.normal(0, 1, (40, 3))
    R = rotation_from_vector(vectors)
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(rotation_from_vector(0.3 * vectors) @ rotation_from_vector(0.7 * vectors), R, atol=1e-12)
    tiny = rotation_from_vector(np.array([1e-9, -2e-9, 3e-9]))
    np.testing.assert_allclose(tiny, np.eye(3) + cross_matrix(np.array([1e-9, -2e-9, 3e-9])), atol=1e-16)


def test_a_cross_matrix_crosses():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 10, 3))
    np.testing.assert_allclose((cross_matrix(a) @ b[:, :, None])[:, :, 0], np.cross(a, b))
