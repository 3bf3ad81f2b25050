"""Captures look into the SDK's own buffers, which live exactly as long as somebody looks."""

import ctypes
import gc
from typing import Any

import numpy as np
import pytest

from genlock.capture import Capture
from genlock.devices.native import NativeBackend
from genlock.devices.native.device import NativeDevice
from genlock.errors import DeviceError
from genlock.k4a import ColorResolution, DepthMode, DeviceConfig, ImageFormat

FIRST = "000000000001"
CONFIG = DeviceConfig(color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_UNBINNED)


@pytest.fixture
def device(backend: NativeBackend) -> NativeDevice:
    device = backend.open(FIRST)
    device.arm(CONFIG)
    device.start()
    return device


def next_capture(fake: Any, device: NativeDevice) -> Capture:
    fake.fake_deliver(0, 1)
    return device.next_capture(5)


def address(pixels: np.ndarray) -> int:
    return int(pixels.__array_interface__["data"][0])


def test_a_capture_carries_what_the_sdk_says_of_it(fake: Any, device: NativeDevice):
    capture = next_capture(fake, device)
    color = capture.color
    assert (capture.serial, capture.index, capture.temperature_c) == (FIRST, 0, 41.5)
    assert color is not None
    assert (color.image_format, color.width_px, color.height_px) == (ImageFormat.MJPG, 4, 2)
    assert (color.device_timestamp_usec, color.system_timestamp_nsec) == (33333, 123456789)
    assert (color.exposure_usec, color.white_balance_k, color.iso_speed) == (8330, 4500, 100)
    assert [image.image_format for image in capture.images] == [ImageFormat.MJPG, ImageFormat.DEPTH16, ImageFormat.IR16]


def test_padded_rows_are_read_by_their_stride(fake: Any, device: NativeDevice):
    """The fake fills byte i with i; its depth rows are 8 bytes of pixels and 8 of padding."""
    depth = next_capture(fake, device).depth
    assert depth is not None
    expected = [[256 * (row * 16 + 2 * x + 1) + row * 16 + 2 * x for x in range(4)] for row in range(3)]
    assert depth.pixels.dtype == np.uint16
    assert depth.pixels.tolist() == expected


@pytest.mark.parametrize(
    ("image_format", "shape"),
    [
        (ImageFormat.MJPG, (7,)),
        (ImageFormat.NV12, (3, 4)),
        (ImageFormat.YUY2, (2, 8)),
        (ImageFormat.BGRA32, (2, 4, 4)),
    ],
)
def test_every_color_format_has_the_shape_of_the_house(
    fake: Any, device: NativeDevice, image_format: ImageFormat, shape: tuple[int, ...]
):
    fake.fake_color_format(image_format.sdk_value)
    color = next_capture(fake, device).color
    assert color is not None
    assert color.pixels.shape == shape
    assert color.pixels.dtype == np.uint8
    stride = 0 if len(shape) == 1 else color.pixels.strides[0]
    row_bytes = 0 if len(shape) == 1 else shape[1] * (shape[2] if len(shape) > 2 else 1)
    assert stride == (row_bytes + 8 if row_bytes else 0)
    assert color.pixels.ravel()[1] == 1
    assert len(shape) == 1 or color.pixels[1].ravel()[0] == stride


def test_nothing_is_copied(fake: Any, device: NativeDevice):
    depth = next_capture(fake, device).depth
    assert depth is not None
    ctypes.c_uint16.from_address(address(depth.pixels)).value = 4711
    assert depth.pixels[0, 0] == 4711
    assert not depth.pixels.flags.writeable


def test_an_image_lives_as_long_as_anything_looks_into_it(fake: Any, device: NativeDevice):
    """A slice of a view of the array counts; the capture's own reference is gone at once."""
    capture = next_capture(fake, device)
    assert (fake.fake_live_captures(), fake.fake_live_images()) == (0, 3)
    assert capture.depth is not None
    corner = capture.depth.pixels[1:, 1:].view(np.int16)
    del capture
    assert fake.fake_live_images() == 1
    assert corner.tolist()[0][0] == 256 * 19 + 18  # freed memory would be 0xEE
    del corner
    assert fake.fake_live_images() == 0


def test_images_outlive_their_device(fake: Any, device: NativeDevice):
    capture = next_capture(fake, device)
    device.close()
    assert capture.ir is not None
    assert capture.ir.pixels[0, 1] == 256 * 3 + 2


def test_many_captures_leave_nothing_behind(fake: Any, device: NativeDevice):
    gc.collect()
    gc.disable()  # references must go by themselves, not by a collection
    try:
        fake.fake_deliver(0, 2000)
        for _ in range(2000):
            device.next_capture(5)
            assert fake.fake_live_images() <= 3
    finally:
        gc.enable()
    assert fake.fake_live_images() == 0


@pytest.mark.parametrize(("color_format", "short_by"), [(3, 9), (8, 0), (0, 7)])
def test_an_image_that_is_not_what_it_says_is_refused_and_freed(
    fake: Any, device: NativeDevice, color_format: int, short_by: int
):
    """Too few bytes, a format that no camera has, no bytes at all."""
    fake.fake_color_format(color_format)
    fake.fake_short_by(short_by)
    with pytest.raises(DeviceError, match="image"):
        next_capture(fake, device)
    assert (fake.fake_live_captures(), fake.fake_live_images()) == (0, 0)
