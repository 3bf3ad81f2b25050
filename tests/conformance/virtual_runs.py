"""Programs under ``genlock virtual``, each in processes of their own, as users start them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from conformance.libraries import find_libraries
from genlock.testing.rigs import rig_toml

__all__ = ["DARK", "LIVE", "SUITE", "TESTS", "VirtualRuns", "suite_command"]

TESTS = Path(__file__).parents[1]
SUITE = Path(__file__).parent / "virtual_suite"
_PLANTED = Path(__file__).parent / "virtual_planted.py"

DARK = 'scene = "dark"\n[timing]\nexposures_share = "center"\n'
"""Black images cost nothing: for whoever looks at times alone. What exposures share is as without a scenario."""
LIVE = 'scene = "empty_room"\n'
"""Images of their true moments, made while they are waited for: for low rates."""


def suite_command(file: str, selection: str = "") -> list[str]:
    """A pytest of its own over one file of the suite."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", str(SUITE / file)]
    return [*command, "-k", selection] if selection else command


class VirtualRuns:
    """Starts rigs and programs in a folder; ends at the end whatever still runs.

    Args:
        folder: for rig and scenario files; one rig a name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[str]] = []
        self._environment = {
            **os.environ,
            "GENLOCK_K4A_LIBRARY": str(find_libraries()),
            "NO_COLOR": "1",
        }

    def rig_file(self, name: str, devices: int, capture: Mapping[str, object] | None = None) -> Path:
        """A chain of that many devices, written."""
        path = self._folder / f"{name}.toml"
        path.write_text(rig_toml(devices, capture), encoding="utf-8")
        return path

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        devices: int = 2,
        scenario: str | None = DARK,
        faults: Sequence[str] = (),
        planted: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """``genlock virtual RIG -- COMMAND`` on a rig of its own; a planted fault changes the server itself."""
        rig = self.rig_file(name, devices)
        return self._genlock(
            ["virtual", str(rig), *self._circumstances(name, scenario, faults), "--", *command],
            planted=planted,
            environment={"SUITE_DEVICES": str(devices), **(environment or {})},
        )

    def attach(
        self, rig: Path, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """One more program on a rig that ``served`` keeps alive."""
        return self._genlock(["virtual", str(rig), "--attach", "--", *command], environment=environment or {})

    @contextmanager
    def served(
        self, name: str, devices: int, *, scenario: str | None = DARK, faults: Sequence[str] = ()
    ) -> Iterator[Path]:
        """``genlock virtual RIG --serve`` while entered; gives the rig file."""
        rig = self.rig_file(name, devices)
        server = self._genlock(["virtual", str(rig), "--serve", *self._circumstances(name, scenario, faults)])
        assert server.stderr is not None
        try:
            first = server.stderr.readline()
            assert "serving" in first, first
            yield rig
        finally:
            server.terminate()
            server.communicate(timeout=30)

    def end(self) -> None:
        """Ends what still runs."""
        for process in self._running:
            if process.poll() is None:
                process.terminate()
        for process in self._running:
            process.communicate(timeout=30)

    def _circumstances(self, name: str, scenario: str | None, faults: Sequence[str]) -> list[str]:
        options = []
        if scenario is not None:
            path = self._folder / f"{name}-scenario.toml"
            path.write_text(scenario, encoding="utf-8")
            options += ["--scenario", str(path)]
        for fault in faults:
            options += ["--fault", fault]
        return options

    def _genlock(
        self, arguments: Sequence[str], *, planted: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        start = [sys.executable, str(_PLANTED), planted] if planted else [sys.executable, "-m", "genlock"]
        process = subprocess.Popen(
            [*start, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=TESTS.parent,
            env={**self._environment, **(environment or {})},
        )
        self._running.append(process)
        return process
