"""Monitor, check the wiring, compare takes: the workflows behind the verbs, on small virtual rigs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from genlock.cli.main import run
from genlock.devices import Backend, open_backend
from genlock.devices.scenario import Scenario, SceneName, parse_fault
from genlock.errors import UnreadableInputError
from genlock.plan import make_plan
from genlock.rig import Rig, parse_rig
from genlock.session import FinishReason, LossPolicy, SessionStatus
from genlock.testing.rigs import rig_toml
from genlock.workflows.check_wiring import CableState, check_wiring
from genlock.workflows.compare import compare_takes
from genlock.workflows.interference import Agreement, PairResult, measure_interference
from genlock.workflows.monitor import monitor_rig, status_json
from genlock.workflows.record import record_take
from genlock.workflows.simulate import apply_live_fault

MASTER, FIRST, SECOND, THIRD = (f"{number:012d}" for number in range(1, 5))


def opened(rig: Rig, *faults: str) -> Backend:
    scenario = Scenario(scene=SceneName.DARK, faults=tuple(map(parse_fault, faults)))
    return open_backend("sim", rig, scenario=scenario)


def test_a_monitor_tells_once_a_second_and_ends_locked():
    rig = parse_rig(rig_toml(3))
    seen: list[SessionStatus] = []
    with opened(rig) as backend:
        result = monitor_rig(make_plan(rig), backend, seconds=4, on_status=seen.append)
    assert 4 <= len(seen) <= 6
    assert result.reason is FinishReason.COMPLETED
    devices = status_json(seen[-1])["devices"]
    assert [device["state"] for device in devices] == ["locked"] * 3
    assert {round(device["fps"]) for device in devices} == {30}
    json.dumps(result.to_json(), allow_nan=False)


def test_a_monitor_ends_at_an_alarm_when_told_to():
    rig = parse_rig(rig_toml(3))
    with opened(rig, f"cable_pulled@2s:{SECOND}") as backend:
        result = monitor_rig(make_plan(rig), backend, seconds=60, on_loss=LossPolicy.STOP)
    assert result.reason is FinishReason.FAILED
    assert {finding.code for finding in result.findings} == {"session.sync_lost"}
    assert any(SECOND in finding.where for finding in result.findings)
    assert result.status.sets < 60 * 30 / 2


def test_a_wiring_that_works_is_told_for_every_subordinate():
    rig = parse_rig(rig_toml(3))
    with opened(rig) as backend:
        result = check_wiring(rig, make_plan(rig), backend)
    assert [(test.serial, test.state) for test in result.tests] == [
        (FIRST, CableState.WORKS),
        (SECOND, CableState.WORKS),
    ]
    assert result.findings == ()


def test_a_dead_port_is_traced_to_its_cable_and_what_lies_behind_it_is_not_judged():
    rig = parse_rig(rig_toml(4))
    with opened(rig, f"dead_port:{SECOND}") as backend:
        result = check_wiring(rig, make_plan(rig), backend)
    assert [test.state for test in result.tests] == [CableState.WORKS, CableState.NO_PULSE, CableState.NO_PULSE]
    assert [(finding.code, finding.where) for finding in result.findings] == [
        ("session.wiring_no_pulse", f"cable {FIRST} -> {SECOND}"),
        ("session.wiring_not_judged", f"device {THIRD}"),
    ]


def test_a_plug_in_the_wrong_jack_is_refused_and_says_so():
    rig = parse_rig(rig_toml(3))
    with opened(rig, f"wrong_jack:{SECOND}") as backend:
        result = check_wiring(rig, make_plan(rig), backend)
    assert [test.state for test in result.tests] == [CableState.WORKS, CableState.REFUSED]
    assert "no plug" in result.tests[1].message
    assert "session.sync_in_missing" in {finding.code for finding in result.findings}


def test_under_a_trigger_every_device_is_tried_alone():
    rig = parse_rig(rig_toml(2, wiring=['topology = "external_trigger"']))
    with opened(rig) as backend:
        result = check_wiring(rig, make_plan(rig), backend)
    assert [(test.serial, test.state) for test in result.tests] == [
        (MASTER, CableState.WORKS),
        (FIRST, CableState.WORKS),
    ]


def record(folder: Path, *faults: str) -> Path:
    toml = rig_toml(2)
    rig = parse_rig(toml)
    with opened(rig, *faults) as backend:
        record_take(make_plan(rig), backend, folder, rig_toml=toml, seconds=3)
    return folder


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One with losses, a good one, and one that is no take at all."""
    folder = tmp_path_factory.mktemp("takes")
    (folder / "nothing").mkdir()
    return [record(folder / "lossy", f"random_drops:{FIRST}=0.3"), record(folder / "good"), folder / "nothing"]


def test_takes_are_compared_and_the_best_one_is_named(takes: list[Path]):
    comparison = compare_takes(takes)
    assert comparison.best is not None
    assert comparison.best.path == takes[1]
    lossy, good, nothing = comparison.takes
    assert (lossy.lost_captures or 0) > (good.lost_captures or 0) == 0
    assert nothing.report is None
    assert "no session folder" in (nothing.error or "")


@pytest.fixture
def genlock(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*arguments: object) -> tuple[int, str]:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return status, capsys.readouterr().out

    return call


def test_compare_exits_by_whether_a_take_can_be_used(takes: list[Path], genlock: Callable[..., tuple[int, str]]):
    status, out = genlock("compare", *takes[:2], "--json")
    assert status == 0
    assert json.loads(out)["best"] == str(takes[1])
    assert genlock("compare", takes[0])[0] == 1
    assert genlock("compare", *takes, "--json")[0] == 2


def test_the_faults_are_listed_with_their_form(genlock: Callable[..., tuple[int, str]]):
    status, out = genlock("sim", "faults", "--json")
    assert status == 0
    listed = json.loads(out)
    assert "cable_pulled" in {fault["kind"] for fault in listed["faults"]}
    assert all(fault["summary"] for fault in listed["faults"])


def test_monitor_prints_lines_for_programs(tmp_path: Path, genlock: Callable[..., tuple[int, str]]):
    rig = tmp_path / "rig.toml"
    rig.write_text(rig_toml(2))
    (tmp_path / "dark.toml").write_text('scene = "dark"\n')
    options = ("--backend", "sim", "--scenario", tmp_path / "dark.toml", "--seconds", 3)
    status, out = genlock("monitor", rig, *options, "--jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert len(lines) >= 3
    assert lines[-1]["devices"][0]["state"] == "locked"
    status, out = genlock("monitor", rig, *options, "--fault", f"cable_pulled@1s:{FIRST}", "--json")
    assert status == 1
    assert json.loads(out)["findings"][0]["code"] == "session.sync_lost"


@pytest.mark.parametrize(
    "fault",
    ["no_such_fault:000000000002", "cable_pulled@3s", "cable_pulled:000000000099", "cable_pulled@5s-3s:000000000002"],
)
def test_a_fault_that_makes_no_sense_is_wrong_usage(
    tmp_path: Path, fault: str, genlock: Callable[..., tuple[int, str]]
):
    status, out = genlock("demo", "-o", tmp_path / "take", "--fault", fault, "--json")
    assert status == 2
    assert "--fault" in json.loads(out)["error"]["message"]
    assert not (tmp_path / "take").exists()


PINNED = {serial: {"depth_delay_off_color_usec": 0} for serial in (MASTER, FIRST)}


def interference_of(toml: str) -> PairResult:
    rig = parse_rig(toml)
    with open_backend("sim", rig, scenario=Scenario(scene=SceneName.EMPTY_ROOM)) as backend:
        result = measure_interference(make_plan(rig), backend)
    assert set(result.alone) == {MASTER, FIRST}
    json.dumps(result.to_json(), allow_nan=False)
    (pair,) = result.pairs
    assert [finding.code for finding in result.findings] == (["session.interference"] if pair.is_disturbed else [])
    return pair


def test_lasers_that_the_plan_keeps_apart_do_not_disturb_each_other():
    pair = interference_of(rig_toml(2))
    assert pair.gap_usec > 35
    assert pair.agreement is Agreement.CLEAR


def test_lasers_at_one_time_are_seen_to_disturb_each_other():
    """The rig file claims that they do not see the same space, so that the plan lets their pulses meet."""
    pair = interference_of(rig_toml(2, per_device=PINNED) + '[plan]\noverlap = "none"\n')
    assert pair.gap_usec == -125
    assert pair.agreement is Agreement.DISTURBED_AS_PLANNED


def test_devices_that_see_nothing_are_not_called_clear():
    rig = parse_rig(rig_toml(2))
    with opened(rig) as backend:
        result = measure_interference(make_plan(rig), backend)
    assert [pair.agreement for pair in result.pairs] == [Agreement.NOT_JUDGED]
    assert [finding.code for finding in result.findings] == ["session.interference_not_judged"]


def test_faults_can_be_caused_and_ended_while_a_rig_is_watched():
    rig = parse_rig(rig_toml(3))
    seen: list[str] = []
    with opened(rig) as backend:

        def act(status: SessionStatus) -> None:
            seen.append(status.devices[SECOND].health.state.value)
            if len(seen) == 4:
                assert apply_live_fault(backend, rig, f"cable_pulled:{SECOND}").startswith("caused cable_pulled")
            if len(seen) == 8:
                apply_live_fault(backend, rig, f"-cable_pulled:{SECOND}")

        result = monitor_rig(make_plan(rig), backend, seconds=11, on_status=act)
        with pytest.raises(UnreadableInputError, match="no device 000000000009"):
            apply_live_fault(backend, rig, "cable_pulled:000000000009")
    assert seen[:4].count("locked") >= 2 and "lost" in seen[4:8]
    assert "lost" not in seen[-2:]
    assert any(f.code == "session.sync_lost" for f in result.findings)
