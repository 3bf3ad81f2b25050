"""The server's end of a channel: captures and inertial samples into the memory that it shares with one client."""

from __future__ import annotations

import ctypes as c
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genlock.capture import Capture, Image, ImuSample
from genlock.k4a import COLOR_GEOMETRY, DEPTH_GEOMETRY, DeviceConfig, ImageFormat, image_bytes, image_stride_bytes

__all__ = ["Channel", "load_producer"]

_IMU = np.dtype([("temperature", "<f4"), ("acc", "<f4", 3), ("acc_usec", "<u8"), ("gyro", "<f4", 3), ("pad", "<u4"),
                 ("gyro_usec", "<u8")])  # fmt: skip
"""``k4a_imu_sample_t``."""

_MOST_MJPG_BYTES_PER_PIXEL = 2
"""More than any JPEG that a camera makes; memory that is never written to costs nothing."""


class _Image(c.Structure):
    _fields_ = (
        ("bytes", c.c_uint64),
        ("offset", c.c_uint64),
        ("device_timestamp_usec", c.c_uint64),
        ("system_timestamp_nsec", c.c_uint64),
        ("exposure_usec", c.c_uint64),
        ("format", c.c_int32),
        ("width_pixels", c.c_int32),
        ("height_pixels", c.c_int32),
        ("stride_bytes", c.c_int32),
        ("white_balance", c.c_uint32),
        ("iso_speed", c.c_uint32),
    )


class _Source(c.Structure):
    _fields_ = (("pixels", c.c_void_p), ("image", _Image))


class _Producer(c.Structure):
    _fields_ = (("channel", c.c_void_p), ("mapped_bytes", c.c_uint64), ("captures", c.c_uint64))


_Sources = _Source * 3


def load_producer(path: Path) -> Any:  # Any: ctypes gives functions no types
    """The functions of ``csrc/producer.c``, from the library built of it."""
    library = c.CDLL(str(path))
    handle = c.POINTER(_Producer)
    library.genlock_channel_create.argtypes = (handle, c.c_uint64)
    library.genlock_channel_push.argtypes = (handle, _Sources, c.c_float)
    library.genlock_channel_push_imu.argtypes = (handle, c.c_void_p, c.c_uint64)
    for name in ("genlock_channel_end", "genlock_channel_end_imu", "genlock_channel_destroy"):
        function = getattr(library, name)
        function.argtypes, function.restype = (handle,), None
    library.genlock_channel_push_imu.restype = None
    return library


class Channel:
    """What one start of a device's cameras delivers to the client that started them.

    ``push`` belongs to one thread, ``push_imu`` to one at a time; the ends may come from any.
    """

    def __init__(self, producer: Any, config: DeviceConfig) -> None:  # Any: see load_producer
        self._functions = producer
        self._state = _Producer()
        descriptor = producer.genlock_channel_create(c.byref(self._state), _capture_bytes(config))
        if descriptor < 0:
            raise OSError(c.get_errno(), "no memory to share with the client")
        self.descriptor: int = descriptor
        """For the client. Whoever sends it closes it: the memory stays."""
        self._lock = threading.Lock()
        """Guards the end of the memory against those who still ring its bells."""
        self._is_open = True

    def push(self, capture: Capture) -> bool:
        """Queues a capture, where seven wait in place of the oldest; false where it cannot be had."""
        sources, keep_alive = _Sources(), []
        for place, image in enumerate((capture.color, capture.depth, capture.ir)):
            if image is not None:
                pixels = np.ascontiguousarray(image.pixels)
                keep_alive.append(pixels)
                sources[place].pixels = pixels.ctypes.data
                sources[place].image = _described(image, pixels.nbytes)
        pushed = self._functions.genlock_channel_push(c.byref(self._state), sources, capture.temperature_c)
        return bool(pushed == 0)

    def push_imu(self, samples: Sequence[ImuSample]) -> None:
        """Queues inertial samples."""
        content = np.zeros(len(samples), _IMU)
        for place, sample in enumerate(samples):
            content[place] = (
                sample.temperature_c, sample.acc_m_per_s2, sample.acc_timestamp_usec,
                sample.gyro_rad_per_s, 0, sample.gyro_timestamp_usec,
            )  # fmt: skip
        self._functions.genlock_channel_push_imu(c.byref(self._state), content.ctypes.data, len(content))

    def end(self) -> None:
        """No captures come any more."""
        with self._lock:
            if self._is_open:
                self._functions.genlock_channel_end(c.byref(self._state))

    def end_imu(self) -> None:
        """No samples come any more."""
        with self._lock:
            if self._is_open:
                self._functions.genlock_channel_end_imu(c.byref(self._state))

    def close(self) -> None:
        """Lets the memory go, which the client may keep. Both pushing threads have ended. Safe twice."""
        self.end()
        self.end_imu()
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._functions.genlock_channel_destroy(c.byref(self._state))


def _described(image: Image, size_bytes: int) -> _Image:
    return _Image(
        bytes=size_bytes,
        device_timestamp_usec=image.device_timestamp_usec,
        system_timestamp_nsec=image.system_timestamp_nsec,
        exposure_usec=image.exposure_usec,
        format=image.image_format.sdk_value,
        width_pixels=image.width_px,
        height_pixels=image.height_px,
        stride_bytes=image_stride_bytes(image.image_format, image.width_px),
        white_balance=image.white_balance_k,
        iso_speed=image.iso_speed,
    )


def _capture_bytes(config: DeviceConfig) -> int:
    """The most that one capture's images weigh."""
    total_bytes = 0
    if config.has_color:
        color = COLOR_GEOMETRY[config.color_resolution]
        exact_bytes = image_bytes(config.color_format, color.width_px, color.height_px)
        total_bytes += exact_bytes or color.width_px * color.height_px * _MOST_MJPG_BYTES_PER_PIXEL
    if config.has_depth_camera:
        depth = DEPTH_GEOMETRY[config.depth_mode]
        total_bytes += 2 * (image_bytes(ImageFormat.DEPTH16, depth.width_px, depth.height_px) or 0)
    return total_bytes
