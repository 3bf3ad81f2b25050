"""libk4a's device functions as a C program calls them: the library that the loader finds, and nothing of genlock's.

Whatever stands behind the library, real cameras or `genlock virtual`, a program cannot tell by anything in here.
Results are the SDK's bare numbers, because they are what is under test.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from types import TracebackType
from typing import Any, Self

SUCCEEDED, FAILED, TIMEOUT = 0, 1, 2
TOO_SMALL = 2
FOREVER = -1


class Format(IntEnum):
    MJPG, NV12, YUY2, BGRA32, DEPTH16, IR16 = range(6)


class Resolution(IntEnum):
    OFF, R720P, R1080P, R1440P, R1536P, R2160P, R3072P = range(7)


class Depth(IntEnum):
    OFF, NFOV_2X2BINNED, NFOV_UNBINNED, WFOV_2X2BINNED, WFOV_UNBINNED, PASSIVE_IR = range(6)


class Fps(IntEnum):
    F5, F15, F30 = range(3)

    @property
    def hz(self) -> int:
        return (5, 15, 30)[self]

    @property
    def period_usec(self) -> int:
        return 1_000_000 // self.hz


class Sync(IntEnum):
    STANDALONE, MASTER, SUBORDINATE = range(3)


class Mode(IntEnum):
    AUTO, MANUAL = range(2)


class Control(IntEnum):
    EXPOSURE, AUTO_EXPOSURE_PRIORITY, BRIGHTNESS, CONTRAST, SATURATION, SHARPNESS = range(6)
    WHITEBALANCE, BACKLIGHT_COMPENSATION, GAIN, POWERLINE = range(6, 10)


COLOR_SIZES = {
    Resolution.R720P: (1280, 720),
    Resolution.R1080P: (1920, 1080),
    Resolution.R1440P: (2560, 1440),
    Resolution.R1536P: (2048, 1536),
    Resolution.R2160P: (3840, 2160),
    Resolution.R3072P: (4096, 3072),
}
DEPTH_SIZES = {
    Depth.NFOV_2X2BINNED: (320, 288),
    Depth.NFOV_UNBINNED: (640, 576),
    Depth.WFOV_2X2BINNED: (512, 512),
    Depth.WFOV_UNBINNED: (1024, 1024),
    Depth.PASSIVE_IR: (1024, 1024),
}


class Config(c.Structure):
    """``k4a_device_configuration_t``; a field that is not given is zero, and 30 fps as in the SDK's initialiser."""

    _fields_ = (
        ("color_format", c.c_int32),
        ("color_resolution", c.c_int32),
        ("depth_mode", c.c_int32),
        ("camera_fps", c.c_int32),
        ("synchronized_images_only", c.c_bool),
        ("depth_delay_off_color_usec", c.c_int32),
        ("wired_sync_mode", c.c_int32),
        ("subordinate_delay_off_master_usec", c.c_uint32),
        ("disable_streaming_indicator", c.c_bool),
    )

    def __init__(self, **fields: int) -> None:
        super().__init__(**{"camera_fps": Fps.F30, **fields})


class ImuSample(c.Structure):
    _fields_ = (
        ("temperature", c.c_float),
        ("acc", c.c_float * 3),
        ("acc_timestamp_usec", c.c_uint64),
        ("gyro", c.c_float * 3),
        ("gyro_timestamp_usec", c.c_uint64),
    )


class _Version(c.Structure):
    _fields_ = (("major", c.c_uint32), ("minor", c.c_uint32), ("iteration", c.c_uint32))


class HardwareVersion(c.Structure):
    _fields_ = (
        ("rgb", _Version),
        ("depth", _Version),
        ("audio", _Version),
        ("depth_sensor", _Version),
        ("firmware_build", c.c_int32),
        ("firmware_signature", c.c_int32),
    )


CALIBRATION_BYTES = 1032


@cache
def library() -> c.CDLL:
    """libk4a by the name that programs are linked against."""
    k4a = c.CDLL("libk4a.so.1.4")
    handle, out, number, text = c.c_void_p, c.POINTER(c.c_void_p), c.POINTER(c.c_int32), c.c_char_p
    size_out, truth = c.POINTER(c.c_size_t), c.POINTER(c.c_bool)
    image = {name: (kind, [handle]) for name, kind in _IMAGE_GETTERS.items()}
    prototypes: dict[str, tuple[Any, list[Any]]] = {
        "k4a_device_get_installed_count": (c.c_uint32, []),
        "k4a_device_open": (c.c_int, [c.c_uint32, out]),
        "k4a_device_close": (None, [handle]),
        "k4a_device_get_serialnum": (c.c_int, [handle, text, size_out]),
        "k4a_device_get_version": (c.c_int, [handle, c.POINTER(HardwareVersion)]),
        "k4a_device_get_raw_calibration": (c.c_int, [handle, text, size_out]),
        "k4a_device_get_calibration": (c.c_int, [handle, c.c_int, c.c_int, c.c_char_p]),
        "k4a_calibration_get_from_raw": (c.c_int, [text, c.c_size_t, c.c_int, c.c_int, c.c_char_p]),
        "k4a_device_get_sync_jack": (c.c_int, [handle, truth, truth]),
        "k4a_device_set_color_control": (c.c_int, [handle, c.c_int, c.c_int, c.c_int32]),
        "k4a_device_get_color_control": (c.c_int, [handle, c.c_int, number, number]),
        "k4a_device_get_color_control_capabilities": (c.c_int, [handle, c.c_int, truth, *[number] * 5]),
        "k4a_device_start_cameras": (c.c_int, [handle, c.POINTER(Config)]),
        "k4a_device_stop_cameras": (None, [handle]),
        "k4a_device_start_imu": (c.c_int, [handle]),
        "k4a_device_stop_imu": (None, [handle]),
        "k4a_device_get_capture": (c.c_int, [handle, out, c.c_int32]),
        "k4a_device_get_imu_sample": (c.c_int, [handle, c.POINTER(ImuSample), c.c_int32]),
        "k4a_capture_release": (None, [handle]),
        "k4a_capture_reference": (None, [handle]),
        "k4a_capture_get_temperature_c": (c.c_float, [handle]),
        "k4a_image_release": (None, [handle]),
        "k4a_image_set_device_timestamp_usec": (None, [handle, c.c_uint64]),
        **{f"k4a_capture_get_{kind}_image": (handle, [handle]) for kind in ("color", "depth", "ir")},
        **{f"k4a_image_get_{name}": prototype for name, prototype in image.items()},
    }
    for name, (result, arguments) in prototypes.items():
        function = getattr(k4a, name)
        function.restype, function.argtypes = result, arguments
    return k4a


_IMAGE_GETTERS: dict[str, Any] = {
    "buffer": c.c_void_p,
    "size": c.c_size_t,
    "format": c.c_int,
    "width_pixels": c.c_int,
    "height_pixels": c.c_int,
    "stride_bytes": c.c_int,
    "device_timestamp_usec": c.c_uint64,
    "system_timestamp_nsec": c.c_uint64,
    "exposure_usec": c.c_uint64,
    "white_balance": c.c_uint32,
    "iso_speed": c.c_uint32,
}


@dataclass(frozen=True)
class Picture:
    """What the getters say of one image, and its handle for as long as the capture is held."""

    handle: int
    buffer: int
    size: int
    format: int
    width_pixels: int
    height_pixels: int
    stride_bytes: int
    device_timestamp_usec: int
    system_timestamp_nsec: int
    exposure_usec: int
    white_balance: int
    iso_speed: int

    def pixels(self) -> bytes:
        """A copy of the buffer."""
        return c.string_at(self.buffer, self.size)


class Capture:
    """A ``k4a_capture_t`` with its images, all held until ``release``."""

    def __init__(self, handle: c.c_void_p) -> None:
        self.handle = handle
        self.color = self._picture("color")
        self.depth = self._picture("depth")
        self.ir = self._picture("ir")
        self.temperature_c = float(library().k4a_capture_get_temperature_c(handle))

    def _picture(self, kind: str) -> Picture | None:
        handle = getattr(library(), f"k4a_capture_get_{kind}_image")(self.handle)
        if not handle:
            return None
        values = {name: getattr(library(), f"k4a_image_get_{name}")(handle) for name in _IMAGE_GETTERS}
        return Picture(handle=handle, **values)

    def release(self) -> None:
        for picture in (self.color, self.depth, self.ir):
            if picture is not None:
                library().k4a_image_release(picture.handle)
        library().k4a_capture_release(self.handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Device:
    """One opened device; every method answers with the SDK's result."""

    def __init__(self, handle: c.c_void_p) -> None:
        self.handle = handle

    def start(self, config: Config) -> int:
        return int(library().k4a_device_start_cameras(self.handle, c.byref(config)))

    def stop(self) -> None:
        library().k4a_device_stop_cameras(self.handle)

    def start_imu(self) -> int:
        return int(library().k4a_device_start_imu(self.handle))

    def stop_imu(self) -> None:
        library().k4a_device_stop_imu(self.handle)

    def close(self) -> None:
        if self.handle.value:
            library().k4a_device_close(self.handle)
            self.handle = c.c_void_p()

    def poll(self, timeout_msec: int) -> tuple[int, Capture | None]:
        """``k4a_device_get_capture``: its result, and the capture that came with a success."""
        handle = c.c_void_p()
        result = int(library().k4a_device_get_capture(self.handle, c.byref(handle), timeout_msec))
        return result, Capture(handle) if result == SUCCEEDED else None

    def capture(self, timeout_msec: int = 10_000) -> Capture:
        """The next capture; anything else fails the test."""
        result, capture = self.poll(timeout_msec)
        assert capture is not None, f"get_capture({timeout_msec} ms) answered {result}"
        return capture

    def imu(self, timeout_msec: int) -> tuple[int, ImuSample]:
        sample = ImuSample()
        return int(library().k4a_device_get_imu_sample(self.handle, c.byref(sample), timeout_msec)), sample

    def jacks(self) -> tuple[bool, bool]:
        """Whether Sync In and Sync Out have a plug."""
        sync_in, sync_out = c.c_bool(), c.c_bool()
        assert library().k4a_device_get_sync_jack(self.handle, c.byref(sync_in), c.byref(sync_out)) == SUCCEEDED
        return sync_in.value, sync_out.value

    def serial(self) -> str:
        size = c.c_size_t(64)
        buffer = c.create_string_buffer(64)
        assert library().k4a_device_get_serialnum(self.handle, buffer, c.byref(size)) == SUCCEEDED
        return buffer.value.decode()

    def set_control(self, control: int, mode: int, value: int) -> int:
        return int(library().k4a_device_set_color_control(self.handle, control, mode, value))

    def control(self, control: int) -> tuple[int, int]:
        """Mode and value."""
        mode, value = c.c_int32(), c.c_int32()
        result = library().k4a_device_get_color_control(self.handle, control, c.byref(mode), c.byref(value))
        assert result == SUCCEEDED
        return mode.value, value.value

    def set_exposure_60_hz(self, exposure_usec: int) -> None:
        """The mains first, then a manual exposure; both must read back as they were set."""
        for control, value in ((Control.POWERLINE, 2), (Control.EXPOSURE, exposure_usec)):
            assert self.set_control(control, Mode.MANUAL, value) == SUCCEEDED
            assert self.control(control) == (Mode.MANUAL, value)


def installed_count() -> int:
    return int(library().k4a_device_get_installed_count())


def try_open(index: int, handle: c.c_void_p) -> int:
    """``k4a_device_open`` into that variable."""
    return int(library().k4a_device_open(index, c.byref(handle)))


def open_device(index: int = 0) -> Device:
    handle = c.c_void_p()
    result = try_open(index, handle)
    assert result == SUCCEEDED, f"open({index}) answered {result}"
    assert handle.value
    return Device(handle)


@contextmanager
def opened(*indices: int) -> Iterator[list[Device]]:
    """Devices by index, closed at the end; a test may close one earlier."""
    with ExitStack() as stack:
        devices = []
        for index in indices:
            device = open_device(index)
            stack.callback(device.close)
            devices.append(device)
        yield devices


@contextmanager
def master_and_subordinate() -> Iterator[tuple[Device, Device]]:
    """The first device with a plug in Sync Out, and the first of the others with one in Sync In."""
    devices = [open_device(index) for index in range(installed_count())]
    try:
        master = next(device for device in devices if device.jacks()[1])
        subordinate = next(device for device in devices if device is not master and device.jacks()[0])
        for device in devices:
            if device not in (master, subordinate):
                device.close()
        yield master, subordinate
    finally:
        for device in devices:
            device.close()
