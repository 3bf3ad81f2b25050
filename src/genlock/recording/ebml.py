"""EBML, the binary element tree that Matroska files are written in (RFC 8794): encoding and decoding.

An element is ``id | size | payload``. Ids and sizes are variable-length integers: the number of leading zero bits of
the first byte says how many bytes follow. An id keeps its length marker, a size drops it; a size whose bits are all
ones means "unknown". Numbers in payloads are big-endian, CRC-32 values alone are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = [
    "UNKNOWN_SIZE",
    "VINT_LENGTH",
    "VINT_MASK",
    "MalformedElementError",
    "children",
    "crc_element",
    "decode_float",
    "decode_text",
    "decode_uint",
    "element",
    "element_head",
    "encode_id",
    "encode_size",
    "float_element",
    "parse_head",
    "parse_vint",
    "text_element",
    "uint_element",
    "void_element",
]

UNKNOWN_SIZE = -1
"""The size of an element that says nothing about where it ends."""

VINT_LENGTH = bytes([0] + [9 - first.bit_length() for first in range(1, 256)])
"""Length of a variable-length integer by its first byte; 0 where no such integer begins."""

VINT_MASK = tuple((1 << 7 * length) - 1 for length in range(9))
"""The value bits of a variable-length integer by its length."""

_MAX_ID_LENGTH = 4


class MalformedElementError(ValueError):
    """Bytes that are no element. Internal to this room: readers turn it into findings or a ``RecordingError``."""


# ---- encoding ----------------------------------------------------------------------------------------------------


def encode_id(element_id: int) -> bytes:
    """An id, whose length marker is part of its value."""
    return element_id.to_bytes((element_id.bit_length() + 7) // 8, "big")


def encode_size(size: int, length: int | None = None) -> bytes:
    """A size in as few bytes as it needs, or in exactly ``length`` so that it can be patched later.

    >>> encode_size(5).hex(), encode_size(127).hex(), encode_size(5, length=8).hex()
    ('85', '407f', '0100000000000005')
    """
    if length is None:
        length = 1
        while size >= (1 << 7 * length) - 1:  # all ones would mean "unknown"
            length += 1
    return (size | 1 << 7 * length).to_bytes(length, "big")


def element_head(element_id: int, size: int, size_length: int | None = None) -> bytes:
    """Id and size; the payload follows."""
    return encode_id(element_id) + encode_size(size, size_length)


def element(element_id: int, *payload: bytes) -> bytes:
    """An element around its payload, given in one or several pieces."""
    content = b"".join(payload)
    return element_head(element_id, len(content)) + content


def uint_element(element_id: int, value: int) -> bytes:
    """An unsigned integer in as few bytes as it needs, at least one."""
    return element(element_id, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def float_element(element_id: int, value: float) -> bytes:
    """A double: single precision would round a duration in microseconds after 16 s."""
    return element(element_id, struct.pack(">d", value))


def text_element(element_id: int, value: str) -> bytes:
    """UTF-8 text."""
    return element(element_id, value.encode())


def crc_element(crc: int) -> bytes:
    """The CRC-32 of everything that follows in the parent."""
    return b"\xbf\x84" + crc.to_bytes(4, "little")


def void_element(total_bytes: int) -> bytes:
    """An element that means nothing and takes exactly ``total_bytes``, its head included (2 at least)."""
    if total_bytes < 2:
        raise ValueError(f"a void element takes 2 bytes at least, not {total_bytes}")
    head = (
        b"\xec" + encode_size(total_bytes - 2, 1) if total_bytes <= 128 else b"\xec" + encode_size(total_bytes - 9, 8)
    )
    return head + bytes(total_bytes - len(head))


# ---- decoding ----------------------------------------------------------------------------------------------------


def parse_vint(data: bytes, at: int) -> tuple[int, int]:
    """The variable-length integer at ``at``, marker removed, and its length; ``UNKNOWN_SIZE`` when all ones."""
    length = VINT_LENGTH[data[at]] if at < len(data) else 0
    if length == 0 or at + length > len(data):
        raise MalformedElementError("no variable-length integer here")
    mask = VINT_MASK[length]
    value = int.from_bytes(data[at : at + length], "big") & mask
    return (UNKNOWN_SIZE if value == mask else value), length


def parse_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Id, payload size (or ``UNKNOWN_SIZE``) and length of the head of the element at ``at``.

    Walks over long recordings spend their time here: it builds nothing but the tuple.

    Raises:
        MalformedElementError: there is no element, or its head is cut.
    """
    try:
        id_length = VINT_LENGTH[data[at]]
        size_at = at + id_length
        size_length = VINT_LENGTH[data[size_at]]
    except IndexError:
        raise MalformedElementError("no element here") from None
    end = size_at + size_length
    if not 0 < id_length <= _MAX_ID_LENGTH or size_length == 0 or end > len(data):
        raise MalformedElementError("no element here")
    mask = VINT_MASK[size_length]
    size = int.from_bytes(data[size_at:end], "big") & mask
    return int.from_bytes(data[at:size_at], "big"), UNKNOWN_SIZE if size == mask else size, end - at


def children(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements inside a payload, as (id, payload). Raises ``MalformedElementError`` where one does not fit."""
    at = 0
    while at < len(payload):
        element_id, size, head_bytes = parse_head(payload, at)
        begin = at + head_bytes
        end = begin + size
        if size == UNKNOWN_SIZE or end > len(payload):
            raise MalformedElementError(f"element {element_id:#x} reaches beyond its parent")
        yield element_id, payload[begin:end]
        at = end


def decode_uint(payload: bytes) -> int:
    """An unsigned integer of up to 8 bytes; empty means 0."""
    if len(payload) > 8:
        raise MalformedElementError(f"an integer of {len(payload)} bytes")
    return int.from_bytes(payload, "big")


def decode_float(payload: bytes) -> float:
    """A float of 0, 4 or 8 bytes; empty means 0."""
    formats = {0: None, 4: ">f", 8: ">d"}
    if len(payload) not in formats:
        raise MalformedElementError(f"a float of {len(payload)} bytes")
    code = formats[len(payload)]
    return float(struct.unpack(code, payload)[0]) if code else 0.0


def decode_text(payload: bytes) -> str:
    """UTF-8 text up to its first NUL; bytes that are no UTF-8 are shown as replacement characters."""
    return payload.split(b"\0", 1)[0].decode("utf-8", "replace")
