"""The C library, made on the user's computer: with its C compiler, else with ``ziglang`` from the package index.

What is built lies in the user's cache, in a folder named for the sources and for the libk4a that it stands in front of:

====================================  ================================================================================
``libgenlock-k4a-device.so``          the device functions, and nothing else (``LD_PRELOAD``)
``libk4a.so.1.4`` and other names     an empty library that needs the one above and the real libk4a, in this order:
                                      whoever loads it by name finds all of libk4a's functions, these first
``libk4arecord.so.1.4``, …            links to the real recorder, where it lies beside the real libk4a
``libgenlock-producer.so``            the server's end
====================================  ================================================================================
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from genlock.cache import CACHE_VARIABLE, cache_folder
from genlock.errors import BackendUnavailableError

__all__ = ["DEVICE_LIBRARY", "PRODUCER_LIBRARY", "STANDARD_NAME", "build_library", "find_compiler", "require_linux"]

DEVICE_LIBRARY = "libgenlock-k4a-device.so"
PRODUCER_LIBRARY = "libgenlock-producer.so"
STANDARD_NAME = "libk4a.so.1.4"
"""What the real library calls itself."""

_SOURCES = Path(__file__).parent / "csrc"
_CLIENT_SOURCES = ("k4a_device.c", "device.c", "stream.c", "control.c", "real.c", "loader.c")
_FLAGS = ("-std=c11", "-O2", "-g", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Werror")
_OTHER_NAMES = ("libk4a.so", "k4a.so")
"""The second is how the Python package k4a asks for it."""


def find_compiler(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The command of a C compiler: ``CC``, else cc, gcc or clang, else ziglang.

    Raises:
        BackendUnavailableError: there is none.
    """
    environment = os.environ if environment is None else environment
    named = environment.get("CC")
    if named:
        return tuple(shlex.split(named))
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name, path=environment.get("PATH"))
        if found:
            return (found,)
    if importlib.util.find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang", "cc")
    raise BackendUnavailableError(
        "the virtual libk4a is made with a C compiler, and there is none (looked for: CC, cc, gcc, clang, the Python "
        "package ziglang). Install one: apt-get install gcc libc6-dev, or pip install ziglang"
    )


def require_linux() -> None:
    """Raises ``BackendUnavailableError`` on any other system."""
    platform_name: str = sys.platform  # a plain text: mypy knows on what it runs itself
    if platform_name != "linux":
        raise BackendUnavailableError(f"the virtual libk4a needs Linux's shared libraries; this is {platform_name}")


def build_library(real: Path, *, cache: Path | None = None, flags: Sequence[str] = ()) -> Path:
    """The folder with the built library in front of this libk4a; builds it unless it is there.

    Args:
        real: Microsoft's libk4a.
        cache: where built libraries are kept; by default the user's cache folder.
        flags: more for the compiler, such as ``-fsanitize=address``.

    Raises:
        BackendUnavailableError: not on Linux, no compiler, or the compiler fails (the message holds what it said); or
            the library is one that was built here.
    """
    require_linux()
    real = real.resolve()
    if (real.parent / DEVICE_LIBRARY).exists():
        raise BackendUnavailableError(
            f"{real} is the virtual libk4a itself: this runs inside genlock virtual already. Run it outside, or let "
            "GENLOCK_K4A_LIBRARY name Microsoft's library"
        )
    root = cache or cache_folder("virtual")
    if set(" :;") & set(str(root)):
        raise BackendUnavailableError(
            f"the loader takes no library from {root}, whose name has a space, a colon or a semicolon: let "
            f"{CACHE_VARIABLE} name another folder"
        )
    folder = root / _key(real, flags)
    if not folder.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            _make(made, real, find_compiler(), flags)
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster
                    raise
    return folder


def _key(real: Path, flags: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for source in sorted(_SOURCES.iterdir()):
        digest.update(source.read_bytes())
    digest.update("\0".join([str(real), platform.machine(), *_FLAGS, *flags, *_names_of(real)]).encode())
    return digest.hexdigest()[:16]


def _make(folder: Path, real: Path, compiler: Sequence[str], flags: Sequence[str]) -> None:
    def compile_library(name: str, *arguments: str) -> None:
        command = [*compiler, *_FLAGS, *flags, "-shared", *arguments, "-o", str(folder / name)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise BackendUnavailableError(
                f"the virtual libk4a cannot be made: {shlex.join(command)} failed:\n{ran.stderr.strip()}"
            )

    sources = [str(_SOURCES / name) for name in _CLIENT_SOURCES]
    compile_library(DEVICE_LIBRARY, "-fvisibility=hidden", f"-Wl,-soname,{DEVICE_LIBRARY}", *sources, "-ldl")
    compile_library(PRODUCER_LIBRARY, str(_SOURCES / "producer.c"))
    empty = folder / "empty.c"
    empty.write_text("typedef int iso_c_wants_something_in_a_file;\n", encoding="ascii")
    # The linker notes what a library calls itself. One that calls itself by the real library's path makes the loader
    # take exactly that file, whatever its own name is and whatever else lies on the search path.
    compile_library("stand-in.so", f"-Wl,-soname,{real}", str(empty))
    compile_library(
        STANDARD_NAME,
        f"-Wl,-soname,{STANDARD_NAME}",
        "-Wl,-rpath,$ORIGIN",
        "-Wl,--disable-new-dtags",
        "-Wl,--no-as-needed",
        str(empty),
        str(folder / DEVICE_LIBRARY),
        str(folder / "stand-in.so"),
    )
    empty.unlink()
    (folder / "stand-in.so").unlink()
    for name in _names_of(real):
        (folder / name).symlink_to(STANDARD_NAME)
    for name, target in _recorder_links(real):
        (folder / name).symlink_to(target)


def _names_of(real: Path) -> list[str]:
    """By what names clients look for this libk4a, besides the standard one."""
    names = {*_OTHER_NAMES, real.name, *(f"libk4a.so.{version}" for version in _versions(real))}
    return sorted(names - {STANDARD_NAME})


def _recorder_links(real: Path) -> Iterator[tuple[str, Path]]:
    """libk4arecord beside the real libk4a, by all of its names: programs want both or none."""
    recorders = sorted(real.parent.glob("libk4arecord*.so*"), key=lambda path: len(path.name))
    if recorders:
        target = recorders[-1].resolve()
        versions = [".1.4", *(f".{version}" for version in _versions(target))]
        for name in sorted({"libk4arecord.so", target.name, *(f"libk4arecord.so{version}" for version in versions)}):
            yield name, target


def _versions(library: Path) -> list[str]:
    match = re.search(r"\.so\.(\d+(?:\.\d+)*)$", library.name)
    return [match[1]] if match else []
