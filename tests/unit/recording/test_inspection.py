import json
from dataclasses import replace
from pathlib import Path

import pytest

from genlock.findings import Severity
from genlock.k4a import CameraFps, DepthMode, DeviceConfig
from genlock.recording import RecordingInspection, inspect_recording
from support.recordings import (
    SHARED,
    SMALL_CONFIG,
    make_calibration,
    make_capture,
    make_captures,
    make_imu,
    write_recording,
)

PERIOD_USEC = SMALL_CONFIG.camera_fps.period_usec


def codes(inspection: RecordingInspection) -> list[str]:
    return [finding.code for finding in inspection.findings]


def test_a_whole_recording_is_told_without_findings(tmp_path: Path) -> None:
    captures, imu = make_captures(SMALL_CONFIG, 10), make_imu(990_000, 500)
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures, imu, tags={"GENLOCK_BACKEND": "sim"})
    found = inspect_recording(tmp_path / "take.mkv")
    assert codes(found) == []
    assert (found.captures, found.complete_captures, found.partial_captures) == (10, 10, 0)
    assert (found.imu_samples, found.imu_hz) == (500, pytest.approx(1e6 / 600, abs=0.001))
    assert found.is_simulated and found.has_calibration
    assert [track.name for track in found.tracks] == ["COLOR", "DEPTH", "IR", "IMU", "GENLOCK_STAMPS"]
    color = found.tracks[0]
    assert (color.blocks, color.first_usec, color.last_usec) == (10, 1_000_000, 1_000_000 + 9 * PERIOD_USEC)
    assert color.fps == pytest.approx(30, abs=0.001)
    assert (color.gaps, color.missing) == (0, 0)


def test_what_is_told_is_one_json_object(tmp_path: Path) -> None:
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, make_captures(SMALL_CONFIG, 3), make_imu(1_000_000, 50))
    found = inspect_recording(tmp_path / "take.mkv")
    told = json.loads(json.dumps(found.to_json()))
    assert told["config"]["depth_mode"] == "NFOV_2X2BINNED"
    assert told["tracks"][1]["width_px"] == 320
    assert told["captures"] == 3


def test_the_text_shows_what_people_look_for(tmp_path: Path) -> None:
    captures = make_captures(SMALL_CONFIG, 3)
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures, tags={"GENLOCK_BACKEND": "sim"})
    text = inspect_recording(tmp_path / "take.mkv").to_text()
    for expected in ("SIMULATED", "000000000007", "720P MJPG", "NFOV_2X2BINNED", "3 captures", "1280x720", "30.00"):
        assert expected in text


def test_gaps_are_counted_with_the_images_that_they_swallowed(tmp_path: Path) -> None:
    captures = [capture for index, capture in enumerate(make_captures(SMALL_CONFIG, 20)) if index not in (5, 6, 12)]
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures)
    found = inspect_recording(tmp_path / "take.mkv")
    assert codes(found) == ["recording.gaps"] * 3  # color, depth, IR
    assert [(track.gaps, track.missing) for track in found.tracks[:3]] == [(2, 3)] * 3
    assert found.tracks[0].longest_gap_usec == 3 * PERIOD_USEC


def test_partial_captures_are_told(tmp_path: Path) -> None:
    captures = [
        make_capture(SMALL_CONFIG, index, 1_000_000 + index * PERIOD_USEC, depth=index > 2) for index in range(8)
    ]
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures)
    found = inspect_recording(tmp_path / "take.mkv")
    assert (found.captures, found.partial_captures) == (8, 3)
    assert codes(found) == ["recording.partial_captures"]


def test_the_depth_delay_is_told_as_asked_as_kept_and_as_measured(tmp_path: Path) -> None:
    config = replace(SMALL_CONFIG, depth_delay_off_color_usec=160)
    captures = [
        make_capture(config, index, 1_000_000 + index * PERIOD_USEC, 1_000_000 + index * PERIOD_USEC + 155)
        for index in range(5)
    ]
    write_recording(tmp_path / "take.mkv", config, captures)
    delay = inspect_recording(tmp_path / "take.mkv").depth_delay
    assert delay is not None
    assert (delay.configured_usec, delay.expected_usec, delay.measured_usec) == (160, 155, 155)


def test_tags_that_no_device_could_have_made_are_told(tmp_path: Path) -> None:
    config = DeviceConfig(depth_mode=DepthMode.WFOV_UNBINNED, camera_fps=CameraFps.FPS_30)
    write_recording(tmp_path / "take.mkv", config, [])
    assert codes(inspect_recording(tmp_path / "take.mkv")) == [
        "recording.no_captures",
        "recording.impossible_configuration",
    ]


def test_a_calibration_of_another_device_is_told(tmp_path: Path) -> None:
    captures = make_captures(SMALL_CONFIG, 3)
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures, calibration=make_calibration("000000000009"))
    assert codes(inspect_recording(tmp_path / "take.mkv")) == ["recording.calibration_of_another_device"]


def test_a_start_past_what_playback_can_hold_is_told(tmp_path: Path) -> None:
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, make_captures(SMALL_CONFIG, 3, first_usec=1 << 32))
    assert codes(inspect_recording(tmp_path / "take.mkv")) == ["recording.start_offset_past_playback"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recording.mkv", ["recording.too_short_to_judge"]),
        ("sdk_master.mkv", ["recording.no_calibration", "recording.too_short_to_judge"]),
        ("sdk_subordinate_160.mkv", ["recording.no_calibration", "recording.too_short_to_judge"]),
        (
            "killed_recorder.mkv",
            ["recording.unfinished", "recording.start_offset_recovered", "recording.no_calibration"],
        ),
    ],
)
def test_real_recordings_are_told_truly(name: str, expected: list[str]) -> None:
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is not here")
    found = inspect_recording(SHARED / name)
    assert codes(found) == expected
    assert all(finding.severity is not Severity.ERROR for finding in found.findings)
    if name == "recording.mkv":
        assert (found.serial, found.captures, found.imu_samples) == ("001514394512", 1, 1)
        assert found.writing_app == "k4arecord-1.4.1"
