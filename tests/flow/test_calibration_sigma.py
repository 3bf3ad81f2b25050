"""A calibration's sigmas, against the virtual rig's true places: as wrong as it says, and not more.

The waved board is looked at in single moments, all cameras at once, without recording: nothing moves while an image is
taken, so that what is left are the errors of corners as detection finds them in pictures.
"""

from functools import lru_cache

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

from genlock.calibrate import Observations, TargetDetector, View, gather, solve_poses
from genlock.calibrate.bundle import Solution
from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim.color_eye import ColorEye
from genlock.devices.sim.controls import ColorSettings
from genlock.devices.sim.factory import factory_calibration
from genlock.devices.sim.placement import look_at
from genlock.devices.sim.scene import Scene
from genlock.geometry import Pose
from genlock.k4a import ColorResolution
from genlock.k4a.calibration import DeviceCalibration
from genlock.targets import parse_target

CHESSBOARD, CHARUCO = "chessboard:9x6:80mm", "charuco:9x6:80mm:60mm:DICT_5X5_250"
WALL = ((-0.9, -2.2, 1.2), (0.0, -2.1, 1.35), (0.9, -2.25, 1.25))
RING = ((0.0, -2.2, 1.3), (2.2, 0.1, 1.2), (0.1, 2.2, 1.25), (-2.2, 0.0, 1.35))
APRILTAGS, ARUCO = "grid:4x3:180mm:150mm:DICT_APRILTAG_36h11", "grid:6x4:120mm:90mm:DICT_5X5_100"
SQUARES, MARKERS = ((CHESSBOARD, RING, 1), (CHARUCO, WALL, 2)), ((APRILTAGS, RING, 1), (ARUCO, WALL, 2))
MOMENTS_SEC = np.arange(0.13, 20, 0.5)
SETTINGS = ColorSettings(exposure_usec=8330, is_auto=False, white_balance_k=4500, gain=0, brightness=128)
FLATTEST = 0.2
"""Cosine between the line of sight and the board's normal, below which no image is made: nothing is found there."""


@lru_cache
def looked_at(
    target_text: str, places: tuple[tuple[float, float, float], ...], seed: int
) -> tuple[Observations, dict[str, Pose], list[np.ndarray]]:
    """What is seen of the board; ``T_stage_cam`` by camera; the errors of each view's corners, (N, 2) px."""
    target = parse_target(target_text)
    scene = Scene.of(Scenario(scene=SceneName.BOARD, seed=seed, board=target))
    detector = TargetDetector(target)
    cameras, T_stage_cam, found, errors = {}, {}, {}, []
    for number, place in enumerate(places, start=1):
        name = str(number)
        calibration = DeviceCalibration.from_json(factory_calibration(name, seed))
        cameras[name] = calibration.color_camera(ColorResolution.RES_720P)
        T_stage_depth = look_at("stage", place, (0, 0, 1), (0, 0, 1))
        T_stage_cam[name] = T_stage_depth @ calibration.T_color_depth.inverse()
        eye = ColorEye(cameras[name], T_stage_cam[name], scene)
        for moment, when_sec in enumerate(MOMENTS_SEC):
            T_cam_board = T_stage_cam[name].inverse() @ scene.board_at(when_sec)
            corners_cam = T_cam_board.apply(target.corners_board)
            middle = corners_cam.mean(axis=0)
            if T_cam_board.rotation[:, 2] @ middle < FLATTEST * np.linalg.norm(middle):
                continue
            seen = detector.find(eye.image(when_sec, SETTINGS, 1.0)[:, :, 1])
            if len(seen):
                found[View(name, moment)] = seen
                errors.append(seen.px - cameras[name].project(corners_cam[seen.corners])[0])
    return gather(cameras, found), T_stage_cam, errors


def twist_errors(solution: Solution, T_stage_cam: dict[str, Pose]) -> np.ndarray:
    """(6 (C - 1),): rotation vector and translation by which each camera but the first is off, in its own frame."""
    errors = []
    for number, camera in enumerate(solution.cameras[1:], start=1):
        true = T_stage_cam[camera].inverse() @ T_stage_cam[solution.cameras[0]]
        turn = solution.R_cam_ref[number] @ true.rotation.T
        omega = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
        errors.append(np.concatenate([omega, solution.t_cam_ref[number] - turn @ true.translation_m]))
    return np.concatenate(errors)


@pytest.mark.parametrize(("rigs", "least"), [(SQUARES, 0.25), (MARKERS, 0.02)], ids=["squares", "markers"])
def test_the_sigmas_cover_what_the_virtual_rigs_pictures_do_to_poses(rigs: tuple, least: float):
    """e' C^-1 e is chi-squared where C is the covariance of the errors e: of two rigs' 30 unknowns its mean is 1 an
    unknown, with a standard deviation of sqrt(2 / 30) = 0.26. Four of those above are allowed, and half the sigma
    (a quarter) below. It is 1.0; with corners as OpenCV's chessboard finder leaves them it is 2.6. Markers in pictures
    without noise are better than any sigma will say (a third of what it takes for granted, so a ninth); with corners as
    OpenCV refines them, and edges taken to lie where they seem to, it is 28."""
    square, unknowns = 0.0, 0
    for target, places, seed in rigs:
        observations, T_stage_cam, _ = looked_at(target, places, seed)
        solved = solve_poses(observations, parse_target(target).corners_board)
        assert solved is not None
        assert len(solved.solution.cameras) == len(places)
        errors = twist_errors(solved.solution, T_stage_cam)
        square += float(errors @ np.linalg.solve(solved.solution.covariance, errors))
        unknowns += len(errors)
    assert unknowns == 30
    assert least < square / unknowns < 1 + 4 * np.sqrt(2 / unknowns)


def test_the_corners_of_one_view_of_a_chessboard_are_not_all_off_to_one_side():
    """Each is off by 0.1 px, rms, on its own: the mean of 40 then by 0.016 px, half of it in each direction. The finder
    alone leaves twice what is allowed, and no averaging over corners takes that out of the poses."""
    _, _, errors = looked_at(*SQUARES[0])
    means = np.array([of_view.mean(axis=0) for of_view in errors])
    assert np.median(np.linalg.norm(means, axis=1)) < 0.025


@pytest.mark.parametrize(("target", "places", "seed"), MARKERS)
def test_separate_markers_place_cameras_to_a_millimetre(
    target: str, places: tuple[tuple[float, float, float], ...], seed: int
):
    """Their edges are found to a twentieth of a pixel, a fifth of a millimetre at the board. Corners drawn inwards by
    blur and bright paper, taken as they are, put cameras 4 to 14 mm off."""
    observations, T_stage_cam, _ = looked_at(target, places, seed)
    solved = solve_poses(observations, parse_target(target).corners_board)
    assert solved is not None
    errors_m = twist_errors(solved.solution, T_stage_cam).reshape(-1, 6)[:, 3:]
    assert 1000 * np.linalg.norm(errors_m, axis=1).max() < 1
