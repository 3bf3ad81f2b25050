"""Other cameras' images: whose a file is, and which are of one moment, as other tools lay them down."""

import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

import cv2

from genlock.calibrate import Footage, find_footage
from genlock.calibrate.moments import sets_of_frames
from genlock.calibrate.naming import camera_of, moment_of
from genlock.errors import IntrinsicsFileError, SessionFolderError

LEVEL = 16
"""Pictures are told apart by their gray level: number * LEVEL. A video's codec changes it by less than half of that."""


def lay(folder: Path, pictures: Mapping[str, int]) -> Path:
    for name, level in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), np.full((16, 24), level * LEVEL, np.uint8))
    return folder


def film(path: Path, levels: Sequence[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in levels:
        writer.write(np.full((48, 64, 3), level * LEVEL, np.uint8))
    writer.release()


def seen(footage: Footage, most: int = 100) -> dict[str, dict[int, int]]:
    """By camera and set, the level of the picture; -1 for one that cannot be read."""
    sets = footage.shared_sets(most)
    return {
        camera: {n: -1 if g is None else round(float(g.mean()) / LEVEL) for n, g in footage.images(camera, sets)}
        for camera in footage.cameras
    }


@pytest.mark.parametrize(
    ("name", "cameras", "whose"),
    [
        ("cam_0", ["cam_0", "cam_1"], "cam_0"),
        ("CAM_1", ["cam_0", "cam_1"], "cam_1"),
        ("cam_0", ["0", "1"], "0"),
        ("port_01", ["0", "1"], "1"),
        ("2021-03-01-calib-camB", ["A", "B"], "B"),
        ("vid_cam088_take2", ["cam088", "cam091"], "cam088"),
        ("cam_1_take_0", ["0", "1"], "1"),
        ("left cam", ["left cam", "right cam"], "left cam"),
        ("cam_2", ["cam", "cam_2"], "cam_2"),
        ("video10", ["1", "10"], "10"),
        ("overview", ["left", "right"], ""),
        ("leftover", ["left", "right"], ""),
    ],
)
def test_a_name_says_whose_a_file_is(name: str, cameras: list[str], whose: str):
    assert camera_of(name, cameras, is_whole=True) == whose


@pytest.mark.parametrize(
    ("name", "cameras", "whose"),
    [("left01", ["left", "right"], "left"), ("cam0_0001", ["cam_0", "cam_1"], "cam_0"), ("12", ["11", "12"], "12"),
     ("frame_0001", ["0", "1"], "")],
)  # fmt: skip
def test_in_a_pictures_name_the_last_number_is_its_moments(name: str, cameras: list[str], whose: str):
    assert camera_of(name, cameras, is_whole=False) == whose


def test_moments_are_counted_and_not_spelt():
    assert moment_of("frame_7") == moment_of("Frame_007")
    assert moment_of("frame_2") < moment_of("frame_10")
    assert moment_of("left02", "left") == moment_of("right2", "right")


@pytest.mark.parametrize(
    ("cameras", "names"),
    [
        (["cam1", "cam2"], "{camera}/{n:06d}.png"),
        (["left cam", "right cam"], "{camera}/frame {n}.PNG"),
        (["left", "right"], "{camera}{n:02d}.bmp"),
        (["cam_1", "cam_2"], "{camera}/{camera}_{n}.tiff"),
        (["1", "2"], "cam_{camera}/{n}.png"),
        (["1", "2"], "camera{camera}_{n:04d}.png"),
    ],
    ids=["multical", "spaces and capitals", "OpenCV's samples", "named twice", "numbers alone", "one folder"],
)
def test_pictures_of_one_moment_meet_in_every_layout(tmp_path: Path, cameras: list[str], names: str):
    moments = (0, 2, 9, 10)
    lay(
        tmp_path,
        {names.format(camera=c, n=n): k for k, n in enumerate(moments) for c in cameras if (c, n) != (cameras[0], 2)},
    )
    found = seen(find_footage(tmp_path, cameras))
    assert found == {cameras[0]: {0: 0, 2: 2, 3: 3}, cameras[1]: {0: 0, 2: 2, 3: 3}}


def test_padded_and_unpadded_numbers_are_the_same(tmp_path: Path):
    lay(tmp_path, {"a/1.png": 1, "a/10.png": 10, "b/001.png": 1, "b/010.png": 10})
    assert seen(find_footage(tmp_path, ["a", "b"])) == {"a": {0: 1, 1: 10}, "b": {0: 1, 1: 10}}


def test_sixteen_bits_are_shown_like_infrared(tmp_path: Path):
    lay(tmp_path, {"b/1.png": 1})
    (tmp_path / "a").mkdir()
    picture = np.linspace(0, 900, 24 * 16).reshape(16, 24).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a" / "1.png"), picture)
    ((_, gray),) = find_footage(tmp_path, ["a", "b"]).images("a", [0])
    assert gray is not None
    assert gray.dtype == np.uint8
    assert gray.max() == 255
    assert gray[0, 6] > 25  # its upper 8 bits alone would be 0


def test_a_picture_that_cannot_be_read_is_none_and_not_left_out(tmp_path: Path):
    lay(tmp_path, {"a/1.png": 1, "b/1.png": 1, "a/2.png": 2, "b/2.png": 2})
    (tmp_path / "a" / "2.png").write_bytes(b"")
    (tmp_path / "b" / "1.png").write_bytes((tmp_path / "b" / "1.png").read_bytes()[:30])
    assert seen(find_footage(tmp_path, ["a", "b"])) == {"a": {0: 1, 1: -1}, "b": {0: -1, 1: 2}}


def test_frames_of_one_number_belong_together_and_unequal_lengths_are_told(tmp_path: Path):
    film(tmp_path / "calib-camA.AVI", range(6))
    film(tmp_path / "calib-camB.avi", range(5))
    footage = find_footage(tmp_path, ["A", "B"])
    assert seen(footage) == {camera: {n: n for n in range(5)} for camera in "AB"}
    (finding,) = footage.findings
    assert finding.code == "calibrate.frames_differ"
    assert "A: 6, B: 5" in finding.message
    assert seen(footage, most=3) == {camera: {0: 0, 2: 2, 4: 4} for camera in "AB"}


def test_videos_may_lie_one_in_each_cameras_folder(tmp_path: Path):
    for camera in ("cam_0", "cam_1"):
        film(tmp_path / camera / "video.avi", range(3))
    footage = find_footage(tmp_path, ["0", "1"])
    assert seen(footage) == {camera: {n: n for n in range(3)} for camera in "01"}
    assert not footage.findings


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("timestamps.csv", "sync_index,cam_id,frame_time 5,0,1.00 5,1,1.01 6,1,1.10 7,0,1.21 7,1,1.20"),
        ("frame_time_history.csv", "sync_index,port,frame_index 5,0,0 5,1,0 6,1,1 7,0,1 7,1,2"),
        ("timestamps.csv", "cam_id,frame_time 0,1.00 0,1.21 1,1.01 1,1.10 1,1.20"),
    ],
    ids=["caliscope", "pyxy3d", "times alone"],
)  # fmt: skip
def test_a_table_beside_videos_says_which_frames_belong_together(tmp_path: Path, name: str, rows: str):
    """Camera 0 lost its second frame."""
    film(tmp_path / "cam_0.avi", [1, 3])
    film(tmp_path / "cam_1.avi", [1, 2, 3])
    (tmp_path / name).write_text(rows.replace(" ", "\n"))
    found = seen(find_footage(tmp_path, ["0", "1"]))
    assert [list(own.values()) for own in found.values()] == [[1, 3], [1, 3]]
    assert found["0"].keys() == found["1"].keys()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("sync_index,cam_id\n0,0\n0,1\n", None),
        ("sync_index,cam_id\n0,0\n", "says nothing of 1"),
        ("sync_index,frame_time\n0,0\n", "no column that names the camera"),
        ("cam_id,exposure\n0,0\n1,0\n", "neither a column sync_index nor frame_time"),
        ("cam_id,sync_index\n0,0\n1,two\n", "sync_index that is no number"),
        ("cam_id,sync_index\n0,0\n1,nan\n", "sync_index that is no number"),
        ("cam_id,frame_time\n0,0\n1,inf\n", "frame_time that is no number"),
        ("cam_id,sync_index\n0,0\n1,1\n", "no frames of one moment"),
        ("cam_id,frame_time\n0,0\n0,0.1\n1,5000\n1,5000.1\n", "no frames of one moment"),
    ],
)
def test_a_table_that_does_not_say_it_is_refused(tmp_path: Path, content: str, says: str | None):
    film(tmp_path / "cam_0.avi", [1])
    film(tmp_path / "cam_1.avi", [1])
    (tmp_path / "timestamps.csv").write_text(content)
    if says is None:
        assert seen(find_footage(tmp_path, ["0", "1"])) == {"0": {0: 1}, "1": {0: 1}}
    else:
        with pytest.raises(SessionFolderError, match=says):
            find_footage(tmp_path, ["0", "1"])


def times_in(folder: Path, times: Mapping[str, Sequence[float]]) -> Mapping[str, Mapping[int, int]]:
    rows = [f"{camera},{time}" for camera, own in times.items() for time in own]
    (folder / "timestamps.csv").write_text("\n".join(["cam_id,frame_time", *rows]))
    return sets_of_frames(folder, {camera: len(own) for camera, own in times.items()})[0]


def test_frames_join_the_nearest_by_time_whatever_the_order_of_rows(tmp_path: Path):
    """0.26 is nearest to 0.3, as 0.29 is, which is nearer; 0.55 is further off than half an interval."""
    found = times_in(tmp_path, {"0": [0.3, 0.0, 0.1, 0.2, 0.4], "1": [0.29, 0.26, 0.01, 0.55]})
    assert found == {"0": {n: n for n in range(5)}, "1": {0: 0, 2: 1}}


def test_times_of_long_videos_are_joined_in_little_memory(tmp_path: Path):
    """Every frame against every frame, in doubles, would be 72 MB."""
    times = [n / 30 for n in range(3000)]
    tracemalloc.start()
    try:
        found = times_in(tmp_path, {"0": times, "1": [time + 0.001 for time in times]})
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    assert found["1"] == {n: n for n in range(3000)}


def test_rows_that_do_not_fit_the_videos_are_told(tmp_path: Path):
    film(tmp_path / "cam_0.avi", [1, 2])
    film(tmp_path / "cam_1.avi", [1])
    (tmp_path / "timestamps.csv").write_text("cam_id,sync_index\n0,0\n1,0\n")
    (finding,) = find_footage(tmp_path, ["0", "1"]).findings
    assert finding.code == "calibrate.frames_differ"
    assert "2, and timestamps.csv 1 rows" in finding.message


def test_every_file_that_is_nobodys_is_named(tmp_path: Path):
    lay(tmp_path, {"left/1.png": 0, "top/1.png": 0, "back/1.png": 0})
    with pytest.raises(
        IntrinsicsFileError, match=r"back belongs to no camera; top belongs to no camera\. .*left, right"
    ):
        find_footage(tmp_path, ["left", "right"])


def test_two_videos_of_one_camera_are_refused(tmp_path: Path):
    for name in ("cam_0.avi", "cam_00.avi"):
        film(tmp_path / name, [1])
    with pytest.raises(IntrinsicsFileError, match="both belong to camera 0"):
        find_footage(tmp_path, ["0", "1"])


def test_a_lens_without_images_is_told(tmp_path: Path):
    lay(tmp_path, {"a/1.png": 1, "b/1.png": 1})
    footage = find_footage(tmp_path, ["a", "b", "c"])
    assert footage.cameras == ("a", "b")
    assert [(f.code, f.where) for f in footage.findings] == [("calibrate.not_filmed", "camera c")]


@pytest.mark.parametrize(
    ("pictures", "says"),
    [
        ({}, "neither videos nor pictures"),
        ({"a/1.png": 1, "b/2.png": 1}, "no pictures of one moment.*a has 1.png; b has 2.png"),
        (
            {"a/1.png": 1, "a/01.png": 1, "b/1.png": 1},
            "has 1.png and 01.png of camera a at one moment|01.png and 1.png",
        ),
    ],
)
def test_a_folder_that_says_nothing_is_refused(tmp_path: Path, pictures: dict[str, int], says: str):
    with pytest.raises(SessionFolderError, match=says):
        find_footage(lay(tmp_path, pictures), ["a", "b"])


def test_a_video_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(SessionFolderError, match=r"a\.mp4.*no video"):
        find_footage(tmp_path, ["a", "b"])
