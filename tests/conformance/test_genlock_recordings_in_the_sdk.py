"""What genlock writes, read by Microsoft's libk4arecord."""

from pathlib import Path

import numpy as np
import pytest

from conformance.sdk import Sdk, SdkError
from genlock.capture import Capture
from genlock.k4a import DeviceConfig
from genlock.recording import RecordingReader
from support.recordings import (
    CONFIGS,
    SERIAL,
    SMALL_CONFIG,
    assert_same_captures,
    imu_values,
    make_calibration,
    make_capture,
    make_captures,
    make_imu,
    write_recording,
)


@pytest.mark.parametrize("name", CONFIGS)
def test_playback_gives_back_what_was_recorded(sdk: Sdk, tmp_path: Path, name: str) -> None:
    config = CONFIGS[name]
    captures = make_captures(config, 6)
    imu = make_imu(990_000, 500)
    summary = write_recording(tmp_path / "take.mkv", config, captures, imu, tags={"GENLOCK_BACKEND": "sim"})
    with sdk.playback(tmp_path / "take.mkv") as playback:
        found = playback.config()
        assert found.config == config
        assert found.start_offset_usec == 990_000 == summary.start_offset_usec
        assert (found.has_color, found.has_ir, found.has_imu) == (config.has_color, config.has_depth_camera, True)
        assert playback.tag("K4A_DEVICE_SERIAL_NUMBER") == SERIAL
        assert playback.tag("K4A_COLOR_FIRMWARE_VERSION") == "1.6.110"
        assert playback.tag("K4A_DEPTH_FIRMWARE_VERSION") == "1.6.79"
        assert playback.tag("GENLOCK_BACKEND") == "sim"
        assert playback.calibration() == make_calibration() + b"\0"
        assert_same_captures(list(playback.captures()), captures)
        assert imu_values(list(playback.imu())) == imu_values(imu)
        assert playback.length_usec() == summary.duration_usec


def test_playback_lists_the_stamps_track(sdk: Sdk, tmp_path: Path) -> None:
    captures = make_captures(SMALL_CONFIG, 4)
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures)
    with sdk.playback(tmp_path / "take.mkv") as playback:
        assert playback.has_track("GENLOCK_STAMPS")
        blocks = list(playback.blocks("GENLOCK_STAMPS"))
    assert [usec for usec, _ in blocks] == [
        capture.color.device_timestamp_usec for capture in captures if capture.color
    ]
    assert {len(content) for _, content in blocks} == {72}


def test_playback_goes_backwards_and_seeks(sdk: Sdk, tmp_path: Path) -> None:
    captures = make_captures(SMALL_CONFIG, 70)  # over 2 s: three cues
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures, make_imu(999_000, 100))
    with sdk.playback(tmp_path / "take.mkv") as playback:
        playback.seek(0, origin=1)
        backwards = []
        while (capture := playback.previous_capture()) is not None:
            backwards.append(capture)
        assert_same_captures(backwards[::-1], captures)
        for wanted in (0, 1, 33, 50, 69):
            playback.seek(captures[wanted].stamp.color_usec or 0, origin=2)
            assert_same_captures([playback.next_capture()], [captures[wanted]])


@pytest.mark.parametrize("delay_usec", [0, 8_000, -8_000])
@pytest.mark.parametrize("seed", range(4))
def test_playback_groups_images_as_the_reader_does(sdk: Sdk, tmp_path: Path, delay_usec: int, seed: int) -> None:
    config = DeviceConfig(
        color_resolution=SMALL_CONFIG.color_resolution,
        depth_mode=SMALL_CONFIG.depth_mode,
        depth_delay_off_color_usec=delay_usec,
    )
    captures = _ragged_captures(config, np.random.default_rng(seed))
    write_recording(tmp_path / "take.mkv", config, captures)
    with sdk.playback(tmp_path / "take.mkv") as playback, RecordingReader(tmp_path / "take.mkv") as reader:
        played, read = list(playback.captures()), list(reader.captures())
        assert_same_captures(read, played)
        stamps = reader.stamps()
    assert stamps.color_usec.tolist() == [_or_missing(c.stamp.color_usec) for c in played]
    assert stamps.depth_usec.tolist() == [_or_missing(c.stamp.depth_usec) for c in played]


def _or_missing(usec: int | None) -> int:
    return -1 if usec is None else usec


def _ragged_captures(config: DeviceConfig, rng: np.random.Generator) -> list[Capture]:
    """Images missing here and there; color and depth up to a period apart, so that some fall out of half a period."""
    period_usec = config.camera_fps.period_usec
    captures = []
    for index in range(40):
        color_usec = 1_000_000 + index * period_usec
        depth_usec = color_usec + config.depth_delay_off_color_usec + int(rng.integers(-period_usec, period_usec) * 0.7)
        has_color, has_depth = rng.random(2) < 0.8
        captures.append(make_capture(config, index, color_usec, depth_usec, color=has_color, depth=has_depth))
    return captures


def test_captures_that_come_far_too_late_are_played_back(sdk: Sdk, tmp_path: Path) -> None:
    captures = make_captures(SMALL_CONFIG, 40)
    # 1.1 s behind when it comes: more than twice the reordering window.
    late_order = [*captures[:5], *captures[6:], captures[5]]
    summary = write_recording(tmp_path / "take.mkv", SMALL_CONFIG, late_order)
    assert (summary.late_samples, summary.refused_samples) == (4, 0)  # three images and their stamps
    with sdk.playback(tmp_path / "take.mkv") as playback, RecordingReader(tmp_path / "take.mkv") as reader:
        played = list(playback.captures())
        assert_same_captures(list(reader.captures()), played)
        assert_same_captures(sorted(played, key=lambda capture: capture.stamp.color_usec or 0), captures)


def test_a_recording_without_captures_is_what_playback_refuses_too(sdk: Sdk, tmp_path: Path) -> None:
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, [])
    with pytest.raises(SdkError), sdk.playback(tmp_path / "take.mkv"):
        pass
    with RecordingReader(tmp_path / "take.mkv") as reader:
        assert [finding.code for finding in reader.findings] == ["recording.no_captures"]
