"""Files in and out: OpenCV and this room's own readers read what it writes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

import cv2

from genlock.calibrate import EXPORTS, PlacedCamera, export_cameras, lenses_toml, load_intrinsics
from genlock.geometry import LensModel, Pose, rotation_from_vector
from unit.calibrate.rigs import LENS

CAMERAS = [
    PlacedCamera(f"{n:012d}", LENS, Pose("world", f"color_{n}", rotation_from_vector(np.array(v)), t))
    for n, v, t in ((1, [0.2, 0.1, -0.3], [0.5, 0, 1]), (2, [0, -1.2, 0.1], [-1, 0.3, 2]))
]
POINT_WORLD = np.array([0.4, 0.2, 4.0])


def test_opencv_reads_its_yaml_and_projects_alike(tmp_path: Path):
    for name, content in export_cameras(CAMERAS, "opencv").items():
        (tmp_path / name).write_text(content)
    for camera in CAMERAS:
        storage = cv2.FileStorage(str(tmp_path / f"{camera.name}.yaml"), cv2.FILE_STORAGE_READ)
        K, d, R, t = (storage.getNode(n).mat() for n in ("camera_matrix", "distortion_coefficients", "R", "t"))
        storage.release()
        point_world = camera.T_world_cam.apply(np.array([0.3, -0.2, 2.0]))
        theirs, _ = cv2.projectPoints(point_world[None], cv2.Rodrigues(R)[0], t, K, d)
        ours, _ = LENS.project([[0.3, -0.2, 2.0]])
        np.testing.assert_allclose(np.asarray(theirs).reshape(2), ours[0], atol=1e-6)


@pytest.mark.parametrize("kind", ["opencv", "toml"])
def test_lenses_come_back_from_both_kinds_of_file(tmp_path: Path, kind: str):
    for name, content in export_cameras(CAMERAS, kind).items():
        (tmp_path / name).write_text(content)
    path = tmp_path if kind == "opencv" else tmp_path / "camera_array.toml"
    cameras = load_intrinsics(path)
    assert {camera.metric_radius for camera in cameras.values()} == {LENS.metric_radius if kind == "toml" else 10.0}
    assert set(cameras) == {camera.name for camera in CAMERAS}
    points = np.random.default_rng(0).normal(0, 0.3, (20, 3)) + np.array([0, 0, 2])
    for model in cameras.values():
        np.testing.assert_allclose(model.project(points)[0], LENS.project(points)[0], atol=1e-9)


def test_nerfstudio_looks_along_minus_z_with_y_up():
    frames = json.loads(export_cameras(CAMERAS, "nerfstudio")["transforms.json"])["frames"]
    for frame, camera in zip(frames, CAMERAS, strict=True):
        matrix = np.array(frame["transform_matrix"])
        np.testing.assert_allclose(matrix[:3, 2], -camera.T_world_cam.rotation[:, 2])
        np.testing.assert_allclose(matrix[:3, 1], -camera.T_world_cam.rotation[:, 1])
        assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)


def test_colmaps_pixel_centres_lie_at_halves_and_its_poses_are_inverse():
    files = export_cameras(CAMERAS, "colmap")
    lens = files["cameras.txt"].splitlines()[1].split()
    assert lens[1:4] == ["FULL_OPENCV", "1280", "720"]
    assert float(lens[6]) == LENS.cx_px + 0.5
    qw, qx, qy, qz, *t = map(float, files["images.txt"].splitlines()[1].split()[1:8])
    found = Pose.from_quaternion("cam", "world", (qw, qx, qy, qz), t)
    expected = CAMERAS[0].T_world_cam.inverse().apply(POINT_WORLD)
    np.testing.assert_allclose(found.apply(POINT_WORLD), expected)


def test_kalibrs_chain_leads_from_each_camera_to_the_next():
    text = export_cameras(CAMERAS, "kalibr")["camchain.yaml"]
    rows = [json.loads(line.strip()[2:]) for line in text.splitlines() if line.strip().startswith("- [")]
    in_first = CAMERAS[0].T_world_cam.inverse().apply(POINT_WORLD)
    in_second = CAMERAS[1].T_world_cam.inverse().apply(POINT_WORLD)
    np.testing.assert_allclose((np.array(rows) @ [*in_first, 1])[:3], in_second, atol=1e-9)


def test_ros_gets_one_transform_a_camera():
    script = export_cameras(CAMERAS, "ros")["static_transforms.sh"]
    assert script.count("--frame-id world") == len(CAMERAS)


def test_an_unknown_format_lists_those_there_are():
    with pytest.raises(ValueError, match=", ".join(EXPORTS)):
        export_cameras(CAMERAS, "obj")


@pytest.mark.parametrize("kind", list(EXPORTS))
def test_a_lens_that_no_other_tool_computes_is_refused(kind: str):
    older = replace(LENS, lens_model=LensModel.RATIONAL_6KT)
    with pytest.raises(ValueError, match="older units"):
        export_cameras([replace(CAMERAS[0], model=older)], kind)
    with pytest.raises(ValueError, match="centre of distortion"):
        export_cameras([replace(CAMERAS[0], model=replace(LENS, codx=0.01))], kind)


def test_lenses_alone_are_refused_alike():
    with pytest.raises(ValueError, match="older units"):
        lenses_toml({"1": LENS, "2": replace(LENS, lens_model=LensModel.RATIONAL_6KT)})
    with pytest.raises(ValueError, match="centre of distortion"):
        lenses_toml({"1": replace(LENS, cody=0.01)})


def test_names_that_other_files_cannot_bear_are_made_bearable(tmp_path: Path):
    cameras = [replace(CAMERAS[0], name="left cam"), replace(CAMERAS[1], name='top "2"')]
    assert set(export_cameras(cameras, "opencv")) == {"left_cam.yaml", "top_2_.yaml"}
    assert "left_cam.png\n" in export_cameras(cameras, "colmap")["images.txt"]
    assert "--child-frame-id left_cam_optical_frame &" in export_cameras(cameras, "ros")["static_transforms.sh"]
    (tmp_path / "a.toml").write_text(export_cameras(cameras, "toml")["camera_array.toml"])
    assert list(load_intrinsics(tmp_path / "a.toml")) == ["left cam", 'top "2"']


def test_names_that_become_the_same_are_refused():
    with pytest.raises(ValueError, match="more different names"):
        export_cameras([replace(CAMERAS[0], name="a b"), replace(CAMERAS[1], name="a_b")], "colmap")
