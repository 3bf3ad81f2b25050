"""Bad input gets one clear message, the documented exit status, and never a traceback (the fixture looks for one)."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from genlock.testing.rigs import rig_toml

FIVE_MISTAKES = """
format_version = 1
name = "studio"
[capture]
camera_fps = 31
depth_mode = "NFOV"
exposure_usec = "fast"
powerlin_hz = 60
[wiring]
topology = "ring"
[[device]]
serial = "000000000001"
"""

UNWORKABLE = {
    "master_is_no_device": (
        rig_toml(2, wiring=['topology = "daisy_chain"', 'master = "000000000009"', 'order = ["000000000002"]']),
        "000000000009",
    ),
    "loop": (
        rig_toml(
            3,
            wiring=[
                'topology = "daisy_chain"',
                'master = "000000000001"',
                'cable = [{from = "000000000001", to = "000000000002"}, {from = "000000000002", to = "000000000003"},',
                '  {from = "000000000003", to = "000000000001"}]',
            ],
        ),
        "loop",
    ),
    "two_feed_one_jack": (
        rig_toml(
            3,
            wiring=[
                'topology = "daisy_chain"',
                'master = "000000000001"',
                'cable = [{from = "000000000001", to = "000000000002"}, {from = "000000000003", to = "000000000002"}]',
            ],
        ),
        "000000000002",
    ),
    "serial_twice": (rig_toml(2).replace('serial = "000000000002"', 'serial = "000000000001"'), "000000000001"),
    "wfov_unbinned_at_30": (rig_toml(2, {"depth_mode": "WFOV_UNBINNED"}), "15"),
    "3072p_at_30": (rig_toml(2, {"color_resolution": "3072P"}), "15"),
}


@pytest.fixture
def write_rig(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "rig.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_five_mistakes_are_told_at_once_with_their_places(genlock, write_rig):
    rig = write_rig(FIVE_MISTAKES)
    done = genlock("plan", rig)
    assert done.status == 2
    places = [
        "capture.camera_fps",
        "capture.depth_mode",
        "capture.exposure_usec",
        "capture.powerlin_hz",
        "wiring.topology",
    ]
    for place in places:
        assert f"{place}:" in done.err
    mistakes = genlock("plan", rig, "--json").json["error"]["mistakes"]
    assert sorted(mistake["where"] for mistake in mistakes) == sorted(places)


@pytest.mark.parametrize("name", UNWORKABLE)
def test_a_rig_that_cannot_work_is_a_finding_with_a_remedy(genlock, write_rig, name: str):
    text, mentioned = UNWORKABLE[name]
    rig = write_rig(text)
    answer = genlock("plan", rig, "--json")
    assert answer.status == 1
    errors = [finding for finding in answer.json["findings"] if finding["severity"] == "error"]
    assert errors
    assert all(finding["remedy"] for finding in errors)
    assert any(mentioned in finding["message"] + finding["where"] for finding in errors)
    assert genlock("plan", rig).status == 1


@pytest.mark.parametrize("name", ["serial_twice", "3072p_at_30"])
def test_a_plan_that_cannot_work_is_not_recorded(genlock, write_rig, tmp_path: Path, name: str):
    rig = write_rig(UNWORKABLE[name][0])
    done = genlock("record", rig, "-o", tmp_path / "take", "--seconds", "1", "--backend", "sim", "--json")
    assert done.status == 1
    assert done.json["findings"]
    assert not (tmp_path / "take").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan"], "RIG"),
        (["plan", "nowhere.toml"], "nowhere.toml"),
        (["plan", "--jsn"], "--json"),
        (["plna", "x"], "plan"),
        (["verify"], "PATHS"),
        (["verify", "nowhere"], "nowhere"),
        (["inspect", "nowhere.mkv"], "nowhere.mkv"),
        (["demo", "--devices", "0"], "1"),
        (["demo", "--seconds", "-1"], "0"),
        (["demo", "--seconds", "soon"], "soon"),
    ],
    ids=" ".join,
)
def test_wrong_usage_and_missing_files_exit_with_2(genlock, arguments: list[str], says: str):
    done = genlock(*arguments)
    assert done.status == 2
    assert says in done.err
    answer = genlock(*arguments, "--json")
    assert answer.status == 2
    assert answer.json["error"]["message"]


def test_an_unknown_backend_is_told_with_those_that_exist(genlock, write_rig, tmp_path: Path):
    rig = write_rig(rig_toml(2))
    done = genlock("record", rig, "-o", tmp_path / "take", "--seconds", "1", "--backend", "simm")
    assert done.status == 2
    assert "'sim'" in done.err
    assert not (tmp_path / "take").exists()


def test_a_take_is_never_written_over(genlock, write_rig, tmp_path: Path):
    rig, take = write_rig(rig_toml(1)), tmp_path / "take"
    take.mkdir()
    (take / "precious.txt").write_text("keep me")
    done = genlock("record", rig, "-o", take, "--seconds", "1", "--backend", "sim")
    assert done.status == 2
    assert "already exists" in done.err
    assert [path.name for path in take.iterdir()] == ["precious.txt"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real recording of the virtual rig."""
    from genlock.workflows.demo import run_demo

    take = tmp_path_factory.mktemp("recording") / "take"
    run_demo(take, devices=1, seconds=0.5)
    return take / "devices" / "000000000001" / "e01-p001.mkv"


@pytest.mark.parametrize("verb", ["inspect", "verify"])
@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.mkv", b""), ("text.mkv", b"not a recording\n" * 1000), ("zeros.mkv", bytes(100_000))],
)
def test_a_file_that_is_no_recording_gets_one_line(genlock, tmp_path: Path, verb: str, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    done = genlock(verb, name)
    assert done.status == 2
    assert name in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert genlock(verb, name, "--json").status == 2


def test_a_recording_cut_inside_its_header_gets_one_line(genlock, tmp_path: Path, recording: Path):
    (tmp_path / "cut.mkv").write_bytes(recording.read_bytes()[:300])
    done = genlock("inspect", "cut.mkv")
    assert done.status == 2
    assert len(done.err.strip().splitlines()) == 1


def test_a_recording_cut_in_the_middle_says_what_is_left(genlock, tmp_path: Path, recording: Path):
    whole = recording.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    answer = genlock("inspect", "cut.mkv", "--json")
    assert answer.status in (0, 1)
    assert "recording.truncated" in [finding["code"] for finding in answer.json["findings"]]


def test_a_missing_recording_of_a_session_is_named(genlock, tmp_path: Path, recording: Path):
    take = tmp_path / "copy"
    shutil.copytree(recording.parents[2], take)
    (take / "devices" / "000000000001" / "e01-p001.mkv").unlink()
    done = genlock("verify", take)
    assert done.status == 2
    assert "e01-p001.mkv" in done.err
