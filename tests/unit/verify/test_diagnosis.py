"""Each rule of the table is shown a planted symptom and names its cause; a healthy rig is told nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from genlock.k4a import CameraFps, WiredSyncMode
from genlock.plan import Plan, make_plan
from genlock.rig import parse_rig
from genlock.sync import LossEvidence
from genlock.testing.rigs import rig_toml
from genlock.testing.stamps import StampFaults, StampStream, make_rig_stamps, rig_configs
from genlock.testing.takes import device_evidence, session_evidence, start_events
from genlock.verify import (
    AlarmEvent,
    Cause,
    Certainty,
    Diagnosis,
    LiveFinding,
    PictureSample,
    Report,
    TakeEvidence,
    verify_take,
)
from genlock.verify.diagnosis import RULES

MASTER, FIRST, SECOND = rig_configs(3)
CAPTURES = 600


def plan_of(streams: tuple[StampStream, ...], *, hosts: dict[str, str] | None = None) -> Plan:
    """The plan that these streams would have been recorded by."""
    per_device = {serial: {"host": host} for serial, host in (hosts or {}).items()}
    plan = make_plan(parse_rig(rig_toml(len(streams), per_device=per_device)))
    devices = tuple(replace(d, config=s.config) for d, s in zip(plan.devices, streams, strict=True))
    return replace(plan, devices=devices)


def session(streams: tuple[StampStream, ...], **changed: object) -> TakeEvidence:
    evidence = replace(session_evidence(streams), plan=plan_of(streams))
    return replace(evidence, **changed)  # type: ignore[arg-type]  # whatever a test plants


def with_faults(faults: dict[int, StampFaults], devices: int = 3) -> TakeEvidence:
    return session(make_rig_stamps(devices, CAPTURES, faults))


def tagged(tags: dict[str, dict[str, str]]) -> TakeEvidence:
    evidence = with_faults({})
    return replace(evidence, devices=tuple(replace(d, tags=tags.get(d.serial, {})) for d in evidence.devices))


def runs_away(after: int, number: int = 2, ppm: float = 20.0) -> TakeEvidence:
    """A device whose clock runs free from a capture on."""
    streams = list(make_rig_stamps(3, CAPTURES))
    late_usec = np.rint(np.maximum(0, np.arange(CAPTURES) - after) / 30 * ppm).astype(np.int64)
    stream = streams[number]
    streams[number] = later(stream, late_usec)
    return session(tuple(streams))


def later(stream: StampStream, late_usec: NDArray[np.int64]) -> StampStream:
    return replace(stream, color_usec=stream.color_usec + late_usec, depth_usec=stream.depth_usec + late_usec)


def pulled() -> TakeEvidence:
    alarm = AlarmEvent(FIRST, LossEvidence.JACK, 12_300_000, "its Sync In reads no plug any more")
    return replace(with_faults({}), alarms=(alarm,))


def no_captures() -> TakeEvidence:
    streams = make_rig_stamps(3, CAPTURES)
    empty = replace(streams[1], color_usec=streams[1].color_usec[:0], depth_usec=streams[1].depth_usec[:0])
    return session((streams[0], empty, streams[2]))


def second_master() -> TakeEvidence:
    streams = make_rig_stamps(3, CAPTURES)
    master = replace(streams[2], config=replace(streams[2].config, wired_sync_mode=WiredSyncMode.MASTER))
    return replace(session_evidence((*streams[:2], master)), plan=None)


def not_wired() -> TakeEvidence:
    streams = make_rig_stamps(3, CAPTURES)
    alone = replace(streams[2], config=replace(streams[2].config, wired_sync_mode=WiredSyncMode.STANDALONE))
    return replace(session_evidence((*streams[:2], alone)), plan=None)


def master_first() -> TakeEvidence:
    streams = make_rig_stamps(3, CAPTURES)
    starts = start_events(streams)
    first = replace(starts[-1], called_nsec=-(10**9), returned_nsec=-(10**9) + 10**8)
    return replace(session(streams), starts=(first, *starts[:-1]))


def arrives_periods_late(periods: int) -> TakeEvidence:
    """Loose files: no log, but the arrivals of one device are of other moments than its stamps say."""
    devices = []
    for number, stream in enumerate(make_rig_stamps(3, CAPTURES)):
        shift_usec = periods * 33_333 if number == 1 else 5_000 * number
        arrival_nsec = (stream.color_usec + 40_000 + shift_usec) * 1000
        devices.append(replace(device_evidence(stream), arrival_nsec=arrival_nsec))
    return TakeEvidence(tuple(devices), name="loose")


def triggered(period_ratio: float = 1.0, left_out: frozenset[int] = frozenset()) -> TakeEvidence:
    streams = []
    for stream in make_rig_stamps(3, CAPTURES):
        keep = ~np.isin(np.arange(CAPTURES), list(left_out))
        config = replace(stream.config, wired_sync_mode=WiredSyncMode.SUBORDINATE)
        color, depth = ((t * period_ratio).astype(np.int64)[keep] for t in (stream.color_usec, stream.depth_usec))
        streams.append(replace(stream, config=config, color_usec=color, depth_usec=depth))
    return replace(session_evidence(tuple(streams)), plan=None)


def ends_early(number: int, message: str = "unplugged") -> TakeEvidence:
    evidence = with_faults({number: StampFaults(lost=frozenset(range(300, CAPTURES + 2)))})
    serial = evidence.devices[number].serial
    return replace(evidence, alarms=(AlarmEvent(serial, None, None, message),))


def exposures(serial: str, values: Callable[[int], int], tag: str = "8330") -> TakeEvidence:
    evidence = with_faults({})
    devices = []
    for device in evidence.devices:
        value_of = values if device.serial == serial else (lambda index: 8330)
        exposure_usec = np.array([value_of(index) for index in range(device.color_usec.size)])
        tags = {"GENLOCK_EXPOSURE_USEC": tag if device.serial == serial else "8330"}
        devices.append(replace(device, exposure_usec=exposure_usec, tags=tags))
    return replace(evidence, devices=tuple(devices))


def starved_host() -> TakeEvidence:
    faults = {n: StampFaults(lost_depth=frozenset(range(100, 400, 3))) for n in (2, 3)}
    streams = make_rig_stamps(4, CAPTURES, faults)
    return session(streams, plan=plan_of(streams, hosts={"000000000003": "B", "000000000004": "B"}))


def refused(code: str) -> TakeEvidence:
    """A run that failed before it could begin: nothing but its log."""
    finding = LiveFinding(code, FIRST, "what the run said")
    return TakeEvidence((), name="take", session_state="FAILED", live_findings=(finding,))


def shared_slot() -> TakeEvidence:
    """Two devices whose depth comes at one time: the second ignores its delay and is told to have none."""
    streams = list(make_rig_stamps(3, CAPTURES))
    for number in (1, 2):
        config = replace(streams[number].config, depth_delay_off_color_usec=0)
        streams[number] = replace(streams[number], config=config, depth_usec=streams[number].color_usec.copy())
    return session(tuple(streams))


def jumps(number: int = 1) -> TakeEvidence:
    streams = list(make_rig_stamps(3, CAPTURES))
    streams[number] = later(streams[number], np.where(np.arange(CAPTURES) < 300, 0, 400))
    return session(tuple(streams))


def minutes_apart() -> TakeEvidence:
    streams = list(make_rig_stamps(3, CAPTURES))
    streams[1] = later(streams[1], np.full(CAPTURES, 60_000_000))
    return session(tuple(streams))


def seen_by(gray: Callable[[int], NDArray[np.float32]], depth_ratio: float = 0.5) -> TakeEvidence:
    """FIRST sees this in its twelve samples; the others one and the same wall."""
    wall = np.kron(np.random.default_rng(5).uniform(40, 200, (10, 20)), np.ones((9, 8))).astype(np.float32)
    pictures = {serial: [PictureSample(n, wall, True, 0.5) for n in range(12)] for serial in (MASTER, SECOND)}
    own = [PictureSample(n, gray(n), True, depth_ratio) for n in range(12)]
    return replace(with_faults({}), pictures={**pictures, FIRST: own})


def only_inertial() -> TakeEvidence:
    evidence = no_captures()
    imu_usec = np.arange(100) * 150_000
    return replace(
        evidence,
        devices=tuple(d if d.color_usec.size else replace(d, imu_usec=imu_usec) for d in evidence.devices),
    )


WALL = np.kron(np.random.default_rng(6).uniform(40, 200, (10, 22)), np.ones((9, 8))).astype(np.float32)

SYMPTOMS: list[tuple[str, TakeEvidence, Cause, str]] = [
    ("a plug that the log saw go", pulled(), Cause.CABLE_PULLED, FIRST),
    ("stamps that leave after ten seconds", runs_away(300), Cause.CABLE_PULLED, SECOND),
    ("stamps that run away from the start", runs_away(0, ppm=60), Cause.FREE_CLOCK, SECOND),
    ("a recording without captures", no_captures(), Cause.NO_PULSE, FIRST),
    ("a log with the master first", master_first(), Cause.STARTED_LATE, FIRST),
    ("arrivals four periods away from their stamps", arrives_periods_late(4), Cause.STARTED_LATE, FIRST),
    ("a jack that reads empty", refused("session.sync_in_missing"), Cause.NO_PLUG, FIRST),
    ("captures before the master", refused("session.not_slaved"), Cause.NOT_SLAVED, FIRST),
    ("two masters", second_master(), Cause.TWO_MASTERS, "rig"),
    ("a standalone device", not_wired(), Cause.NOT_WIRED, SECOND),
    ("a master that ends first", ends_early(0), Cause.MASTER_DIED, MASTER),
    ("a subordinate that went away", ends_early(1), Cause.DEVICE_UNPLUGGED, FIRST),
    ("a subordinate that fell silent", ends_early(2, "delivered no capture for 5 s"), Cause.DEVICE_HUNG, SECOND),
    ("images of one kind missing on a host", starved_host(), Cause.USB_STARVATION, "host B"),
    (
        "a long gap",
        with_faults({1: StampFaults(lost=frozenset(range(200, 215)))}),
        Cause.BURST_DROPS,
        FIRST,
    ),
    ("many single gaps", with_faults({2: StampFaults(lost_ratio=0.04)}), Cause.RANDOM_DROPS, SECOND),
    ("a trigger 1 % slow", triggered(1.01), Cause.TRIGGER_RATE, "rig"),
    ("moments that nobody has", triggered(left_out=frozenset({100, 200, 201})), Cause.TRIGGER_GAPS, "rig"),
    ("automatic exposure", tagged({FIRST: {"GENLOCK_EXPOSURE_USEC": "auto"}}), Cause.AUTO_EXPOSURE, FIRST),
    (
        "exposures that wander",
        exposures(FIRST, lambda index: 8330 + 10 * (index % 80)),
        Cause.AUTO_EXPOSURE,
        FIRST,
    ),
    (
        "exposures that change",
        exposures(FIRST, lambda index: 8330 if index < 200 else 16_670),
        Cause.EXPOSURE_CHANGED,
        FIRST,
    ),
    ("an exposure other than set", exposures(SECOND, lambda index: 16_670), Cause.EXPOSURE_UNEQUAL, SECOND),
    (
        "unequal exposures in the tags",
        tagged({FIRST: {"GENLOCK_EXPOSURE_USEC": "16670"}, SECOND: {"GENLOCK_EXPOSURE_USEC": "8330"}}),
        Cause.EXPOSURE_UNEQUAL,
        "rig",
    ),
    (
        "unequal firmware",
        tagged({FIRST: {"K4A_COLOR_FIRMWARE_VERSION": "1.6.104"}, SECOND: {"K4A_COLOR_FIRMWARE_VERSION": "1.6.110"}}),
        Cause.FIRMWARE_UNEQUAL,
        "rig",
    ),
    (
        "depth where it lies without its delay",
        with_faults({0: StampFaults(is_depth_delay_ignored=True)}),
        Cause.DELAY_NOT_APPLIED,
        MASTER,
    ),
    ("times two milliseconds late", with_faults({1: StampFaults(shift_usec=2000)}), Cause.TIMES_SHIFTED, FIRST),
    ("times that jump and hold", jumps(), Cause.TIMES_JUMPED, FIRST),
    ("inertial samples without images", only_inertial(), Cause.USB_STARVATION, FIRST),
    ("black pictures", seen_by(lambda n: 0 * WALL, depth_ratio=0.0), Cause.LENS_COVERED, FIRST),
    ("a picture that moves once", seen_by(lambda n: WALL[:, 8 * (n > 5) :][:, :160]), Cause.CAMERA_BUMPED, FIRST),
    ("a tenth of the light", seen_by(lambda n: WALL * np.float32(0.1 ** (1 / 2.2))), Cause.DARK_EXPOSURE, FIRST),
    ("clocks a minute apart", minutes_apart(), Cause.TIMES_SHIFTED, "rig"),
    ("two lasers at one time", shared_slot(), Cause.SHARED_SLOT, f"{FIRST} and {SECOND}"),
]


def first_of(report: Report) -> Diagnosis:
    assert report.diagnoses, [f.code for f in report.findings]
    return report.diagnoses[0]


@pytest.mark.parametrize(
    ("evidence", "cause", "where"), [row[1:] for row in SYMPTOMS], ids=[row[0] for row in SYMPTOMS]
)
def test_a_planted_symptom_is_traced_to_its_cause(evidence: TakeEvidence, cause: Cause, where: str):
    diagnosis = first_of(verify_take(evidence))
    assert diagnosis.cause is cause
    assert where in diagnosis.where
    assert diagnosis.summary
    assert all(diagnosis.evidence)
    assert diagnosis.remedy


def test_a_healthy_rig_is_told_nothing():
    assert verify_take(with_faults({})).diagnoses == ()


@pytest.mark.parametrize("fps", list(CameraFps))
def test_a_healthy_rig_of_nine_is_told_nothing_at_any_rate(fps: CameraFps):
    assert verify_take(session_evidence(make_rig_stamps(9, 300, fps=fps))).diagnoses == ()


def test_the_time_of_a_pull_is_told():
    assert first_of(verify_take(pulled())).at_usec == 12_300_000
    at_usec = first_of(verify_take(runs_away(300))).at_usec
    # Capture 300 from the second on: 10.07 s; the onset is known to about a second either way.
    assert at_usec == pytest.approx(10_070_000, abs=1_500_000)


def test_devices_that_leave_together_are_told_of_each_other_and_who_feeds_them():
    streams = list(make_rig_stamps(4, CAPTURES))
    for number in (2, 3):
        late_usec = np.rint(np.maximum(0, np.arange(CAPTURES) - 300) / 30 * 40).astype(np.int64)
        streams[number] = later(streams[number], late_usec)
    report = verify_take(session(tuple(streams)))
    (diagnosis,) = report.diagnoses  # one cause, one diagnosis
    assert diagnosis.where == "device 000000000003"
    assert any("000000000002, which feeds it in the chain, stayed in step" in text for text in diagnosis.evidence)
    assert any("000000000004, behind it in the chain" in text for text in diagnosis.evidence)


def test_perfect_stamps_with_drifting_arrivals_are_told_apart():
    random = np.random.default_rng(4)
    devices = []
    for number, stream in enumerate(make_rig_stamps(2, 30 * 120)):
        slope = 40e-6 if number == 1 else 0.0
        late_usec = random.normal(40_000, 1500, stream.color_usec.size) + slope * stream.color_usec
        arrival_nsec = ((stream.color_usec + late_usec) * 1000).astype(np.int64)
        devices.append(replace(device_evidence(stream), arrival_nsec=arrival_nsec))
    report = verify_take(TakeEvidence(tuple(devices), name="loose"))
    diagnosis = first_of(report)
    assert (diagnosis.cause, diagnosis.certainty) == (Cause.LEFT_UNSEEN, Certainty.LIKELY)


def test_every_cause_has_a_planted_symptom():
    shown = {row[2] for row in SYMPTOMS} | {Cause.LEFT_UNSEEN}
    assert shown == set(Cause)
    assert len(RULES) == len(set(RULES))
