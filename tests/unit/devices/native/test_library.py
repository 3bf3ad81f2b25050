import ctypes
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genlock.devices.native import NativeBackend
from genlock.devices.native.abi import (
    FUNCTIONS,
    c_configuration,
    k4a_device_configuration_t,
    k4a_hardware_version_t,
    k4a_imu_sample_t,
)
from genlock.devices.native.library import Vendor, load_library
from genlock.errors import BackendUnavailableError
from genlock.k4a import CameraFps, ColorResolution, DepthMode, DeviceConfig, ImageFormat, WiredSyncMode
from genlock.rig import Rig


def test_structs_lie_in_memory_as_a_c_compiler_lays_them(fake: Any):
    """Their sizes were also measured on the shipped library: 36, 56 and 48 bytes."""
    ours = [
        ctypes.sizeof(k4a_device_configuration_t),
        k4a_device_configuration_t.depth_delay_off_color_usec.offset,
        k4a_device_configuration_t.disable_streaming_indicator.offset,
        ctypes.sizeof(k4a_hardware_version_t),
        k4a_hardware_version_t.firmware_signature.offset,
        ctypes.sizeof(k4a_imu_sample_t),
        k4a_imu_sample_t.acc_timestamp_usec.offset,
        k4a_imu_sample_t.gyro_timestamp_usec.offset,
    ]
    assert ours == [fake.fake_layout(which) for which in range(len(ours))]
    assert (ours[0], ours[3], ours[5]) == (36, 56, 48)


def test_a_configuration_is_what_c_would_write():
    """Nine fields as a compiler lays them out; the unsigned delay and the signed one side by side."""
    config = DeviceConfig(
        color_format=ImageFormat.BGRA32,
        color_resolution=ColorResolution.RES_3072P,
        depth_mode=DepthMode.WFOV_UNBINNED,
        camera_fps=CameraFps.FPS_15,
        synchronized_images_only=True,
        depth_delay_off_color_usec=-2,
        wired_sync_mode=WiredSyncMode.SUBORDINATE,
        subordinate_delay_off_master_usec=66_666,
        disable_streaming_indicator=True,
    )
    numbers = memoryview(bytes(c_configuration(config))).cast("i")
    assert list(numbers) == [3, 6, 4, 1, 1, -2, 2, 66_666, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"this is no library", "does not load"),
        (b"", "does not load"),
    ],
)
def test_a_file_that_is_no_library_is_named_with_the_loaders_reason(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "libk4a.so"
    path.write_bytes(content)
    with pytest.raises(BackendUnavailableError, match=message) as caught:
        NativeBackend(Rig(), library=path)
    assert str(path) in str(caught.value)


def test_another_library_under_this_name_is_told_apart(tmp_path: Path):
    other = next(Path(module) for module in _loaded_libraries() if "libc.so" in module or "libm.so" in module)
    path = tmp_path / "libk4a.so"
    shutil.copy(other, path)
    with pytest.raises(BackendUnavailableError, match=r"is no libk4a 1\.4: it lacks k4a_"):
        load_library(path)


def _loaded_libraries() -> list[str]:
    return [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line]


def test_a_library_that_lacks_a_function_of_1_4_says_which(build: Callable[..., Path]):
    with pytest.raises(BackendUnavailableError, match="lacks k4a_image_get_system_timestamp_nsec"):
        load_library(build("-DOLD"))


def test_a_library_that_calls_itself_older_is_refused(library_path: Path, tmp_path: Path):
    path = tmp_path / "libk4a.so.1.3.0"
    shutil.copy(library_path, path)
    with pytest.raises(BackendUnavailableError, match=r"libk4a 1\.3\.0; genlock needs 1\.4"):
        load_library(path)


def test_a_relative_path_means_a_file_and_not_a_name_to_look_up(library_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(library_path.parent)
    assert load_library(Path(library_path.name)).vendor is Vendor.MICROSOFT


def test_orbbecs_wrapper_is_known_by_the_function_that_only_it_has(library_path: Path, orbbec_path: Path):
    assert load_library(library_path).vendor is Vendor.MICROSOFT
    assert load_library(orbbec_path).vendor is Vendor.ORBBEC


def test_every_function_has_its_types(fake: Any):
    assert all(getattr(fake, name).argtypes == arguments for name, (_, arguments) in FUNCTIONS.items())


def test_what_the_sdk_says_goes_to_logging_at_its_level(fake: Any, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG, "genlock.k4a"):
        for level, text in enumerate((b"critical", b"error", b"warning", b"info", b"trace \xff")):
            fake.fake_say(level, text)
    levels = [logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG]
    assert [record.levelno for record in caplog.records] == levels
    assert caplog.records[0].message == "critical (fake_k4a.c:7)"


def test_what_a_call_says_becomes_its_reason_and_what_other_threads_say_does_not(
    library_path: Path, fake: Any, caplog: pytest.LogCaptureFixture
):
    log = load_library(library_path).log
    with caplog.at_level(logging.ERROR, "genlock.k4a"), log.reasons() as reasons:
        fake.fake_say(2, b"only a warning")
        fake.fake_say(1, b"the cause")
        fake.fake_say_from_a_thread(b"of another thread")
        fake.fake_say(1, b"its echo")
    assert reasons.text == "the cause"
    assert [record.message for record in caplog.records] == ["of another thread (fake_k4a.c:7)"]
    fake.fake_say(0, b"later")
    assert reasons.text == "the cause"


def test_a_warning_is_a_reason_where_there_is_no_error(library_path: Path, fake: Any):
    log = load_library(library_path).log
    with log.reasons() as reasons:
        fake.fake_say(3, b"chatter")
        assert reasons.text == ""
        fake.fake_say(2, b"param invalid")
    assert reasons.text == "param invalid"
