import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.recording.ebml import (
    UNKNOWN_SIZE,
    MalformedElementError,
    children,
    element,
    encode_id,
    encode_size,
    parse_head,
    parse_vint,
    void_element,
)


@given(st.integers(0, (1 << 56) - 2))
def test_a_size_reads_back_in_as_few_bytes_as_it_needs(size: int) -> None:
    encoded = encode_size(size)
    assert parse_vint(encoded, 0) == (size, len(encoded))
    if len(encoded) > 1:  # one byte less could not hold it: all ones means "unknown"
        assert size >= (1 << 7 * (len(encoded) - 1)) - 1


@pytest.mark.parametrize("length", range(1, 9))
def test_all_ones_mean_an_unknown_size(length: int) -> None:
    all_ones = ((1 << 7 * length + 1) - 1).to_bytes(length, "big")
    assert parse_vint(all_ones, 0) == (UNKNOWN_SIZE, length)


@given(st.sampled_from([0xEC, 0x4DBB, 0x2AD7B1, 0x1F43B675]), st.binary(max_size=300))
def test_an_element_reads_back(element_id: int, payload: bytes) -> None:
    encoded = element(element_id, payload)
    found_id, size, head_bytes = parse_head(encoded, 0)
    assert (found_id, encoded[head_bytes:]) == (element_id, payload)
    assert size == len(payload)
    assert list(children(encoded + encoded)) == [(element_id, payload)] * 2


@given(st.integers(2, 2000))
def test_a_void_element_fills_exactly_its_room(total_bytes: int) -> None:
    void = void_element(total_bytes)
    assert len(void) == total_bytes
    assert [element_id for element_id, _ in children(void)] == [0xEC]


def test_a_void_element_needs_two_bytes() -> None:
    with pytest.raises(ValueError, match="2 bytes"):
        void_element(1)


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x00\x81x",  # no id begins with a zero byte
        b"\x08\x00\x00\x00\x01\x81x",  # an id of five bytes
        b"\xec\x00",  # no size begins with a zero byte
        b"\x1f\x43\xb6",  # cut inside the id
        b"\xec\x40",  # cut inside the size
        b"",
    ],
)
def test_what_is_no_element_is_refused(wrong: bytes) -> None:
    with pytest.raises(MalformedElementError):
        parse_head(wrong, 0)


@pytest.mark.parametrize("wrong", [b"\xec\x85abc", b"\xec\xff", b"\xec\x81a\xec"])
def test_children_that_do_not_fit_their_parent_are_refused(wrong: bytes) -> None:
    with pytest.raises(MalformedElementError):
        list(children(wrong))


def test_ids_keep_their_length() -> None:
    assert [encode_id(i).hex() for i in (0xA3, 0x4DBB, 0x1A45DFA3)] == ["a3", "4dbb", "1a45dfa3"]
