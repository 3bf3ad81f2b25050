"""The main job from the terminal: what it prints, leaves on disk, and says when it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genlock.recording import RecordingReader
from genlock.testing.rigs import rig_toml


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A demo, run once."""
    take = tmp_path_factory.mktemp("demo") / "take"
    done = subprocess.run(
        [sys.executable, "-m", "genlock", "demo", "-o", str(take), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return take, json.loads(done.stdout)


def test_the_demo_is_good_and_says_that_it_is_simulated(genlock, demo):
    take, answer = demo
    assert answer["report"]["verdict"] == "good"
    assert answer["report"]["is_simulated"] is True
    again = genlock("verify", take)
    assert again.status == 0
    assert "GOOD" in again.out
    assert "SIMULATED" in again.out
    html = (take.parent / "take-report" / "report.html").read_text(encoding="utf-8")
    assert "SIMULATED" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")  # self-contained


def test_the_demo_leaves_a_complete_session_folder(demo):
    take, _ = demo
    session = json.loads((take / "session.json").read_text())
    assert session["state"] == "COMPLETED"
    files = {str(path.relative_to(take)) for path in take.rglob("*") if path.is_file()}
    recordings = {f"devices/{number:012d}/e01-p001.mkv" for number in (1, 2, 3)}
    assert files == {"session.json", "rig.toml", "plan.json", "log.jsonl"} | recordings
    assert set(session["digests"]) == recordings


def test_every_recording_of_the_demo_is_tagged_as_simulated(genlock, demo):
    take, _ = demo
    for path in sorted(take.rglob("*.mkv")):
        with RecordingReader(path) as reader:
            assert reader.tags["GENLOCK_BACKEND"] == "sim"
        shown = genlock("inspect", path)
        assert shown.status == 0
        assert "SIMULATED" in shown.out


def test_the_log_shows_subordinates_before_the_master(demo):
    take, _ = demo
    events = [json.loads(line) for line in (take / "log.jsonl").read_text().splitlines()]
    started = [event["serial"] for event in events if event["event"] == "device_started"]
    assert started == ["000000000002", "000000000003", "000000000001"]


def test_the_plan_has_the_documented_shape(genlock, tmp_path: Path):
    (tmp_path / "rig.toml").write_text(rig_toml(3))
    answer = genlock("plan", "rig.toml", "--json")
    assert answer.status == 0
    plan = answer.json
    assert plan["format_version"] == 1
    assert plan["start_order"] == ["000000000002", "000000000003", "000000000001"]
    assert plan["guard_usec"] >= 100
    keys = (
        "serial wired_sync_mode subordinate_delay_off_master_usec depth_delay_off_color_usec depth_mode "
        "color_resolution color_format camera_fps exposure_usec powerline_hz"
    ).split()
    for device in plan["devices"]:
        assert set(keys) <= set(device)
    assert [device["wired_sync_mode"] for device in plan["devices"]] == ["MASTER", "SUBORDINATE", "SUBORDINATE"]
    assert all(set(f) == {"code", "severity", "where", "message", "remedy"} for f in plan["findings"])
    shown = genlock("plan", "rig.toml")
    assert "000000000002 -> 000000000003 -> 000000000001" in shown.out


def test_the_schema_accepts_the_example_and_refuses_a_misspelt_key(genlock):
    import tomllib

    import jsonschema

    schema = genlock("rig", "schema").json
    example = tomllib.loads((Path(__file__).parents[2] / "examples" / "studio.toml").read_text())
    jsonschema.validate(example, schema)
    example["capture"]["powerlin_hz"] = 60
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, schema)


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_ctrl_c_leaves_whole_files_and_says_cancelled(tmp_path: Path, number: signal.Signals):
    (tmp_path / "rig.toml").write_text(rig_toml(2))
    take = tmp_path / "take"
    command = [sys.executable, "-m", "genlock", "record", "rig.toml", "-o", "take", "--seconds", "120"]
    process = subprocess.Popen(
        [*command, "--backend", "sim", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline_sec = time.monotonic() + 60
        while sum(path.stat().st_size for path in take.rglob("*.mkv")) < 3_000_000:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline_sec
            time.sleep(0.05)  # waits for another process, on no clock of ours
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert json.loads(out)["state"] == "CANCELLED"
    assert "Traceback" not in err
    assert json.loads((take / "session.json").read_text())["state"] == "CANCELLED"
    for path in take.rglob("*.mkv"):
        with RecordingReader(path) as reader:
            assert len(reader.stamps().color_usec) > 0
            assert not reader.findings
