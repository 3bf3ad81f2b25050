"""Quads of any size, on images of any width: drawn without a gap, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.fuse.transformation import DepthWarp
from genlock.geometry import CameraModel, Pose

DEPTH_WIDTH, DEPTH_HEIGHT, FOCAL_PX = 12, 9, 20.0


def pinhole(width_px: int, height_px: int, focal_px: float, center: tuple[float, float]) -> CameraModel:
    return CameraModel(
        width_px=width_px, height_px=height_px, cx_px=center[0], cy_px=center[1], fx_px=focal_px, fy_px=focal_px
    )


@settings(deadline=None, max_examples=300)  # the first call loads the kernel
@given(
    width_px=st.integers(8, 40),
    height_px=st.integers(1, 30),
    scale=st.floats(0.2, 25),
    shift=st.tuples(st.floats(-15, 40), st.floats(-15, 30)),
)
def test_a_wall_is_drawn_without_a_gap_and_ends_where_it_ends(
    width_px: int, height_px: int, scale: float, shift: tuple[float, float]
):
    depth_camera = pinhole(DEPTH_WIDTH, DEPTH_HEIGHT, FOCAL_PX, (0.0, 0.0))
    target = pinhole(width_px, height_px, FOCAL_PX * scale, shift)
    warp = DepthWarp(depth_camera, target, Pose("target", "depth", np.eye(3), np.zeros(3)))
    guarded = np.full(width_px * height_px + 64, 7, np.uint16)  # what lies behind the image stays as it is
    image = warp(np.full((DEPTH_HEIGHT, DEPTH_WIDTH), 1000, np.uint16), guarded[:-64].reshape(height_px, width_px))
    assert set(np.unique(image)) <= {0, 1000}
    assert set(guarded[-64:].tolist()) == {7}
    right, below = shift[0] + scale * (DEPTH_WIDTH - 1), shift[1] + scale * (DEPTH_HEIGHT - 1)
    x, y = np.arange(width_px), np.arange(height_px)
    near = 1e-3  # of 32 bits, on the wall's own edges
    inside = np.outer((y > shift[1] + near) & (y < below - near), (x > shift[0] + near) & (x < right - near))
    outside = ~np.outer((y > shift[1] - near) & (y < below + near), (x > shift[0] - near) & (x < right + near))
    assert (image[inside] == 1000).all()
    assert (image[outside] == 0).all()


def test_images_that_cannot_be_drawn_into_are_refused():
    depth_camera = pinhole(DEPTH_WIDTH, DEPTH_HEIGHT, FOCAL_PX, (6.0, 4.0))
    same = Pose("target", "depth", np.eye(3), np.zeros(3))
    with pytest.raises(ValueError, match="too narrow"):
        DepthWarp(depth_camera, pinhole(7, 7, FOCAL_PX, (3.0, 3.0)), same)
    warp = DepthWarp(depth_camera, pinhole(16, 9, FOCAL_PX, (8.0, 4.0)), same)
    depth = np.ones((DEPTH_HEIGHT, DEPTH_WIDTH), np.uint16)
    with pytest.raises(ValueError, match="16x9"):
        warp(depth, np.empty((16, 9), np.uint16))
    with pytest.raises(ValueError, match="without gaps"):
        warp(depth, np.empty((9, 32), np.uint16)[:, ::2])
