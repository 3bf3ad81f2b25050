"""``genlock devices``: as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genlock.testing.rigs import chain_rig, rig_toml
from support.virtual_rig import client_environment, running_rig


def genlock(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "genlock", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(environment or {})},
        check=False,
    )


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(rig_toml(2))
    return path


def test_the_devices_of_the_virtual_rig_are_listed_like_real_ones(rig_file: Path):
    with running_rig(chain_rig(3)) as virtual:
        environment = dict(client_environment(virtual))
        listed = genlock("devices", environment=environment)
        compared = genlock("devices", rig_file, "--json", environment=environment)
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert lines[0].startswith("3 devices on ")
    assert lines[1].split() == "000000000001 color 1.6.110, depth 1.6.80 plugs: Sync Out".split()
    assert lines[2].endswith("plugs: Sync In and Sync Out")
    assert compared.returncode == 0
    answer = json.loads(compared.stdout)
    assert [device["serial"] for device in answer["devices"]] == ["000000000001", "000000000002", "000000000003"]
    assert [finding["code"] for finding in answer["findings"]] == ["devices.unlisted"]


def test_a_device_of_the_rig_that_is_not_there_is_named(rig_file: Path):
    with running_rig(chain_rig(1)) as virtual:
        done = genlock("devices", rig_file, environment=dict(client_environment(virtual)))
    assert done.returncode == 1
    assert "device 000000000002: the rig has it; there are: 000000000001" in done.stdout


def test_the_simulators_devices_are_listed_by_name(rig_file: Path):
    done = genlock("devices", rig_file, "--backend", "sim")
    assert (done.returncode, done.stdout.count("color 1.6.110")) == (0, 2)
    assert genlock("devices", "--backend", "sim").returncode == 2  # whose?


def test_a_library_that_is_missing_is_told_in_one_line_and_is_the_hosts_failure(tmp_path: Path):
    missing = {"GENLOCK_K4A_LIBRARY": str(tmp_path / "libk4a.so")}
    done = genlock("devices", environment=missing)
    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"GENLOCK_K4A_LIBRARY names {missing['GENLOCK_K4A_LIBRARY']}, which does not exist" in done.stderr
    answer = json.loads(genlock("devices", "--json", environment=missing).stdout)
    assert answer["error"]["kind"] == "backend_unavailable"
