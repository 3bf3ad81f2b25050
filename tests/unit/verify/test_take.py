"""Whole takes in, verdicts out: each fault is planted, so that each finding is seen to come and to stay away."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.findings import Finding, Severity, errors_in
from genlock.k4a import CameraFps, WiredSyncMode
from genlock.testing.stamps import StampFaults, StampStream, make_rig_stamps, rig_configs, stamp_faults, stamp_streams
from genlock.testing.takes import device_evidence, session_evidence, start_events
from genlock.verify import (
    DataLossEvent,
    DeviceEvidence,
    Report,
    StartEvent,
    StartOrder,
    TakeEvidence,
    Verdict,
    report_html,
    verify_take,
)

LAW = settings(deadline=None, derandomize=True, max_examples=200)

MASTER, FIRST, SECOND = rig_configs(3)


def verify_session(streams: tuple[StampStream, ...]) -> Report:
    return verify_take(session_evidence(streams))


def verify_rig(faults: dict[int, StampFaults], *, captures: int = 300, fps: CameraFps = CameraFps.FPS_30) -> Report:
    return verify_session(make_rig_stamps(3, captures, faults, fps=fps))


def verify_loose(streams: tuple[StampStream, ...]) -> Report:
    return verify_take(TakeEvidence(tuple(map(device_evidence, streams)), name="loose"))


def codes(report: Report, severity: Severity | None = None) -> list[str]:
    return sorted(f.code for f in report.findings if severity is None or f.severity is severity)


def finding(report: Report, code: str) -> Finding:
    (found,) = [f for f in report.findings if f.code == code]
    return found


def with_role(stream: StampStream, mode: WiredSyncMode) -> StampStream:
    return replace(stream, config=replace(stream.config, wired_sync_mode=mode))


# ---- the numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", list(CameraFps))
def test_a_healthy_rig_is_good_without_any_finding(fps: CameraFps) -> None:
    report = verify_rig({}, captures=60, fps=fps)
    assert report.verdict is Verdict.GOOD
    assert report.findings == ()
    assert report.start_order is StartOrder.RIGHT
    assert report.reference_serial == MASTER
    assert (report.sets.expected, report.sets.settling, report.sets.judged, report.sets.complete) == (60, 10, 50, 50)
    # A tick of jitter on each of two stamps.
    assert report.max_error_usec == pytest.approx(200 / 9)


def test_a_file_shifted_by_two_milliseconds_fails_and_is_named() -> None:
    report = verify_rig({2: StampFaults(shift_usec=2000)})
    assert report.verdict is Verdict.FAIL
    assert codes(report) == ["verify.constant_offset"]
    assert finding(report, "verify.constant_offset").where == f"device {SECOND}"
    assert "2000 us late" in report.reason
    assert SECOND in report.reason
    device = report.devices[2]
    assert device.color is not None
    assert device.depth is not None
    assert (device.color.median_usec, device.depth.median_usec) == (2000, 2000)


def test_a_shifted_master_shows_as_all_others_being_early() -> None:
    report = verify_rig({0: StampFaults(shift_usec=2000)})
    assert report.verdict is Verdict.FAIL
    assert [f.where for f in errors_in(report.findings)] == [f"device {FIRST}", f"device {SECOND}"]
    assert "2000 us early" in report.reason


@pytest.mark.parametrize(
    ("fps", "error_ticks", "verdict"),
    [
        (30, 9, Verdict.GOOD),  # 100.0 us
        (30, 10, Verdict.FAIL),  # 111.1 us, beyond 110
        (15, 10, Verdict.PASS),
        (15, 19, Verdict.PASS),  # 211.1 us
        (15, 20, Verdict.FAIL),  # 222.2 us
        (5, 59, Verdict.PASS),  # 655.6 us
        (5, 60, Verdict.FAIL),  # 666.7 us
    ],
)
def test_one_offset_decides_on_whole_ticks(fps: int, error_ticks: int, verdict: Verdict) -> None:
    streams = make_rig_stamps(2, 100, {n: StampFaults(jitter_ticks=0) for n in range(2)}, fps=CameraFps(fps))
    color_usec = streams[1].color_usec.copy()
    ticks = -(-color_usec[50] * 9 // 100)
    color_usec[50] = (ticks + error_ticks) * 100 // 9
    report = verify_session((streams[0], replace(streams[1], color_usec=color_usec)))
    assert report.verdict is verdict
    assert report.max_error_usec == pytest.approx(error_ticks * 100 / 9)


def test_what_is_wrong_while_settling_does_not_count() -> None:
    streams = make_rig_stamps(2, 100)
    color_usec = streams[1].color_usec.copy()
    color_usec[:10] += 5000
    assert verify_session((streams[0], replace(streams[1], color_usec=color_usec))).verdict is Verdict.GOOD
    color_usec[10] += 5000
    assert verify_session((streams[0], replace(streams[1], color_usec=color_usec))).verdict is Verdict.FAIL


@pytest.mark.parametrize("device", [0, 1])
@pytest.mark.parametrize(
    ("losses", "verdict"), [(2, Verdict.GOOD), (3, Verdict.PASS), (20, Verdict.PASS), (21, Verdict.FAIL)]
)
def test_lost_captures_count_alike_on_the_reference_and_elsewhere(device: int, losses: int, verdict: Verdict) -> None:
    # 200 judged sets; two losses are 1 %, twenty are 10 %.
    lost = frozenset(range(20, 20 + 7 * losses, 7))
    report = verify_rig({device: StampFaults(lost=lost)}, captures=210)
    assert report.verdict is verdict
    assert report.sets.complete == 200 - losses
    assert [d.missing for d in report.devices] == [losses if n == device else 0 for n in range(3)]
    assert [d.extra for d in report.devices] == [0, 0, 0]


def test_a_capture_without_depth_makes_its_set_incomplete() -> None:
    report = verify_rig({1: StampFaults(lost_depth=frozenset(range(50, 60)))}, captures=210)
    assert report.verdict is Verdict.PASS
    assert (report.devices[1].missing, report.devices[1].partial) == (0, 10)
    assert "verify.images_missing" in codes(report, Severity.WARNING)


def test_few_single_losses_are_no_findings_but_a_burst_is() -> None:
    single = verify_rig({1: StampFaults(lost=frozenset({50, 90}))}, captures=900)
    burst = verify_rig({1: StampFaults(lost=frozenset({50, 51, 52}))}, captures=900)
    assert (single.verdict, codes(single)) == (Verdict.GOOD, [])
    assert (burst.verdict, codes(burst)) == (Verdict.GOOD, ["verify.captures_missing"])
    assert "3 from 1.667 s" in finding(burst, "verify.captures_missing").message


def test_too_few_sets_are_not_judged_but_shown() -> None:
    streams = make_rig_stamps(2, 39, {1: StampFaults(shift_usec=-150)})
    report = verify_session(streams)
    assert report.verdict is Verdict.NOT_JUDGED
    assert codes(report) == ["verify.too_few_sets"]
    assert report.numbers_include_settling
    assert report.devices[1].color is not None
    assert report.devices[1].color.samples == 39
    assert verify_session(make_rig_stamps(2, 40)).verdict is Verdict.GOOD


# ---- what the numbers mean ------------------------------------------------------------------------------------------


def test_a_free_clock_is_told_by_its_drift() -> None:
    report = verify_rig({1: StampFaults(drift_ppm=20)}, captures=600)
    assert report.verdict is Verdict.FAIL
    assert codes(report) == ["verify.drift"]
    drift = report.devices[1].drift
    assert drift is not None
    assert abs(drift.drift_ppm - 20) < 5 * drift.standard_error_ppm
    assert "ahead" in report.reason


def test_a_healthy_rig_does_not_drift() -> None:
    for seed in range(20):
        for device in verify_session(make_rig_stamps(3, 600, seed=seed)).devices:
            if device.drift:
                # Five sigmas: one in a million for each of these forty.
                assert abs(device.drift.drift_ppm) < 5 * device.drift.standard_error_ppm


def test_a_depth_delay_that_was_not_applied_is_recognised() -> None:
    report = verify_rig({2: StampFaults(is_depth_delay_ignored=True)})
    # The third of three devices has 160 us: 14 ticks, 155.6 us.
    assert codes(report) == ["verify.delay_not_applied"]
    assert "depth_delay_off_color_usec" in finding(report, "verify.delay_not_applied").message


def test_a_subordinate_delay_that_was_not_applied_is_recognised() -> None:
    configs = {s: replace(c, depth_delay_off_color_usec=0) for s, c in rig_configs(2).items()}
    configs[FIRST] = replace(configs[FIRST], subordinate_delay_off_master_usec=5000)
    streams = make_rig_stamps(2, 100)
    late = [replace(stream, config=configs[stream.serial], depth_usec=stream.color_usec) for stream in streams]
    report = verify_session((late[0], late[1]))
    assert codes(report) == ["verify.delay_not_applied"]
    assert "subordinate_delay_off_master_usec" in finding(report, "verify.delay_not_applied").message


def test_a_few_offsets_beyond_are_outliers_with_their_time() -> None:
    streams = make_rig_stamps(2, 300)
    color_usec = streams[1].color_usec.copy()
    color_usec[[100, 150]] += 3000
    report = verify_session((streams[0], replace(streams[1], color_usec=color_usec)))
    assert codes(report) == ["verify.offset_outliers"]
    message = finding(report, "verify.offset_outliers").message
    assert "in 2 of 290 sets" in message
    assert "first at 3.4" in message  # capture 102 from the first pulse


def test_a_device_that_falls_silent_in_a_session_fails_it() -> None:
    report = verify_rig({1: StampFaults(lost=frozenset(range(150, 400)))})
    assert report.verdict is Verdict.FAIL
    assert "up to the end of the take" in finding(report, "verify.captures_missing").message


def test_a_reference_that_falls_silent_in_a_session_fails_it() -> None:
    report = verify_rig({0: StampFaults(lost=frozenset(range(150, 400)))})
    assert report.verdict is Verdict.FAIL
    assert report.devices[0].missing > 100
    assert report.devices[1].missing == report.devices[1].extra == 0


def test_loose_files_are_judged_on_their_common_span_and_this_is_said() -> None:
    streams = make_rig_stamps(3, 300, {1: StampFaults(lost=frozenset(range(150, 400)))})
    report = verify_loose(streams)
    assert report.verdict is Verdict.GOOD
    assert finding(report, "verify.common_span").severity is Severity.WARNING
    assert report.sets.expected == 148


@pytest.mark.parametrize(("lost", "missing", "verdict"), [(8, 0, Verdict.GOOD), (15, 6, Verdict.PASS)])
def test_what_a_session_lacks_at_its_end_counts_beyond_nine_periods(lost: int, missing: int, verdict: Verdict) -> None:
    report = verify_rig({1: StampFaults(lost=frozenset(range(302 - lost, 400)))})  # of captures 2 to 301
    assert report.verdict is verdict
    assert sum(device.missing for device in report.devices) == missing


def test_captures_out_of_order_are_told() -> None:
    streams = make_rig_stamps(2, 100)
    order = np.arange(100)
    order[[50, 51]] = [51, 50]
    swapped = replace(streams[1], color_usec=streams[1].color_usec[order], depth_usec=streams[1].depth_usec[order])
    report = verify_session((streams[0], swapped))
    assert report.verdict is Verdict.GOOD
    assert codes(report) == ["verify.stamps_disordered"]


def test_a_clock_that_jumps_fails() -> None:
    streams = make_rig_stamps(2, 300)
    jumped = []
    for stream in streams:
        jump = np.where(np.arange(300) >= 150, 2 * 3600 * 10**6, 0)
        jumped.append(replace(stream, color_usec=stream.color_usec + jump, depth_usec=stream.depth_usec + jump))
    report = verify_session((jumped[0], jumped[1]))
    assert report.verdict is Verdict.FAIL
    assert "verify.time_jump" in codes(report, Severity.ERROR)


# ---- which files these are ------------------------------------------------------------------------------------------


def test_a_standalone_device_among_others_fails() -> None:
    streams = make_rig_stamps(3, 100)
    report = verify_session((*streams[:2], with_role(streams[2], WiredSyncMode.STANDALONE)))
    assert report.verdict is Verdict.FAIL
    assert codes(report) == ["verify.standalone_among_several"]


def test_two_masters_fail() -> None:
    streams = make_rig_stamps(3, 100)
    report = verify_session((*streams[:2], with_role(streams[2], WiredSyncMode.MASTER)))
    assert report.verdict is Verdict.FAIL
    assert codes(report) == ["verify.two_masters"]


def test_subordinates_alone_are_measured_against_one_of_them() -> None:
    streams = make_rig_stamps(3, 100)
    report = verify_loose(streams[1:])
    assert report.verdict is Verdict.GOOD
    assert report.reference_serial == FIRST
    assert codes(report) == ["verify.no_master", "verify.start_order_not_judged"]


def test_a_subordinate_as_reference_lends_its_own_delay_to_nobody() -> None:
    configs = {s: replace(c, depth_delay_off_color_usec=0) for s, c in rig_configs(2).items()}
    delays_usec = {MASTER: 160, FIRST: 4000}
    streams = []
    for stream in make_rig_stamps(2, 100):
        config = replace(
            configs[stream.serial],
            wired_sync_mode=WiredSyncMode.SUBORDINATE,
            subordinate_delay_off_master_usec=delays_usec[stream.serial],
        )
        color_usec = stream.color_usec + config.subordinate_delay_off_master_ticks * 100 // 9
        streams.append(replace(stream, config=config, color_usec=color_usec, depth_usec=color_usec))
    assert verify_loose((streams[0], streams[1])).verdict is Verdict.GOOD


def test_mixed_frame_rates_fail_without_numbers() -> None:
    slow = make_rig_stamps(2, 100, fps=CameraFps.FPS_15)[1]
    report = verify_session((make_rig_stamps(2, 100)[0], slow))
    assert report.verdict is Verdict.FAIL
    assert codes(report, Severity.ERROR) == ["verify.mixed_fps"]
    assert report.camera_fps is None
    assert report.devices[0].captures == 100


def test_one_device_twice_is_not_judged() -> None:
    streams = make_rig_stamps(2, 100)
    report = verify_loose((*streams, streams[1]))
    assert report.verdict is Verdict.NOT_JUDGED
    assert codes(report, Severity.ERROR) == ["verify.duplicate_serial"]


@pytest.mark.parametrize(("shift_usec", "found"), [(0, []), (2000, ["verify.constant_offset"])])
def test_one_file_is_measured_inside_but_never_judged(shift_usec: int, found: list[str]) -> None:
    stream = with_role(make_rig_stamps(1, 100)[0], WiredSyncMode.STANDALONE)
    report = verify_loose((replace(stream, depth_usec=stream.depth_usec + shift_usec),))
    assert report.verdict is Verdict.NOT_JUDGED
    assert codes(report) == sorted([*found, "verify.single_device"])
    assert not errors_in(report.findings)
    assert report.devices[0].depth is not None


def test_files_of_different_times_are_not_judged() -> None:
    streams = make_rig_stamps(2, 100)
    later = replace(streams[1], color_usec=streams[1].color_usec + 10**8, depth_usec=streams[1].depth_usec + 10**8)
    report = verify_loose((streams[0], later))
    assert report.verdict is Verdict.NOT_JUDGED
    assert "verify.no_common_span" in codes(report, Severity.ERROR)


@pytest.mark.parametrize("empty", [0, 1])
def test_a_recording_without_captures_fails_the_take(empty: int) -> None:
    report = verify_rig({empty: StampFaults(lost_ratio=1.0)})
    assert report.verdict is Verdict.FAIL
    assert "verify.device_without_captures" in codes(report, Severity.ERROR)
    assert report.devices[empty].missing == report.sets.judged > 0


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_at_all_is_no_crash(count: int) -> None:
    streams = make_rig_stamps(2, 10, {0: StampFaults(lost_ratio=1.0)})[:count]
    assert verify_loose(streams).verdict in (Verdict.NOT_JUDGED, Verdict.FAIL)


def test_one_virtual_device_makes_the_whole_report_simulated() -> None:
    streams = make_rig_stamps(2, 100)
    evidence = session_evidence(streams)
    assert not verify_take(evidence).is_simulated
    mixed = (evidence.devices[0], replace(evidence.devices[1], is_simulated=True))
    assert verify_take(replace(evidence, devices=mixed)).is_simulated


# ---- start order and session ----------------------------------------------------------------------------------------


def test_a_late_start_leaves_no_offset_and_is_judged_from_the_log() -> None:
    streams = make_rig_stamps(3, 300, {1: StampFaults(late_frames=6)})
    starts = {start.serial: start for start in start_events(streams)}
    master = starts[MASTER]
    starts[FIRST] = StartEvent(FIRST, master.called_nsec + 10**8, master.called_nsec + 4 * 10**8)
    evidence = replace(session_evidence(streams), starts=tuple(starts.values()))
    report = verify_take(evidence)
    assert (report.verdict, report.start_order) == (Verdict.FAIL, StartOrder.WRONG)
    assert codes(report) == ["verify.started_after_master"]
    assert "400.0 ms" in report.reason
    # The same files without the log: nothing in the stamps shows it, and the report says so.
    blind = verify_take(replace(evidence, starts=None))
    assert (blind.verdict, blind.start_order) == (Verdict.GOOD, StartOrder.NOT_JUDGED)
    assert codes(blind) == ["verify.start_order_not_judged"]


def test_a_start_that_had_not_returned_when_the_master_started_is_late() -> None:
    streams = make_rig_stamps(2, 100)
    starts = (StartEvent(FIRST, 0, 1001), StartEvent(MASTER, 1000, 2000))
    report = verify_take(replace(session_evidence(streams), starts=starts))
    assert report.start_order is StartOrder.WRONG


def test_a_log_that_lacks_a_device_does_not_judge_the_order() -> None:
    evidence = session_evidence(make_rig_stamps(3, 100))
    assert evidence.starts is not None
    report = verify_take(replace(evidence, starts=evidence.starts[1:]))
    assert report.start_order is StartOrder.NOT_JUDGED
    assert FIRST in finding(report, "verify.start_order_not_judged").message


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("COMPLETED", []),
        ("CANCELLED", ["verify.session_cancelled"]),
        ("FAILED", ["verify.session_failed"]),
        ("RUNNING", ["verify.session_not_closed"]),
    ],
)
def test_the_sessions_end_is_told(state: str, found: list[str]) -> None:
    evidence = replace(session_evidence(make_rig_stamps(2, 100)), session_state=state)
    report = verify_take(evidence)
    assert (report.verdict, codes(report)) == (Verdict.GOOD, found)


def test_loose_files_of_one_name_are_judged_on_the_span_that_they_share() -> None:
    devices = list(map(device_evidence, make_rig_stamps(2, 300)))
    devices[1] = first_captures(devices[1], 150)
    apart = verify_take(TakeEvidence(tuple(devices)))
    alike = verify_take(TakeEvidence(tuple(replace(device, source="output.mkv") for device in devices)))
    assert apart.verdict is alike.verdict is Verdict.GOOD
    assert apart.sets == alike.sets
    assert alike.sets.expected == 150


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("COMPLETED", Verdict.GOOD),
        ("CANCELLED", Verdict.GOOD),
        ("RUNNING", Verdict.FAIL),
        ("FAILED", Verdict.FAIL),
    ],
)
def test_computers_may_end_at_different_times_only_where_somebody_ended_them(state: str, verdict: Verdict) -> None:
    evidence = session_evidence(make_rig_stamps(3, 300))
    master, *others = (
        replace(device, tags={"GENLOCK_HOST": "pc-1" if number == 0 else "pc-2"})
        for number, device in enumerate(evidence.devices)
    )
    killed = tuple(first_captures(device, 150) for device in others)
    report = verify_take(replace(evidence, devices=(master, *killed), session_state=state))
    assert report.verdict is verdict
    assert bool(report.diagnoses) is (verdict is Verdict.FAIL)


def first_captures(device: DeviceEvidence, count: int) -> DeviceEvidence:
    names = ("color_usec", "depth_usec", "arrival_nsec")
    return replace(device, **{name: getattr(device, name)[:count] for name in names})


def test_what_the_disk_refused_is_one_finding_a_device() -> None:
    losses = (
        DataLossEvent(FIRST, 4_500_000, 4_530_000, 3, "No space left on device"),
        DataLossEvent(SECOND, 1_000_000, 1_000_000, 1, "Input/output error"),
        DataLossEvent(FIRST, 2_000_000, 2_100_000, 4, "No space left on device"),
    )
    report = verify_take(replace(session_evidence(make_rig_stamps(3, 300)), data_losses=losses))
    told = {f.where: f.message for f in report.findings if f.code == "verify.data_lost"}
    assert told == {
        f"device {FIRST}": "7 images or inertial samples between 2.000 s and 4.530 s of its clock, in 2 stretches that "
        "the log names, did not reach the disk: No space left on device",
        f"device {SECOND}": "1 images or inertial samples between 1.000 s and 1.000 s of its clock did not reach the "
        "disk: Input/output error",
    }


# ---- laws -----------------------------------------------------------------------------------------------------------


@LAW
@given(st.data())
def test_the_report_does_not_depend_on_which_device_is_named_first(data: st.DataObject) -> None:
    streams = data.draw(stamp_streams())
    is_session = data.draw(st.booleans())
    devices = tuple(map(device_evidence, streams))
    state = "COMPLETED" if is_session else None
    expected = verify_take(TakeEvidence(devices, starts=start_events(streams), name="x", session_state=state))
    shuffled = tuple(data.draw(st.permutations(devices)))
    starts = tuple(data.draw(st.permutations(start_events(streams))))
    assert verify_take(TakeEvidence(shuffled, starts=starts, name="x", session_state=state)) == expected


def test_the_verdict_of_a_real_looking_take_does_not_depend_on_the_order_either() -> None:
    faults = {1: StampFaults(lost_ratio=0.05), 2: StampFaults(shift_usec=300), 3: StampFaults(drift_ppm=4)}
    evidence = session_evidence(make_rig_stamps(5, 400, faults))
    expected = verify_take(evidence)
    for seed in range(10):
        devices = random.Random(seed).sample(evidence.devices, len(evidence.devices))
        assert verify_take(replace(evidence, devices=tuple(devices))) == expected


@LAW
@given(st.dictionaries(st.integers(0, 2), stamp_faults()), st.booleans(), st.integers(20, 120))
def test_a_fail_always_comes_with_an_error_and_nothing_else_does(
    faults: dict[int, StampFaults], is_session: bool, captures: int
) -> None:
    streams = make_rig_stamps(3, captures, faults)
    report = verify_session(streams) if is_session else verify_loose(streams)
    if report.verdict is Verdict.FAIL:
        assert errors_in(report.findings)
    if report.verdict in (Verdict.GOOD, Verdict.PASS):
        assert not errors_in(report.findings)
        assert report.max_error_usec is not None
        assert report.max_error_usec <= 110
    if report.verdict is Verdict.GOOD:
        assert report.sets.complete_ratio is not None
        assert report.sets.complete_ratio >= 0.99
        assert report.max_error_usec is not None
        assert report.max_error_usec <= 100
    assert all(f.remedy for f in report.findings)
    assert report.reason


@LAW
@given(st.lists(st.lists(st.integers(0, 2**60), max_size=12), min_size=1, max_size=3), st.booleans())
def test_no_stamps_whatever_make_it_crash(times: list[list[int]], is_session: bool) -> None:
    streams = [
        replace(stream, color_usec=np.array(usec, dtype=np.int64), depth_usec=np.array(usec, dtype=np.int64))
        for stream, usec in zip(make_rig_stamps(3, 1), times, strict=False)
    ]
    report = verify_session(tuple(streams)) if is_session else verify_loose(tuple(streams))
    assert report.verdict in (Verdict.NOT_JUDGED, Verdict.FAIL)
    report_html(report)
    report.to_text()


@LAW
@given(st.integers(0, 10**12), st.integers(0, 50))
def test_the_report_is_the_same_at_any_time_of_the_device_clock(shift_ticks: int, seed: int) -> None:
    # Nine ticks are 100 us, so that shifting by whole hundreds keeps every stamp on its tick.
    streams = make_rig_stamps(2, 60, {1: StampFaults(lost_ratio=0.03)}, seed=seed)
    moved = tuple(
        replace(s, color_usec=s.color_usec + 100 * shift_ticks, depth_usec=s.depth_usec + 100 * shift_ticks)
        for s in streams
    )
    here, there = verify_session(streams), verify_session(moved)
    assert (here.verdict, here.sets) == (there.verdict, there.sets)
    assert [(d.color, d.depth, d.missing) for d in here.devices] == [
        (d.color, d.depth, d.missing) for d in there.devices
    ]
