"""Programs from the package index that nobody here wrote, unmodified, each in an environment of its own.

They see the virtual rig and nothing of genlock. What they record must be judged *good*, and *fail* when a cable was
pulled meanwhile. Run with ``GENLOCK_CLIENTS=1``: the environments are downloaded once (pyk4a 25 MB, pykinect_azure
80 MB, Open3D 150 MB) and kept in the user's cache folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from conformance.engine import virtual_display
from conformance.libraries import LibrariesMissingError
from conformance.virtual_environments import (
    OPEN3D,
    PYK4A,
    PYKINECT_AZURE,
    ClientEnvironment,
    EnvironmentMissingError,
)
from conformance.virtual_runs import DARK, VirtualRuns
from genlock.testing.rigs import serials

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("GENLOCK_CLIENTS"), reason="downloads environments: set GENLOCK_CLIENTS=1 to run it"
    ),
    pytest.mark.timeout(900),
]

CLIENTS = Path(__file__).parent / "virtual_clients"
_PATIENCE_SEC = 240
_PULLED = f"cable_pulled@1s:{serials(2)[1]}=2000"


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[VirtualRuns]:
    try:
        made = VirtualRuns(tmp_path)
    except LibrariesMissingError as error:
        pytest.skip(str(error))
    yield made
    made.end()


def interpreter(environment: ClientEnvironment) -> str:
    try:
        return str(environment.python())
    except EnvironmentMissingError as error:
        pytest.skip(str(error))


def done(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=_PATIENCE_SEC)
    assert process.returncode == 0, out + err
    return out


def verdict(files: Sequence[Path]) -> str:
    command = [sys.executable, "-m", "genlock", "verify", "--json", *map(str, files)]
    judged = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SEC, check=False)
    return str(json.loads(judged.stdout)["verdict"])


def test_pyk4a_finds_what_its_own_tests_expect_of_a_device(runs: VirtualRuns) -> None:
    command = [interpreter(PYK4A), str(CLIENTS / "pyk4a_device.py")]
    assert done(runs.start("pyk4a", command, scenario=None)) == "pyk4a is content\n"


@pytest.mark.parametrize(("faults", "expected"), [((), "good"), ((_PULLED,), "fail")], ids=["sound", "cable pulled"])
def test_pyk4a_records_four_devices(runs: VirtualRuns, tmp_path: Path, faults: Sequence[str], expected: str) -> None:
    command = [interpreter(PYK4A), str(CLIENTS / "pyk4a_records.py"), str(tmp_path), "60"]
    told = json.loads(done(runs.start("four", command, devices=4, faults=faults)))
    assert told == {"serials": serials(4), "captures": [60] * 4, "imu_samples": 240}
    assert verdict([tmp_path / f"{serial}.mkv" for serial in serials(4)]) == expected


def _record_with(
    runs: VirtualRuns, folder: Path, environment: ClientEnvironment, program: str, faults: Sequence[str]
) -> list[Path]:
    """A process for each of two devices: the subordinate, then the master."""
    python = interpreter(environment)
    files = [folder / f"device{index}.mkv" for index in (0, 1)]
    with (
        virtual_display() as display,
        runs.served("pair", 2, scenario=DARK, faults=faults) as rig,
    ):
        recorders = []
        for index, role, delay_usec in ((1, "subordinate", 160), (0, "master", 0)):
            arguments = map(str, (index, role, delay_usec, 50, files[index]))
            recorder = runs.attach(rig, [python, str(CLIENTS / program), *arguments], display)
            recorders.append(recorder)
            assert recorder.stdout is not None
            for line in recorder.stdout:
                if line == "started\n":
                    break
            else:
                done(recorder)
        for recorder in recorders:
            done(recorder)
    return files


@pytest.mark.parametrize(("faults", "expected"), [((), "good"), ((_PULLED,), "fail")], ids=["sound", "cable pulled"])
@pytest.mark.parametrize(
    ("environment", "program"),
    [(OPEN3D, "open3d_records.py"), (PYKINECT_AZURE, "pykinect_azure_records.py")],
    ids=["open3d", "pykinect_azure"],
)
def test_a_client_records_a_master_and_its_subordinate(
    runs: VirtualRuns,
    tmp_path: Path,
    environment: ClientEnvironment,
    program: str,
    faults: Sequence[str],
    expected: str,
) -> None:
    assert verdict(_record_with(runs, tmp_path, environment, program, faults)) == expected
