"""The C interface of libk4a 1.4 as ctypes sees it: structs, result codes, the functions that this room calls.

Written from the SDK's public headers ``k4a.h`` and ``k4atypes.h`` (1.4); sizes and offsets are checked against what a C
compiler makes of them, and against the shipped library, in the tests. The enums' numbers are ``sdk_value`` of the
enums in ``genlock.k4a``. Handles are opaque pointers.
"""

from __future__ import annotations

import ctypes as c
from enum import IntEnum

from genlock.k4a import DeviceConfig

__all__ = [
    "AUTO",
    "FAILED",
    "FUNCTIONS",
    "MANUAL",
    "SUCCEEDED",
    "TIMEOUT",
    "TOO_SMALL",
    "LogHandler",
    "LogLevel",
    "c_configuration",
    "k4a_device_configuration_t",
    "k4a_float3_t",
    "k4a_hardware_version_t",
    "k4a_imu_sample_t",
    "k4a_version_t",
]

SUCCEEDED, FAILED, TIMEOUT = 0, 1, 2
"""``k4a_wait_result_t``; the first two are ``k4a_result_t`` as well."""
TOO_SMALL = 2
"""``k4a_buffer_result_t``: the answer to a question for a buffer's size."""
MANUAL, AUTO = 1, 0
"""``k4a_color_control_mode_t``."""


class LogLevel(IntEnum):
    """``k4a_log_level_t``."""

    CRITICAL = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    TRACE = 4
    OFF = 5


class k4a_device_configuration_t(c.Structure):  # noqa: N801  # the SDK's name
    """36 bytes."""

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


class k4a_version_t(c.Structure):  # noqa: N801  # the SDK's name
    """12 bytes."""

    _fields_ = (("major", c.c_uint32), ("minor", c.c_uint32), ("iteration", c.c_uint32))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.iteration}"


class k4a_hardware_version_t(c.Structure):  # noqa: N801  # the SDK's name
    """56 bytes."""

    _fields_ = (
        ("rgb", k4a_version_t),
        ("depth", k4a_version_t),
        ("audio", k4a_version_t),
        ("depth_sensor", k4a_version_t),
        ("firmware_build", c.c_int32),
        ("firmware_signature", c.c_int32),
    )


class k4a_float3_t(c.Structure):  # noqa: N801  # the SDK's name
    """12 bytes; a union in C, of which this is the part ``xyz``."""

    _fields_ = (("x", c.c_float), ("y", c.c_float), ("z", c.c_float))


class k4a_imu_sample_t(c.Structure):  # noqa: N801  # the SDK's name
    """48 bytes."""

    _fields_ = (
        ("temperature", c.c_float),
        ("acc_sample", k4a_float3_t),
        ("acc_timestamp_usec", c.c_uint64),
        ("gyro_sample", k4a_float3_t),
        ("gyro_timestamp_usec", c.c_uint64),
    )


LogHandler = c.CFUNCTYPE(None, c.c_void_p, c.c_int, c.c_char_p, c.c_int, c.c_char_p)
"""``k4a_logging_message_cb_t``: context, level, file, line, message."""

_HANDLE, _SIZE, _INT = c.c_void_p, c.c_size_t, c.c_int
_OUT = c.POINTER(c.c_void_p)
_OUT_INT, _OUT_INT32, _OUT_BOOL, _OUT_SIZE = (
    c.POINTER(c.c_int),
    c.POINTER(c.c_int32),
    c.POINTER(c.c_bool),
    c.POINTER(_SIZE),
)
_U32, _U64 = c.c_uint32, c.c_uint64

FUNCTIONS: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "k4a_set_debug_message_handler": (_INT, (LogHandler, c.c_void_p, _INT)),
    "k4a_device_get_installed_count": (_U32, ()),
    "k4a_device_open": (_INT, (_U32, _OUT)),
    "k4a_device_close": (None, (_HANDLE,)),
    "k4a_device_get_serialnum": (_INT, (_HANDLE, c.c_char_p, _OUT_SIZE)),
    "k4a_device_get_version": (_INT, (_HANDLE, c.POINTER(k4a_hardware_version_t))),
    "k4a_device_get_raw_calibration": (_INT, (_HANDLE, c.c_char_p, _OUT_SIZE)),
    "k4a_device_get_sync_jack": (_INT, (_HANDLE, _OUT_BOOL, _OUT_BOOL)),
    "k4a_device_get_color_control_capabilities": (
        _INT,
        (_HANDLE, _INT, _OUT_BOOL, _OUT_INT32, _OUT_INT32, _OUT_INT32, _OUT_INT32, _OUT_INT),
    ),
    "k4a_device_get_color_control": (_INT, (_HANDLE, _INT, _OUT_INT, _OUT_INT32)),
    "k4a_device_set_color_control": (_INT, (_HANDLE, _INT, _INT, c.c_int32)),
    "k4a_device_start_cameras": (_INT, (_HANDLE, c.POINTER(k4a_device_configuration_t))),
    "k4a_device_stop_cameras": (None, (_HANDLE,)),
    "k4a_device_start_imu": (_INT, (_HANDLE,)),
    "k4a_device_stop_imu": (None, (_HANDLE,)),
    "k4a_device_get_capture": (_INT, (_HANDLE, _OUT, c.c_int32)),
    "k4a_device_get_imu_sample": (_INT, (_HANDLE, c.POINTER(k4a_imu_sample_t), c.c_int32)),
    "k4a_capture_release": (None, (_HANDLE,)),
    "k4a_capture_get_color_image": (_HANDLE, (_HANDLE,)),
    "k4a_capture_get_depth_image": (_HANDLE, (_HANDLE,)),
    "k4a_capture_get_ir_image": (_HANDLE, (_HANDLE,)),
    "k4a_capture_get_temperature_c": (c.c_float, (_HANDLE,)),
    "k4a_image_release": (None, (_HANDLE,)),
    "k4a_image_get_buffer": (_HANDLE, (_HANDLE,)),
    "k4a_image_get_size": (_SIZE, (_HANDLE,)),
    "k4a_image_get_format": (_INT, (_HANDLE,)),
    "k4a_image_get_width_pixels": (_INT, (_HANDLE,)),
    "k4a_image_get_height_pixels": (_INT, (_HANDLE,)),
    "k4a_image_get_stride_bytes": (_INT, (_HANDLE,)),
    "k4a_image_get_device_timestamp_usec": (_U64, (_HANDLE,)),
    "k4a_image_get_system_timestamp_nsec": (_U64, (_HANDLE,)),
    "k4a_image_get_exposure_usec": (_U64, (_HANDLE,)),
    "k4a_image_get_white_balance": (_U32, (_HANDLE,)),
    "k4a_image_get_iso_speed": (_U32, (_HANDLE,)),
}
"""Every function that is called: its result and its arguments."""


def c_configuration(config: DeviceConfig) -> k4a_device_configuration_t:
    """The configuration as ``k4a_device_start_cameras`` wants it."""
    return k4a_device_configuration_t(
        color_format=config.color_format.sdk_value,
        color_resolution=config.color_resolution.sdk_value,
        depth_mode=config.depth_mode.sdk_value,
        camera_fps=config.camera_fps.sdk_value,
        synchronized_images_only=config.synchronized_images_only,
        depth_delay_off_color_usec=config.depth_delay_off_color_usec,
        wired_sync_mode=config.wired_sync_mode.sdk_value,
        subordinate_delay_off_master_usec=config.subordinate_delay_off_master_usec,
        disable_streaming_indicator=config.disable_streaming_indicator,
    )
