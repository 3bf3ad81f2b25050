"""Where in a file a moment lies, found by the heads of a few clusters.

Clusters follow each other in time, so that bisection finds the right one in some twenty looks, however long the file,
and also in a file whose cues are missing, or were made for one cluster a second.
"""

from __future__ import annotations

from genlock.recording import ids
from genlock.recording.document import Document
from genlock.recording.ebml import MalformedElementError, encode_id, parse_head
from genlock.recording.source import FileSource

__all__ = ["find_cluster", "next_cluster"]

_CLUSTER_ID = encode_id(ids.CLUSTER)
_SEARCH_BYTES = 1 << 20
_CLOSE_BYTES = 8 << 20
"""Near enough to walk: the heads of some clusters, or of one that holds a large image."""
_HEADS_BYTES = 40
"""The heads of a cluster, of its checksum and of its time, and these two themselves."""


def find_cluster(source: FileSource, document: Document, nsec: int) -> int:
    """Where a cluster begins that does not lie after a block time, and not far before it either."""
    low, high = document.clusters_offset_bytes, source.size_bytes
    while high - low > _CLOSE_BYTES:
        middle = (low + high) // 2
        at = next_cluster(source, middle, high)
        ticks = None if at is None else _cluster_ticks(source, at)
        if at is None or ticks is None or ticks * document.tick_nsec > nsec:
            high = middle
        else:
            low = at
    return low


def next_cluster(source: FileSource, at: int, end: int) -> int | None:
    """Where the next cluster begins, at or after ``at`` and before ``end``."""
    while at < end:
        chunk = source.read_at(at, _SEARCH_BYTES)
        found = chunk.find(_CLUSTER_ID)
        while 0 <= found < end - at:
            if _is_cluster(source, at + found):
                return at + found
            found = chunk.find(_CLUSTER_ID, found + 1)
        if at + len(chunk) >= source.size_bytes:
            return None
        at += len(chunk) - len(_CLUSTER_ID) + 1
    return None


def _is_cluster(source: FileSource, at: int) -> bool:
    """What tells a cluster from four bytes of an image that look like one: what every cluster begins with."""
    try:
        first_id, _, _ = _first_child(source.read_at(at, _HEADS_BYTES))
    except MalformedElementError:
        return False
    return first_id in (ids.CRC_32, ids.TIMECODE)


def _cluster_ticks(source: FileSource, at: int) -> int | None:
    """The cluster's time; ``None`` where it does not come first, behind the checksum at most."""
    heads = source.read_at(at, _HEADS_BYTES)
    try:
        element_id, size, begin = _first_child(heads)
        if element_id == ids.CRC_32:
            at_second = begin + size
            element_id, size, head_bytes = parse_head(heads, at_second)
            begin = at_second + head_bytes
    except MalformedElementError:
        return None
    if element_id != ids.TIMECODE or not 0 < size <= 8:
        return None
    return int.from_bytes(heads[begin : begin + size], "big")


def _first_child(heads: bytes) -> tuple[int, int, int]:
    """Id, size and begin of the payload of the first element inside the one that ``heads`` begins with."""
    _, _, parent_bytes = parse_head(heads, 0)
    element_id, size, head_bytes = parse_head(heads, parent_bytes)
    return element_id, size, parent_bytes + head_bytes
