"""What stands before a recording's clusters, read: tracks, tags, attachments, time scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from genlock.errors import RecordingError
from genlock.recording import ids
from genlock.recording.ebml import (
    UNKNOWN_SIZE,
    MalformedElementError,
    children,
    decode_text,
    decode_uint,
    parse_head,
)
from genlock.recording.layout import Attachment, Tag, TagTarget, Track
from genlock.recording.source import FileSource

__all__ = ["Document", "read_document"]

_MAX_HEADER_ELEMENT_BYTES = 64 << 20
"""Tracks, tags and attachments of real recordings take a few kilobytes."""
_TICK_NSEC = 1_000
"""What the SDK's recorder writes as TimecodeScale, and what a recording without Info must have had."""
_MAX_TICK_NSEC = 1_000_000_000


@dataclass(slots=True)
class Document:
    """The header of one recording."""

    file_bytes: int
    data_offset_bytes: int
    """Where the segment's payload begins."""
    segment_end: int | None
    """Where it says that it ends; ``None`` when it does not say."""
    clusters_offset_bytes: int
    """Where the first cluster begins, or the file ends."""
    has_info: bool = False
    """A recording without it was killed before its recorder flushed for the first time."""
    has_cues: bool = False
    """Whether its recorder came to write cues."""
    tick_nsec: int = _TICK_NSEC
    writing_app: str = ""
    tracks: tuple[Track, ...] = ()
    tags: tuple[Tag, ...] = ()
    attachments: tuple[Attachment, ...] = field(default=())

    def tag_values(self) -> dict[str, str]:
        """Every tag's value by name; of several with one name the first, as playback has it."""
        values: dict[str, str] = {}
        for tag in self.tags:
            values.setdefault(tag.name, tag.value)
        return values


def read_document(source: FileSource, path: Path) -> Document:
    """Reads everything but the clusters. Raises ``RecordingError`` with one line that says what is wrong."""
    if source.size_bytes == 0:
        raise RecordingError(path, "is empty (0 bytes)")
    first_bytes = source.read_at(0, 4)
    if first_bytes != ids.EBML.to_bytes(4, "big"):
        raise RecordingError(path, f"is no Matroska file: it begins with the bytes {first_bytes.hex(' ')}")
    try:
        document = _find_segment(source)
        sections = _find_sections(source, document)
        for element_id, payload in sections.items():
            _READERS[element_id](document, payload)
    except MalformedElementError as error:
        raise RecordingError(path, f"cannot be read, its header is damaged or cut: {error}") from error
    if not document.tracks:
        raise RecordingError(path, "has no tracks: it is cut inside its header, or no recording")
    return document


class _Head(NamedTuple):
    element_id: int
    size: int
    head_bytes: int


def _head_at(source: FileSource, offset: int) -> _Head:
    return _Head(*parse_head(source.read_at(offset, 12), 0))


def _payload_at(source: FileSource, offset: int, head: _Head) -> bytes:
    if not 0 <= head.size <= _MAX_HEADER_ELEMENT_BYTES:
        raise MalformedElementError(f"element {head.element_id:#x} claims {head.size} bytes")
    payload = source.read_at(offset + head.head_bytes, head.size)
    if len(payload) < head.size:
        raise MalformedElementError(f"element {head.element_id:#x} has {len(payload)} of its {head.size} bytes")
    return payload


def _find_segment(source: FileSource) -> Document:
    ebml = _head_at(source, 0)
    doc_type = ""
    for element_id, payload in children(_payload_at(source, 0, ebml)):
        if element_id == ids.DOC_TYPE:
            doc_type = decode_text(payload)
    if doc_type != "matroska":
        raise MalformedElementError(f"the document type is {doc_type!r}, not 'matroska'")
    at = ebml.head_bytes + ebml.size
    head = _head_at(source, at)
    if head.element_id != ids.SEGMENT:
        raise MalformedElementError(f"element {head.element_id:#x} stands where the segment should be")
    data_offset = at + head.head_bytes
    # The SDK's recorder leaves 0 there until it flushes for the first time.
    knows_size = head.size not in (UNKNOWN_SIZE, 0)
    return Document(
        file_bytes=source.size_bytes,
        data_offset_bytes=data_offset,
        segment_end=data_offset + head.size if knows_size else None,
        clusters_offset_bytes=source.size_bytes,
    )


def _find_sections(source: FileSource, document: Document) -> dict[int, bytes]:
    """The sections before the first cluster, then those behind it to which the seek head points."""
    sections: dict[int, bytes] = {}
    positions: dict[int, int] = {}
    at = document.data_offset_bytes
    while at < source.size_bytes:
        try:
            head = _head_at(source, at)
        except MalformedElementError:
            document.clusters_offset_bytes = at  # from here on, clusters have to be searched for
            break
        if head.element_id in (ids.CLUSTER, ids.UNFINISHED_CLUSTER):
            document.clusters_offset_bytes = at
            break
        if head.element_id == ids.SEEK_HEAD:
            positions.update(_seek_positions(_payload_at(source, at, head)))
        elif head.element_id in _READERS:
            sections.setdefault(head.element_id, _payload_at(source, at, head))
        elif head.element_id == ids.CUES:
            document.has_cues = True
        if head.size == UNKNOWN_SIZE:
            raise MalformedElementError(f"element {head.element_id:#x} does not say where it ends")
        at += head.head_bytes + head.size
    for element_id, position in positions.items():
        offset = document.data_offset_bytes + position
        document.has_cues |= element_id == ids.CUES  # also if they were cut off: a recorder writes them when it closes
        if offset >= source.size_bytes or _head_at(source, offset).element_id != element_id:
            continue  # a section that was cut off, or moved by a careless editor
        if element_id in _READERS and element_id not in sections:
            sections[element_id] = _payload_at(source, offset, _head_at(source, offset))
    return sections


def _seek_positions(payload: bytes) -> Iterator[tuple[int, int]]:
    for element_id, seek in children(payload):
        if element_id == ids.SEEK:
            found = dict(children(seek))
            yield decode_uint(found.get(ids.SEEK_ID, b"")), decode_uint(found.get(ids.SEEK_POSITION, b""))


def _read_info(document: Document, payload: bytes) -> None:
    document.has_info = True
    document.tick_nsec = 1_000_000  # Matroska's default
    for element_id, value in children(payload):
        if element_id == ids.TIMECODE_SCALE:
            document.tick_nsec = decode_uint(value)
        elif element_id == ids.WRITING_APP:
            document.writing_app = decode_text(value)
    if not 0 < document.tick_nsec <= _MAX_TICK_NSEC:
        raise MalformedElementError(f"a time scale of {document.tick_nsec} ns")


def _read_tracks(document: Document, payload: bytes) -> None:
    entries = [_track(entry) for element_id, entry in children(payload) if element_id == ids.TRACK_ENTRY]
    numbers = [track.number for track in entries]
    if 0 in numbers or len(set(numbers)) < len(numbers):
        raise MalformedElementError(f"its tracks are numbered {numbers}")
    document.tracks = tuple(entries)


def _track(payload: bytes) -> Track:
    found = dict(children(payload))
    video = dict(children(found.get(ids.VIDEO, b"")))
    return Track(
        number=decode_uint(found.get(ids.TRACK_NUMBER, b"")),
        uid=decode_uint(found.get(ids.TRACK_UID, b"")),
        name=decode_text(found.get(ids.NAME, b"")),
        track_type=decode_uint(found.get(ids.TRACK_TYPE, b"")),
        codec_id=decode_text(found.get(ids.CODEC_ID, b"")),
        codec_private=found.get(ids.CODEC_PRIVATE, b""),
        frame_period_nsec=decode_uint(found.get(ids.DEFAULT_DURATION, b"")),
        width_px=decode_uint(video.get(ids.PIXEL_WIDTH, b"")),
        height_px=decode_uint(video.get(ids.PIXEL_HEIGHT, b"")),
    )


def _read_attachments(document: Document, payload: bytes) -> None:
    attachments = []
    for element_id, attached in children(payload):
        if element_id == ids.ATTACHED_FILE:
            found = dict(children(attached))
            name = decode_text(found.get(ids.FILE_NAME, b""))
            uid = decode_uint(found.get(ids.FILE_UID, b""))
            attachments.append(Attachment(name, uid, found.get(ids.FILE_DATA, b"")))
    document.attachments = tuple(attachments)


def _read_tags(document: Document, payload: bytes) -> None:
    document.tags = tuple(
        tag for element_id, content in children(payload) if element_id == ids.TAG for tag in _tags_of(content)
    )


def _tags_of(payload: bytes) -> Iterator[Tag]:
    """The SDK writes one name a tag; remuxers gather all names of a target in one."""
    parts = list(children(payload))
    targets = dict(children(next((part for element_id, part in parts if element_id == ids.TARGETS), b"")))
    if ids.TAG_ATTACHMENT_UID in targets:
        target, uid = TagTarget.ATTACHMENT, decode_uint(targets[ids.TAG_ATTACHMENT_UID])
    else:
        uid = decode_uint(targets.get(ids.TAG_TRACK_UID, b""))
        target = TagTarget.TRACK if uid else TagTarget.FILE
    for element_id, part in parts:
        if element_id == ids.SIMPLE_TAG:
            found = dict(children(part))
            name = decode_text(found.get(ids.TAG_NAME, b""))
            yield Tag(name, decode_text(found.get(ids.TAG_STRING, b"")), target, uid)


_READERS = {
    ids.INFO: _read_info,
    ids.TRACKS: _read_tracks,
    ids.ATTACHMENTS: _read_attachments,
    ids.TAGS: _read_tags,
}
