"""Lenses are refined only where that helps what was not fitted."""

import dataclasses

import numpy as np
import pytest

from genlock.calibrate import CalibrationVerdict, Observations, make_report, solve_poses
from genlock.calibrate.bundle import lenses_of
from genlock.calibrate.lens import LENS_UNKNOWNS, adjusted, lens_derivatives
from unit.calibrate.rigs import LENS, TARGET, make_rig


def with_lens_of(observations: Observations, **changes: float) -> Observations:
    """The same corners, seen by cameras that are told another lens than they have."""
    told = dataclasses.replace(LENS, **{name: getattr(LENS, name) + change for name, change in changes.items()})
    return dataclasses.replace(observations, cameras=dict.fromkeys(observations.cameras, told))


def test_the_derivatives_by_the_lens_are_those_of_the_pixels():
    points = np.random.default_rng(0).uniform([-1, -0.6, 1], [1, 0.6, 3], (30, 3))
    now = adjusted(LENS, np.linspace(-1, 1, LENS_UNKNOWNS))
    by_lens = lens_derivatives(now, LENS, points)
    for unknown in range(LENS_UNKNOWNS):
        step = np.zeros(LENS_UNKNOWNS)
        step[unknown] = 1e-5
        moved = adjusted(LENS, np.linspace(-1, 1, LENS_UNKNOWNS) + step).project(points)[0]
        np.testing.assert_allclose((moved - now.project(points)[0]) / 1e-5, by_lens[:, :, unknown], atol=1e-3)


def test_true_lenses_are_kept():
    rig = make_rig("wall", 3, 25, seed=3)
    solved = solve_poses(rig.observations, TARGET.corners_board, refine_lenses=True)
    assert solved is not None
    assert solved.lens_trial is not None
    assert not solved.lens_trial.is_gain
    assert solved.solution.lens_steps is None
    report = make_report(TARGET, solved, None, dict.fromkeys("012", range(9)))
    assert [f.code for f in report.findings] == ["calibrate.lenses_kept"]


def test_a_wrong_lens_is_found_and_helps_sets_that_were_held_out():
    """Pixels 1.5 % too wide, which no distance stands in for: kept, corners err by more; refined, by their noise."""
    rig = make_rig("wall", 3, 30, seed=3)
    observations = with_lens_of(rig.observations, fx_px=9.2)
    solved = solve_poses(observations, TARGET.corners_board, refine_lenses=True)
    assert solved is not None
    assert solved.lens_trial is not None
    assert solved.lens_trial.is_gain
    assert solved.lens_trial.refined_px < 0.15 * np.sqrt(2) * 1.1
    for lens in lenses_of(observations, solved.solution):
        assert lens.fx_px / lens.fy_px == pytest.approx(LENS.fx_px / LENS.fy_px, rel=0.002)
    report = make_report(TARGET, solved, None, dict.fromkeys("012", range(9)))
    assert "calibrate.lenses_refined" in [f.code for f in report.findings]
    assert report.verdict is CalibrationVerdict.ACCEPTED


def test_a_small_gain_is_refused_where_poses_run_off_with_the_lenses():
    """All pixels 0.3 % too small: the board may as well be nearer, and hardly anything tells the two apart."""
    rig = make_rig("wall", 3, 30, seed=3)
    solved = solve_poses(with_lens_of(rig.observations, fx_px=1.8, fy_px=1.8), TARGET.corners_board, refine_lenses=True)
    assert solved is not None
    assert solved.lens_trial is not None
    assert solved.lens_trial.sigma_ratio > 2
    assert not solved.lens_trial.is_gain


def test_lenses_are_left_alone_unless_asked_for():
    solved = solve_poses(make_rig("wall", 3, 25, seed=3).observations, TARGET.corners_board)
    assert solved is not None
    assert solved.lens_trial is None
