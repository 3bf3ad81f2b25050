"""Poses from boards, against rigs whose poses are known."""

import numpy as np
import pytest

from genlock.calibrate import Detection, View, gather, solve_poses
from genlock.calibrate.bundle import Solution, residuals_px, solve_bundle
from genlock.calibrate.posegraph import view_poses
from genlock.geometry.jacobian import rotation_from_vector
from unit.calibrate.rigs import TARGET, VirtualRig, make_rig

CORNERS = TARGET.corners_board


def twist_errors(rig: VirtualRig, solution: Solution) -> np.ndarray:
    """(6 (C - 1),): rotation vector and translation by which each camera but the first is off, in its own frame."""
    errors = []
    for number, camera in enumerate(solution.cameras[1:], start=1):
        R_true, t_true = rig.true_pose(camera, solution.cameras[0])
        turn = solution.R_cam_ref[number] @ R_true.T
        omega = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
        errors.append(np.concatenate([omega, solution.t_cam_ref[number] - turn @ t_true]))
    return np.concatenate(errors)


@pytest.mark.parametrize(
    ("kind", "cameras", "sets", "groups"),
    [
        ("ring", 5, 40, 1),
        ("ring", 10, 60, 1),
        ("wall", 3, 25, 1),
        ("wall", 6, 30, 1),
        ("pairs", 8, 60, 2),  # each side sees its own face of the board
    ],
)
def test_every_arrangement_is_solved_within_its_own_sigma(kind: str, cameras: int, sets: int, groups: int):
    """No unknown may be off by more than 4.5 sigma: with 54 unknowns at most, five rigs and normal errors that
    happens once in 500 runs, and the seeds are fixed."""
    rig = make_rig(kind, cameras, sets, seed=cameras)
    solved = solve_poses(rig.observations, CORNERS)
    assert solved is not None
    assert len(solved.groups) == groups
    errors = twist_errors(rig, solved.solution)
    sigmas = np.sqrt(np.diag(solved.solution.covariance))
    assert (np.abs(errors) < 4.5 * sigmas).all()
    # The noise is 0.15 px a coordinate; a few thousand corners tell it to a few per cent.
    assert solved.training_rms_px == pytest.approx(0.15 * np.sqrt(2), rel=0.05)
    assert solved.held_out is not None
    assert solved.held_out.rms_px < 0.15 * np.sqrt(2)  # two views fit a point of three unknowns better than truth does


def test_the_sigma_covers_the_truth_on_200_random_rigs():
    """68.3 % of errors within one sigma, 95.4 % within two. 2400 errors, correlated within each rig's twelve: as if
    about 800 were independent, standard deviations of 1.6 and 0.7 points; three of each are allowed."""
    rng = np.random.default_rng(0)
    ratios = []
    for seed in range(200):
        rig = make_rig("wall", 3, 8, seed=seed)
        solution = solve_bundle(rig.observations, CORNERS, perturbed_truth(rig, rng))
        if np.linalg.matrix_rank(solution.covariance) == 12:
            ratios.append(twist_errors(rig, solution) / np.sqrt(np.diag(solution.covariance)))
    ratios = np.abs(np.concatenate(ratios))
    assert len(ratios) > 2300
    assert (ratios < 1).mean() == pytest.approx(0.683, abs=0.048)
    assert (ratios < 2).mean() == pytest.approx(0.954, abs=0.021)


def perturbed_truth(rig: VirtualRig, rng: np.random.Generator) -> Solution:
    """The true poses, a degree and some centimetres off; boards as the first camera that saw them would put them."""
    cameras = tuple(rig.observations.cameras)
    poses = [rig.true_pose(camera, cameras[0]) for camera in cameras]
    R = np.stack([rotation_from_vector(rng.normal(0, 0.02 * (i > 0), 3)) @ pose[0] for i, pose in enumerate(poses)])
    t = np.stack([pose[1] + rng.normal(0, 0.03 * (i > 0), 3) for i, pose in enumerate(poses)])
    sets = rig.observations.set_indices
    answers = view_poses(rig.observations, CORNERS).T_cam_board[:, 0]
    R_board, t_board = [], []
    for set_index in sets:
        number = next(i for i, view in enumerate(rig.observations.views) if view.set_index == set_index)
        camera, T = int(rig.observations.views[number].camera), answers[number]
        R_board.append(R[camera].T @ T[:3, :3])
        t_board.append(R[camera].T @ (T[:3, 3] - t[camera]))
    return Solution(cameras, sets, R, t, np.stack(R_board), np.stack(t_board))


def test_the_derivatives_are_those_of_the_residuals():
    from genlock.calibrate import bundle

    rig = make_rig("wall", 3, 6, seed=1)
    start = perturbed_truth(rig, np.random.default_rng(1))
    problem = bundle._Problem(rig.observations, CORNERS, start)
    linear = bundle._linearize(problem, start)
    step = 1e-6
    for unknown in range(6):
        twist_c, twist_b = np.zeros((3, 6)), np.zeros((len(start.sets), 6))
        twist_c[:, unknown] = step
        moved = residuals_px(rig.observations, CORNERS, bundle._moved(start, twist_c, twist_b))
        np.testing.assert_allclose((moved - linear.residuals) / step, linear.by_camera[:, :, unknown], atol=0.02)
        twist_c[:], twist_b[:, unknown] = 0, step
        moved = residuals_px(rig.observations, CORNERS, bundle._moved(start, twist_c, twist_b))
        np.testing.assert_allclose((moved - linear.residuals) / step, linear.by_board[:, :, unknown], atol=0.02)


def test_cameras_that_never_see_the_board_together_are_named():
    rig = make_rig("pairs", 4, 40, seed=4)  # two sides that see opposite faces of the board
    solved = solve_poses(rig.observations, CORNERS)
    assert solved is not None
    assert {frozenset(group) for group in solved.groups} == {frozenset("02"), frozenset("13")}
    assert {r.reason for r in solved.rejections} == {"its camera is not connected to the others"}


def test_a_single_moment_together_joins_nobody():
    """Here one edge-on board is seen from both sides: both of its answers fit, the wrong one a little better.
    Joined by it, one side came out mirrored, a thousand sigma off, with a perfect fit."""
    rig = make_rig("pairs", 8, 60, seed=102)
    solved = solve_poses(rig.observations, CORNERS)
    assert solved is not None
    assert {frozenset(group) for group in solved.groups} == {frozenset("0246"), frozenset("1357")}
    assert any(pair.sets < 3 and sum(map(int, pair.cameras)) % 2 == 1 for pair in solved.pairs)


def test_no_two_cameras_together_is_no_calibration():
    rig = make_rig("wall", 3, 5, seed=2)
    alone = {view: seen for view, seen in rig.found.items() if view.camera == "0"}
    assert solve_poses(gather(rig.observations.cameras, alone), CORNERS) is None


def test_a_view_of_another_moment_is_thrown_out_and_named():
    """One camera shows an old image in two sets: its corners are good, but not where the board was."""
    rig = make_rig("wall", 3, 25, seed=3)
    found = dict(rig.found)
    lying = [View("1", 10), View("1", 11)]
    for view, source in zip(lying, (View("1", 3), View("1", 4)), strict=True):
        assert view in found
        assert source in found
        found[view] = found[source]
    solved = solve_poses(gather(rig.observations.cameras, found), CORNERS)
    assert solved is not None
    assert {rejection.view for rejection in solved.rejections} == set(lying)
    errors = twist_errors(rig, solved.solution)
    assert (np.abs(errors) < 4.5 * np.sqrt(np.diag(solved.solution.covariance))).all()


def test_single_wrong_corners_are_left_out_and_counted():
    rig = make_rig("wall", 3, 25, seed=5)
    rng = np.random.default_rng(5)
    found, wrong = {}, 0
    for view, seen in rig.found.items():
        px = seen.px.copy()
        if rng.random() < 0.3:
            px[rng.integers(len(px))] += 15
            wrong += 1
        found[view] = Detection(seen.corners, px)
    solved = solve_poses(gather(rig.observations.cameras, found), CORNERS)
    assert solved is not None
    assert solved.rejected_corners == wrong > 5
    assert solved.rejections == ()


def test_a_mirrored_board_is_settled_by_the_other_cameras():
    """Far away and nearly flat on, both answers fit one camera; together only one does."""
    rig = make_rig("wall", 4, 12, noise_px=0.6, seed=8)
    solved = solve_poses(rig.observations, CORNERS)
    assert solved is not None
    assert np.abs(twist_errors(rig, solved.solution).reshape(-1, 6)[:, 3:]).max() < 0.03
