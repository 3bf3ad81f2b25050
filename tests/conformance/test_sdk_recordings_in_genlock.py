"""What Microsoft's libk4arecord writes, read by genlock: made here with the real library, so nothing else is needed."""

from pathlib import Path

import pytest

from conformance.sdk import Sdk
from genlock.recording import RecordingReader, inspect_recording
from support.recordings import (
    CONFIGS,
    SHARED,
    SMALL_CONFIG,
    assert_same_captures,
    imu_values,
    make_calibration,
    make_capture,
    make_captures,
    make_imu,
)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_reader_gives_back_what_the_sdk_recorded(sdk: Sdk, tmp_path: Path, name: str) -> None:
    config = CONFIGS[name]
    captures, imu = make_captures(config, 6), make_imu(990_000, 500)
    tags = [("K4A_DEVICE_SERIAL_NUMBER", "000123"), ("STUDIO", "two words")]
    with sdk.recorder(tmp_path / "take.mkv", config, imu=True, tags=tags, calibration=make_calibration()) as recorder:
        for capture in captures:
            recorder.write_capture(capture)
        recorder.write_imu(imu)
    with RecordingReader(tmp_path / "take.mkv") as reader:
        assert reader.config == config
        assert reader.serial == "000123"
        assert reader.tags["STUDIO"] == "two words"
        assert reader.calibration == make_calibration()
        assert reader.start_offset_usec == 990_000
        assert reader.findings == ()
        assert_same_captures(list(reader.captures()), captures)
        assert imu_values(list(reader.imu())) == imu_values(imu)
        with sdk.playback(tmp_path / "take.mkv") as playback:
            assert reader.duration_usec == playback.length_usec()


def test_partial_captures_are_the_same_as_in_playback(sdk: Sdk, tmp_path: Path) -> None:
    # The pattern of the SDK's own "skips" test: depth only, color only, nothing, both; a flush every 7 captures.
    captures = []
    with sdk.recorder(tmp_path / "take.mkv", SMALL_CONFIG) as recorder:
        for index in range(60):
            if index % 4 == 2:
                continue
            usec = 1_000_000 + index * SMALL_CONFIG.camera_fps.period_usec
            capture = make_capture(SMALL_CONFIG, index, usec, usec + 1_000, color=index % 4 != 0, depth=index % 4 != 1)
            captures.append(capture)
            recorder.write_capture(capture)
            if index % 7 == 0:
                recorder.flush()
    with RecordingReader(tmp_path / "take.mkv") as reader, sdk.playback(tmp_path / "take.mkv") as playback:
        assert_same_captures(list(reader.captures()), captures)
        assert_same_captures(list(playback.captures()), captures)
    inspection = inspect_recording(tmp_path / "take.mkv")
    assert (inspection.captures, inspection.complete_captures, inspection.partial_captures) == (45, 15, 30)


def test_a_recording_killed_after_a_flush_is_read_up_to_it(sdk: Sdk, tmp_path: Path) -> None:
    path, copy = tmp_path / "take.mkv", tmp_path / "killed.mkv"
    captures = make_captures(SMALL_CONFIG, 10)
    with sdk.recorder(path, SMALL_CONFIG) as recorder:
        for capture in captures:
            recorder.write_capture(capture)
        recorder.flush()
        recorder.write_capture(make_capture(SMALL_CONFIG, 10, 9_000_000))
        copy.write_bytes(path.read_bytes())  # what a kill would leave
    with RecordingReader(copy) as reader:
        assert_same_captures(list(reader.captures()), captures)


# ---- real recordings, and files that the SDK made elsewhere ------------------------------------------------------


def _shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


@pytest.mark.parametrize("name", ["recording.mkv", "sdk_master.mkv", "sdk_subordinate_160.mkv"])
def test_shared_recordings_read_as_playback_reads_them(sdk: Sdk, name: str) -> None:
    with RecordingReader(_shared(name)) as reader, sdk.playback(_shared(name)) as playback:
        found = playback.config()
        assert (reader.config, reader.start_offset_usec) == (found.config, found.start_offset_usec)
        assert reader.serial == playback.tag("K4A_DEVICE_SERIAL_NUMBER")
        calibration = playback.calibration()
        assert reader.calibration == (calibration.rstrip(b"\0") if calibration else None)
        assert reader.duration_usec == playback.length_usec()
        assert_same_captures(list(reader.captures()), list(playback.captures()))
        assert imu_values(list(reader.imu())) == imu_values(list(playback.imu()))
        assert reader.findings == ()


def test_a_recorder_killed_before_its_first_flush_leaves_a_recording_that_genlock_reads() -> None:
    with RecordingReader(_shared("killed_recorder.mkv")) as reader:
        assert reader.start_offset_usec == 5_000_000  # from the inertial samples: the tag was never written
        assert reader.config.subordinate_delay_off_master_usec == 320
        assert len(list(reader.captures())) == 128
        assert [f.code for f in reader.findings] == ["recording.unfinished", "recording.start_offset_recovered"]
