"""Holes are filled with what is really there, and with nothing that the device itself speaks against."""

import numpy as np
from numpy.typing import NDArray

from genlock.fuse import NO_SOURCE, Filler
from unit.fuse.scenes import depth_of, measured, view

TARGET, LEFT, RIGHT = view("1", 0.0), view("2", -0.8, 25), view("3", 0.8, -25)
DEVICES = [TARGET, LEFT, RIGHT]
DEPTHS = {device.serial: measured(device) for device in DEVICES}


def truth() -> NDArray[np.float64]:
    return depth_of(TARGET.color_camera, TARGET.T_world_color)


def test_the_shadow_of_the_foreground_is_a_hole_and_is_filled():
    alone = Filler(TARGET, [])(DEPTHS)
    filled = Filler(TARGET, DEVICES)(DEPTHS)
    shadow = (alone.depth == 0)[40:110, 60:140]
    assert shadow.sum() > 50  # the ball hides a strip of the wall from the depth camera
    assert (filled.depth[40:110, 60:140] > 0)[shadow].mean() > 0.9
    assert filled.filled_ratio > alone.filled_ratio == 0.0


def test_filled_depth_is_the_true_depth():
    """On the wall two roundings of half a millimetre. On the ball a quad is a chord: between neighbours h = 11.5 mm
    apart it misses the surface by h^2 / 8 z'', which at the steepest quad that is drawn (z' h = 4.69 % of 1.5 m, so
    z' = 6, z'' = 37^1.5 / r) is 12.4 mm. At outlines a pixel may be ball or wall: a hundredth is let off."""
    filled = Filler(TARGET, DEVICES)(DEPTHS)
    errors_mm = np.abs(filled.depth - truth())[filled.source > 1]
    assert len(errors_mm) > 500
    assert np.median(errors_mm) <= 1
    assert np.quantile(errors_mm, 0.99) < 12.4 + 1


def test_every_pixel_says_who_measured_it():
    filled = Filler(TARGET, DEVICES)(DEPTHS)
    np.testing.assert_array_equal(filled.source == NO_SOURCE, filled.depth == 0)
    assert filled.sources == ("1", "2", "3")
    assert set(np.unique(filled.source)) == {0, 1, 2, 3}
    own = Filler(TARGET, [])(DEPTHS).depth
    np.testing.assert_array_equal(filled.depth[filled.source == 1], own[own > 0])


def test_the_order_of_donors_changes_no_depth():
    one, other = Filler(TARGET, [LEFT, RIGHT])(DEPTHS), Filler(TARGET, [RIGHT, LEFT])(DEPTHS)
    np.testing.assert_array_equal(one.depth, other.depth)


def test_a_donors_point_that_the_device_looked_through_is_refused():
    """A donor that is wrong by half a metre would put a wall into the air before the target's own wall."""
    lying = {**DEPTHS, "2": np.full_like(DEPTHS["2"], 1200)}
    filled = Filler(TARGET, [LEFT])(lying)
    wrong = filled.source == 2
    v, u = np.nonzero(wrong)
    # What is taken lies where the target's own depth camera has no reading that contradicts: outside its view.
    rays, _ = TARGET.color_camera.unproject(np.stack([u, v], axis=1))
    points = TARGET.T_color_device.inverse().apply(rays * filled.depth[wrong][:, None] / 1000)
    px, _ = TARGET.depth_camera.project(points)
    inside = (px > 0).all(axis=1) & (px[:, 0] < 158) & (px[:, 1] < 142)
    seen_mm = DEPTHS["1"][np.rint(px[inside, 1]).astype(int), np.rint(px[inside, 0]).astype(int)]
    assert (points[inside, 2] * 1000 > seen_mm - 31 - 0.016 * seen_mm).all()


def test_a_donor_without_an_image_is_passed_over():
    filled = Filler(TARGET, DEVICES)({"1": DEPTHS["1"], "3": DEPTHS["3"]})
    assert set(np.unique(filled.source)) == {0, 1, 3}
