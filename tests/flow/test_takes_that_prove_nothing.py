"""Files that must not be called good, however well their stamps agree."""

import json
from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.plan import make_plan
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.verify import Verdict
from genlock.workflows.record import record_take
from genlock.workflows.verify import verify_files, verify_session

SMALL = {"color_resolution": "OFF"}
"""Subordinates without color are quick to simulate."""


def record(folder: Path, seconds: float = 1.6, **options: object) -> Path:
    subordinate = {"000000000002": SMALL}
    toml = rig_toml(2, per_device=subordinate)
    rig = parse_rig(toml)
    with open_backend("sim", rig) as backend:
        record_take(make_plan(rig), backend, folder, rig_toml=toml, seconds=seconds, **options)  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("takes")
    return record(folder / "a"), record(folder / "b")


def recording_of(take: Path, number: int) -> Path:
    return take / "devices" / f"{number:012d}" / "e01-p001.mkv"


def test_a_depth_only_subordinate_verifies_as_good(takes: tuple[Path, Path]):
    report = verify_session(takes[0])
    assert report.verdict is Verdict.GOOD, report.reason


def test_files_of_two_takes_are_not_judged_together(takes: tuple[Path, Path]):
    first, second = takes
    report = verify_files([recording_of(first, 1), recording_of(second, 2)])
    assert report.verdict is Verdict.NOT_JUDGED
    assert "verify.different_sessions" in {finding.code for finding in report.findings}
    assert verify_files([recording_of(first, 1), recording_of(first, 2)]).verdict is Verdict.GOOD  # the control


def test_a_take_cancelled_before_its_first_captures_is_not_judged(tmp_path: Path):
    take = record(tmp_path / "take", is_cancelled=lambda: True)
    assert json.loads((take / "session.json").read_text())["state"] == "CANCELLED"
    report = verify_session(take)
    assert report.verdict is Verdict.NOT_JUDGED


def test_a_damaged_log_is_passed_over(takes: tuple[Path, Path]):
    log = takes[1] / "log.jsonl"
    log.write_bytes(log.read_bytes() + b'\xff\xfe\n{"event": "device_started"}\n[]\n{torn')
    assert verify_session(takes[1]).verdict is Verdict.GOOD
