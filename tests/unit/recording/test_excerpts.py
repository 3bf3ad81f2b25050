"""An excerpt is what the whole recording has between two times, found without walking it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.capture import Capture
from genlock.recording import RecordingReader
from genlock.recording import seek as seek_module
from genlock.recording.source import FileSource
from support.recordings import SMALL_CONFIG, make_capture, write_recording

PERIOD_USEC = 33_333
FIRST_USEC = 1_000_000
SHORT, LONG = 40, 400


@pytest.fixture(scope="module")
def partial_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 13 s, many images missing, 120 MB: several times as long as what an excerpt reads around its end."""
    path = tmp_path_factory.mktemp("excerpt") / "take.mkv"
    captures = [
        make_capture(SMALL_CONFIG, i, FIRST_USEC + i * PERIOD_USEC, color=i % 4 != 1, depth=i % 3 != 2)
        for i in range(LONG)
    ]
    write_recording(path, SMALL_CONFIG, captures)
    return path


def times(capture: Capture) -> tuple[int, ...]:
    return tuple(image.device_timestamp_usec for image in capture.images)


moments = st.integers(FIRST_USEC - 100_000, FIRST_USEC + LONG * PERIOD_USEC + 100_000)


@settings(deadline=None)
@given(begin_usec=moments, length_usec=st.integers(0, 500_000))
def test_an_excerpt_is_what_the_whole_has_between_two_times(partial_recording: Path, begin_usec: int, length_usec: int):
    end_usec = begin_usec + length_usec
    with pytest.MonkeyPatch.context() as patch, RecordingReader(partial_recording) as reader:
        patch.setattr(seek_module, "_CLOSE_BYTES", 1 << 20)  # so that bisection has something to do here
        found = list(reader.excerpt(begin_usec, end_usec))
        stamps = reader.stamps()
        whole = [
            (color, depth)
            for color, depth in zip(stamps.color_usec.tolist(), stamps.depth_usec.tolist(), strict=True)
            if begin_usec <= max(color, depth) and min(t for t in (color, depth) if t >= 0) < end_usec
        ]
    assert [(c.stamp.color_usec or -1, c.stamp.depth_usec or -1) for c in found] == whole
    assert [capture.index for capture in found] == list(range(len(found)))


def test_an_excerpt_reads_little_of_a_long_recording(partial_recording: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(seek_module, "_CLOSE_BYTES", 1 << 20)
    reads: list[int] = []
    read_at = FileSource.read_at

    def counting(self: FileSource, offset: int, count: int) -> bytes:
        reads.append(offset)
        return read_at(self, offset, count)

    monkeypatch.setattr(FileSource, "read_at", counting)

    def count_of(walk) -> int:  # type: ignore[no-untyped-def]
        reads.clear()
        walk()
        return len(reads)

    middle_usec = FIRST_USEC + LONG // 2 * PERIOD_USEC
    with RecordingReader(partial_recording) as reader:
        few = count_of(lambda: list(reader.excerpt(middle_usec, middle_usec + PERIOD_USEC)))
        all_of_them = count_of(reader.stamps)
    assert few < all_of_them / 2  # 4 s of 13 s, and some twenty looks
