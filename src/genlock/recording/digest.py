"""A digest of a recording that costs nothing to take: every cluster carries its CRC-32, and the CRCs are folded.

The root is the SHA-256 of: the words ``genlock recording digest 1`` and a NUL; for every cluster, in the file's order,
its offset (u64), its size (u64) and the CRC-32 of its content after the CRC element (u32), all little-endian; the
SHA-256 of everything before the first cluster; the SHA-256 of everything after the last. So the writer knows the root
without reading anything again (its header, which is patched until the end, comes last and is small), and a check that
finds the root changed can say which cluster it was.

It finds accidents (every flipped bit, every burst of up to 32 bits), not forgeries: a CRC is no signature.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from genlock.errors import RecordingError
from genlock.recording import ids
from genlock.recording.ebml import UNKNOWN_SIZE, MalformedElementError, decode_uint, encode_id, parse_head
from genlock.recording.seek import next_cluster
from genlock.recording.source import FileSource

__all__ = ["DamagedCluster", "DigestFold", "RecordingDigest", "digest_recording"]

_CLUSTER = struct.Struct("<QQI")
_CHUNK_BYTES = 4 << 20
_HEAD_BYTES = 48
"""Head, CRC-32 and timecode of a cluster."""
_LONGEST_HEAD_BYTES = 12


class DigestFold:
    """Takes clusters in order, then the header and the tail; gives the root."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"genlock recording digest 1\0")

    def add_cluster(self, offset: int, size_bytes: int, content_crc: int) -> None:
        """One cluster, in the file's order."""
        self._hash.update(_CLUSTER.pack(offset, size_bytes, content_crc))

    def root(self, header: bytes, tail: bytes) -> str:
        """The digest as 64 hexadecimal digits.

        Args:
            header: the file's bytes before the first cluster, as they stand at the end.
            tail: its bytes after the last cluster.
        """
        folded = self._hash.copy()
        folded.update(hashlib.sha256(header).digest())
        folded.update(hashlib.sha256(tail).digest())
        return folded.hexdigest()


@dataclass(frozen=True, slots=True)
class DamagedCluster:
    """A cluster, or what stands where one should be, that is not what was written."""

    offset_bytes: int
    """Where it begins."""
    size_bytes: int
    usec: int
    """Block time of its beginning, relative to the start offset; if that is damaged, that of the cluster before."""
    reason: str
    """What is wrong with it."""
    is_cluster: bool
    """Whether it can still be told that it is one."""


@dataclass(frozen=True, slots=True)
class RecordingDigest:
    """What a recording's bytes say of themselves now."""

    root: str
    """Compare it with the ``digest_root`` that the writer gave."""
    damaged_clusters: tuple[DamagedCluster, ...]
    """Those that contradict their own checksum, or cannot be read as anything."""


def digest_recording(path: Path) -> RecordingDigest:
    """Reads a whole recording and takes its digest. Behind a damaged stretch it goes on at the next cluster.

    Raises:
        RecordingError: no such file, or no Matroska file.
    """
    source = FileSource(path)
    try:
        if source.read_at(0, 4) != encode_id(ids.EBML):
            raise RecordingError(path, "is no Matroska file, or its first bytes are damaged")
        walk = _Walk(source)
        walk.run()
        return walk.digest()
    finally:
        source.close()


@dataclass(slots=True)
class _Seen:
    """An element, or bytes that are none, at the segment's level."""

    element_id: int | None
    """``None`` for bytes that are no element."""
    at: int
    content_at: int
    end: int


_KNOWN = ids.LEVEL_1 | {ids.EBML, ids.SEGMENT, ids.UNFINISHED_CLUSTER, ids.VOID, ids.CRC_32}


class _Walk:
    """From a recording's first byte to its last; every cluster's content is read."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._fold = DigestFold()
        self._header_end: int | None = None
        self._tail_begin = source.size_bytes
        self._has_checksums = False
        self._ticks = 0
        self._damaged: list[DamagedCluster] = []
        self._undated: list[tuple[DamagedCluster, int | None]] = []

    def run(self) -> None:
        at = 0
        while at < self._source.size_bytes:
            seen = self._see(at)
            if seen.element_id == ids.SEGMENT:
                at = seen.content_at
                continue
            if seen.element_id == ids.CLUSTER:
                seen = self._cluster(seen)
            elif seen.element_id == ids.UNFINISHED_CLUSTER:
                self._unfinished(seen)
            elif seen.element_id is None:
                reason = "the file ends inside it" if self._is_torn(at) else "no element of a recording begins there"
                self._tell(seen, reason, None, is_cluster=False)
            at = seen.end

    def digest(self) -> RecordingDigest:
        """What was found."""
        self._date(None)
        header_end = self._source.size_bytes if self._header_end is None else self._header_end
        header = self._source.read_at(0, header_end)
        tail = self._source.read_at(self._tail_begin, self._source.size_bytes - self._tail_begin)
        return RecordingDigest(self._fold.root(header, tail), tuple(self._damaged))

    def _see(self, at: int) -> _Seen:
        """What begins there; bytes that are no element reach to the next cluster, or to the end of the file."""
        file_bytes = self._source.size_bytes
        try:
            element_id, size, head_bytes = parse_head(self._source.read_at(at, _HEAD_BYTES), 0)
        except MalformedElementError:
            element_id, size, head_bytes = 0, 0, 0
        content_at = at + head_bytes
        if element_id == ids.SEGMENT:
            return _Seen(element_id, at, content_at, file_bytes)
        if element_id == ids.UNFINISHED_CLUSTER and content_at + size > file_bytes:
            return _Seen(element_id, at, content_at, file_bytes)  # as a kill leaves it
        if size != UNKNOWN_SIZE and content_at + size <= file_bytes:
            seen = _Seen(element_id, at, content_at, content_at + size)
            if element_id in _KNOWN:
                return seen
            if _was_cluster(self._source, seen):
                return replace(seen, element_id=ids.UNFINISHED_CLUSTER)
        return _Seen(None, at, at, self._next_cluster(at))

    def _next_cluster(self, at: int) -> int:
        following = next_cluster(self._source, at + 1, self._source.size_bytes)
        return self._source.size_bytes if following is None else following

    def _is_torn(self, at: int) -> bool:
        """Whether an element begins there that is longer than the file, and nothing follows."""
        try:
            element_id, _, _ = parse_head(self._source.read_at(at, _HEAD_BYTES), 0)
        except MalformedElementError:
            return self._source.size_bytes - at < _LONGEST_HEAD_BYTES
        return element_id in _KNOWN and self._next_cluster(at) == self._source.size_bytes

    def _cluster(self, seen: _Seen) -> _Seen:
        """Takes a cluster in; returns it as far as it reaches, which its own length may tell wrong."""
        self._header_end = seen.at if self._header_end is None else self._header_end
        stored_crc, content_crc, ticks = _check_cluster(self._source, seen)
        self._has_checksums |= stored_crc is not None
        if stored_crc == content_crc or (stored_crc is None and not self._has_checksums):
            self._date(ticks)
        else:
            if not self._is_boundary(seen.end):
                seen = _Seen(seen.element_id, seen.at, seen.content_at, self._next_cluster(seen.at))
            reason = "its checksum is gone" if stored_crc is None else "its checksum differs"
            self._tell(seen, reason, ticks, is_cluster=True)
        self._fold.add_cluster(seen.at, seen.end - seen.at, content_crc)
        self._tail_begin = seen.end
        return seen

    def _unfinished(self, seen: _Seen) -> None:
        """The last thing in a file, as a kill leaves it, is no damage; elsewhere it was finished once."""
        if seen.end < self._source.size_bytes and _was_cluster(self._source, seen):
            _, _, ticks = _check_cluster(self._source, seen)
            self._tell(seen, "its id is another", ticks, is_cluster=True)

    def _is_boundary(self, at: int) -> bool:
        return at == self._source.size_bytes or self._see(at).element_id is not None

    def _tell(self, seen: _Seen, reason: str, ticks: int | None, *, is_cluster: bool) -> None:
        damaged = DamagedCluster(seen.at, seen.end - seen.at, self._ticks, reason, is_cluster)
        self._undated.append((damaged, ticks))

    def _date(self, following_ticks: int | None) -> None:
        """Gives what was damaged its own time, if that lies between the whole clusters before and behind it."""
        for damaged, ticks in self._undated:
            is_likely = ticks is not None and ticks >= self._ticks
            if ticks is not None and is_likely and (following_ticks is None or ticks <= following_ticks):
                damaged = replace(damaged, usec=ticks)
            self._damaged.append(damaged)
        self._undated.clear()
        self._ticks = self._ticks if following_ticks is None else following_ticks


def _was_cluster(source: FileSource, seen: _Seen) -> bool:
    """Whether an element agrees with a checksum of its own, as clusters do, whatever it calls itself."""
    stored_crc, content_crc, ticks = _check_cluster(source, seen)
    return stored_crc == content_crc and ticks is not None


def _check_cluster(source: FileSource, seen: _Seen) -> tuple[int | None, int, int | None]:
    """The CRC-32 that it carries (``None`` without one), the one that it has, and its time in ticks if it tells."""
    head = source.read_at(seen.content_at, min(_HEAD_BYTES, seen.end - seen.content_at))
    begin, stored_crc, ticks = 0, None, None
    try:
        element_id, size, child_bytes = parse_head(head, begin)
        if element_id == ids.CRC_32 and size == 4:
            stored_crc = int.from_bytes(head[begin + child_bytes : begin + child_bytes + 4], "little")
            begin += child_bytes + 4
        time_at = begin if stored_crc is not None or element_id == ids.TIMECODE else begin + child_bytes + size
        element_id, size, child_bytes = parse_head(head, time_at)
        if element_id == ids.TIMECODE and 0 < size <= 8:
            ticks = decode_uint(head[time_at + child_bytes : time_at + child_bytes + size])
    except MalformedElementError:
        pass  # then the checksum will tell
    crc = 0
    for offset in range(seen.content_at + begin, seen.end, _CHUNK_BYTES):
        crc = zlib.crc32(source.read_at(offset, min(_CHUNK_BYTES, seen.end - offset)), crc)
    return stored_crc, crc, ticks
