"""One computer a Kinect: the subordinate's host first, the master's last, then one session out of both."""

from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.errors import RigError, UnworkablePlanError
from genlock.plan import make_plan
from genlock.recording import RecordedSession, SessionFolder, SessionState
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml, serials
from genlock.verify import Verdict
from genlock.workflows.merge import merge_sessions
from genlock.workflows.record import record_take
from genlock.workflows.verify import verify_files, verify_session

MASTER, SUBORDINATE = serials(2)


def two_hosts() -> str:
    toml = rig_toml(2)
    for number, serial in enumerate((MASTER, SUBORDINATE), 1):
        line = f'serial = "{serial}"'
        assert line in toml
        toml = toml.replace(line, f'{line}\nhost = "pc-{number}"', 1)
    return toml


def test_each_host_records_its_own_devices_and_the_merged_session_is_whole(tmp_path: Path):
    toml = two_hosts()
    rig = parse_rig(toml)
    plan = make_plan(rig)
    states: dict[str, SessionState] = {}
    with open_backend("sim", rig) as backend, backend.clock.participate():

        def record(host: str, seconds: float) -> None:
            taken = record_take(plan, backend, tmp_path / host, rig_toml=toml, seconds=seconds, host=host)
            states[host] = taken.state

        subordinate = backend.clock.start_thread(lambda: record("pc-2", 1.6), "pc-2")
        backend.clock.sleep(60)  # somebody walks over to the other computer: longer than a whole rig would wait
        master = backend.clock.start_thread(lambda: record("pc-1", 1.8), "pc-1")
        assert subordinate.join(600)
        assert master.join(600)
    assert states == {"pc-1": SessionState.COMPLETED, "pc-2": SessionState.COMPLETED}
    folders = [tmp_path / "pc-1", tmp_path / "pc-2"]
    assert [list(SessionFolder.open(folder).session.recordings) for folder in folders] == [[MASTER], [SUBORDINATE]]
    with RecordedSession(folders[1]) as alone:
        assert len(list(alone)) >= 45
    result = merge_sessions(folders, tmp_path / "merged")
    assert (result.hosts, result.devices, result.missing) == (("pc-1", "pc-2"), (MASTER, SUBORDINATE), ())
    with RecordedSession(tmp_path / "merged") as merged:
        complete = [one for one in merged if one.is_complete]
    assert len(complete) >= 45
    recordings = SessionFolder.open(tmp_path / "merged").recordings()
    assert verify_files([path for files in recordings.values() for path in files]).verdict is Verdict.GOOD
    report = verify_session(tmp_path / "merged")
    # Virtual time has no wall clock, so the order of the starts alone cannot be told here.
    others = {f.code for f in report.findings if f.severity == "error"} - {"verify.started_after_master"}
    assert others == set()


def test_a_host_without_devices_is_told_before_anything_starts(tmp_path: Path):
    toml = two_hosts()
    rig = parse_rig(toml)
    with open_backend("sim", rig) as backend, pytest.raises(UnworkablePlanError, match="pc-1, pc-2"):
        record_take(make_plan(rig), backend, tmp_path / "take", rig_toml=toml, seconds=1, host="pc-3")
    assert not (tmp_path / "take").exists()


def test_a_host_that_waited_in_vain_says_how_long_it_really_waited(tmp_path: Path):
    toml = two_hosts()
    rig = parse_rig(toml)
    with open_backend("sim", rig) as backend, pytest.raises(RigError, match="within 3600 s of the last start"):
        record_take(make_plan(rig), backend, tmp_path / "pc-2", rig_toml=toml, seconds=1, host="pc-2")
