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
from dataclasses import dataclass
from pathlib import Path

from genlock.errors import RecordingError
from genlock.recording import ids
from genlock.recording.ebml import UNKNOWN_SIZE, MalformedElementError, decode_uint, parse_head
from genlock.recording.source import FileSource

__all__ = ["DamagedCluster", "DigestFold", "RecordingDigest", "digest_recording"]

_CLUSTER = struct.Struct("<QQI")
_CHUNK_BYTES = 4 << 20
_HEAD_BYTES = 48
"""Head, CRC-32 and timecode of a cluster."""


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
    """A cluster whose content is not what was written."""

    offset_bytes: int
    """Where it begins."""
    size_bytes: int
    usec: int
    """Block time of its beginning, relative to the recording's start offset."""


@dataclass(frozen=True, slots=True)
class RecordingDigest:
    """What a recording's bytes say of themselves now."""

    root: str
    """Compare it with the ``digest_root`` that the writer gave."""
    damaged_clusters: tuple[DamagedCluster, ...]
    """Those that contradict their own checksum."""


def digest_recording(path: Path) -> RecordingDigest:
    """Reads a whole recording and takes its digest.

    Raises:
        RecordingError: the file cannot be walked from its beginning to its end: it is cut or its structure is damaged.
    """
    source = FileSource(path)
    try:
        return _digest(source, path)
    finally:
        source.close()


def _digest(source: FileSource, path: Path) -> RecordingDigest:
    fold = DigestFold()
    damaged: list[DamagedCluster] = []
    at = header_end = tail_begin = 0
    while at < source.size_bytes:
        try:
            element_id, size, head_bytes = parse_head(source.read_at(at, _HEAD_BYTES), 0)
        except MalformedElementError as error:
            raise RecordingError(path, f"is damaged at byte {at}: {error}") from error
        if element_id == ids.SEGMENT:
            at += head_bytes
            continue
        end = at + head_bytes + size
        if size == UNKNOWN_SIZE or end > source.size_bytes:
            raise RecordingError(path, f"is damaged at byte {at}: an element there does not end inside the file")
        if element_id == ids.CLUSTER:
            header_end = header_end or at
            tail_begin = end
            stored_crc, content_crc, usec = _check_cluster(source, at, head_bytes, end)
            fold.add_cluster(at, end - at, content_crc)
            if stored_crc is not None and stored_crc != content_crc:
                damaged.append(DamagedCluster(at, end - at, usec))
        at = end
    header_end = header_end or source.size_bytes
    header = source.read_at(0, header_end)
    tail = source.read_at(tail_begin, source.size_bytes - tail_begin) if tail_begin else b""
    return RecordingDigest(fold.root(header, tail), tuple(damaged))


def _check_cluster(source: FileSource, at: int, head_bytes: int, end: int) -> tuple[int | None, int, int]:
    """The CRC-32 that it carries (``None`` without one), the one that it has, and its time in ticks."""
    head = source.read_at(at, min(_HEAD_BYTES, end - at))
    begin, stored_crc, ticks = head_bytes, None, 0
    try:
        element_id, size, child_bytes = parse_head(head, begin)
        if element_id == ids.CRC_32 and size == 4:
            stored_crc = int.from_bytes(head[begin + child_bytes : begin + child_bytes + 4], "little")
            begin += child_bytes + 4
        element_id, size, child_bytes = parse_head(head, begin)
        if element_id == ids.TIMECODE:
            ticks = decode_uint(head[begin + child_bytes : begin + child_bytes + size])
    except MalformedElementError:
        pass  # then the checksum will tell
    crc = 0
    for offset in range(at + begin, end, _CHUNK_BYTES):
        crc = zlib.crc32(source.read_at(offset, min(_CHUNK_BYTES, end - offset)), crc)
    return stored_crc, crc, ticks
