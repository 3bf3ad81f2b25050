"""A recorded take, played, keeps the device contract."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from genlock.devices import Backend, Device, open_backend
from genlock.devices.playback import PlaybackBackend
from genlock.errors import CaptureTimeoutError, DeviceLostError, DeviceStartError, RecordingError
from genlock.k4a import CameraFps, ImageFormat
from genlock.plan import make_plan
from genlock.recording import RecordedSession, RecordingReader, Span, SplitRule, rewrite
from genlock.rig import Rig
from genlock.session import Session
from genlock.testing.device_contract import MASTER, SUBORDINATE, DeviceContract
from genlock.testing.rigs import chain_rig
from genlock.workflows.cutting import split
from genlock.workflows.record import record_take


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the contract's rig."""
    rig = chain_rig(2)
    path = tmp_path_factory.mktemp("takes") / "take"
    with open_backend("sim", rig) as backend:
        record_take(make_plan(rig), backend, path, rig_toml="", seconds=2)
    return path


class TestPlayback(DeviceContract):
    @pytest.fixture(autouse=True)
    def _take(self, take: Path) -> Iterator[None]:
        self.take = take
        yield

    def make_backend(self, rig: Rig) -> Backend:
        return open_backend("playback", rig, take=self.take)


def start(backend: Backend, rig: Rig) -> dict[str, Device]:
    plan = make_plan(rig)
    devices = {}
    for serial in plan.start_order:
        device = devices[serial] = backend.open(serial)
        device.arm(plan.device(serial).config)
        device.start()
    return devices


def test_a_session_over_a_played_take_gives_the_recorded_sets(take: Path):
    rig = chain_rig(2)
    with (
        open_backend("playback", rig, take=take) as backend,
        Session(make_plan(rig), backend, duration_sec=1) as session,
    ):
        played = [(s.reference_usec, sorted(s.captures)) for s in session]
    with RecordedSession(take) as recorded:
        expected = [(s.reference_usec, sorted(s.captures)) for s in recorded]
    assert played == expected[: len(played)]
    assert len(played) == 30


def test_a_played_simulation_stays_a_simulation(take: Path):
    with open_backend("playback", chain_rig(2), take=take) as backend:
        assert backend.provenance["GENLOCK_BACKEND"] == "sim"


def test_stepwise_every_device_waits_for_the_step_and_they_stay_together(take: Path):
    rig = chain_rig(2)
    with PlaybackBackend(rig, take=take, pace="step") as backend:
        devices = start(backend, rig)
        with pytest.raises(CaptureTimeoutError, match="stepped"):
            devices[MASTER].next_capture(0)
        for _ in range(3):
            assert backend.step()
            one, other = devices[MASTER].next_capture(0), devices[SUBORDINATE].next_capture(0)
            assert abs((one.stamp.color_usec or 0) - (other.stamp.color_usec or 0)) < 1000
            for device in devices.values():
                with pytest.raises(CaptureTimeoutError):
                    device.next_capture(0)
        while backend.step(10):
            pass
        captures = 3
        with pytest.raises(DeviceLostError, match="over"):
            while True:
                devices[MASTER].next_capture(0)
                captures += 1
        with RecordedSession(take) as recorded:
            assert captures == len(recorded.readers[MASTER].stamps().color_usec)


def test_at_its_own_pace_a_take_lasts_as_long_as_it_lasted(take: Path):
    """Ten times as fast here; 30 captures span 29 periods. Slower is a busy machine's affair, faster is wrong."""
    rig = chain_rig(2)
    with PlaybackBackend(rig, take=take, pace=10) as backend:
        devices = start(backend, rig)
        begin_nsec = backend.clock.now_nsec()
        for _ in range(30):
            devices[MASTER].next_capture(5)
        assert backend.clock.now_nsec() - begin_nsec >= 29 * 33_333_000 / 10 * 0.99


def test_a_plan_that_is_not_what_was_recorded_does_not_start(take: Path):
    other = chain_rig(2, {"depth_mode": "NFOV_UNBINNED"})
    with open_backend("playback", other, take=take) as backend:
        device = backend.open(MASTER)
        device.arm(make_plan(other).device(MASTER).config)
        with pytest.raises(DeviceStartError, match="depth_mode") as caught:
            device.start()
        assert caught.value.code == "not_as_recorded"


def test_loose_parts_are_played_in_order_and_files_of_one_time_are_refused(take: Path, tmp_path: Path):
    rig, whole = chain_rig(2), take / "devices" / MASTER / "e01-p001.mkv"
    parts = split(whole, tmp_path / "parts", SplitRule(usec=700_000)).files
    assert len(parts) > 2
    with RecordingReader(whole) as reader:
        recorded = [capture.stamp.color_usec for capture in reader.captures()]
    plan = make_plan(rig)
    with open_backend("playback", rig, take=[parts[2], parts[0], *parts[3:], parts[1]]) as backend:
        device = backend.open(MASTER)
        device.arm(plan.device(MASTER).config)
        device.start()
        assert [device.next_capture(10).stamp.color_usec for _ in recorded] == recorded
    with pytest.raises(RecordingError, match="of the same time as"):
        open_backend("playback", rig, take=[whole, parts[1]])


def test_parts_without_captures_are_played_as_nothing(take: Path, tmp_path: Path):
    rig, whole = chain_rig(2), take / "devices" / MASTER / "e01-p001.mkv"
    empty = [tmp_path / "empty-1.mkv", tmp_path / "empty-2.mkv"]
    with RecordingReader(whole) as reader:
        for path in empty:
            rewrite([reader], path, span=Span(from_usec=100_000_000))
        recorded = [capture.stamp.color_usec for capture in reader.captures()]
    with open_backend("playback", rig, take=[empty[0], whole, empty[1]]) as backend:
        device = backend.open(MASTER)
        device.arm(make_plan(rig).device(MASTER).config)
        device.start()
        assert [device.next_capture(10).stamp.color_usec for _ in recorded] == recorded


def test_every_setting_that_was_not_recorded_so_is_named_at_once(take: Path):
    rig = chain_rig(2)
    with open_backend("playback", rig, take=take) as backend:
        device = backend.open(MASTER)
        config = make_plan(rig).device(MASTER).config
        device.arm(replace(config, color_format=ImageFormat.NV12, camera_fps=CameraFps.FPS_15))
        with pytest.raises(DeviceStartError, match=r"color_format is planned as NV12 .*; camera_fps is planned as 15"):
            device.start()
