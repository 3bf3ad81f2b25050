"""Pictures and lenses alone, as cameras of any make give them: the same poses come out, and mistakes are told."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

import cv2
import numpy as np

from flow.test_calibrate import DEVICES, TARGET, answer_of, make_studio, record
from genlock.calibrate import lenses_toml
from genlock.geometry import load_extrinsics
from genlock.k4a import ColorResolution
from genlock.k4a.calibration import DeviceCalibration
from genlock.recording import RecordedSession
from genlock.testing.rigs import serials

NAMES = dict(zip(serials(DEVICES), ("left", "middle cam", "right"), strict=True))


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``board``: the session; ``pictures``: its pictures in folders; ``lenses.toml``."""
    folder = tmp_path_factory.mktemp("images")
    record(make_studio(), folder / "board", seed=1)
    lenses = {}
    with RecordedSession(folder / "board") as session:
        for serial, reader in session.readers.items():
            assert reader.calibration is not None
            calibration = DeviceCalibration.from_json(reader.calibration)
            lenses[NAMES[serial]] = calibration.color_camera(ColorResolution.RES_720P)
            (folder / "pictures" / NAMES[serial]).mkdir(parents=True)
        for capture_set in session:
            for serial, capture in capture_set.captures.items():
                assert capture.color is not None
                place = folder / "pictures" / NAMES[serial] / f"shot {capture_set.index}.JPG"
                place.write_bytes(np.asarray(capture.color.pixels).tobytes())
    (folder / "lenses.toml").write_text(lenses_toml(lenses), encoding="utf-8")
    return folder


def test_pictures_give_the_poses_that_their_session_gives(take: Path, capsys: pytest.CaptureFixture[str]):
    target = ["--target", TARGET, "-o"]
    status, _ = answer_of(capsys, "calibrate", take / "board", *target, take / "session.json")
    assert status == 0
    command = ["calibrate", "--images", take / "pictures", "--intrinsics", take / "lenses.toml"]
    status, answer = answer_of(capsys, *command, *target, take / "images.json")
    assert status == 0
    assert set(answer["cameras"]) == set(NAMES.values())
    session, images = load_extrinsics(take / "session.json"), load_extrinsics(take / "images.json")
    with RecordedSession(take / "board") as recorded:
        T_color = {
            serial: DeviceCalibration.from_json(reader.calibration or b"").T_color_depth
            for serial, reader in recorded.readers.items()
        }
    first, *others = NAMES
    for serial in others:
        # Devices' frames are their depth cameras'; pictures know of none.
        R = [T.rotation for T in (T_color[first], session.between(first, serial), T_color[serial])]
        expected = R[0] @ R[1] @ R[2].T
        np.testing.assert_allclose(images.between(NAMES[first], NAMES[serial]).rotation, expected, atol=1e-4)


def test_a_lens_without_pictures_and_a_damaged_picture_are_told(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(take / "pictures", tmp_path / "pictures")
    (tmp_path / "pictures" / "left" / "shot 4.JPG").write_bytes(b"no picture")
    lenses = (take / "lenses.toml").read_text(encoding="utf-8")
    fourth = lenses[: lenses.index("[cam_1]")].replace("[cam_0]", "[cam_3]").replace('"left"', '"top"')
    (tmp_path / "lenses.toml").write_text(lenses + fourth, encoding="utf-8")
    command = ["calibrate", "--images", tmp_path / "pictures", "--intrinsics", tmp_path / "lenses.toml"]
    status, answer = answer_of(capsys, *command, "--target", TARGET, "-o", tmp_path / "x.json")
    assert status == 0
    assert {"camera": "left", "set": 4, "reason": "damaged"} in answer["rejected"]
    told = {finding["code"]: finding["where"] for finding in answer["findings"]}
    assert told["calibrate.not_filmed"] == "camera top"


def test_pictures_of_another_size_than_their_lens_are_refused_all_at_once(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in NAMES.values():
        (tmp_path / name).mkdir()
        picture = cv2.imread(str(take / "pictures" / name / "shot 1.JPG"))
        turned = cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE) if name == "left" else picture[:480, :640]
        cv2.imwrite(str(tmp_path / name / "1.png"), picture if name == "right" else turned)
    command = ["calibrate", "--images", tmp_path, "--intrinsics", take / "lenses.toml", "--target", TARGET]
    status, answer = answer_of(capsys, *command, "-o", tmp_path / "x.json")
    assert status == 2
    message = answer["error"]["message"]
    assert "camera left has images of 720x1280; its lens was measured at 1280x720, so they were turned" in message
    assert "camera middle cam has images of 640x480" in message
    assert "right" not in message


def test_cameras_without_devices_are_exported_with_their_lenses(take: Path, capsys: pytest.CaptureFixture[str]):
    command = ["calibrate", "--images", take / "pictures", "--intrinsics", take / "lenses.toml"]
    answer_of(capsys, *command, "--target", TARGET, "-o", take / "placed.json")
    where = ["--extrinsics", take / "placed.json", "--to", "toml", "-o", take / "exported"]
    status, _ = answer_of(capsys, "calibrate", "export", "--intrinsics", take / "lenses.toml", *where)
    assert status == 0
    assert (take / "exported" / "camera_array.toml").read_text(encoding="utf-8").count("[cam_") == DEVICES
    status, answer = answer_of(capsys, "calibrate", "export", *where)
    assert status == 2
    assert "--intrinsics" in answer["error"]["message"]


def test_a_rejected_calibration_replaces_no_other(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "extrinsics.json"
    answer_of(capsys, "calibrate", take / "board", "--target", TARGET, "-o", path)
    before = path.read_bytes()
    wrong = TARGET.rescaled(0.093)
    status, answer = answer_of(capsys, "calibrate", take / "board", "--target", wrong, "-o", path)
    assert status == 1
    assert path.read_bytes() == before
    assert str(tmp_path / "extrinsics-rejected.json") in answer["files"]


def test_a_place_that_cannot_be_written_to_is_told_before_anything_is_looked_at(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A session that is none would be told otherwise: the place comes first."""
    (tmp_path / "file").write_text("")
    command = ["calibrate", take / "no session", "--target", TARGET, "-o"]
    status, answer = answer_of(capsys, *command, tmp_path / "file" / "x.json")
    assert status == 3
    assert str(tmp_path / "file" / "x.json") in answer["error"]["message"]
    status, answer = answer_of(capsys, *command, tmp_path)
    assert status == 3
