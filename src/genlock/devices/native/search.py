"""Where the user's libk4a is. genlock brings none along: its depth engine may not be passed on.

Searched in this order; the first place that has a library wins, and a place that the user named has to have it:

1. the argument; 2. ``GENLOCK_K4A_LIBRARY``: the library, or a folder that holds it;
3. where programs find their libraries: ``LD_LIBRARY_PATH`` and the loader's cache, on Windows ``PATH``;
4. where Microsoft's installers put them;
5. an installed ``pyk4a-bundle`` (``pip install 'genlock[sdk]'``), of which only the libraries are used.

Looking loads nothing and changes nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from genlock.errors import BackendUnavailableError

__all__ = ["LIBRARY_VARIABLE", "find_library", "library_version"]

LIBRARY_VARIABLE = "GENLOCK_K4A_LIBRARY"
_WHEEL = "pyk4a-bundle"
# Debian's packages of the SDK, a build's `make install`, and the ARM build of newer packages.
_LINUX_FOLDERS = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/local/lib",
    "usr/lib64",
    "usr/lib",
    "opt/k4a/lib",
)
_WINDOWS_FOLDER = "Azure Kinect SDK v*/sdk/windows-desktop/amd64/release/bin"


def find_library(
    named: Path | str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    platform: str = sys.platform,
    root: Path = Path("/"),
    wheel_files: Callable[[], Iterable[Path]] | None = None,
) -> Path:
    """The path of the libk4a to use.

    Args:
        named: the library, or a folder that holds it; nothing else is looked at then.
        environment: instead of ``os.environ``.
        platform: as ``sys.platform``.
        root: under which the installers' folders of Linux are looked for.
        wheel_files: the files of an installed ``pyk4a-bundle``; by default those that it says it has.

    Raises:
        BackendUnavailableError: there is none; the message names every place that was looked at, in one line.
    """
    environment = os.environ if environment is None else environment
    for name, what in ((named, "the library argument"), (environment.get(LIBRARY_VARIABLE), LIBRARY_VARIABLE)):
        if name:
            return _named(Path(name), what, platform)
    looked_at = []
    for place, files in _places(environment, platform, root, wheel_files or _files_of_wheel):
        looked_at.append(place)
        found = _libraries_among(files, platform)
        if found:
            return found[0]
    raise BackendUnavailableError(
        f"libk4a, the Azure Kinect SDK's library, was not found. Looked at: {LIBRARY_VARIABLE} (not set); "
        f"{'; '.join(looked_at)}. Install Microsoft's Azure Kinect SDK 1.4, or pip install 'genlock[sdk]', or name the "
        f"library: {LIBRARY_VARIABLE}, on a command line --k4a-library"
    )


def library_version(path: Path) -> tuple[int, ...] | None:
    """The version that a library's name or its installer's folder tells; ``None`` where neither does.

    >>> library_version(Path("/usr/lib/x86_64-linux-gnu/libk4a.so.1.4.1"))
    (1, 4, 1)
    """
    real = path.resolve()
    match = re.search(r"\.so\.(\d+(?:\.\d+)*)$", real.name) or re.search(
        r"Azure Kinect SDK v(\d+(?:\.\d+)+)", str(real)
    )
    return tuple(int(number) for number in match[1].split(".")) if match else None


def _named(path: Path, what: str, platform: str) -> Path:
    try:
        if path.is_file():
            return path
        found = _libraries_among(path.iterdir(), platform) if path.is_dir() else []
        problem = "holds no libk4a" if path.is_dir() else "does not exist"
    except OSError as error:
        found, problem = [], f"cannot be read ({error.strerror or error})"
    if not found:
        raise BackendUnavailableError(f"{what} names {path}, which {problem}: name libk4a itself, or its folder")
    return found[0]


def _libraries_among(files: Iterable[Path], platform: str) -> list[Path]:
    """Those files that are a libk4a, the newest first. Wheels put a digest into the name; libk4arecord is another."""
    pattern = r"k4a(-[0-9a-f]+)?\.dll" if platform == "win32" else r"libk4a(-[0-9a-f]+)?\.so(\.\d+)*"
    found = [path for path in files if re.fullmatch(pattern, path.name) and path.is_file()]
    return sorted(found, key=lambda path: library_version(path) or (), reverse=True)


def _places(
    environment: Mapping[str, str], platform: str, root: Path, wheel_files: Callable[[], Iterable[Path]]
) -> Iterator[tuple[str, Iterable[Path]]]:
    """Every place with its files, in order; a place is looked at when its turn has come."""
    if platform == "win32":
        yield "PATH", _files_in(_listed(environment.get("PATH", ""), os.pathsep))
        programs = Path(environment.get("ProgramFiles", r"C:\Program Files"))
        yield f"{programs / _WINDOWS_FOLDER}", _files_in(sorted(programs.glob(_WINDOWS_FOLDER), reverse=True))
    else:
        yield "LD_LIBRARY_PATH", _files_in(_listed(environment.get("LD_LIBRARY_PATH", ""), ":"))
        yield "the loader's cache (ldconfig -p)", _loader_cache(root)
        installed = [root / folder for folder in _LINUX_FOLDERS]
        yield ", ".join(map(str, installed)), _files_in(installed)
    yield f"the package {_WHEEL}", wheel_files()


def _listed(text: str, separator: str) -> Iterator[Path]:
    """The folders of a search path; an empty entry, the current folder for a shell, is none."""
    return (Path(folder) for folder in text.split(separator) if folder)


def _files_in(folders: Iterable[Path]) -> Iterator[Path]:
    """What lies in those folders that are there and may be read."""
    for folder in folders:
        with suppress(OSError):
            yield from list(folder.iterdir())


def _files_of_wheel() -> list[Path]:
    try:
        files = distribution(_WHEEL).files or []
    except PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files]


def _loader_cache(root: Path) -> list[Path]:
    ldconfig = root / "sbin" / "ldconfig"
    if not ldconfig.is_file():
        return []
    listed = subprocess.run([str(ldconfig), "-p"], capture_output=True, text=True, check=False).stdout
    return [Path(line.rpartition(" => ")[2]) for line in listed.splitlines() if "libk4a" in line]
