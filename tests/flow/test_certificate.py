"""What a certificate says beyond times: files, pictures, the takes of a day; and how it stands to the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.devices.scenario import Scenario, SceneName, parse_fault
from genlock.plan import make_plan
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.verify import Report, report_html
from genlock.workflows.compare import compare_takes, write_comparison
from genlock.workflows.record import record_take
from genlock.workflows.simulate import truth_path
from genlock.workflows.verify import Depth, verify_path, verify_session

FIRST, SECOND = "000000000002", "000000000003"
TRUTH_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "truth-file.md"


def record(folder: Path, *faults: str, seconds: float = 4.0, scene: SceneName = SceneName.DARK) -> Path:
    toml = rig_toml(3)
    rig = parse_rig(toml)
    scenario = Scenario(scene=scene, seed=5, faults=tuple(map(parse_fault, faults)))
    with open_backend("sim", rig, scenario=scenario) as backend:
        record_take(make_plan(rig), backend, folder, rig_toml=toml, seconds=seconds)
    return folder


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("day") / "take")


def test_a_plain_look_says_that_digests_were_not_checked(take: Path):
    report = verify_path([take])
    assert not report.are_files_checked
    assert {file.is_intact for file in report.files} == {None}
    assert all(file.digest for file in report.files)
    assert "was not checked (--files does it)" in report.to_text()
    page = report_html(report)
    assert "not checked" in page and all(str(file.digest) in page for file in report.files)
    assert report.to_json()["are_files_checked"] is False


def test_reading_every_byte_says_so_and_finds_the_flipped_one(take: Path):
    report = verify_path([take], Depth(files=True))
    assert report.are_files_checked and "all as written" in report.to_text()
    path = take / report.files[1].name
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    try:
        report = verify_path([take], Depth(files=True))
    finally:
        path.write_bytes(whole)
    assert [file.is_intact for file in report.files] == [True, False, True]
    assert "1 changed" in report.to_text()


def test_without_a_look_at_pictures_the_report_says_so(take: Path):
    assert verify_path([take], Depth(pictures=False)).pictures is None
    assert "not looked at" in verify_path([take], Depth(pictures=False)).to_text()
    assert (verify_path([take]).pictures or 0) >= 3 * 10


def test_the_days_takes_stand_on_one_page_that_loads_nothing(take: Path, tmp_path: Path):
    worse = record(tmp_path / "worse", f"random_drops:{FIRST}=0.2")
    comparison = compare_takes([worse, take, tmp_path / "nothing"])
    files = write_comparison(comparison, tmp_path / "out")
    page = files.html.read_text(encoding="utf-8")
    assert "<script" not in page and not re.search(r'(?:src|href)="', page) and "url(" not in page
    assert page.index("<h1") < page.index(">take<") < page.index("<table")  # the best is named first
    assert "cannot be opened" in page
    assert json.loads(files.json.read_text())["best"] == str(take)


def keys_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in ("firmware", "timing", "T_stage_depth", "T_stage_color"):
                yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_a_certificate_can_be_judged_by_the_truth_beside_the_session(tmp_path: Path):
    folder = record(tmp_path / "take", f"cable_pulled@1.5s:{SECOND}=60", f"starts_late:{FIRST}=1.2", seconds=5.0)
    truth = json.loads(truth_path(folder).read_text())
    documented = set(re.findall(r"^\| `(\w+)` \|", TRUTH_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(keys_of(truth)) == documented
    report = verify_session(folder)
    assert found(report) == {
        (fault["kind"].replace("starts_late", "started_late"), fault["serial"]) for fault in truth["faults"]
    }
    # The pull's true time on the master's clock; the jack is polled once a second.
    (zero_nsec,) = next(device["zeros_nsec"] for device in truth["devices"] if device["serial"].endswith("1"))
    pulled_nsec = next(fault["start_nsec"] for fault in truth["faults"] if fault["kind"] == "cable_pulled")
    told_usec = next(d.at_usec for d in report.diagnoses if d.cause == "cable_pulled")
    assert told_usec is not None
    assert -100_000 < told_usec - (pulled_nsec - zero_nsec) / 1000 < 1_200_000
    # A late start shows as another zero: whole periods after the master's.
    (late_nsec,) = next(device["zeros_nsec"] for device in truth["devices"] if device["serial"] == FIRST)
    assert late_nsec - zero_nsec > 1e8
    assert not (folder / "take.truth.json").exists()


def found(report: Report) -> set[tuple[str, str]]:
    return {(d.cause.value, d.where.removeprefix("device ")) for d in report.diagnoses}
