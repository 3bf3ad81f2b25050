"""The walk with ``--backend native``: the verbs of the virtual rig, unchanged, through Microsoft's C interface."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genlock.testing.rigs import rig_toml
from support.virtual_rig import libk4a

LAST = "000000000003"


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(rig_toml(3))
    (tmp_path / "dark.toml").write_text('scene = "dark"\n')
    return path


def on_virtual_rig(rig_file: Path, *command: object, fault: str | None = None) -> tuple[int, dict[str, Any]]:
    """Runs a verb as the program of ``genlock virtual``; its exit status and its JSON object."""
    faults = ["--fault", fault] if fault else []
    done = subprocess.run(
        [
            *(sys.executable, "-m", "genlock", "virtual", rig_file, "--scenario", rig_file.with_name("dark.toml")),
            *(*faults, "--", sys.executable, "-m", "genlock", *command, "--backend", "native", "--json"),
        ],
        env={**os.environ, "GENLOCK_K4A_LIBRARY": str(libk4a())},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stderr
    return done.returncode, json.loads(done.stdout)


def verify(take: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "genlock", "verify", str(take), "--json"], capture_output=True, text=True, check=False
    )
    return dict(json.loads(done.stdout))


def test_a_take_is_recorded_and_verifies_and_is_called_simulated(rig_file: Path, tmp_path: Path):
    """Offsets are exact whatever the machine is busy with; captures that it was too slow for may be missing."""
    take = tmp_path / "take"
    status, answer = on_virtual_rig(rig_file, "record", rig_file, "-o", take, "--seconds", "2")
    assert (status, answer["state"]) == (0, "COMPLETED"), answer
    report = verify(take)
    assert report["is_simulated"]
    assert {device["serial"] for device in report["devices"]} == {f"{n:012d}" for n in (1, 2, 3)}
    assert "verify.offset_error" not in {finding["code"] for finding in report["findings"]}
    assert report["start_order"] == "right"


def test_a_camera_that_is_unplugged_ends_its_own_part_of_the_take_and_no_more(rig_file: Path, tmp_path: Path):
    fault = f"usb_unplugged@1s:{LAST}"
    status, answer = on_virtual_rig(
        rig_file, "record", rig_file, "-o", tmp_path / "take", "--seconds", "2", fault=fault
    )
    assert status == 1
    assert [f["where"] for f in answer["findings"] if f["code"] == "session.device_lost"] == [f"device {LAST}"]
    captures = {device["serial"]: device["captures"] for device in answer["devices"]}
    assert captures[LAST] < min(count for serial, count in captures.items() if serial != LAST)


def test_a_dead_port_is_found_by_check_wiring(rig_file: Path):
    """The plug sits in its jack: only the missing pulse tells."""
    status, answer = on_virtual_rig(rig_file, "check-wiring", rig_file, fault=f"dead_port:{LAST}")
    assert status == 1
    assert [test["state"] for test in answer["tests"]] == ["works", "no_pulse"]
    assert "session.wiring_no_pulse" in {finding["code"] for finding in answer["findings"]}
