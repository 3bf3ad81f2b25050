"""``genlock preflight`` as its users run it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from genlock.testing.rigs import rig_toml


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(rig_toml(2))
    return path


def test_it_prints_one_object_with_facts_devices_and_findings(genlock: Callable, rig: Path, tmp_path: Path):
    done = genlock("preflight", rig, "--backend", "sim", "--target", tmp_path / "takes", "--json")
    answer = done.json
    assert done.status == (0 if answer["is_ready"] else 1)
    assert answer["is_ready"] == ("error" not in {f["severity"] for f in answer["findings"]})
    assert [device["serial"] for device in answer["devices"]["asked"]] == ["000000000001", "000000000002"]
    assert answer["facts"]["disk"]["folder"] == str(tmp_path)
    assert answer["facts"]["disk"]["write_mb_per_sec"] > 0
    assert not list(tmp_path.glob(".genlock*"))


def test_it_tells_a_person_what_it_could_not_check(genlock: Callable, rig: Path):
    done = genlock("preflight", rig, "--seconds", "1")
    assert done.status in (0, 1)
    assert "READY" in done.out
    assert "not checked: no backend named" in done.out


def test_a_repair_that_would_have_to_ask_is_refused_for_scripts(genlock: Callable, rig: Path):
    done = genlock("preflight", rig, "--fix", "--json")
    assert done.status == 2
    assert "--yes" in done.json["error"]["message"]
