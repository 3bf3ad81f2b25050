"""Arrays that took long to make, kept on disk for the next process: laps of color images, traced rooms.

A file is an uncompressed ``.npz`` with a checksum of all of it behind its end, named for a digest of everything that
its arrays depend on, the renderer's own source among it. Files are written beside their place and moved there, so that
processes may share a shelf. When a shelf is full, the files that were not asked for longest go; what was asked for
just now stays, and what finds no room beside it is not kept. Whatever goes wrong (no room on the disk, no right to
write, a damaged file) costs no more than making the arrays again.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import platform
import re
import tempfile
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
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

_MOST_BYTES = 3 << 29
"""Eleven devices at 2160P: 66 MB of what stands still (8 bytes a pixel) and a lap of 75 MB each. 35 at 1080P."""
_IDLE_NSEC = 600 * 10**9
"""Longer than the devices of a rig take to start one after the other. Without it a rig that is too large for the shelf
would find nothing there: each device would take the place of the one that is asked for next."""
_OUR_NAMES = re.compile(r"[0-9a-f]{32}\.npz|genlock-\w+\.part")
_CHECKSUM_BYTES = 8
"""Hexadecimal digits of a CRC-32: it tells every flipped bit, all but one of 2^32 cases of other damage."""
_COMPUTE_WITH = ("numpy", "numba", "simplejpeg")


class Shelf:
    """A folder of arrays by key. Several threads and processes may use one at once; files of other names stay.

    Args:
        folder: made when first needed; ``None``: nothing is kept.
        most_bytes: of all files together.
    """

    def __init__(self, folder: Path | None, most_bytes: int = _MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def load(self, key: str) -> tuple[Array, ...] | None:
        """The arrays that were stored under this ``shelf_key``; ``None`` where there are none, or no whole ones."""
        if self._folder is None:
            return None
        path = self._folder / f"{key}.npz"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.info("%s is made again: %s", path, error)
            return None
        whole = memoryview(content)[:-_CHECKSUM_BYTES]
        if _checksum(whole) != content[-_CHECKSUM_BYTES:]:
            logger.info("%s is made again: it is damaged", path)
            return None
        with suppress(OSError):  # a cache that we may only read
            os.utime(path)  # it was asked for just now
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return tuple(file[name] for name in file.files)

    def store(self, key: str, arrays: Sequence[Array]) -> None:
        """Keeps arrays under a ``shelf_key``, if there is room or room can be made."""
        if self._folder is None:
            return
        path = self._folder / f"{key}.npz"
        content = io.BytesIO()
        np.savez(content, *arrays)
        content.write(_checksum(content.getbuffer()))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._make_room(path, content.tell()):
                _write(path, content.getbuffer())
            else:
                logger.info("%s is not kept for the next time: what was used lately fills the shelf", path)
        except OSError as error:
            logger.info("%s is not kept for the next time: %s", path, error)

    def _make_room(self, path: Path, size_bytes: int) -> bool:
        """Whether so large a file may lie at this path; what was not asked for longest is removed for it.

        What killed processes left unfinished is among that one day.
        """
        now_nsec = time.time_ns()
        excess_bytes = size_bytes - self._most_bytes
        idle = []
        for other in path.parent.iterdir():
            if other == path or not _OUR_NAMES.fullmatch(other.name):
                continue
            with suppress(OSError):  # another process makes room as well
                status = other.stat()
                excess_bytes += status.st_size
                if abs(now_nsec - status.st_mtime_ns) > _IDLE_NSEC:  # a time to come is no reason to stay
                    idle.append((status.st_mtime_ns, status.st_size, other))
        if excess_bytes > sum(idle_bytes for _, idle_bytes, _ in idle):
            return False
        for _, idle_bytes, other in sorted(idle):
            if excess_bytes <= 0:
                break
            with suppress(OSError):  # not ours to remove, or a folder
                other.unlink(missing_ok=True)
                excess_bytes -= idle_bytes
        return excess_bytes <= 0


def _checksum(content: bytes | memoryview) -> bytes:
    return b"%08x" % zlib.crc32(content)


def _write(path: Path, content: memoryview) -> None:
    """Puts a file in its place in one step."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="genlock-", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
