from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.recording.ebml import MalformedElementError, encode_size
from genlock.recording.lacing import unlace

XIPH, FIXED, EBML = 0x02, 0x04, 0x06

samples = st.lists(st.binary(max_size=600), min_size=1, max_size=20)


def xiph(frames: list[bytes]) -> bytes:
    sizes = b"".join(b"\xff" * (len(f) // 255) + bytes([len(f) % 255]) for f in frames[:-1])
    return bytes([len(frames) - 1]) + sizes + b"".join(frames)


def ebml(frames: list[bytes]) -> bytes:
    sizes = [len(frame) for frame in frames]
    encoded = encode_size(sizes[0]) if len(sizes) > 1 else b""
    for before, size in pairwise(sizes[:-1]):
        # A signed difference of two bytes: 13 bits and a sign, biased.
        encoded += encode_size(size - before + (1 << 13) - 1, 2)
    return bytes([len(frames) - 1]) + encoded + b"".join(frames)


def test_a_block_without_lacing_is_one_sample() -> None:
    assert unlace(b"abc", 0x80) == [b"abc"]


@given(st.integers(0, 50), st.integers(1, 256))
def test_samples_of_one_size_come_apart(size: int, count: int) -> None:
    frames = [bytes([index % 256]) * size for index in range(count)]
    assert unlace(bytes([count - 1]) + b"".join(frames), FIXED) == frames


@given(samples)
def test_xiph_lacing_comes_apart(frames: list[bytes]) -> None:
    assert unlace(xiph(frames), XIPH) == frames


@given(samples)
def test_ebml_lacing_comes_apart(frames: list[bytes]) -> None:
    assert unlace(ebml(frames), EBML) == frames


@given(st.binary(max_size=40), st.sampled_from([XIPH, FIXED, EBML]))
def test_any_bytes_come_apart_or_are_refused(payload: bytes, flags: int) -> None:
    try:
        found = unlace(payload, flags)
    except MalformedElementError:
        return
    assert sum(map(len, found)) <= len(payload)


@pytest.mark.parametrize("flags", [XIPH, FIXED, EBML])
def test_a_block_without_a_count_is_refused(flags: int) -> None:
    with pytest.raises(MalformedElementError):
        unlace(b"", flags)
