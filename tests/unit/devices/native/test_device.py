import ctypes
import logging
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genlock.devices import ColorControl, ColorControlValue
from genlock.devices.native import NativeBackend
from genlock.devices.native.abi import k4a_device_configuration_t
from genlock.devices.native.device import NativeDevice
from genlock.devices.native.library import load_library
from genlock.errors import CaptureTimeoutError, DeviceError, DeviceLostError, DeviceStartError
from genlock.k4a import CameraFps, ColorResolution, DepthMode, DeviceConfig, SyncJacks, WiredSyncMode
from genlock.plan import make_plan
from genlock.rig import Rig
from genlock.session import check_jacks
from genlock.testing.rigs import chain_rig

FIRST, SECOND = "000000000001", "000000000002"
CONFIG = DeviceConfig(color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_UNBINNED)
SUBORDINATE = DeviceConfig(
    color_resolution=ColorResolution.RES_720P,
    depth_mode=DepthMode.NFOV_UNBINNED,
    wired_sync_mode=WiredSyncMode.SUBORDINATE,
    subordinate_delay_off_master_usec=160,
)
EXPOSURE, POWERLINE = ColorControl.EXPOSURE_TIME_ABSOLUTE, ColorControl.POWERLINE_FREQUENCY


def manual(value: int) -> ColorControlValue:
    return ColorControlValue(is_manual=True, value=value)


@pytest.fixture
def device(backend: NativeBackend) -> NativeDevice:
    return backend.open(FIRST)


@pytest.fixture
def running(device: NativeDevice) -> NativeDevice:
    device.arm(CONFIG)
    device.start()
    return device


def test_the_device_says_who_it_is_and_what_it_has(device: NativeDevice):
    assert (device.info.serial, device.info.backend) == (FIRST, "native")
    assert (device.info.color_firmware, device.info.depth_firmware) == ("1.6.110", "1.6.80")
    assert device.info.findings == ()
    assert device.sync_jacks() == SyncJacks(sync_in_connected=False, sync_out_connected=True)
    assert device.raw_calibration() == b'{"CalibrationInformation": {}}'


def test_the_configuration_reaches_the_library(backend: NativeBackend, fake: Any):
    device = backend.open(SECOND)
    device.arm(SUBORDINATE)
    device.start()
    seen = k4a_device_configuration_t()
    fake.fake_config(1, ctypes.byref(seen))
    assert (seen.wired_sync_mode, seen.subordinate_delay_off_master_usec, seen.depth_mode) == (2, 160, 2)


# ---- starting and stopping ---------------------------------------------------------------------------------------


def test_when_the_sdk_refuses_the_rule_is_told_that_it_keeps_to_itself(device: NativeDevice, fake: Any):
    device.arm(SUBORDINATE)  # the first device has no plug in Sync In
    fake.fake_refuse_start(True, False)
    with pytest.raises(DeviceStartError, match="Sync In") as caught:
        device.start()
    assert caught.value.code == "sync_in_missing"
    assert fake.fake_streaming() == 0


def test_what_the_sdk_accepts_runs_whatever_the_rules_say(device: NativeDevice, fake: Any):
    """Or nobody would ever learn that a rule is not the device's."""
    device.arm(SUBORDINATE)
    device.start()
    assert fake.fake_streaming() == 1


def test_what_no_rule_explains_is_told_in_the_sdks_words(device: NativeDevice, fake: Any):
    device.arm(CONFIG)
    fake.fake_refuse_start(True, False)
    with pytest.raises(DeviceStartError, match="the true cause") as caught:
        device.start()
    assert caught.value.code == "sdk_refused"
    fake.fake_refuse_start(False, False)
    device.start()


def test_without_its_imu_a_device_does_not_run_half(device: NativeDevice, fake: Any):
    device.arm(CONFIG, imu=True)
    fake.fake_refuse_start(False, True)
    with pytest.raises(DeviceStartError, match=r"its IMU, after its cameras had started, .*imu: no answer"):
        device.start()
    assert fake.fake_streaming() == 0
    device.arm(CONFIG, imu=False)
    device.start()


def test_a_running_device_is_not_armed_and_not_started_again(running: NativeDevice):
    with pytest.raises(DeviceError, match="while it runs"):
        running.arm(CONFIG)
    with pytest.raises(DeviceStartError) as caught:
        running.start()
    assert caught.value.code == "already_running"


def test_closing_while_streaming_stops_and_closing_twice_does_nothing(running: NativeDevice, fake: Any):
    running.close()
    running.close()
    running.stop()
    assert (fake.fake_streaming(), fake.fake_open()) == (0, 0)
    for use in (running.sync_jacks, running.raw_calibration, running.start, lambda: running.arm(CONFIG)):
        with pytest.raises(DeviceError, match="closed"):
            use()
    with pytest.raises(DeviceError):
        running.next_capture(0)


@pytest.mark.parametrize("end", ["stop", "close"])
def test_a_wait_in_another_thread_ends_when_the_device_is_ended(running: NativeDevice, end: str):
    ended: list[DeviceError] = []

    def wait() -> None:
        try:
            running.next_capture(1000)
        except DeviceError as error:
            ended.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.1)
    getattr(running, end)()
    waiter.join(5)
    assert not waiter.is_alive()
    assert "stopped" in ended[0].reason


def test_devices_may_be_ended_from_many_threads_at_once(backend: NativeBackend, fake: Any):
    """Under streams that are being read: nothing is closed under a call, see the fixture's end."""
    devices = [backend.open(f"{number:012d}") for number in (1, 2, 3)]
    threads = []
    for index, device in enumerate(devices):
        device.arm(CONFIG)
        device.start()
        fake.fake_deliver(index, 10_000)

        def read(device: NativeDevice = device) -> None:
            try:
                while True:
                    device.next_capture(1)
                    device.take_imu()
            except DeviceError:
                pass

        threads.append(threading.Thread(target=read))
        threads += [threading.Thread(target=device.close) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("call", ["sync_jacks", "start"])
def test_a_device_that_hangs_in_a_call_is_told_and_not_closed_under_it(
    backend: NativeBackend,
    device: NativeDevice,
    fake: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    call: str,
):
    """Closing would free what the call still uses. The others are closed all the same."""
    monkeypatch.setattr("genlock.devices.native.device.CLOSE_SEC", 0.1)
    monkeypatch.setattr("genlock.devices.native.handle.CLOSE_SEC", 0.1)
    backend.open(SECOND)
    device.arm(CONFIG)
    fake.fake_hang(True)
    stuck = threading.Thread(target=getattr(device, call))
    stuck.start()
    fake.fake_wait_for_hang()
    try:
        with pytest.raises(DeviceError, match="hangs, and is not closed"):
            device.close()
        backend.close()
        assert f"device {FIRST}" in caplog.text
        assert fake.fake_open() == 1
    finally:
        fake.fake_hang(False)
        stuck.join(10)
    device.close()


# ---- captures ----------------------------------------------------------------------------------------------------


def test_captures_count_from_each_start(running: NativeDevice, fake: Any):
    fake.fake_deliver(0, 3)
    assert [running.next_capture(1).index for _ in range(3)] == [0, 1, 2]
    running.stop()
    running.start()
    fake.fake_deliver(0, 1)
    assert running.next_capture(1).index == 0


def test_a_timeout_of_zero_looks_and_returns(running: NativeDevice, fake: Any):
    with pytest.raises(CaptureTimeoutError):
        running.next_capture(0)
    fake.fake_deliver(0, 1)
    assert running.next_capture(0).index == 0


def test_a_wait_is_as_long_as_it_was_asked_to_be(running: NativeDevice):
    """Longer than one call into the SDK; a busy machine may take longer, no machine less."""
    began_sec = time.monotonic()
    with pytest.raises(CaptureTimeoutError, match=r"within 0\.6 s"):
        running.next_capture(0.6)
    assert 0.6 <= time.monotonic() - began_sec < 5


def test_a_subordinate_that_gets_no_pulse_says_so(backend: NativeBackend):
    device = backend.open(SECOND)
    device.arm(SUBORDINATE)
    device.start()
    with pytest.raises(CaptureTimeoutError, match="no sync pulse"):
        device.next_capture(0.01)


def test_an_unplugged_device_is_lost_with_the_sdks_reason(running: NativeDevice, fake: Any):
    unplug = threading.Timer(0.1, fake.fake_unplug, (0,))
    unplug.start()
    with pytest.raises(DeviceLostError, match="LIBUSB_TRANSFER_NO_DEVICE"):
        running.next_capture(30)
    with pytest.raises(DeviceLostError, match="sync jacks cannot be read"):
        running.sync_jacks()
    with pytest.raises(DeviceLostError):
        running.color_control(EXPOSURE)
    running.stop()
    unplug.join()


# ---- inertial samples --------------------------------------------------------------------------------------------


def test_inertial_samples_of_the_clock_before_the_pulse_are_not_given_out(running: NativeDevice, fake: Any):
    for usec in (900_000, 900_600, 100, 700):
        fake.fake_imu(0, usec)
    assert list(running.take_imu()) == []
    fake.fake_deliver(0, 1)
    running.next_capture(1)
    fake.fake_imu(0, 1300)
    samples = running.take_imu()
    assert [sample.acc_timestamp_usec for sample in samples] == [100, 700, 1300]
    assert samples[0].gyro_timestamp_usec == 101
    assert samples[0].acc_m_per_s2[2] == pytest.approx(9.81)
    assert samples[0].gyro_rad_per_s == pytest.approx((0.1, 0.2, 0.3))
    assert samples[0].temperature_c == 36.5
    assert list(running.take_imu()) == []


def test_a_device_armed_without_imu_has_no_samples(device: NativeDevice, fake: Any):
    device.arm(CONFIG, imu=False)
    device.start()
    fake.fake_imu(0, 100)
    fake.fake_deliver(0, 1)
    device.next_capture(1)
    assert list(device.take_imu()) == []


# ---- color controls ----------------------------------------------------------------------------------------------


def test_an_exposure_is_rounded_in_the_table_that_the_device_has_and_not_in_the_one_the_handle_assumes(
    device: NativeDevice, fake: Any
):
    """The fake device has 50 Hz, a fresh handle assumes 60: 8000 us must become 10000 us all the same."""
    device.set_color_control(EXPOSURE, manual(8000))
    assert fake.fake_exposure(0) == 10_000
    device.set_color_control(EXPOSURE, manual(8000))
    assert fake.fake_powerline_sets(0) == 1  # told once


def test_a_powerline_that_was_set_is_not_set_again(device: NativeDevice, fake: Any):
    device.set_color_control(POWERLINE, manual(2))
    device.set_color_control(EXPOSURE, manual(8000))
    assert device.color_control(EXPOSURE) == manual(8330)
    assert fake.fake_powerline_sets(0) == 1


@pytest.mark.parametrize(
    ("control", "setting", "message"),
    [
        (ColorControl.GAIN, ColorControlValue(is_manual=False, value=0), "GAIN has no automatic mode"),
        (ColorControl.GAIN, manual(256), "GAIN takes 0 to 255; 256"),
        (ColorControl.WHITEBALANCE, manual(4505), "takes 2500 to 12500 in steps of 10; 4505"),
        (ColorControl.GAIN, manual(13), "could not be set to manual 13: v4l2: the camera did not answer"),
    ],
)
def test_a_refused_control_says_why(
    device: NativeDevice, control: ColorControl, setting: ColorControlValue, message: str
):
    with pytest.raises(DeviceError, match=message):
        device.set_color_control(control, setting)


# ---- Orbbec ------------------------------------------------------------------------------------------------------


@pytest.fixture
def orbbec(orbbec_path: Path) -> Iterator[NativeDevice]:
    load_library(orbbec_path).c.fake_reset()
    with NativeBackend(Rig(), library=orbbec_path) as backend:
        yield backend.open(SECOND)


def test_an_orbbec_device_says_what_it_is_in_its_findings(orbbec: NativeDevice):
    codes = {finding.code for finding in orbbec.info.findings}
    assert codes == {"devices.orbbec", "devices.orbbec_clock", "devices.orbbec_delays"}
    assert (orbbec.info.color_firmware, orbbec.info.depth_firmware) == ("0.0.0", "1.1.2")


def test_an_orbbec_device_is_not_believed_when_it_says_that_no_plug_is_there(orbbec: NativeDevice):
    """Its jacks always read empty: neither the start nor the wiring check goes by them."""
    assert orbbec.sync_jacks() is None
    orbbec.arm(SUBORDINATE)
    orbbec.start()
    (finding,) = check_jacks(make_plan(chain_rig(2)).device(SECOND), None)
    assert finding.code == "session.jacks_unknown"


def test_an_orbbec_device_takes_no_longer_delay_than_its_wrapper(orbbec: NativeDevice):
    """At 5 fps an Azure Kinect takes 200 000 us."""
    for delay_usec, is_refused in ((33_333, False), (33_334, True)):
        orbbec.stop()
        orbbec.arm(
            DeviceConfig(
                color_resolution=ColorResolution.RES_720P,
                camera_fps=CameraFps.FPS_5,
                wired_sync_mode=WiredSyncMode.SUBORDINATE,
                subordinate_delay_off_master_usec=delay_usec,
            )
        )
        if not is_refused:
            orbbec.start()
            continue
        with pytest.raises(DeviceStartError, match="33333 us") as caught:
            orbbec.start()
        assert caught.value.code == "orbbec_delay_out_of_range"


def test_an_orbbec_device_reads_back_as_it_was_set(orbbec: NativeDevice):
    """Its wrapper leaves the mode of a control without automatic alone, and cuts exposures to steps of 100 us."""
    for control, value in ((POWERLINE, 2), (EXPOSURE, 8330), (ColorControl.GAIN, 128)):
        orbbec.set_color_control(control, manual(value))
        assert orbbec.color_control(control) == manual(value)
    orbbec.set_color_control(EXPOSURE, manual(7900))  # no value of the table
    assert orbbec.color_control(EXPOSURE) == manual(7900)


def test_an_orbbec_device_says_nothing_for_each_image(
    orbbec: NativeDevice, orbbec_path: Path, caplog: pytest.LogCaptureFixture
):
    """What its wrapper does not know stays unknown, without a warning for each image and each wait."""
    orbbec.arm(SUBORDINATE)
    orbbec.start()
    load_library(orbbec_path).c.fake_deliver(1, 1)
    load_library(orbbec_path).c.fake_color_format(1)
    with caplog.at_level(logging.INFO, "genlock.k4a"):
        capture = orbbec.next_capture(1)
        with pytest.raises(CaptureTimeoutError):
            orbbec.next_capture(0.3)
    assert caplog.records == []
    assert capture.color is not None
    assert (capture.color.exposure_usec, capture.color.white_balance_k, capture.color.iso_speed) == (0, 0, 0)
    assert capture.color.pixels.shape == (3, 4)  # NV12, whose stride it gives as 0
    assert math.isnan(capture.temperature_c)


def test_arrivals_at_an_orbbec_device_are_on_the_hosts_clock(orbbec: NativeDevice, orbbec_path: Path):
    orbbec.arm(SUBORDINATE)
    orbbec.start()
    load_library(orbbec_path).c.fake_deliver(1, 1)
    before_nsec = time.monotonic_ns()
    arrival_nsec = orbbec.next_capture(1).stamp.arrival_nsec
    assert arrival_nsec is not None
    assert before_nsec <= arrival_nsec <= time.monotonic_ns()
