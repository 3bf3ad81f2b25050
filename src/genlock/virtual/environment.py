"""What makes a program find the virtual libk4a: variables of the dynamic loader, and genlock's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from genlock.virtual.build import DEVICE_LIBRARY, STANDARD_NAME

__all__ = ["ADDRESS_VARIABLE", "program_environment"]

ADDRESS_VARIABLE = "GENLOCK_VIRTUAL"
"""The rig's socket; ``csrc/control.c`` reads it."""


def program_environment(library: Path, address: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables to add to a program's environment.

    Args:
        library: the folder that ``build_library`` made.
        address: the rig's socket.
        environment: instead of ``os.environ``: what the program would have had.
    """
    environment = os.environ if environment is None else environment
    return {
        ADDRESS_VARIABLE: str(address),
        # Whoever looks for libk4a by its name finds ours.
        "LD_LIBRARY_PATH": _before(library, environment.get("LD_LIBRARY_PATH")),
        # Whoever knows where his is, as a wheel with an RPATH does, gets our device functions all the same.
        "LD_PRELOAD": _before(library / DEVICE_LIBRARY, environment.get("LD_PRELOAD")),
        # genlock's own native backend is told by path.
        "GENLOCK_K4A_LIBRARY": str(library / STANDARD_NAME),
    }


def _before(first: Path, rest: str | None) -> str:
    return f"{first}:{rest}" if rest else str(first)
