"""Lenses in other tools' files: what is read, and what is refused with a reason."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

import cv2

from genlock.calibrate import load_intrinsics
from genlock.errors import IntrinsicsFileError
from genlock.geometry import CameraModel

K = [[900.0, 0.0, 640.0], [0.0, 905.0, 360.0], [0.0, 0.0, 1.0]]
D = [0.1, -0.2, 0.003, 0.004, 0.05, 0.01, 0.02, 0.03]
LENS = f"matrix = {K}\nsize = [1280, 720]\n"
YAML = f"""%YAML:1.0
---
image_width: 1280
image_height: 720
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: {K[0] + K[1] + K[2]}
distortion_coefficients: !!opencv-matrix
   rows: 4
   cols: 1
   dt: d
   data: {D[:4]}
"""


def assert_is_opencvs(camera: CameraModel, distortion: list[float]) -> None:
    points = np.random.default_rng(0).uniform([-0.4, -0.3, 1], [0.4, 0.3, 2], (20, 3))
    theirs, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.array(K), np.array(distortion))
    np.testing.assert_allclose(camera.project(points)[0], np.asarray(theirs).reshape(-1, 2), atol=1e-9)
    assert (camera.width_px, camera.height_px) == (1280, 720)


def written(tmp_path: Path, name: str, content: str) -> Path:
    (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize("count", [4, 5, 8, 12, 14])
def test_every_number_of_coefficients_that_opencv_makes_is_read(tmp_path: Path, count: int):
    """With the rational model OpenCV itself gives 14, of which the last six are 0."""
    distortion = (D + [0.0] * 6)[:count]
    (camera,) = load_intrinsics(
        written(tmp_path, "a.toml", f'[cam_0]\nname = "a"\n{LENS}distortions = {distortion}')
    ).values()
    assert_is_opencvs(camera, distortion)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (f'[cam_0]\nname = "cam088"\n{LENS}distortions = {D[:5]}\n[metadata]\nerror = 0.1', ["cam088"]),
        (f"[cameras.3]\ncam_id = 3\nrotation_count = 1\n{LENS}distortions = {D[:5]}", ["3"]),
        (f"Date = 2023-03-31T09:56:43.1\n[cam_2]\nport = 2\n{LENS}distortions = {D[:5]}\n[charuco]\nrows = 5", ["2"]),
        (f"[cameras.0]\n{LENS}distortions = {D[:5]}\n[cameras.1]\ncam_id = 1\nignore = true", ["0"]),
    ],
    ids=["aniposelib", "caliscope", "caliscope before 0.1", "one that is ignored"],
)  # fmt: skip
def test_tables_are_read_as_each_tool_and_version_names_them(tmp_path: Path, content: str, names: list[str]):
    cameras = load_intrinsics(written(tmp_path, "CONFIG.TOML", content))
    assert list(cameras) == names
    assert_is_opencvs(cameras[names[0]], D[:5])


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".xml", ".YML"])
@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (5,)])
def test_what_opencv_writes_is_read(tmp_path: Path, suffix: str, shape: tuple[int, ...]):
    storage = cv2.FileStorage(str(tmp_path / f"left{suffix}"), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 1280)
    storage.write("image_height", 720)
    storage.write("camera_matrix", np.array(K))
    storage.write("distortion_coefficients", np.reshape(D[:5], shape))
    storage.release()
    assert_is_opencvs(load_intrinsics(tmp_path)["left"], D[:5])


def test_a_map_a_camera_and_the_camera_info_of_ros_are_read(tmp_path: Path):
    entry = "\n".join("   " + line for line in YAML.splitlines()[2:])
    (tmp_path / "both").mkdir()
    cameras = load_intrinsics(
        written(tmp_path / "both", "rig.yaml", f"%YAML:1.0\n---\nleft:\n{entry}\nright:\n{entry}\n")
    )
    assert list(cameras) == ["left", "right"]
    assert_is_opencvs(cameras["right"], D[:4])
    ros = YAML.replace(" !!opencv-matrix", "").replace("   dt: d\n", "").removeprefix("%YAML:1.0\n---\n")
    assert_is_opencvs(
        load_intrinsics(written(tmp_path, "cam.yaml", f"{ros}distortion_model: plumb_bob\n"))["cam"], D[:4]
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.toml", "x = ", "no TOML"),
        ("a.toml", "x = 1", "no table"),
        ("a.toml", "[cam_0]\nmatrix = [[1]]\ndistortions = [0,0,0,0]\nsize = [1, 1]", "3 x 3"),
        ("a.toml", f"[cam_0]\n{LENS}", "distortion_coefficients: 4, 5, 8, 12 or 14"),
        ("a.toml", f"[cam_0]\n{LENS}distortions = [0, 0, 0, nan]", "4, 5, 8, 12 or 14"),
        ("a.toml", f"[cam_0]\n{LENS}distortions = {D + [0.1] * 4}", "thin prism"),
        ("a.toml", f"[cam_0]\n{LENS}distortions = {D[:4]}\nfisheye = true", "fisheye"),
        ("a.toml", f"[cam_0]\n{LENS.replace('900.0, 0.0', '900.0, 5.0')}distortions = {D[:4]}", "skewed"),
        ("a.toml", f'[cam_0]\nname = ""\n{LENS}distortions = {D[:4]}', "its name is empty"),
        ("a.toml", f"[cam_0]\n{LENS.replace('0.0, 0.0, 1.0', '640, 360, 1')}distortions = {D[:4]}", "rows should be"),
        ("a.toml", f"[cam_0]\n{LENS.replace('0.0, 0.0, 1.0', '0, 0, 0.5')}distortions = {D[:4]}", "0.5]], whose rows"),
        ("a.toml", f"[cam_0]\n{LENS.replace('[0.0, 905.0', '[2.0, 905.0')}distortions = {D[:4]}", "[2.0, 905.0, 360.0"),
        ("a.toml", f"[cam_0]\n{LENS.replace('1280', '1e300')}distortions = {D[:4]}", "1e+300x720"),
        ("a.toml", f"[cam_0]\n{LENS.replace('1280', '0.5')}distortions = {D[:4]}", "0.5x720"),
        ("a.toml", f"[cam_0]\n{LENS}distortions = {D[:4]}\nmetric_radius = -1", "metric_radius -1"),
        ("a.toml", '[cam_0]\nmatrix = "x"\nsize = "y"\ndistortions = "z"', "image_width and image_height"),
        ("a.toml", "[cameras.0]\ncam_id = 0\nsize = [1280, 720]", "camera 0: needs a 3 x 3"),
        ("a.yaml", "%YAML:1.0\n---\nimage_width: 3\n", "no table"),
        ("a.yaml", "", "no YAML or XML"),
        ("a.yaml", YAML[:80], "3 x 3"),
        ("a.yaml", YAML.replace("rows: 3\n   cols: 3", "rows: 3\n   cols: 4"), "3 x 3"),
        ("a.yaml", YAML.replace(" !!opencv-matrix", "").replace("cols: 3", 'cols: "abc"'), "3 x 3"),
        ("a.yaml", YAML.replace(" !!opencv-matrix", "").replace("cols: 3", "cols: [3]"), "3 x 3"),
        ("a.yaml", f"{YAML}fisheye_model: 1\n", "fisheye"),
        ("a.yaml", f"{YAML}distortion_model: equidistant\n", "fisheye"),
        ("a.yaml", YAML.replace("image_width: 1280\n", ""), "image_width and image_height"),
        ("a.txt", "", "should be"),
    ],
)  # fmt: skip
def test_intrinsics_that_are_none_say_why(tmp_path: Path, name: str, content: str, says: str):
    with pytest.raises(IntrinsicsFileError, match=re.escape(says)):
        load_intrinsics(written(tmp_path, name, content))


def test_a_matrix_as_matlab_has_it_is_told_to_be_transposed(tmp_path: Path):
    lens = f"matrix = {np.transpose(K).tolist()}\nsize = [1280, 720]\ndistortions = {D[:4]}"
    with pytest.raises(IntrinsicsFileError, match=r"640\.0, 360\.0, 1\.0\]\], whose .* it is transposed, as MATLAB"):
        load_intrinsics(written(tmp_path, "a.toml", f"[cam_0]\n{lens}"))


def test_texts_in_another_alphabet_than_utf_8_are_no_yaml(tmp_path: Path):
    (tmp_path / "a.yaml").write_bytes(f'{YAML}note: "caf\xe9"\n'.encode("latin-1"))
    with pytest.raises(IntrinsicsFileError, match="UTF-8"):
        load_intrinsics(tmp_path / "a.yaml")


def test_every_mistake_of_every_camera_is_told_at_once(tmp_path: Path):
    path = written(
        tmp_path, "a.toml", f"[cam_0]\n{LENS}fisheye = true\n[cam_1]\nmatrix = [[1]]\ndistortions = [0, 0, 0, 0]"
    )
    with pytest.raises(IntrinsicsFileError) as caught:
        load_intrinsics(path)
    for said in ("camera cam_0: has a fisheye", "needs distortions", "camera cam_1: needs a 3 x 3", "needs size"):
        assert said in str(caught.value)


def test_two_cameras_of_one_name_are_refused(tmp_path: Path):
    table = f'name = "a"\n{LENS}distortions = {D[:4]}\n'
    with pytest.raises(IntrinsicsFileError, match="another camera of this name"):
        load_intrinsics(written(tmp_path, "a.toml", f"[cam_0]\n{table}[cam_1]\n{table}"))
