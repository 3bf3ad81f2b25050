"""A C program's view of libk4a, through ctypes: what any client in any language does, call by call.

Independent of ``genlock.devices.native`` on purpose: it shares no mistake with it.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUCCEEDED, FAILED, TIMEOUT = 0, 1, 2
TOO_SMALL = 2
FOREVER = -1
AUTO, MANUAL = 0, 1
EXPOSURE, EXPOSURE_PRIORITY, BRIGHTNESS, CONTRAST, SATURATION, SHARPNESS, WHITE_BALANCE, BACKLIGHT, GAIN, POWERLINE = (
    range(10)
)
STANDALONE, MASTER, SUBORDINATE = range(3)
MJPG, NV12, YUY2, BGRA32, DEPTH16, IR16 = range(6)
OFF = 0
P720, P1080, P1440, P1536, P2160, P3072 = range(1, 7)
NFOV_BINNED, NFOV, WFOV_BINNED, WFOV, PASSIVE_IR = range(1, 6)
FPS_5, FPS_15, FPS_30 = range(3)


class Config(c.Structure):
    """``k4a_device_configuration_t``; by default color and depth at the smallest size."""

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
        super().__init__(**{"color_resolution": P720, "depth_mode": NFOV_BINNED, "camera_fps": FPS_30, **fields})


class ImuSample(c.Structure):
    """``k4a_imu_sample_t``."""

    _fields_ = (
        ("temperature", c.c_float),
        ("acc_sample", c.c_float * 3),
        ("acc_timestamp_usec", c.c_uint64),
        ("gyro_sample", c.c_float * 3),
        ("gyro_timestamp_usec", c.c_uint64),
    )


class HardwareVersion(c.Structure):
    """``k4a_hardware_version_t``."""

    _fields_ = (
        ("rgb", c.c_uint32 * 3),
        ("depth", c.c_uint32 * 3),
        ("audio", c.c_uint32 * 3),
        ("depth_sensor", c.c_uint32 * 3),
        ("firmware_build", c.c_uint32),
        ("firmware_signature", c.c_uint32),
    )


@dataclass(frozen=True)
class Image:
    """What the SDK's functions say of one image."""

    format: int
    width_px: int
    height_px: int
    stride_bytes: int
    size_bytes: int
    device_usec: int
    system_nsec: int
    exposure_usec: int
    white_balance_k: int
    iso_speed: int
    pixels: bytes


H, P = c.c_void_p, c.POINTER(c.c_void_p)
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "k4a_device_get_installed_count": (c.c_uint32, []),
    "k4a_device_open": (c.c_int, [c.c_uint32, P]),
    "k4a_device_close": (None, [H]),
    "k4a_device_get_capture": (c.c_int, [H, P, c.c_int32]),
    "k4a_device_get_imu_sample": (c.c_int, [H, c.POINTER(ImuSample), c.c_int32]),
    "k4a_device_start_cameras": (c.c_int, [H, c.POINTER(Config)]),
    "k4a_device_stop_cameras": (None, [H]),
    "k4a_device_start_imu": (c.c_int, [H]),
    "k4a_device_stop_imu": (None, [H]),
    "k4a_device_get_serialnum": (c.c_int, [H, c.c_char_p, c.POINTER(c.c_size_t)]),
    "k4a_device_get_version": (c.c_int, [H, c.POINTER(HardwareVersion)]),
    "k4a_device_get_sync_jack": (c.c_int, [H, c.POINTER(c.c_bool), c.POINTER(c.c_bool)]),
    "k4a_device_get_color_control_capabilities": (
        c.c_int,
        [H, c.c_int, c.POINTER(c.c_bool), *[c.POINTER(c.c_int32)] * 5],
    ),
    "k4a_device_get_color_control": (c.c_int, [H, c.c_int, c.POINTER(c.c_int32), c.POINTER(c.c_int32)]),
    "k4a_device_set_color_control": (c.c_int, [H, c.c_int, c.c_int, c.c_int32]),
    "k4a_device_get_raw_calibration": (c.c_int, [H, c.c_char_p, c.POINTER(c.c_size_t)]),
    "k4a_device_get_calibration": (c.c_int, [H, c.c_int, c.c_int, c.c_void_p]),
    "k4a_calibration_get_from_raw": (c.c_int, [c.c_char_p, c.c_size_t, c.c_int, c.c_int, c.c_void_p]),
    "k4a_capture_release": (None, [H]),
    "k4a_capture_get_color_image": (H, [H]),
    "k4a_capture_get_depth_image": (H, [H]),
    "k4a_capture_get_ir_image": (H, [H]),
    "k4a_capture_get_temperature_c": (c.c_float, [H]),
    "k4a_image_release": (None, [H]),
    "k4a_image_get_buffer": (H, [H]),
    "k4a_image_get_size": (c.c_size_t, [H]),
    "k4a_image_get_format": (c.c_int, [H]),
    "k4a_image_get_width_pixels": (c.c_int, [H]),
    "k4a_image_get_height_pixels": (c.c_int, [H]),
    "k4a_image_get_stride_bytes": (c.c_int, [H]),
    "k4a_image_get_device_timestamp_usec": (c.c_uint64, [H]),
    "k4a_image_get_system_timestamp_nsec": (c.c_uint64, [H]),
    "k4a_image_get_exposure_usec": (c.c_uint64, [H]),
    "k4a_image_get_white_balance": (c.c_uint32, [H]),
    "k4a_image_get_iso_speed": (c.c_uint32, [H]),
}
CALIBRATION_BYTES = 4096
"""More than ``k4a_calibration_t`` has."""


class K4a:
    """A loaded libk4a. Attributes are the functions themselves, without their prefix ``k4a_``."""

    def __init__(self, library: Path | str) -> None:
        self.c = c.CDLL(str(library))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self.c, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("k4a_"), function)

    def __getattr__(self, name: str) -> Any:  # those set above; Any: ctypes
        raise AttributeError(name)

    @contextmanager
    def opened(self, index: int = 0) -> Iterator[Device]:
        """A device, closed at the end."""
        device = self.open(index)
        try:
            yield device
        finally:
            device.close()

    def open(self, index: int = 0) -> Device:
        handle = c.c_void_p()
        assert self.device_open(index, c.byref(handle)) == SUCCEEDED, f"device {index} does not open"
        return Device(self, handle)

    def image(self, handle: int | None) -> Image | None:
        """All of an image; releases it."""
        if not handle:
            return None
        size = self.image_get_size(handle)
        image = Image(
            self.image_get_format(handle),
            self.image_get_width_pixels(handle),
            self.image_get_height_pixels(handle),
            self.image_get_stride_bytes(handle),
            size,
            self.image_get_device_timestamp_usec(handle),
            self.image_get_system_timestamp_nsec(handle),
            self.image_get_exposure_usec(handle),
            self.image_get_white_balance(handle),
            self.image_get_iso_speed(handle),
            c.string_at(self.image_get_buffer(handle), size),
        )
        self.image_release(handle)
        return image

    def images(self, capture: c.c_void_p) -> dict[str, Image]:
        """What a capture holds, by kind; releases it."""
        kinds = ("color", "depth", "ir")
        found = {kind: self.image(getattr(self, f"capture_get_{kind}_image")(capture)) for kind in kinds}
        self.capture_release(capture)
        return {kind: image for kind, image in found.items() if image is not None}


class Device:
    """An opened device."""

    def __init__(self, k4a: K4a, handle: c.c_void_p) -> None:
        self.k4a, self.handle = k4a, handle

    def close(self) -> None:
        self.k4a.device_close(self.handle)

    def start(self, config: Config | None = None, **fields: int) -> int:
        return int(self.k4a.device_start_cameras(self.handle, config or Config(**fields)))

    def stop(self) -> None:
        self.k4a.device_stop_cameras(self.handle)

    def wait(self, timeout_msec: int = 5000) -> tuple[int, c.c_void_p]:
        """The result of ``get_capture`` and the capture, which the caller releases."""
        capture = c.c_void_p()
        return self.k4a.device_get_capture(self.handle, c.byref(capture), timeout_msec), capture

    def capture(self, timeout_msec: int = 5000) -> dict[str, Image]:
        """The next capture's images."""
        result, capture = self.wait(timeout_msec)
        assert result == SUCCEEDED, f"get_capture said {result}"
        return self.k4a.images(capture)

    def whole_capture(self) -> dict[str, Image]:
        """The next capture with color and IR."""
        for _ in range(60):
            images = self.capture()
            if {"color", "ir"} <= images.keys():
                return images
        raise AssertionError("none of 60 captures is whole")

    def imu(self, timeout_msec: int = 2000) -> tuple[int, ImuSample]:
        sample = ImuSample()
        return self.k4a.device_get_imu_sample(self.handle, sample, timeout_msec), sample

    def set_control(self, command: int, mode: int, value: int) -> int:
        return int(self.k4a.device_set_color_control(self.handle, command, mode, value))

    def get_control(self, command: int) -> tuple[int, int]:
        """Mode and value."""
        mode, value = c.c_int32(), c.c_int32()
        assert self.k4a.device_get_color_control(self.handle, command, mode, value) == SUCCEEDED
        return mode.value, value.value

    def control_range(self, command: int) -> tuple[bool, int, int, int, int, int]:
        """Supports auto, min, max, step, default, default mode."""
        auto, numbers = c.c_bool(), [c.c_int32() for _ in range(5)]
        assert self.k4a.device_get_color_control_capabilities(self.handle, command, auto, *numbers) == SUCCEEDED
        low, high, step, default, mode = (number.value for number in numbers)
        return auto.value, low, high, step, default, mode

    def jacks(self) -> tuple[bool, bool]:
        sync_in, sync_out = c.c_bool(), c.c_bool()
        assert self.k4a.device_get_sync_jack(self.handle, sync_in, sync_out) == SUCCEEDED
        return sync_in.value, sync_out.value

    def serial(self) -> str:
        size = c.c_size_t(32)
        text = c.create_string_buffer(32)
        assert self.k4a.device_get_serialnum(self.handle, text, size) == SUCCEEDED
        return text.value.decode()
