"""The factory calibration: read as the SDK reads it, judged by numbers of the real library.

The golden numbers are those of libk4a 1.4.2 for one retail unit's calibration. Its few intrinsics that matter stand
here; the whole file, where it lies beside the checkout, is checked against every mode.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genlock.geometry import DeviceLenses, LensModel
from genlock.k4a import ColorResolution, DepthMode
from genlock.k4a.calibration import DeviceCalibration

SHARED = Path(__file__).parents[4] / "shared" / "data" / "k4a"

DEPTH_PARAMETERS = [
    0.5129697919, 0.5169235468, 0.492780894, 0.4929028451, 0.5479397774, -0.02097137086, -0.002652231604, 0.8896790743,
    0.08613020927, -0.01391038485, 0.0, 0.0, -7.210415788e-05, 2.05575343e-05,
]  # fmt: skip
COLOR_PARAMETERS = [
    0.4998471439, 0.5066176057, 0.4779651165, 0.6374239326, 0.3301213086, -2.489396572, 1.453670859, 0.2089120746,
    -2.302915096, 1.37512755, 0.0, 0.0, -0.0001294452423, -0.0001617824455,
]  # fmt: skip
COLOR_ROTATION = [
    0.99999922514, 0.00118175766, -0.00044814043, -0.00113875128, 0.99628061056, 0.08616032451, 0.00054829422,
    -0.08615975082, 0.99628120661,
]  # fmt: skip
COLOR_TRANSLATION_M = [-0.03208342940, -0.00220537302, 0.00388369267]


def camera(location, parameters, size_px, metric_radius, rotation, translation_m):
    return {
        "Intrinsics": {
            "ModelParameterCount": 14,
            "ModelParameters": parameters,
            "ModelType": "CALIBRATION_LensDistortionModelBrownConrady",
        },
        "Location": f"CALIBRATION_CameraLocation{location}",
        "MetricRadius": metric_radius,
        "Rt": {"Rotation": rotation, "Translation": translation_m},
        "SensorWidth": size_px[0],
        "SensorHeight": size_px[1],
    }


def content():
    identity = np.eye(3).ravel().tolist()
    return {
        "CalibrationInformation": {
            "Cameras": [
                camera("PV0", COLOR_PARAMETERS, (4096, 3072), 0, COLOR_ROTATION, COLOR_TRANSLATION_M),
                camera("D0", DEPTH_PARAMETERS, (1024, 1024), 1.74, identity, [0, 0, 0]),
            ],
            "Metadata": {"SerialId": "000000000042"},
        }
    }


def calibration(edit=lambda cameras: None):
    root = content()
    edit(root["CalibrationInformation"]["Cameras"])
    return DeviceCalibration.from_json(json.dumps(root))


@pytest.fixture(params=["own", "shared"])
def golden(request):
    if request.param == "own":
        return calibration()
    path = SHARED / "calibration.json"
    if not path.exists():
        pytest.skip(f"{path} is not there: the whole file of the real unit is not checked")
    return DeviceCalibration.from_json(path.read_bytes() + b"\0")


# cx, cy, fx, fy of libk4a, which computes with 32-bit floats: hence 2e-4 px.
INTRINSICS = {
    DepthMode.NFOV_2X2BINNED: (166.140533, 174.164856, 252.303818, 252.366257),
    DepthMode.NFOV_UNBINNED: (332.781067, 348.829712, 504.607635, 504.732513),
    DepthMode.WFOV_2X2BINNED: (262.140533, 264.164856, 252.303818, 252.366257),
    DepthMode.WFOV_UNBINNED: (524.781067, 528.829712, 504.607635, 504.732513),
    DepthMode.PASSIVE_IR: (524.781067, 528.829712, 504.607635, 504.732513),
    ColorResolution.RES_720P: (639.304321, 365.852905, 611.795349, 611.927002),
    ColorResolution.RES_1080P: (959.206543, 549.029358, 917.692993, 917.890442),
    ColorResolution.RES_1440P: (1279.108643, 732.205811, 1223.590698, 1223.854004),
    ColorResolution.RES_1536P: (1023.186951, 777.664673, 978.872559, 979.083130),
    ColorResolution.RES_2160P: (1918.913086, 1098.558716, 1835.385986, 1835.780884),
    ColorResolution.RES_3072P: (2046.873901, 1555.829346, 1957.745117, 1958.166260),
}


@pytest.mark.parametrize("mode", list(INTRINSICS), ids=str)
def test_every_mode_has_the_intrinsics_of_the_real_library(golden, mode):
    model = golden.depth_camera(mode) if isinstance(mode, DepthMode) else golden.color_camera(mode)
    found = (model.cx_px, model.cy_px, model.fx_px, model.fy_px)
    assert np.allclose(found, INTRINSICS[mode], atol=2e-4)
    assert np.isclose(model.metric_radius, 1.74 if isinstance(mode, DepthMode) else 1.7, atol=1e-6)


# Depth pixel, depth in mm -> point in the depth frame, in the color frame, pixel at 720P.
NFOV_TO_720P = [
    ((320, 288), 1000,
     (-25.459816, -121.148140, 1000), (-58.134537, -36.713596, 1010.588989), (604.089661, 343.608826)),
    ((0, 0), 1000,
     (-1025.536743, -1075.058105, 1000), (-1059.337891, -985.936768, 1092.229248), (23.595581, -207.361328)),
    ((639, 575), 2000,
     (1535.047852, 1133.321045, 2000), (1503.406372, 1297.473145, 1899.640991), (1144.963135, 802.308228)),
    ((100.5, 400.25), 750,
     (-374.350800, 82.848938, 750), (-406.672119, 145.381958, 743.751038), (295.922699, 488.592499)),
]  # fmt: skip


@pytest.mark.parametrize(("px_depth", "depth_mm", "point_depth", "point_color", "px_color"), NFOV_TO_720P)
def test_a_depth_pixel_lands_where_the_real_library_puts_it(
    golden, px_depth, depth_mm, point_depth, point_color, px_color
):
    # The library's 32-bit floats leave 0.0032 mm at up to 4 m and 0.0035 px; own numbers here are rounded alike.
    rays, is_valid = golden.depth_camera(DepthMode.NFOV_UNBINNED).unproject([px_depth])
    points_depth = rays * depth_mm / 1000
    points_color = golden.T_color_depth.apply(points_depth)
    px, _ = golden.color_camera(ColorResolution.RES_720P).project(points_color)
    assert is_valid.all()
    assert np.allclose(points_depth[0] * 1000, point_depth, atol=0.0035)
    assert np.allclose(points_color[0] * 1000, point_color, atol=0.0035)
    assert np.allclose(px[0], px_color, atol=0.0035)


def test_a_color_pixel_lands_where_the_real_library_puts_it(golden):
    rays, _ = golden.color_camera(ColorResolution.RES_720P).unproject([(640, 360), (0, 0), (1279, 719)])
    points_color = rays * np.array([[1.0], [1.0], [1.5]])
    expected_mm = [
        (1.137106, -9.564563, 1000),
        (-1007.686707, -576.428040, 1000),
        (1513.746704, 835.665222, 1500),
    ]
    assert np.allclose(points_color * 1000, expected_mm, atol=0.0035)
    points_depth = golden.T_color_depth.inverse().apply(points_color)
    px, _ = golden.depth_camera(DepthMode.NFOV_UNBINNED).project(points_depth)
    expected_px = [(349.907013, 301.600983), (-35.012299, 100.055008), (707.531982, 520.478943)]
    assert np.allclose(px, expected_px, atol=0.0035)


def test_points_without_a_pixel_are_those_of_the_real_library(golden):
    points_depth = [[0, 0, 1.0], [0.3, -0.2, 1.2], [1.5, 0, 0.5], [0, 0, -0.005]]
    px, is_valid = golden.depth_camera(DepthMode.NFOV_UNBINNED).project(points_depth)
    assert is_valid.tolist() == [True, True, False, False]
    assert np.allclose(px, [(332.781067, 348.829712), (455.223053, 267.180237), (0, 0), (0, 0)], atol=0.0035)


def test_the_wide_mode_has_no_rays_in_its_corners(golden):
    pixels = [(512, 512), (0, 0), (10, 512), (100, 100), (512, 0)]
    rays, is_valid = golden.depth_camera(DepthMode.WFOV_UNBINNED).unproject(pixels)
    assert is_valid.tolist() == [True, False, False, False, False]
    assert np.allclose(rays[0] * 1000, (-25.343710, -33.363758, 1000), atol=0.0035)


def test_color_to_depth_is_the_inverse_in_metres(golden):
    assert np.allclose(golden.T_color_depth.translation_m * 1000, [-32.083431, -2.205373, 3.883693], atol=1e-5)
    # The rotation is stored as 32-bit floats, orthonormal to 1e-6: of 32 mm that is 3e-5 mm.
    inverse_mm = golden.T_color_depth.inverse().translation_m * 1000
    assert np.allclose(inverse_mm, [32.078766, 2.569703, -3.693612], atol=1e-4)


def test_the_inertial_sensors_sit_where_the_real_library_says():
    path = SHARED / "calibration.json"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    real = DeviceCalibration.from_json(path.read_bytes())
    assert real.serial == "001514394512"
    assert np.allclose(real.T_accel_depth.translation_m * 1000, [-50.983242, 3.472320, 1.327781], atol=1e-4)
    assert np.allclose(real.T_gyro_depth.translation_m, 0)
    assert np.allclose(real.T_accel_depth.rotation[2], [-0.0028659, 0.9940955, 0.1084709], atol=1e-6)


def test_a_calibration_without_inertial_sensors_says_so():
    assert calibration().T_accel_depth is None
    assert calibration().T_gyro_depth is None


def test_the_trailing_nul_of_the_device_is_ignored():
    raw = json.dumps(content()).encode()
    assert DeviceCalibration.from_json(raw + b"\0").serial == DeviceCalibration.from_json(raw).serial == "000000000042"


def test_early_color_cameras_calibrated_at_16_to_9_are_converted():
    def to_16_9(cameras):
        cameras[0]["SensorWidth"], cameras[0]["SensorHeight"] = 3840, 2160
        # The same lens seen through the 16:9 cut: the inverse of the SDK's conversion.
        parameters = list(COLOR_PARAMETERS)
        parameters[1] = (parameters[1] * 3072 - 384) / 2304
        parameters[3] = parameters[3] * 3072 / 2304
        cameras[0]["Intrinsics"]["ModelParameters"] = parameters

    found = calibration(to_16_9).color_camera(ColorResolution.RES_1536P)
    expected = calibration().color_camera(ColorResolution.RES_1536P)
    assert np.isclose(found.cy_px, expected.cy_px) and np.isclose(found.fy_px, expected.fy_px)


def test_the_older_lens_model_is_known():
    def to_6kt(cameras):
        cameras[1]["Intrinsics"]["ModelType"] = "CALIBRATION_LensDistortionModelRational6KT"

    assert calibration(to_6kt).depth_camera(DepthMode.NFOV_UNBINNED).lens_model is LensModel.RATIONAL_6KT


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda cameras: cameras.pop(), "D0"),
        (lambda cameras: cameras[0].pop("Rt"), "Rt"),
        (lambda cameras: cameras[0]["Intrinsics"].update(ModelType="CALIBRATION_LensDistortionModelTheta"), "Theta"),
        (lambda cameras: cameras[0]["Intrinsics"].update(ModelParameters=[0.5] * 8), "14"),
        (lambda cameras: cameras[1].update(SensorWidth=512), "1024x1024"),
        (lambda cameras: cameras[0].update(SensorWidth=4000), "4:3 or 16:9"),
        (lambda cameras: cameras[0]["Rt"].update(Rotation=[1] * 9), "orthonormal"),
    ],
)
def test_what_the_sdk_could_not_use_is_refused_with_the_reason(edit, complaint):
    with pytest.raises(ValueError, match=complaint):
        calibration(edit)


@pytest.mark.parametrize("raw", [b"", b"not json", b"[]", b'{"CalibrationInformation": {"Cameras": 5}}'])
def test_what_is_no_calibration_is_refused(raw):
    with pytest.raises(ValueError, match="calibration"):
        DeviceCalibration.from_json(raw)


def test_a_camera_that_is_off_has_no_model():
    with pytest.raises(ValueError, match="OFF"):
        calibration().depth_camera(DepthMode.OFF)
    with pytest.raises(ValueError, match="OFF"):
        calibration().color_camera(ColorResolution.OFF)


MODES = [(DepthMode.NFOV_UNBINNED, ColorResolution.RES_720P), (DepthMode.WFOV_2X2BINNED, ColorResolution.RES_3072P)]


@pytest.mark.parametrize(("depth_mode", "resolution"), MODES)
def test_a_lens_measured_in_one_mode_holds_in_every_other(depth_mode, resolution):
    factory = calibration()
    lenses = DeviceLenses(color=factory.color_camera(resolution), depth=factory.depth_camera(depth_mode))
    again = factory.with_lenses(lenses)
    for given, wanted in [
        *((again.color_camera(r), factory.color_camera(r)) for r in ColorResolution if r is not ColorResolution.OFF),
        *((again.depth_camera(m), factory.depth_camera(m)) for m in DepthMode if m is not DepthMode.OFF),
    ]:
        assert (given.width_px, given.height_px, given.k1, given.p2) == (
            wanted.width_px, wanted.height_px, wanted.k1, wanted.p2
        )  # fmt: skip
        for name in ("cx_px", "cy_px", "fx_px", "fy_px"):
            assert getattr(given, name) == pytest.approx(getattr(wanted, name), abs=1e-9)


def test_a_lens_that_was_moved_moves_alike_in_every_mode():
    factory = calibration()
    seen = factory.color_camera(ColorResolution.RES_720P)
    moved = factory.with_lenses(
        DeviceLenses(color=replace(seen, cx_px=seen.cx_px + 3, fy_px=seen.fy_px * 1.01, k1=0.4))
    )
    before, after = (c.color_camera(ColorResolution.RES_1536P) for c in (factory, moved))
    assert after.cx_px - before.cx_px == pytest.approx(3 * 2048 / 1280)
    assert after.fy_px / before.fy_px == pytest.approx(1.01)
    assert after.k1 == 0.4
    assert moved.depth == factory.depth


def test_a_lens_of_a_size_that_no_mode_has_is_refused():
    camera = replace(calibration().color_camera(ColorResolution.RES_720P), width_px=640, height_px=480)
    with pytest.raises(ValueError, match="640x480"):
        calibration().with_lenses(DeviceLenses(color=camera))
