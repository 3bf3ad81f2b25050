"""Which frame is the world: by the board, a marker, gravity or a device."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

from genlock.calibrate import (
    Detection,
    RestingImu,
    TargetDetector,
    UnknownDictionaryError,
    WorldKind,
    find_up,
    on_print,
    parse_world,
    place_print,
    resting_set,
    upright,
)
from genlock.calibrate.bundle import Solution
from genlock.geometry import Pose, rotation_from_vector
from genlock.targets import draw_target, parse_target
from unit.calibrate.rigs import LENS, TARGET, looking_at

CHESSBOARD = parse_target("chessboard:9x6:80mm")


@pytest.mark.parametrize(
    ("text", "kind", "field", "value"),
    [
        ("", WorldKind.DEVICE, "serial", ""),
        ("device:7", WorldKind.DEVICE, "serial", "7"),
        ("board", WorldKind.BOARD, "set_index", None),
        ("board:12", WorldKind.BOARD, "set_index", 12),
        ("gravity", WorldKind.GRAVITY, "serial", ""),
        ("gravity:7", WorldKind.GRAVITY, "serial", "7"),
        ("marker:100", WorldKind.MARKER, "marker_number", 100),
    ],
)
def test_a_world_is_what_its_text_says(text: str, kind: WorldKind, field: str, value: object):
    choice = parse_world(text, TARGET)
    assert choice.kind is kind
    assert getattr(choice, field) == value


def test_a_marker_is_as_large_as_it_is_said_to_be_or_as_the_boards_are():
    assert parse_world("marker:100", TARGET).marker.marker_m == TARGET.marker_m
    assert parse_world("marker:1:15cm:DICT_4X4_50", CHESSBOARD).marker.marker_m == 0.15


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        ("device:", TARGET, "a world is device:SERIAL"),
        ("floor", TARGET, "a world is device:SERIAL"),
        ("board:x", TARGET, "a world is device:SERIAL"),
        ("marker:5", TARGET, "on the board itself, which moves"),
        ("marker:5", CHESSBOARD, "has no markers"),
        ("marker:100:12", TARGET, "a number and a unit"),
    ],
)
def test_what_is_no_world_is_told_what_is_expected(text: str, target, says: str):
    with pytest.raises(ValueError, match=says):
        parse_world(text, target)


def boards(positions_m: list[float]) -> Solution:
    count = len(positions_m)
    t = np.array([[0.0, 0.0, z] for z in positions_m])
    return Solution(
        ("a",), tuple(range(count)), np.eye(3)[None], np.zeros((1, 3)), np.tile(np.eye(3), (count, 1, 1)), t
    )


def test_the_board_lies_where_it_lay_longest():
    # It is carried, lies for three sets, is carried, lies for five (sets 7 to 11), is taken away.
    assert resting_set(boards([1, 1.1, 1.2, 1.2, 1.2, 1.4, 1.5, 2, 2.0005, 2, 2, 2, 2.5])) == 9
    assert resting_set(boards([1, 1.01, 1.02, 1.03])) is None


def test_a_world_on_a_print_has_z_out_of_it_and_x_along_its_rows():
    T_ref_board = Pose("ref", "board", rotation_from_vector(np.array([0.3, -0.2, 0.9])), [0.2, 0.1, 2.0])
    middle = TARGET.corners_board.mean(axis=0)
    T_world_board = on_print(T_ref_board, middle) @ T_ref_board
    np.testing.assert_allclose(T_world_board.apply([middle])[0], 0, atol=1e-12)
    np.testing.assert_allclose(T_world_board.apply([middle + np.array([0.1, 0, 0])])[0], [0.1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(T_world_board.apply([middle + np.array([0, 0, 0.1])])[0], [0, 0, -0.1], atol=1e-12)


def three_cameras() -> dict[str, Pose]:
    poses = {}
    for name, position in {"1": [-1.5, -1.5, 1.5], "2": [1.6, -1.4, 1.2], "3": [0.1, 2.0, 1.4]}.items():
        R_world_cam = looking_at(np.array(position), np.array([0.0, 0.0, 0.0]))
        poses[name] = Pose("ref", f"cam_{name}", R_world_cam, position).inverse()
    return poses


def test_a_marker_is_placed_by_all_cameras_that_see_it():
    corners = parse_world("marker:100:150mm:DICT_5X5_250", TARGET).marker.corners_board
    T_ref_print = Pose("ref", "print", rotation_from_vector(np.array([np.pi, 0.02, 0])), [0.3, 0.2, 0.0])
    rng = np.random.default_rng(0)
    seen = {
        name: Detection(np.arange(4), LENS.project((T @ T_ref_print).apply(corners))[0] + rng.normal(0, 0.1, (4, 2)))
        for name, T in three_cameras().items()
    }
    placed, rms_px = place_print(dict.fromkeys(seen, LENS), three_cameras(), seen, corners)
    # 0.1 px at f = 612 px and 2 m are 0.3 mm across a line of sight; three of them cross.
    assert np.linalg.norm(placed.translation_m - T_ref_print.translation_m) < 0.001
    assert np.abs(placed.rotation - T_ref_print.rotation).max() < 0.01
    assert rms_px < 0.2
    alone, _ = place_print({"1": LENS}, three_cameras(), {"1": seen["1"]}, corners)
    assert np.linalg.norm(alone.translation_m - T_ref_print.translation_m) < 0.02
    assert place_print({}, three_cameras(), {}, corners) is None


def test_only_the_marker_that_is_asked_for_is_found():
    def shown(number: int) -> np.ndarray:
        import cv2

        picture = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_250), number, 140)
        return np.pad(picture, 60, constant_values=255)

    choice = parse_world("marker:100:150mm:DICT_5X5_250", TARGET)
    detector = TargetDetector(choice.marker, choice.marker_number)
    assert len(detector.find(shown(100))) == 4
    assert len(detector.find(shown(99))) == 0
    assert len(detector.find(np.pad(draw_target(TARGET, 60), 60, constant_values=255))) == 0
    with pytest.raises(UnknownDictionaryError, match="0 to 249"):
        TargetDetector(choice.marker, 250)


def test_an_upright_world_has_z_up_and_looks_along_y():
    T_ref_device = Pose("ref", "depth_1", looking_at(np.array([0, -2.0, 1.0]), np.zeros(3)), [0, -2.0, 1.0])
    T_world_ref = upright(T_ref_device, np.array([0, 0, 5.0]))
    T_world_device = T_world_ref @ T_ref_device
    np.testing.assert_allclose(T_world_ref.rotation[2], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(T_world_device.translation_m, 0, atol=1e-12)
    forward = T_world_device.rotation[:, 2]
    assert forward[1] > 0.8
    assert abs(forward[0]) < 1e-12
    down = Pose("ref", "depth_1", np.diag([1.0, -1.0, -1.0]), [0, 0, 3.0])  # from the ceiling
    assert np.isfinite(upright(down, np.array([0, 0, 1.0])).translation_m).all()


def imu_of(T_ref_device: Pose, *, bias: float = 0.0, noise: float = 0.01, seed: int = 0) -> RestingImu:
    """A device's accelerometer, mounted at a right angle, with z of ``ref`` up."""
    T_accel_depth = Pose("accel", "depth", rotation_from_vector(np.array([0, 0, np.pi / 2])), [0, 0, 0])
    up_accel = T_accel_depth.rotation @ T_ref_device.rotation.T @ np.array([0, 0, 9.81])
    readings = up_accel + np.random.default_rng(seed).normal(0, noise, (500, 3)) + [bias, 0, 0]
    return RestingImu.of(readings, T_accel_depth)


def devices() -> dict[str, Pose]:
    return {
        name: Pose("ref", f"depth_{name}", T.inverse().rotation, T.inverse().translation_m)
        for name, T in three_cameras().items()
    }


def test_up_is_where_all_devices_feel_it():
    gravity = find_up({name: imu_of(T) for name, T in devices().items()}, devices())
    np.testing.assert_allclose(gravity.up_ref, [0, 0, 1], atol=0.001)
    assert gravity.findings == ()


def test_a_biased_accelerometer_is_named_and_does_not_decide():
    imus = {name: imu_of(T, bias=1.2 if name == "2" else 0.0) for name, T in devices().items()}
    gravity = find_up({**imus, "2": RestingImu(imus["2"].mean_m_per_s2 * 9.81 / 9.9, 0.01, 500)}, devices())
    assert np.degrees(np.arccos(gravity.up_ref[2])) < 1.0
    assert [f.where for f in gravity.findings] == ["device 2"]


def test_a_shaken_device_has_no_say():
    imus = {name: imu_of(T, noise=1.0 if name == "3" else 0.01) for name, T in devices().items()}
    gravity = find_up(imus, devices())
    assert set(gravity.disagreement_deg) == {"1", "2"}
    assert [f.code for f in gravity.findings] == ["calibrate.device_not_at_rest"]
    with pytest.raises(ValueError, match="gravity needs"):
        find_up({"3": imus["3"]}, devices())
