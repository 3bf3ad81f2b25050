"""Looped images: made once, whatever automatic exposure does, and never more than a few laps of them."""

import numpy as np
import pytest

from genlock.devices.sim.controls import ColorSettings
from genlock.devices.sim.loop import ImageLoop, kept_format, shown_settings
from genlock.k4a import CameraFps, DeviceConfig, ImageFormat

CONFIG = DeviceConfig(camera_fps=CameraFps.FPS_30)


def settings(exposure_usec: int, *, is_auto: bool = False) -> ColorSettings:
    return ColorSettings(exposure_usec, is_auto, 4500, 0, 128)


def test_an_image_is_made_once_for_each_look_and_step():
    loop, made = ImageLoop(), []

    def make(name):
        made.append(name)
        return (np.zeros(3, np.uint8),)

    for _ in range(3):
        loop.pixels("a", 0, lambda: make("a0"))
        loop.pixels("a", 1, lambda: make("a1"))
        loop.pixels("b", 0, lambda: make("b0"))
    assert made == ["a0", "a1", "b0"]


def test_nobody_can_write_to_a_looped_image():
    (array,) = ImageLoop().pixels("a", 0, lambda: (np.zeros(3, np.uint8),))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_looks_that_were_not_asked_for_lately_are_forgotten():
    loop, made = ImageLoop(), []

    def make(look):
        made.append(look)
        return (np.zeros(1, np.uint8),)

    for look in [*range(100), 99, 0]:
        loop.pixels(look, 0, lambda look=look: make(look))
    assert made == [*range(100), 0]


def test_automatic_exposure_looks_the_same_all_the_time():
    assert shown_settings(settings(11_000, is_auto=True), CONFIG) == shown_settings(
        settings(9_000, is_auto=True), CONFIG
    )
    assert shown_settings(settings(8_330), CONFIG).exposure_usec == 8_330
    assert shown_settings(settings(66_670), CONFIG).exposure_usec == 33_333, "cut to the frame, as in the camera"


def test_a_lap_of_bgra_is_kept_as_jpeg():
    assert kept_format(ImageFormat.BGRA32) is ImageFormat.MJPG
    assert kept_format(ImageFormat.NV12) is ImageFormat.NV12
