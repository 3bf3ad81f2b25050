"""How facts are read: files below a root, commands, a clock. Tests hand in another root and other answers."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine", "this_machine"]

_COMMAND_TIMEOUT_SEC = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A computer to be looked at."""

    root: Path
    """What ``/`` is."""
    system: str
    """``platform.system()``."""
    is_superuser: bool
    environment: Mapping[str, str]
    run: Callable[[Sequence[str], str], str | None]
    """Runs a command with this text on its standard input; what it printed, ``None`` where it failed or is missing."""
    may_write: Callable[[Path], bool]
    """Whether this user may write to a file."""

    @property
    def is_linux(self) -> bool:
        """Whether ``/sys`` and ``/proc`` can be expected."""
        return self.system == "Linux"

    def path(self, place: str) -> Path:
        """Where ``/place`` lies."""
        return self.root / place.lstrip("/")

    def read(self, place: str | Path) -> str | None:
        """The text of a file without the blanks around it; ``None`` where it cannot be read.

        Args:
            place: an absolute path on the machine, or a path that ``path`` or ``entries`` gave.
        """
        path = self.path(place) if isinstance(place, str) else place
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def number(self, place: str | Path) -> int | None:
        """The whole number that a file holds; ``None`` where there is none."""
        text = self.read(place)
        try:
            return None if text is None else int(text)
        except ValueError:
            return None

    def entries(self, place: str, pattern: str = "*") -> list[Path] | None:
        """What lies in a folder, sorted; ``None`` where there is no such folder."""
        folder = self.path(place)
        return sorted(folder.glob(pattern)) if folder.is_dir() else None


def this_machine() -> Machine:
    """The computer that this runs on."""
    return Machine(
        root=Path("/"),
        system=platform.system(),
        is_superuser=hasattr(os, "geteuid") and os.geteuid() == 0,
        environment=dict(os.environ),
        run=_run,
        may_write=lambda path: os.access(path, os.W_OK),
    )


def _run(command: Sequence[str], text: str) -> str | None:
    try:
        done = subprocess.run(
            list(command),
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMMAND_TIMEOUT_SEC,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
