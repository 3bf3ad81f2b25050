"""A real calibration set that others made: four webcams, 57 moments, an inverted ChArUco board (mprib/caliscope)."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

from genlock.calibrate import TargetDetector, View, find_footage, gather, load_intrinsics, score, solve_poses
from genlock.calibrate.bundle import Solution
from genlock.targets import parse_target

SET = Path(__file__).parents[3] / "shared" / "data" / "charuco" / "four_webcams"
ARRAY = SET / "camera_array.toml"


def test_held_out_frames_are_met_as_well_as_by_the_authors_own_solution() -> None:
    """Solved on every second frame, scored on the others, beside the published array, which saw all frames.

    Peers on this set lie between 0.9 and 1.3 times the published array's error (1.601 px; multical with lenses of its
    own 1.468, aniposelib 2.012); a plain rigid-board bundle adjustment with the given lenses, which this is, at 1.01.
    """
    if not SET.exists():
        pytest.skip(f"{SET} is not here")
    target = parse_target("charuco:4x5:54mm:40.5mm:DICT_4X4_1000:inverted")
    cameras, detector = load_intrinsics(ARRAY), TargetDetector(target)
    footage = find_footage(SET, list(cameras))
    every = footage.shared_sets(most=1000)
    images = [(name, index, gray) for name in footage.cameras for index, gray in footage.images(name, every)]
    found = {View(name, index): detector.find(gray) for name, index, gray in images if gray is not None}
    observations = gather(cameras, found)
    sets = sorted({view.set_index for view in found})
    solved = solve_poses(observations.of_sets(sets[0::2]), target.corners_board)
    assert solved is not None
    assert len(solved.groups) == 1
    others = observations.of_sets(sets[1::2])
    ours = score(others, target.corners_board, solved.solution)
    published = score(others, target.corners_board, published_solution())
    assert ours is not None
    assert published is not None
    assert ours.corners > 250
    assert ours.rms_px < 1.04 * published.rms_px
    assert ours.edge_rms_mm < 1.04 * published.edge_rms_mm
    assert ours.rigid_rms_mm < 1.04 * published.rigid_rms_mm
    # Refined lenses fit held-out frames better (1.51 px), but with these few tilts poses run off along with them: those
    # of the even and of the odd frames then lie up to 27 mm apart, against 3 mm with the given lenses. So it refuses.
    refined = solve_poses(observations.of_sets(sets[0::2]), target.corners_board, refine_lenses=True)
    assert refined is not None
    assert refined.lens_trial is not None
    assert refined.lens_trial.refined_px < 0.96 * refined.lens_trial.factory_px
    assert refined.lens_trial.sigma_ratio > 2
    assert refined.solution.lens_steps is None
    # What is left is the webcams' clocks: a view alone fits the board far better.
    assert solved.single_rms_px < 0.25


def published_solution() -> Solution:
    cameras = tomllib.loads(ARRAY.read_text(encoding="utf-8"))["cameras"]
    rotations = np.array([camera["rotation"] for camera in cameras.values()])
    translations = np.array([camera["translation"] for camera in cameras.values()])
    return Solution(tuple(cameras), (), rotations, translations, np.empty((0, 3, 3)), np.empty((0, 3)))
