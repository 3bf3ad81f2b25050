"""What repair makes of recordings whose recorder was killed, given to Microsoft's libk4arecord."""

from pathlib import Path

import pytest

from conformance.sdk import Sdk, SdkError
from genlock.recording import OffsetSource, RecordingReader, repair_recording
from support.recordings import (
    CONFIGS,
    SHARED,
    SMALL_CONFIG,
    assert_same_captures,
    imu_values,
    make_captures,
    make_imu,
)


def test_the_shared_killed_recording_plays_with_its_true_times(sdk: Sdk, tmp_path: Path) -> None:
    original = SHARED / "killed_recorder.mkv"
    if not original.exists():
        pytest.skip(f"{original} is not here")
    with pytest.raises(SdkError), sdk.playback(original):
        pass
    result = repair_recording(original, tmp_path / "rescued.mkv")
    assert (result.offset.source, result.offset.offset_usec, result.offset.is_certain) == (
        OffsetSource.IMU,
        5_000_000,
        True,
    )
    with sdk.playback(result.repaired) as playback:
        assert playback.config().start_offset_usec == 5_000_000
        assert playback.config().config.subordinate_delay_off_master_usec == 320
        assert len(list(playback.captures())) == 128 == result.captures


@pytest.mark.parametrize("name", ["standalone", "subordinate_depth_last", "color_only"])
def test_a_recorder_killed_before_its_first_flush_is_rescued(sdk: Sdk, tmp_path: Path, name: str) -> None:
    """Copies the file while libk4arecord has it open: what a kill at that moment would leave."""
    config = CONFIGS[name]
    first_usec = 7_000_000
    period_usec = config.camera_fps.period_usec
    count = 5_000_000 // period_usec  # the recorder holds back two seconds
    captures = make_captures(config, count, first_usec)
    imu = make_imu(first_usec - 5_000, 5_000_000 // 600)
    path, killed = tmp_path / "take.mkv", tmp_path / "killed.mkv"
    with sdk.recorder(path, config, imu=True) as recorder:
        waiting = list(imu)
        for capture in captures:
            recorder.write_capture(capture)
            due = [s for s in waiting if s.acc_timestamp_usec <= capture.images[0].device_timestamp_usec]
            recorder.write_imu(due)
            del waiting[: len(due)]
        killed.write_bytes(path.read_bytes())
    with pytest.raises(SdkError), sdk.playback(killed):
        pass
    result = repair_recording(killed)
    assert (result.offset.source, result.offset.offset_usec) == (OffsetSource.IMU, first_usec - 5_000)
    with sdk.playback(result.repaired) as playback, RecordingReader(result.repaired) as reader:
        played = list(playback.captures())
        assert len(played) > 10  # how far its writing thread came is libk4arecord's affair
        whole = [capture for capture in played if len(capture.images) == len(captures[0].images)]
        assert_same_captures(whole, captures[: len(whole)])
        assert len(played) - len(whole) <= 1
        assert_same_captures(list(reader.captures()), played)
        samples = imu_values(list(playback.imu()))
        assert samples == imu_values(imu)[: len(samples)]
        assert len(samples) > 300
        playback.seek(first_usec + 200_000, origin=2)
        capture = playback.next_capture()
        assert capture is not None
        assert max(image.device_timestamp_usec for image in capture.images) >= first_usec + 200_000


@pytest.mark.parametrize("share", [0.3, 0.61, 0.999])
def test_a_truncated_sdk_recording_plays_after_repair(sdk: Sdk, tmp_path: Path, share: float) -> None:
    path = tmp_path / "take.mkv"
    captures = make_captures(SMALL_CONFIG, 20)
    with sdk.recorder(path, SMALL_CONFIG) as recorder:
        for capture in captures:
            recorder.write_capture(capture)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    result = repair_recording(path)
    with sdk.playback(result.repaired) as playback:
        played = list(playback.captures())
    assert len(played) >= int(share * 20) - 1
    whole = [capture for capture in played if len(capture.images) == 3]
    assert_same_captures(whole, captures[: len(whole)])
