"""Where genlock keeps what it can make again: the virtual libk4a's compiled library, the virtual rig's images.

Nothing that cannot be made again lies there; anybody may delete any of it at any time.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CACHE_VARIABLE", "cache_folder"]

CACHE_VARIABLE = "GENLOCK_CACHE_DIR"
"""The environment variable that names another folder than the user's cache."""


def cache_folder(name: str) -> Path:
    """The folder of this name in the cache: ``GENLOCK_CACHE_DIR``, else ``genlock`` in the user's cache. Not made."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genlock" / name
