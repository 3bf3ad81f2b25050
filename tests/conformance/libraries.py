"""Where Microsoft's libk4a and libk4arecord are: in a folder that was named, in the cache, or fetched once."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

__all__ = ["LibrariesMissingError", "find_libraries"]

_WHEEL = "pyk4a-bundle==1.5.0"
_WHEEL_FOLDER = "pyk4a_bundle.libs/"


class LibrariesMissingError(Exception):
    """The libraries cannot be had here; the message says why."""


def find_libraries() -> Path:
    """The folder with both libraries: what ``GENLOCK_SDK_LIBRARIES`` names, else a cache that is filled on demand."""
    named = os.environ.get("GENLOCK_SDK_LIBRARIES")
    if named:
        return Path(named)
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise LibrariesMissingError(
            f"Microsoft's libraries come in a Linux x86_64 wheel; this is {sys.platform} {platform.machine()}"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genlock" / "sdk-libraries-1.5.0"
    if not cache.is_dir():
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent) as scratch:
            _fetch(cache, Path(scratch))
    return cache


def _fetch(cache: Path, scratch: Path) -> None:
    # By Python version and platform, not by what runs here: only the C libraries inside are used.
    wanted = ["--python-version", "3.11", "--platform", "manylinux_2_35_x86_64", "--only-binary", ":all:", "--no-deps"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *wanted, "--dest", str(scratch), _WHEEL]
    fetched = subprocess.run(command, capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        reason = fetched.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise LibrariesMissingError(
            f"{_WHEEL} cannot be fetched ({reason[0]}); GENLOCK_SDK_LIBRARIES may name a folder that has the libraries"
        )
    unpacked = scratch / "libraries"
    unpacked.mkdir()
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        for name in wheel.namelist():
            if name.startswith(_WHEEL_FOLDER) and not name.endswith("/"):
                (unpacked / Path(name).name).write_bytes(wheel.read(name))
    try:
        unpacked.rename(cache)
    except OSError:
        if not cache.is_dir():  # else another process was faster
            raise
