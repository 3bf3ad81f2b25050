"""Each fault does what it says, to whom it says, and when. Lenses are capped but where images are at stake."""

import itertools
import json
from contextlib import contextmanager

import numpy as np
import pytest

from genlock.devices import ColorControl, ColorControlValue
from genlock.devices.scenario import Firmware, Scenario, SceneName, StampClock, TimingModel, parse_fault
from genlock.devices.sim import SimBackend
from genlock.errors import CaptureTimeoutError, DeviceLostError, DeviceOpenError, DeviceStartError, OpenFailure
from genlock.k4a import ColorResolution, DepthMode, DeviceConfig, SyncJacks, WiredSyncMode
from genlock.pixels import to_rgb
from genlock.rig import parse_rig
from genlock.testing.rigs import chain_rig, rig_toml, serials

MASTER, SUB_1, SUB_2 = serials(3)
EXPOSURE = ColorControl.EXPOSURE_TIME_ABSOLUTE
ONE_TICK_USEC = 12
PERIOD_USEC = 33_333


def config(serial, **changes):
    settings = {
        "color_resolution": ColorResolution.RES_720P,
        "depth_mode": DepthMode.NFOV_2X2BINNED,
        "wired_sync_mode": WiredSyncMode.MASTER if serial == MASTER else WiredSyncMode.SUBORDINATE,
    }
    return DeviceConfig(**{**settings, **changes})


@contextmanager
def running(*faults, scene=SceneName.DARK, rig=None, exposure_usec=8_330, order=(SUB_2, SUB_1, MASTER), **timing):
    """A chain of three with these faults, started in the right order."""
    scenario = Scenario(
        scene=scene, faults=tuple(map(parse_fault, faults)), timing=TimingModel(**{"oscillator_ppm": 0.0, **timing})
    )
    with SimBackend(rig or chain_rig(3), scenario=scenario) as backend, backend.clock.participate():
        devices = {serial: backend.open(serial) for serial in order}
        for serial, device in devices.items():
            if exposure_usec:
                device.set_color_control(EXPOSURE, ColorControlValue(is_manual=True, value=exposure_usec))
            is_triggered = rig is not None
            device.arm(config(serial, **({"wired_sync_mode": WiredSyncMode.SUBORDINATE} if is_triggered else {})))
            device.start()
        yield backend, devices


def read(devices, count):
    """``count`` captures of every device, taken in turn."""
    rounds = [{serial: device.next_capture(10) for serial, device in devices.items()} for _ in range(count)]
    return {serial: [each[serial] for each in rounds] for serial in devices}


def color_usec(captures):
    return np.array([capture.color.device_timestamp_usec for capture in captures if capture.color is not None])


def true_lag_usec(capture):
    """Arrival less stamp: the zero of the device's clock in true time, plus transfer and jitter."""
    return capture.color.system_timestamp_nsec / 1000 - capture.color.device_timestamp_usec


def test_without_faults_nothing_goes_wrong():
    with running() as (_, devices):
        found = read(devices, 100)
    for captures in found.values():
        assert all(len(capture.images) == 3 for capture in captures)
        assert (np.abs(np.diff(color_usec(captures)) - PERIOD_USEC) <= ONE_TICK_USEC).all()


@pytest.mark.parametrize("kind", ["cable_pulled", "dead_port", "free_running"])
def test_a_freed_subordinates_stamps_drift_where_they_count_time(kind):
    # It runs 500 ppm slow from the first second on: at 4 s it lies 1500 us behind.
    with running(f"{kind}@1s:{SUB_1}=-500", stamp_clock=StampClock.OWN) as (_, devices):
        found = read(devices, 114)
    late_usec = color_usec(found[SUB_1]) - color_usec(found[MASTER])
    seconds = color_usec(found[MASTER]) / 1e6
    assert (np.abs(late_usec[seconds < 0.95]) <= ONE_TICK_USEC).all()
    expected_usec = 500 * (seconds[-1] - 1)
    # One frame more or less of 500 ppm is 17 us.
    assert late_usec[-1] == pytest.approx(expected_usec, abs=ONE_TICK_USEC + 17)


def test_a_freed_subordinates_stamps_stay_perfect_where_they_count_frames():
    slow = f"cable_pulled@1s:{SUB_1}=-5000"
    with running(slow, stamp_clock=StampClock.DISCIPLINED, transfer_jitter_usec=0.0) as (_, devices):
        found = read(devices, 114)
    late_usec = color_usec(found[SUB_1]) - color_usec(found[MASTER])
    assert (np.abs(late_usec) <= ONE_TICK_USEC).all()
    # Arrivals tell: 5000 ppm of three seconds are 15 ms.
    lag_usec = np.array([true_lag_usec(capture) for capture in found[SUB_1]])
    assert lag_usec[-1] - lag_usec[0] == pytest.approx(15_000, abs=400)


def test_a_pulled_cable_frees_all_behind_it_and_the_jack_shows_it():
    with running(f"cable_pulled@1s-3s:{SUB_1}=-500") as (_, devices):
        before = devices[SUB_1].sync_jacks()
        read(devices, 60)
        during = devices[SUB_1].sync_jacks()
        found = read(devices, 5)
        behind_usec = color_usec(found[SUB_1])[-1] - color_usec(found[MASTER])[-1]
        read(devices, 40)
        after = devices[SUB_1].sync_jacks()
        again = read(devices, 5)
    assert (before, during, after) == (SyncJacks(True, True), SyncJacks(False, True), SyncJacks(True, True))
    assert behind_usec > 300
    assert abs(color_usec(again[SUB_1])[-1] - color_usec(again[MASTER])[-1]) <= ONE_TICK_USEC


def test_the_last_in_the_chain_loses_the_pulses_with_the_one_before_it():
    with running(f"cable_pulled:{SUB_1}", order=(SUB_2, MASTER)) as (_, devices):
        with pytest.raises(CaptureTimeoutError, match="no sync pulse"):
            devices[SUB_2].next_capture(5)
        assert devices[MASTER].next_capture(5).images


def test_a_plug_in_the_wrong_jack_refuses_to_start():
    with (
        pytest.raises(DeviceStartError) as caught,
        running(f"wrong_jack:{SUB_2}"),
    ):
        pass
    assert caught.value.code == "sync_in_missing"


def test_a_dead_port_starts_and_hears_nothing():
    with running(f"dead_port:{SUB_2}") as (_, devices):
        assert devices[SUB_2].sync_jacks() == SyncJacks(True, False)
        with pytest.raises(CaptureTimeoutError, match="no sync pulse"):
            devices[SUB_2].next_capture(5)


def test_a_master_that_dies_is_lost_and_its_pulses_end():
    with running(f"device_dies@1s:{MASTER}", oscillator_ppm=200.0, stamp_clock=StampClock.OWN) as (backend, devices):
        with pytest.raises(DeviceLostError, match="no power"):
            read({MASTER: devices[MASTER]}, 100)
        assert backend.clock.now_nsec() < 2e9, "it wakes whoever waits"
        read({SUB_1: devices[SUB_1], SUB_2: devices[SUB_2]}, 100)
        found = read({SUB_1: devices[SUB_1], SUB_2: devices[SUB_2]}, 5)
        apart_usec = color_usec(found[SUB_1])[-1] - color_usec(found[SUB_2])[-1]
    assert abs(apart_usec) > 2 * ONE_TICK_USEC, "both go by their own oscillators now"


def test_a_device_that_is_unplugged_must_be_opened_again():
    with running(f"usb_unplugged@1s-2s:{SUB_1}") as (backend, devices):
        with pytest.raises(DeviceLostError, match="USB"):
            read({SUB_1: devices[SUB_1]}, 100)
        assert SUB_1 not in [info.serial for info in backend.devices()]
        devices[SUB_1].close()
        with pytest.raises(DeviceOpenError) as caught:
            backend.open(SUB_1)
        assert caught.value.failure is OpenFailure.NOT_FOUND
        # The pulses still reach the one behind it.
        captures = read({SUB_2: devices[SUB_2], MASTER: devices[MASTER]}, 60)
        assert abs(color_usec(captures[SUB_2])[-1] - color_usec(captures[MASTER])[-1]) % PERIOD_USEC <= ONE_TICK_USEC
        again = backend.open(SUB_1)
        again.arm(config(SUB_1))
        again.start()
        assert again.next_capture(5).images


def test_a_device_that_was_gone_for_a_moment_is_lost_to_its_old_handle():
    with running(f"usb_unplugged@1s-1.1s:{SUB_1}") as (backend, devices):
        backend.clock.sleep(3)
        with pytest.raises(DeviceLostError):
            devices[SUB_1].sync_jacks()


def test_a_device_that_hangs_says_nothing_and_still_stops():
    with running(f"device_hangs@1s:{SUB_1}") as (_, devices):
        with pytest.raises(CaptureTimeoutError):
            read({SUB_1: devices[SUB_1]}, 100)
        assert devices[SUB_1].take_imu() == ()
        devices[SUB_1].stop()
        # It still repeats pulses.
        captures = read({SUB_2: devices[SUB_2], MASTER: devices[MASTER]}, 30)
        assert abs(color_usec(captures[SUB_2])[-1] - color_usec(captures[MASTER])[-1]) % PERIOD_USEC <= ONE_TICK_USEC


def test_a_starved_device_delivers_color_without_depth():
    with running(f"usb_starved@1s:{SUB_1}=0.5") as (_, devices):
        captures = read({SUB_1: devices[SUB_1]}, 230)[SUB_1]
    early = [c for c in captures if c.color and c.color.device_timestamp_usec < 900_000]
    later = [c for c in captures if c.color and c.color.device_timestamp_usec > 1_500_000]
    assert all(capture.depth is not None for capture in early)
    # Of some 180 frames half: a standard deviation of 4 %.
    assert np.mean([capture.depth is None for capture in later]) == pytest.approx(0.5, abs=0.16)


def test_random_drops_lose_whole_captures_and_stamps_show_the_gaps():
    with running(f"random_drops:{SUB_1}=0.1") as (_, devices):
        captures = read({SUB_1: devices[SUB_1]}, 400)[SUB_1]
    assert all(len(capture.images) == 3 for capture in captures)
    steps = np.rint(np.diff(color_usec(captures)) / PERIOD_USEC)
    # 400 kept are 90 %: 444 in all, give or take 7 (one standard deviation).
    assert steps.sum() == pytest.approx(444, abs=28)
    assert [capture.index for capture in captures] == list(range(400))


def test_a_burst_of_drops_is_one_gap():
    with running(f"burst_drops@1s-1.5s:{SUB_1}") as (_, devices):
        captures = read({SUB_1: devices[SUB_1]}, 80)[SUB_1]
    steps = np.rint(np.diff(color_usec(captures)) / PERIOD_USEC)
    assert sorted(steps)[-2:] == [1, pytest.approx(16, abs=1)]


def test_a_subordinate_that_listens_late_has_another_zero():
    with running(f"starts_late:{SUB_1}=0.6") as (_, devices):
        found = read(devices, 3)
    lag_usec = true_lag_usec(found[SUB_1][0]) - true_lag_usec(found[SUB_2][0])
    # 0.6 s after its start: SUB_2 took the master's first pulse, 0.12 + 0.05 s after that start.
    assert lag_usec == pytest.approx(600_000 - 170_000, abs=PERIOD_USEC + 24_000 + 6_000)
    assert abs(color_usec(found[SUB_1])[0] - color_usec(found[SUB_2])[0]) <= ONE_TICK_USEC


def test_another_exposure_shows_in_images_and_in_the_centre():
    with running(f"wrong_exposure@1s:{SUB_1}=16670") as (_, devices):
        found = read(devices, 60)
    last_sub, last_master = found[SUB_1][-1].color, found[MASTER][-1].color
    assert (last_sub.exposure_usec, last_master.exposure_usec) == (16_670, 8_330)
    offset_usec = last_sub.device_timestamp_usec - last_master.device_timestamp_usec
    assert offset_usec == pytest.approx((8_330 - 16_670) / 2, abs=2 * ONE_TICK_USEC)


def test_automatic_exposure_wanders_on_each_device_by_itself():
    with running(exposure_usec=None) as (_, devices):
        found = read(devices, 150)
    exposures = {serial: [c.color.exposure_usec for c in captures] for serial, captures in found.items()}
    assert all(np.ptp(values) > 3_000 for values in exposures.values())
    offsets_usec = color_usec(found[SUB_1]) - color_usec(found[SUB_2])
    assert np.ptp(offsets_usec) > 1_000
    with running(f"auto_exposure:{SUB_1}") as (_, devices):
        found = read(devices, 60)
    assert len({c.color.exposure_usec for c in found[SUB_1]}) > 10
    assert {c.color.exposure_usec for c in found[SUB_2]} == {8_330}


def test_setting_the_exposure_while_streaming_upsets_a_few_frames():
    with running() as (_, devices):
        read(devices, 30)
        value = ColorControlValue(is_manual=True, value=8_330)
        devices[SUB_1].set_color_control(EXPOSURE, value)
        found = read(devices, 30)
    late_usec = color_usec(found[SUB_1]) - color_usec(found[MASTER])
    upset = late_usec > 2 * ONE_TICK_USEC
    assert 3 <= upset.sum() <= 5 and late_usec.max() > 5_000
    assert not upset[-10:].any()


def test_setting_the_exposure_for_every_frame_shifts_color_for_good():
    with running() as (_, devices):
        read(devices, 10)
        late_usec = []
        for _ in range(60):
            devices[SUB_1].set_color_control(EXPOSURE, ColorControlValue(is_manual=True, value=8_330))
            found = read(devices, 1)
            if found[SUB_1][0].color is not None and found[MASTER][0].color is not None:
                late_usec.append((color_usec(found[SUB_1]) - color_usec(found[MASTER]))[0] % PERIOD_USEC)
    # 10 ms was reported (SDK issue #528). At 30 fps color and depth of one frame then no longer pair.
    assert np.median(late_usec[10:]) == pytest.approx(10_000, abs=2_000)


def test_settling_is_over_after_eight_frames():
    with running(settling_usec=300.0) as (_, devices):
        found = read(devices, 40)
    errors_usec = np.abs(color_usec(found[SUB_1]) - color_usec(found[MASTER]))
    assert errors_usec[:5].max() > 50
    assert errors_usec[8:].max() <= ONE_TICK_USEC


def test_an_old_firmware_delivers_earlier_and_says_its_version():
    with running(f"old_firmware:{SUB_1}") as (_, devices):
        assert devices[SUB_1].info.color_firmware == Firmware.V1_6_104.value
        assert devices[SUB_2].info.color_firmware == Firmware.V1_6_110.value
        found = read(devices, 1)
    assert color_usec(found[SUB_1])[0] < 100_000 < color_usec(found[SUB_2])[0]


def triggered(*faults):
    rig = parse_rig(rig_toml(2, wiring=['topology = "external_trigger"']))
    return running(*faults, rig=rig, order=(MASTER, SUB_1), transfer_jitter_usec=0.0)


def test_a_trigger_at_a_wrong_rate_paces_the_frames_and_not_the_stamps():
    with triggered("trigger_rate=0.02") as (_, devices):
        captures = read(devices, 100)[MASTER]
    device_usec = np.ptp(color_usec(captures))
    host_usec = (captures[-1].color.system_timestamp_nsec - captures[0].color.system_timestamp_nsec) / 1000
    assert device_usec / host_usec == pytest.approx(1.02, abs=0.001)


def test_missing_trigger_pulses_are_bridged():
    with triggered("trigger_misses=0.3") as (_, devices):
        found = read(devices, 100)
    assert (np.abs(np.diff(color_usec(found[MASTER])) - PERIOD_USEC) <= ONE_TICK_USEC).all()


def test_a_fault_can_be_caused_and_cured_while_the_rig_runs():
    with running() as (backend, devices):
        read(devices, 10)
        backend.cause(parse_fault(f"cable_pulled:{SUB_1}"))
        assert devices[SUB_1].sync_jacks() == SyncJacks(False, True)
        read(devices, 10)
        backend.cure(parse_fault(f"cable_pulled:{SUB_1}").kind, SUB_1)
        assert devices[SUB_1].sync_jacks() == SyncJacks(True, True)
        backend.cause(parse_fault(f"usb_unplugged@2s:{SUB_2}"))
        read(devices, 30)
        with pytest.raises(DeviceLostError):
            read(devices, 60)


def test_a_covered_lens_sees_nothing_while_it_is_covered():
    with running(f"lens_covered@0.5s-0.7s:{SUB_1}", scene=SceneName.EMPTY_ROOM, order=(SUB_1, MASTER)) as (_, devices):
        captures = read({SUB_1: devices[SUB_1]}, 16)[SUB_1]
    black = [not capture.depth.pixels.any() and to_rgb(capture.color).max() < 10 for capture in captures]
    assert 5 <= sum(black) <= 7
    assert not black[0] and not black[-1]


def test_a_bumped_camera_looks_elsewhere_from_then_on():
    with running(f"camera_bumped@0.4s:{SUB_1}=5", scene=SceneName.EMPTY_ROOM, order=(SUB_1, MASTER)) as (_, devices):
        captures = read({SUB_1: devices[SUB_1]}, 10)[SUB_1]
    pictures = [to_rgb(capture.color).astype(int) for capture in captures]
    # But for the lamps, the room stands still before and after.
    moved = [np.mean(np.abs(one - other).max(axis=2) > 40) for one, other in itertools.pairwise(pictures)]
    assert sum(share > 0.05 for share in moved) == 1


def test_manual_exposure_is_dark_until_the_device_has_run_on_automatic():
    dark = f"dark_exposure:{MASTER}"
    with running(dark, scene=SceneName.EMPTY_ROOM, order=(SUB_1, MASTER)) as (_, devices):
        device = devices[MASTER]
        dark_mean = to_rgb(device.next_capture(10).color).mean()
        for setting in (ColorControlValue(False, 0), ColorControlValue(True, 8_330)):
            device.set_color_control(EXPOSURE, setting)
            read({MASTER: device}, 12)
        bright_mean = to_rgb(device.next_capture(10).color).mean()
    assert dark_mean < 0.6 * bright_mean


def test_the_truth_tells_what_stamps_hide():
    with running(f"starts_late:{SUB_1}=0.6", f"lens_covered@3s:{SUB_2}") as (backend, devices):
        read(devices, 2)
        truth = json.loads(json.dumps(backend.truth()))
    zeros_nsec = {device["serial"]: device["zeros_nsec"] for device in truth["devices"]}
    assert zeros_nsec[SUB_2][0] - zeros_nsec[MASTER][0] == 500, "one device between them repeats the pulse"
    assert zeros_nsec[SUB_1][0] - zeros_nsec[MASTER][0] > 400_000_000
    assert [fault["fault"] for fault in truth["faults"]] == [f"starts_late:{SUB_1}=0.6", f"lens_covered@3s:{SUB_2}"]
    assert len(truth["boxes"]) > 3 and truth["scene"] == "dark"
