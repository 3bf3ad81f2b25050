"""The virtual libk4a refuses to start what the SDK refuses (``k4a.c``, ``validate_configuration``), no more."""

import pytest

from genlock.testing.rigs import chain_rig
from support.k4a_client import (
    BGRA32,
    DEPTH16,
    FAILED,
    FPS_5,
    FPS_15,
    IR16,
    MASTER,
    NFOV,
    NV12,
    OFF,
    P720,
    P1080,
    P3072,
    PASSIVE_IR,
    SUBORDINATE,
    SUCCEEDED,
    WFOV,
    YUY2,
)

# The chain's middle device has a plug in both jacks, so that it may take any role.
MIDDLE, FIRST, LAST = 1, 0, 2

REFUSED = {
    "color_format: no color format": ("color_format", {"color_format": DEPTH16}),
    "color_format: even with color off": ("color_format", {"color_format": IR16, "color_resolution": OFF}),
    "color_format: no number of the interface": ("color_format", {"color_format": -1}),
    "color_resolution above the last": ("color_resolution", {"color_resolution": 7}),
    "color_resolution below the first": ("color_resolution", {"color_resolution": -1}),
    "depth_mode above the last": ("depth_mode", {"depth_mode": 6}),
    "camera_fps above the last": ("camera_fps", {"camera_fps": 3}),
    "wired_sync_mode above the last": ("wired_sync_mode", {"wired_sync_mode": 3}),
    "a master without color": ("master", {"wired_sync_mode": MASTER, "color_resolution": OFF}),
    "a subordinate's delay above a period at 30 fps": (
        "subordinate_delay",
        {"wired_sync_mode": SUBORDINATE, "subordinate_delay_off_master_usec": 33_334},
    ),
    "a subordinate's delay above a period at 5 fps": (
        "subordinate_delay",
        {"wired_sync_mode": SUBORDINATE, "subordinate_delay_off_master_usec": 200_001, "camera_fps": FPS_5},
    ),
    "a subordinate's delay that C reads as huge": (
        "subordinate_delay",
        {"wired_sync_mode": SUBORDINATE, "subordinate_delay_off_master_usec": 0xFFFFFFFF},
    ),
    "a standalone device's delay": ("subordinate_delay", {"subordinate_delay_off_master_usec": 160}),
    "a master's delay": ("subordinate_delay", {"wired_sync_mode": MASTER, "subordinate_delay_off_master_usec": 1}),
    "a depth delay above a period": ("depth_delay", {"depth_delay_off_color_usec": 33_334}),
    "a depth delay below a period": ("depth_delay", {"depth_delay_off_color_usec": -33_334}),
    "no camera": ("camera", {"color_resolution": OFF, "depth_mode": OFF}),
    "a depth delay with color alone": ("depth_delay", {"depth_mode": OFF, "depth_delay_off_color_usec": 1}),
    "a depth delay with depth alone": ("depth_delay", {"color_resolution": OFF, "depth_delay_off_color_usec": 1}),
    "only synchronized images with color alone": (
        "synchronized_images_only",
        {"depth_mode": OFF, "synchronized_images_only": True},
    ),
    "only synchronized images with depth alone": (
        "synchronized_images_only",
        {"color_resolution": OFF, "synchronized_images_only": True},
    ),
    "WFOV_UNBINNED at 30 fps": ("WFOV_UNBINNED", {"depth_mode": WFOV}),
    "3072P at 30 fps": ("3072P", {"color_resolution": P3072}),
    "NV12 above 720P": ("NV12", {"color_format": NV12, "color_resolution": P1080}),
    "YUY2 above 720P": ("YUY2", {"color_format": YUY2, "color_resolution": P1080}),
}

ACCEPTED = {
    "standalone with plugs": {},
    "a master with a plug in Sync In": {"wired_sync_mode": MASTER},
    "a subordinate with a plug in Sync Out": {"wired_sync_mode": SUBORDINATE},
    "a subordinate with depth alone": {"wired_sync_mode": SUBORDINATE, "color_resolution": OFF},
    "a subordinate with color alone": {"wired_sync_mode": SUBORDINATE, "depth_mode": OFF},
    "a subordinate's delay of exactly a period": {
        "wired_sync_mode": SUBORDINATE,
        "subordinate_delay_off_master_usec": 33_333,
    },
    "a depth delay of exactly a period": {"depth_delay_off_color_usec": 33_333},
    "a depth delay of exactly minus a period": {"depth_delay_off_color_usec": -33_333},
    "WFOV_UNBINNED at 15 fps": {"depth_mode": WFOV, "camera_fps": FPS_15},
    "3072P at 15 fps": {"color_resolution": P3072, "camera_fps": FPS_15},
    "NV12 at 720P": {"color_format": NV12, "color_resolution": P720},
    "BGRA32 with only synchronized images": {"color_format": BGRA32, "synchronized_images_only": True},
    "passive IR at 30 fps": {"depth_mode": PASSIVE_IR},
    "without the streaming light": {"disable_streaming_indicator": True},
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_sdk_s_start_rules_refuse(serve, what):
    reason, fields = REFUSED[what]
    k4a, virtual = serve(chain_rig(3))
    with k4a.opened(MIDDLE) as device:
        assert device.start(**fields) == FAILED
        assert reason in virtual.server.refusals[-1]
        assert device.start(depth_mode=NFOV) == SUCCEEDED, "a refusal leaves no trace"


@pytest.mark.parametrize("what", ACCEPTED)
def test_the_sdk_s_start_rules_accept(serve, what):
    k4a, _ = serve(chain_rig(3))
    with k4a.opened(MIDDLE) as device:
        assert device.start(**ACCEPTED[what]) == SUCCEEDED


def test_a_role_needs_its_plug(serve):
    k4a, virtual = serve(chain_rig(3))
    with k4a.opened(FIRST) as device:
        assert device.jacks() == (False, True)
        assert device.start(wired_sync_mode=SUBORDINATE) == FAILED
        assert "Sync In" in virtual.server.refusals[-1]
        assert device.start(wired_sync_mode=MASTER) == SUCCEEDED
    with k4a.opened(LAST) as device:
        assert device.jacks() == (True, False)
        assert device.start(wired_sync_mode=MASTER) == FAILED
        assert "Sync Out" in virtual.server.refusals[-1]
        assert device.start(wired_sync_mode=SUBORDINATE) == SUCCEEDED


def test_cameras_start_once_until_they_are_stopped(serve):
    k4a, virtual = serve(chain_rig(1))
    with k4a.opened() as device:
        assert device.start() == SUCCEEDED
        assert device.start() == FAILED
        assert "run already" in virtual.server.refusals[-1]
        device.capture()
        device.stop()
        device.stop()
        assert device.start() == SUCCEEDED
        device.capture()
