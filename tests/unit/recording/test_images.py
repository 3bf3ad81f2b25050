"""Images of a capture, wherever in the file they lie: what lies together is read in one go."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.errors import RecordingError
from genlock.k4a import ImageFormat
from genlock.recording import source as source_module
from genlock.recording.images import ImageLoader, TrackImages
from genlock.recording.index import TrackBlocks
from genlock.recording.source import FileSource

WIDTH_PX, HEIGHT_PX = 64, 50
GRAY_BYTES = 2 * WIDTH_PX * HEIGHT_PX


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "noise"
    path.write_bytes(np.random.default_rng(3).bytes(300_000))
    return path


def track(image_format: ImageFormat, dtype: str, offset: int, size: int) -> TrackImages:
    blocks = TrackBlocks()
    blocks.add(0, offset, size, 0x80)
    return TrackImages(image_format, WIDTH_PX, HEIGHT_PX, dtype, blocks, [7], [0])


def wanted_at(offsets: list[int], color_bytes: int = 30_000) -> list[tuple[TrackImages, int]]:
    return [
        (track(ImageFormat.MJPG, "u1", offsets[0], color_bytes), 0),
        (track(ImageFormat.DEPTH16, ">u2", offsets[1], GRAY_BYTES), 0),
        (track(ImageFormat.IR16, "<u2", offsets[2], GRAY_BYTES), 0),
    ]


def assert_read(path: Path, wanted: list[tuple[TrackImages, int]]) -> None:
    source = FileSource(path)
    content = path.read_bytes()
    try:
        found = ImageLoader(source).images(wanted)
    finally:
        source.close()
    for (images, number), image in zip(wanted, found, strict=True):
        offset, size = images.blocks.offsets[number], images.blocks.sizes[number]
        stored = np.frombuffer(content[offset : offset + size], images.stored_dtype).reshape(images.shape)
        assert image.image_format is images.image_format
        assert image.pixels.dtype == stored.dtype.newbyteorder("=")
        np.testing.assert_array_equal(image.pixels, stored)


@given(offsets=st.lists(st.integers(0, 260_000), min_size=3, max_size=3), color_bytes=st.integers(0, 40_000))
def test_images_are_found_in_any_order_and_at_any_distance(noise: Path, offsets: list[int], color_bytes: int):
    assert_read(noise, wanted_at(offsets, color_bytes))


def calls_of(monkeypatch: pytest.MonkeyPatch, most_bytes: int = 1 << 30) -> list[int]:
    """The offsets that the system is asked for, from now on; it gives ``most_bytes`` at a time at most."""
    calls: list[int] = []
    preadv = os.preadv

    def noted(fd: int, buffers: list[memoryview], offset: int) -> int:
        calls.append(offset)
        left, short = most_bytes, []
        for buffer in buffers:
            short.append(buffer[:left])
            left -= len(short[-1])
        return preadv(fd, [buffer for buffer in short if len(buffer)], offset)

    monkeypatch.setattr(source_module.os, "preadv", noted)
    return calls


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="the system has no preadv")
def test_what_lies_together_is_asked_for_once(noise: Path, monkeypatch: pytest.MonkeyPatch):
    calls = calls_of(monkeypatch)
    assert_read(noise, wanted_at([1000, 31_009, 31_009 + GRAY_BYTES + 9]))
    assert calls == [1000]
    calls.clear()
    assert_read(noise, wanted_at([200_000, 1000, 1500 + GRAY_BYTES]))  # color far behind
    assert calls == [1000, 200_000]


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="the system has no preadv")
@pytest.mark.parametrize("most_bytes", [1, 700, 30_005])
def test_a_system_that_gives_less_than_was_asked_for_is_asked_again(
    noise: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
):
    calls = calls_of(monkeypatch, most_bytes)
    assert_read(noise, wanted_at([1000, 31_009, 31_009 + GRAY_BYTES + 9]))
    assert len(calls) > 1


def test_without_preadv_the_same_is_read(noise: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "preadv", raising=False)
    assert_read(noise, wanted_at([1000, 31_009, 31_009 + GRAY_BYTES + 9]))


def test_a_file_that_became_shorter_is_an_error_and_no_end_of_the_process(noise: Path, tmp_path: Path):
    path = tmp_path / "short"
    path.write_bytes(noise.read_bytes())
    source = FileSource(path)
    os.truncate(path, 32_000)
    with pytest.raises(RecordingError, match="became shorter"):
        ImageLoader(source).images(wanted_at([1000, 31_009, 100_000]))
    source.close()
