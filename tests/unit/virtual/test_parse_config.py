"""A C program's configuration, number by number."""

import pytest

from genlock.k4a import CameraFps, ColorResolution, DepthMode, ImageFormat, WiredSyncMode
from genlock.virtual.visit import parse_config

GOOD = (0, 1, 2, 2, 0, 0, 0, 0, 0, 0)


def test_every_field_arrives():
    config = parse_config((3, 6, 5, 0, 1, -160, 2, 320, 1, 0))
    assert config.color_format is ImageFormat.BGRA32
    assert config.color_resolution is ColorResolution.RES_3072P
    assert config.depth_mode is DepthMode.PASSIVE_IR
    assert config.camera_fps is CameraFps.FPS_5
    assert config.synchronized_images_only and config.disable_streaming_indicator
    assert config.depth_delay_off_color_usec == -160
    assert config.wired_sync_mode is WiredSyncMode.SUBORDINATE
    assert config.subordinate_delay_off_master_usec == 320
    assert parse_config((*GOOD[:7], -1, 0, 0)).subordinate_delay_off_master_usec == 0xFFFFFFFF, "unsigned in C"


@pytest.mark.parametrize(
    ("place", "name"),
    [(0, "color_format"), (1, "color_resolution"), (2, "depth_mode"), (3, "camera_fps"), (6, "wired_sync_mode")],
)
@pytest.mark.parametrize("number", [-1, 7, 1 << 30])
def test_a_number_that_the_interface_does_not_know_is_named(place, name, number):
    fields = [*GOOD]
    fields[place] = number
    with pytest.raises(ValueError, match=name):
        parse_config(tuple(fields))


def test_the_first_one_in_the_sdk_s_order_is_named():
    with pytest.raises(ValueError, match="color_format"):
        parse_config((9, 9, 9, 9, 0, 0, 9, 0, 0, 0))
