"""What a reader has to say about a recording that is not whole."""

from __future__ import annotations

from collections.abc import Iterator

from genlock.findings import Finding, Severity
from genlock.recording.document import Document
from genlock.recording.index import BlockIndex, Damage, DamageKind

__all__ = ["damage_findings"]


def damage_findings(
    where: str,
    document: Document,
    index: BlockIndex,
    *,
    has_images: bool,
    has_start_offset: bool,
    recovered_offset_usec: int | None,
) -> tuple[Finding, ...]:
    """Findings about one file, gravest first.

    Args:
        where: the file's name.
        document: its header.
        index: what the walk over its clusters found.
        has_images: whether any image can be read.
        has_start_offset: whether the tag with the device time of block time 0 is there.
        recovered_offset_usec: that time as the inertial samples tell it, when the tag is missing.
    """
    return (
        *_empty(where, has_images=has_images),
        *_cut(where, document, index),
        *_damaged(where, index),
        *_unfinished(where, document, index, has_start_offset, recovered_offset_usec),
    )


def _empty(where: str, *, has_images: bool) -> Iterator[Finding]:
    if not has_images:
        yield Finding(
            "recording.no_captures",
            Severity.WARNING,
            where,
            "it holds tracks but no image",
            "Look why the device delivered nothing: a subordinate waits for its master's pulse.",
        )


def _cut(where: str, document: Document, index: BlockIndex) -> Iterator[Finding]:
    torn = [damage for damage in index.damage if damage.kind is DamageKind.CUT]
    missing_bytes = max(0, (document.segment_end or 0) - document.file_bytes)
    if not torn and not missing_bytes:
        return
    parts = []
    if missing_bytes:
        parts.append(f"{missing_bytes} bytes that its header speaks of are missing")
    if torn:
        parts.append(f"its last {torn[-1].size_bytes} bytes are an unfinished cluster")
    yield Finding(
        "recording.truncated",
        Severity.WARNING,
        where,
        f"the file ends too early: {' and '.join(parts)}; {_readable_until(index)}",
        "Use what is there. If the file was copied, copy it again; if its recorder was killed, the rest is lost.",
    )


def _readable_until(index: BlockIndex) -> str:
    if not index.clusters:
        return "nothing in it is readable"
    return f"readable are its first {index.last_nsec / 1e9:.3f} s"


def _damaged(where: str, index: BlockIndex) -> Iterator[Finding]:
    unreadable = [damage for damage in index.damage if damage.kind is DamageKind.UNREADABLE]
    if unreadable:
        yield Finding(
            "recording.damaged",
            Severity.WARNING,
            where,
            f"{sum(damage.size_bytes for damage in unreadable)} bytes in {len(unreadable)} places cannot be read, "
            f"the first {_place(unreadable[0])}",
            "The images there are missing, all others are read. Copy the file again if you can.",
        )
    wrong = [damage for damage in index.damage if damage.kind is DamageKind.WRONG_SIZE]
    if wrong:
        yield Finding(
            "recording.wrong_image_size",
            Severity.WARNING,
            where,
            f"{len(wrong)} images do not have their format's size and were left out, the first {_place(wrong[0])}",
            "The images there are missing, all others are read. Copy the file again if you can.",
        )


def _place(damage: Damage) -> str:
    return f"at byte {damage.offset_bytes}, {damage.usec / 1e6:.3f} s into the recording"


def _unfinished(
    where: str,
    document: Document,
    index: BlockIndex,
    has_start_offset: bool,
    recovered_offset_usec: int | None,
) -> Iterator[Finding]:
    if index.clusters and not (document.has_cues or index.has_cues):
        yield Finding(
            "recording.unfinished",
            Severity.WARNING,
            where,
            "its recorder did not close it (it has no cues): the last moments before it stopped are missing",
            "What is there can be used. Look why the recorder ended: a crash, a kill, a power cut.",
        )
    if has_start_offset or document.has_info or not index.clusters:
        return
    if recovered_offset_usec is not None:
        yield Finding(
            "recording.start_offset_recovered",
            Severity.WARNING,
            where,
            "its recorder was killed before it wrote the start offset; the inertial samples, which carry absolute "
            f"device time, say {recovered_offset_usec} us",
            "Device times can be used. Check one against another device of the take if you can.",
        )
    else:
        yield Finding(
            "recording.start_offset_unknown",
            Severity.ERROR,
            where,
            "its recorder was killed before it wrote the start offset, and there are no inertial samples to tell it: "
            "device times count from the first sample, not from the first pulse",
            "Use it alone; it cannot be matched with other devices' recordings by time.",
        )
