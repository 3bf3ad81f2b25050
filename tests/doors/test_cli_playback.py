"""A recorded take as a backend of the verbs that run a rig."""

from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.plan import make_plan
from genlock.recording import RecordedSession, SessionFolder
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.workflows.record import record_take


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of two devices; its folder holds the rig file that it was recorded with."""
    folder = tmp_path_factory.mktemp("takes") / "take"
    toml = rig_toml(2)
    rig = parse_rig(toml)
    with open_backend("sim", rig) as backend:
        record_take(make_plan(rig), backend, folder, rig_toml=toml, seconds=1)
    return folder


def captures_of(folder: Path) -> dict[str, list[int | None]]:
    with RecordedSession(folder) as session:
        return {serial: reader.stamps().color_usec.tolist() for serial, reader in session.readers.items()}


def test_a_played_take_is_recorded_to_its_end_and_is_the_same(genlock, take: Path, tmp_path: Path):
    rig = take / "rig.toml"
    done = genlock(
        "record", rig, "--backend", "playback", "--take", take, "-o", tmp_path / "again", "--seconds", 60, "--json"
    )
    assert done.status == 0, done.err
    assert done.json["state"] == "COMPLETED"
    assert captures_of(tmp_path / "again") == captures_of(take)
    assert SessionFolder.open(tmp_path / "again").session.is_simulated


def test_monitor_plays_files_at_their_own_pace(genlock, take: Path):
    files = sorted(take.glob("devices/*/*.mkv"))
    assert len(files) == 2
    arguments = ("monitor", take / "rig.toml", "--backend", "playback", "--pace", 2, "--json", "--take", *files)
    done = genlock(*arguments)
    assert done.status == 0, done.err
    assert {d["captures"] for d in done.json["devices"]} == {len(next(iter(captures_of(take).values())))}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--backend", "sim", "--take", "x"], 2, "--take: is for playback"),
        (["--backend", "playback", "--take", "x", "--fault", "unplug:000000000002"], 2, "--fault: is for the virtual"),
        (["--backend", "playback", "--take", "x", "--pace", "0"], 2, "--pace: is 'fast' or a number"),
        (["--backend", "playback", "--take", "no-such-take"], 2, "no-such-take"),
        (["--backend", "playback"], 3, "playback needs a take"),
    ],
)
def test_options_that_make_no_sense_are_refused(genlock, take: Path, arguments: list[str], status: int, words: str):
    done = genlock("monitor", take / "rig.toml", *arguments)
    assert (done.status, done.out) == (status, "")
    assert words in done.err
