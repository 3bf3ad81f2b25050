"""Rigid transforms: what they do to points, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.geometry import Pose

COORDINATES = st.floats(-10, 10)
VECTORS = st.tuples(COORDINATES, COORDINATES, COORDINATES)


@st.composite
def quaternions(draw):
    values = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4)))
    length = np.linalg.norm(values)
    return values / length if length > 0.1 else np.array([1.0, 0, 0, 0])


@st.composite
def poses(draw, to_frame="a", from_frame="b"):
    return Pose.from_quaternion(to_frame, from_frame, draw(quaternions()), draw(VECTORS))


QUARTER_TURN_ABOUT_Z = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]


def test_a_pose_takes_points_from_its_second_frame_to_its_first():
    T_world_depth = Pose("world", "depth", QUARTER_TURN_ABOUT_Z, [10, 0, 0])
    assert np.allclose(T_world_depth.apply([[1, 0, 0], [0, 0, 2]]), [[10, 1, 0], [10, 0, 2]])
    assert np.allclose(T_world_depth.apply([1, 0, 0]), [10, 1, 0])


def test_the_origin_of_the_second_frame_lies_at_the_translation():
    T_world_depth = Pose("world", "depth", QUARTER_TURN_ABOUT_Z, [1, 2, 3])
    assert np.allclose(T_world_depth.apply([0, 0, 0]), [1, 2, 3])


@given(poses("a", "b"), poses("b", "c"), VECTORS)
def test_a_product_does_what_its_factors_do_one_after_the_other(T_a_b, T_b_c, point):
    T_a_c = T_a_b @ T_b_c
    assert (T_a_c.to_frame, T_a_c.from_frame) == ("a", "c")
    assert np.allclose(T_a_c.apply(point), T_a_b.apply(T_b_c.apply(point)), atol=1e-9)


@given(poses("a", "b"), poses("b", "c"), poses("c", "d"), VECTORS)
def test_products_are_associative(T_a_b, T_b_c, T_c_d, point):
    left, right = (T_a_b @ T_b_c) @ T_c_d, T_a_b @ (T_b_c @ T_c_d)
    assert np.allclose(left.apply(point), right.apply(point), atol=1e-9)


@given(poses(), VECTORS)
def test_the_inverse_takes_points_back(T_a_b, point):
    T_b_a = T_a_b.inverse()
    assert T_b_a.name == "T_b_a"
    assert np.allclose(T_b_a.apply(T_a_b.apply(point)), point, atol=1e-9)


@given(quaternions())
def test_quaternions_survive_the_way_through_a_matrix(quaternion):
    there_and_back = Pose.from_quaternion("a", "b", quaternion, [0, 0, 0]).rotation_wxyz
    assert there_and_back[0] >= 0
    # q and -q are one rotation.
    assert min(np.abs(there_and_back - quaternion).max(), np.abs(there_and_back + quaternion).max()) < 1e-7


def test_half_turns_have_quaternions_too():
    for axis in range(3):
        quaternion = [0.0, 0.0, 0.0, 0.0]
        quaternion[1 + axis] = 1.0
        assert np.allclose(Pose.from_quaternion("a", "b", quaternion, [0, 0, 0]).rotation_wxyz, quaternion)


def test_a_product_whose_inner_frames_differ_is_refused():
    T_world_depth, T_color_depth = Pose.identity("world", "depth"), Pose.identity("color", "depth")
    with pytest.raises(ValueError, match='"depth" is not "color"'):
        T_world_depth @ T_color_depth


@pytest.mark.parametrize(
    ("rotation", "complaint"),
    [
        (np.diag([1.0, 1.0, 1.001]), "orthonormal"),
        (np.ones((3, 3)), "orthonormal"),
        (np.full((3, 3), np.nan), "orthonormal"),
        (np.diag([1.0, 1.0, -1.0]), "mirrors"),
        (np.eye(4), r"\(3, 3\)"),
    ],
)
def test_what_is_no_rotation_is_refused(rotation, complaint):
    with pytest.raises(ValueError, match=complaint):
        Pose("a", "b", rotation, [0, 0, 0])


def test_a_translation_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        Pose("a", "b", np.eye(3), [0, np.inf, 0])


def test_a_quaternion_of_another_length_is_refused_but_rounding_is_forgiven():
    with pytest.raises(ValueError, match="length 2"):
        Pose.from_quaternion("a", "b", [2, 0, 0, 0], [0, 0, 0])
    rounded = Pose.from_quaternion("a", "b", [0.7071, 0.7071, 0, 0], [0, 0, 0])
    assert np.allclose(rounded.rotation @ rounded.rotation.T, np.eye(3), atol=1e-12)


def test_a_pose_cannot_be_changed_behind_its_back():
    rotation = np.eye(3)
    pose = Pose("a", "b", rotation, [0, 0, 0])
    rotation[0, 0] = 5
    assert pose.rotation[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        pose.translation_m[0] = 1
