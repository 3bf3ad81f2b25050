"""A growing file goes to its disk at once, and nobody waits for it."""

import os
import sys
import threading
from pathlib import Path

import pytest

from genlock.recording import writeback
from genlock.recording.header import Patch
from genlock.recording.output import OutputFile
from genlock.recording.writeback import find_call

MB = 1 << 20
Ranges = list[tuple[int, int]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Ranges:
    """The ranges that the system is asked to write, as (begin, end)."""
    ranges: Ranges = []
    monkeypatch.setattr(writeback, "find_call", lambda: lambda fd, begin, count: ranges.append((begin, begin + count)))
    return ranges


def grow(output: OutputFile, size_bytes: int) -> None:
    """As a cluster does it: it is appended, and made valid by one byte."""
    offset = output.append([bytes(size_bytes)])
    output.patch(Patch(offset, b"\x1f"))


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "genlock-write-back"]


def test_each_byte_but_the_newest_is_asked_for_once(tmp_path: Path, asked: Ranges):
    output = OutputFile(tmp_path / "take.mkv")
    for _ in range(100):
        grow(output, MB // 2 + 1)
    for _ in range(1000):
        if asked and asked[-1][1] == 48 * MB:
            break
        threading.Event().wait(0.01)
    output.close()
    assert asked[0][0] == 0
    assert [end for _, end in asked[:-1]] == [begin for begin, _ in asked[1:]]
    assert asked[-1][1] == 48 * MB
    assert not helpers()


def test_a_short_file_starts_no_thread(tmp_path: Path, asked: Ranges):
    output = OutputFile(tmp_path / "take.mkv")
    grow(output, 8 * MB - 1)
    assert not helpers()
    output.close()
    output.close()
    assert asked == []


def test_a_disk_that_stalls_holds_up_nobody_but_who_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    began, may_go_on, calls = threading.Event(), threading.Event(), []

    def stall(fd: int, begin: int, count: int) -> None:
        calls.append(os.fstat(fd).st_size)  # the file is still open
        began.set()
        may_go_on.wait()

    monkeypatch.setattr(writeback, "find_call", lambda: stall)
    output = OutputFile(tmp_path / "take.mkv")
    grow(output, 9 * MB)
    assert began.wait(10)
    for _ in range(10):
        grow(output, 9 * MB)
    assert output.size_bytes == 99 * MB
    assert len(calls) == 1
    closing = threading.Thread(target=output.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    may_go_on.set()
    closing.join(10)
    assert not closing.is_alive()
    assert not helpers()


def test_without_the_call_nothing_is_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writeback, "find_call", lambda: None)
    output = OutputFile(tmp_path / "take.mkv")
    grow(output, 20 * MB)
    assert not helpers()
    output.sync()
    output.close()
    assert (tmp_path / "take.mkv").stat().st_size == 20 * MB


def test_a_system_without_another_thread_loses_nothing(tmp_path: Path, asked: Ranges, monkeypatch: pytest.MonkeyPatch):
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    output = OutputFile(tmp_path / "take.mkv")
    for _ in range(3):
        grow(output, 9 * MB)
    output.close()
    assert (tmp_path / "take.mkv").stat().st_size == 27 * MB
    assert asked == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the call")
def test_the_system_takes_what_it_is_asked(tmp_path: Path):
    begin_writing = find_call()
    assert begin_writing is not None
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(9 * MB))
        file.flush()
        begin_writing(file.fileno(), 0, 8 * MB)
    read_end, write_end = os.pipe()
    with pytest.raises(OSError, match="seek"):  # which a file alone can do
        begin_writing(write_end, 0, 8 * MB)
    os.close(read_end)
    os.close(write_end)


def test_a_call_that_fails_is_left_to_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls = threading.Semaphore(0)

    def fail(fd: int, begin: int, count: int) -> None:
        calls.release()
        raise OSError("the disk is gone")

    monkeypatch.setattr(writeback, "find_call", lambda: fail)
    output = OutputFile(tmp_path / "take.mkv")
    for _ in range(2):  # the thread lives on
        grow(output, 9 * MB)
        assert calls.acquire(timeout=10)
    output.close()
    assert not helpers()
