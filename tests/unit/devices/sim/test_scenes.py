"""The waved board, the loop, and what belongs to a scene rather than to a camera."""

import numpy as np
import pytest

from genlock.devices import ColorControl, ColorControlValue
from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim import SimBackend
from genlock.devices.sim.placement import stage_poses
from genlock.devices.sim.scene import Scene
from genlock.devices.sim.walker import LOOP_SEC, walker_at
from genlock.k4a import ColorResolution, DepthMode, DeviceConfig
from genlock.k4a.calibration import DeviceCalibration
from genlock.pixels import to_rgb
from genlock.targets import draw_target, parse_target
from genlock.testing.rigs import chain_rig, serials

(SERIAL,) = serials(1)
RIG = chain_rig(1)
SQUARE_M, COLUMNS, ROWS = 0.08, 9, 6

# The first pulse, 0.12 s and 0.05 s after the scene was born; stamps count from there.
FIRST_PULSE_SEC = 0.17


def captures_of(scenario, count, **changes):
    """The first captures of a single device, and its calibration."""
    settings = {"color_resolution": ColorResolution.RES_1080P, "depth_mode": DepthMode.NFOV_UNBINNED, **changes}
    with SimBackend(RIG, scenario=scenario) as backend, backend.clock.participate():
        device = backend.open(SERIAL)
        device.set_color_control(ColorControl.EXPOSURE_TIME_ABSOLUTE, ColorControlValue(is_manual=True, value=8_330))
        device.arm(DeviceConfig(**settings))
        device.start()
        return [device.next_capture(10) for _ in range(count)], DeviceCalibration.from_json(device.raw_calibration())


def board_pose(scenario, image):
    return Scene.of(scenario).board_at(FIRST_PULSE_SEC + image.device_timestamp_usec / 1e6)


def faces(T_stage_board, T_stage_depth):
    """Cosine between the print's direction and the way to the device."""
    to_device = T_stage_depth.translation_m - T_stage_board.translation_m
    return -T_stage_board.rotation[:, 2] @ to_device / np.linalg.norm(to_device)


def refined(gray, corner, half_px=5):
    """A chessboard corner to a fraction of a pixel: where all gradients around it are at right angles to it."""
    u0, v0 = np.rint(corner).astype(int)
    v, u = np.mgrid[v0 - half_px : v0 + half_px + 1, u0 - half_px : u0 + half_px + 1]
    patch = gray[v0 - half_px - 1 : v0 + half_px + 2, u0 - half_px - 1 : u0 + half_px + 2]
    gu, gv = (patch[1:-1, 2:] - patch[1:-1, :-2]) / 2, (patch[2:, 1:-1] - patch[:-2, 1:-1]) / 2
    matrix = np.array([[(gu * gu).sum(), (gu * gv).sum()], [(gu * gv).sum(), (gv * gv).sum()]])
    right = np.array([(gu * gu * u + gu * gv * v).sum(), (gu * gv * u + gv * gv * v).sum()])
    return np.linalg.solve(matrix, right)


@pytest.fixture(scope="module")
def board():
    """A capture in which the print faces the device, with the board's true pose at both cameras' moments."""
    scenario = Scenario(scene=SceneName.BOARD, board=parse_target("chessboard:9x6:80mm"))
    captures, calibration = captures_of(scenario, 45, color_resolution=ColorResolution.RES_720P)
    T_stage_depth = stage_poses(RIG)[SERIAL]
    best = max(captures, key=lambda capture: faces(board_pose(scenario, capture.color), T_stage_depth))
    assert faces(board_pose(scenario, best.color), T_stage_depth) > 0.5
    return scenario, best, calibration, T_stage_depth


def test_every_corner_of_the_board_lies_where_its_pose_says(board):
    scenario, capture, calibration, T_stage_depth = board
    row, column = np.mgrid[1:ROWS, 1:COLUMNS]
    corners_board = np.stack([column.ravel(), row.ravel(), 0 * row.ravel()], axis=1) * SQUARE_M
    points_stage = board_pose(scenario, capture.color).apply(corners_board)
    T_color_stage = calibration.T_color_depth @ T_stage_depth.inverse()
    px, _ = calibration.color_camera(ColorResolution.RES_720P).project(T_color_stage.apply(points_stage))
    gray = to_rgb(capture.color).astype(float).mean(axis=2)
    off_px = [np.linalg.norm(refined(gray, corner) - corner) for corner in px]
    # Sixteen rays a pixel place an edge to an eighth of a pixel, either way; where edges run along pixel rows, all of a
    # corner's neighbours are wrong alike. JPEG adds its own. The board moves 1.5 m/s: 11 us of stamp are 0.02 mm.
    assert np.median(off_px) < 0.15
    assert np.max(off_px) < 0.5
    # But on the whole there is no error: forty corners leave 0.15 / 6 of it, twice.
    mean_off = np.mean([refined(gray, corner) - corner for corner in px], axis=0)
    assert np.linalg.norm(mean_off) < 0.05


def test_the_print_is_seen_the_right_way_round(board):
    scenario, capture, calibration, T_stage_depth = board
    row, column = np.mgrid[0:ROWS, 0:COLUMNS]
    centers_board = np.stack([column.ravel() + 0.5, row.ravel() + 0.5, 0 * row.ravel()], axis=1) * SQUARE_M
    points_stage = board_pose(scenario, capture.color).apply(centers_board)
    T_color_stage = calibration.T_color_depth @ T_stage_depth.inverse()
    px, _ = calibration.color_camera(ColorResolution.RES_720P).project(T_color_stage.apply(points_stage))
    u, v = np.rint(px).astype(int).T
    gray = to_rgb(capture.color).astype(float).mean(axis=2)[v, u]
    is_black = (row + column).ravel() % 2 == 0
    assert gray[is_black].max() < gray[~is_black].min()


def test_the_boards_depth_is_that_of_its_plane(board):
    scenario, capture, calibration, T_stage_depth = board
    T_depth_board = T_stage_depth.inverse() @ board_pose(scenario, capture.depth)
    camera = calibration.depth_camera(DepthMode.NFOV_UNBINNED)
    row, column = np.mgrid[1:12, 1:17]
    points = T_depth_board.apply(np.stack([column.ravel(), row.ravel(), 0 * row.ravel()], axis=1) * SQUARE_M / 2)
    px, _ = camera.project(points)
    u, v = np.rint(px).astype(int).T
    depth_mm = capture.depth.pixels[v, u].astype(float)
    assert (depth_mm > 0).mean() > 0.95
    error_mm = (depth_mm - 1000 * points[:, 2])[depth_mm > 0]
    # Bias 4, wiggle 3, noise of 7 mm at 2.5 m over 180 pixels, and half a pixel's step on a board 60 degrees aside: 4.
    assert abs(np.median(error_mm)) < 4 + 3 + 4 + 2


@pytest.mark.parametrize(
    "text", ["grid:4x3:120mm:100mm:DICT_APRILTAG_36h11", "charuco:7x5:50mm:37mm:DICT_4X4_50:inverted"]
)
def test_the_board_that_a_scenario_names_is_shown_with_a_margin(text):
    target = parse_target(text)
    scene = Scene.of(Scenario(scene=SceneName.BOARD, board=target))
    margin_m = target.square_m / 4
    assert scene.board_margin_m == margin_m
    assert scene.board_size_m == pytest.approx(np.array(target.size_m) + 2 * margin_m)
    margin_px = 28
    inside = scene.texture[margin_px:-margin_px, margin_px:-margin_px]
    assert ((inside > 127) == (draw_target(target, 4 * margin_px) > 127)).mean() > 0.99
    ring = np.ones(scene.texture.shape, bool)
    ring[margin_px - 1 : 1 - margin_px, margin_px - 1 : 1 - margin_px] = False  # a pixel where an edge lies is gray
    assert (scene.texture[ring] == (0 if target.is_inverted else 255)).all()


def test_the_board_shows_itself_to_every_side_within_a_minute():
    scene = Scene.of(Scenario(scene=SceneName.BOARD))
    poses = [scene.board_at(second / 5) for second in range(300)]
    for T_stage_depth in stage_poses(chain_rig(6)).values():
        assert sum(faces(T_stage_board, T_stage_depth) > 0.7 for T_stage_board in poses) > 40


def test_the_person_is_back_where_she_was_after_one_loop():
    assert np.allclose(walker_at(1.0).capsules, walker_at(1.0 + LOOP_SEC).capsules, atol=1e-4)
    assert not np.allclose(walker_at(1.0).capsules, walker_at(1.0 + LOOP_SEC / 2).capsules, atol=0.1)


def test_a_looped_scene_repeats_its_images_and_never_its_stamps():
    scenario = Scenario(scene=SceneName.WALKER, is_looped=True)
    captures, _ = captures_of(
        scenario, 130, color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_2X2BINNED
    )
    # The loop has 123 images for its 4.096 s, 122.88 frames: now and then one is left out.
    for images in ([c.color for c in captures], [c.depth for c in captures]):
        assert 115 <= len({id(image.pixels) for image in images}) <= 123
    assert len({capture.color.device_timestamp_usec for capture in captures}) == 130
