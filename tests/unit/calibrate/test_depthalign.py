"""Depth refines poses where surfaces hold them, and never slides along what they do not."""

import numpy as np
import pytest

pytest.importorskip("small_gicp", reason="small_gicp is not installed: pip install 'genlock[align]'")

from genlock.calibrate import align_depth, surface_points
from genlock.geometry import Pose, device_frame, rotation_from_vector
from unit.calibrate.rigs import LENS, looking_at

Plane = tuple[list[float], float]  # normal and offset: n x = d
FLOOR, LEFT, BACK = ([0, 0, 1.0], 0.0), ([1.0, 0, 0], -1.6), ([0, 1.0, 0], 1.8)
PLACES = {"1": [-0.8, -2.0, 1.4], "2": [0.9, -1.9, 1.5], "3": [0.0, -2.2, 1.8]}


def true_poses() -> dict[str, Pose]:
    return {
        name: Pose("world", device_frame(name), looking_at(np.array(at), np.array([0.0, 0.6, 0.2])), at)
        for name, at in PLACES.items()
    }


def measured(planes: list[Plane], pose: Pose, rng: np.random.Generator) -> np.ndarray:
    """Points (N, 3) in a device's frame: the nearest plane along each ray, with 5 mm of noise."""
    x, y = np.meshgrid(np.linspace(-0.7, 0.7, 160), np.linspace(-0.6, 0.6, 140))
    rays = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1)
    toward = rays @ pose.rotation.T
    depths = np.full(len(rays), np.inf)
    for normal, offset in planes:
        with np.errstate(divide="ignore"):
            z = (offset - pose.translation_m @ normal) / (toward @ normal)
        depths = np.where((z > 0.3) & (z < depths), z, depths)
    seen = depths < 5
    return rays[seen] * (depths[seen] + rng.normal(0, 0.005, int(seen.sum())))[:, None]


def moments(planes: list[Plane], count: int = 4) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{name: measured(planes, pose, rng) for name, pose in true_poses().items()} for _ in range(count)]


def off_by(turn: list[float], shift_m: list[float]) -> dict[str, Pose]:
    """The board's poses, of which the second device's is wrong."""
    poses = true_poses()
    wrong = Pose("world", "world", rotation_from_vector(np.array(turn)), shift_m)
    return {**poses, "2": wrong @ poses["2"]}


def error_m(poses: dict[str, Pose]) -> np.ndarray:
    return poses["2"].translation_m - true_poses()["2"].translation_m


def test_a_corner_of_a_room_holds_everything_and_corrects_it():
    start = off_by([0.0, 0.004, 0.006], [0.015, -0.01, 0.012])
    found = align_depth(moments([FLOOR, LEFT, BACK]), start)
    assert found is not None
    assert found.is_taken
    assert found.held_directions == found.directions == 12
    # The prior holds back by (20 mm / 20 mm)^2 against 300 readings of which each direction has a tenth or more.
    assert np.linalg.norm(error_m(found.T_world_device)) < 0.2 * np.linalg.norm(error_m(start))
    assert found.after_mm < found.before_mm


def test_a_floor_alone_does_not_slide():
    """Only height and tilt are held by a plane: three directions of six for each of two devices."""
    start = off_by([0.004, 0.0, 0.0], [0.03, -0.02, 0.012])
    found = align_depth(moments([FLOOR]), start)
    assert found is not None
    assert found.held_directions == 6
    assert found.is_taken
    before, after = error_m(start), error_m(found.T_world_device)
    # Turning about the scene's middle, as a tilt does, lifts a device; it moves it sideways by height times angle.
    sideways_m = np.linalg.norm((after - before)[:2])
    assert sideways_m < 2 * 0.004 * 1.5
    assert abs(after[2]) < 0.5 * abs(before[2])


def test_right_poses_are_left_alone():
    found = align_depth(moments([FLOOR, LEFT, BACK]), true_poses())
    assert found is not None
    assert not found.is_taken
    assert found.reason == "surfaces of other moments come no closer"
    assert max(found.moved_mm.values()) < 2
    assert found.T_world_device["2"].translation_m.tolist() == true_poses()["2"].translation_m.tolist()


def test_what_would_move_further_than_a_board_errs_is_refused():
    start = off_by([0.0, 0.0, 0.0], [0.0, 0.0, 0.075])
    found = align_depth(moments([FLOOR, LEFT, BACK]), start)
    assert found is not None
    assert not found.is_taken or max(found.moved_mm.values()) <= 60
    np.testing.assert_allclose(found.T_world_device["1"].translation_m, start["1"].translation_m)


def test_devices_that_see_nothing_in_common_are_not_aligned():
    apart = [{"1": cloud["1"], "2": cloud["2"] + [0, 0, 50.0]} for cloud in moments([FLOOR])]
    assert align_depth(apart, {name: true_poses()[name] for name in "12"}) is None
    assert align_depth(moments([FLOOR])[:1], true_poses()) is None


def test_two_sides_of_a_sheet_are_not_one_surface():
    """Two devices face each other across a 10 mm thick wall: nearest neighbours would pull its sides together."""
    poses = {
        "1": Pose("world", device_frame("1"), looking_at(np.array([0, -2.0, 1]), np.array([0, 0, 1.0])), [0, -2.0, 1]),
        "2": Pose("world", device_frame("2"), looking_at(np.array([0, 2.0, 1]), np.array([0, 0, 1.0])), [0, 2.0, 1]),
    }
    rng = np.random.default_rng(0)
    sides = {"1": [([0, 1.0, 0], -0.005)], "2": [([0, 1.0, 0], 0.005)]}
    both = [{name: measured(sides[name], pose, rng) for name, pose in poses.items()} for _ in range(2)]
    assert align_depth(both, poses) is None


def test_edges_and_holes_give_no_points():
    depth = np.full((LENS.height_px, LENS.width_px), 2000, np.uint16)
    depth[:, 640:] = 1000
    depth[300:310, 100:110] = 0
    points = surface_points(depth, LENS, bias_mm=10)
    assert set(np.unique(np.round(points[:, 2], 6))) == {1.99, 0.99}
    assert len(points) < depth.size - 2 * 720 - 144
