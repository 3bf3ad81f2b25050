"""Opening, closing and what a device says of itself; run by a pytest inside ``genlock virtual``.

Asserts what the functional tests of the Azure Kinect Sensor SDK 1.4 assert on cameras (``tests/multidevice``,
``tests/DepthTests``, ``tests/RecordTests/FunctionalTest``, ``src/python/k4a/tests``), and the buffer protocol that
its header documents.
"""

from __future__ import annotations

import ctypes as c
import json
import os
import threading

import pytest

from conformance.virtual_suite.device_api import (
    CALIBRATION_BYTES,
    COLOR_SIZES,
    DEPTH_SIZES,
    FAILED,
    SUCCEEDED,
    TOO_SMALL,
    Config,
    Depth,
    HardwareVersion,
    Resolution,
    installed_count,
    library,
    open_device,
    opened,
    try_open,
)

COLOR_ONLY = Config(color_resolution=Resolution.R720P)


def test_as_many_devices_are_installed_as_the_rig_has() -> None:
    """``SUITE_DEVICES``, where whoever runs the suite says it."""
    assert installed_count() == int(os.environ.get("SUITE_DEVICES", installed_count()))


def test_a_second_open_fails_and_leaves_the_handle_as_it_was() -> None:
    for index in range(installed_count()):
        with opened(index) as [device]:
            before = device.handle.value
            assert try_open(index, device.handle) == FAILED
            assert device.handle.value == before


@pytest.mark.parametrize("past", [0, 1, 98, 1_000_000])
def test_an_index_past_the_last_device_cannot_be_opened(past: int) -> None:
    handle = c.c_void_p()
    assert try_open(installed_count() + past, handle) == FAILED
    assert not handle.value


def test_open_without_a_place_for_the_handle_fails() -> None:
    assert library().k4a_device_open(0, None) == FAILED
    open_device(0).close()


def test_devices_open_in_either_order_and_have_handles_of_their_own() -> None:
    count = installed_count()
    for order in (range(count), reversed(range(count))):
        with opened(*order) as devices:
            assert len({device.handle.value for device in devices}) == count
            assert len({device.serial() for device in devices}) == count
            assert installed_count() == count


def test_a_device_opens_and_closes_fifty_times() -> None:
    for _ in range(50):
        open_device(0).close()


def test_a_device_may_be_closed_while_it_streams_and_from_another_thread() -> None:
    for _ in range(3):
        device = open_device(0)
        assert device.start(COLOR_ONLY) == SUCCEEDED
        assert device.start_imu() == SUCCEEDED
        device.capture().release()
        closer = threading.Thread(target=device.close)
        closer.start()
        closer.join(10)
        assert not closer.is_alive()


def test_a_handle_that_is_null_fails_everywhere_and_crashes_nowhere() -> None:
    k4a = library()
    capture = c.c_void_p()
    assert k4a.k4a_device_start_cameras(None, c.byref(COLOR_ONLY)) == FAILED
    assert k4a.k4a_device_get_capture(None, c.byref(capture), 0) == FAILED
    assert k4a.k4a_device_start_imu(None) == FAILED
    assert k4a.k4a_device_get_imu_sample(None, None, 0) == FAILED
    assert k4a.k4a_device_get_version(None, None) == FAILED
    assert k4a.k4a_device_get_sync_jack(None, None, None) == FAILED
    assert k4a.k4a_device_get_serialnum(None, None, None) == FAILED
    assert k4a.k4a_device_get_raw_calibration(None, None, None) == FAILED
    k4a.k4a_device_stop_cameras(None)
    k4a.k4a_device_stop_imu(None)
    k4a.k4a_device_close(None)


def test_arguments_that_are_null_fail() -> None:
    k4a = library()
    with opened(0) as [device]:
        assert k4a.k4a_device_start_cameras(device.handle, None) == FAILED
        assert k4a.k4a_device_get_version(device.handle, None) == FAILED
        assert device.start(COLOR_ONLY) == SUCCEEDED
        assert k4a.k4a_device_get_capture(device.handle, None, 0) == FAILED
        device.capture().release()


def test_a_serial_has_twelve_digits_and_a_nul() -> None:
    with opened(0) as [device]:
        size = c.c_size_t(0)
        assert library().k4a_device_get_serialnum(device.handle, None, c.byref(size)) == TOO_SMALL
        assert size.value == 13
        short = c.create_string_buffer(5)
        size = c.c_size_t(5)
        assert library().k4a_device_get_serialnum(device.handle, short, c.byref(size)) == TOO_SMALL
        assert size.value == 13
        exact = c.create_string_buffer(13)
        assert library().k4a_device_get_serialnum(device.handle, exact, c.byref(size)) == SUCCEEDED
        assert size.value == 13
        assert exact.raw[:12].isdigit()
        assert exact.raw[12:] == b"\0"


def test_firmware_is_that_of_a_released_device() -> None:
    with opened(0) as [device]:
        version = HardwareVersion()
        assert library().k4a_device_get_version(device.handle, c.byref(version)) == SUCCEEDED
        for part, least in (
            (version.rgb, (1, 6, 110)),
            (version.depth, (1, 6, 79)),
            (version.audio, (1, 6, 14)),
            (version.depth_sensor, (6109, 7, 0)),
        ):
            assert (part.major, part.minor, part.iteration) >= least
        assert version.firmware_build == 0, "RELEASE"
        assert version.firmware_signature == 0, "MSFT"


def _raw_calibration(handle: c.c_void_p) -> bytes:
    size = c.c_size_t(0)
    assert library().k4a_device_get_raw_calibration(handle, None, c.byref(size)) == TOO_SMALL
    buffer = c.create_string_buffer(size.value)
    short = c.c_size_t(size.value - 1)
    assert library().k4a_device_get_raw_calibration(handle, buffer, c.byref(short)) == TOO_SMALL
    assert library().k4a_device_get_raw_calibration(handle, buffer, c.byref(size)) == SUCCEEDED
    return buffer.raw[: size.value]


def test_the_raw_calibration_is_json_with_a_nul_and_names_its_device() -> None:
    with opened(0) as [device]:
        raw = _raw_calibration(device.handle)
        assert raw[-1:] == b"\0"
        document = json.loads(raw[:-1])
        assert document["CalibrationInformation"]["Metadata"]["SerialId"] == device.serial()


def _without_unused(calibration: bytes) -> bytes:
    """Without the fifteenth intrinsic parameter of each camera, which the SDK does not set."""
    return calibration[:112] + calibration[116 : 128 + 112] + calibration[128 + 116 :]


def test_the_calibration_of_every_mode_is_that_of_the_raw_one() -> None:
    with opened(0) as [device]:
        raw = _raw_calibration(device.handle)
        for depth in Depth:
            for color in Resolution:
                if depth == Depth.OFF and color == Resolution.OFF:
                    continue
                asked, made = (c.create_string_buffer(CALIBRATION_BYTES) for _ in range(2))
                from_device = library().k4a_device_get_calibration(device.handle, depth, color, asked)
                from_raw = library().k4a_calibration_get_from_raw(raw, len(raw), depth, color, made)
                assert (from_device, from_raw) == (SUCCEEDED, SUCCEEDED), (depth, color)
                assert _without_unused(asked.raw) == _without_unused(made.raw), (depth, color)
                # Sizes stand behind extrinsics and intrinsics (48 + 68 bytes) of each camera.
                width_px, height_px = (c.c_int32 * 2).from_buffer_copy(asked.raw, 116)
                assert (width_px, height_px) == DEPTH_SIZES.get(depth, (0, 0))
                width_px, height_px = (c.c_int32 * 2).from_buffer_copy(asked.raw, 128 + 116)
                assert (width_px, height_px) == COLOR_SIZES.get(color, (0, 0))


def test_jacks_can_be_asked_at_any_time() -> None:
    with opened(0) as [device]:
        before = device.jacks()
        assert device.start(COLOR_ONLY) == SUCCEEDED
        assert device.jacks() == before
        device.stop()
        assert device.jacks() == before
