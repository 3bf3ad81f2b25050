"""Laws of the transforms that hold for every device; the SDK's numbers are compared in tests/conformance."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.fuse import Transformation, png_bytes, undistort, without_distortion
from genlock.geometry import CameraModel
from genlock.k4a import ColorResolution, DepthMode
from genlock.k4a.calibration import DeviceCalibration

CAMERA = CameraModel(
    width_px=200, height_px=150, cx_px=99, cy_px=76, fx_px=120, fy_px=121, k1=0.3, k2=-0.1, k4=0.1, p1=1e-3, p2=-5e-4
)


def make_calibration(rotation: np.ndarray) -> DeviceCalibration:
    def camera(
        location: str, size: tuple[int, int], focal: tuple[float, float], shift_m: float, turn: np.ndarray
    ) -> dict:
        return {
            "Intrinsics": {
                "ModelParameterCount": 14,
                "ModelParameters": [0.5, 0.5, *focal, 0.1, -0.02, 0, 0.05, 0, 0, 0, 0, 1e-4, 1e-4],
                "ModelType": "CALIBRATION_LensDistortionModelBrownConrady",
            },
            "Location": f"CALIBRATION_CameraLocation{location}",
            "MetricRadius": 1.7,
            "SensorWidth": size[0],
            "SensorHeight": size[1],
            "Rt": {"Rotation": turn.ravel().tolist(), "Translation": [shift_m, 0, 0]},
        }

    cameras = [
        camera("D0", (1024, 1024), (0.49, 0.49), 0.0, np.eye(3)),
        camera("PV0", (4096, 3072), (0.478, 0.637), -0.032, rotation),
    ]
    raw = json.dumps({"CalibrationInformation": {"Cameras": cameras, "InertialSensors": []}})
    return DeviceCalibration.from_json(raw)


@pytest.fixture(scope="module")
def device() -> Transformation:
    return Transformation(make_calibration(np.eye(3)), DepthMode.NFOV_2X2BINNED, ColorResolution.RES_720P)


@pytest.fixture(scope="module")
def tilted() -> Transformation:
    """The color camera looks 6 degrees down, as in the device."""
    tilt = np.deg2rad(6)
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    return Transformation(make_calibration(about_x), DepthMode.NFOV_2X2BINNED, ColorResolution.RES_720P)


def slope(device: Transformation) -> np.ndarray:
    v, u = np.mgrid[: device.depth_camera.height_px, : device.depth_camera.width_px]
    return (1000 + u + v // 2).astype(np.uint16)


def test_depth_in_the_color_view_lies_on_the_same_surface(device: Transformation):
    depth = slope(device)
    in_color = device.depth_to_color(depth)
    v, u = np.nonzero(in_color)
    rays, _ = device.color_camera.unproject(np.stack([u, v], axis=1))
    points = device.T_color_depth.inverse().apply(rays * in_color[v, u][:, None] / 1000)
    px, _ = device.depth_camera.project(points)
    # On a plane u + v / 2 + 1000 = z: half a millimetre of rounding, 1.1 mm of the slope's own steps.
    assert np.abs(px[:, 0] + px[:, 1] / 2 + 1000 - points[:, 2] * 1000).max() < 2


def test_a_color_pixel_finds_the_depth_pixel_that_shows_the_same(device: Transformation):
    depth = slope(device)
    in_color = device.depth_to_color(depth)
    for px_color in ((300.0, 200.0), (640.5, 360.25), (900.0, 600.0)):
        found = device.depth_px_of_color_px(px_color, depth)
        assert found is not None
        z_m = in_color[round(px_color[1]), round(px_color[0])] / 1000
        rays, _ = device.color_camera.unproject([px_color])
        expected, _ = device.depth_camera.project(device.T_color_depth.inverse().apply(rays[0] * z_m)[None])
        # 2 mm of depth at 1.3 m, seen over 32 mm of baseline with f = 251 px: 0.01 px; plus a pixel's slope.
        assert np.abs(np.subtract(found, expected[0])).max() < 0.1


def test_a_color_pixel_that_the_depth_camera_did_not_see_has_no_depth_pixel(device: Transformation):
    assert device.depth_px_of_color_px((640.0, 360.0), np.zeros((288, 320), np.uint16)) is None


def test_colors_follow_the_surface_and_black_is_not_none(device: Transformation):
    color = np.zeros((720, 1280, 4), np.uint8)
    out = device.color_to_depth(slope(device), color)
    assert set(map(tuple, out.reshape(-1, 4))) <= {(0, 0, 0, 0), (1, 0, 0, 0)}
    assert (out[100:200, 100:200, 0] == 1).all()
    assert not device.color_to_depth(np.zeros((288, 320), np.uint16), color).any()


def test_no_reading_is_no_point(device: Transformation):
    depth = slope(device)
    depth[50:60] = 0
    cloud = device.point_cloud(depth)
    assert not cloud[50:60].any()
    np.testing.assert_array_equal(cloud[:, :, 2], depth)


@settings(deadline=None, max_examples=20)
@given(z_mm=st.integers(1, 30_000), x=st.integers(0, 1279), y=st.integers(0, 719))
def test_a_point_of_the_color_cloud_is_seen_at_its_own_pixel(tilted: Transformation, z_mm: int, x: int, y: int):
    in_color = np.zeros((720, 1280), np.uint16)
    in_color[y, x] = z_mm
    cloud = tilted.color_point_cloud(in_color)
    assert set(zip(*np.nonzero(cloud.any(axis=2)), strict=True)) <= {(y, x)}
    point = cloud[y, x].astype(float)
    assert point[2] == z_mm
    # Forward through the lens, where the cloud was made by going backward: half a mm of rounding in x and in y, seen
    # from z_mm with the lens's focal length, which its distortion changes by less than half.
    bound_px = 0.5 * 1.5 * np.hypot(tilted.color_camera.fx_px, tilted.color_camera.fy_px) / z_mm + 0.01
    if np.abs(point).max() < 32_767 and bound_px < 50:
        px, is_valid = tilted.color_camera.project(point[None] / 1000)
        assert is_valid[0]
        assert np.hypot(*(px[0] - [x, y])) < bound_px


def test_both_clouds_of_a_wall_lie_on_the_wall(tilted: Transformation):
    """A slanted wall, n p = 1500 mm, through two cameras that are turned and shifted against each other."""
    normal = np.array([0.3, -0.2, 0.93])
    normal /= np.linalg.norm(normal)
    camera = tilted.depth_camera
    v, u = np.mgrid[: camera.height_px, : camera.width_px]
    rays, is_valid = camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    exact = np.where(is_valid, 1500 / (rays @ normal), 0).reshape(camera.height_px, camera.width_px)
    depth = np.rint(exact).astype(np.uint16)
    own = tilted.point_cloud(depth)
    color = tilted.color_point_cloud(tilted.depth_to_color(depth))
    points_color = color[color[:, :, 2] > 0].astype(float)
    # Half a mm of depth moves a point along its ray by half of n * ray, half a mm of rounding in x and in y by their
    # shares of the normal. The color camera's cloud has both, and the rounding of the depth that was drawn.
    slope = (1500 / exact[exact > 0]).max()
    across, across_color = (0.5 * np.abs(n[:2]).sum() for n in (normal, tilted.T_color_depth.rotation @ normal))
    own_mm = own[own[:, :, 2] > 0].astype(float) @ normal - 1500
    color_mm = tilted.T_color_depth.inverse().apply(points_color / 1000) * 1000 @ normal - 1500
    assert len(own_mm) > 50_000
    assert len(color_mm) > 200_000
    assert np.abs(own_mm).max() < 0.5 * slope + across + 0.01
    assert np.abs(color_mm).max() < slope + across_color + 0.01
    assert np.abs(color_mm.mean()) < 0.05
    # The control: taken for points of the depth camera they miss the wall by centimetres.
    assert np.abs(points_color @ normal - 1500).max() > 30


def test_points_too_far_aside_for_16_bits_stay_at_their_end(tilted: Transformation):
    far = np.zeros((720, 1280), np.uint16)
    far[360, [1, 1278]] = 32_000
    cloud = tilted.color_point_cloud(far)
    rays, _ = tilted.color_camera.unproject([(1, 360), (1278, 360)])
    expected = np.clip(np.rint(rays * 32_000), -32_768, 32_767)
    assert expected[0, 0] < -20_000 < 20_000 < expected[1, 0]
    np.testing.assert_allclose(cloud[360, [1, 1278]], expected, atol=1)


def test_what_needs_a_camera_that_is_off_is_refused():
    calibration = make_calibration(np.eye(3))
    depth_only = Transformation(calibration, DepthMode.NFOV_2X2BINNED, ColorResolution.OFF)
    color_only = Transformation(calibration, DepthMode.OFF, ColorResolution.RES_720P)
    depth, in_color = np.full((288, 320), 1000, np.uint16), np.full((720, 1280), 1000, np.uint16)
    color = np.zeros((720, 1280, 4), np.uint8)
    assert depth_only.point_cloud(depth).any()
    assert color_only.color_point_cloud(in_color).any()
    for ask in (
        lambda: depth_only.color_point_cloud(in_color),
        lambda: depth_only.depth_to_color(depth),
        lambda: depth_only.color_to_depth(depth, color),
        lambda: depth_only.depth_px_of_color_px((1.0, 1.0), depth),
    ):
        with pytest.raises(ValueError, match="color_resolution OFF"):
            ask()
    for ask in (lambda: color_only.point_cloud(depth), lambda: color_only.depth_to_color(depth)):
        with pytest.raises(ValueError, match="depth_mode OFF"):
            ask()


def test_images_with_gaps_and_read_only_ones_give_the_same(device: Transformation):
    depth = slope(device)
    color = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    gappy = np.repeat(depth, 2, axis=1)[:, ::2]
    gappy.flags.writeable = False
    np.testing.assert_array_equal(device.point_cloud(gappy), device.point_cloud(depth))
    np.testing.assert_array_equal(device.depth_to_color(gappy), device.depth_to_color(depth))
    bgra = np.dstack([color, np.zeros((720, 1280), np.uint8)])
    np.testing.assert_array_equal(device.color_to_depth(gappy, bgra[:, :, :3]), device.color_to_depth(depth, color))


def test_images_of_another_type_or_shape_are_refused(device: Transformation):
    depth, color = slope(device), np.zeros((720, 1280, 4), np.uint8)
    with pytest.raises(ValueError, match="float64, expected uint16"):
        device.point_cloud(depth.astype(float))
    with pytest.raises(ValueError, match="320x288x1"):
        device.depth_to_color(depth[:, :, None])
    with pytest.raises(ValueError, match="1280x720; the calibration is for 1280x720x4"):
        device.color_to_depth(depth, color[:, :, 0])
    with pytest.raises(ValueError, match="uint16, expected uint8"):
        device.color_to_depth(depth, color.astype(np.uint16))
    with pytest.raises(ValueError, match="int64, expected uint16"):
        device.color_point_cloud(np.zeros((720, 1280), int))
    with pytest.raises(ValueError, match="uint16, expected uint8"):
        undistort(np.zeros((150, 200, 3), np.uint16), CAMERA)
    with pytest.raises(ValueError, match="distortion"):
        undistort(np.zeros((150, 200), np.uint16), CAMERA, CAMERA)


def test_points_are_not_written_beside_out(device: Transformation):
    """The kernel looks at no bounds: what does not fit is refused before."""
    depth = slope(device)
    out = np.empty((288, 320, 3), np.int16)
    assert device.point_cloud(depth, out) is out
    with pytest.raises(ValueError, match="out is 320x287x3"):
        device.point_cloud(depth, np.empty((287, 320, 3), np.int16))
    with pytest.raises(ValueError, match="int32, expected int16"):
        device.point_cloud(depth, np.empty((288, 320, 3), np.int32))
    with pytest.raises(ValueError, match="without gaps"):
        device.point_cloud(depth, np.empty((288, 320, 4), np.int16)[:, :, :3])


def test_an_image_of_another_mode_is_refused(device: Transformation):
    with pytest.raises(ValueError, match="640x576; the calibration is for 320x288"):
        device.point_cloud(np.zeros((576, 640), np.uint16))


def test_straight_lines_are_straight_after_undistortion():
    pinhole = without_distortion(CAMERA)
    v, u = np.mgrid[:150, :200]
    rays, _ = CAMERA.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    painted = np.clip(1000 + 500 * rays[:, 0] + 200 * rays[:, 1], 0, None).reshape(150, 200).astype(np.uint16)
    straight = undistort(painted, CAMERA)
    inside = straight > 0
    expected = 1000 + 500 * (u - pinhole.cx_px) / pinhole.fx_px + 200 * (v - pinhole.cy_px) / pinhole.fy_px
    # The nearest pixel is at most half a pixel off in each direction: 500 / 120 / 2 + 200 / 120 / 2, and a rounding.
    assert np.abs(straight - expected)[inside].max() < 2.92 * 1.3 + 1
    assert inside.mean() > 0.8  # the barrel's corners show nothing


def test_pictures_are_mixed_and_depth_is_not():
    step = np.where(np.arange(200) // 7 % 2 == 0, 0, 200)[None, :].repeat(150, axis=0)
    picture = undistort(np.repeat(step[:, :, None], 3, axis=2).astype(np.uint8), CAMERA)
    depth = undistort((step + 1000).astype(np.uint16), CAMERA)
    assert len(np.unique(picture)) > 5
    assert set(np.unique(depth)) <= {0, 1000, 1200}


def test_a_png_is_a_png(tmp_path: Path):
    import av

    depth = np.arange(6000, dtype=np.uint16).reshape(60, 100) * 10
    path = tmp_path / "depth.png"
    path.write_bytes(png_bytes(depth))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "gray16be"
    np.testing.assert_array_equal(frame.to_ndarray(), depth)
