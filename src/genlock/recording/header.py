"""Everything of a recording that stands before its first cluster, with room for what is known only later.

::

    EBML · Segment (8-byte size) · SeekHead + Void · Info · Tracks · Attachments · Tags + Void · clusters …

Four values change while a recording grows: the segment's size, the duration, the start offset (a tag), the place of the
cues. Each has its reserved place, so that the header never moves: ``FileHeader`` hands out patches, and the file is
complete after every one of them. Size and duration are 8 bytes inside the first 4096: the system writes them whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from genlock._version import __version__
from genlock.recording import ids
from genlock.recording.ebml import (
    crc_element,
    element,
    element_head,
    encode_id,
    encode_size,
    float_element,
    text_element,
    uint_element,
    void_element,
)
from genlock.recording.layout import Attachment, Tag, TagTarget, Track

__all__ = ["FileHeader", "Patch", "crc_of"]

from zlib import crc32 as crc_of

_SEEK_HEAD_BYTES = 1027
"""As the SDK reserves it: a void element with 1024 bytes of payload."""
_TAGS_RESERVE_BYTES = 1027
_TICK_NSEC = 1_000
"""TimecodeScale: one tick is 1 us, the unit of device time."""
_MATROSKA_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes to write over what stands at an offset of the file."""

    offset_bytes: int
    content: bytes


class FileHeader:
    """The header's bytes, as they stand in the file after every patch that was handed out."""

    def __init__(
        self,
        tracks: Sequence[Track],
        tags: Sequence[Tag],
        *,
        attachments: Sequence[Attachment],
        created: datetime,
    ) -> None:
        self._tags = tuple(tags)
        prolog = _ebml_head() + encode_id(ids.SEGMENT)
        self._size_offset = len(prolog)
        self._data_offset = self._size_offset + 8
        info = _info(created)
        body = {
            ids.INFO: info,
            ids.TRACKS: element(ids.TRACKS, *map(_track_entry, tracks)),
            ids.ATTACHMENTS: element(ids.ATTACHMENTS, *map(_attached_file, attachments)) if attachments else b"",
            ids.TAGS: _tags(self._tags),
        }
        self._positions: dict[int, int] = {}
        at = _SEEK_HEAD_BYTES
        for element_id, content in body.items():
            if content:
                self._positions[element_id] = at
            at += len(content)
        self._duration_offset = self._data_offset + self._positions[ids.INFO] + len(info) - 8
        self._tags_offset = self._data_offset + self._positions[ids.TAGS]
        self._tags_bytes = len(body[ids.TAGS]) + _TAGS_RESERVE_BYTES
        self._content = bytearray(
            prolog
            + encode_size(at + _TAGS_RESERVE_BYTES, 8)
            + self._seek_head(None)
            + b"".join(body.values())
            + void_element(_TAGS_RESERVE_BYTES)
        )

    @property
    def content(self) -> bytes:
        """All of it, as the file should hold it now."""
        return bytes(self._content)

    @property
    def data_offset(self) -> int:
        """Where the segment's payload begins: positions in cues and seek heads count from here."""
        return self._data_offset

    def patch_size(self, file_bytes: int) -> Patch:
        """Lets the segment end where the file does."""
        return self._patch(self._size_offset, encode_size(file_bytes - self._data_offset, 8))

    def patch_duration(self, duration_usec: int) -> Patch:
        """From the first sample to the last."""
        return self._patch(self._duration_offset, struct.pack(">d", duration_usec))

    def patch_start_offset(self, start_offset_nsec: int) -> Patch:
        """Adds the tag that holds the device time of block time 0."""
        tags = _tags((*self._tags, Tag("K4A_START_OFFSET_NS", str(start_offset_nsec))))
        return self._patch(self._tags_offset, tags + void_element(self._tags_bytes - len(tags)))

    def patch_cues(self, cues_offset: int) -> Patch:
        """Tells readers where the cues are."""
        return self._patch(self._data_offset, self._seek_head(cues_offset - self._data_offset))

    def _patch(self, offset: int, content: bytes) -> Patch:
        self._content[offset : offset + len(content)] = content
        return Patch(offset, content)

    def _seek_head(self, cues_position: int | None) -> bytes:
        positions = dict(self._positions)
        if cues_position is not None:
            positions[ids.CUES] = cues_position
        seeks = [
            element(ids.SEEK, element(ids.SEEK_ID, encode_id(element_id)), uint_element(ids.SEEK_POSITION, position))
            for element_id, position in positions.items()
        ]
        seek_head = element(ids.SEEK_HEAD, *seeks)
        return seek_head + void_element(_SEEK_HEAD_BYTES - len(seek_head))


def _ebml_head() -> bytes:
    return element(
        ids.EBML,
        uint_element(ids.EBML_VERSION, 1),
        uint_element(ids.EBML_READ_VERSION, 1),
        uint_element(ids.EBML_MAX_ID_LENGTH, 4),
        uint_element(ids.EBML_MAX_SIZE_LENGTH, 8),
        text_element(ids.DOC_TYPE, "matroska"),
        uint_element(ids.DOC_TYPE_VERSION, 2),
        uint_element(ids.DOC_TYPE_READ_VERSION, 2),  # playback refuses anything above
    )


def _info(created: datetime) -> bytes:
    """The duration comes last: its 8 bytes are patched."""
    since_epoch_nsec = int((created - _MATROSKA_EPOCH).total_seconds()) * 1_000_000_000
    application = f"genlock {__version__}"
    return element(
        ids.INFO,
        uint_element(ids.TIMECODE_SCALE, _TICK_NSEC),
        text_element(ids.MUXING_APP, application),
        text_element(ids.WRITING_APP, application),
        element(ids.DATE_UTC, struct.pack(">q", since_epoch_nsec)),
        text_element(ids.TITLE, "Azure Kinect"),
        float_element(ids.DURATION, 0.0),
    )


def _track_entry(track: Track) -> bytes:
    children = [
        uint_element(ids.TRACK_NUMBER, track.number),
        element(ids.TRACK_UID, track.uid.to_bytes(8, "big")),
        uint_element(ids.TRACK_TYPE, track.track_type),
        text_element(ids.CODEC_ID, track.codec_id),
        text_element(ids.NAME, track.name),
    ]
    if track.codec_private:
        children.append(element(ids.CODEC_PRIVATE, track.codec_private))
    if track.frame_period_nsec:
        children.append(uint_element(ids.DEFAULT_DURATION, track.frame_period_nsec))
    if track.width_px:
        size = (uint_element(ids.PIXEL_WIDTH, track.width_px), uint_element(ids.PIXEL_HEIGHT, track.height_px))
        children.append(element(ids.VIDEO, *size))
    return element(ids.TRACK_ENTRY, *children)


def _attached_file(attachment: Attachment) -> bytes:
    return element(
        ids.ATTACHED_FILE,
        text_element(ids.FILE_NAME, attachment.name),
        text_element(ids.FILE_MIME_TYPE, "application/octet-stream"),
        element(ids.FILE_DATA, attachment.content),
        element(ids.FILE_UID, attachment.uid.to_bytes(8, "big")),
    )


def _tags(tags: Iterable[Tag]) -> bytes:
    content = b"".join(map(_tag, tags))
    crc = crc_element(crc_of(content))
    return element_head(ids.TAGS, len(crc) + len(content)) + crc + content


def _tag(tag: Tag) -> bytes:
    targets = b""
    if tag.target is not TagTarget.FILE:
        uid_id = ids.TAG_TRACK_UID if tag.target is TagTarget.TRACK else ids.TAG_ATTACHMENT_UID
        targets = text_element(ids.TARGET_TYPE, tag.target.value) + element(uid_id, tag.target_uid.to_bytes(8, "big"))
    simple = text_element(ids.TAG_NAME, tag.name) + text_element(ids.TAG_STRING, tag.value)
    return element(ids.TAG, element(ids.TARGETS, targets), element(ids.SIMPLE_TAG, simple))
