"""Where devices stand: on a ring, or as the rig file says, whatever its world."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.devices.sim.placement import look_at, stage_poses
from genlock.geometry import Pose
from genlock.rig import parse_rig
from genlock.testing.rigs import chain_rig, rig_toml, serials


def placed_rig(poses):
    """A rig file that holds these T_world_device."""
    per_device = {
        serial: {"position_m": T.translation_m.tolist(), "rotation_wxyz": T.rotation_wxyz.tolist()}
        for serial, T in poses.items()
    }
    return parse_rig(rig_toml(len(poses), per_device=per_device))


def axis_at(T, axis):
    return T.rotation[:, axis]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 10])
def test_devices_without_a_place_stand_on_a_ring_and_look_at_its_middle(count):
    poses = stage_poses(chain_rig(count))
    assert len(poses) == count
    places = np.array([T.translation_m for T in poses.values()])
    assert np.allclose(np.hypot(places[:, 0], places[:, 1]), 2.2)
    assert (places[:, 2] == 1.25).all()
    for T in poses.values():
        to_middle = -T.translation_m[:2]
        assert axis_at(T, 2)[:2] @ to_middle > 0.99 * np.linalg.norm(axis_at(T, 2)[:2]) * 2.2
        assert axis_at(T, 1)[2] < -0.9, "the image's down is the room's down"


def test_a_camera_that_looks_at_a_point_has_it_on_its_axis():
    T_stage_depth = look_at("stage", (1, 2, 3), (-1, 0.5, 1), (0, 0, 1))
    seen = T_stage_depth.inverse().apply([-1, 0.5, 1])
    assert np.allclose(seen[:2], 0, atol=1e-12) and seen[2] > 0


WORLDS = {
    "z up": np.eye(3),
    "y up": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
    "y down, as a camera's": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "x up": [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
}


@pytest.mark.parametrize("name", list(WORLDS))
@settings(max_examples=20, deadline=None)
@given(offset_m=st.tuples(*[st.floats(-50, 50)] * 3))
def test_a_rig_file_may_use_any_world(name, offset_m):
    ring = stage_poses(chain_rig(3))
    T_world_stage = Pose("world", "stage", WORLDS[name], offset_m)
    found = stage_poses(placed_rig({serial: T_world_stage @ T for serial, T in ring.items()}))
    first = found[serials(3)[0]]
    for serial, T_stage_depth in found.items():
        # Upright, as high above the floor, the same arrangement among themselves; looking at the middle.
        assert np.isclose(T_stage_depth.translation_m[2], 1.25, atol=1e-6)
        apart = first.inverse().apply(T_stage_depth.translation_m)
        assert np.allclose(apart, ring[serials(3)[0]].inverse().apply(ring[serial].translation_m), atol=1e-6)
        assert np.isclose(np.hypot(*T_stage_depth.translation_m[:2]), 2.2, atol=0.01)


def test_a_single_device_at_the_origin_of_its_world_looks_at_the_stage():
    T_world_depth = Pose.identity("world", "depth")
    (T_stage_depth,) = stage_poses(placed_rig({serials(1)[0]: T_world_depth})).values()
    middle = T_stage_depth.inverse().apply([0, 0, 1.25])
    assert np.allclose(middle, [0, 0, 2.2], atol=0.01)


def test_parallel_devices_have_the_stage_before_them():
    poses = {
        serial: Pose("world", "depth", np.eye(3), [0.5 * number, 0, 0]) for number, serial in enumerate(serials(3))
    }
    for T_stage_depth in stage_poses(placed_rig(poses)).values():
        assert T_stage_depth.inverse().apply([0, 0, 1])[2] > 1.5
