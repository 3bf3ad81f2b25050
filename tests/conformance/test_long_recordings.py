"""A day of virtual time, and parts: every device time is 64 bits wide, and libk4arecord reads every part right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.sdk import Sdk
from genlock.capture import Capture, CaptureSource, Image
from genlock.k4a import ColorResolution, DeviceConfig, ImageFormat
from genlock.recording import Recorder, RecordingReader, SplitRule

CONFIG = DeviceConfig(color_resolution=ColorResolution.RES_720P)
SERIAL = "000000000001"
STEP_USEC = 10_000_000  # a capture every ten seconds: a day in 8640
DAY_USEC = 86_400_000_000
FIRST_USEC = 250_000
PLAYBACK_WRAPS_USEC = 1 << 32  # 71.6 min


def tiny(index: int) -> Capture:
    content = np.frombuffer(index.to_bytes(8, "little"), np.uint8)
    usec = FIRST_USEC + index * STEP_USEC
    return Capture(SERIAL, index, Image(ImageFormat.MJPG, 1280, 720, content, usec, 1), None, None)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four parts of six hours."""
    folder = tmp_path_factory.mktemp("day")
    names = iter([folder / f"e01-p{part:03d}.mkv" for part in range(2, 10)])
    recorder = Recorder(
        {SERIAL: folder / "e01-p001.mkv"}, split=SplitRule(usec=DAY_USEC // 4), next_part=lambda serial: next(names)
    )
    recorder.open([CaptureSource(SERIAL, CONFIG, False, b"{}", "1.6.110", "1.6.79")])
    for index in range(DAY_USEC // STEP_USEC):
        recorder.on_capture(tiny(index))
    recorder.close()
    return [summary.path for summary in recorder.parts[SERIAL]]


def test_a_day_keeps_every_time(day: list[Path]) -> None:
    assert len(day) == 4
    times, contents = [], []
    for path in day:
        with RecordingReader(path) as reader:
            assert reader.start_offset_usec == FIRST_USEC
            times += reader.stamps().color_usec.tolist()
            last = max(reader.captures(), key=lambda capture: capture.stamp.color_usec or 0)
            assert last.color is not None
            contents.append(int.from_bytes(last.color.pixels.tobytes(), "little"))
    assert times == [FIRST_USEC + index * STEP_USEC for index in range(8640)]
    assert contents == [2159, 4319, 6479, 8639]
    with RecordingReader(day[3]) as reader:
        found = next(reader.captures(FIRST_USEC + 8000 * STEP_USEC))
        assert found.stamp.color_usec == FIRST_USEC + 8000 * STEP_USEC > 18 * PLAYBACK_WRAPS_USEC


def test_playback_reads_every_part_of_the_day_right(sdk: Sdk, day: list[Path]) -> None:
    for part, path in enumerate(day):
        first, last = part * 2160, part * 2160 + 2159
        with sdk.playback(path) as playback:
            assert playback.config().start_offset_usec == FIRST_USEC
            assert playback.length_usec() == last * STEP_USEC
            for index in (first, first + 1000, last):
                usec = FIRST_USEC + index * STEP_USEC
                playback.seek(usec, origin=2)
                capture = playback.next_capture()
                assert capture is not None
                assert capture.stamp.color_usec == usec
            playback.seek(0, origin=1)
            capture = playback.previous_capture()
            assert capture is not None
            assert capture.stamp.color_usec == FIRST_USEC + last * STEP_USEC
            playback.seek(0)
            capture = playback.next_capture()
            assert capture is not None
            assert capture.stamp.color_usec == FIRST_USEC + first * STEP_USEC


def test_playback_wraps_a_start_offset_and_not_a_block_time(sdk: Sdk, tmp_path: Path) -> None:
    """Why parts carry the first part's offset: the positive control of the test above."""
    recorder = Recorder({SERIAL: tmp_path / "late.mkv"})
    recorder.open([CaptureSource(SERIAL, CONFIG, False, b"{}", "1.6.110", "1.6.79")])
    late = tiny(8000)
    assert late.color is not None
    recorder.on_capture(replace(late, index=0))
    recorder.close()
    with sdk.playback(tmp_path / "late.mkv") as playback:
        capture = playback.next_capture()
    assert capture is not None
    assert capture.stamp.color_usec == (FIRST_USEC + 8000 * STEP_USEC) % PLAYBACK_WRAPS_USEC
