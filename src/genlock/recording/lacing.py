"""Several samples in one block: Matroska's three ways of lacing, undone."""

from __future__ import annotations

from genlock.recording.ebml import MalformedElementError, parse_vint

__all__ = ["unlace"]

_LACING_BITS = 0x06
_NONE, _XIPH, _FIXED, _EBML = 0x00, 0x02, 0x04, 0x06


def unlace(payload: bytes, flags: int) -> list[bytes]:
    """The samples of a block.

    Args:
        payload: what follows the block's flags.
        flags: the block's flags.

    Raises:
        MalformedElementError: the sizes inside do not add up.
    """
    lacing = flags & _LACING_BITS
    if lacing == _NONE:
        return [payload]
    if not payload:
        raise MalformedElementError("a laced block without a count")
    count = payload[0] + 1
    if lacing == _FIXED:
        sizes, at = [(len(payload) - 1) // count] * (count - 1), 1
        if (len(payload) - 1) % count:
            raise MalformedElementError(f"{len(payload) - 1} bytes are not {count} samples of one size")
    else:
        sizes, at = (_xiph_sizes if lacing == _XIPH else _ebml_sizes)(payload, count - 1)
    samples = []
    for size in sizes:
        samples.append(payload[at : at + size])
        at += size
    if at > len(payload) or any(size < 0 for size in sizes):
        raise MalformedElementError("laced samples reach beyond their block")
    samples.append(payload[at:])
    return samples


def _xiph_sizes(payload: bytes, count: int) -> tuple[list[int], int]:
    """Each size is a run of 255s and a smaller byte."""
    sizes, at = [], 1
    for _ in range(count):
        size = 0
        while at < len(payload) and payload[at] == 255:
            size += 255
            at += 1
        if at >= len(payload):
            raise MalformedElementError("laced sizes reach beyond their block")
        sizes.append(size + payload[at])
        at += 1
    return sizes, at


def _ebml_sizes(payload: bytes, count: int) -> tuple[list[int], int]:
    """The first as it is, the others as signed differences."""
    sizes: list[int] = []
    at = 1
    for position in range(count):
        value, length = parse_vint(payload, at)
        if position > 0:
            value += sizes[-1] - ((1 << (7 * length - 1)) - 1)
        sizes.append(value)
        at += length
    return sizes, at
