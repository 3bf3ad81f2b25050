"""Work done ahead by a second thread: same results, same order, nothing left behind."""

import threading
import weakref
from functools import partial
from pathlib import Path

import pytest

from genlock.recording import RecordingReader
from genlock.recording.ahead import ReadAhead
from support.recordings import SMALL_CONFIG, assert_same_captures, make_captures, write_recording


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "genlock-read-ahead"]


def test_results_come_in_order_and_the_thread_ends_with_them():
    workers = set()

    def piece(number: int) -> int:
        workers.add(threading.current_thread().name)
        threading.Event().wait(0.001)  # as a disk: lets the other thread work
        return number

    assert list(ReadAhead(partial(piece, number) for number in range(100))) == list(range(100))
    assert "genlock-read-ahead" in workers
    assert not helpers()


@pytest.mark.parametrize("count", [0, 1])
def test_who_wants_one_result_pays_for_no_thread(count: int):
    results = iter(ReadAhead(partial(int, number) for number in range(50)))
    assert [next(results) for _ in range(count)] == list(range(count))
    assert not helpers()


@pytest.mark.parametrize("broken", [0, 1, 2, 7])
def test_an_error_is_raised_where_its_result_would_come(broken: int):
    def piece(number: int) -> int:
        if number == broken:
            raise OSError("the disk is gone")
        return number

    found: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        found.extend(ReadAhead(partial(piece, number) for number in range(10)))
    assert found == list(range(broken))
    assert not helpers()


def test_only_a_few_results_wait_however_slow_the_caller_is():
    begun = []
    results = iter(ReadAhead(partial(begun.append, number) for number in range(1000)))
    for _ in range(10):
        next(results)
    threading.Event().wait(0.05)
    assert len(begun) <= 10 + 3
    del results  # left in the middle
    assert not helpers()


def test_a_result_that_was_handed_out_is_nobody_elses():
    class Result:
        pass

    alive: list[weakref.ref[Result]] = []

    def piece() -> Result:
        result = Result()
        alive.append(weakref.ref(result))
        return result

    for _ in ReadAhead(piece for _ in range(500)):  # so fast that the other thread hardly comes to see an order
        assert sum(known() is not None for known in alive) <= 5


def test_closing_the_recording_ends_the_iterations_over_it(tmp_path: Path):
    path = tmp_path / "take.mkv"
    captures = make_captures(SMALL_CONFIG, 12)
    write_recording(path, SMALL_CONFIG, captures)
    reader = RecordingReader(path)
    one, other = reader.captures(), reader.captures()
    assert_same_captures([next(one) for _ in range(3)], captures[:3])
    next(other)
    reader.close()
    assert not helpers()
    for iteration in (one, other):
        with pytest.raises(ValueError, match="was closed"):
            next(iteration)
