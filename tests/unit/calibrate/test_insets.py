"""Edges of markers that blur has moved: the poses do not follow, and the sigmas know."""

from dataclasses import replace

import numpy as np
import pytest

from genlock.calibrate import Detection, View, gather, solve_poses
from genlock.calibrate.edges import inward_of, sharpened
from genlock.calibrate.observations import Observations
from genlock.targets import parse_target
from unit.calibrate.rigs import VirtualRig, make_rig
from unit.calibrate.test_solve import twist_errors

GRIDS = ["grid:4x3:180mm:150mm:DICT_APRILTAG_36h11", "grid:7x5:110mm:80mm:DICT_5X5_100"]
NOISE_PX, USUAL_PX, SPREAD_PX = 0.1, 0.5, 0.2
"""Of corners; of insets, in the middle and from view to view."""


def blurred(rig: VirtualRig) -> Observations:
    """What the rig sees of whole markers, each view's edges moved inwards by its own part of a pixel."""
    rng = np.random.default_rng(3)
    found: dict[View, Detection] = {}
    for view, seen in rig.found.items():
        markers, counts = np.unique(seen.corners // 4, return_counts=True)
        is_whole = np.isin(seen.corners // 4, markers[counts == 4])
        inward = inward_of(seen.px[is_whole].reshape(-1, 4, 2)).reshape(-1, 2)
        px = seen.px[is_whole] + rng.normal(USUAL_PX, SPREAD_PX) * inward
        found[view] = Detection(seen.corners[is_whole], px, inward)
    return gather(rig.observations.cameras, found)


def square_of_sigmas(rig: VirtualRig, observations: Observations, corners_board: np.ndarray) -> float:
    """e' C^-1 e an unknown: 1 where the covariance C is that of the errors e."""
    solved = solve_poses(observations, corners_board)
    assert solved is not None
    errors = twist_errors(rig, solved.solution)
    return float(errors @ np.linalg.solve(solved.solution.covariance, errors)) / len(errors)


@pytest.mark.parametrize("text", GRIDS)
def test_poses_do_not_follow_moved_edges_and_their_sigmas_cover_the_truth(text: str):
    """Of six rigs' 72 unknowns the mean is 1 with a standard deviation of sqrt(2 / 72) = 0.17: four are allowed."""
    target = parse_target(text)
    squares, without = [], []
    for seed in range(6):
        rig = make_rig("wall", 3, 20, noise_px=NOISE_PX, seed=seed, target=target)
        observations = blurred(rig)
        squares.append(square_of_sigmas(rig, observations, target.corners_board))
        # The same corners, when nobody knows that they are markers'.
        as_crossings = replace(observations, inward=np.zeros_like(observations.px))
        without.append(square_of_sigmas(rig, as_crossings, target.corners_board))
    assert np.mean(squares) == pytest.approx(1, abs=4 * 0.17)
    assert np.mean(without) > 4


def test_a_marker_goes_inwards_along_its_edges():
    square = np.array([[[10.0, 10.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0]]])
    np.testing.assert_allclose(inward_of(square)[0], [[1, 1], [-1, 1], [-1, -1], [1, -1]], atol=1e-12)
    slanted = np.array([[[10.0, 10.0], [40.0, 10.0], [30.0, 30.0], [0.0, 30.0]]])
    moved = slanted + inward_of(slanted)
    edges = np.roll(moved, -1, axis=1) - moved
    normals = np.stack([-edges[..., 1], edges[..., 0]], axis=-1) / np.linalg.norm(edges, axis=2, keepdims=True)
    np.testing.assert_allclose(((moved - slanted) * normals).sum(axis=2), 1)


def test_corners_on_one_another_are_no_marker():
    corners = np.array([[[5.0, 5.0], [5.0, 5.0], [16.0, 16.0], [5.0, 16.0]]])
    found, is_marker = sharpened(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8), corners, 8, False)
    assert not is_marker.any()
    np.testing.assert_array_equal(found, corners)
