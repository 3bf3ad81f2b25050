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
    width_px=st.integers(1, 40),
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


def turned(yaw_deg: float, pitch_deg: float, roll_deg: float, shift_m: tuple[float, float], about_m: float) -> Pose:
    """A target that looks from aside at what lies ``about_m`` before the depth camera."""
    yaw, pitch, roll = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    center = np.array([0, 0, about_m])
    rotation = about_z @ about_x @ about_y
    return Pose("target", "depth", rotation, center - rotation @ center + [*shift_m, 0])


def plainly_drawn(
    depth: np.ndarray, depth_camera: CameraModel, target: CameraModel, T_target_depth: Pose
) -> tuple[np.ndarray, np.ndarray]:
    """The rules in 64 bits, triangle by triangle with barycentric coordinates.

    Returns:
        The depths, (H, W) mm, inf = nothing; and where an outline passes so near that 32 bits may decide otherwise.
    """
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays, _ = depth_camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    points = T_target_depth.apply(rays * depth.reshape(-1, 1) / 1000)
    px, is_valid = target.project(points)
    z = np.where(is_valid & (depth.ravel() > 0), points[:, 2] * 1000, 0)
    vertices = np.column_stack([px, z]).reshape(*depth.shape, 3)
    image, is_open = (
        np.full((target.height_px, target.width_px), np.inf),
        np.zeros((target.height_px, target.width_px), bool),
    )
    pixels = np.stack(np.meshgrid(np.arange(target.width_px), np.arange(target.height_px)), axis=-1).astype(float)
    for row in range(depth.shape[0] - 1):
        for column in range(depth.shape[1] - 1):
            corners = completed(*vertices[row, column : column + 2], *vertices[row + 1, column : column + 2])
            if corners is None:
                continue
            tl, tr, bl, br = corners
            near, far = min(c[2] for c in corners), max(c[2] for c in corners)
            if far - near > 0.04693441759 * near:
                continue
            for a, b, c in ((tl, br, bl), (tl, tr, br)):
                edges = np.column_stack([b[:2] - a[:2], c[:2] - a[:2]])
                if abs(np.linalg.det(edges)) < 1e-2 * max(1, np.abs(edges).max()) ** 2:
                    is_open |= near_box(pixels, (a, b, c))  # a sliver: its plane is not to be had from 32 bits
                    continue
                along_b, along_c = np.moveaxis((pixels - a[:2]) @ np.linalg.inv(edges).T, -1, 0)
                weights = np.stack([1 - along_b - along_c, along_b, along_c])
                # How many weights a thousandth of a pixel is worth, at the triangle's narrowest.
                margin = 1e-3 * np.abs(np.linalg.inv(edges)).sum()
                is_open |= (np.abs(weights).min(axis=0) < margin) & (weights.min(axis=0) > -margin)
                is_front = (c[0] - a[0]) * (b[1] - a[1]) < (c[1] - a[1]) * (b[0] - a[0])
                inside = (weights.min(axis=0) > 0) & is_front
                depths = np.tensordot([a[2], b[2], c[2]], weights, axes=1)
                image[inside] = np.minimum(image, depths)[inside]
    return image, is_open


def near_box(pixels: np.ndarray, corners: tuple[np.ndarray, ...]) -> np.ndarray:
    corners_px = np.array([corner[:2] for corner in corners])
    return ((pixels > corners_px.min(axis=0) - 1) & (pixels < corners_px.max(axis=0) + 1)).all(axis=-1)


def completed(tl: np.ndarray, tr: np.ndarray, bl: np.ndarray, br: np.ndarray) -> tuple[np.ndarray, ...] | None:
    missing = [corner[2] <= 0 for corner in (tl, tr, bl, br)]
    if sum(missing) > 1:
        return None
    if missing[0]:
        tl = (tr + bl) / 2
    elif missing[1]:
        tr, br = br, (br + bl) / 2
    elif missing[2]:
        bl, br = br, (tr + br) / 2
    elif missing[3]:
        br = (tr + bl) / 2
    return tl, tr, bl, br


@settings(deadline=None, max_examples=60)
@given(
    yaw_deg=st.floats(-85, 85),
    pitch_deg=st.floats(-70, 70),
    roll_deg=st.floats(-20, 20),
    shift_m=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
    scale=st.floats(0.3, 8),
    noise_mm=st.sampled_from([0, 1, 10]),
    missing_ratio=st.sampled_from([0, 0.05, 0.3]),
    seed=st.integers(0, 99),
)
def test_every_surface_is_drawn_as_the_rules_written_down_plainly_draw_it(
    yaw_deg: float,
    pitch_deg: float,
    roll_deg: float,
    shift_m: tuple[float, float],
    scale: float,
    noise_mm: int,
    missing_ratio: float,
    seed: int,
):
    """Also where a quad is many times larger than its neighbours, and one row of quads more than 32."""
    rng = np.random.default_rng(seed)
    depth = 1000 + noise_mm * rng.normal(size=(6, 40))
    depth[2:4, 15:25] -= 40  # an edge that is low enough to be bridged, seen from aside a large quad
    depth[rng.random(depth.shape) < missing_ratio] = 0
    depth = depth.astype(np.uint16)
    depth_camera = pinhole(40, 6, 100.0, (19.5, 2.5))
    target = pinhole(70, 40, 100.0 * scale, (34.5, 19.5))
    T_target_depth = turned(yaw_deg, pitch_deg, roll_deg, shift_m, 1.0)
    drawn = DepthWarp(depth_camera, target, T_target_depth)(depth)
    plain, is_open = plainly_drawn(depth, depth_camera, target, T_target_depth)
    np.testing.assert_array_equal((drawn > 0)[~is_open], np.isfinite(plain)[~is_open])
    both = ~is_open & np.isfinite(plain)
    # Half a millimetre of rounding; the rest is 32 bits, 1e-4 mm at 1 m, on surfaces that fall steeply.
    assert np.abs(drawn[both] - plain[both]).max(initial=0) < 0.55


def test_a_lens_beyond_all_bounds_draws_nothing_there():
    depth_camera = pinhole(DEPTH_WIDTH, DEPTH_HEIGHT, 1.0, (0.0, 0.0))
    # In 32 bits both polynomials are infinite where r2 > 3, and their quotient is no number.
    target = CameraModel(
        width_px=32, height_px=32, cx_px=16, cy_px=16, fx_px=1, fy_px=1, k1=1e38, k4=1e38, metric_radius=1e3
    )
    warp = DepthWarp(depth_camera, target, Pose("target", "depth", np.eye(3), np.zeros(3)))
    image = warp(np.full((DEPTH_HEIGHT, DEPTH_WIDTH), 1000, np.uint16))
    assert set(np.unique(image)) == {0, 1000}
    assert not image[:, 16 + 4 :].any()


def test_images_that_cannot_be_drawn_into_are_refused():
    depth_camera = pinhole(DEPTH_WIDTH, DEPTH_HEIGHT, FOCAL_PX, (6.0, 4.0))
    same = Pose("target", "depth", np.eye(3), np.zeros(3))
    warp = DepthWarp(depth_camera, pinhole(16, 9, FOCAL_PX, (8.0, 4.0)), same)
    depth = np.ones((DEPTH_HEIGHT, DEPTH_WIDTH), np.uint16)
    with pytest.raises(ValueError, match="16x9"):
        warp(depth, np.empty((16, 9), np.uint16))
    with pytest.raises(ValueError, match="without gaps"):
        warp(depth, np.empty((9, 32), np.uint16)[:, ::2])
    with pytest.raises(ValueError, match="int32, expected uint16"):
        warp(depth, np.empty((9, 16), np.int32))
    read_only = np.empty((9, 16), np.uint16)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        warp(depth, read_only)
    with pytest.raises(ValueError, match="float64, expected uint16"):
        warp(depth.astype(float))
