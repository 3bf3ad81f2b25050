"""The inertial sensors, and what ``throughput_perf`` and ``latency_perf`` ask of both kinds of stream at once.

Run by a pytest inside ``genlock virtual``. Bounds are those of the SDK's ``imu_ft``, ``throughput_perf`` and
``latency_perf``.
"""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from conformance.virtual_suite.device_api import (
    FAILED,
    FOREVER,
    SUCCEEDED,
    TIMEOUT,
    Capture,
    Config,
    Control,
    Depth,
    Device,
    Format,
    Fps,
    Mode,
    Resolution,
    opened,
)

IS_FULL = bool(os.environ.get("SUITE_FULL"))
IMU_HZ = 1_666

ALL = {"color_resolution": Resolution.R720P, "depth_mode": Depth.NFOV_2X2BINNED}


def test_the_imu_runs_only_while_cameras_do_and_cameras_start_only_without_it() -> None:
    with opened(0) as [device]:
        assert device.start_imu() == FAILED, "no cameras yet"
        for _ in range(2):
            assert device.start(Config(**ALL)) == SUCCEEDED
            assert device.start_imu() == SUCCEEDED
            assert device.start_imu() == FAILED, "it runs already"
            device.stop_imu()
            assert device.start_imu() == SUCCEEDED, "again, cameras still running"
            device.stop()
            assert device.start(Config(**ALL)) == FAILED, "the IMU was left running"
            device.stop_imu()
            assert device.start_imu() == FAILED, "the cameras have stopped"


@pytest.mark.parametrize("off", ["color_resolution", "depth_mode"])
def test_one_camera_is_enough_for_the_imu(off: str) -> None:
    with opened(0) as [device]:
        assert device.start(Config(**{**ALL, off: 0})) == SUCCEEDED
        assert device.start_imu() == SUCCEEDED
        assert device.imu(5_000)[0] == SUCCEEDED
        device.stop()
        device.stop_imu()


def test_imu_samples_fail_when_it_was_not_started_or_was_stopped() -> None:
    with opened(0) as [device]:
        assert device.start(Config(**ALL)) == SUCCEEDED
        assert device.imu(0)[0] == FAILED
        assert device.start_imu() == SUCCEEDED
        assert device.imu(FOREVER)[0] == SUCCEEDED
        device.stop_imu()
        assert device.imu(0)[0] == FAILED
        assert device.imu(1_000)[0] == FAILED
        device.stop_imu()


def test_the_imu_outlives_the_cameras_stop() -> None:
    """``throughput_perf`` stops the cameras while its IMU thread still reads; a FAILED there fails the test."""
    with opened(0) as [device]:
        assert device.start(Config(**ALL)) == SUCCEEDED
        assert device.start_imu() == SUCCEEDED
        assert device.imu(5_000)[0] == SUCCEEDED
        device.stop()
        for _ in range(20):
            assert device.imu(1)[0] in (SUCCEEDED, TIMEOUT)
        device.stop_imu()
        assert device.imu(1)[0] == FAILED


def test_stop_imu_from_another_thread_ends_a_call_that_waits_for_ever() -> None:
    with opened(0) as [device]:
        assert device.start(Config(**ALL)) == SUCCEEDED
        assert device.start_imu() == SUCCEEDED
        results: list[int] = []

        def read() -> None:
            while (result := device.imu(FOREVER)[0]) == SUCCEEDED:
                pass
            results.append(result)

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.5)
        device.stop_imu()
        reader.join(3)
        assert not reader.is_alive()
        assert results == [FAILED]


def test_imu_samples_lie_beside_the_images_and_have_the_right_rate() -> None:
    seconds = 4 if IS_FULL else 1.5
    period_usec = Fps.F30.period_usec
    with opened(0) as [device]:
        assert device.start(Config(synchronized_images_only=1, **ALL)) == SUCCEEDED
        assert device.start_imu() == SUCCEEDED
        result, sample = device.imu(10_000)
        assert result == SUCCEEDED
        # The SDK's k4a_cpp_ft and its Python tests take a time of zero for one that was not filled in.
        assert sample.acc_timestamp_usec != 0
        assert sample.gyro_timestamp_usec != 0
        assert sample.acc_timestamp_usec < 2_000_000
        assert sample.gyro_timestamp_usec < 2_000_000
        first_usec, last_acc_usec, last_gyro_usec = sample.acc_timestamp_usec, 0, 0
        begin, captures, count = time.monotonic(), 0, round(seconds * IMU_HZ)
        for _ in range(count):
            result, sample = device.imu(2_000)
            assert result == SUCCEEDED
            assert sample.acc_timestamp_usec > last_acc_usec
            assert sample.gyro_timestamp_usec > last_gyro_usec
            if last_acc_usec:
                assert sample.acc_timestamp_usec < last_acc_usec + 900
                assert sample.gyro_timestamp_usec < last_gyro_usec + 900
            last_acc_usec, last_gyro_usec = sample.acc_timestamp_usec, sample.gyro_timestamp_usec
            assert 10 < sample.temperature < 70
            assert all(-15 < axis < 15 for axis in sample.acc)
            assert all(-0.1 < axis < 0.1 for axis in sample.gyro)
            assert 9.6 < sum(axis * axis for axis in sample.acc) ** 0.5 < 10.0
            result, capture = device.poll(0)
            assert result != FAILED
            if capture is not None:
                captures += 1
                with capture:
                    assert capture.color and capture.ir
                    for picture in (capture.color, capture.ir):
                        assert abs(picture.device_timestamp_usec - last_acc_usec) < 4 * period_usec
        elapsed_sec = time.monotonic() - begin
        assert abs((last_acc_usec - first_usec) * 1e-6 - seconds) < 0.01 * seconds, "1666 Hz by its own clock"
        # Samples that were there before the loop began may make it shorter, by 0.3 s at most.
        assert seconds - 0.4 < elapsed_sec < 1.1 * seconds
        assert captures > 0.8 * 30 * (seconds - 0.5)


@dataclass
class _ImuReader:
    """The thread of ``throughput_perf``, which takes samples until it is told to end, or until one fails."""

    device: Device
    is_done: bool = False
    stamps_usec: list[int] = field(default_factory=list)
    has_failed: bool = False

    def run(self) -> None:
        assert self.device.start_imu() == SUCCEEDED
        while not self.is_done and not self.has_failed:
            result, sample = self.device.imu(1)
            self.has_failed = result == FAILED
            if result == SUCCEEDED:
                self.stamps_usec.append(sample.acc_timestamp_usec)
        self.device.stop_imu()


THROUGHPUT = [
    (Fps.F30, Format.MJPG, Resolution.R720P, Depth.NFOV_2X2BINNED),
    (Fps.F15, Format.BGRA32, Resolution.R720P, Depth.WFOV_2X2BINNED),
]
THROUGHPUT_FULL = [
    *THROUGHPUT,
    (Fps.F30, Format.MJPG, Resolution.R1080P, Depth.NFOV_UNBINNED),
    (Fps.F30, Format.MJPG, Resolution.R1440P, Depth.WFOV_2X2BINNED),
    (Fps.F30, Format.MJPG, Resolution.R1536P, Depth.PASSIVE_IR),
    (Fps.F30, Format.MJPG, Resolution.R2160P, Depth.NFOV_UNBINNED),
    (Fps.F30, Format.NV12, Resolution.R720P, Depth.NFOV_UNBINNED),
    (Fps.F30, Format.YUY2, Resolution.R720P, Depth.WFOV_2X2BINNED),
    (Fps.F30, Format.BGRA32, Resolution.R1080P, Depth.PASSIVE_IR),
    (Fps.F30, Format.BGRA32, Resolution.R2160P, Depth.NFOV_UNBINNED),
    (Fps.F15, Format.MJPG, Resolution.R3072P, Depth.WFOV_UNBINNED),
    (Fps.F5, Format.BGRA32, Resolution.R3072P, Depth.WFOV_UNBINNED),
]


@pytest.mark.parametrize(
    ("fps", "image_format", "resolution", "depth"),
    THROUGHPUT_FULL if IS_FULL else THROUGHPUT,
    ids=lambda value: value.name,
)
@pytest.mark.parametrize("delay_ratio", [-1.0, 0.63] if IS_FULL else [-0.8])
def test_captures_and_imu_samples_all_come(
    fps: Fps, image_format: Format, resolution: Resolution, depth: Depth, delay_ratio: float
) -> None:
    count = 100 if IS_FULL else 45
    config = Config(
        color_format=image_format,
        color_resolution=resolution,
        depth_mode=depth,
        camera_fps=fps,
        depth_delay_off_color_usec=int(delay_ratio * fps.period_usec),
    )
    with opened(0) as [device]:
        assert device.set_control(Control.POWERLINE, Mode.MANUAL, 2) == SUCCEEDED
        assert device.set_control(Control.EXPOSURE, Mode.AUTO, 0) == SUCCEEDED
        assert device.start(config) == SUCCEEDED
        reader = _ImuReader(device)
        thread = threading.Thread(target=reader.run)
        thread.start()
        try:
            _let_it_settle(device, fps)
            captures = _read(device, count, config)
            time.sleep(0.2)  # of a busy computer, whose reader of samples may be behind
        finally:
            reader.is_done = True
            device.stop()
            thread.join()
    assert not reader.has_failed
    tolerated = max(1, count * 5 // 100)
    assert abs(captures.pairs - count) <= tolerated, captures
    assert captures.singles <= tolerated, captures
    assert captures.missed <= tolerated, captures
    assert captures.unsynchronized <= tolerated, captures
    # All samples of the time that the captures span, at any load: the program reads both, however late.
    samples = [usec for usec in reader.stamps_usec if captures.first_usec <= usec < captures.last_usec]
    expected_samples = (captures.last_usec - captures.first_usec) * IMU_HZ / 1e6
    assert abs(len(samples) - expected_samples) <= 0.05 * expected_samples
    steps_usec = [b - a for a, b in pairwise(samples)]
    assert min(steps_usec) > 0
    assert max(steps_usec) < 900


def _let_it_settle(device: Device, fps: Fps) -> None:
    time.sleep(4.0 / fps.hz + 0.6)
    while (capture := device.poll(0)[1]) is not None:
        capture.release()


@dataclass
class _Counts:
    pairs: int = 0
    singles: int = 0
    missed: int = 0
    unsynchronized: int = 0
    first_usec: int = 0
    last_usec: int = 0
    """Of the stamps, the depth delay taken off."""


def _read(device: Device, count: int, config: Config) -> _Counts:
    counts = _Counts()
    period_usec = Fps(config.camera_fps).period_usec
    last_by_kind = {"color": 0, "ir": 0, "depth": 0}
    remaining = count
    while remaining > 0:
        remaining -= 1
        with device.capture(1_000) as capture:
            for kind, before in last_by_kind.items():
                if (picture := getattr(capture, kind)) is not None:
                    assert picture.device_timestamp_usec > before
                    last_by_kind[kind] = picture.device_timestamp_usec
            stamp_usec = _normal_stamp(capture, config.depth_delay_off_color_usec)
            if capture.color and capture.ir:
                counts.pairs += 1
                delta_usec = capture.ir.device_timestamp_usec - capture.color.device_timestamp_usec
                counts.unsynchronized += abs(delta_usec - config.depth_delay_off_color_usec) > 1_000
            else:
                counts.singles += 1
        counts.first_usec = counts.first_usec or stamp_usec
        since_usec = stamp_usec - (counts.last_usec or stamp_usec)
        if since_usec >= 1.5 * period_usec:
            gap = round(since_usec / period_usec) - 1
            counts.missed += gap
            remaining -= gap
        counts.last_usec = max(counts.last_usec, stamp_usec)
    return counts


def _normal_stamp(capture: Capture, delay_usec: int) -> int:
    color_usec = capture.color.device_timestamp_usec if capture.color else 0
    ir_usec = capture.ir.device_timestamp_usec - delay_usec if capture.ir else 0
    return max(color_usec, ir_usec)


def test_a_sample_of_the_imu_arrives_before_the_image_of_its_moment() -> None:
    """``latency_perf`` dates an image by the IMU sample of its stamp; one that comes later fails its assertion."""
    with opened(0) as [device]:
        assert device.start(Config(synchronized_images_only=1, **ALL)) == SUCCEEDED
        assert device.start_imu() == SUCCEEDED
        newest_usec = 0
        for number in range(60):
            with device.capture(1_000) as capture:
                now_nsec = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                while (outcome := device.imu(0))[0] == SUCCEEDED:
                    newest_usec = outcome[1].acc_timestamp_usec
                for picture in (capture.color, capture.ir):
                    assert picture is not None
                    assert picture.system_timestamp_nsec <= now_nsec
                    # The first ones were under way when the inertial sensors began.
                    assert number < 5 or newest_usec >= picture.device_timestamp_usec


def test_a_depth_delay_at_random_keeps_pairs_together() -> None:
    chance = random.Random(7)
    with opened(0) as [device]:
        for _ in range(3):
            delay_usec = chance.randint(-33_333, 33_333)
            config = Config(depth_delay_off_color_usec=delay_usec, synchronized_images_only=1, **ALL)
            assert device.start(config) == SUCCEEDED
            for _ in range(10):
                with device.capture() as capture:
                    assert capture.color and capture.ir
                    found_usec = capture.ir.device_timestamp_usec - capture.color.device_timestamp_usec
                    assert abs(found_usec - delay_usec) <= 110
            device.stop()
