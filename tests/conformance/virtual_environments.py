"""Environments of programs nobody here wrote: made from the package index when needed, kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OPEN3D", "PYK4A", "PYKINECT_AZURE", "ClientEnvironment", "EnvironmentMissingError"]


class EnvironmentMissingError(Exception):
    """An environment cannot be made here; the message says why."""


@dataclass(frozen=True)
class ClientEnvironment:
    """What one program needs."""

    name: str
    requirements: tuple[str, ...]
    pythons: tuple[str, ...]
    """Versions for which there are wheels."""

    def python(self) -> Path:
        """Its interpreter; makes the environment if it is not there."""
        base = self._base()
        key = hashlib.sha256(repr((self.requirements, base)).encode()).hexdigest()[:12]
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genlock" / "clients"
        folder = cache / f"{self.name}-{key}"
        if not folder.is_dir():
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                made = Path(scratch) / "made"
                _run([base, "-m", "venv", str(made)])
                # Wheels only: nothing is compiled, and nothing is found that was not meant.
                _run(
                    [str(made / "bin/python"), "-m", "pip", "install", "-q", "--only-binary=:all:", *self.requirements]
                )
                try:
                    made.rename(folder)
                except OSError:
                    if not folder.is_dir():  # else another process was faster
                        raise
        return folder / "bin" / "python"

    def _base(self) -> str:
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        if own in self.pythons:
            return sys.executable
        for version in self.pythons:
            found = shutil.which(f"python{version}")
            if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
                return found
        raise EnvironmentMissingError(f"{self.name} needs Python {' or '.join(self.pythons)}; this is {own}")


PYK4A = ClientEnvironment("pyk4a", ("pyk4a-bundle==1.5.0", "numpy<2"), ("3.11", "3.12"))
OPEN3D = ClientEnvironment("open3d", ("open3d-cpu>=0.18",), ("3.11", "3.12", "3.13"))
PYKINECT_AZURE = ClientEnvironment(
    "pykinect-azure", ("pykinect_azure==0.0.4", "numpy<2", "opencv-python<4.12"), ("3.11", "3.12")
)


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        reason = ran.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise EnvironmentMissingError(f"{' '.join(command[:4])} … failed: {reason[0]}")
