"""Every mode, format and frame rate: sizes, strides, stamps, rate. Run by a pytest inside ``genlock virtual``.

The SDK's ``color_ft`` and ``depth_ft`` run each for four seconds; ``SUITE_FULL`` does the same, without it a few
frames of a selection must do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from conformance.virtual_suite.device_api import (
    COLOR_SIZES,
    DEPTH_SIZES,
    SUCCEEDED,
    Capture,
    Config,
    Depth,
    Format,
    Fps,
    Picture,
    Resolution,
    opened,
)

IS_FULL = bool(os.environ.get("SUITE_FULL"))

COLOR_MODES = [
    (image_format, resolution, fps)
    for image_format in (Format.MJPG, Format.NV12, Format.YUY2, Format.BGRA32)
    for resolution in COLOR_SIZES
    for fps in Fps
    if (image_format not in (Format.NV12, Format.YUY2) or resolution == Resolution.R720P)
    and (resolution != Resolution.R3072P or fps != Fps.F30)
]
DEPTH_MODES = [(depth, fps) for depth in DEPTH_SIZES for fps in Fps if depth != Depth.WFOV_UNBINNED or fps != Fps.F30]
QUICK_COLOR = [mode for mode in COLOR_MODES if mode[2] == (Fps.F5 if mode[0] == Format.BGRA32 else Fps.F15)]
QUICK_DEPTH = [mode for mode in DEPTH_MODES if mode[1] == Fps.F15] + [(Depth.NFOV_UNBINNED, Fps.F5)]


def _bytes_per_row(image_format: int, width_px: int) -> int:
    return {Format.MJPG: 0, Format.NV12: 1, Format.YUY2: 2, Format.BGRA32: 4, Format.DEPTH16: 2, Format.IR16: 2}[
        Format(image_format)
    ] * width_px


def _check_picture(picture: Picture | None, image_format: Format, size_px: tuple[int, int]) -> None:
    assert picture is not None
    width_px, height_px = size_px
    assert picture.format == image_format
    assert (picture.width_pixels, picture.height_pixels) == size_px
    assert picture.stride_bytes == _bytes_per_row(image_format, width_px)
    assert picture.buffer
    if image_format == Format.MJPG:
        content = picture.pixels()
        # The buffer may end with padding behind the end-of-image marker, as a camera's does.
        assert content[:2] == b"\xff\xd8"
        assert b"\xff\xd9" in content[-4096:]
    else:
        rows = height_px * 3 // 2 if image_format == Format.NV12 else height_px
        assert picture.size == picture.stride_bytes * rows


def _run(config: Config, check: Callable[[Capture], None]) -> None:
    """Some captures, each right by itself, whole periods apart; at full length all of them, as fast as asked for."""
    fps = Fps(config.camera_fps)
    count = 4 * fps.hz if IS_FULL else 5
    with opened(0) as [device]:
        assert device.start(config) == SUCCEEDED
        device.capture().release()
        begin = time.monotonic()
        stamps = []
        for _ in range(count):
            with device.capture(2_000) as capture:
                check(capture)
                picture = capture.color or capture.ir
                assert picture is not None
                stamps.append(picture.device_timestamp_usec)
        lasted_sec = time.monotonic() - begin
        steps = [b - a for a, b in pairwise(stamps)]
        assert min(steps) > 0
        assert all(abs(step / fps.period_usec - round(step / fps.period_usec)) < 0.1 for step in steps), steps
        if IS_FULL:
            assert sum(step < 1.1 * fps.period_usec for step in steps) >= 0.95 * len(steps), steps
            # The first image may have been read late, and up to seven wait behind it.
            assert abs(lasted_sec - count / fps.hz) < 0.1 * count / fps.hz + 3 / fps.hz


@pytest.mark.parametrize(
    ("image_format", "resolution", "fps"), COLOR_MODES if IS_FULL else QUICK_COLOR, ids=lambda value: value.name
)
def test_a_color_mode_has_its_size_and_rate(image_format: Format, resolution: Resolution, fps: Fps) -> None:
    def check(capture: Capture) -> None:
        assert capture.depth is None
        assert capture.ir is None
        _check_picture(capture.color, image_format, COLOR_SIZES[resolution])

    _run(Config(color_format=image_format, color_resolution=resolution, camera_fps=fps), check)


@pytest.mark.parametrize(("depth", "fps"), DEPTH_MODES if IS_FULL else QUICK_DEPTH, ids=lambda value: value.name)
def test_a_depth_mode_has_its_size_and_rate(depth: Depth, fps: Fps) -> None:
    def check(capture: Capture) -> None:
        assert capture.color is None
        _check_picture(capture.ir, Format.IR16, DEPTH_SIZES[depth])
        if depth == Depth.PASSIVE_IR:
            assert capture.depth is None
        else:
            _check_picture(capture.depth, Format.DEPTH16, DEPTH_SIZES[depth])

    _run(Config(depth_mode=depth, camera_fps=fps), check)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            Config(color_format=Format.NV12, color_resolution=Resolution.R720P),
            Config(color_format=Format.YUY2, color_resolution=Resolution.R720P),
        ),
        (
            Config(depth_mode=Depth.NFOV_UNBINNED, camera_fps=Fps.F15),
            Config(depth_mode=Depth.NFOV_2X2BINNED, camera_fps=Fps.F15),
        ),
    ],
    ids=["color", "depth"],
)
def test_a_changed_mode_changes_the_very_first_image(first: Config, second: Config) -> None:
    with opened(0) as [device]:
        for config in (first, second, first):
            assert device.start(config) == SUCCEEDED
            with device.capture() as capture:
                if config.depth_mode:
                    size_px = DEPTH_SIZES[Depth(config.depth_mode)]
                    _check_picture(capture.depth, Format.DEPTH16, size_px)
                    _check_picture(capture.ir, Format.IR16, size_px)
                else:
                    _check_picture(capture.color, Format(config.color_format), COLOR_SIZES[Resolution.R720P])
            device.stop()


def test_passive_infrared_pairs_with_color_and_has_no_depth() -> None:
    config = Config(
        color_resolution=Resolution.R1080P, depth_mode=Depth.PASSIVE_IR, synchronized_images_only=1, camera_fps=Fps.F15
    )
    with opened(0) as [device]:
        assert device.start(config) == SUCCEEDED
        for _ in range(5):
            with device.capture() as capture:
                _check_picture(capture.color, Format.MJPG, COLOR_SIZES[Resolution.R1080P])
                _check_picture(capture.ir, Format.IR16, DEPTH_SIZES[Depth.PASSIVE_IR])
                assert capture.depth is None
