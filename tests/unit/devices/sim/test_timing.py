"""When simulated devices deliver what, and with which stamps. Lenses are capped: only time matters here."""

import itertools

import numpy as np
import pytest

from genlock.capture import Stamp
from genlock.clock import VirtualClock
from genlock.devices import ColorControl, ColorControlValue
from genlock.devices.scenario import Firmware, Scenario, SceneName, TimingModel, TriggerStart
from genlock.devices.sim import SimBackend
from genlock.errors import CaptureTimeoutError
from genlock.k4a import (
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    WiredSyncMode,
    ticks_from_usec,
    usec_from_ticks,
)
from genlock.rig import parse_rig
from genlock.testing.rigs import chain_rig, rig_toml, serials

MASTER, SUB_1, SUB_2 = serials(3)
DARK = Scenario(scene=SceneName.DARK)

# Stamps are whole ticks, at most one of them late, shown in whole microseconds: two of them differ from their nominal
# distance by one tick and one rounding.
ONE_TICK_USEC = 12


def config(mode=WiredSyncMode.SUBORDINATE, **changes):
    settings = {
        "color_resolution": ColorResolution.RES_720P,
        "depth_mode": DepthMode.NFOV_2X2BINNED,
        "wired_sync_mode": mode,
    }
    return DeviceConfig(**{**settings, **changes})


EXPOSURE = ColorControl.EXPOSURE_TIME_ABSOLUTE
MASTER_CONFIG = config(WiredSyncMode.MASTER)


def started(backend, configs):
    """Opens and starts devices in this order; returns them by serial."""
    devices = {}
    for serial, device_config in configs.items():
        devices[serial] = backend.open(serial)
        # Automatic exposure, which a device has at power-on, would move each by itself.
        devices[serial].set_color_control(EXPOSURE, ColorControlValue(is_manual=True, value=8_330))
        devices[serial].arm(device_config)
    for device in devices.values():
        device.start()
    return devices


def stamps(device, count):
    return [device.next_capture(10).stamp for _ in range(count)]


def running_stamps(configs, count=30, scenario=DARK, rig=None):
    """Stamps by serial of devices started in this order, read in turn so that no queue runs over."""
    with SimBackend(rig or chain_rig(3), scenario=scenario) as backend, backend.clock.participate():
        devices = started(backend, configs)
        rounds = [{serial: stamps(device, 1)[0] for serial, device in devices.items()} for _ in range(count)]
    return {serial: [each[serial] for each in rounds] for serial in configs}


def test_a_subordinate_delivers_nothing_before_the_master_starts():
    with SimBackend(chain_rig(2), scenario=DARK) as backend, backend.clock.participate():
        devices = started(backend, {SUB_1: config()})
        with pytest.raises(CaptureTimeoutError, match="no sync pulse has come yet"):
            devices[SUB_1].next_capture(60)
        assert devices[SUB_1].take_imu() == ()
        devices |= started(backend, {MASTER: MASTER_CONFIG})
        assert devices[SUB_1].next_capture(1).images


def test_all_clocks_are_zero_at_the_masters_first_pulse():
    found = running_stamps({SUB_2: config(), SUB_1: config(), MASTER: MASTER_CONFIG})
    for master, sub_1, sub_2 in zip(*(found[s] for s in (MASTER, SUB_1, SUB_2)), strict=True):
        assert abs(sub_1.color_usec - master.color_usec) <= ONE_TICK_USEC
        assert abs(sub_2.color_usec - master.color_usec) <= ONE_TICK_USEC


@pytest.mark.parametrize("fps", list(CameraFps))
@pytest.mark.parametrize(("sub_delay_usec", "depth_delay_usec"), [(0, 160), (22_896, 7_297), (160, -160), (1, -12_276)])
def test_delays_are_kept_in_whole_ticks(fps, sub_delay_usec, depth_delay_usec):
    found = running_stamps(
        {
            SUB_1: config(
                camera_fps=fps,
                subordinate_delay_off_master_usec=sub_delay_usec,
                depth_delay_off_color_usec=depth_delay_usec,
            ),
            MASTER: config(WiredSyncMode.MASTER, camera_fps=fps),
        },
        rig=chain_rig(2, {"camera_fps": int(fps)}),
    )
    for master, sub in zip(found[MASTER], found[SUB_1], strict=True):
        kept_usec = usec_from_ticks(ticks_from_usec(sub_delay_usec))
        assert abs(sub.color_usec - master.color_usec - kept_usec) <= ONE_TICK_USEC
        kept_usec = usec_from_ticks(ticks_from_usec(depth_delay_usec))
        assert abs(sub.depth_usec - sub.color_usec - kept_usec) <= ONE_TICK_USEC


def test_the_masters_depth_lies_44_us_late_as_in_microsofts_test():
    # -12276 us was asked for, -12222 to -12234 was measured (SDK issue #1261).
    delayed = config(WiredSyncMode.MASTER, depth_delay_off_color_usec=-12_276)
    found = running_stamps({SUB_1: config(), MASTER: delayed}, rig=chain_rig(2))
    offsets_usec = {stamp.depth_usec - stamp.color_usec for stamp in found[MASTER]}
    assert offsets_usec <= set(range(-12_235, -12_209))
    exact = Scenario(scene=SceneName.DARK, timing=TimingModel(master_depth_deviation_ticks=0))
    found = running_stamps({SUB_1: config(), MASTER: delayed}, scenario=exact, rig=chain_rig(2))
    truncated_usec = usec_from_ticks(ticks_from_usec(-12_276))
    assert all(abs(s.depth_usec - s.color_usec - truncated_usec) <= ONE_TICK_USEC for s in found[MASTER])


def test_stamps_are_truncated_ticks_of_an_even_pace():
    found = running_stamps({MASTER: config(WiredSyncMode.STANDALONE)}, count=60)[MASTER]
    ticks = [-(-stamp.color_usec * 9 // 100) for stamp in found]
    assert [usec_from_ticks(tick) for tick in ticks] == [stamp.color_usec for stamp in found]
    steps = np.diff(ticks)
    assert set(steps) <= {2999, 3000, 3001}
    assert {2999, 3001} & set(steps), "some stamps must read a tick late, or this tests nothing"
    assert abs(ticks[-1] - ticks[0] - 59 * 3000) <= 1


@pytest.mark.parametrize(
    ("firmware", "first_usec"), [(Firmware.V1_6_110, (220_000, 253_333)), (Firmware.V1_6_104, (60_000, 93_333))]
)
def test_the_first_frames_are_missing_as_in_this_firmware(firmware, first_usec):
    scenario = Scenario(scene=SceneName.DARK, firmware=firmware)
    found = running_stamps({SUB_1: config(), MASTER: MASTER_CONFIG}, count=1, scenario=scenario, rig=chain_rig(2))
    for stamp in (found[MASTER][0], found[SUB_1][0]):
        assert first_usec[0] <= stamp.color_usec <= first_usec[1]


def test_a_subordinate_started_late_has_perfect_stamps_of_other_moments():
    with SimBackend(chain_rig(2), scenario=DARK) as backend, backend.clock.participate():
        devices = started(backend, {MASTER: MASTER_CONFIG})
        backend.clock.sleep(1.0)
        devices |= started(backend, {SUB_1: config()})
        for _ in range(40):  # what the master made meanwhile is lost beyond seven captures; read on to the present
            devices[MASTER].next_capture(10)
            devices[SUB_1].next_capture(10)
        master, sub = devices[MASTER].next_capture(10), devices[SUB_1].next_capture(10)
    offset_usec = (sub.color.device_timestamp_usec - master.color.device_timestamp_usec) % 33_333
    assert min(offset_usec, 33_333 - offset_usec) <= ONE_TICK_USEC + 40  # 40 captures' worth of 33333.33
    # Arrivals tell what stamps hide: equal stamps come more than a second apart.
    by_stamp_nsec = master.color.system_timestamp_nsec - master.color.device_timestamp_usec * 1000
    sub_by_stamp_nsec = sub.color.system_timestamp_nsec - sub.color.device_timestamp_usec * 1000
    assert sub_by_stamp_nsec - by_stamp_nsec > 1_000_000_000


def test_standalone_devices_have_clocks_of_their_own():
    configs = dict.fromkeys((MASTER, SUB_1), config(WiredSyncMode.STANDALONE))
    rig = chain_rig(2)
    with SimBackend(rig, scenario=DARK) as backend, backend.clock.participate():
        devices = started(backend, configs)
        captures = {serial: [device.next_capture(10) for _ in range(7)] for serial, device in devices.items()}
    zeros_nsec = {
        serial: taken[0].color.system_timestamp_nsec - taken[0].color.device_timestamp_usec * 1000
        for serial, taken in captures.items()
    }
    # The second was started 0.12 s after the first; arrivals differ by up to 24 ms and their jitter.
    assert 0.08e9 < zeros_nsec[SUB_1] - zeros_nsec[MASTER] < 0.16e9


def test_oscillators_of_standalone_devices_run_apart():
    # Host arrivals over ten minutes of stamps: jitter of 1.5 ms at both ends is 2.5 ppm each over 600 s.
    scenario = Scenario(scene=SceneName.DARK, timing=TimingModel(oscillator_ppm=200.0))
    rates = {}
    with SimBackend(chain_rig(3), scenario=scenario) as backend, backend.clock.participate():
        devices = started(backend, dict.fromkeys((MASTER, SUB_1, SUB_2), config(WiredSyncMode.STANDALONE)))
        first = {serial: device.next_capture(10).color for serial, device in devices.items()}
        backend.clock.sleep(600)
        for serial, device in devices.items():
            last = [device.next_capture(10) for _ in range(7)][-1].color
            device_sec = (last.device_timestamp_usec - first[serial].device_timestamp_usec) / 1e6
            host_sec = (last.system_timestamp_nsec - first[serial].system_timestamp_nsec) / 1e9
            rates[serial] = (device_sec / host_sec - 1) * 1e6
    assert all(abs(ppm) < 210 for ppm in rates.values())
    assert max(rates.values()) - min(rates.values()) > 20


def test_subordinates_follow_the_masters_oscillator():
    scenario = Scenario(scene=SceneName.DARK, timing=TimingModel(oscillator_ppm=200.0))
    with SimBackend(chain_rig(2), scenario=scenario) as backend, backend.clock.participate():
        devices = started(backend, {SUB_1: config(), MASTER: MASTER_CONFIG})
        backend.clock.sleep(600)
        last = {serial: [device.next_capture(10).stamp for _ in range(7)][-1] for serial, device in devices.items()}
    # The two queues may end one frame apart.
    offset_usec = abs(last[SUB_1].color_usec - last[MASTER].color_usec)
    assert min(offset_usec % 33_333, -offset_usec % 33_333) <= ONE_TICK_USEC + 1


def test_a_longer_exposure_shifts_the_centre_by_half_the_difference():
    # Exposures share their end: a subordinate's color centre lies (master - sub) / 2 off.
    with SimBackend(chain_rig(2), scenario=DARK) as backend, backend.clock.participate():
        devices = {serial: backend.open(serial) for serial in (SUB_1, MASTER)}
        for serial, exposure_usec in ((SUB_1, 16_670), (MASTER, 8_330)):
            value = ColorControlValue(is_manual=True, value=exposure_usec)
            devices[serial].set_color_control(EXPOSURE, value)
        devices[SUB_1].arm(config())
        devices[MASTER].arm(MASTER_CONFIG)
        devices[SUB_1].start()
        devices[MASTER].start()
        pairs = [(devices[SUB_1].next_capture(10), devices[MASTER].next_capture(10)) for _ in range(5)]
    for sub, master in pairs:
        assert (sub.color.exposure_usec, master.color.exposure_usec) == (16_670, 8_330)
        offset_usec = sub.color.device_timestamp_usec - master.color.device_timestamp_usec
        # Each half exposure is cut to whole ticks: one tick more.
        assert abs(offset_usec - (8_330 - 16_670) / 2) <= 2 * ONE_TICK_USEC


def test_seven_captures_wait_and_the_oldest_are_lost():
    with SimBackend(chain_rig(2), scenario=DARK) as backend, backend.clock.participate():
        devices = started(backend, {SUB_1: config(), MASTER: MASTER_CONFIG})
        first = stamps(devices[MASTER], 1)[0]
        backend.clock.sleep(2.0)
        waiting_since_nsec = backend.clock.now_nsec()
        late = stamps(devices[MASTER], 8)
    # Two seconds are sixty periods: all but the last seven of their captures are gone.
    assert late[0].color_usec - first.color_usec > 50 * 33_333
    assert [stamp.index for stamp in late] == list(range(1, 9)), "the index counts what was delivered"
    gaps_usec = np.diff([stamp.color_usec for stamp in late])
    assert (np.abs(gaps_usec - 33_333) <= ONE_TICK_USEC).all()
    assert sum(stamp.arrival_nsec <= waiting_since_nsec for stamp in late) == 7


def test_captures_never_arrive_before_they_were_exposed_nor_out_of_order():
    scenario = Scenario(scene=SceneName.DARK, timing=TimingModel(transfer_jitter_usec=20_000.0))
    with SimBackend(chain_rig(2), scenario=scenario) as backend, backend.clock.participate():
        devices = started(backend, {SUB_1: config(), MASTER: MASTER_CONFIG})
        captures = [devices[MASTER].next_capture(10) for _ in range(100)]
    arrivals_nsec = [c.color.system_timestamp_nsec for c in captures if c.color]
    assert arrivals_nsec == sorted(arrivals_nsec) and len(set(arrivals_nsec)) == len(arrivals_nsec)


def test_arrivals_jitter_by_a_millisecond_or_two():
    with SimBackend(chain_rig(2), scenario=DARK) as backend, backend.clock.participate():
        devices = started(backend, {SUB_1: config(), MASTER: MASTER_CONFIG})
        images = [devices[MASTER].next_capture(10).color for _ in range(400)]
    lags_usec = [i.system_timestamp_nsec / 1000 - i.device_timestamp_usec for i in images]
    # 1500 us were asked for; 400 samples give that to 4 % (one sigma), plus drift of 15 ppm over 13 s: 200 us.
    assert 1200 < np.std(lags_usec) < 1800


def trigger_rig():
    return parse_rig(rig_toml(2, wiring=['topology = "external_trigger"']))


def test_an_external_trigger_drives_all_as_subordinates_on_one_time_base():
    found = running_stamps(dict.fromkeys((MASTER, SUB_1), config()), rig=trigger_rig())
    for one, other in zip(found[MASTER], found[SUB_1], strict=True):
        assert abs(one.color_usec - other.color_usec) <= ONE_TICK_USEC


def test_a_trigger_that_always_runs_catches_devices_at_different_pulses():
    scenario = Scenario(scene=SceneName.DARK, timing=TimingModel(trigger_start=TriggerStart.ALWAYS))
    with SimBackend(trigger_rig(), scenario=scenario) as backend, backend.clock.participate():
        devices = started(backend, dict.fromkeys((MASTER, SUB_1), config()))
        one, other = (devices[serial].next_capture(10).color for serial in (MASTER, SUB_1))
    assert abs(one.device_timestamp_usec - other.device_timestamp_usec) <= ONE_TICK_USEC
    # Started 0.12 s apart: the stamps are equal, the moments are not.
    assert other.system_timestamp_nsec - one.system_timestamp_nsec > 0.08e9


def test_a_trigger_begins_only_when_every_opened_device_runs():
    with SimBackend(trigger_rig(), scenario=DARK) as backend, backend.clock.participate():
        devices = {serial: backend.open(serial) for serial in (MASTER, SUB_1)}
        for device in devices.values():
            device.arm(config())
        devices[MASTER].start()
        with pytest.raises(CaptureTimeoutError):
            devices[MASTER].next_capture(5)
        devices[SUB_1].start()
        assert devices[MASTER].next_capture(5).images


def test_a_master_that_stops_leaves_its_subordinates_running_on_their_own():
    scenario = Scenario(scene=SceneName.DARK, timing=TimingModel(oscillator_ppm=0.0))
    with SimBackend(chain_rig(2), scenario=scenario) as backend, backend.clock.participate():
        devices = started(backend, {SUB_1: config(), MASTER: MASTER_CONFIG})
        before = stamps(devices[SUB_1], 10)
        devices[MASTER].stop()
        after = stamps(devices[SUB_1], 20)
    gaps_usec = np.diff([stamp.color_usec for stamp in before + after])
    assert (np.abs(gaps_usec - 33_333) <= ONE_TICK_USEC).all()


def test_a_restart_of_all_gives_a_new_time_base():
    with SimBackend(chain_rig(2), scenario=DARK) as backend, backend.clock.participate():
        devices = started(backend, {SUB_1: config(), MASTER: MASTER_CONFIG})
        first_run = {serial: stamps(device, 5) for serial, device in devices.items()}
        for device in devices.values():
            device.stop()
        for device in devices.values():
            device.start()
        for serial, device in devices.items():
            second = stamps(device, 5)
            assert [stamp.index for stamp in second] == [0, 1, 2, 3, 4]
            assert abs(second[0].color_usec - first_run[serial][0].color_usec) <= ONE_TICK_USEC


def test_one_camera_alone_makes_single_images():
    alone = config(WiredSyncMode.STANDALONE, color_resolution=ColorResolution.OFF)
    found = running_stamps({MASTER: alone}, count=5)[MASTER]
    assert all(stamp.color_usec is None and stamp.depth_usec is not None for stamp in found)


def test_synchronized_images_only_delivers_pairs_alone():
    # Jitter as large as a period makes singles.
    timing = TimingModel(transfer_jitter_usec=40_000.0)
    scenario = Scenario(scene=SceneName.DARK, timing=timing)
    only_pairs = config(WiredSyncMode.STANDALONE, synchronized_images_only=True)
    found = running_stamps({MASTER: only_pairs}, count=40, scenario=scenario)[MASTER]
    assert all(stamp.color_usec is not None and stamp.depth_usec is not None for stamp in found)


def all_stamps(seed, read_order, clock=None):
    """Everything that three devices deliver in two seconds, read by three threads."""
    scenario = Scenario(scene=SceneName.DARK, seed=seed)
    taken: dict[str, list[Stamp]] = {serial: [] for serial in read_order}
    with SimBackend(chain_rig(3), scenario=scenario, clock=clock) as backend, backend.clock.participate():
        devices = started(backend, {SUB_2: config(), SUB_1: config(), MASTER: MASTER_CONFIG})

        def pump(serial):
            while not taken[serial] or taken[serial][-1].color_usec < 2_000_000:
                taken[serial].append(devices[serial].next_capture(10).stamp)
                devices[serial].take_imu()

        threads = [backend.clock.start_thread(lambda s=serial: pump(s), serial) for serial in read_order]
        for thread in threads:
            assert thread.join(60)
    return taken


def test_the_same_seed_gives_the_same_stamps_whoever_asks_first():
    runs = [all_stamps(7, order) for order in itertools.permutations((MASTER, SUB_1, SUB_2))]
    assert all(len(taken) > 40 for taken in runs[0].values())
    assert all(run == runs[0] for run in runs[1:])


def test_another_seed_gives_other_stamps():
    assert all_stamps(7, (MASTER, SUB_1, SUB_2)) != all_stamps(8, (MASTER, SUB_1, SUB_2))


def test_the_time_at_which_the_clock_begins_does_not_matter_to_stamps():
    early = all_stamps(3, (MASTER, SUB_1, SUB_2))
    late = all_stamps(3, (MASTER, SUB_1, SUB_2), VirtualClock(start_nsec=123_456_789_000_000))
    for serial, taken in early.items():
        assert [(s.color_usec, s.depth_usec) for s in taken] == [(s.color_usec, s.depth_usec) for s in late[serial]]
