"""The SDK's start rules, rule by rule and in its order."""

from dataclasses import replace
from itertools import product

import pytest

from genlock.k4a import (
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    ImageFormat,
    SyncJacks,
    WiredSyncMode,
    start_refusals,
)

MASTER, SUBORDINATE, STANDALONE = WiredSyncMode.MASTER, WiredSyncMode.SUBORDINATE, WiredSyncMode.STANDALONE
BOTH = DeviceConfig(color_resolution=ColorResolution.RES_1080P, depth_mode=DepthMode.NFOV_UNBINNED)
DEPTH_ONLY = replace(BOTH, color_resolution=ColorResolution.OFF)
COLOR_ONLY = replace(BOTH, depth_mode=DepthMode.OFF)
UNPLUGGED = SyncJacks(False, False)
AT_15_FPS = replace(BOTH, camera_fps=CameraFps.FPS_15)


def codes(config, jacks=None):
    return [refusal.code for refusal in start_refusals(config, jacks)]


def subordinate(delay_usec, fps=30):
    return replace(
        BOTH, wired_sync_mode=SUBORDINATE, subordinate_delay_off_master_usec=delay_usec, camera_fps=CameraFps(fps)
    )


@pytest.mark.parametrize(
    ("config", "jacks", "expected"),
    [
        (BOTH, None, []),
        (replace(BOTH, color_format=ImageFormat.DEPTH16), None, ["color_format"]),
        (replace(DEPTH_ONLY, color_format=ImageFormat.IR16), None, ["color_format"]),  # even with color off
        # Plugs: only these two are looked at.
        (replace(BOTH, wired_sync_mode=SUBORDINATE), UNPLUGGED, ["sync_in_missing"]),
        (replace(BOTH, wired_sync_mode=SUBORDINATE), SyncJacks(False, True), ["sync_in_missing"]),
        (replace(BOTH, wired_sync_mode=SUBORDINATE), SyncJacks(True, True), []),
        (replace(BOTH, wired_sync_mode=MASTER), UNPLUGGED, ["sync_out_missing"]),
        (replace(BOTH, wired_sync_mode=MASTER), SyncJacks(True, False), ["sync_out_missing"]),
        (replace(BOTH, wired_sync_mode=MASTER), SyncJacks(True, True), []),
        (BOTH, SyncJacks(True, True), []),
        # Roles
        (replace(DEPTH_ONLY, wired_sync_mode=MASTER), None, ["master_without_color"]),
        (replace(DEPTH_ONLY, wired_sync_mode=SUBORDINATE), None, []),
        (replace(COLOR_ONLY, wired_sync_mode=SUBORDINATE), None, []),
        # Subordinate delay: one frame period, the end included
        (subordinate(33333), None, []),
        (subordinate(33334), None, ["subordinate_delay_out_of_range"]),
        (subordinate(-1), None, ["subordinate_delay_out_of_range"]),
        (subordinate(66666, 15), None, []),
        (subordinate(66667, 15), None, ["subordinate_delay_out_of_range"]),
        (subordinate(200000, 5), None, []),
        (subordinate(200001, 5), None, ["subordinate_delay_out_of_range"]),
        (replace(BOTH, subordinate_delay_off_master_usec=1), None, ["subordinate_delay_on_non_subordinate"]),
        (
            replace(BOTH, wired_sync_mode=MASTER, subordinate_delay_off_master_usec=1),
            None,
            ["subordinate_delay_on_non_subordinate"],
        ),
        # Depth delay: one frame period both ways
        (replace(BOTH, depth_delay_off_color_usec=33333), None, []),
        (replace(BOTH, depth_delay_off_color_usec=-33333), None, []),
        (replace(BOTH, depth_delay_off_color_usec=-33334), None, ["depth_delay_out_of_range"]),
        (replace(AT_15_FPS, depth_delay_off_color_usec=66667), None, ["depth_delay_out_of_range"]),
        # One camera or none
        (DeviceConfig(), None, ["no_camera"]),
        (replace(DEPTH_ONLY, depth_delay_off_color_usec=1), None, ["depth_delay_with_one_camera"]),
        (replace(COLOR_ONLY, depth_delay_off_color_usec=-1), None, ["depth_delay_with_one_camera"]),
        (replace(COLOR_ONLY, synchronized_images_only=True), None, ["synchronized_images_only_with_one_camera"]),
        (replace(BOTH, synchronized_images_only=True), None, []),
        # Modes
        (replace(BOTH, depth_mode=DepthMode.WFOV_UNBINNED), None, ["fps_too_high_for_depth_mode"]),
        (replace(AT_15_FPS, depth_mode=DepthMode.WFOV_UNBINNED), None, []),
        (
            replace(BOTH, color_resolution=ColorResolution.RES_3072P),
            None,
            ["fps_too_high_for_color_resolution"],
        ),
        (replace(AT_15_FPS, color_resolution=ColorResolution.RES_3072P), None, []),
        (replace(BOTH, color_format=ImageFormat.NV12), None, ["color_format_not_at_resolution"]),
        (replace(BOTH, color_format=ImageFormat.YUY2), None, ["color_format_not_at_resolution"]),
        (replace(BOTH, color_format=ImageFormat.BGRA32), None, []),
        # Two reasons at once come in the SDK's order.
        (
            replace(BOTH, depth_delay_off_color_usec=99999, depth_mode=DepthMode.WFOV_UNBINNED),
            None,
            ["depth_delay_out_of_range", "fps_too_high_for_depth_mode"],
        ),
    ],
)
def test_the_sdk_refuses_for_these_reasons(config, jacks, expected):
    assert codes(config, jacks) == expected


def test_every_mode_combination_agrees_with_the_sdks_table():
    for depth_mode, color_resolution, color_format, fps in product(
        DepthMode, ColorResolution, list(ImageFormat)[:4], CameraFps
    ):
        config = DeviceConfig(
            depth_mode=depth_mode, color_resolution=color_resolution, color_format=color_format, camera_fps=fps
        )
        is_on = (depth_mode, color_resolution) != (DepthMode.OFF, ColorResolution.OFF)
        too_fast = fps == 30 and (depth_mode == "WFOV_UNBINNED" or color_resolution == "3072P")
        only_720p = color_format in ("NV12", "YUY2") and color_resolution not in ("720P", "OFF")
        assert (not codes(config)) == (is_on and not too_fast and not only_720p), config


def test_every_refusal_says_what_to_do():
    for config in (DeviceConfig(), subordinate(99999), replace(DEPTH_ONLY, wired_sync_mode=MASTER)):
        for refusal in start_refusals(config, UNPLUGGED):
            assert refusal.message and refusal.remedy
