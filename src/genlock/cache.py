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
    """The folder of this name in genlock's folder in ``GENLOCK_CACHE_DIR``, else in the user's cache. Not made.

    In ``GENLOCK_CACHE_DIR`` too it is a folder of genlock's own: a user may name one that holds other things.
    """
    named = os.environ.get(CACHE_VARIABLE) or os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "genlock" / name
