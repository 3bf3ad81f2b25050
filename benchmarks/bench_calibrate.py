"""Bundle adjustment beside scipy's: the same residuals, the same start, the same answer.

    python benchmarks/bench_calibrate.py [--sets 250] [--cameras 8]

scipy's ``least_squares`` gets the sparsity of the Jacobian (as most calibration tools give it) and finds derivatives by
differences; ``solve_bundle`` has them in closed form and folds the boards away. The table also shows how far the two
answers lie apart.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from genlock.calibrate.bundle import Solution, _moved, _Problem, residuals_px, solve_bundle
from genlock.calibrate.posegraph import rough_poses
from genlock.calibrate.solve import _start, solve_poses
from unit.calibrate.rigs import TARGET, make_rig

CORNERS = TARGET.corners_board


def solve_with_scipy(observations, start: Solution) -> tuple[Solution, int]:
    from scipy.optimize import least_squares
    from scipy.sparse import lil_matrix

    problem = _Problem(observations, CORNERS, start)
    free = 6 * (problem.camera_count - 1)

    def at(x: np.ndarray) -> Solution:
        twist_c = np.concatenate([np.zeros(6), x[:free]]).reshape(-1, 6)
        return _moved(start, twist_c, x[free:].reshape(-1, 6))

    pattern = lil_matrix((2 * len(observations.px), free + 6 * problem.board_count), dtype=np.uint8)
    for corner, (camera, board) in enumerate(zip(problem.camera, problem.board, strict=True)):
        if camera > 0:
            pattern[2 * corner : 2 * corner + 2, 6 * (camera - 1) : 6 * camera] = 1
        pattern[2 * corner : 2 * corner + 2, free + 6 * board : free + 6 * board + 6] = 1
    found = least_squares(
        lambda x: residuals_px(observations, CORNERS, at(x)).ravel(),
        np.zeros(free + 6 * problem.board_count),
        jac_sparsity=pattern, method="trf", x_scale="jac", loss="soft_l1", ftol=1e-8, xtol=1e-10, gtol=1e-10,
    )  # fmt: skip
    return at(found.x), int(found.nfev)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--sets", type=int, default=250)
    arguments = parser.parse_args()
    rig = make_rig("wall", arguments.cameras, arguments.sets, noise_px=0.2, seed=1)
    observations = rig.observations
    print(f"{arguments.cameras} cameras, {len(observations.set_indices)} boards, {len(observations.px)} corners")

    def timed(name, run):
        started = time.perf_counter()
        result = run()
        seconds = time.perf_counter() - started
        print(f"  {name:<46} {seconds:8.2f} s")
        return result, seconds

    rough, _ = timed("rough poses", lambda: rough_poses(observations, CORNERS))
    start = _start(observations, rough)
    ours, own_sec = timed("genlock, bundle adjustment", lambda: solve_bundle(observations, CORNERS, start))
    _, whole_sec = timed("genlock, all of it: rough, sift, hold out twice", lambda: solve_poses(observations, CORNERS))
    try:
        (theirs, calls), their_sec = timed(
            "scipy least_squares, sparse 2-point", lambda: solve_with_scipy(observations, start)
        )
    except ImportError:
        print("  not here: scipy")
        return
    theirs = replace(theirs)
    apart_mm = 1000 * np.abs(ours.t_cam_ref - theirs.t_cam_ref).max()
    print(f"  scipy takes {their_sec / own_sec:.1f} x genlock's time ({calls} evaluations, {ours.steps} steps here),")
    print(f"  and {their_sec / whole_sec:.1f} x that of all of it")
    print(f"  the answers lie {apart_mm:.4f} mm apart at most")


if __name__ == "__main__":
    main()
