"""One computer a Kinect: the subordinate's host first, the master's last, then one session out of both."""

from pathlib import Path

import pytest

from genlock.devices import Backend, open_backend
from genlock.devices.scenario import Scenario, parse_fault
from genlock.errors import RigError, UnworkablePlanError
from genlock.plan import make_plan
from genlock.recording import RecordedSession, RecordingReader, SessionFolder, SessionState
from genlock.rig import parse_rig
from genlock.session import LossPolicy
from genlock.testing.rigs import rig_toml, serials
from genlock.verify import Cause, StartEvent, TakeEvidence, Verdict, evidence_from_reader, verify_take
from genlock.workflows.merge import merge_sessions
from genlock.workflows.progress import NoProgress
from genlock.workflows.record import TakeResult, record_take
from genlock.workflows.verify import verify_files, verify_session
from support.faulty import Fault, FaultyBackend

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


def test_hosts_that_end_at_different_times_are_judged_on_the_span_that_they_share(tmp_path: Path):
    hosts = {serial: {"host": "pc-1" if serial == MASTER else "pc-2"} for serial in serials(3)}
    toml = rig_toml(3, per_device=hosts)
    rig = parse_rig(toml)
    plan = make_plan(rig)
    with open_backend("sim", rig) as backend, backend.clock.participate():

        def record(host: str, seconds: float) -> None:
            record_take(plan, backend, tmp_path / host, rig_toml=toml, seconds=seconds, host=host)

        subordinates = backend.clock.start_thread(lambda: record("pc-2", 2.0), "pc-2")
        backend.clock.sleep(5)
        master = backend.clock.start_thread(lambda: record("pc-1", 4.0), "pc-1")
        assert subordinates.join(600)
        assert master.join(600)
    share = verify_session(tmp_path / "pc-2")
    assert share.verdict is Verdict.GOOD
    assert {f.code for f in share.findings} >= {"verify.one_host"}
    merge_sessions([tmp_path / "pc-1", tmp_path / "pc-2"], tmp_path / "merged")
    report = verify_session(tmp_path / "merged")
    # Virtual time has no wall clock, so the order of the starts alone cannot be told here.
    assert {f.code for f in report.findings if f.severity == "error"} <= {"verify.started_after_master"}
    assert report.diagnoses == () or {d.cause for d in report.diagnoses} == {Cause.STARTED_LATE}
    assert report.sets.judged == report.sets.complete > 45
    # Nobody ends a computer that was killed: that the other went on longer is then what is wrong with the take.
    devices = []
    for (path,) in SessionFolder.open(tmp_path / "merged").recordings().values():
        with RecordingReader(path) as reader:
            devices.append(evidence_from_reader(reader))
    starts = tuple(StartEvent(serial, 2 * n, 2 * n + 1) for n, serial in enumerate(plan.start_order))
    verdicts = {
        state: verify_take(TakeEvidence(tuple(devices), plan, starts, session_state=state)).verdict
        for state in ("COMPLETED", "CANCELLED", "RUNNING", "FAILED")
    }
    assert verdicts == {
        "COMPLETED": Verdict.GOOD,
        "CANCELLED": Verdict.GOOD,
        "RUNNING": Verdict.FAIL,
        "FAILED": Verdict.FAIL,
    }
    # A session of all computers that lacks a device still fails.
    merged = SessionFolder.open(tmp_path / "merged").session
    fewer = {serial: files for serial, files in merged.recordings.items() if serial != serials(3)[2]}
    SessionFolder(tmp_path / "merged", merged.model_copy(update={"recordings": fewer})).save()
    assert "verify.device_missing" in {f.code for f in verify_session(tmp_path / "merged").findings}


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


def rig_of_two_computers() -> str:
    """The master alone on pc-1, two subordinates on pc-2."""
    return rig_toml(3, per_device={serial: {"host": "pc-1" if serial == MASTER else "pc-2"} for serial in serials(3)})


def record_both(backend: Backend, folder: Path, seconds: float) -> dict[str, TakeResult | RigError]:
    """What came of each computer's share: pc-2 waits a minute for pc-1, the master's."""
    toml = rig_of_two_computers()
    plan = make_plan(parse_rig(toml))
    told: dict[str, TakeResult | RigError] = {}

    def record(host: str) -> None:
        try:
            told[host] = record_take(plan, backend, folder / host, rig_toml=toml, seconds=seconds, host=host)
        except RigError as error:
            told[host] = error

    with backend.clock.participate():
        subordinates = backend.clock.start_thread(lambda: record("pc-2"), "pc-2")
        backend.clock.sleep(60)
        master = backend.clock.start_thread(lambda: record("pc-1"), "pc-1")
        assert subordinates.join(600)
        assert master.join(600)
    return told


def test_a_device_that_stays_silent_when_the_pulses_come_is_given_up_after_ten_seconds_and_the_message_says_so(
    tmp_path: Path,
):
    silent = serials(3)[2]
    scenario = Scenario(faults=(parse_fault(f"dead_port:{silent}"),))
    with open_backend("sim", parse_rig(rig_of_two_computers()), scenario=scenario) as backend:
        told = record_both(backend, tmp_path, 20)
    error = told["pc-2"]
    assert isinstance(error, RigError)
    assert isinstance(told["pc-1"], TakeResult)
    assert list(error.errors) == [silent]
    assert "no capture within 10 s of another device's first" in str(error)


def test_the_word_to_start_the_master_comes_when_every_subordinate_has_been_started(tmp_path: Path):
    toml = rig_of_two_computers()
    rig = parse_rig(toml)
    started_when_told: list[list[str]] = []

    class Listening(NoProgress):
        def step(self, text: str) -> None:
            if "start the master now" in text:
                started_when_told.append(list(backend.starts))

    with FaultyBackend(open_backend("sim", rig), {}) as backend:
        # The take is cancelled as soon as the word has come.
        record_take(
            make_plan(rig),
            backend,
            tmp_path / "pc-2",
            rig_toml=toml,
            seconds=1,
            progress=Listening(),
            is_cancelled=lambda: bool(started_when_told),
            host="pc-2",
        )
    assert started_when_told == [serials(3)[1:]]


def test_a_plug_that_slips_out_before_the_first_pulse_is_told_and_the_wait_goes_on(tmp_path: Path):
    faults = {serials(3)[2]: Fault(unplugged_sec=(20.0, 22.0))}
    with FaultyBackend(open_backend("sim", parse_rig(rig_of_two_computers())), faults) as backend:
        share = record_both(backend, tmp_path, 1.0)["pc-2"]
    assert isinstance(share, TakeResult)
    assert share.state is SessionState.COMPLETED
    assert share.sets > 25
    assert [(f.code, f.where) for f in share.findings] == [("session.sync_lost", f"device {serials(3)[2]}")]


@pytest.mark.parametrize("policy", [LossPolicy.STOP, LossPolicy.RESTART])
def test_a_plug_that_slips_out_before_the_first_pulse_ends_the_wait_where_loss_shall_not_be_only_marked(
    tmp_path: Path, policy: LossPolicy
):
    toml = rig_of_two_computers()
    rig = parse_rig(toml)
    slipped = serials(3)[2]
    faults = {slipped: Fault(unplugged_sec=(20.0, 22.0))}
    with FaultyBackend(open_backend("sim", rig), faults) as backend, pytest.raises(RigError) as caught:
        record_take(make_plan(rig), backend, tmp_path / "pc-2", rig_toml=toml, seconds=1, on_loss=policy, host="pc-2")
    assert list(caught.value.errors) == [slipped]
    assert "its Sync In reads no plug any more" in str(caught.value)
    assert "no capture within" not in str(caught.value)
    assert (backend.clock.now_nsec() - backend.first_start_nsec[slipped]) / 1e9 < 25


def test_a_plug_that_stays_out_is_named_when_the_others_deliver(tmp_path: Path):
    silent = serials(3)[2]
    scenario = Scenario(faults=(parse_fault(f"dead_port:{silent}"),))
    sim = open_backend("sim", parse_rig(rig_of_two_computers()), scenario=scenario)
    with FaultyBackend(sim, {silent: Fault(unplugged_sec=(20.0, 9999.0))}) as backend:
        told = record_both(backend, tmp_path, 20)
    error = told["pc-2"]
    assert isinstance(error, RigError)
    assert isinstance(told["pc-1"], TakeResult)
    assert list(error.errors) == [silent]
    assert "its Sync In reads no plug any more" in str(error)
    assert "a plug sits in" not in str(error)
