"""A camera that moved is told from those that did not, and both from what calibrations do not know."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pytest

from genlock.calibrate import Movement, Solved, extrinsics_of, find_movements, solve_poses
from genlock.geometry import Pose, RigExtrinsics, device_frame, rotation_from_vector
from unit.calibrate import rigs
from unit.calibrate.rigs import TARGET

CAMERAS = list("01234")
T_CAM_DEVICE = {name: Pose("cam", device_frame(name), np.eye(3), np.zeros(3)) for name in CAMERAS}
Moved = Mapping[str, tuple[Sequence[float], Sequence[float]]]


@lru_cache
def film(seed: int, sets: int = 40) -> tuple[rigs.VirtualRig, Solved]:
    rig = rigs.make_rig("ring", 5, sets, seed=seed)
    solved = solve_poses(rig.observations, TARGET.corners_board)
    assert solved is not None
    return rig, solved


def extrinsics_then(moved_since: Moved, *, other_world: bool = False) -> RigExtrinsics:
    """What an earlier film gave, with its own errors, of devices that have moved since by a turn and a step.

    Each film of ``make_rig`` places its own cameras; the earlier film's errors are laid onto the later one's places.
    """
    rig, solved = film(1)
    later, _ = film(2)
    T_world_ref = Pose("world", "ref", np.eye(3), [0, 0, 0])
    found = extrinsics_of(solved.solution, T_CAM_DEVICE, T_world_ref, "")
    first = solved.solution.cameras[0]
    poses = {}
    for name, pose in found.T_world_device.items():
        frame = device_frame(name)
        true_then = Pose("world", frame, *inverted(*rig.true_pose(name, first)))
        error = true_then.inverse() @ pose
        place = Pose("world", frame, *inverted(*later.true_pose(name, first)))
        turn, step = moved_since.get(name, ([0, 0, 0], [0, 0, 0]))
        bump = Pose(frame, frame, rotation_from_vector(np.array(turn, float)), np.array(step, float))
        poses[name] = place @ bump @ error
    if other_world:
        T = Pose("world", "world", rotation_from_vector(np.array([0.3, 0.1, 1.0])), [3, 2, 1])
        poses = {name: T @ pose for name, pose in poses.items()}
    return RigExtrinsics(poses, "", found.sigmas)


def inverted(R: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return R.T, -R.T @ t


def movements(moved: Moved, **kwargs: bool) -> dict[str, Movement]:
    found = find_movements(extrinsics_then(moved, **kwargs), film(2)[1], TARGET.corners_board, T_CAM_DEVICE)
    assert [m.serial for m in found] == list(extrinsics_then(moved).T_world_device)
    return {m.serial: m for m in found}


def named(found: Mapping[str, Movement]) -> set[str]:
    return {serial for serial, m in found.items() if m.has_moved}


@pytest.mark.parametrize("other_world", [False, True])
def test_errors_of_two_films_and_another_world_are_no_movement(other_world: bool):
    found = movements({}, other_world=other_world)
    assert named(found) == set()
    assert 0.01 < max(m.shift_mm for m in found.values()) < 1.5


@pytest.mark.parametrize(
    ("turn_deg", "step_mm", "shift_mm"),
    [(0.0, 3.0, 3.0), (0.2, 0.0, 7.0), (0.0, 20.0, 20.0), (2.0, 0.0, 70.0)],
)
def test_the_one_that_moved_is_named_and_measured(turn_deg: float, step_mm: float, shift_mm: float):
    """A turn moves what lies 1.6 to 2.6 m away by that times its sine: 0.2 degrees some 7 mm."""
    found = movements({"3": ([0, np.radians(turn_deg), 0], [step_mm / 1000, 0, 0])})
    assert named(found) == {"3"}
    assert found["3"].shift_mm == pytest.approx(shift_mm, rel=0.35)
    assert found["3"].turned_deg == pytest.approx(turn_deg, abs=0.1)
    assert found["3"].limit_mm < 2.5


def test_the_first_device_may_be_the_one_and_so_may_two():
    assert named(movements({"0": ([0.01, 0, 0], [0, 0, 0]), "4": ([0, 0, 0], [0, 0.02, 0])})) == {"0", "4"}


def test_a_short_film_allows_for_more_before_it_alarms():
    """14 sets instead of 40: its own errors are told, not taken for a movement."""
    then = extrinsics_then({})
    few = find_movements(then, film(2, sets=14)[1], TARGET.corners_board, T_CAM_DEVICE)
    many = {m.serial: m for m in find_movements(then, film(2)[1], TARGET.corners_board, T_CAM_DEVICE)}
    assert max(m.limit_mm for m in few) > 1.3 * max(m.limit_mm for m in many.values())


def test_of_two_devices_one_cannot_know_which():
    def two(step_mm: float) -> RigExtrinsics:
        full = extrinsics_then({"1": ([0, 0, 0], [step_mm / 1000, 0, 0])})
        return RigExtrinsics({name: full.T_world_device[name] for name in "01"}, "", full.sigmas)

    def found(step_mm: float) -> list[bool]:
        both = find_movements(two(step_mm), film(2)[1], TARGET.corners_board, T_CAM_DEVICE)
        return [m.has_moved for m in both]

    assert found(20) == [True, True]
    assert found(0) == [False, False]


def test_nothing_in_common_is_nothing_to_say():
    one = RigExtrinsics({"9": Pose("world", device_frame("9"), np.eye(3), [0, 0, 0])})
    assert find_movements(one, film(2)[1], TARGET.corners_board, T_CAM_DEVICE) == ()
