"""The lens model: known numbers, round trips, and where it says nothing."""

from dataclasses import replace

import numpy as np
import pytest

from genlock.geometry import CameraModel, LensModel

PINHOLE = CameraModel(width_px=640, height_px=480, cx_px=320, cy_px=240, fx_px=500, fy_px=510)

# Near the depth camera of a retail unit.
LENS = replace(
    PINHOLE,
    k1=0.548, k2=-0.021, k3=-0.0027, k4=0.890, k5=0.086, k6=-0.0139, p1=2.1e-5, p2=-7.2e-5, metric_radius=1.74,
)  # fmt: skip


def grid(camera, step_px=20):
    u, v = np.meshgrid(np.arange(0, camera.width_px, step_px), np.arange(0, camera.height_px, step_px))
    return np.stack([u.ravel(), v.ravel()], axis=1).astype(float)


def test_a_pinhole_projects_by_its_focal_length():
    px, is_valid = PINHOLE.project([[0, 0, 2], [0.2, -0.4, 2]])
    assert np.allclose(px, [[320, 240], [370, 138]])
    assert is_valid.all()


def test_radial_distortion_follows_its_formula():
    # r2 = 0.25: d = (1 + 0.1 * 0.25) / (1 + 0.3 * 0.25); no tangential part.
    camera = replace(PINHOLE, k1=0.1, k4=0.3)
    px, _ = camera.project([[0.3, 0.4, 1]])
    d = 1.025 / 1.075
    assert np.allclose(px, [[320 + 500 * 0.3 * d, 240 + 510 * 0.4 * d]])


def test_tangential_distortion_follows_its_formula():
    camera = replace(PINHOLE, p1=0.01, p2=0.02)
    x, y, r2 = 0.3, 0.4, 0.25
    xd = x + 0.02 * (r2 + 2 * x * x) + 2 * 0.01 * x * y
    yd = y + 0.01 * (r2 + 2 * y * y) + 2 * 0.02 * x * y
    px, _ = camera.project([[x, y, 1]])
    assert np.allclose(px, [[320 + 500 * xd, 240 + 510 * yd]])
    older, _ = replace(camera, lens_model=LensModel.RATIONAL_6KT).project([[x, y, 1]])
    assert np.allclose(older, [[320 + 500 * (xd - 0.01 * x * y), 240 + 510 * (yd - 0.02 * x * y)]])


def test_the_center_of_distortion_moves_the_distortion_and_not_the_axis():
    camera = replace(PINHOLE, k1=0.1, codx=0.1, cody=-0.05)
    px, _ = camera.project([[0.1, -0.05, 1]])
    assert np.allclose(px, [[320 + 500 * 0.1, 240 - 510 * 0.05]])


@pytest.mark.parametrize("lens_model", list(LensModel))
@pytest.mark.parametrize("codx", [0.0, 0.02])
def test_unprojecting_and_projecting_again_gives_the_pixel(lens_model, codx):
    camera = replace(LENS, p1=3e-3, p2=-2e-3, lens_model=lens_model, codx=codx)
    pixels = grid(camera)
    rays, is_valid = camera.unproject(pixels)
    assert is_valid.all()
    assert (rays[:, 2] == 1).all()
    again, _ = camera.project(rays * 2.5)
    # Newton stops below 1e-22 px^2 or at what doubles can hold of 640 px.
    assert np.abs(again - pixels).max() < 1e-9


def test_points_behind_the_camera_have_no_pixel():
    px, is_valid = LENS.project([[0, 0, -1], [0.1, 0.1, 0], [0, 0, 1]])
    assert is_valid.tolist() == [False, False, True]
    assert (px[:2] == 0).all()


def test_beyond_the_metric_radius_there_is_no_pixel():
    inside, outside = [1.73, 0, 1], [1.75, 0, 1]
    _, is_valid = LENS.project([inside, outside])
    assert is_valid.tolist() == [True, False]


def test_a_valid_pixel_may_lie_outside_the_image():
    px, is_valid = LENS.project([[1.5, 0, 1]])
    assert is_valid.all()
    assert px[0, 0] > LENS.width_px


def test_pixels_that_no_ray_reaches_are_invalid():
    # The distorted radius never grows beyond about 1.02: nothing lands 2000 px to the side.
    _, is_valid = LENS.unproject([[320, 240], [2320, 240], [1e7, -1e7]])
    assert is_valid.tolist() == [True, False, False]


def test_no_points_give_no_pixels():
    px, is_valid = LENS.project(np.empty((0, 3)))
    rays, _ = LENS.unproject(np.empty((0, 2)))
    assert px.shape == (0, 2) and is_valid.shape == (0,) and rays.shape == (0, 3)
