"""Clouds lie where the surfaces are, and take no color from what hides them."""

import numpy as np

from genlock.fuse import CloudMaker, ply_bytes
from unit.fuse.scenes import BALL_M, BALL_RADIUS_M, WALL_M, measured, view

DEVICES = [view("1", 0.0), view("2", -0.8, 25), view("3", 0.8, -25)]
DEPTHS = {device.serial: measured(device) for device in DEVICES}


def test_points_of_all_devices_lie_on_the_true_surfaces():
    points = CloudMaker(DEVICES).points(DEPTHS)
    to_wall = np.abs(points[:, 2] - WALL_M)
    to_ball = np.abs(np.linalg.norm(points - BALL_M, axis=1) - BALL_RADIUS_M)
    # Half a millimetre of rounding along z, up to sqrt(1 + 0.6^2 + 0.55^2) of that along the ray, turned by 25 deg.
    assert np.minimum(to_wall, to_ball).max() < 0.0008
    assert len(points) == sum((depth > 0).sum() for depth in DEPTHS.values())


def test_a_point_behind_the_ball_does_not_take_the_balls_color():
    """SDK issue #762: the color camera sees the ball where the depth camera sees the wall beside it."""
    device = view("1", 0.0, color_shift_m=0.2)
    depth = measured(device)
    shape = (device.color_camera.height_px, device.color_camera.width_px)
    from_color = np.linalg.norm  # for reading only
    rgb = np.zeros((*shape, 3), np.uint8)
    rgb[:, :, 2] = 200  # the wall is blue
    v, u = np.mgrid[: shape[0], : shape[1]]
    rays, _ = device.color_camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    directions = rays / from_color(rays, axis=1)[:, None]
    to_ball = BALL_M - device.T_world_color.translation_m
    off_axis = from_color(np.cross(directions, to_ball), axis=1).reshape(shape)
    rgb[off_axis < BALL_RADIUS_M] = (200, 0, 0)  # the ball is red
    cloud = CloudMaker([device]).cloud({"1": depth}, {"1": rgb})
    on_wall = np.abs(cloud.points_world[:, 2] - WALL_M) < 0.001
    is_red = (cloud.colors == (200, 0, 0)).all(axis=1)
    is_gray = (cloud.colors == 128).all(axis=1)
    assert is_gray.sum() > 100  # the hidden part
    # A pixel of outline, a few hundred points, may go either way.
    assert (is_red & on_wall).sum() < 0.1 * is_gray.sum()


def test_devices_without_an_image_leave_no_points():
    maker = CloudMaker(DEVICES)
    cloud = maker.cloud({"2": DEPTHS["2"]}, {})
    assert set(cloud.device) == {1}
    assert (cloud.colors == 128).all()


def test_a_ply_holds_what_the_cloud_holds():
    cloud = CloudMaker(DEVICES).cloud(DEPTHS, {})
    header, _, body = ply_bytes(cloud).partition(b"end_header\n")
    assert f"element vertex {len(cloud.points_world)}" in header.decode()
    vertices = np.frombuffer(body, np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3), ("device", "u1")]))
    np.testing.assert_array_equal(vertices["xyz"], cloud.points_world)
    np.testing.assert_array_equal(vertices["device"], cloud.device)
