"""Session folders that were not recorded but made of others: cut, split, joined, merged from several computers.

The new folder appears under its name when it is whole; until then it is a hidden one beside it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from genlock.errors import SessionFolderError
from genlock.recording.atomic import sync_folder
from genlock.recording.folder import SessionFile, SessionFolder

__all__ = ["NewSession", "copy_file", "new_session"]


class NewSession:
    """A session folder in the making."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recordings: dict[str, list[str]] = {}
        self._digests: dict[str, str] = {}

    def place(self, serial: str, epoch: int, part: int) -> Path:
        """Where a file goes; its folder is there."""
        path = self.path / "devices" / serial / f"e{epoch:02d}-p{part:03d}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, serial: str, path: Path, digest_root: str | None) -> None:
        """Makes a file that is there one of the session's, in order; without a digest where nobody took one."""
        name = path.relative_to(self.path).as_posix()
        self._recordings.setdefault(serial, []).append(name)
        if digest_root is not None:
            self._digests[name] = digest_root

    @property
    def recordings(self) -> Mapping[str, Sequence[str]]:
        """Serial -> its files."""
        return self._recordings

    def write(self, like: SessionFile, **changes: object) -> None:
        """Writes ``session.json``: as another session's, with this one's files and what else differs."""
        update = {
            "recordings": self._recordings,
            "digests": self._digests,
            "finished_utc": like.finished_utc or datetime.now(UTC),
            **changes,
        }
        SessionFolder(self.path, like.model_copy(update=update)).save()

    def copy_plan(self, source: SessionFolder) -> None:
        """Copies the rig file and its plan."""
        for name in ("rig.toml", "plan.json"):
            with suppress(FileNotFoundError):
                shutil.copyfile(source.path / name, self.path / name)

    def write_log(self, events: Iterable[Mapping[str, object]]) -> None:
        """Writes the log, in the order given."""
        lines = "".join(json.dumps(event) + "\n" for event in events)
        (self.path / "log.jsonl").write_text(lines, encoding="utf-8")


@contextmanager
def new_session(path: Path) -> Iterator[NewSession]:
    """Yields a session in the making, which stands at ``path`` afterwards.

    Raises:
        SessionFolderError: ``path`` exists, or cannot be made. When the body fails, nothing is left behind.
    """
    if path.exists():
        raise SessionFolderError(path, "already exists; a take is never written over. Name a new folder.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield NewSession(temporary)
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise SessionFolderError(path, f"cannot be made: {error.strerror or error}. Name a writable place.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def copy_file(source: Path, target: Path) -> None:
    """The same bytes under another name: as a link on the same disk, which costs nothing, else as a copy."""
    try:
        target.hardlink_to(source)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
