"""What has to be tried out: how fast the disk writes, how fast the processor packs and unpacks images."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from genlock.capture import Image
from genlock.k4a import COLOR_GEOMETRY, ColorResolution, ImageFormat
from genlock.pixels import RgbImage, encode_jpeg, to_rgb
from genlock.preflight.facts import DiskFacts, JpegFacts
from genlock.preflight.machine import Machine

__all__ = ["DISK_TEST_MB", "gather_disk", "gather_jpeg"]

_BLOCK_BYTES = 16 << 20
_LEAST_BYTES = 1 << 20
"""Written even to a disk that is all but full, which then says so."""
DISK_TEST_MB = 512
"""What the test file grows to on a disk that writes it within ``_LONGEST_SEC``."""
_SHARE_OF_FREE = 0.05
_LONGEST_SEC = 2.0
_PREVIEW_PX = (640, 360)
_ROUNDS = 5


def gather_disk(machine: Machine, folder: Path, test_mb: int = DISK_TEST_MB) -> DiskFacts:
    """The disk of a folder, which need not exist yet: its room, and a short test of writing, cleaned up afterwards."""
    place = folder.absolute()
    while not _is_folder(place):
        place = place.parent
    free_bytes = shutil.disk_usage(place).free
    speed_mb_per_sec, error = None, ""
    try:
        if folder.is_file():
            raise NotADirectoryError(f"{folder} is a file; a folder was expected")
        speed_mb_per_sec = _write_speed(place, int(min(test_mb * 1e6, free_bytes * _SHARE_OF_FREE)))
    except OSError as refused:
        error = refused.strerror or str(refused)
    return DiskFacts(
        folder=str(place),
        filesystem=_filesystem(machine, place),
        free_gb=round(free_bytes / 1e9, 2),
        write_mb_per_sec=speed_mb_per_sec,
        write_error=error,
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # below a folder that this user may not look into
        return False


def _write_speed(place: Path, most_bytes: int) -> float:
    """MB/s with the final sync counted; the file is gone before anybody can see it where the system allows that."""
    # A disk that compresses must not look fast.
    most_bytes = max(most_bytes, _LEAST_BYTES)
    block = np.random.default_rng(0).bytes(min(_BLOCK_BYTES, most_bytes))
    with tempfile.TemporaryFile(dir=place, prefix=".genlock-preflight-", buffering=0) as file:
        began_sec = time.perf_counter()
        written_bytes = 0
        while written_bytes < most_bytes and time.perf_counter() - began_sec < _LONGEST_SEC:
            written_bytes += file.write(block)
            os.fsync(file.fileno())
        return round(written_bytes / 1e6 / (time.perf_counter() - began_sec), 1)


def _filesystem(machine: Machine, place: Path) -> str | None:
    """The type of the deepest mount above a folder, ``ext4`` or ``nfs4``."""
    found: tuple[int, str] | None = None
    for line in (machine.read("/proc/mounts") or "").splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        mount = Path(fields[1].replace("\\040", " "))
        depth = len(mount.parts)
        if (place == mount or mount in place.parents) and (found is None or depth >= found[0]):
            found = depth, fields[2]
    return found[1] if found else None


def gather_jpeg(resolutions: Iterable[ColorResolution]) -> JpegFacts:
    """The best of a few tries for each resolution; some tens of milliseconds in all."""
    decode_msec = {}
    for resolution in sorted(set(resolutions)):
        geometry = COLOR_GEOMETRY[resolution]
        width_px, height_px = geometry.width_px, geometry.height_px
        packed = encode_jpeg(_picture(width_px, height_px))
        image = Image(ImageFormat.MJPG, width_px, height_px, packed, 0, 0)
        decode_msec[str(resolution)] = _best_msec(lambda image=image: to_rgb(image))  # type: ignore[misc]  # bound now
    preview = _picture(*_PREVIEW_PX)
    return JpegFacts(decode_msec=decode_msec, encode_preview_msec=_best_msec(lambda: encode_jpeg(preview)))


def _picture(width_px: int, height_px: int) -> RgbImage:
    """Gradients under noise of a few levels: about as many bytes a pixel as a camera's image of a room."""
    noise = np.random.default_rng(0).integers(0, 24, (height_px, width_px, 3), dtype=np.uint8)
    gradient = np.linspace(0, 200, width_px, dtype=np.uint8)[None, :, None]
    return noise + gradient


def _best_msec(act: Callable[[], object]) -> float:
    best_sec = float("inf")
    for _ in range(_ROUNDS):
        began_sec = time.perf_counter()
        act()
        best_sec = min(best_sec, time.perf_counter() - began_sec)
    return round(best_sec * 1e3, 2)
