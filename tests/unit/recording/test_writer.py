import errno
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genlock.capture import Capture, Image
from genlock.errors import RecordingError
from genlock.k4a import CameraFps, ColorResolution, DeviceConfig, ImageFormat
from genlock.recording import RecordingReader, RecordingSummary, RecordingWriter, digest_recording
from genlock.recording.writer import REORDER_WINDOW_USEC
from support.recordings import (
    CONFIGS,
    SMALL_CONFIG,
    assert_same_captures,
    imu_values,
    make_capture,
    make_captures,
    make_imu,
    write_recording,
)

COLOR_ONLY = DeviceConfig(color_resolution=ColorResolution.RES_720P)
PERIOD_USEC = COLOR_ONLY.camera_fps.period_usec


def tiny_capture(index: int, usec: int) -> Capture:
    """A color image of a few bytes: for tests of times, not of pixels."""
    jpeg = np.frombuffer(b"\xff\xd8" + index.to_bytes(4, "big") + b"\xff\xd9", np.uint8)
    return Capture("1", index, Image(ImageFormat.MJPG, 1280, 720, jpeg, usec, 0), None, None)


def open_writer(path: Path, config: DeviceConfig = COLOR_ONLY, *, imu: bool = False) -> RecordingWriter:
    return RecordingWriter(
        path, config, serial="1", calibration=None, color_firmware=None, depth_firmware=None, imu=imu
    )


def read_usec(path: Path) -> list[int]:
    with RecordingReader(path) as reader:
        return reader.stamps().color_usec.tolist()


# ---- what it refuses ---------------------------------------------------------------------------------------------


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "take.mkv").write_text("precious")
    with pytest.raises(FileExistsError):
        open_writer(tmp_path / "take.mkv")
    assert (tmp_path / "take.mkv").read_text() == "precious"


def test_the_file_is_there_before_the_first_capture(tmp_path: Path) -> None:
    with open_writer(tmp_path / "take.mkv"), RecordingReader(tmp_path / "take.mkv") as reader:
        assert reader.config == COLOR_ONLY


@pytest.mark.parametrize("name", ["lower", "WITH SPACE", "K4A_DEPTH_MODE", "", "Ä"])
def test_tag_names_that_the_sdk_would_refuse_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="tag name"):
        write_recording(tmp_path / "take.mkv", COLOR_ONLY, [], tags={name: "x"})
    assert not (tmp_path / "take.mkv").exists()


def test_images_that_do_not_fit_the_configuration_are_refused_whole(tmp_path: Path) -> None:
    fitting = make_capture(SMALL_CONFIG, 0, 1_000_000)
    assert fitting.color and fitting.depth
    flat = replace(fitting.depth, pixels=fitting.depth.pixels.reshape(-1))
    other = make_capture(CONFIGS["master_depth_first"], 0, 1_000_000)
    with open_writer(tmp_path / "take.mkv", SMALL_CONFIG) as writer:
        for wrong in (other, replace(fitting, depth=flat), replace(fitting, color=replace(fitting.color, width_px=7))):
            with pytest.raises(ValueError, match=r"track holds|expected"):
                writer.write_capture(wrong)
        assert writer.close().captures == 0
    with open_writer(tmp_path / "color.mkv") as writer, pytest.raises(ValueError, match="no DEPTH track"):
        writer.write_capture(fitting)


def test_a_closed_writer_refuses_and_closes_twice(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "take.mkv")
    assert writer.close() == writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write_capture(tiny_capture(0, 0))


def test_inertial_samples_need_their_track(tmp_path: Path) -> None:
    with open_writer(tmp_path / "take.mkv") as writer, pytest.raises(ValueError, match="IMU"):
        writer.write_imu(make_imu(0, 1))


# ---- times -------------------------------------------------------------------------------------------------------


def test_the_start_offset_is_the_earliest_sample_of_any_track(tmp_path: Path) -> None:
    captures, imu = make_captures(SMALL_CONFIG, 3, first_usec=5_000_000), make_imu(4_900_000, 400)
    summary = write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures, imu)
    assert (summary.start_offset_usec, summary.duration_usec) == (4_900_000, 399 * 600)


@pytest.mark.parametrize("first_usec", [0, (1 << 32) - 50_000, 24 * 3600 * 1_000_000])
def test_device_times_are_64_bits_wide(tmp_path: Path, first_usec: int) -> None:
    captures, imu = make_captures(SMALL_CONFIG, 4, first_usec), make_imu(first_usec, 200)
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures, imu)
    with RecordingReader(tmp_path / "take.mkv") as reader:
        assert_same_captures(list(reader.captures()), captures)
        assert imu_values(list(reader.imu())) == imu_values(imu)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.data())
def test_any_order_of_arrival_within_the_window_gives_the_same_recording(tmp_path: Path, data: st.DataObject) -> None:
    """Law: singles and inertial samples interleave as they like, each track in its own order."""
    count = 12
    colors = [("capture", tiny_capture(index, 1_000_000 + index * PERIOD_USEC)) for index in range(count)]
    samples = [("imu", sample) for sample in make_imu(990_000, 700)]
    order = data.draw(st.permutations([0] * count + [1] * 14))
    with open_writer(tmp_path / "a.mkv", imu=True) as writer:
        waiting = {0: list(colors), 1: [samples[at : at + 50] for at in range(0, 700, 50)]}
        for which in order:
            item = waiting[which].pop(0)
            if which:
                writer.write_imu([sample for _, sample in item])
            else:
                writer.write_capture(item[1])
        summary = writer.close()
    # 400 ms of color and 420 ms of inertial samples: whichever comes first, the other is never a window late.
    assert (summary.late_samples, summary.refused_samples) == (0, 0)
    with RecordingReader(tmp_path / "a.mkv") as reader:
        assert_same_captures(list(reader.captures()), [capture for _, capture in colors])
        assert imu_values(list(reader.imu())) == imu_values([sample for _, sample in samples])
        assert reader.start_offset_usec == 990_000
    (tmp_path / "a.mkv").unlink()


def test_what_comes_too_late_is_written_behind_and_counted(tmp_path: Path) -> None:
    times = [1_000_000 + index * PERIOD_USEC for index in range(60)]
    late = times[30]
    with open_writer(tmp_path / "take.mkv") as writer:
        for index, usec in enumerate([*times[:30], *times[31:], late]):
            writer.write_capture(tiny_capture(index, usec))
        summary = writer.close()
    assert summary.late_samples == 2  # the image and its stamps
    assert sorted(read_usec(tmp_path / "take.mkv")) == times


def test_what_is_older_than_the_first_cluster_is_refused_and_counted(tmp_path: Path) -> None:
    with open_writer(tmp_path / "take.mkv") as writer:
        for index in range(30):
            writer.write_capture(tiny_capture(index, 1_000_000 + index * PERIOD_USEC))
        writer.write_capture(tiny_capture(30, 999_999))
        summary = writer.close()
    assert (summary.refused_samples, len(read_usec(tmp_path / "take.mkv"))) == (2, 30)


def test_a_silent_track_holds_the_others_back_for_one_window_only(tmp_path: Path) -> None:
    path = tmp_path / "take.mkv"
    with open_writer(path, imu=True) as writer:  # no inertial sample ever comes
        for index in range(60):
            writer.write_capture(tiny_capture(index, 1_000_000 + index * PERIOD_USEC))
            held = index + 1 - len(read_usec(path))
            # The window, one cluster more, and the capture that has just come.
            assert held <= (REORDER_WINDOW_USEC + 32_000) // PERIOD_USEC + 2


def test_everything_is_on_the_file_after_a_flush(tmp_path: Path) -> None:
    with open_writer(tmp_path / "take.mkv", imu=True) as writer:
        for index in range(5):
            writer.write_capture(tiny_capture(index, 1_000_000 + index * PERIOD_USEC))
            writer.flush()
            assert len(read_usec(tmp_path / "take.mkv")) == index + 1


def test_memory_is_flat_over_an_hour(tmp_path: Path) -> None:
    config = replace(COLOR_ONLY, camera_fps=CameraFps.FPS_5)
    period_usec = config.camera_fps.period_usec
    with open_writer(tmp_path / "take.mkv", config) as writer:
        tracemalloc.start()
        for index in range(18_000):  # an hour at 5 fps
            writer.write_capture(tiny_capture(index, index * period_usec))
            if index == 1_000:
                before, _ = tracemalloc.get_traced_memory()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    # One cue a second stays in memory, 17000 / 5 of them: 20 bytes of content, 33 of object, 8 of list each.
    assert after - before < 17_000 / 5 * 80


# ---- disk --------------------------------------------------------------------------------------------------------


class FullDisk:
    """Stands for ``os.writev`` on a disk with little room: writes what fits, then fails."""

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes
        self.real = os.writev

    def __call__(self, fd: int, parts: list[memoryview]) -> int:
        if self.room_bytes <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.real(fd, [memoryview(b"".join(parts))[: self.room_bytes]])
        self.room_bytes -= written
        return written


@pytest.mark.skipif(not hasattr(os, "writev"), reason="the fake stands for os.writev, which this system has not")
def test_a_full_disk_leaves_a_valid_file_and_recording_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "take.mkv"
    writer = open_writer(path)
    disk = FullDisk(room_bytes=2_000)
    monkeypatch.setattr(os, "writev", disk)
    failed = 0
    for index in range(40):
        try:
            writer.write_capture(tiny_capture(index, 1_000_000 + index * PERIOD_USEC))
        except OSError:
            failed += 1
            assert digest_recording(path).damaged_clusters == ()  # nothing torn is in it
        if index == 30:
            disk.room_bytes = 100_000
    summary = writer.close()
    assert failed > 5
    assert summary.unwritten_samples == 2 * failed  # an image and its stamps each
    assert len(read_usec(path)) == 40 - failed
    assert digest_recording(path).root == summary.digest_root


@pytest.mark.skipif(not hasattr(os, "writev"), reason="the fake stands for os.writev, which this system has not")
def test_a_disk_that_is_full_at_the_end_leaves_a_closed_readable_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "take.mkv"
    writer = open_writer(path)
    for index in range(10):
        writer.write_capture(tiny_capture(index, 1_000_000 + index * PERIOD_USEC))
    monkeypatch.setattr(os, "writev", FullDisk(room_bytes=0))
    with pytest.raises(OSError, match="No space"):
        writer.close()
    summary = writer.close()
    assert len(read_usec(path)) * 2 + summary.unwritten_samples == 20
    assert digest_recording(path).root == summary.digest_root


@pytest.mark.skipif(not hasattr(os, "writev"), reason="the fake stands for os.writev, which this system has not")
def test_times_are_right_when_the_first_cluster_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "take.mkv"
    writer = open_writer(path)
    disk = FullDisk(room_bytes=0)
    monkeypatch.setattr(os, "writev", disk)
    times = [1_000_000 + index * PERIOD_USEC for index in range(6)]
    writer.write_capture(tiny_capture(0, times[0]))
    with pytest.raises(OSError, match="No space"):
        writer.write_capture(tiny_capture(1, times[1]))
    disk.room_bytes = 100_000
    for index in range(2, 6):
        writer.write_capture(tiny_capture(index, times[index]))
    writer.close()
    assert read_usec(path) == times[1:]


@pytest.mark.skipif(not hasattr(os, "writev"), reason="the fake stands for os.writev, which this system has not")
def test_a_disk_without_room_for_the_header_keeps_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "writev", FullDisk(room_bytes=100))
    with pytest.raises(OSError, match="No space"):
        open_writer(tmp_path / "take.mkv")
    assert list(tmp_path.iterdir()) == []


def test_without_writev_the_file_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captures, imu = make_captures(SMALL_CONFIG, 5), make_imu(999_000, 200)

    def record(path: Path) -> RecordingSummary:
        return write_recording(path, SMALL_CONFIG, captures, imu)

    record(tmp_path / "with.mkv")
    monkeypatch.delattr(os, "writev", raising=False)
    record(tmp_path / "without.mkv")
    with_writev, without = (tmp_path / "with.mkv").read_bytes(), (tmp_path / "without.mkv").read_bytes()
    # The second of the day when each was made stands in the header.
    assert len(with_writev) == len(without)
    assert with_writev[4096:] == without[4096:]


# ---- digest ------------------------------------------------------------------------------------------------------


def test_the_root_that_the_writer_gives_is_the_root_of_the_file(tmp_path: Path) -> None:
    summary = write_recording(
        tmp_path / "take.mkv", SMALL_CONFIG, make_captures(SMALL_CONFIG, 40), make_imu(999_000, 2_000)
    )
    digest = digest_recording(tmp_path / "take.mkv")
    assert (digest.root, digest.damaged_clusters) == (summary.digest_root, ())
    assert summary.size_bytes == (tmp_path / "take.mkv").stat().st_size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(data=st.data())
def test_any_flipped_bit_changes_the_root_or_is_told(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "take.mkv"
    path.unlink(missing_ok=True)
    with open_writer(path, imu=True) as writer:
        for index in range(30):
            writer.write_capture(tiny_capture(index, 1_000_000 + index * PERIOD_USEC))
            writer.write_imu(make_imu(1_000_000 + index * PERIOD_USEC, 50))
        summary = writer.close()
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        digest = digest_recording(path)
    except RecordingError:
        return
    assert digest.root != summary.digest_root or digest.damaged_clusters


def test_a_flipped_bit_is_told_by_cluster_and_time(tmp_path: Path) -> None:
    path = tmp_path / "take.mkv"
    captures = make_captures(SMALL_CONFIG, 10)
    write_recording(path, SMALL_CONFIG, captures)
    content = bytearray(path.read_bytes())
    assert captures[6].color is not None
    at = content.find(captures[6].color.pixels.tobytes())
    content[at + 100] ^= 0x10
    path.write_bytes(content)
    (damaged,) = digest_recording(path).damaged_clusters
    assert damaged.offset_bytes < at < damaged.offset_bytes + damaged.size_bytes
    assert damaged.usec == 6 * PERIOD_USEC
