"""The SDK's captures as ours, without copying: arrays that look into the SDK's buffers and keep them alive.

An array's ``base`` owns one reference to a ``k4a_image_t``. When the last array that looks into the buffer has gone,
the reference is released. The arrays are read-only: another reference may be looking at the same bytes.
"""

from __future__ import annotations

import ctypes as c
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Capture, Image
from genlock.devices.native.library import K4aLibrary
from genlock.errors import DeviceError
from genlock.k4a import ImageFormat, image_stride_bytes

__all__ = ["take_capture"]

_FORMATS = {image_format.sdk_value: image_format for image_format in ImageFormat}
_SIXTEEN_BIT = (ImageFormat.DEPTH16, ImageFormat.IR16)


class _Reference:
    """One reference to a ``k4a_image_t``, and its memory as numpy asks for it."""

    __slots__ = ("__array_interface__", "__weakref__")

    __array_interface__: dict[str, object]

    def __init__(self, library: K4aLibrary, pointer: int) -> None:
        # Not at exit: the process's memory goes anyway, and by then somebody may still be looking at an array.
        weakref.finalize(self, library.c.k4a_image_release, pointer).atexit = False


def take_capture(library: K4aLibrary, handle: c.c_void_p, serial: str, index: int, arrival_nsec: int | None) -> Capture:
    """The capture behind a handle, whose reference this takes over.

    Args:
        library: where the handle comes from.
        handle: a ``k4a_capture_t``; released here, its images live on in the arrays.
        serial: whose it is.
        index: counts the device's captures.
        arrival_nsec: when it came to us, for a library whose own arrival times are on another clock; else ``None``.

    Raises:
        DeviceError: an image is not what the SDK's header promises.
    """
    sdk = library.c
    try:
        color, depth, ir = (
            _take_image(library, pointer, serial, arrival_nsec) if (pointer := get_image(handle)) else None
            for get_image in (
                sdk.k4a_capture_get_color_image,
                sdk.k4a_capture_get_depth_image,
                sdk.k4a_capture_get_ir_image,
            )
        )
        temperature_c = float("nan") if library.is_orbbec else float(sdk.k4a_capture_get_temperature_c(handle))
    finally:
        sdk.k4a_capture_release(handle)
    return Capture(serial=serial, index=index, color=color, depth=depth, ir=ir, temperature_c=temperature_c)


def _take_image(library: K4aLibrary, pointer: int, serial: str, arrival_nsec: int | None) -> Image:
    sdk = library.c
    reference = _Reference(library, pointer)
    number = sdk.k4a_image_get_format(pointer)
    if number not in _FORMATS:
        raise DeviceError(serial, f"an image came in format {number}, which no camera of an Azure Kinect has")
    image_format = _FORMATS[number]
    width_px, height_px = sdk.k4a_image_get_width_pixels(pointer), sdk.k4a_image_get_height_pixels(pointer)
    return Image(
        image_format=image_format,
        width_px=width_px,
        height_px=height_px,
        pixels=_pixels(library, reference, pointer, serial, image_format, width_px, height_px),
        device_timestamp_usec=sdk.k4a_image_get_device_timestamp_usec(pointer),
        system_timestamp_nsec=arrival_nsec or sdk.k4a_image_get_system_timestamp_nsec(pointer),
        # Orbbec's wrapper answers these out of other metadata, or with a warning for each image.
        exposure_usec=0 if library.is_orbbec else sdk.k4a_image_get_exposure_usec(pointer),
        white_balance_k=0 if library.is_orbbec else sdk.k4a_image_get_white_balance(pointer),
        iso_speed=0 if library.is_orbbec else sdk.k4a_image_get_iso_speed(pointer),
    )


def _pixels(
    library: K4aLibrary,
    reference: _Reference,
    pointer: int,
    serial: str,
    image_format: ImageFormat,
    width_px: int,
    height_px: int,
) -> NDArray[Any]:  # Any: the dtype depends on the format, see Image.pixels
    """An array over the image's own buffer, in the shape that ``Image.pixels`` has for its format."""
    address, size_bytes = library.c.k4a_image_get_buffer(pointer), library.c.k4a_image_get_size(pointer)
    if not address or not size_bytes:
        raise DeviceError(serial, f"a {image_format} image came without pixels")
    if image_format is ImageFormat.MJPG:
        shape: tuple[int, ...] = (size_bytes,)
        strides: tuple[int, ...] = (1,)
    else:
        rows = height_px * 3 // 2 if image_format is ImageFormat.NV12 else height_px
        row_bytes = image_stride_bytes(image_format, width_px)
        stride_bytes = library.c.k4a_image_get_stride_bytes(pointer) or row_bytes  # Orbbec knows none of NV12
        if stride_bytes < row_bytes or stride_bytes * (rows - 1) + row_bytes > size_bytes:
            raise DeviceError(
                serial,
                f"a {image_format} image of {width_px} x {height_px} px needs {rows} rows of {row_bytes} bytes; it "
                f"came with {size_bytes} bytes in rows of {stride_bytes}",
            )
        if image_format in _SIXTEEN_BIT:
            shape, strides = (rows, width_px), (stride_bytes, 2)
        elif image_format is ImageFormat.BGRA32:
            shape, strides = (rows, width_px, 4), (stride_bytes, 4, 1)
        else:
            shape, strides = (rows, row_bytes), (stride_bytes, 1)
    reference.__array_interface__ = {
        "version": 3,
        "shape": shape,
        "strides": strides,
        "typestr": "<u2" if image_format in _SIXTEEN_BIT else "|u1",
        "data": (address, True),
    }
    return np.asarray(reference)
