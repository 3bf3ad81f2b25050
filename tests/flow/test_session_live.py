"""A run that notices: alarms while it streams, what is done about them, and devices that do not behave."""

from pathlib import Path

import pytest

from genlock.devices import ColorControl, open_backend
from genlock.errors import RigError
from genlock.plan import make_plan
from genlock.recording import SessionFolder, SessionState
from genlock.rig import parse_rig
from genlock.session import FinishReason, LossPolicy, Session, SessionEvent, SessionStatus
from genlock.sync import HealthState
from genlock.testing.rigs import rig_toml
from genlock.verify import Cause, StartOrder, Verdict
from genlock.workflows.record import TakeResult, record_take
from genlock.workflows.verify import verify_session
from support.faulty import Fault, FaultyBackend

FIRST, SECOND, THIRD = "000000000001", "000000000002", "000000000003"


def run(
    faults: dict[str, Fault], seconds: float, on_loss: LossPolicy = LossPolicy.MARK, devices: int = 3
) -> tuple[Session, list[SessionEvent], SessionStatus]:
    """A whole run; its events and its last look before it ended."""
    rig = parse_rig(rig_toml(devices))
    events: list[SessionEvent] = []
    with FaultyBackend(open_backend("sim", rig), faults) as backend:
        session = Session(make_plan(rig), backend, duration_sec=seconds, on_event=events.append, on_loss=on_loss)
        status = session.status
        with session:
            for _ in session:
                status = session.status
    return session, events, status


def alarms(events: list[SessionEvent]) -> list[SessionEvent]:
    return [event for event in events if event.event == "sync_alarm"]


def test_a_healthy_run_settles_locks_and_raises_no_alarm():
    session, events, status = run({}, seconds=2)
    assert alarms(events) == []
    assert session.finish_reason is FinishReason.COMPLETED
    assert {device.health.state for device in status.devices.values()} == {HealthState.LOCKED}
    states = [event.detail for event in events if event.event == "device_state" and event.serial == SECOND]
    assert states[0].startswith("waiting -> ")
    assert states[-1].endswith("-> locked")


def test_the_first_sets_are_marked_as_settling():
    rig = parse_rig(rig_toml(2))
    with open_backend("sim", rig) as backend, Session(make_plan(rig), backend, duration_sec=0.6) as session:
        marks = [capture_set.is_settling for capture_set in session]
    assert marks[:10] == [True] * 10
    assert not any(marks[10:])
    assert len(marks) == 18


def test_a_pulled_plug_is_an_alarm_within_two_seconds_and_the_run_goes_on():
    session, events, status = run({SECOND: Fault(unplugged_sec=(2.0, 99.0))}, seconds=4)
    (alarm,) = alarms(events)
    assert (alarm.serial, alarm.evidence) == (SECOND, "jack")
    started = next(event for event in events if event.event == "device_started" and event.serial == SECOND)
    assert 0 <= (alarm.called_nsec - started.returned_nsec) / 1e9 - 2.0 <= 2.0
    assert session.finish_reason is FinishReason.COMPLETED
    assert session.was_lost
    assert status.devices[SECOND].health.state is HealthState.LOST
    assert [f.code for f in session.status.findings] == ["session.sync_lost"]


def test_stamps_that_run_away_are_an_alarm_that_says_so():
    # The chain's start takes about a second, then 3 s until the stamps run; 200 ppm pass the slack in 0.1 s and the
    # threshold 0.3 s later, and captures are some 50 ms old when they come.
    _, events, status = run({THIRD: Fault(drift_ppm=200, drift_from_sec=3.0)}, seconds=4)
    (alarm,) = alarms(events)
    assert (alarm.serial, alarm.evidence) == (THIRD, "stamps")
    started = next(event for event in events if event.event == "device_started" and event.serial == THIRD)
    assert 0 < (alarm.called_nsec - started.returned_nsec) / 1e9 - 3.0 < 1.0
    assert status.devices[THIRD].health.state is HealthState.DRIFTING


def test_on_loss_stop_ends_the_run_and_says_that_it_failed():
    session, events, _ = run({SECOND: Fault(unplugged_sec=(1.5, 99.0))}, seconds=8, on_loss=LossPolicy.STOP)
    assert session.finish_reason is FinishReason.FAILED
    assert len(alarms(events)) == 1


def take(
    folder: Path, faults: dict[str, Fault], seconds: float, on_loss: LossPolicy
) -> tuple[TakeResult, FaultyBackend]:
    toml = rig_toml(2, {"depth_mode": "PASSIVE_IR", "color_format": "MJPG"})
    rig = parse_rig(toml)
    with FaultyBackend(open_backend("sim", rig), faults) as backend:
        result = record_take(make_plan(rig), backend, folder, rig_toml=toml, seconds=seconds, on_loss=on_loss)
    return result, backend


def test_on_loss_restart_begins_an_epoch_with_subordinates_first_as_soon_as_the_plug_is_back(tmp_path: Path):
    faults = {SECOND: Fault(unplugged_sec=(1.5, 2.6))}
    result, backend = take(tmp_path / "take", faults, 5.0, LossPolicy.RESTART)
    assert result.state is SessionState.COMPLETED
    assert backend.starts == [SECOND, FIRST, SECOND, FIRST]
    folder = SessionFolder.open(tmp_path / "take")
    assert sorted(folder.epochs()) == [1, 2]
    assert all(file.exists() for files in folder.recordings().values() for file in files)
    assert set(folder.session.digests) == {file for files in folder.session.recordings.values() for file in files}
    # Both epochs together last as long as was asked for, to a frame at each end; the losing one is named.
    assert result.sets == pytest.approx(5.0 * 30, abs=3)
    report = verify_session(tmp_path / "take")
    assert report.start_order is StartOrder.RIGHT
    assert [epoch.number for epoch in report.epochs] == [1, 2]
    assert sum(epoch.sets.complete for epoch in report.epochs) > 120


def test_on_loss_stop_leaves_a_folder_that_says_why(tmp_path: Path):
    result, _ = take(tmp_path / "take", {SECOND: Fault(unplugged_sec=(2.0, 99.0))}, 5.0, LossPolicy.STOP)
    assert result.state is SessionState.FAILED
    session = SessionFolder.open(tmp_path / "take").session
    assert "no longer follows the master" in (session.failure or "")
    report = verify_session(tmp_path / "take")
    assert report.verdict is Verdict.FAIL
    assert [(d.cause, d.where) for d in report.diagnoses] == [(Cause.CABLE_PULLED, f"device {SECOND}")]


def test_a_subordinate_that_delivers_before_the_master_starts_is_told_and_all_is_rolled_back():
    rig = parse_rig(rig_toml(3))
    with FaultyBackend(open_backend("sim", rig), {SECOND: Fault(is_free_running=True)}) as backend:
        session = Session(make_plan(rig), backend)
        with pytest.raises(RigError, match="before the master") as caught, session:
            pass
        assert set(caught.value.errors) == {SECOND}
        assert [f.code for f in session.status.findings] == ["session.not_slaved"]
        assert FIRST not in backend.starts
        # Everything was let go of: a healthy session can follow.
        with Session(make_plan(rig), backend._backend, duration_sec=0.1) as again:
            assert list(again)


def test_a_device_that_goes_away_is_marked_and_the_others_go_on():
    session, _, _ = run({THIRD: Fault(lost_at_sec=1.5)}, seconds=4)
    assert session.finish_reason is FinishReason.COMPLETED
    assert [f.code for f in session.status.findings] == ["session.device_lost"]
    assert session.status.sets == 120


def test_a_reference_that_goes_away_ends_the_run():
    with pytest.raises(RigError, match="while running") as caught:
        run({FIRST: Fault(lost_at_sec=1.5)}, seconds=4)
    assert FIRST in caught.value.errors


def test_a_device_that_hangs_cannot_hold_up_the_others():
    rig = parse_rig(rig_toml(3))
    events: list[SessionEvent] = []
    with FaultyBackend(open_backend("sim", rig), {SECOND: Fault(hangs_in_stop=True)}) as backend:
        session = Session(make_plan(rig), backend, duration_sec=0.2, on_event=events.append)
        with pytest.raises(RigError, match="could not stop") as caught, session:
            list(session)
    assert set(caught.value.errors) == {SECOND}
    assert {event.serial for event in events if event.event == "device_stopped"} == {FIRST, THIRD}
    stopping = next(e for e in events if e.event == "phase" and e.detail == "stopping")
    closed = next(e for e in events if e.event == "phase" and e.detail == "closed")
    assert (closed.called_nsec - stopping.called_nsec) / 1e9 < 12  # five seconds for its stop, five for its pump


def test_with_warm_up_the_exposure_ends_manual():
    rig = parse_rig(rig_toml(2))
    with (
        open_backend("sim", rig) as backend,
        Session(make_plan(rig), backend, duration_sec=0.1, warm_up=True) as session,
    ):
        control = session.devices[FIRST].color_control(ColorControl.EXPOSURE_TIME_ABSOLUTE)
        assert (control.is_manual, control.value) == (True, 8330)
        assert session.status.findings == ()
        list(session)
