"""What simulated devices see: depth against a second, plain computation; the same moment from every side."""

import numpy as np
import pytest

from genlock.devices import ColorControl, ColorControlValue
from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim import SimBackend
from genlock.devices.sim.lens import NO_RAY, ray_table
from genlock.devices.sim.placement import stage_poses
from genlock.devices.sim.scene import LAMP_BITS, ROOM_HALF_M, ROOM_HEIGHT_M, TOWER, Scene, lamp_code
from genlock.k4a import DEPTH_GEOMETRY, ColorResolution, DepthMode, DeviceConfig, ImageFormat, WiredSyncMode
from genlock.k4a.calibration import DeviceCalibration
from genlock.pixels import to_rgb
from genlock.testing.rigs import chain_rig, serials

MASTER, SUB_1, SUB_2 = serials(3)
RIG = chain_rig(3)


def config(mode=WiredSyncMode.STANDALONE, **changes):
    settings = {
        "color_resolution": ColorResolution.RES_720P,
        "depth_mode": DepthMode.NFOV_2X2BINNED,
        "wired_sync_mode": mode,
    }
    return DeviceConfig(**{**settings, **changes})


def first_capture(serial, device_config, scene=SceneName.EMPTY_ROOM, seed=0):
    with SimBackend(RIG, scenario=Scenario(scene=scene, seed=seed)) as backend, backend.clock.participate():
        device = backend.open(serial)
        device.arm(device_config)
        device.start()
        return device.next_capture(10), DeviceCalibration.from_json(device.raw_calibration())


def pixel_grid(image):
    v, u = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    return np.stack([u.ravel(), v.ravel()], axis=1)


def exact_depth_m(rays_cam, T_stage_cam, scene):
    """A plain second ray tracer for what stands still: depth along rays (N, 3) with z = 1."""
    origin, directions = T_stage_cam.translation_m, rays_cam @ T_stage_cam.rotation.T
    low, high = np.array([-ROOM_HALF_M, -ROOM_HALF_M, 0]), np.array([ROOM_HALF_M, ROOM_HALF_M, ROOM_HEIGHT_M])
    with np.errstate(divide="ignore"):
        nearest = np.max(np.stack([(low - origin) / directions, (high - origin) / directions]), axis=0).min(axis=1)
    for box in scene.boxes:
        turn = np.array([[box[6], box[7], 0], [-box[7], box[6], 0], [0, 0, 1]])
        o, d = turn @ (origin - box[:3]), directions @ turn.T
        with np.errstate(divide="ignore"):
            a, b = (-box[3:6] - o) / d, (box[3:6] - o) / d
        enters, leaves = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
        nearest = np.where((enters < leaves) & (enters > 0), np.minimum(nearest, enters), nearest)
    for ball in scene.spheres:
        o = origin - ball[:3]
        a, b, c = (directions**2).sum(axis=1), directions @ o, o @ o - ball[3] ** 2
        root = np.sqrt(np.maximum(b * b - a * c, 0))
        hit = (-b - root) / a
        nearest = np.where((b * b > a * c) & (hit > 0), np.minimum(nearest, hit), nearest)
    return nearest


def allowed_error_mm(depth_m):
    """The sensor model's worst: 4 mm bias, 3 mm wiggle, three times its noise of at most 17 mm, half a step."""
    return 4 + 3 + 3 * np.minimum(0.8 + 0.95 * depth_m**2, 17) + 0.5


@pytest.mark.parametrize("mode", [mode for mode in DEPTH_GEOMETRY if mode is not DepthMode.PASSIVE_IR])
@pytest.mark.parametrize("serial", [MASTER, SUB_1])
def test_depth_is_that_of_the_scene_within_the_sensors_errors(serial, mode):
    fps = DEPTH_GEOMETRY[mode].max_fps
    capture, calibration = first_capture(serial, DeviceConfig(depth_mode=mode, camera_fps=fps))
    depth_mm = capture.depth.pixels.ravel().astype(float)
    rays, has_ray = calibration.depth_camera(mode).unproject(pixel_grid(capture.depth.pixels))
    exact_m = exact_depth_m(rays, stage_poses(RIG)[serial], Scene.of(Scenario(scene=SceneName.EMPTY_ROOM)))
    is_seen = depth_mm > 0
    assert is_seen.mean() > 0.3
    assert has_ray[is_seen].all()
    # Tables hold 32-bit rays: 1e-7 of a few metres is nothing; a ray that grazes an edge may go either way.
    error_mm = np.abs(depth_mm - 1000 * exact_m)[is_seen]
    assert np.mean(error_mm > allowed_error_mm(exact_m[is_seen])) < 1e-4
    # Nothing outside the mode's range, but for its noise.
    geometry = DEPTH_GEOMETRY[mode]
    assert depth_mm[is_seen].min() > 1000 * geometry.range_min_m - 15
    assert depth_mm[is_seen].max() < 1000 * geometry.range_max_m + 60


def test_depth_noise_keeps_the_published_bounds():
    with SimBackend(RIG, scenario=Scenario(scene=SceneName.EMPTY_ROOM)) as backend, backend.clock.participate():
        device = backend.open(MASTER)
        device.arm(DeviceConfig(depth_mode=DepthMode.NFOV_2X2BINNED))
        device.start()
        stack = np.stack([device.next_capture(10).depth.pixels for _ in range(60)]).astype(float)
    always = (stack > 0).all(axis=0)
    sigma_mm = stack[:, always].std(axis=0)
    # 60 values give a standard deviation to 9 % (one sigma); over 50 000 pixels the largest is 5 sigma up.
    assert sigma_mm.max() < 17 * 1.5
    near, far = stack[0][always] < 2200, stack[0][always] > 4500
    assert 2.0 < np.median(sigma_mm[near]) < 8.0
    assert np.median(sigma_mm[far]) > 2 * np.median(sigma_mm[near])


def test_two_devices_see_the_same_points_of_space():
    points_stage = {}
    for serial in (MASTER, SUB_1):
        capture, calibration = first_capture(serial, DeviceConfig(depth_mode=DepthMode.NFOV_UNBINNED))
        camera = calibration.depth_camera(DepthMode.NFOV_UNBINNED)
        rays, _ = camera.unproject(pixel_grid(capture.depth.pixels))
        depth_m = capture.depth.pixels.ravel()[:, None] / 1000
        points_stage[serial] = stage_poses(RIG)[serial].apply((rays * depth_m)[depth_m[:, 0] > 0])
        if serial == SUB_1:
            sub_camera, sub_depth = camera, capture.depth.pixels
    # The master's points on the floor, projected into the subordinate's depth image.
    T_sub_stage = stage_poses(RIG)[SUB_1].inverse()
    on_floor = np.abs(points_stage[MASTER][:, 2]) < 0.03
    in_sub = T_sub_stage.apply(points_stage[MASTER][on_floor])
    px, is_valid = sub_camera.project(in_sub)
    u, v = np.rint(px[is_valid]).astype(int).T
    inside = (u >= 0) & (u < sub_depth.shape[1]) & (v >= 0) & (v < sub_depth.shape[0])
    expected_m, found_m = in_sub[is_valid][inside, 2], sub_depth[v[inside], u[inside]] / 1000
    both = found_m > 0
    assert both.sum() > 20_000
    # Some of it is hidden from the subordinate; of the rest half must agree within both sensors' worst biases, one
    # sigma of each at 3 m, 10 mm, and half a pixel's step on the floor, 9 m^2 / (1.25 m * 504 px) / 2 = 7 mm.
    difference_mm = 1000 * np.abs(found_m - expected_m)[both]
    assert np.median(difference_mm) < 2 * (7 + 10) + 7


def test_the_person_is_where_her_capsules_are():
    capture, calibration = first_capture(
        SUB_1, DeviceConfig(depth_mode=DepthMode.NFOV_UNBINNED), scene=SceneName.WALKER
    )
    empty, _ = first_capture(SUB_1, DeviceConfig(depth_mode=DepthMode.NFOV_UNBINNED))
    # Where she stands before something, or before nothing within range.
    moved = np.abs(capture.depth.pixels.astype(int) - empty.depth.pixels) > 150
    is_person = (moved & (capture.depth.pixels > 0)).ravel()
    assert is_person.sum() > 5_000
    rays, _ = calibration.depth_camera(DepthMode.NFOV_UNBINNED).unproject(pixel_grid(capture.depth.pixels))
    depth_m = capture.depth.pixels.ravel()[is_person, None] / 1000
    points = stage_poses(RIG)[SUB_1].apply(rays[is_person] * depth_m)
    # True time of the exposure: start 0.12 s, first pulse 0.05 s later, then the stamp; the oscillator is negligible.
    moment_sec = 0.12 + 0.05 + capture.depth.device_timestamp_usec / 1e6
    person = Scene.of(Scenario(scene=SceneName.WALKER)).person_at(moment_sec)
    off_m = np.min([distance_to_capsule(points, capsule) for capsule in person.capsules], axis=0)
    # 15 us of stamp error times 1.3 m/s is nothing. Errors along the ray are errors across the surface at most.
    assert (1000 * off_m < allowed_error_mm(depth_m[:, 0]) + 1).mean() > 0.999


def distance_to_capsule(points, capsule):
    start, end, radius = capsule[:3].astype(float), capsule[3:6].astype(float), float(capsule[6])
    axis = end - start
    along = np.clip((points - start) @ axis / max(axis @ axis, 1e-12), 0, 1)
    return np.abs(np.linalg.norm(points - start - along[:, None] * axis, axis=1) - radius)


def read_lamps(capture, calibration, T_stage_depth):
    """The time that the tower shows, as its lamps' bits; by their places, through the color lens."""
    rgb = to_rgb(capture.color).astype(int)
    camera = calibration.color_camera(ColorResolution.RES_720P)
    T_color_stage = calibration.T_color_depth @ T_stage_depth.inverse()
    eye = T_stage_depth.translation_m
    # The side of the tower that faces the camera most.
    sides = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    normal = sides[np.argmax(sides @ eye)]
    across = np.array([-normal[1], normal[0], 0])
    code = 0
    for lamp in range(LAMP_BITS):
        row, column = divmod(lamp, 3)
        height_m = 2.20 - (row + 0.5) * 0.085
        center = normal * TOWER.half_m[0] + across * (column - 1) * 0.085 + [0, 0, height_m]
        px, _ = camera.project(T_color_stage.apply([center]))
        u, v = np.rint(px[0]).astype(int)
        code |= int(rgb[v, u, 1] > 170) << lamp
    return code


def running(scene, starts):
    """Captures with equal stamps, and what their lamps show; ``starts`` is serial -> seconds waited before."""
    with SimBackend(RIG, scenario=Scenario(scene=scene)) as backend, backend.clock.participate():
        devices = {}
        for serial, wait_sec in starts.items():
            backend.clock.sleep(wait_sec)
            devices[serial] = backend.open(serial)
            manual = ColorControlValue(is_manual=True, value=8_330)
            devices[serial].set_color_control(ColorControl.EXPOSURE_TIME_ABSOLUTE, manual)
            mode = WiredSyncMode.MASTER if serial == MASTER else WiredSyncMode.SUBORDINATE
            devices[serial].arm(config(mode, depth_mode=DepthMode.OFF))
            devices[serial].start()
        taken = {serial: [device.next_capture(10) for _ in range(8)] for serial, device in devices.items()}
        calibrations = {s: DeviceCalibration.from_json(d.raw_calibration()) for s, d in devices.items()}
    reference_usec = taken[MASTER][0].color.device_timestamp_usec
    captures = {
        serial: min(each, key=lambda capture: abs(capture.color.device_timestamp_usec - reference_usec))
        for serial, each in taken.items()
    }
    poses = stage_poses(RIG)
    return captures, {s: read_lamps(captures[s], calibrations[s], poses[s]) for s in devices}


def test_the_lamps_in_every_image_show_its_moment():
    captures, codes = running(SceneName.EMPTY_ROOM, {SUB_2: 0, SUB_1: 0, MASTER: 0})
    start_sec = 3 * 0.12 + 0.05
    for serial, code in codes.items():
        moment_sec = start_sec + captures[serial].color.device_timestamp_usec / 1e6
        # A stamp may be one tick late, and a pulse a microsecond: the millisecond may just have turned.
        assert code in {lamp_code(moment_sec - 20e-6), lamp_code(moment_sec), lamp_code(moment_sec + 20e-6)}


def test_a_late_subordinate_has_the_same_stamp_and_shows_another_moment():
    captures, codes = running(SceneName.EMPTY_ROOM, {SUB_2: 0, MASTER: 0, SUB_1: 0.5})
    in_time, master, late = (captures[s].color.device_timestamp_usec for s in (SUB_2, MASTER, SUB_1))
    assert abs(in_time - master) <= 12 and abs(late - master) <= 12
    shown = {serial: milliseconds(code) for serial, code in codes.items()}
    assert abs(shown[SUB_2] - shown[MASTER]) <= 1
    # The next pulse after 0.62 s: at most one period later.
    assert 570 <= shown[SUB_1] - shown[MASTER] <= 660


def milliseconds(gray):
    value = 0
    while gray:
        value ^= gray
        gray >>= 1
    return value


def test_the_same_scenario_gives_the_same_bytes():
    one, other = (first_capture(SUB_1, config(), scene=SceneName.WALKER)[0] for _ in range(2))
    for left, right in zip(one.images, other.images, strict=True):
        assert np.array_equal(left.pixels, right.pixels)
    elsewhere, _ = first_capture(SUB_1, config(), scene=SceneName.WALKER, seed=1)
    assert not np.array_equal(one.depth.pixels, elsewhere.depth.pixels)


def test_threads_and_their_order_do_not_change_a_byte():
    def take(order):
        taken = {}
        with SimBackend(RIG, scenario=Scenario(seed=4)) as backend, backend.clock.participate():
            devices = {serial: backend.open(serial) for serial in (SUB_2, SUB_1, MASTER)}
            for serial, device in devices.items():
                device.arm(config(WiredSyncMode.MASTER if serial == MASTER else WiredSyncMode.SUBORDINATE))
                device.start()

            def pump(serial):
                captures = [devices[serial].next_capture(10) for _ in range(4)]
                taken[serial] = [image.pixels.tobytes() for capture in captures for image in capture.images]

            threads = [backend.clock.start_thread(lambda s=serial: pump(s), serial) for serial in order]
            assert all(thread.join(60) for thread in threads)
        return taken

    assert take((MASTER, SUB_1, SUB_2)) == take((SUB_2, SUB_1, MASTER))


def test_the_corners_outside_the_lasers_field_are_dark_and_without_depth():
    capture, _ = first_capture(MASTER, DeviceConfig(depth_mode=DepthMode.NFOV_UNBINNED))
    assert (capture.depth.pixels[:40, :40] == 0).all()
    assert capture.ir.pixels[:40, :40].mean() < 0.2 * capture.ir.pixels[250:300, 300:340].mean()


def test_the_wide_modes_see_a_circle():
    capture, calibration = first_capture(MASTER, DeviceConfig(depth_mode=DepthMode.WFOV_2X2BINNED))
    rays, has_ray = calibration.depth_camera(DepthMode.WFOV_2X2BINNED).unproject(pixel_grid(capture.depth.pixels))
    outside = ~has_ray | (np.hypot(rays[:, 0], rays[:, 1]) > np.tan(np.deg2rad(60)))
    assert outside.mean() > 0.1
    assert (capture.depth.pixels.ravel()[outside] == 0).all()


def test_the_laser_falls_off_with_the_square_of_the_distance():
    capture, calibration = first_capture(MASTER, DeviceConfig(depth_mode=DepthMode.NFOV_UNBINNED))
    rays, _ = calibration.depth_camera(DepthMode.NFOV_UNBINNED).unproject(pixel_grid(capture.ir.pixels))
    exact_m = exact_depth_m(rays, stage_poses(RIG)[MASTER], Scene.of(Scenario(scene=SceneName.EMPTY_ROOM)))
    counts = capture.ir.pixels.ravel()
    # The tower's front at 2.06 m is one material, seen head-on.
    tower = (np.abs(exact_m - 2.06) < 0.05) & (np.abs(rays[:, 0]) < 0.04)
    wall = (exact_m > 5.5) & (np.abs(rays[:, 0]) < 0.4)
    assert np.median(counts[tower]) > 4 * np.median(counts[wall])


def test_passive_infrared_shows_the_room_without_the_laser():
    capture, _ = first_capture(MASTER, DeviceConfig(depth_mode=DepthMode.PASSIVE_IR))
    assert capture.depth is None
    assert capture.ir.pixels.mean() > 50


def test_a_longer_exposure_and_more_gain_make_brighter_images():
    means = []
    for exposure_usec, gain in ((2_500, 0), (8_330, 0), (8_330, 128), (16_670, 128)):
        with SimBackend(RIG, scenario=Scenario(scene=SceneName.EMPTY_ROOM)) as backend:
            device = backend.open(MASTER)
            for control, value in ((ColorControl.EXPOSURE_TIME_ABSOLUTE, exposure_usec), (ColorControl.GAIN, gain)):
                device.set_color_control(control, ColorControlValue(is_manual=True, value=value))
            device.arm(config(depth_mode=DepthMode.OFF))
            device.start()
            means.append(to_rgb(device.next_capture(10).color).mean())
    assert means == sorted(means) and means[0] < 0.7 * means[-1]


@pytest.mark.parametrize("image_format", [ImageFormat.NV12, ImageFormat.YUY2, ImageFormat.BGRA32])
def test_every_color_format_shows_the_same_picture(image_format):
    pictures = [
        to_rgb(first_capture(MASTER, config(depth_mode=DepthMode.OFF, color_format=f))[0].color).astype(int)
        for f in (ImageFormat.MJPG, image_format)
    ]
    # JPEG and subsampled color differ at edges; over a picture they agree.
    assert np.abs(pictures[0] - pictures[1]).mean() < 6


def test_ray_tables_are_the_lens_model():
    _, calibration = first_capture(SUB_2, config(depth_mode=DepthMode.WFOV_2X2BINNED))
    for camera in (
        calibration.depth_camera(DepthMode.WFOV_2X2BINNED),
        calibration.color_camera(ColorResolution.RES_720P),
    ):
        table = ray_table(camera)
        rays, is_valid = camera.unproject(pixel_grid(table[0]))
        in_table = (table[0] < NO_RAY).ravel()
        # Where the lens folds back at its radius the two searches may end differently.
        assert np.mean(in_table != is_valid) < 0.002
        both = in_table & is_valid
        assert np.abs(table.reshape(2, -1).T[both] - rays[both, :2]).max() < 1e-6
