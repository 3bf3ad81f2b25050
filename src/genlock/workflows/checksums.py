"""Are a take's files still what was written?  Every byte is read once; what changed is named by cluster and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from genlock.errors import RecordingError
from genlock.findings import Finding, Severity
from genlock.recording import RecordingDigest, RecordingReader, SessionFolder, digest_recording
from genlock.workflows.progress import NoProgress, Progress

__all__ = ["check_files"]

_COPY_AGAIN = "Copy the file again from where it was recorded; genlock repair saves what is readable."


def check_files(paths: Sequence[Path], progress: Progress | None = None) -> Iterator[Finding]:
    """Findings about the files of a session folder, or about loose files, which have only their own checksums.

    Raises:
        UnreadableInputError: something is no session folder or no recording.
    """
    told = progress or NoProgress()
    digests: dict[Path, str] = {}
    files = list(paths)
    is_session = len(paths) == 1 and paths[0].is_dir()
    if is_session:
        folder = SessionFolder.open(paths[0])
        files = [path for parts in folder.recordings().values() for path in parts]
        digests = {folder.path / name: digest for name, digest in folder.session.digests.items()}
    for path in files:
        told.step(f"read every byte of {path}")
        yield from _check(path, digests.get(path), is_session=is_session)


def _check(path: Path, expected_root: str | None, *, is_session: bool) -> Iterator[Finding]:
    where = path.name if path.parent.name == "" else f"{path.parent.name}/{path.name}"
    try:
        digest = digest_recording(path)
    except RecordingError as error:
        yield Finding("verify.file_damaged", Severity.ERROR, where, error.reason, _COPY_AGAIN)
        return
    yield from _damaged_clusters(path, where, digest)
    if expected_root is None:
        if is_session:
            yield Finding(
                "verify.no_digest",
                Severity.INFO,
                where,
                "the session holds no digest of it: its recorder was killed; only its own checksums were checked",
                "",
            )
    elif digest.root != expected_root and not digest.damaged_clusters:
        yield Finding(
            "verify.file_changed",
            Severity.ERROR,
            where,
            "every cluster agrees with its checksum, but the file is not the one that was recorded: its digest is "
            f"{digest.root[:16]}..., the session says {expected_root[:16]}...",
            "Its header or its end was damaged, or a program wrote it anew. Copy it again from where it was recorded.",
        )


def _damaged_clusters(path: Path, where: str, digest: RecordingDigest) -> Iterator[Finding]:
    if not digest.damaged_clusters:
        return
    offset_usec = _start_offset_usec(path)
    clock = "block time" if offset_usec is None else "device time"
    for cluster in digest.damaged_clusters:
        usec = cluster.usec + (offset_usec or 0)
        yield Finding(
            "verify.file_damaged",
            Severity.ERROR,
            where,
            f"the {'cluster' if cluster.is_cluster else 'stretch'} at byte {cluster.offset_bytes} "
            f"({cluster.size_bytes} bytes, {clock} {usec / 1e6:.3f} s) is not what was written: {cluster.reason}",
            _COPY_AGAIN,
        )


def _start_offset_usec(path: Path) -> int | None:
    """``None`` when the header is damaged too."""
    try:
        with RecordingReader(path) as reader:
            return reader.start_offset_usec
    except RecordingError:
        return None
