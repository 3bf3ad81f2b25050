"""A simulated device's life: what it refuses, what it remembers, how it ends. Lenses are capped."""

import json
import threading

import numpy as np
import pytest

from genlock.devices import ColorControl, ColorControlValue
from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim import SimBackend
from genlock.errors import (
    CaptureTimeoutError,
    DeviceError,
    DeviceLostError,
    DeviceOpenError,
    DeviceStartError,
    OpenFailure,
)
from genlock.k4a import (
    COLOR_GEOMETRY,
    DEPTH_GEOMETRY,
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    ImageFormat,
    SyncJacks,
    WiredSyncMode,
)
from genlock.rig import expected_jacks, parse_rig
from genlock.testing.rigs import chain_rig, rig_toml, serials

MASTER, SUB_1, SUB_2 = serials(3)
DARK = Scenario(scene=SceneName.DARK)
PLAIN = DeviceConfig(color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_2X2BINNED)
EXPOSURE, POWERLINE = ColorControl.EXPOSURE_TIME_ABSOLUTE, ColorControl.POWERLINE_FREQUENCY


def role(mode, **changes):
    settings = {"color_resolution": ColorResolution.RES_720P, "depth_mode": DepthMode.NFOV_2X2BINNED}
    return DeviceConfig(**{**settings, "wired_sync_mode": mode, **changes})


@pytest.fixture
def backend():
    with SimBackend(chain_rig(3), scenario=DARK) as backend, backend.clock.participate():
        yield backend


def manual(value):
    return ColorControlValue(is_manual=True, value=value)


def test_the_backend_says_that_it_is_simulated(backend):
    assert backend.name == "sim"
    assert backend.provenance["GENLOCK_BACKEND"] == "sim"
    assert backend.provenance["GENLOCK_SIM_SCENE"] == "dark"
    # Tag names of the file format: capitals, digits, minus and underscore.
    assert all(set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") for name in backend.provenance)


def test_opened_devices_are_no_longer_listed(backend):
    device = backend.open(SUB_1)
    assert [info.serial for info in backend.devices()] == [MASTER, SUB_2]
    device.close()
    assert [info.serial for info in backend.devices()] == [MASTER, SUB_1, SUB_2]


def test_an_open_device_cannot_be_opened_again(backend):
    backend.open(MASTER)
    with pytest.raises(DeviceOpenError, match="open already") as caught:
        backend.open(MASTER)
    assert caught.value.failure is OpenFailure.ALREADY_OPEN


def test_an_unknown_serial_is_answered_with_those_that_exist(backend):
    with pytest.raises(DeviceOpenError, match=MASTER) as caught:
        backend.open("999999999999")
    assert caught.value.failure is OpenFailure.NOT_FOUND


def test_a_closed_handle_refuses_everything(backend):
    device = backend.open(MASTER)
    device.close()
    for use in (device.sync_jacks, device.raw_calibration, device.start, lambda: device.arm(PLAIN)):
        with pytest.raises(DeviceError, match="closed"):
            use()
    device.stop()
    device.close()


def test_closing_the_backend_closes_every_device_and_ends_its_threads():
    backend = SimBackend(chain_rig(2), scenario=DARK)
    device = backend.open(MASTER)
    device.arm(role(WiredSyncMode.STANDALONE))
    device.start()
    device.next_capture(10)
    backend.close()
    backend.close()
    with pytest.raises(DeviceError):
        device.sync_jacks()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("genlock-sim")]


def test_jacks_follow_the_wiring(backend):
    expected = expected_jacks(chain_rig(3))
    assert expected[SUB_1] == SyncJacks(sync_in_connected=True, sync_out_connected=True)
    for serial in serials(3):
        assert backend.open(serial).sync_jacks() == expected[serial]


@pytest.mark.parametrize(
    ("serial", "config", "jacks", "code"),
    [
        (SUB_1, role(WiredSyncMode.SUBORDINATE), SyncJacks(False, True), "sync_in_missing"),
        (MASTER, role(WiredSyncMode.MASTER), SyncJacks(True, False), "sync_out_missing"),
        (MASTER, role(WiredSyncMode.MASTER, color_resolution=ColorResolution.OFF), None, "master_without_color"),
        (
            SUB_1,
            role(WiredSyncMode.SUBORDINATE, subordinate_delay_off_master_usec=33_334),
            None,
            "subordinate_delay_out_of_range",
        ),
        (MASTER, DeviceConfig(), None, "no_camera"),
        (
            MASTER,
            role(WiredSyncMode.STANDALONE, depth_mode=DepthMode.WFOV_UNBINNED, camera_fps=CameraFps.FPS_30),
            None,
            "fps_too_high_for_depth_mode",
        ),
    ],
)
def test_what_the_sdk_refuses_to_start_is_refused_with_its_reason(serial, config, jacks, code):
    scenario = Scenario(scene=SceneName.DARK, jacks={} if jacks is None else {serial: jacks})
    with SimBackend(chain_rig(3), scenario=scenario) as backend:
        device = backend.open(serial)
        device.arm(config)
        with pytest.raises(DeviceStartError) as caught:
            device.start()
    assert caught.value.code == code
    assert caught.value.serial == serial


def test_a_cable_that_is_not_plugged_in_carries_no_pulse():
    # The second subordinate hangs on the first, whose Sync Out plug is out.
    jacks = {SUB_1: SyncJacks(sync_in_connected=True, sync_out_connected=False)}
    scenario = Scenario(scene=SceneName.DARK, jacks=jacks)
    with SimBackend(chain_rig(3), scenario=scenario) as backend, backend.clock.participate():
        devices = {serial: backend.open(serial) for serial in (SUB_2, SUB_1, MASTER)}
        for serial, device in devices.items():
            device.arm(role(WiredSyncMode.MASTER if serial == MASTER else WiredSyncMode.SUBORDINATE))
            device.start()
        assert devices[SUB_1].next_capture(5).images
        with pytest.raises(CaptureTimeoutError, match="no sync pulse"):
            devices[SUB_2].next_capture(5)


def test_a_star_feeds_every_subordinate():
    rig = parse_rig(rig_toml(3, wiring=['topology = "star"', f'master = "{MASTER}"']))
    with SimBackend(rig, scenario=DARK) as backend, backend.clock.participate():
        devices = {serial: backend.open(serial) for serial in (SUB_2, SUB_1, MASTER)}
        for serial, device in devices.items():
            device.arm(role(WiredSyncMode.MASTER if serial == MASTER else WiredSyncMode.SUBORDINATE))
            device.start()
        assert all(device.next_capture(5).images for device in devices.values())


def test_a_device_is_armed_before_it_starts_and_starts_once(backend):
    device = backend.open(MASTER)
    with pytest.raises(DeviceStartError, match=r"arm\(\)"):
        device.start()
    with pytest.raises(DeviceLostError, match="never started"):
        device.next_capture(1)
    device.arm(PLAIN)
    device.start()
    with pytest.raises(DeviceStartError, match=r"stop\(\)"):
        device.start()
    with pytest.raises(DeviceError, match=r"stop\(\)"):
        device.arm(PLAIN)
    device.stop()
    device.stop()
    device.arm(PLAIN)


def test_stopping_ends_a_capture_that_another_thread_waits_for(backend):
    device = backend.open(SUB_1)
    device.arm(role(WiredSyncMode.SUBORDINATE))
    device.start()
    caught = []

    def wait():
        try:
            device.next_capture(3600)
        except DeviceLostError as error:
            caught.append(error)

    waiting = backend.clock.start_thread(wait, "waiting")
    backend.clock.sleep(1)
    device.stop()
    assert waiting.join(60)
    assert "stopped" in str(caught[0])
    assert backend.clock.now_nsec() < 60e9, "it must not have waited for its hour"


def test_a_timeout_ends_when_it_was_asked_to(backend):
    device = backend.open(SUB_1)
    device.arm(role(WiredSyncMode.SUBORDINATE))
    device.start()
    before_nsec = backend.clock.now_nsec()
    with pytest.raises(CaptureTimeoutError, match=r"no capture within 2\.5 s"):
        device.next_capture(2.5)
    assert backend.clock.now_nsec() - before_nsec == 2_500_000_000


def test_starting_takes_time(backend):
    device = backend.open(MASTER)
    device.arm(PLAIN)
    before_nsec = backend.clock.now_nsec()
    device.start()
    assert backend.clock.now_nsec() - before_nsec == round(DARK.timing.start_sec * 1e9)


def test_exposure_is_rounded_for_60_hz_until_this_handle_is_told_otherwise(backend):
    device = backend.open(MASTER)
    device.set_color_control(POWERLINE, manual(1))
    device.set_color_control(EXPOSURE, manual(8_000))
    assert device.color_control(EXPOSURE).value == 10_000
    device.close()
    again = backend.open(MASTER)
    assert again.color_control(POWERLINE).value == 1, "the device remembers 50 Hz"
    again.set_color_control(EXPOSURE, manual(8_000))
    assert again.color_control(EXPOSURE).value == 8_330, "the new handle does not know of it"


def test_controls_outlast_a_handle_and_belong_to_one_device(backend):
    device = backend.open(MASTER)
    device.set_color_control(ColorControl.GAIN, manual(77))
    device.set_color_control(EXPOSURE, ColorControlValue(is_manual=False, value=0))
    device.close()
    assert backend.open(MASTER).color_control(ColorControl.GAIN) == manual(77)
    assert backend.open(SUB_1).color_control(ColorControl.GAIN) == manual(0)


@pytest.mark.parametrize(
    ("control", "setting"),
    [
        (ColorControl.GAIN, manual(256)),
        (ColorControl.WHITEBALANCE, manual(4_505)),
        (ColorControl.POWERLINE_FREQUENCY, manual(0)),
        (ColorControl.EXPOSURE_TIME_ABSOLUTE, manual(0)),
        (ColorControl.BRIGHTNESS, ColorControlValue(is_manual=False, value=0)),
    ],
)
def test_settings_that_the_device_does_not_have_are_refused(backend, control, setting):
    device = backend.open(MASTER)
    before = device.color_control(control)
    with pytest.raises(DeviceError, match=str(control)):
        device.set_color_control(control, setting)
    assert device.color_control(control) == before


def test_exposures_longer_than_a_frame_are_cut_by_the_frame_rate(backend):
    device = backend.open(MASTER)
    device.set_color_control(EXPOSURE, manual(100_000))
    device.arm(PLAIN)
    device.start()
    assert device.next_capture(10).color.exposure_usec == 33_333


def test_a_new_exposure_holds_from_the_next_frame_on(backend):
    device = backend.open(MASTER)
    device.set_color_control(EXPOSURE, manual(8_330))
    device.arm(PLAIN)
    device.start()
    exposures_usec = [device.next_capture(10).color.exposure_usec for _ in range(5)]
    device.set_color_control(EXPOSURE, manual(16_670))
    exposures_usec += [device.next_capture(10).color.exposure_usec for _ in range(10)]
    assert set(exposures_usec) == {8_330, 16_670}
    assert exposures_usec == sorted(exposures_usec), "no frame goes back"


@pytest.mark.parametrize("mode", [mode for mode in DepthMode if mode is not DepthMode.OFF])
def test_depth_and_ir_have_their_modes_size(backend, mode):
    geometry = DEPTH_GEOMETRY[mode]
    device = backend.open(MASTER)
    device.arm(DeviceConfig(depth_mode=mode, camera_fps=CameraFps.FPS_15))
    device.start()
    capture = device.next_capture(10)
    assert (capture.depth is not None) == geometry.has_depth
    for image in filter(None, (capture.depth, capture.ir)):
        assert image.pixels.shape == (geometry.height_px, geometry.width_px) == (image.height_px, image.width_px)
        assert image.pixels.dtype == np.uint16


@pytest.mark.parametrize("resolution", [r for r in ColorResolution if r is not ColorResolution.OFF])
@pytest.mark.parametrize("image_format", [ImageFormat.MJPG, ImageFormat.BGRA32])
def test_color_has_its_resolutions_size(backend, resolution, image_format):
    device = backend.open(MASTER)
    device.arm(DeviceConfig(color_resolution=resolution, color_format=image_format, camera_fps=CameraFps.FPS_15))
    device.start()
    color = device.next_capture(10).color
    geometry = COLOR_GEOMETRY[resolution]
    assert (color.width_px, color.height_px) == (geometry.width_px, geometry.height_px)
    assert color.image_format is image_format


def test_every_device_has_a_calibration_of_its_own_that_says_it_is_simulated(backend):
    raw = {serial: backend.open(serial).raw_calibration() for serial in serials(3)}
    assert len(set(raw.values())) == 3
    for serial, text in raw.items():
        metadata = json.loads(text)["CalibrationInformation"]["Metadata"]
        assert metadata["SerialId"] == serial
        assert "simulated" in metadata["Notes"]


def test_inertial_samples_come_1666_times_a_second_on_the_images_clock(backend):
    device = backend.open(MASTER)
    device.arm(PLAIN)
    device.start()
    samples, last_usec = [], 0
    while last_usec < 1_000_000:
        last_usec = device.next_capture(10).color.device_timestamp_usec
        samples += device.take_imu()
    times_usec = [sample.acc_timestamp_usec for sample in samples]
    assert times_usec[0] == 600, "none at zero, which programs take for a sample that was not filled in"
    steps_usec = np.diff(times_usec)
    assert set(steps_usec) <= {600, 601, 588, 589, 611, 612}, "600.2 us in whole ticks"
    assert abs(np.mean(steps_usec) - 1e6 / 1666) < 0.1
    assert last_usec < times_usec[-1] < last_usec + 200_000, "up to now, which is later than the image"
    assert device.take_imu() == []


def test_inertial_samples_show_gravity_as_the_device_leans(backend):
    device = backend.open(MASTER)
    device.arm(PLAIN)
    device.start()
    device.next_capture(10)
    acc = np.array([sample.acc_m_per_s2 for sample in device.take_imu()])
    # 0.02 of bias and 0.0107 of noise over 300 samples, on every axis.
    assert abs(np.linalg.norm(acc.mean(axis=0)) - 9.81) < 0.06
    # Upright and 9 degrees down; the sensor's z points backwards out of the image's top, as in real devices.
    assert acc[:, 2].mean() < -9.0


def test_without_the_inertial_sensors_there_are_no_samples(backend):
    device = backend.open(MASTER)
    device.arm(PLAIN, imu=False)
    device.start()
    device.next_capture(10)
    assert device.take_imu() == ()
