"""Microsoft's library and the closed depth engine that it loads by name when depth is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from genlock.errors import BackendUnavailableError
from genlock.preflight.facts import SdkFacts
from genlock.preflight.machine import Machine

__all__ = ["gather_sdk"]

_ENGINES = ("libdepthengine*.so*", "depthengine_2_0.dll")
_UNDER_VIRTUAL = "GENLOCK_VIRTUAL"
"""The variable that tells a program where its virtual rig is."""
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/local/lib", "/usr/lib64")


def gather_sdk(machine: Machine, find_library: Callable[[], Path]) -> SdkFacts:
    """Where both are. Nothing is loaded.

    Args:
        machine: whose folders are looked at.
        find_library: finds libk4a; raises ``BackendUnavailableError`` with what it looked at.
    """
    try:
        library = find_library()
    except BackendUnavailableError as error:
        return SdkFacts(library=None, depth_engine=None, looked_for=str(error))
    folders = list(dict.fromkeys(_folders(machine, library)))
    engines = (path for folder in folders for name in _ENGINES for path in sorted(folder.glob(name)))
    engine = next(engines, None)
    return SdkFacts(
        library=str(library),
        depth_engine=None if engine is None else str(engine),
        looked_for=f"looked in {', '.join(map(str, folders))}",
        is_virtual=_UNDER_VIRTUAL in machine.environment,
    )


def _folders(machine: Machine, library: Path) -> Iterator[Path]:
    yield library.parent
    yield library.resolve().parent
    yield from (Path(f) for f in machine.environment.get("LD_LIBRARY_PATH", "").split(":") if f and machine.is_linux)
    yield from (machine.path(folder) for folder in _FOLDERS)
