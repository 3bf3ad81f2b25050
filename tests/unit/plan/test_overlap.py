"""Whose depth cameras see the same space, from nominal poses."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.plan import make_plan
from genlock.rig import Rig

# Field of view and range of NFOV_UNBINNED (Microsoft's hardware specifications).
RIGHT, DOWN = math.tan(math.radians(75 / 2)), math.tan(math.radians(65 / 2))
NEAR_M, FAR_M = 0.5, 3.86


def turned(degrees):
    """A quaternion about y (down in the camera): 0 looks along z, 180 back."""
    half = math.radians(degrees) / 2
    return [math.cos(half), 0, math.sin(half), 0]


def plan(*poses, **settings_of_plan):
    devices = [
        {"serial": str(i + 1), "position_m": list(position), "rotation_wxyz": list(rotation)}
        for i, (position, rotation) in enumerate(poses)
    ]
    wiring = {"topology": "daisy_chain", "master": "1"}
    return make_plan(Rig.model_validate({"device": devices, "wiring": wiring, "plan": settings_of_plan}))


@pytest.mark.parametrize(
    ("second", "meets"),
    [
        (((0, 0, 0), turned(0)), True),
        (((0.5, 0, 0), turned(0)), True),  # side by side
        (((0, 0, 4), turned(180)), True),  # face to face
        (((0, 0, 8), turned(180)), False),  # too far: 3.86 m each
        (((0, 0, 7.7), turned(180)), True),  # the far ends just meet
        (((0, 0, 0), turned(180)), False),  # back to back
        (((0, 0, 0), turned(74)), True),  # 75 degrees wide
        (((0, 0, 0), turned(76)), False),
        (((0, 10, 0), turned(0)), False),
    ],
)
def test_two_cameras_meet_where_what_they_see_does(second, meets):
    made = plan(((0, 0, 0), turned(0)), second)
    assert made.overlap == ((("1", "2"),) if meets else ())
    assert (made.guard_usec is not None) == meets
    assert [f.code for f in made.findings if "overlap" in f.code] == ["plan.overlap_from_poses"]


def test_what_the_file_says_counts_more():
    apart = [((0, 0, 0), turned(0)), ((0, 10, 0), turned(0))]
    assert plan(*apart, overlap="all").guard_usec is not None
    assert plan(*[apart[0]] * 2, overlap="none").guard_usec is None


def test_without_every_pose_all_meet():
    devices = [{"serial": "1", "position_m": [0, 0, 0], "rotation_wxyz": [1, 0, 0, 0]}, {"serial": "2"}]
    rig = Rig.model_validate({"device": devices, "wiring": {"topology": "daisy_chain", "master": "1"}})
    assert make_plan(rig).overlap == "all"


def test_a_camera_without_laser_needs_no_pose():
    devices = [
        {"serial": "1", "position_m": [0, 0, 0], "rotation_wxyz": [1, 0, 0, 0]},
        {"serial": "2", "position_m": [0, 10, 0], "rotation_wxyz": [1, 0, 0, 0]},
        {"serial": "3", "depth_mode": "OFF"},
    ]
    rig = Rig.model_validate({"device": devices, "wiring": {"topology": "daisy_chain", "master": "1"}})
    assert make_plan(rig).overlap == ()


def rotation(q):
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


QUATERNIONS = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: math.hypot(*q) > 0.1).map(
    lambda q: tuple(v / math.hypot(*q) for v in q)
)  # fmt: skip
POSITIONS = st.tuples(*[st.floats(-5, 5)] * 3)


@given(POSITIONS, QUATERNIONS, POSITIONS, QUATERNIONS)
@settings(max_examples=60, deadline=None)
def test_cameras_that_do_not_meet_have_no_point_in_common(position_a, q_a, position_b, q_b):
    made = plan((position_a, q_a), (position_b, q_b))
    z = np.linspace(NEAR_M, FAR_M, 20)
    x, y = np.linspace(-RIGHT, RIGHT, 20), np.linspace(-DOWN, DOWN, 20)
    grid = np.stack([g.ravel() for g in np.meshgrid(x, y, z)], axis=1)
    points_a = np.stack([grid[:, 0] * grid[:, 2], grid[:, 1] * grid[:, 2], grid[:, 2]], axis=1)
    points_world = points_a @ rotation(q_a).T + position_a
    points_b = (points_world - position_b) @ rotation(q_b)
    depth = points_b[:, 2]
    inside = (depth > NEAR_M) & (depth < FAR_M)
    inside &= (abs(points_b[:, 0]) < RIGHT * depth) & (abs(points_b[:, 1]) < DOWN * depth)
    if inside.any():
        assert made.overlap == (("1", "2"),)
