"""Planning from the terminal: the first file, the guide, the reasons, the pictures, the other recorder."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from genlock.testing.rigs import rig_toml


def test_a_first_rig_file_is_written_planned_and_never_written_over(genlock, tmp_path: Path):
    done = genlock("rig", "new", "--devices", 4, "--topology", "star", "--mode", "WFOV_2X2BINNED", "-o", "a.toml")
    assert done.status == 0 and "genlock plan a.toml" in done.out
    plan = genlock("plan", "a.toml", "--json")
    assert plan.status == 0
    assert [device["depth_mode"] for device in plan.json["devices"]] == ["WFOV_2X2BINNED"] * 4
    again = genlock("rig", "new", "-o", "a.toml")
    assert again.status == 2 and "exists" in again.err
    assert "star" in (tmp_path / "a.toml").read_text()


def test_a_first_rig_file_is_printed_without_a_place_for_it(genlock):
    assert genlock("rig", "new").out.startswith("#")
    answer = genlock("rig", "new", "--serial", "000123456789", "--serial", "000123456780", "--json").json
    assert 'master = "000123456789"' in answer["rig_toml"]


def test_what_cannot_be_is_wrong_usage(genlock):
    for arguments in (["--mode", "WFOV_UNBINNED", "--fps", 30], ["--devices", 1, "--topology", "star"], ["--fps", 25]):
        done = genlock("rig", "new", *arguments)
        assert done.status == 2, arguments
        assert done.err.startswith("genlock:")


def test_answers_make_a_rig_file_too(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "genlock", "rig", "new", "--ask"],
        input="2\nexternal_trigger\nNFOV_2X2BINNED\n720P\n50\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout.startswith("#")  # the questions went elsewhere
    (tmp_path / "rig.toml").write_text(done.stdout)
    for words in ('topology = "external_trigger"', 'depth_mode = "NFOV_2X2BINNED"', "powerline_hz = 50"):
        assert words in done.stdout
    nobody = subprocess.run(
        [sys.executable, "-m", "genlock", "rig", "new", "--ask"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert nobody.returncode == 2 and "Traceback" not in nobody.stderr


def test_the_guide_and_the_reasons_are_printed_and_drawn(genlock, tmp_path: Path):
    (tmp_path / "rig.toml").write_text(rig_toml(3))
    done = genlock("plan", "rig.toml", "--wiring", "--explain", "--svg", "t.svg", "--wiring-svg", "w.svg")
    assert done.status == 0
    for words in ("bill of materials", "2 x sync cable", "Sync Out stays empty", "published limits", "frame period"):
        assert words in done.out
    for name in ("t.svg", "w.svg"):
        ElementTree.parse(tmp_path / name)
    answer = genlock("plan", "rig.toml", "--wiring", "--explain", "--json").json
    assert answer["wiring_guide"]["parts"] and answer["explanations"]
    assert answer["budget"][0]["usbfs_memory_mb"] == 96


def test_the_plan_that_json_prints_can_be_read_back(genlock, tmp_path: Path):
    from genlock.plan import plan_from_json

    (tmp_path / "rig.toml").write_text(rig_toml(3))
    answer = genlock("plan", "rig.toml", "--json").json
    assert plan_from_json(answer).to_json() == answer


def test_the_other_recorders_commands_are_all_that_is_printed(genlock, tmp_path: Path):
    (tmp_path / "rig.toml").write_text(rig_toml(3))
    done = genlock("plan", "rig.toml", "--as", "k4arecorder")
    assert done.status == 0 and done.err == ""
    subprocess.run(["sh", "-n"], input=done.out, text=True, check=True)
    answer = genlock("plan", "rig.toml", "--as", "k4arecorder", "--json").json
    assert [command["serial"][-1] for command in answer["commands"]] == ["2", "3", "1"]


def test_a_plan_that_cannot_work_has_no_commands(genlock, tmp_path: Path):
    (tmp_path / "rig.toml").write_text(rig_toml(2, {"depth_mode": "WFOV_UNBINNED"}))
    done = genlock("plan", "rig.toml", "--as", "k4arecorder")
    assert done.status == 1 and done.out == "" and "15" in done.err
    answer = genlock("plan", "rig.toml", "--as", "k4arecorder", "--json")
    assert answer.status == 1 and answer.json["error"]["kind"] == "unworkable_plan"
    assert json.dumps(answer.json)
