"""What other tools make of exported cameras, with their own readers where these install."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

from genlock.calibrate import PlacedCamera, export_cameras
from genlock.geometry import Pose, rotation_from_vector
from unit.calibrate.rigs import LENS

CAMERAS = [
    PlacedCamera(f"{n:012d}", LENS, Pose("world", f"color_{n}", rotation_from_vector(np.array(v)), t))
    for n, v, t in (
        (1, [0.2, 0.1, -0.3], [0.5, 0, 1]),
        (2, [0, -1.2, 0.1], [-1, 0.3, 2]),
        (3, [1, 0.4, 0], [0, 1, 0.2]),
    )
]
POINTS_CAM = np.random.default_rng(0).uniform([-0.4, -0.25, 1], [0.4, 0.25, 2], (20, 3))


def write(kind: str, folder: Path) -> Path:
    for name, content in export_cameras(CAMERAS, kind).items():
        (folder / name).write_text(content)
    return folder


def test_colmap_reads_lenses_rig_and_frame_and_projects_alike(tmp_path: Path):
    pycolmap = pytest.importorskip("pycolmap", reason="pycolmap is not installed: pip install pycolmap")
    model = pycolmap.Reconstruction(write("colmap", tmp_path))
    assert model.num_cameras() == len(CAMERAS)
    assert len(model.rigs) == 1
    assert len(model.frames) == 1
    by_name = {image.name.removesuffix(".png"): image for image in model.images.values()}
    for camera in CAMERAS:
        image = by_name[camera.name]
        points_world = camera.T_world_cam.apply(POINTS_CAM)
        # The image's pose comes from the frame and the rig, not from its own line.
        points_cam = np.array([image.cam_from_world() * point for point in points_world])
        np.testing.assert_allclose(points_cam, POINTS_CAM, atol=1e-9)
        theirs = np.array([image.camera.img_from_cam(point) for point in points_cam])
        ours, _ = LENS.project(POINTS_CAM)
        np.testing.assert_allclose(theirs, ours + 0.5, atol=1e-6)  # COLMAP's pixel centres lie at halves


def test_nerfstudio_frames_put_a_point_in_front_along_minus_z(tmp_path: Path):
    """Its convention, docs.nerf.studio "Data conventions": camera to world, +x right, +y up, -z looks forward."""
    content = json.loads((write("nerfstudio", tmp_path) / "transforms.json").read_text())
    for frame, camera in zip(content["frames"], CAMERAS, strict=True):
        to_opengl = POINTS_CAM * [1, -1, -1]
        matrix = np.array(frame["transform_matrix"])
        points_world = to_opengl @ matrix[:3, :3].T + matrix[:3, 3]
        np.testing.assert_allclose(points_world, camera.T_world_cam.apply(POINTS_CAM), atol=1e-12)


@pytest.mark.parametrize(("kind", "bound_px"), [("nerfstudio", 0.7), ("kalibr", 0.9)])
def test_tools_without_a_rational_lens_get_a_fitted_one(tmp_path: Path, kind: str, bound_px: float):
    """A polynomial of four terms, or of two, comes that near to a real Azure Kinect's lens; its first coefficients
    alone, the rest left out, would be off by more than 100 px in a corner of the image."""
    import cv2

    folder = write(kind, tmp_path)
    if kind == "nerfstudio":
        frame = json.loads((folder / "transforms.json").read_text())["frames"][0]
        k1, k2, k3, k4, p1, p2 = (frame[name] for name in ("k1", "k2", "k3", "k4", "p1", "p2"))
    else:
        line = next(line for line in (folder / "camchain.yaml").read_text().splitlines() if "distortion_coeffs" in line)
        (k1, k2, p1, p2), k3, k4 = json.loads(line.partition(":")[2]), 0.0, 0.0
    corners_px = np.array([[0.0, 0.0], [1279, 0], [0, 719], [1279, 719], [640, 0], [0, 360]])
    rays, _ = LENS.unproject(corners_px)
    x, y = rays[:, 0], rays[:, 1]
    r2 = x * x + y * y
    d = 1 + r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
    xd = x * d + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    yd = y * d + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    theirs = np.stack([xd * LENS.fx_px + LENS.cx_px, yd * LENS.fy_px + LENS.cy_px], axis=1)
    assert np.linalg.norm(theirs - corners_px, axis=1).max() < bound_px
    cut, _ = cv2.projectPoints(
        rays, np.zeros(3), np.zeros(3), np.array(CAMERAS[0].matrix), np.array([LENS.k1, LENS.k2, LENS.p1, LENS.p2])
    )
    assert np.linalg.norm(np.asarray(cut).reshape(-1, 2) - corners_px, axis=1).max() > 100


def test_anipose_and_caliscope_tables_are_opencvs_world_to_camera(tmp_path: Path):
    """aniposelib: ``cv2.projectPoints(points, rotation, translation, matrix, distortions)``."""
    import cv2

    tables = tomllib.loads((write("toml", tmp_path) / "camera_array.toml").read_text())
    for table, camera in zip(tables.values(), CAMERAS, strict=True):
        points_world = camera.T_world_cam.apply(POINTS_CAM)
        theirs, _ = cv2.projectPoints(
            points_world, np.array(table["rotation"]), np.array(table["translation"]), np.array(table["matrix"]),
            np.array(table["distortions"]),
        )  # fmt: skip
        np.testing.assert_allclose(np.asarray(theirs).reshape(-1, 2), LENS.project(POINTS_CAM)[0], atol=1e-6)


def test_ros_transforms_take_points_of_the_child_to_the_parent(tmp_path: Path):
    """tf2: a static transform holds the child frame's pose in its parent, quaternion xyzw."""
    script = (write("ros", tmp_path) / "static_transforms.sh").read_text()
    lines = [line for line in script.splitlines() if "static_transform_publisher" in line]
    for line, camera in zip(lines, CAMERAS, strict=True):
        words = line.split()
        value = {word[2:]: words[number + 1] for number, word in enumerate(words) if word.startswith("--")}
        assert value["child-frame-id"] == f"{camera.name}_optical_frame"
        wxyz = [float(value[name]) for name in ("qw", "qx", "qy", "qz")]
        T = Pose.from_quaternion("world", "cam", wxyz, [float(value[axis]) for axis in "xyz"])
        np.testing.assert_allclose(T.apply(POINTS_CAM), camera.T_world_cam.apply(POINTS_CAM), atol=1e-7)
