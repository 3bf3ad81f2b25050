"""The acceptance run, rehearsed: a healthy virtual rig passes, and every deviation that is planted is found."""

import json
from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.devices.scenario import ExposurePoint, Firmware, Scenario, SceneName, StampClock, TimingModel, parse_fault
from genlock.k4a import SyncJacks
from genlock.plan import make_plan
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.workflows.selftest import (
    CLAIMS,
    NOBODY,
    Operator,
    Rehearsal,
    SelftestResult,
    Task,
    Verdict,
    report_markdown,
    run_selftest,
    write_report,
)
from support.tampered import TamperedBackend, Tampering
from support.virtual_rig import running_rig

LAST = "000000000003"
TRIGGERED = ['topology = "external_trigger"']
# What costs images of a lit room.
IN_LIGHT = frozenset(
    {
        "manual_first_is_as_bright",
        "mjpg_bytes",
        "lasers_apart_clear",
        "lasers_together_disturb",
        "lasers_disturb_by_overlap",
    }
)


def rehearse(
    *claims: str,
    scenario: Scenario | None = None,
    tampering: Tampering | None = None,
    operator: Operator | None = None,
    wiring: list[str] | None = None,
    long_sec: float = 8.0,
) -> SelftestResult:
    rig = parse_rig(rig_toml(3, wiring=wiring))
    with open_backend("sim", rig, scenario=scenario or Scenario(scene=SceneName.DARK)) as backend:
        return run_selftest(
            rig,
            make_plan(rig),
            TamperedBackend(backend, tampering) if tampering else backend,
            operator or Rehearsal(backend),
            long_sec=long_sec,
            only=frozenset(claims or CLAIMS),
        )


def verdicts(result: SelftestResult) -> dict[str, Verdict]:
    return {answer.claim_id: answer.verdict for answer in result.answers}


def dark(**timing: object) -> Scenario:
    return Scenario(scene=SceneName.DARK, timing=TimingModel(**timing))


def test_on_a_healthy_rig_every_claim_about_timing_holds():
    result = rehearse(*(CLAIMS.keys() - IN_LIGHT))
    found = verdicts(result)
    untried = {"usb_serials", "trigger_all_subordinates", "trigger_into_master", "lasers_apart_clear"}
    expected = CLAIMS.keys() - IN_LIGHT - untried
    assert {claim: verdict for claim, verdict in found.items() if claim in expected} == dict.fromkeys(
        expected, Verdict.HELD
    )


def test_on_a_healthy_rig_every_claim_about_light_holds():
    found = verdicts(rehearse(*IN_LIGHT, scenario=Scenario(scene=SceneName.EMPTY_ROOM), long_sec=5.0))
    assert {claim: found[claim] for claim in IN_LIGHT} == dict.fromkeys(IN_LIGHT, Verdict.HELD)


DEVIATIONS: list[tuple[str, Scenario]] = [
    ("first_image_time", dark(first_image_usec=120_000)),
    ("subordinate_delay_truncates", dark(delay_deviation_ticks=1)),
    ("depth_delay_truncates", dark(delay_deviation_ticks=-1)),
    ("master_depth_late", dark(master_depth_deviation_ticks=9)),
    ("common_zero", dark(late_stamp_ratio=0.0, settling_usec=900.0, settling_frames=100)),
    ("common_zero", Scenario(scene=SceneName.DARK, faults=(parse_fault(f"starts_late:{LAST}=1.8"),))),
    ("late_start_own_zero", dark(is_late_start_on_masters_clock=True)),
    ("late_start_on_pulse", Scenario(scene=SceneName.DARK, faults=(parse_fault("free_running:000000000002=400"),))),
    ("restart_common_zero", dark(settling_usec=900.0, settling_frames=100)),
    ("freed_stamps_drift", dark(stamp_clock=StampClock.DISCIPLINED)),
    ("freed_runs_on", Scenario(scene=SceneName.DARK, faults=(parse_fault(f"burst_drops@6s-30s:{LAST}"),))),
    ("idle_device_repeats", dark(is_repeating_while_idle=False)),
    ("unequal_exposures_end_together", dark(exposures_share=ExposurePoint.CENTER)),
    ("unequal_exposures_end_together", dark(exposures_share=ExposurePoint.START)),
    ("arrival_jitter", dark(transfer_jitter_usec=6_000.0)),
    ("clock_ppm", dark(oscillator_ppm=2_000.0)),
]


@pytest.mark.parametrize(
    ("claim", "scenario"), DEVIATIONS, ids=[f"{claim}-{n}" for n, (claim, _) in enumerate(DEVIATIONS)]
)
def test_a_deviation_of_the_virtual_rig_is_found(claim: str, scenario: Scenario):
    assert verdicts(rehearse(claim, scenario=scenario))[claim] is Verdict.DID_NOT_HOLD


TAMPERINGS: list[tuple[str, Tampering]] = [
    ("start_refuses_missing_plugs", Tampering(starts_without_plugs=True)),
    ("jacks_show_wiring", Tampering(jacks=SyncJacks(True, True))),
    ("jack_tells_pull", Tampering(jacks=SyncJacks(True, True))),
    ("subordinate_waits", Tampering(waits_not=True)),
    ("calibration_serial", Tampering(calibration_serial="999999999999")),
    ("exposure_table", Tampering(takes_any_exposure=True)),
    ("powerline_again", Tampering(gain_after_powerline=10)),
    ("imu_clock", Tampering(imu_slowness=1.05)),
    ("arrival_clock", Tampering(arrives_later_nsec=3_600_000_000_000)),
    ("depth_follows_color", Tampering(depth_shift_usec=500)),
    ("mjpg_bytes", Tampering(drops_jpeg_bytes=True)),
]


@pytest.mark.parametrize(("claim", "tampering"), TAMPERINGS, ids=[claim for claim, _ in TAMPERINGS])
def test_a_device_unlike_all_others_is_found(claim: str, tampering: Tampering):
    assert verdicts(rehearse(claim, tampering=tampering))[claim] is Verdict.DID_NOT_HOLD


def test_measured_clocks_are_the_true_ones():
    rig = parse_rig(rig_toml(2))
    with open_backend("sim", rig, scenario=Scenario(scene=SceneName.DARK, seed=5)) as backend:
        only = frozenset({"clock_ppm", "freed_stamps_drift"})
        result = run_selftest(rig, make_plan(rig), backend, Rehearsal(backend), long_sec=60.0, only=only)
        truth = {device["serial"]: device["oscillator_ppm"] for device in backend.truth()["devices"]}
    numbers = {answer.claim_id: answer.numbers for answer in result.answers}
    # Both slaved: all of them show the master's oscillator. Three sigma either way.
    for serial in truth:
        sigma_ppm = numbers["clock_ppm"][f"sigma_ppm_{serial}"]
        assert abs(numbers["clock_ppm"][f"device_ppm_{serial}"] - truth["000000000001"]) < 3 * sigma_ppm
    freed = numbers["freed_stamps_drift"]
    between_ppm = truth["000000000002"] - truth["000000000001"]
    assert abs(abs(freed["drift_ppm"]) - abs(between_ppm)) < 3 * freed["sigma_ppm"] + 0.05


def test_dark_first_images_are_found():
    faults = tuple(parse_fault(f"dark_exposure:{number:012d}") for number in range(1, 4))
    scenario = Scenario(scene=SceneName.EMPTY_ROOM, faults=faults)
    result = rehearse("manual_first_is_as_bright", scenario=scenario)
    assert verdicts(result)["manual_first_is_as_bright"] is Verdict.DID_NOT_HOLD


def test_delays_that_do_not_move_the_lasers_are_found():
    # Ten ticks on each of two delays, 222 us: what should lie 240 us apart overlaps, and 0 is not together.
    scenario = Scenario(scene=SceneName.EMPTY_ROOM, timing=TimingModel(delay_deviation_ticks=-10))
    found = verdicts(rehearse("lasers_disturb_by_overlap", scenario=scenario))
    assert found["lasers_together_disturb"] is Verdict.DID_NOT_HOLD
    assert found["lasers_disturb_by_overlap"] is Verdict.DID_NOT_HOLD
    assert found["lasers_apart_clear"] is Verdict.DID_NOT_HOLD


def test_devices_that_see_nothing_say_nothing_about_lasers():
    result = rehearse("lasers_apart_clear")
    lasers = [answer for answer in result.answers if answer.claim_id.startswith("lasers_")]
    assert {answer.verdict for answer in lasers} == {Verdict.NOT_TRIED}
    assert all("100 % of the depth" in answer.text for answer in lasers)


def test_old_firmware_is_held_against_its_own_first_images():
    scenario = Scenario(scene=SceneName.DARK, firmware=Firmware.V1_6_104)
    result = rehearse("first_image_time", scenario=scenario, long_sec=5.0)
    assert verdicts(result)["first_image_time"] is Verdict.HELD


@pytest.mark.parametrize(
    ("wiring", "claim"),
    [
        (TRIGGERED, "trigger_all_subordinates"),
        ([*TRIGGERED, 'master = "000000000001"'], "trigger_into_master"),
    ],
)
def test_a_trigger_is_tried_where_the_rig_file_has_one(wiring: list[str], claim: str):
    found = verdicts(rehearse("trigger_all_subordinates", "first_image_time", wiring=wiring, long_sec=5.0))
    assert found[claim] is Verdict.HELD
    assert found["subordinate_waits"] is Verdict.HELD
    assert found["freed_runs_on"] is Verdict.NOT_TRIED


def test_a_device_that_the_trigger_does_not_reach_is_found():
    pulled = Scenario(scene=SceneName.DARK, faults=(parse_fault(f"dead_port:{LAST}"),))
    found = verdicts(rehearse("trigger_all_subordinates", wiring=TRIGGERED, scenario=pulled))
    assert found["trigger_all_subordinates"] is Verdict.DID_NOT_HOLD


def test_what_needs_hands_is_not_tried_when_nobody_is_there():
    result = rehearse("freed_runs_on", operator=NOBODY)
    answer = next(a for a in result.answers if a.claim_id == "freed_runs_on")
    assert answer.verdict is Verdict.NOT_TRIED
    assert "nobody was there" in answer.text
    trigger = rehearse("trigger_all_subordinates", operator=NOBODY, wiring=TRIGGERED)
    assert verdicts(trigger)["trigger_all_subordinates"] is Verdict.NOT_TRIED


def test_a_person_may_say_why_not():
    class Unwilling:
        def do(self, task: Task, serial: str | None = None) -> str | None:
            return "the plug is glued in" if task is Task.PULL_SYNC_IN else None

    result = rehearse("jack_tells_pull", operator=Unwilling())
    answer = next(a for a in result.answers if a.claim_id == "jack_tells_pull")
    assert (answer.verdict, answer.text) == (Verdict.NOT_TRIED, "the plug is glued in")


def test_a_pull_that_nothing_shows_is_not_taken_for_perfect_stamps():
    class Lazy:
        def do(self, task: Task, serial: str | None = None) -> str | None:
            return None

    found = verdicts(rehearse("freed_stamps_drift", operator=Lazy()))
    assert found["freed_stamps_drift"] is Verdict.NOT_TRIED
    assert found["jack_tells_pull"] is Verdict.DID_NOT_HOLD


def test_a_wiring_that_nobody_can_check_is_not_judged_by_the_jacks():
    class Elsewhere:
        def do(self, task: Task, serial: str | None = None) -> str | None:
            return "the rig is in another building"

    found = verdicts(rehearse("jacks_show_wiring", operator=Elsewhere()))
    assert found["jacks_show_wiring"] is Verdict.NOT_TRIED
    assert found["exposure_table"] is Verdict.HELD


def test_a_device_that_fails_costs_its_experiment_and_no_other():
    result = rehearse("first_image_time", "calibration_serial", tampering=Tampering(dies_after_captures=3))
    found = verdicts(result)
    assert found["calibration_serial"] is Verdict.HELD
    assert found["common_zero"] is Verdict.DID_NOT_HOLD


def test_a_cancelled_run_answers_nothing_that_it_cut_short():
    rig = parse_rig(rig_toml(3))
    with open_backend("sim", rig, scenario=Scenario(scene=SceneName.DARK)) as backend:
        begun_nsec = backend.clock.now_nsec()
        result = run_selftest(
            rig,
            make_plan(rig),
            backend,
            Rehearsal(backend),
            is_cancelled=lambda: backend.clock.now_nsec() - begun_nsec > 3_000_000_000,
        )
    assert result.was_cancelled
    assert verdicts(result)["calibration_serial"] is Verdict.HELD
    assert verdicts(result)["common_zero"] is Verdict.NOT_TRIED


def test_one_device_alone_says_what_it_could_not_try():
    rig = parse_rig(rig_toml(1))
    with open_backend("sim", rig, scenario=Scenario(scene=SceneName.DARK)) as backend:
        result = run_selftest(rig, make_plan(rig), backend, Rehearsal(backend), long_sec=5.0)
    reasons = {a.claim_id: a.text for a in result.answers if a.verdict is Verdict.NOT_TRIED}
    assert reasons["freed_runs_on"] == "the rig file has no master"
    assert reasons["common_zero"] == "needs two devices"
    assert "imu_clock" not in reasons


def test_the_report_says_that_it_was_a_rehearsal_and_holds_every_claim(tmp_path: Path):
    result = rehearse("exposure_table", tampering=Tampering(takes_any_exposure=True))
    markdown, as_json = write_report(result, tmp_path)
    text = markdown.read_text()
    assert text == report_markdown(result)
    assert "SIMULATED" in text
    assert all(f"`{claim}`" in text for claim in CLAIMS)
    assert text.index("## Did not hold") < text.index("## Held")
    content = json.loads(as_json.read_text())
    assert content["is_simulated"] is True
    assert {claim["id"] for claim in content["claims"]} == set(CLAIMS)


def test_lost_captures_do_not_look_like_another_time_base():
    faults = (parse_fault("random_drops:000000000001=0.1"), parse_fault(f"random_drops:{LAST}=0.1"))
    result = rehearse("common_zero", scenario=Scenario(scene=SceneName.DARK, faults=faults))
    assert verdicts(result)["common_zero"] is Verdict.HELD


def test_on_libk4as_interface_with_a_virtual_rig_behind_it(monkeypatch: pytest.MonkeyPatch):
    rig = parse_rig(rig_toml(2))
    with running_rig(rig) as virtual:
        for name in ("GENLOCK_VIRTUAL", "GENLOCK_K4A_LIBRARY"):
            monkeypatch.setenv(name, virtual.environment[name])
        with open_backend("native", rig) as backend:
            hands = Rehearsal(virtual.backend)
            only = frozenset({"freed_runs_on", "exposure_table"})
            result = run_selftest(rig, make_plan(rig), backend, hands, long_sec=5.0, only=only)
    found = verdicts(result)
    assert found["exposure_table"] is Verdict.HELD
    assert found["start_refuses_missing_plugs"] is Verdict.HELD
    assert found["freed_runs_on"] is Verdict.HELD
    assert found["jack_tells_pull"] is not Verdict.NOT_TRIED
    assert result.is_simulated
