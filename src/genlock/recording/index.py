"""Where every block of a recording lies: found by walking the heads of clusters and blocks, never touching an image.

The walk believes no length: an element that reaches beyond its cluster, a cluster that reaches beyond the file, bytes
that are no element end the cluster, and the walk goes on at the next cluster that can be found. What was passed over
is noted. A file that was cut in the middle of a cluster gives every block that is whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from genlock.recording import ids
from genlock.recording.document import Document
from genlock.recording.ebml import (
    UNKNOWN_SIZE,
    VINT_LENGTH,
    VINT_MASK,
    MalformedElementError,
    parse_head,
    parse_vint,
)
from genlock.recording.seek import find_cluster, next_cluster
from genlock.recording.source import FileSource

__all__ = ["BlockIndex", "Damage", "DamageKind", "TrackBlocks", "scan_blocks", "scan_stretch"]

_WINDOW_BYTES = 512
"""Read at once where heads are expected: small blocks share a window, an image's head needs 20 bytes."""
_HEAD_ROOM_BYTES = 32
"""The longest element head and block head together."""
_LONGEST_HEAD_BYTES = 12
_MAX_NSEC = 1 << 60
"""Block times beyond are damage: 36 years."""
_LACING_BITS = 0x06
_CRC_32_BYTES = 4
_CRC_32_HEAD = bytes((ids.CRC_32, 0x80 | _CRC_32_BYTES))


class DamageKind(Enum):
    """What is wrong with a stretch of the file."""

    CUT = "cut"
    """The file ends inside a cluster."""
    UNREADABLE = "unreadable"
    """Bytes that are no elements, or elements whose lengths contradict each other."""
    WRONG_SIZE = "wrong_size"
    """An image block whose size is not its format's."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of the file that could not be used."""

    kind: DamageKind
    offset_bytes: int
    """Where it begins."""
    size_bytes: int
    usec: int
    """The latest block time before it; 0 when there is none."""


@dataclass(slots=True)
class TrackBlocks:
    """The blocks of one track, in the file's order, as columns."""

    image_bytes: int | None = None
    """The size that every block must have; ``None`` where it varies."""
    may_lace: bool = False
    """Whether a block may hold several samples."""
    keep_bytes: int = 0
    """How many bytes of each payload the walk shall keep: of small blocks, which it passes anyway."""
    kept: bytearray = field(default_factory=bytearray)
    """``keep_bytes`` for each block, zeros where it is shorter."""
    nsec: array[int] = field(default_factory=lambda: array("q"))
    """Block time, relative to the recording's start offset."""
    offsets: array[int] = field(default_factory=lambda: array("q"))
    """Where the payload begins, behind the block's flags."""
    sizes: array[int] = field(default_factory=lambda: array("q"))
    flags: array[int] = field(default_factory=lambda: array("B"))
    durations_nsec: array[int] = field(default_factory=lambda: array("q"))
    """Of blocks that may lace; empty for others."""

    def takes(self, payload_bytes: int, flags: int) -> bool:
        """Whether a block of that size and those flags can be one of this track."""
        if flags & _LACING_BITS and not self.may_lace:
            return False
        return self.image_bytes is None or self.image_bytes == payload_bytes

    def add(self, nsec: int, offset: int, payload_bytes: int, flags: int, duration_nsec: int = 0) -> None:
        """One more block."""
        self.nsec.append(nsec)
        self.offsets.append(offset)
        self.sizes.append(payload_bytes)
        self.flags.append(flags)
        if self.may_lace:
            self.durations_nsec.append(duration_nsec)


@dataclass(slots=True)
class BlockIndex:
    """Every block of the tracks that were asked for."""

    tracks: Mapping[int, TrackBlocks]
    """By track number."""
    clusters: int = 0
    last_nsec: int = 0
    """Block time of the last sample of any track."""
    has_cues: bool = False
    damage: list[Damage] = field(default_factory=list)


def scan_blocks(source: FileSource, document: Document, tracks: Mapping[int, TrackBlocks]) -> BlockIndex:
    """Walks all clusters.

    Args:
        source: the file.
        document: its header.
        tracks: the tracks to index, by number, with empty columns; these are filled.
    """
    scan = _Scan(source, document, BlockIndex(tracks))
    scan.run(document.clusters_offset_bytes)
    return scan.index


def scan_stretch(
    source: FileSource, document: Document, tracks: Mapping[int, TrackBlocks], begin_nsec: int, end_nsec: int
) -> BlockIndex:
    """The same for the clusters that hold a stretch of block times, and some before and behind."""
    scan = _Scan(source, document, BlockIndex(tracks))
    scan.run(find_cluster(source, document, begin_nsec), end_nsec)
    return scan.index


class _Scan:
    """One walk. Offsets are absolute; ``at`` always grows, so that the walk ends on any input."""

    def __init__(self, source: FileSource, document: Document, index: BlockIndex) -> None:
        self._source = source
        self._file_bytes = source.size_bytes
        self._tick_nsec = document.tick_nsec
        self.index = index
        self._numbers = index.tracks
        # By a block's first byte, for the walk's inner loop. Tracks that may lace are not plain.
        self._plain_tracks = {
            0x80 | number: (b, b.image_bytes, b.nsec.append, b.offsets.append, b.sizes.append, b.flags.append)
            for number, b in index.tracks.items()
            if number < 0x7F and not b.may_lace
        }
        self._other_tracks = {0x80 | number for number, b in index.tracks.items() if number < 0x7F and b.may_lace}
        self._window = b""
        self._window_at = 0

    def run(self, at: int, until_nsec: int = _MAX_NSEC) -> None:
        """The segment's children. Where a segment ends is not asked: a killed recorder may have written past it.

        Args:
            at: where to begin.
            until_nsec: block time behind which nothing is asked for.
        """
        file_bytes = self._file_bytes
        while at < file_bytes and self.index.last_nsec <= until_nsec:
            offset = self._see(at)
            try:
                element_id, size, head_bytes = parse_head(self._window, offset)
            except MalformedElementError:
                at = self._search(at) if file_bytes - at >= _LONGEST_HEAD_BYTES else self._cut(at)
                continue
            begin = at + head_bytes
            if element_id == ids.CLUSTER:
                end = file_bytes if size == UNKNOWN_SIZE else begin + size
                at = self._cluster(begin, end, is_end_known=size != UNKNOWN_SIZE)
            elif element_id == ids.UNFINISHED_CLUSTER:
                self._note(DamageKind.CUT, at, file_bytes - at)
                at = file_bytes if begin + size >= file_bytes else begin + size
            elif element_id not in ids.LEVEL_1 and element_id not in (ids.VOID, ids.CRC_32):
                at = self._search(at)
            elif size == UNKNOWN_SIZE or begin + size > file_bytes:
                self._note(DamageKind.CUT, at, file_bytes - at)
                at = self._search(at + 1, note=False)
            else:
                self.index.has_cues |= element_id == ids.CUES
                at = begin + size

    def _cut(self, at: int) -> int:
        """The file ends inside an element's head."""
        self._note(DamageKind.CUT, at, self._file_bytes - at)
        return self._file_bytes

    def _search(self, at: int, *, note: bool = True) -> int:
        """The next cluster at or after ``at``; the end of the file when there is none."""
        found = next_cluster(self._source, at, self._file_bytes)
        following = self._file_bytes if found is None else found
        if note:
            self._note(DamageKind.UNREADABLE, at, following - at)
        return following

    def _note(self, kind: DamageKind, offset: int, size_bytes: int) -> None:
        self.index.damage.append(Damage(kind, offset, size_bytes, self.index.last_nsec // 1000))

    def _cluster(self, at: int, end: int, *, is_end_known: bool) -> int:
        """Indexes one cluster's blocks; returns where to go on."""
        self.index.clusters += 1
        limit = min(end, self._file_bytes)
        at, cluster_ticks = self._plain_prologue(at, limit)
        if cluster_ticks is not None:
            at = self._plain_blocks(at, limit, cluster_ticks)
        while at < limit:
            offset = self._see(at)
            window = self._window
            try:
                element_id, size, head_bytes = parse_head(window, offset)
            except MalformedElementError:
                break
            begin = at + head_bytes
            after = begin + size
            if element_id in ids.LEVEL_1 or element_id in (ids.EBML, ids.SEGMENT, ids.UNFINISHED_CLUSTER):
                if is_end_known:
                    self._note(DamageKind.UNREADABLE, at, 0)
                return at  # a cluster of unknown size, or of a wrong one, ends where the next thing begins
            if size == UNKNOWN_SIZE or after > limit:
                break
            if element_id == ids.SIMPLE_BLOCK and cluster_ticks is not None:
                self._block(begin, size, offset + head_bytes, cluster_ticks)
            elif element_id == ids.BLOCK_GROUP and cluster_ticks is not None:
                self._block_group(begin, after, cluster_ticks)
            elif element_id == ids.TIMECODE and size <= 8:
                ticks = int.from_bytes(window[offset + head_bytes : offset + head_bytes + size], "big")
                cluster_ticks = ticks if ticks * self._tick_nsec < _MAX_NSEC else None
            at = after if cluster_ticks is None else self._plain_blocks(after, limit, cluster_ticks)
        else:
            return limit if limit == end else self._file_bytes
        return self._after_break(at, end, limit, is_end_known=is_end_known)

    def _after_break(self, at: int, end: int, limit: int, *, is_end_known: bool) -> int:
        """Goes on after something inside a cluster that could not be followed."""
        if is_end_known and end <= self._file_bytes and self._is_level_1(end):
            self._note(DamageKind.UNREADABLE, at, end - at)
            return end
        following = self._search(at, note=False)
        kind = DamageKind.CUT if following == self._file_bytes and limit == self._file_bytes else DamageKind.UNREADABLE
        self._note(kind, at, following - at)
        return following

    def _is_level_1(self, at: int) -> bool:
        if at == self._file_bytes:
            return True
        try:
            element_id, _, _ = parse_head(self._source.read_at(at, _LONGEST_HEAD_BYTES), 0)
        except MalformedElementError:
            return False
        return element_id in ids.LEVEL_1

    def _see(self, at: int) -> int:
        """Moves the window so that the heads at ``at`` are in it; returns where in it they are."""
        offset = at - self._window_at
        if offset < 0 or offset + _HEAD_ROOM_BYTES > len(self._window):
            self._window = self._source.read_at(at, _WINDOW_BYTES)
            self._window_at = at
            return 0
        return offset

    def _block(self, begin: int, size: int, offset: int, cluster_ticks: int, duration_ticks: int = 0) -> None:
        """Notes one block whose head lies in the window at ``offset``."""
        window = self._window
        try:
            number = window[offset] & 0x7F
            number_bytes = 1
            if window[offset] < 0x80:  # no file of ours: more than 126 tracks, or a careless muxer
                number, number_bytes = parse_vint(window, offset)
            at = offset + number_bytes
            relative_ticks = window[at] << 8 | window[at + 1]
            flags = window[at + 2]
        except (MalformedElementError, IndexError):
            self._note(DamageKind.UNREADABLE, begin, size)
            return
        blocks = self._numbers.get(number)
        if blocks is None:
            return
        head_bytes = number_bytes + 3
        payload_bytes = size - head_bytes
        relative_ticks -= relative_ticks >> 15 << 16  # 16 bits, signed
        if payload_bytes < 0 or not blocks.takes(payload_bytes, flags):
            self._note(DamageKind.WRONG_SIZE, begin, size)
            return
        nsec = (cluster_ticks + relative_ticks) * self._tick_nsec
        blocks.add(nsec, begin + head_bytes, payload_bytes, flags, min(duration_ticks * self._tick_nsec, _MAX_NSEC))
        self._keep(blocks, begin + head_bytes, payload_bytes)
        if duration_ticks > 1:
            nsec = min(nsec + (duration_ticks - 1) * self._tick_nsec, _MAX_NSEC)
        if nsec > self.index.last_nsec:
            self.index.last_nsec = nsec

    def _plain_prologue(self, at: int, limit: int) -> tuple[int, int | None]:
        """Where a cluster's blocks begin and its ticks, if it begins with a CRC-32 and a time as ours and libk4a's do.

        Otherwise, without a word, where it was called, and no ticks.
        """
        offset = self._see(at)
        window = self._window
        if offset + _HEAD_ROOM_BYTES > len(window) or window[offset : offset + 2] != _CRC_32_HEAD:
            return at, None
        size_at = offset + 2 + _CRC_32_BYTES + 1
        size = window[size_at] & 0x7F
        begin = at + size_at + 1 - offset
        if window[size_at - 1] != ids.TIMECODE or window[size_at] < 0x80 or size > 8 or begin + size > limit:
            return at, None
        ticks = int.from_bytes(window[size_at + 1 : size_at + 1 + size], "big")
        return (begin + size, ticks) if ticks * self._tick_nsec < _MAX_NSEC else (at, None)

    def _plain_blocks(self, at: int, limit: int, cluster_ticks: int) -> int:
        """The same for a run of SimpleBlocks as every recorder writes them: where a long walk spends its time.

        Stops, without a word, at the first thing that is anything else, and returns where that is.
        """
        window, window_at = self._window, self._window_at
        last_nsec, tick_nsec, tracks = self.index.last_nsec, self._tick_nsec, self._plain_tracks
        while at < limit:
            offset = at - window_at
            if offset + _HEAD_ROOM_BYTES > len(window):
                window = self._window = self._source.read_at(at, _WINDOW_BYTES)
                window_at, offset = at, 0
                self._window_at = at
            if len(window) - offset < _HEAD_ROOM_BYTES or window[offset] != ids.SIMPLE_BLOCK:
                break
            size_bytes = VINT_LENGTH[window[offset + 1]]
            head = offset + 1 + size_bytes
            size = int.from_bytes(window[offset + 1 : head], "big") & VINT_MASK[size_bytes]
            payload_bytes = size - 4
            begin = at + 5 + size_bytes
            after = begin + payload_bytes
            # An unknown size, all ones, reaches beyond any cluster or leaves nothing for the block's own head.
            if window[head] < 0x80 or payload_bytes < 0 or after > limit:
                break
            track = tracks.get(window[head])
            if track is not None:
                blocks, image_bytes, add_nsec, add_offset, add_size, add_flags = track
                flags = window[head + 3]
                if flags & _LACING_BITS or (image_bytes is not None and image_bytes != payload_bytes):
                    break
                relative_ticks = window[head + 1] << 8 | window[head + 2]
                relative_ticks -= relative_ticks >> 15 << 16  # 16 bits, signed
                nsec = (cluster_ticks + relative_ticks) * tick_nsec
                add_nsec(nsec)
                add_offset(begin)
                add_size(payload_bytes)
                add_flags(flags)
                if blocks.keep_bytes:
                    self._keep(blocks, begin, payload_bytes)
                if nsec > last_nsec:
                    last_nsec = nsec
            elif window[head] in self._other_tracks:
                break
            at = after
        self.index.last_nsec = last_nsec
        return at

    def _keep(self, blocks: TrackBlocks, at: int, payload_bytes: int) -> None:
        """Keeps the first bytes of a payload, if the track wants them."""
        count = min(payload_bytes, blocks.keep_bytes)
        begin = at - self._window_at
        kept = self._window[begin : begin + count] if begin >= 0 else b""
        if len(kept) < count:
            kept = self._source.read_at(at, count)
        blocks.kept += kept.ljust(blocks.keep_bytes, b"\0")

    def _block_group(self, at: int, end: int, cluster_ticks: int) -> None:
        """A block with its duration, in either order."""
        block: tuple[int, int] | None = None
        duration_ticks = 0
        while at < end:
            offset = self._see(at)
            try:
                element_id, size, head_bytes = parse_head(self._window, offset)
            except MalformedElementError:
                size = UNKNOWN_SIZE
            if size == UNKNOWN_SIZE or at + head_bytes + size > end:
                self._note(DamageKind.UNREADABLE, at, end - at)
                return
            if element_id == ids.BLOCK:
                block = (at + head_bytes, size)
            elif element_id == ids.BLOCK_DURATION and size <= 8:
                duration = self._window[offset + head_bytes : offset + head_bytes + size]
                duration_ticks = int.from_bytes(duration, "big")
            at += head_bytes + size
        if block is not None:
            begin, size = block
            self._block(begin, size, self._see(begin), cluster_ticks, duration_ticks)
