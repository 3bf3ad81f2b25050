"""A camera that moved is told from those that did not."""

import numpy as np

from genlock.calibrate import find_movements
from genlock.geometry import Pose, PoseSigma, RigExtrinsics, device_frame, rotation_from_vector

SERIALS = list("12345")


def make_extrinsics(moved: dict[str, tuple[list[float], list[float]]], world_turn: float = 0.0) -> RigExtrinsics:
    """Five devices on a ring; some moved by a rotation vector and a shift in their own frames; any world."""
    poses = {}
    T_new_old = Pose("world", "old", rotation_from_vector(np.array([0, 0, world_turn])), [world_turn, 0, 0])
    for number, serial in enumerate(SERIALS):
        angle = 2 * np.pi * number / 5
        pose = Pose(
            "old",
            device_frame(serial),
            rotation_from_vector(np.array([0, angle, 0])),
            [np.sin(angle), 0, np.cos(angle)],
        )
        if serial in moved:
            turn, shift = moved[serial]
            frame = device_frame(serial)
            pose = pose @ Pose(frame, frame, rotation_from_vector(np.array(turn)), shift)
        poses[serial] = T_new_old @ pose
    return RigExtrinsics(poses, "", {serial: PoseSigma(0.3, 0.01) for serial in SERIALS})


def test_another_world_is_no_movement():
    movements = find_movements(make_extrinsics({}), make_extrinsics({}, world_turn=1.0))
    assert [m.serial for m in movements if m.has_moved] == []
    assert max(m.moved_mm for m in movements) < 1e-6


def test_the_one_that_moved_is_named_and_measured():
    now = make_extrinsics({"3": ([0, 0.02, 0], [0.01, 0, 0])}, world_turn=0.4)
    movements = {m.serial: m for m in find_movements(make_extrinsics({}), now)}
    assert [serial for serial, m in movements.items() if m.has_moved] == ["3"]
    assert abs(movements["3"].moved_mm - 10) < 1e-6
    assert abs(movements["3"].turned_deg - np.degrees(0.02)) < 1e-6


def test_the_first_device_may_be_the_one_and_so_may_two():
    now = make_extrinsics({"1": ([0.01, 0, 0], [0, 0, 0]), "4": ([0, 0, 0], [0, 0.02, 0])})
    assert [m.serial for m in find_movements(make_extrinsics({}), now) if m.has_moved] == ["1", "4"]


def test_a_small_turn_does_not_hide_behind_its_lever():
    """0.1 degrees and no shift are within the limit for everyone, also seen from 2 m away: 3.5 mm."""
    now = make_extrinsics({"2": ([0, np.radians(0.05), 0], [0, 0, 0])})
    assert [m.serial for m in find_movements(make_extrinsics({}), now) if m.has_moved] == []


def test_of_two_devices_one_cannot_know_which():
    def two(shift: float) -> RigExtrinsics:
        full = make_extrinsics({"2": ([0, 0, 0], [shift, 0, 0])})
        return RigExtrinsics({s: full.T_world_device[s] for s in "12"})

    assert all(m.has_moved for m in find_movements(two(0.0), two(0.02)))
    assert not any(m.has_moved for m in find_movements(two(0.0), two(0.001)))


def test_nothing_in_common_is_nothing_to_say():
    one = RigExtrinsics({"9": Pose("world", device_frame("9"), np.eye(3), [0, 0, 0])})
    assert find_movements(make_extrinsics({}), one) == ()
