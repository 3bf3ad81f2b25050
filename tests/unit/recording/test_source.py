"""A disk that refuses to read: no disk fails on demand, so the system's call does."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from genlock.errors import RecordingError
from genlock.recording import RecordingReader
from genlock.recording.rewrite import rewrite
from support.recordings import SMALL_CONFIG, make_captures, write_recording


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "take.mkv"
    write_recording(path, SMALL_CONFIG, make_captures(SMALL_CONFIG, 10))
    return path


def refuse_reads(patch: pytest.MonkeyPatch) -> None:
    def pread(fd: int, count: int, offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def preadv(fd: int, buffers: Sequence[memoryview], offset: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    patch.setattr(os, "pread", pread, raising=False)
    patch.setattr(os, "preadv", preadv, raising=False)


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="reads go another way here")
def test_a_source_that_cannot_be_read_is_named_and_not_the_file_that_was_being_written(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target = tmp_path / "out.mkv"
    with RecordingReader(recording) as reader:
        refuse_reads(monkeypatch)
        with pytest.raises(RecordingError, match=r"take\.mkv: cannot be read: Input/output error"):
            rewrite([reader], target)
    assert not target.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take.mkv"]


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="reads go another way here")
def test_images_of_a_file_that_cannot_be_read_name_it_too(recording: Path, monkeypatch: pytest.MonkeyPatch):
    with RecordingReader(recording) as reader:
        refuse_reads(monkeypatch)
        with pytest.raises(RecordingError, match=r"take\.mkv: cannot be read: Input/output error"):
            list(reader.captures())
