"""Arrays that took long to make, kept on disk for the next process: laps of color images, traced rooms.

A file is an uncompressed ``.npz``, whose members carry checksums, named for a digest of everything that its arrays
depend on, the renderer's own source among it. Files are written beside their place and moved there, so that processes
may share a shelf. The files that were not asked for longest go when a shelf is full. Whatever goes wrong (no room on
the disk, no right to write, a damaged file) costs no more than making the arrays again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import genlock.pixels
from genlock.cache import cache_folder

__all__ = ["Shelf", "shelf_key", "user_shelf"]

logger = logging.getLogger(__name__)

Array = NDArray[Any]  # Any: bytes, codes or metres

_MOST_BYTES = 1 << 30
"""Seven devices at 2160P, or 23 at 1080P."""
_COMPUTE_WITH = ("numpy", "numba", "simplejpeg")
_DAMAGES = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class Shelf:
    """A folder of arrays by key. Several threads and processes may use one at once.

    Args:
        folder: made when first needed; ``None``: nothing is kept.
        most_bytes: of all files together.
    """

    def __init__(self, folder: Path | None, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def load(self, key: str) -> tuple[Array, ...] | None:
        """The arrays that were stored under this key; ``None`` where there are none, or no whole ones."""
        if self._folder is None:
            return None
        path = self._folder / f"{key}.npz"
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = tuple(file[f"arr_{number}"] for number in range(len(file.files)))
            os.utime(path)  # it was asked for just now
        except FileNotFoundError:
            return None
        except _DAMAGES as error:
            logger.info("%s is made again: %s", path, error)
            return None
        return arrays

    def store(self, key: str, arrays: Sequence[Array]) -> None:
        """Keeps arrays under a key, and makes room for them."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            part = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    np.savez(file, *arrays)
                part.replace(self._folder / f"{key}.npz")
            finally:
                part.unlink(missing_ok=True)
            self._make_room(self._folder)
        except OSError as error:
            logger.info("images are not kept for the next time: %s", error)

    def _make_room(self, folder: Path) -> None:
        """Removes what was not asked for longest; what killed processes left unfinished is among it one day."""
        sizes = {}
        for path in folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:  # another process makes room as well
                continue
            sizes[path] = (status.st_mtime_ns, status.st_size)
        excess_bytes = sum(size for _, size in sizes.values()) - self._most_bytes
        for path in sorted(sizes, key=lambda path: sizes[path]):
            if excess_bytes <= 0:
                return
            path.unlink(missing_ok=True)
            excess_bytes -= sizes[path][1]


def user_shelf() -> Shelf:
    """The shelf in the user's cache."""
    try:
        return Shelf(cache_folder("images"))
    except RuntimeError:  # a user without a home
        return Shelf(None)


def shelf_key(*parts: object) -> str:
    """A name for what depends on these: arrays by their content, everything else by its ``repr``."""
    digest = hashlib.sha256(_renderer())
    for part in parts:
        digest.update(b"\0")
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()[:32]


@cache
def _renderer() -> bytes:
    """A digest of what turns a scene into images: our source, the libraries it computes with, the kind of processor."""
    sources = [*sorted(Path(__file__).parent.glob("*.py")), Path(genlock.pixels.__file__)]
    digest = hashlib.sha256(repr([platform.machine(), *map(version, _COMPUTE_WITH)]).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.digest()
