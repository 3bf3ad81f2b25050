"""``--k4a-library``: the user names Microsoft's library, and only verbs that would use it take it."""

import json

import pytest

from genlock.cli.main import run
from genlock.rig import new_rig_toml


def failed(capsys, *arguments):
    """The exit status, and what was told instead of a result."""
    status = run([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.fixture
def rig(tmp_path):
    path = tmp_path / "rig.toml"
    path.write_text(new_rig_toml(["000000000001"], name="one"), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "verb",
    [
        ["devices"],
        ["check-wiring", "RIG", "--backend", "native"],
        ["monitor", "RIG", "--backend", "native", "--seconds", "1"],
        ["record", "RIG", "--backend", "native", "--seconds", "1", "-o", "FOLDER/take"],
        ["virtual", "RIG", "--serve"],
    ],
    ids=lambda verb: verb[0],
)
def test_a_library_that_is_not_there_is_named(capsys, rig, tmp_path, verb):
    missing = tmp_path / "no-such-libk4a.so"
    arguments = [a.replace("RIG", rig).replace("FOLDER", str(tmp_path)) for a in verb]
    status, message = failed(capsys, *arguments, "--k4a-library", str(missing))
    assert status == 3
    assert f"{missing}, which does not exist" in message


def test_it_comes_before_the_environment_variable(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GENLOCK_K4A_LIBRARY", str(tmp_path / "from-the-environment.so"))
    _, message = failed(capsys, "devices", "--k4a-library", str(tmp_path / "from-the-option.so"))
    assert "from-the-option.so" in message
    _, message = failed(capsys, "devices")
    assert "from-the-environment.so" in message


def test_it_is_for_real_cameras(capsys, rig):
    status, message = failed(capsys, "check-wiring", rig, "--backend", "sim", "--k4a-library", "libk4a.so")
    assert status == 2
    assert "--k4a-library" in message and "real cameras" in message


def test_preflight_looks_at_the_one_that_is_named(capsys, rig, tmp_path):
    library = tmp_path / "libk4a.so.1.4"
    library.touch()
    run(["preflight", rig, "--target", str(tmp_path), "--k4a-library", str(tmp_path), "--json"])
    assert json.loads(capsys.readouterr().out)["facts"]["sdk"]["library"] == str(library)
