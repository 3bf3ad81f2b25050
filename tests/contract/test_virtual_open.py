"""The virtual libk4a: opening, closing, and who the devices say they are."""

import ctypes as c
import json
import threading

from genlock.devices.scenario import Fault, FaultKind
from genlock.testing.rigs import chain_rig, serials
from support.k4a_client import (
    CALIBRATION_BYTES,
    FAILED,
    NFOV,
    NFOV_BINNED,
    P720,
    SUCCEEDED,
    TOO_SMALL,
    HardwareVersion,
)


def test_every_device_of_the_rig_is_plugged_in(serve):
    k4a, _ = serve(chain_rig(3))
    assert k4a.device_get_installed_count() == 3
    found = []
    for index in range(3):
        with k4a.opened(index) as device:
            found.append(device.serial())
            assert k4a.device_get_installed_count() == 3, "an open device is still plugged in"
    assert found == serials(3)


def test_an_index_beyond_the_last_does_not_open(serve):
    k4a, _ = serve(chain_rig(2))
    handle = c.c_void_p(1234)
    for index in (2, 99, 100, 0xFFFFFFFF):
        assert k4a.device_open(index, handle) == FAILED
        assert handle.value == 1234, "a failed open leaves the caller's handle as it was"
    assert k4a.device_open(0, None) == FAILED


def test_a_device_opens_once_until_it_is_closed(serve):
    k4a, _ = serve(chain_rig(1))
    first = k4a.open()
    second = c.c_void_p(1234)
    assert k4a.device_open(0, second) == FAILED
    assert second.value == 1234
    first.close()
    for _ in range(20):  # at once, every time: closing is done when it returns
        k4a.open().close()


def test_a_handle_that_means_nothing_fails_instead_of_crashing(serve):
    k4a, _ = serve(chain_rig(1))
    device = k4a.open()
    device.close()
    again = k4a.open()
    for handle in (None, c.c_void_p(0xDEAD), device.handle):
        device.handle = handle
        assert device.start() == FAILED
        assert device.wait(0)[0] == FAILED
        assert device.imu(0)[0] == FAILED
        assert device.set_control(0, 1, 8330) == FAILED
        assert k4a.device_start_imu(handle) == FAILED
        assert k4a.device_get_version(handle, HardwareVersion()) == FAILED
        assert k4a.device_get_serialnum(handle, None, c.c_size_t()) == FAILED
        assert k4a.device_get_raw_calibration(handle, None, c.c_size_t()) == FAILED
        assert k4a.device_get_sync_jack(handle, c.c_bool(), c.c_bool()) == FAILED
        device.stop()
        k4a.device_stop_imu(handle)
        device.close()
    assert again.serial() == serials(1)[0], "the device opened meanwhile is untouched"
    again.close()


def test_missing_arguments_fail(serve):
    k4a, _ = serve(chain_rig(1))
    with k4a.opened() as device:
        assert k4a.device_start_cameras(device.handle, None) == FAILED
        assert k4a.device_get_capture(device.handle, None, 0) == FAILED
        assert k4a.device_get_imu_sample(device.handle, None, 0) == FAILED
        assert k4a.device_get_version(device.handle, None) == FAILED
        assert k4a.device_get_serialnum(device.handle, None, None) == FAILED
        assert k4a.device_get_raw_calibration(device.handle, None, None) == FAILED
        assert k4a.device_get_sync_jack(device.handle, None, c.c_bool()) == FAILED
        assert k4a.device_get_color_control(device.handle, 0, None, None) == FAILED
        assert k4a.device_get_calibration(device.handle, NFOV, P720, None) == FAILED


def test_answers_of_unknown_size_first_tell_their_size(serve):
    k4a, _virtual = serve(chain_rig(1))
    with k4a.opened() as device:
        size = c.c_size_t(0)
        assert k4a.device_get_serialnum(device.handle, None, size) == TOO_SMALL
        assert size.value == 13, "twelve digits and a NUL"
        size.value = 12
        assert k4a.device_get_serialnum(device.handle, c.create_string_buffer(12), size) == TOO_SMALL
        assert size.value == 13
        exact = c.create_string_buffer(b"x" * 13, 13)
        assert k4a.device_get_serialnum(device.handle, exact, size) == SUCCEEDED
        assert exact.raw == serials(1)[0].encode() + b"\0"

        size.value = 0
        assert k4a.device_get_raw_calibration(device.handle, None, size) == TOO_SMALL
        raw = c.create_string_buffer(size.value)
        assert k4a.device_get_raw_calibration(device.handle, raw, size) == SUCCEEDED
        assert raw.raw.endswith(b"}\0"), "with the trailing NUL, as a real device's"
        notes = json.loads(raw.raw[:-1])["CalibrationInformation"]["Metadata"]["Notes"]
        assert "simulated" in notes


def test_the_calibration_is_what_the_real_library_makes_of_the_raw_one(serve):
    k4a, _ = serve(chain_rig(1))
    with k4a.opened() as device:
        size = c.c_size_t(0)
        k4a.device_get_raw_calibration(device.handle, None, size)
        raw = c.create_string_buffer(size.value)
        k4a.device_get_raw_calibration(device.handle, raw, size)
        for mode in (NFOV, NFOV_BINNED):
            ours, theirs = c.create_string_buffer(CALIBRATION_BYTES), c.create_string_buffer(CALIBRATION_BYTES)
            assert k4a.device_get_calibration(device.handle, mode, P720, ours) == SUCCEEDED
            assert k4a.calibration_get_from_raw(raw, size.value, mode, P720, theirs) == SUCCEEDED
            assert _set_bytes(ours) == _set_bytes(theirs)
            assert any(ours.raw)
        assert k4a.device_get_calibration(device.handle, 77, P720, ours) == FAILED


def _set_bytes(calibration) -> bytes:
    """Without the fifteenth lens parameter of either camera, which the SDK leaves as it finds it in memory."""
    camera_bytes, parameter = 128, slice(112, 116)
    raw = bytearray(calibration.raw)
    for camera in range(2):
        raw[camera * camera_bytes + parameter.start : camera * camera_bytes + parameter.stop] = bytes(4)
    return bytes(raw)


def test_the_identity_is_a_release_device_s(serve):
    k4a, _ = serve(chain_rig(1))
    with k4a.opened() as device:
        version = HardwareVersion()
        assert k4a.device_get_version(device.handle, version) == SUCCEEDED
        assert tuple(version.rgb) >= (1, 6, 110)
        assert tuple(version.depth) >= (1, 6, 79)
        assert tuple(version.audio) >= (1, 6, 14)
        assert tuple(version.depth_sensor) >= (6109, 7, 0)
        assert (version.firmware_build, version.firmware_signature) == (0, 0), "RELEASE, MSFT"


def test_jacks_are_as_the_wiring_has_them_at_any_time(serve):
    k4a, virtual = serve(chain_rig(3))
    expected = [(False, True), (True, True), (True, False)]
    for index, jacks in enumerate(expected):
        with k4a.opened(index) as device:
            assert device.jacks() == jacks
            assert device.start() == SUCCEEDED
            assert device.jacks() == jacks
    virtual.backend.cause(Fault(kind=FaultKind.CABLE_PULLED, serial=serials(3)[1]))
    with k4a.opened(1) as device:
        assert device.jacks() == (False, True)


def test_a_device_without_usb_is_not_listed_and_one_that_comes_back_is(serve):
    k4a, virtual = serve(chain_rig(2))
    first = serials(2)[0]
    virtual.backend.cause(Fault(kind=FaultKind.USB_UNPLUGGED, serial=first))
    assert k4a.device_get_installed_count() == 1
    with k4a.opened(0) as device:
        assert device.serial() == serials(2)[1], "the others move up"
    virtual.backend.cure(FaultKind.USB_UNPLUGGED, first)
    assert k4a.device_get_installed_count() == 2


def test_without_a_rig_no_device_is_plugged_in(serve, monkeypatch, tmp_path):
    k4a, _ = serve(chain_rig(1))
    for address in (None, str(tmp_path / "nobody"), "x" * 200):
        if address is None:
            monkeypatch.delenv("GENLOCK_VIRTUAL")
        else:
            monkeypatch.setenv("GENLOCK_VIRTUAL", address)
        assert k4a.device_get_installed_count() == 0
        assert k4a.device_open(0, c.c_void_p()) == FAILED


def test_devices_open_start_and_close_in_parallel(serve):
    k4a, virtual = serve(chain_rig(4))
    results = []

    def live(index: int) -> None:
        for _ in range(5):
            with k4a.opened(index) as device:
                results.append(device.start())
                device.capture()

    threads = [threading.Thread(target=live, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [SUCCEEDED] * 20
    assert virtual.server.clients() == []
