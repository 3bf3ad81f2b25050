from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from genlock.plan import make_plan
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.testing.stamps import StampFaults, make_rig_stamps
from genlock.testing.takes import session_evidence
from genlock.verify import REPORT_FORMAT_VERSION, FileReport, Report, Verdict, combine_epochs, verify_take

REFERENCE_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "verify-report.md"


def report_of(*, captures: int = 100, is_simulated: bool = False, **faults: StampFaults) -> Report:
    streams = make_rig_stamps(3, captures, {int(name[1:]): fault for name, fault in faults.items()})
    return verify_take(session_evidence(streams, is_simulated=is_simulated))


def keys_of(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    return set()


def test_the_json_is_json_and_says_the_same_as_the_report() -> None:
    report = report_of(d1=StampFaults(shift_usec=2000))
    parsed = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert parsed == report.to_json()
    assert parsed["format_version"] == REPORT_FORMAT_VERSION
    assert parsed["verdict"] == "fail"
    assert parsed["max_error_usec"] == pytest.approx(2022.2)
    assert parsed["devices"][1]["color_error"]["median_usec"] == 2000
    assert parsed["devices"][0]["color_error"] is None
    assert parsed["findings"][0]["code"] == "verify.constant_offset"
    assert parsed["sets"] == {"expected": 100, "settling": 10, "judged": 90, "complete": 90, "complete_ratio": 1.0}


def test_every_key_of_the_json_is_documented_and_nothing_else_is() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", REFERENCE_PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    streams = make_rig_stamps(3, 100, {1: StampFaults(shift_usec=2000, lost=frozenset({40, 41}))})
    plan = make_plan(parse_rig(rig_toml(3)))
    report = verify_take(replace(session_evidence(streams), plan=plan))
    both = replace(combine_epochs("take", {1: report, 2: report}), files=(FileReport("a.mkv", 1, None),))
    assert documented == keys_of(both.to_json())


@pytest.mark.parametrize("captures", [0, 1, 5, 100])
def test_reports_of_any_length_can_be_printed(captures: int) -> None:
    report = report_of(captures=captures)
    json.dumps(report.to_json(), allow_nan=False)
    assert report.verdict.value.replace("_", " ").upper() in report.to_text()


def test_the_text_says_simulated_in_its_first_line() -> None:
    assert report_of(is_simulated=True).to_text().splitlines()[0].startswith("*** SIMULATED")
    assert "SIMULATED" not in report_of().to_text()


def test_the_text_holds_verdict_reason_numbers_and_findings() -> None:
    report = report_of(d2=StampFaults(shift_usec=2000))
    text = report.to_text()
    assert "verdict     FAIL" in text
    assert report.reason in text
    assert "+2000.0 / 2022.2 / 2022.2" in text
    assert "error [verify.constant_offset] device 000000000003" in text
    assert report.findings[0].remedy in text


def test_a_report_says_what_the_tolerances_are() -> None:
    tolerances = report_of().to_json()["tolerances"]
    assert (tolerances["good_usec"], tolerances["pass_usec"]) == (100, 110)


def test_a_good_report_gives_its_numbers_as_the_reason() -> None:
    report = report_of()
    assert report.verdict is Verdict.GOOD
    assert (
        report.reason == "every offset is within 100 us (the largest is 22.2 us), and 100.0 % of 90 sets are complete"
    )


def test_pictures_and_plans_do_not_make_reports_differ() -> None:
    report = report_of()
    assert replace(report, measures=None) == report
