"""``genlock selftest`` as its users run it."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genlock.cli.selftest import _Terminal
from genlock.testing.rigs import rig_toml
from genlock.workflows.selftest import CLAIMS, Task

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(rig_toml(2))
    return path


def test_it_prints_one_object_and_writes_the_same_into_the_report(genlock: Callable, rig: Path, tmp_path: Path):
    done = genlock("selftest", rig, "--backend", "sim", "--only", "exposure_table", "-o", tmp_path / "out", "--json")
    assert done.status == 0
    assert done.json["is_simulated"] is True
    verdicts = {claim["id"]: claim["verdict"] for claim in done.json["claims"]}
    assert verdicts.keys() == CLAIMS.keys()
    assert verdicts["exposure_table"] == "held"
    assert verdicts["common_zero"] == "not_tried"
    assert json.loads((tmp_path / "out" / "selftest.json").read_text()) == done.json
    assert "SIMULATED" in (tmp_path / "out" / "selftest.md").read_text()


def test_a_planted_deviation_ends_it_with_status_1(genlock: Callable, rig: Path, tmp_path: Path):
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('scene = "dark"\n[timing]\nexposures_share = "start"\n')
    claim = "unequal_exposures_end_together"
    done = genlock("selftest", rig, "--backend", "sim", "--scenario", scenario, "--only", claim)
    assert done.status == 1
    # Half of the difference, 4170 us, in whole ticks of two halves that were cut.
    assert f"did not hold  {claim}: the longer exposure's centre lies +41" in done.out
    assert "exposures begin together" in done.out


def test_a_claim_that_does_not_exist_is_told_with_those_that_do(genlock: Callable, rig: Path):
    done = genlock("selftest", rig, "--backend", "sim", "--only", "water_is_wet")
    assert done.status == 2
    assert "no claim is called water_is_wet" in done.err
    assert "common_zero" in done.err


def test_a_rig_without_any_device_ends_it_with_status_3_and_says_why(genlock: Callable, rig: Path):
    dead = [f"--fault=device_dies:{number:012d}" for number in (1, 2)]
    done = genlock("selftest", rig, "--backend", "sim", *dead, "--json")
    assert done.status == 3
    assert {claim["verdict"] for claim in done.json["claims"]} == {"not_tried"}
    assert any("not on the USB bus" in claim["text"] for claim in done.json["claims"])


@pytest.mark.parametrize(
    ("typed", "answer"), [("\n", None), ("the plug is glued in\n", "the plug is glued in"), ("", "nobody answered")]
)
def test_a_person_confirms_with_enter_or_says_why_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, answer: str | None
):
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert _Terminal(lambda: False).do(Task.PULL_SYNC_IN, "000000000002") == answer
    asked = capsys.readouterr()
    assert "Sync In of device 000000000002" in asked.err
    assert asked.out == ""


def test_the_reference_lists_every_claim_as_the_code_has_it():
    page = (ROOT / "docs" / "reference" / "selftest.md").read_text(encoding="utf-8")
    for claim in CLAIMS.values():
        assert f"| `{claim.id}` | {claim.statement} | {claim.source} |" in page, claim.id


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as a terminal does")
def test_ctrl_c_at_a_question_ends_the_run_in_order_without_another_key():
    program = (
        "from genlock.cli.interrupt import cancellation; from genlock.cli.selftest import _Terminal\n"
        "from genlock.workflows.selftest import Task\n"
        "with cancellation() as is_cancelled:\n"
        "    print(_Terminal(is_cancelled).do(Task.HOLD_STILL), is_cancelled(), flush=True)\n"
    )
    asked = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with asked:
        assert asked.stderr is not None
        seen = b""
        while not seen.endswith(b"Enter: "):
            byte = asked.stderr.read(1)
            assert byte, f"it ended without asking: {seen.decode()}"
            seen += byte
        asked.send_signal(signal.SIGINT)  # standard input stays open: only the signal can end the wait
        assert asked.stdout is not None
        assert asked.stdout.read() == b"interrupted True\n"
    assert asked.returncode == 0
