"""Backends by name. A name is a string until it is asked for, so that nobody pays for a backend that is not used.

Others add theirs as an entry point in the group ``genlock.backends``: ``name = "module:class"``. The class is called
with the rig and the options that the user gave, and must be a ``Backend``.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from genlock.devices.base import Backend
from genlock.errors import BackendUnavailableError, UnknownBackendError
from genlock.rig import Rig

__all__ = ["backend_names", "find_k4a_library", "open_backend"]

_BUILT_IN = {
    "native": "genlock.devices.native:NativeBackend",
    "playback": "genlock.devices.playback:PlaybackBackend",
    "sim": "genlock.devices.sim:SimBackend",
}
_GROUP = "genlock.backends"


def backend_names() -> tuple[str, ...]:
    """The names that ``open_backend`` knows."""
    return tuple(sorted({*_BUILT_IN, *(entry.name for entry in entry_points(group=_GROUP))}))


def open_backend(name: str, rig: Rig, **options: Any) -> Backend:  # Any: each backend has options of its own
    """Opens a backend for a rig; close it, or use it as a context manager.

    Args:
        name: ``sim`` for the virtual rig, ``native`` for real cameras, ``playback`` for a recorded take, or one that
            an entry point adds.
        rig: what the user owns; the virtual rig is built from it, real devices are looked for by its serials.
        options: what this backend understands; see its class.

    Raises:
        UnknownBackendError: nobody has that name.
        BackendUnavailableError: it exists but cannot be loaded on this computer.
    """
    others = {entry.name: entry.value for entry in entry_points(group=_GROUP)}
    target = _BUILT_IN.get(name) or others.get(name)
    if target is None:
        names = backend_names()
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownBackendError(f"no backend is called {name!r}; there are: {', '.join(names)}.{hint}")
    module_name, _, class_name = target.partition(":")
    try:
        backend_class = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise BackendUnavailableError(f"backend {name!r} cannot be loaded from {target}: {error}") from error
    backend: Backend = backend_class(rig, **options)
    return backend


def find_k4a_library(named: Path | None = None) -> Path:
    """Where the user's libk4a is, without loading it; ``named`` is the library or its folder, if one is to be used.

    Raises:
        BackendUnavailableError: there is none; the message names the places looked at.
    """
    found: Path = import_module("genlock.devices.native.search").find_library(named)
    return found
