"""Two devices and more: wired sync, parallel calls, orders of start and stop; run by a pytest inside
``genlock virtual``.

Asserts what the SDK's ``tests/multidevice`` asserts, with its tolerances: 0.33 % of a frame period. The seed of what
that test draws at random is ``SUITE_SEED``.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from conformance.virtual_suite.device_api import (
    FAILED,
    SUCCEEDED,
    TIMEOUT,
    Capture,
    Config,
    Depth,
    Device,
    Format,
    Fps,
    Resolution,
    Sync,
    installed_count,
    master_and_subordinate,
    open_device,
    opened,
)

IS_FULL = bool(os.environ.get("SUITE_FULL"))
SEED = int(os.environ.get("SUITE_SEED", "1"))

TOLERANCE_USEC = {Fps.F5: 660, Fps.F15: 220, Fps.F30: 110}
STABILIZING = 10
BOTH = {
    "color_resolution": Resolution.R2160P if IS_FULL else Resolution.R720P,
    "depth_mode": Depth.NFOV_2X2BINNED,
}


# ---- streaming without sync -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first then second", "second then first"])
def test_two_devices_stream_side_by_side(order: tuple[int, int]) -> None:
    config = Config(color_resolution=Resolution.R1080P, depth_mode=Depth.NFOV_2X2BINNED)
    with opened(*order) as devices:
        for device in devices:
            assert device.start(config) == SUCCEEDED
        for _ in range(25):
            for device in devices:
                device.capture().release()


def _in_parallel(*jobs: Callable[[], None]) -> None:
    """All at once, each in a thread; what one of them asserts is raised here."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], None]) -> None:
        gate.wait(10)
        job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(run, job) for job in jobs]:
            done.result(60)


def _start(device: Device) -> None:
    assert device.start(Config(**BOTH)) == SUCCEEDED
    assert device.start_imu() == SUCCEEDED


def _end(device: Device) -> None:
    device.stop()
    device.stop_imu()
    device.close()


def test_devices_start_in_parallel() -> None:
    for _ in range(2):
        with opened(*range(installed_count())) as devices:
            _in_parallel(*(lambda device=device: _start(device) for device in devices))
            for device in devices:
                device.capture().release()
            _in_parallel(*(lambda device=device: _end(device) for device in devices))


def test_devices_close_in_parallel_while_they_stream() -> None:
    for _ in range(2):
        with opened(*range(installed_count())) as devices:
            for device in devices:
                _start(device)
            _in_parallel(*(device.close for device in devices))


# ---- roles ----------------------------------------------------------------------------------------------------------


def test_the_jacks_decide_who_may_be_what() -> None:
    """For each device: what its plugs forbid fails, what they allow starts, and STANDALONE always does."""
    found: set[Sync] = set()
    for index in range(installed_count()):
        with opened(index) as [device]:
            sync_in, sync_out = device.jacks()
            for role, plugged in ((Sync.MASTER, sync_out), (Sync.SUBORDINATE, sync_in)):
                config = Config(color_resolution=Resolution.R720P, wired_sync_mode=role)
                assert device.start(config) == (SUCCEEDED if plugged else FAILED), role
                device.stop()
                if plugged:
                    found.add(role)
            assert device.start(Config(color_resolution=Resolution.R720P)) == SUCCEEDED
    assert found == {Sync.MASTER, Sync.SUBORDINATE}


def test_a_master_needs_its_color_camera_and_a_subordinate_does_not() -> None:
    depth_only = {"depth_mode": Depth.NFOV_2X2BINNED}
    with master_and_subordinate() as (master, subordinate):
        assert master.start(Config(wired_sync_mode=Sync.MASTER, **depth_only)) == FAILED
        master.stop()
        assert master.start(Config(**depth_only)) == SUCCEEDED
        master.stop()
        assert subordinate.start(Config(wired_sync_mode=Sync.SUBORDINATE, **depth_only)) == SUCCEEDED
        subordinate.stop()
        assert subordinate.start(Config(**depth_only)) == SUCCEEDED


@pytest.mark.parametrize("hz", [5, 15, 30])
def test_a_subordinate_is_delayed_by_one_period_at_most(hz: int) -> None:
    fps = Fps((5, 15, 30).index(hz))
    fields = {"color_resolution": Resolution.R720P, "camera_fps": fps, "wired_sync_mode": Sync.SUBORDINATE}
    with master_and_subordinate() as (_, subordinate):
        for delay_usec, expected in (
            (fps.period_usec, SUCCEEDED),
            (fps.period_usec + 1, FAILED),
            (0xFFFF_FFFF, FAILED),
        ):
            result = subordinate.start(Config(subordinate_delay_off_master_usec=delay_usec, **fields))
            assert result == expected
            subordinate.stop()


def test_a_subordinate_waits_for_its_master() -> None:
    for fields in (BOTH, {"depth_mode": Depth.NFOV_2X2BINNED}, {"color_resolution": Resolution.R720P}):
        with master_and_subordinate() as (master, subordinate):
            begin = time.monotonic()
            assert subordinate.start(Config(wired_sync_mode=Sync.SUBORDINATE, **fields)) == SUCCEEDED
            assert time.monotonic() - begin < 2, "it does not wait inside start"
            assert subordinate.poll(0)[0] == TIMEOUT
            assert subordinate.poll(700)[0] == TIMEOUT
            assert master.start(Config(wired_sync_mode=Sync.MASTER, color_resolution=Resolution.R720P)) == SUCCEEDED
            with subordinate.capture(5_000) as capture:
                picture = capture.color or capture.ir
                assert picture is not None
                assert picture.device_timestamp_usec < 400_000, "its clock begins with the first pulse"


# ---- wired sync -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Delays:
    master_depth: int
    subordinate_depth: int
    subordinate: int

    @classmethod
    def at_random(cls, fps: Fps, seed: int) -> _Delays:
        chance, period = random.Random(f"{seed} {fps}"), fps.period_usec
        return cls(chance.randint(-period, period), chance.randint(-period, period), chance.randint(0, period))


def _stamps(capture: Capture) -> tuple[int, int]:
    assert capture.color is not None
    assert capture.ir is not None
    return capture.color.device_timestamp_usec, capture.ir.device_timestamp_usec


@dataclass(frozen=True)
class _Set:
    master_color: int
    master_ir: int
    subordinate_color: int
    subordinate_ir: int


def _next_set(master: Device, subordinate: Device, delay_usec: int, tolerance_usec: int) -> _Set:
    """Captures of one moment: whoever is behind is read again."""
    with master.capture() as capture:
        ours = _stamps(capture)
    with subordinate.capture() as capture:
        theirs = _stamps(capture)
    for _ in range(100):
        error_usec = theirs[0] - delay_usec - ours[0]
        if abs(error_usec) <= tolerance_usec:
            return _Set(*ours, *theirs)
        lagging = master if error_usec > 0 else subordinate
        with lagging.capture() as capture:
            ours, theirs = (_stamps(capture), theirs) if lagging is master else (ours, _stamps(capture))
    raise AssertionError(f"no two captures within {tolerance_usec} us: {ours} and {theirs}, delay {delay_usec} us")


def _validate(master: Device, subordinate: Device, fps: Fps, delays: _Delays, count: int) -> None:
    common = {"camera_fps": fps, "synchronized_images_only": 1, **BOTH}
    assert (
        subordinate.start(
            Config(
                wired_sync_mode=Sync.SUBORDINATE,
                depth_delay_off_color_usec=delays.subordinate_depth,
                subordinate_delay_off_master_usec=delays.subordinate,
                **common,
            )
        )
        == SUCCEEDED
    )
    master_config = Config(wired_sync_mode=Sync.MASTER, depth_delay_off_color_usec=delays.master_depth, **common)
    assert master.start(master_config) == SUCCEEDED
    tolerance_usec = TOLERANCE_USEC[fps]
    last_usec, consecutive = 0, 0
    for number in range(count):
        found = _next_set(master, subordinate, delays.subordinate, tolerance_usec)
        if number >= STABILIZING:
            consecutive += found.master_color - last_usec < fps.period_usec * 11 // 10
            assert abs(found.master_color + delays.master_depth - found.master_ir) <= tolerance_usec
            assert abs(found.subordinate_color + delays.subordinate_depth - found.subordinate_ir) <= tolerance_usec
            assert abs(found.master_color + delays.subordinate - found.subordinate_color) <= tolerance_usec
        last_usec = found.master_color
    assert consecutive >= 0.9 * (count - STABILIZING)


@pytest.mark.parametrize("fps", list(Fps) if IS_FULL else [Fps.F30, Fps.F15], ids=lambda fps: fps.name)
def test_wired_devices_keep_their_delays(fps: Fps) -> None:
    with master_and_subordinate() as (master, subordinate):
        for device in (master, subordinate):
            device.set_exposure_60_hz(8_330)
        _validate(master, subordinate, fps, _Delays.at_random(fps, SEED), count=100 if IS_FULL else 40)


@pytest.mark.parametrize(
    "delays",
    [_Delays(-33_333, 33_333, 33_333), _Delays(33_333, -33_333, 0), _Delays(0, 0, 160), _Delays(-80, 80, 0)],
    ids=["last values", "last values, the other way", "the article's", "green_screen's"],
)
def test_wired_devices_keep_the_delays_of_known_programs(delays: _Delays) -> None:
    with master_and_subordinate() as (master, subordinate):
        for device in (master, subordinate):
            device.set_exposure_60_hz(8_330)
        _validate(master, subordinate, Fps.F30, delays, count=25)


def test_clocks_that_are_wired_do_not_drift() -> None:
    """Over five seconds a drift of 10 ppm is 50 us, inside every tolerance; a line through the offsets shows it.

    A stamp is off by at most one tick, 11 us: with 75 offsets the line's slope has a standard error of
    4 us / (5 s * sqrt(75 / 12)) = 0.3 ppm.
    """
    config = {"color_resolution": Resolution.R720P, "camera_fps": Fps.F15}
    with master_and_subordinate() as (master, subordinate):
        for device in (master, subordinate):
            device.set_exposure_60_hz(8_330)
        assert subordinate.start(Config(wired_sync_mode=Sync.SUBORDINATE, **config)) == SUCCEEDED
        assert master.start(Config(wired_sync_mode=Sync.MASTER, **config)) == SUCCEEDED
        stamps: dict[Device, list[int]] = {master: [], subordinate: []}
        for _ in range(80):
            for device, seen in stamps.items():
                with device.capture() as capture:
                    assert capture.color is not None
                    seen.append(capture.color.device_timestamp_usec)
    times, offsets = [], []
    for usec in stamps[master][5:]:
        nearest = min(stamps[subordinate], key=lambda other: abs(other - usec))
        if abs(nearest - usec) < Fps.F15.period_usec // 2:
            times.append(usec * 1e-6)
            offsets.append(nearest - usec)
    slope_ppm, _ = statistics.linear_regression(times, offsets)
    assert len(offsets) > 60
    assert abs(slope_ppm) < 3


def test_green_screens_loop_finds_its_captures() -> None:
    """The comparison of Microsoft's ``MultiDeviceCapturer``, its quirk included: 100 us, and the depth delay of the
    subordinate is added although color is compared."""
    fields = {
        "color_format": Format.BGRA32,
        "color_resolution": Resolution.R720P,
        "depth_mode": Depth.WFOV_UNBINNED,
        "camera_fps": Fps.F15,
        "synchronized_images_only": 1,
    }
    with master_and_subordinate() as (master, subordinate):
        for device in (master, subordinate):
            device.set_exposure_60_hz(8_330)
        theirs = Config(wired_sync_mode=Sync.SUBORDINATE, depth_delay_off_color_usec=80, **fields)
        assert subordinate.start(theirs) == SUCCEEDED
        assert master.start(Config(wired_sync_mode=Sync.MASTER, depth_delay_off_color_usec=-80, **fields)) == SUCCEEDED
        for compares_depth in (False, True):
            for _ in range(10):
                _green_screen_set(master, subordinate, compares_depth)


def _green_screen_set(master: Device, subordinate: Device, compares_depth: bool) -> None:
    end = time.monotonic() + 20
    with master.capture() as capture:
        ours_usec = _stamps(capture)[0]
    with subordinate.capture() as capture:
        theirs_usec = _stamps(capture)[compares_depth]
    while time.monotonic() < end:
        error_usec = theirs_usec - (ours_usec + 80)
        if error_usec < -100:
            with subordinate.capture() as capture:
                theirs_usec = _stamps(capture)[compares_depth]
        elif error_usec > 100:
            with master.capture() as capture:
                ours_usec = _stamps(capture)[0]
        else:
            return
    raise AssertionError("no set within its time")


def test_a_depth_only_subordinate_restarts_with_its_master_in_either_order() -> None:
    config = Config(wired_sync_mode=Sync.SUBORDINATE, depth_mode=Depth.NFOV_2X2BINNED)
    master_config = Config(wired_sync_mode=Sync.MASTER, synchronized_images_only=1, **BOTH)
    with master_and_subordinate() as (master, subordinate):
        for stopping in ((master, subordinate), (subordinate, master), ()):
            assert subordinate.start(config) == SUCCEEDED
            assert master.start(master_config) == SUCCEEDED
            for _ in range(20):
                with master.capture() as capture:
                    color_usec, _ = _stamps(capture)
                with subordinate.capture() as capture:
                    assert capture.ir is not None
                    behind_usec = (capture.ir.device_timestamp_usec - color_usec) % Fps.F30.period_usec
                    assert min(behind_usec, Fps.F30.period_usec - behind_usec) <= TOLERANCE_USEC[Fps.F30]
            for device in stopping:
                device.stop()
        master.close()


def test_every_subordinate_of_a_rig_keeps_its_own_delay() -> None:
    """More than two devices, subordinates first: 160 us from one to the next."""
    fields = {"color_resolution": Resolution.R720P, "depth_mode": Depth.NFOV_2X2BINNED, "synchronized_images_only": 1}
    devices = [open_device(index) for index in range(installed_count())]
    try:
        jacks = [device.jacks() for device in devices]
        master = next(device for device, (sync_in, sync_out) in zip(devices, jacks, strict=True) if not sync_in)
        others = [device for device in devices if device is not master]
        for device in devices:
            device.set_exposure_60_hz(8_330)
        for number, device in enumerate(others, 1):
            config = Config(wired_sync_mode=Sync.SUBORDINATE, subordinate_delay_off_master_usec=160 * number, **fields)
            assert device.start(config) == SUCCEEDED
        assert master.start(Config(wired_sync_mode=Sync.MASTER, **fields)) == SUCCEEDED
        stamps: list[list[int]] = [[] for _ in devices]
        for _ in range(30):
            for place, device in enumerate((master, *others)):
                with device.capture() as capture:
                    stamps[place].append(_stamps(capture)[0])
        ours = set(stamps[0])
        for number, theirs in enumerate(stamps[1:], 1):
            errors = [min(abs(usec - 160 * number - other) for other in ours) for usec in theirs]
            assert sum(error <= 110 for error in errors) >= 27, errors
    finally:
        for device in devices:
            device.close()
