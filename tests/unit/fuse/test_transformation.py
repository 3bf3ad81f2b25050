"""Laws of the transforms that hold for every device; the SDK's numbers are compared in tests/conformance."""

import json
from pathlib import Path

import numpy as np
import pytest

from genlock.fuse import Transformation, png_bytes, undistort, without_distortion
from genlock.geometry import CameraModel
from genlock.k4a import ColorResolution, DepthMode
from genlock.k4a.calibration import DeviceCalibration

CAMERA = CameraModel(
    width_px=200, height_px=150, cx_px=99, cy_px=76, fx_px=120, fy_px=121, k1=0.3, k2=-0.1, k4=0.1, p1=1e-3, p2=-5e-4
)


@pytest.fixture(scope="module")
def device() -> Transformation:
    def camera(location: str, size: tuple[int, int], focal: tuple[float, float], shift_m: float) -> dict:
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
            "Rt": {"Rotation": np.eye(3).ravel().tolist(), "Translation": [shift_m, 0, 0]},
        }

    cameras = [camera("D0", (1024, 1024), (0.49, 0.49), 0.0), camera("PV0", (4096, 3072), (0.478, 0.637), -0.032)]
    raw = json.dumps({"CalibrationInformation": {"Cameras": cameras, "InertialSensors": []}})
    return Transformation(DeviceCalibration.from_json(raw), DepthMode.NFOV_2X2BINNED, ColorResolution.RES_720P)


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
