"""Lasers that meet in time and space spoil each other's depth; those that do not, leave it alone."""

import numpy as np
import pytest

from genlock.devices import ColorControl, ColorControlValue
from genlock.devices.scenario import Scenario, SceneName, TimingModel
from genlock.devices.sim import SimBackend
from genlock.devices.sim.flashes import overlapped_pulses
from genlock.devices.sim.placement import stage_poses
from genlock.k4a import PULSE_TRAINS, ColorResolution, DepthMode, DeviceConfig, WiredSyncMode
from genlock.k4a.calibration import DeviceCalibration
from genlock.rig import parse_rig
from genlock.testing.rigs import chain_rig, rig_toml, serials

MASTER, SUB = serials(2)
SHORT, LONG = PULSE_TRAINS[DepthMode.NFOV_UNBINNED], PULSE_TRAINS[DepthMode.WFOV_UNBINNED]


def depth_of(sub_delay_usec, rig=None, mode=DepthMode.NFOV_2X2BINNED, sub_mode=DepthMode.NFOV_2X2BINNED, count=12):
    """The subordinate's depth images (N, H, W) with this depth delay, the master's at 0."""
    timing = TimingModel(master_depth_deviation_ticks=0, oscillator_ppm=0.0)
    scenario = Scenario(scene=SceneName.EMPTY_ROOM, timing=timing)
    with SimBackend(rig or chain_rig(2), scenario=scenario) as backend, backend.clock.participate():
        devices = {serial: backend.open(serial) for serial in (SUB, MASTER)}
        for serial, device in devices.items():
            is_master = serial == MASTER
            # Automatic exposure would move the devices, and their lasers, apart.
            manual = ColorControlValue(is_manual=True, value=8_330)
            device.set_color_control(ColorControl.EXPOSURE_TIME_ABSOLUTE, manual)
            device.arm(
                DeviceConfig(
                    color_resolution=ColorResolution.RES_720P,
                    depth_mode=mode if is_master else sub_mode,
                    depth_delay_off_color_usec=0 if is_master else sub_delay_usec,
                    wired_sync_mode=WiredSyncMode.MASTER if is_master else WiredSyncMode.SUBORDINATE,
                    synchronized_images_only=True,
                )
            )
            device.start()
        images = []
        while len(images) < count:
            devices[MASTER].next_capture(10)
            images.append(devices[SUB].next_capture(10).depth.pixels)
        calibration = DeviceCalibration.from_json(devices[SUB].raw_calibration())
    return np.stack(images).astype(float), calibration


def holes(stack):
    """Share of pixels, among those that ever see something, without depth."""
    seen = (stack > 0).any(axis=0)
    return 1 - (stack[:, seen] > 0).mean()


def noise_mm(stack, where):
    """Median noise of these pixels, over the images in which they have depth."""
    return np.median(np.nanstd(np.where(stack > 0, stack, np.nan)[:, where], axis=0))


@pytest.mark.parametrize(
    ("train", "other", "apart_usec", "pulses"),
    [
        (SHORT, SHORT, 0, 9),
        (SHORT, SHORT, 124, 9),
        (SHORT, SHORT, 125, 0),
        (SHORT, SHORT, 160, 0),
        # Slot ten comes round: 9 * 160 = 1440 us, 135 us before the first camera's next pulse; ten at 160 leave 10 us.
        (SHORT, SHORT, 1451, 8),
        (SHORT, SHORT, 1575, 8),
        (SHORT, SHORT, 9 * 1575, 0),
        # Trains of different step meet here and there whatever their delay.
        (SHORT, LONG, 0, 1),
    ],
)
def test_pulses_overlap_as_their_trains_say(train, other, apart_usec, pulses):
    assert overlapped_pulses(train, other, apart_usec) == pulses
    assert overlapped_pulses(train, other, -apart_usec) == pulses


def test_lasers_that_fire_together_spoil_depth_and_staggered_ones_do_not():
    together, _ = depth_of(0)
    staggered, _ = depth_of(160)
    assert holes(staggered) < 0.05
    assert holes(together) > holes(staggered) + 0.2
    # Of nine spoiled pulses' pixels one in five survives: three or more of twelve.
    spoiled = ((together > 0).sum(axis=0) < 9) & ((together > 0).sum(axis=0) >= 3) & (staggered > 0).all(axis=0)
    assert spoiled.sum() > 1_000
    assert noise_mm(together, spoiled) > 3 * noise_mm(staggered, spoiled)


def test_fewer_overlapped_pulses_spoil_less():
    # 7 * 1575 us apart only two of nine pulses meet.
    few, _ = depth_of(7 * 1575)
    together, _ = depth_of(0)
    staggered, _ = depth_of(160)
    assert holes(staggered) < holes(few) < holes(together)


def test_only_the_space_that_both_see_is_spoiled():
    together, calibration = depth_of(0)
    camera = calibration.depth_camera(DepthMode.NFOV_2X2BINNED)
    v, u = np.mgrid[0 : together.shape[1], 0 : together.shape[2]]
    rays, _ = camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    depth_mm = together.max(axis=0).ravel()
    poses = stage_poses(chain_rig(2))
    points = (poses[MASTER].inverse() @ poses[SUB]).apply(rays * depth_mm[:, None] / 1000)
    ahead = points[:, 2] > 0.1
    x, y = np.abs(points[:, 0]) / points[:, 2], np.abs(points[:, 1]) / points[:, 2]
    in_field = ahead & (x < np.tan(np.deg2rad(37.5))) & (y < np.tan(np.deg2rad(32.5)))
    # A tenth aside, since noise moves points across the field's edge.
    out_of_field = ~ahead | (x > 1.1 * np.tan(np.deg2rad(37.5))) | (y > 1.1 * np.tan(np.deg2rad(32.5)))
    stack = together.reshape(len(together), -1)
    seen = depth_mm > 0
    assert (seen & out_of_field).sum() > 1_000
    assert holes(stack[:, seen & in_field]) > 0.5
    assert holes(stack[:, seen & out_of_field]) < 0.05


def test_devices_that_look_apart_do_not_disturb_each_other():
    # Side by side, back to back: identity, and half a turn about the vertical.
    per_device = {
        MASTER: {"position_m": [0, 0, 0], "rotation_wxyz": [1, 0, 0, 0]},
        SUB: {"position_m": [0, 0, -0.2], "rotation_wxyz": [0, 0, 1, 0]},
    }
    together, _ = depth_of(0, rig=parse_rig(rig_toml(2, per_device=per_device)))
    assert holes(together) < 0.05


def test_passive_infrared_disturbs_nobody():
    together, _ = depth_of(0, mode=DepthMode.PASSIVE_IR)
    assert holes(together) < 0.05
