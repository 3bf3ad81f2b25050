"""Memory that is used again: never while anybody can still see what was in it."""

import gc
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genlock.recording import RecordingReader, memory
from genlock.recording.memory import ArrayPool
from support.recordings import CONFIGS, SMALL_CONFIG, assert_same_captures, make_captures, write_recording

SIZE_BYTES = 100_000

HOLD: dict[str, Callable[[np.ndarray], Any]] = {
    "the array": lambda array: array,
    "a slice": lambda array: array[10:20],
    "another shape and dtype": lambda array: array.view(np.uint16).reshape(100, -1)[3, ::2],
    "a memoryview": lambda array: array.data,
    "a slice of a memoryview of a view": lambda array: array.view(np.uint16).data[5:9],
    "what it looks into": lambda array: array.base,
    "a part of what it looks into": lambda array: memoryview(array.base)[7:8],
    "an array over its memoryview": lambda array: np.frombuffer(array[100:].data, np.uint8),
    "inside a cycle": lambda array: _cycle_around(array),
}


def _cycle_around(array: np.ndarray) -> list[Any]:
    cycle: list[Any] = [array]
    cycle.append(cycle)
    return cycle


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("how", HOLD)
def test_memory_is_not_used_again_while_something_looks_into_it(how: str):
    pool = ArrayPool()
    array = pool.take(SIZE_BYTES)
    array[:] = 7
    where = address(array)
    held = HOLD[how](array)
    del array
    others = []
    for _ in range(20):
        others.append(pool.take(SIZE_BYTES))
        others[-1][:] = 9
    assert len({where, *(address(other) for other in others)}) == 21
    del others
    seen = held[0] if isinstance(held, list) else held
    seen_bytes = np.asarray(seen).tobytes()
    assert 7 in seen_bytes
    assert 9 not in seen_bytes
    del held, seen
    gc.collect()
    assert where in {address(pool.take(SIZE_BYTES)) for _ in range(20)}  # nobody holds the others either


def test_memory_is_used_again_and_again_where_nobody_holds_it():
    pool = ArrayPool()
    places = set()
    previous = None
    for number in range(100):  # JPEGs: none as long as the one before
        array = pool.take(SIZE_BYTES + number * 37 % 1000)
        places.add(address(array))
        previous = array  # as a loop over captures holds one while the next is read
    assert previous is not None
    assert len(places) <= 3


def test_an_outlier_does_not_stay():
    pool = ArrayPool()
    pool.take(50 * SIZE_BYTES)
    sizes = [array.base.nbytes for array in [pool.take(SIZE_BYTES) for _ in range(3)] if array.base is not None]
    assert max(sizes) < 2 * SIZE_BYTES


def test_an_image_of_no_bytes_is_no_reason_to_stop():
    assert [len(ArrayPool().take(size)) for size in (0, 1)] == [0, 1]


def test_who_keeps_everything_gets_memory_that_is_used_once():
    pool = ArrayPool()
    kept = [pool.take(SIZE_BYTES) for _ in range(50)]
    assert sum(array.base is not None for array in kept) == memory._MAX_BLOCKS
    assert all(array.flags.writeable and len(array) == SIZE_BYTES for array in kept)


def test_where_exports_are_not_counted_nothing_is_used_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "_is_free", lambda block: True)  # as an interpreter that lets exported bytes grow
    pool = ArrayPool()
    arrays = [pool.take(SIZE_BYTES) for _ in range(20)]
    assert len({address(array) for array in arrays}) == 20


def test_threads_that_take_at_the_same_time_never_get_the_same():
    pool = ArrayPool()
    wrong = []

    def work(mark: int) -> None:
        for _ in range(3000):
            array = pool.take(1000)
            array[:] = mark
            if (array != mark).any():
                wrong.append(mark)

    switch_sec = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch_sec)
    assert not wrong


@pytest.mark.parametrize("name", ["standalone", "bgra"])
def test_captures_that_are_held_are_never_written_over(tmp_path: Path, name: str):
    path = tmp_path / "take.mkv"
    captures = make_captures(CONFIGS[name], 14)
    write_recording(path, CONFIGS[name], captures)
    with RecordingReader(path) as reader:
        reading = reader.captures()
        held = [next(reading) for _ in range(3)]  # some are kept, the others dropped at once
        rows = [[image.pixels[5:7] for image in capture.images] for capture in reading]
    assert_same_captures(held, captures[:3])
    for row, capture in zip(rows, captures[3:], strict=True):
        for found, image in zip(row, capture.images, strict=True):
            np.testing.assert_array_equal(found, image.pixels[5:7])


def test_a_loop_that_drops_its_captures_touches_the_same_memory_again(tmp_path: Path):
    path = tmp_path / "take.mkv"
    write_recording(path, SMALL_CONFIG, make_captures(SMALL_CONFIG, 60))
    with RecordingReader(path) as reader:
        places = {address(capture.depth.pixels) for capture in reader.captures() if capture.depth is not None}
    assert len(places) <= memory._MAX_BLOCKS
