"""A plan as commands of Microsoft's recorder, read back by its own rules."""

import re
import subprocess

import pytest

from genlock.k4a import DepthMode
from genlock.plan import k4arecorder_script, make_plan, recorder_commands
from genlock.rig import Rig

# What k4arecorder 1.4 takes, and what it does without the option.
OPTIONS = {
    "-c": r"3072p|2160p|1536p|1440p|1080p|720p|720p_NV12|720p_YUY2|OFF",
    "-d": "|".join(DepthMode),
    "--depth-delay": r"-?\d+",
    "-r": r"30|15|5",
    "--imu": r"ON|OFF",
    "--external-sync": r"master|subordinate",
    "--sync-delay": r"\d+",
    "-e": r"\d+",
    "-g": r"\d+",
}


def plan(count=3, devices=None, capture=None, wiring=None):
    tables = [{"serial": str(i), **(devices or {}).get(i, {})} for i in range(1, count + 1)]
    wiring = wiring or {"topology": "daisy_chain", "master": "1"}
    return make_plan(Rig.model_validate({"device": tables, "wiring": wiring, "capture": capture or {}}))


def options(command):
    """The options as the recorder would read them; fails on what it does not know."""
    pairs = dict(zip(command.arguments[::2], command.arguments[1::2], strict=True))
    assert len(pairs) * 2 == len(command.arguments)
    for option, value in pairs.items():
        assert re.fullmatch(OPTIONS[option], value), (option, value)
    return pairs


def test_the_commands_say_what_the_plan_says_in_start_order():
    made = plan(3)
    commands = recorder_commands(made)
    assert [command.serial for command in commands] == ["2", "3", "1"]
    for command in commands:
        config, read = made.device(command.serial).config, options(command)
        assert read["-d"] == config.depth_mode
        assert read["-c"] == "1080p"
        assert read["-r"] == "30"
        assert int(read.get("--depth-delay", 0)) == config.depth_delay_off_color_usec
        assert read["--external-sync"].upper() == config.wired_sync_mode
        assert read["-e"] == "8330"
        assert read["--imu"] == "ON"
        assert command.not_expressed == ()


@pytest.mark.parametrize(
    ("capture", "color"),
    [
        ({"color_resolution": "720P", "color_format": "NV12"}, "720p_NV12"),
        ({"color_resolution": "720P", "color_format": "YUY2"}, "720p_YUY2"),
        ({"color_resolution": "3072P", "camera_fps": 15}, "3072p"),
    ],
)
def test_color_modes_have_the_recorders_names(capture, color):
    assert options(recorder_commands(plan(2, capture=capture))[0])["-c"] == color


def test_a_depth_only_subordinate_and_a_dark_one():
    dark = {2: {"color_resolution": "OFF", "imu": False}, 3: {"depth_mode": "OFF", "gain": 7}}
    made = plan(3, dark)
    second, third, _ = recorder_commands(made)
    assert options(second)["-c"] == "OFF" and "-e" not in options(second) and options(second)["--imu"] == "OFF"
    assert int(options(second).get("--sync-delay", 0)) == made.device("2").config.subordinate_delay_off_master_usec
    assert options(third)["-d"] == "OFF" and options(third)["-g"] == "7"


def test_a_standalone_device_has_no_sync_option():
    (command,) = recorder_commands(plan(1, wiring={"topology": "standalone"}))
    assert "--external-sync" not in options(command)


def test_automatic_exposure_is_the_recorders_default():
    assert "-e" not in options(recorder_commands(plan(2, capture={"exposure_usec": "auto"}))[0])


def test_what_the_recorder_cannot_do_is_told():
    capture = {
        "color_format": "BGRA32",
        "white_balance_k": 4500,
        "powerline_hz": 50,
        "exposure_usec": 10000,
        "synchronized_images_only": True,
        "disable_streaming_indicator": True,
    }
    words = " ".join(recorder_commands(plan(2, capture=capture))[0].not_expressed)
    for part in ("MJPG", "whitebalance 4500", "expose 16670 us, not 10000", "synchronized_images_only", "indicator"):
        assert part in words


def test_the_script_is_one_that_a_shell_reads_and_the_index_is_found_by_serial(tmp_path):
    """With a stand-in for the recorder that lists devices as Microsoft's does and writes down how it is called."""
    stand_in = tmp_path / "k4arecorder"
    stand_in.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --list ]; then\n'
        "  printf 'Index:0\\tSerial:3\\tColor:1.6.110\\tDepth:1.6.80\\n'\n"
        "  printf 'Index:1\\tSerial:11\\tColor:1.6.110\\tDepth:1.6.80\\n'\n"
        "  printf 'Index:2\\tSerial:1\\tColor:1.6.110\\tDepth:1.6.80\\n'\n"
        "  printf 'Index:3\\tSerial:2\\tColor:1.6.110\\tDepth:1.6.80\\n'\n"
        f'else echo "$@" >> {tmp_path}/calls; fi\n'
    )
    stand_in.chmod(0o755)
    script = k4arecorder_script(plan(3)).replace("sleep 5", "wait")
    subprocess.run(["sh", "-eu", "-c", script], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, cwd=tmp_path)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[1] for call in calls] == ["3", "0", "2"]
    assert [call.split()[-1] for call in calls] == ["2.mkv", "3.mkv", "1.mkv"]


def test_hosts_come_in_start_order():
    made = plan(3, {1: {"host": "a"}, 2: {"host": "b"}, 3: {"host": "a"}})
    script = k4arecorder_script(made)
    assert re.findall(r"# --- (\d)\. on (\S+)", script) == [("1", "b"), ("2", "a")]


def test_a_name_cannot_leave_its_comment():
    made = make_plan(Rig.model_validate({"name": "a\nrm -rf /", "device": [{"serial": "1", "host": "b\nls"}]}))
    for line in k4arecorder_script(made).splitlines():
        assert not line.startswith(("rm", "ls"))
