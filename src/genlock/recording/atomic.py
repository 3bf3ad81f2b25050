"""Files that a crash leaves whole: the old one or the new one, never half of either."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["new_file", "sync_folder", "write_atomically"]


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a file (text as UTF-8) beside its place, makes sure that it reached the disk, and moves it there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # it names the temporary file, of which its reader knows nothing
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        _remove(temporary)
    sync_folder(path.parent)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yields a hidden path beside ``path``; what was written and synced there stands at ``path`` afterwards.

    Raises:
        FileExistsError: ``path`` is there already. When the body fails, nothing is left behind.
        OSError: the disk refused; it names ``path``.
    """
    if path.exists():
        raise FileExistsError(errno.EEXIST, "exists already and is not written over; name another file", str(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.rename(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        _remove(temporary)
    sync_folder(path.parent)


def _remove(temporary: Path) -> None:
    """Takes away what is left of a file that did not come to be, if the disk lets it."""
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder lie on the disk."""
    if os.name == "posix":  # Windows has no such call for a folder
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
