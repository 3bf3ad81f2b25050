"""Every kind of fault on virtual rigs; the certificate sees files only, and must name the cause.

The matrix in CI is small: one seed, a chain, a star, a triggered rig, and some pairs. ``GENLOCK_FAULT_SEEDS=20`` runs
that many seeds. ``python tests/flow/test_fault_matrix.py`` prints the confusion matrix of
``docs/reference/fault-matrix.md``.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from genlock.devices import open_backend
from genlock.devices.scenario import FAULT_KINDS, FaultKind, Scenario, SceneName, StampClock, TimingModel, parse_fault
from genlock.errors import RigError
from genlock.plan import make_plan
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.verify import Cause, Report, Verdict
from genlock.workflows.record import record_take
from genlock.workflows.verify import verify_session

SEEDS = int(os.environ.get("GENLOCK_FAULT_SEEDS", "1"))
CHAIN, TRIGGERED, STAR = "chain", "triggered", "star"
MASTER, FIRST, SECOND = "000000000001", "000000000002", "000000000003"

WIRINGS = {
    CHAIN: None,
    TRIGGERED: ['topology = "external_trigger"'],
    STAR: ['topology = "star"', f'master = "{MASTER}"', f'order = ["{FIRST}", "{SECOND}"]'],
}

DEPTH_ONLY = {FIRST: {"color_resolution": "OFF"}, SECOND: {"color_resolution": "OFF"}}
SHAPES: dict[str, tuple[str, float]] = {
    "five at 15 fps": (rig_toml(5, {"camera_fps": 15}), 8.0),
    "three at 5 fps": (rig_toml(3, {"camera_fps": 5}), 20.0),
    "depth-only subordinates": (rig_toml(3, per_device=DEPTH_ONLY), 6.0),
    "color only": (rig_toml(3, {"depth_mode": "OFF"}), 6.0),
    "mixed modes in a star": (
        rig_toml(3, wiring=WIRINGS[STAR], per_device={SECOND: {"depth_mode": "WFOV_2X2BINNED"}}),
        6.0,
    ),
}
"""Rig files and how long to record, in seconds."""

LEFT = (Cause.CABLE_PULLED, Cause.FREE_CLOCK)
NOTHING: tuple[Cause, ...] = ()


@dataclass(frozen=True)
class Case:
    fault: str
    causes: tuple[Cause, ...]
    """Any of these is right as the first diagnosis; empty: nothing that recordings of stamps hold can show it."""
    rig: str = CHAIN
    seconds: float = 5.0
    scene: SceneName = SceneName.DARK
    """Where nothing is to be seen pictures cost nothing, and times are the same."""
    fps: int = 30

    @property
    def kind(self) -> FaultKind:
        return parse_fault(self.fault).kind


CASES = [
    Case(f"cable_pulled@2s:{FIRST}", LEFT),
    Case(f"cable_pulled@2s:{SECOND}", LEFT),
    Case(f"cable_pulled@2s:{SECOND}", LEFT, STAR),
    Case(f"wrong_jack@2s:{FIRST}", LEFT),
    Case(f"wrong_jack:{FIRST}", (Cause.NO_PLUG,)),
    Case(f"dead_port@2s:{FIRST}=30", LEFT),
    Case(f"dead_port:{SECOND}", (Cause.NO_PULSE,)),
    Case(f"device_dies@3s:{MASTER}", (Cause.MASTER_DIED,)),
    Case(f"device_dies@3s:{SECOND}", (Cause.DEVICE_UNPLUGGED,)),
    Case(f"usb_unplugged@3s:{MASTER}", (Cause.MASTER_DIED,)),
    Case(f"usb_unplugged@3s:{FIRST}", (Cause.DEVICE_UNPLUGGED,)),
    Case(f"device_hangs@3s:{SECOND}", (Cause.DEVICE_HUNG,), seconds=9.0),
    Case(f"usb_starved:{FIRST}", (Cause.USB_STARVATION,)),
    Case(f"usb_starved@2s:{SECOND}=0.3", (Cause.USB_STARVATION,)),
    Case(f"random_drops:{FIRST}=0.05", (Cause.RANDOM_DROPS, Cause.BURST_DROPS)),
    Case(f"random_drops:{MASTER}=0.08", (Cause.RANDOM_DROPS, Cause.BURST_DROPS)),
    Case(f"burst_drops@2s-2.5s:{SECOND}", (Cause.BURST_DROPS,)),
    Case(f"starts_late:{FIRST}=1", (Cause.STARTED_LATE,)),
    Case(f"free_running:{SECOND}=40", LEFT),
    Case(f"free_running@2s:{SECOND}=-25", LEFT),
    Case(f"wrong_exposure:{FIRST}", (Cause.EXPOSURE_UNEQUAL,)),
    Case(f"wrong_exposure@2s:{FIRST}=2500", (Cause.EXPOSURE_CHANGED,)),
    Case(f"auto_exposure:{SECOND}", (Cause.AUTO_EXPOSURE,)),
    Case(f"old_firmware:{FIRST}", (Cause.FIRMWARE_UNEQUAL,)),
    Case("trigger_rate=0.01", (Cause.TRIGGER_RATE,), TRIGGERED),
    Case("trigger_rate=-0.02", (Cause.TRIGGER_RATE,), TRIGGERED),
    # A device bridges a missing pulse by itself; only when they stay away do the devices part.
    Case("trigger_misses=0.05", NOTHING, TRIGGERED),
    Case("trigger_misses@2s=1", (Cause.TRIGGER_GAPS, Cause.CABLE_PULLED), TRIGGERED, seconds=9.0),
    Case(f"dark_exposure:{FIRST}", (Cause.DARK_EXPOSURE,), seconds=8.0, scene=SceneName.WALKER, fps=5),
    Case(f"camera_bumped@4s:{FIRST}=2", (Cause.CAMERA_BUMPED,), seconds=8.0, scene=SceneName.WALKER, fps=5),
    Case(f"lens_covered@4s:{FIRST}", (Cause.LENS_COVERED,), seconds=8.0, scene=SceneName.EMPTY_ROOM, fps=5),
]

PAIRS = [
    ((f"cable_pulled@2s:{FIRST}", f"usb_starved:{SECOND}=0.4"), (Cause.CABLE_PULLED, Cause.USB_STARVATION)),
    ((f"old_firmware:{FIRST}", f"burst_drops@2s-2.5s:{SECOND}"), (Cause.FIRMWARE_UNEQUAL, Cause.BURST_DROPS)),
    ((f"auto_exposure:{SECOND}", f"usb_unplugged@3s:{FIRST}"), (Cause.AUTO_EXPOSURE, Cause.DEVICE_UNPLUGGED)),
    ((f"auto_exposure:{MASTER}", f"free_running:{FIRST}=60"), (Cause.AUTO_EXPOSURE, Cause.FREE_CLOCK)),
    ((f"wrong_exposure@2s:{FIRST}=500", f"dead_port@3s:{SECOND}=60"), (Cause.EXPOSURE_CHANGED, Cause.CABLE_PULLED)),
    ((f"usb_starved:{MASTER}=0.3", f"wrong_jack@2s:{SECOND}"), (Cause.USB_STARVATION, Cause.CABLE_PULLED)),
    ((f"usb_unplugged@2s:{SECOND}", f"random_drops:{FIRST}=0.2"), (Cause.DEVICE_UNPLUGGED, Cause.RANDOM_DROPS)),
    ((f"starts_late:{FIRST}=1", f"random_drops:{SECOND}=0.06"), (Cause.STARTED_LATE, Cause.RANDOM_DROPS)),
]


def certificate(
    folder: Path,
    faults: Sequence[str],
    *,
    rig: str = CHAIN,
    seconds: float = 5.0,
    seed: int = 0,
    devices: int = 3,
    scene: SceneName = SceneName.DARK,
    fps: int = 30,
) -> Report:
    """Records a take with these faults, forgets everything but the folder, and judges it."""
    toml = rig_toml(devices, {"camera_fps": fps}, wiring=WIRINGS[rig])
    parsed = parse_rig(toml)
    scenario = Scenario(scene=scene, seed=seed, faults=tuple(map(parse_fault, faults)))
    with open_backend("sim", parsed, scenario=scenario) as backend:
        try:
            record_take(make_plan(parsed), backend, folder, rig_toml=toml, seconds=seconds)
        except RigError:
            if not faults:
                raise
    return verify_session(folder)


def certificate_of(case: Case, folder: Path, seed: int) -> Report:
    return certificate(
        folder, [case.fault], rig=case.rig, seconds=case.seconds, seed=seed, scene=case.scene, fps=case.fps
    )


def named(report: Report) -> Cause | None:
    return report.diagnoses[0].cause if report.diagnoses else None


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}-{case.rig}")
def test_a_single_fault_is_named_from_the_files_alone(tmp_path: Path, case: Case, seed: int):
    report = certificate_of(case, tmp_path / "take", seed)
    if case.causes:
        assert named(report) in case.causes, [d.summary for d in report.diagnoses]
    else:
        assert report.diagnoses == ()


@pytest.mark.parametrize(("faults", "causes"), PAIRS, ids=lambda value: "+".join(value) if value else "")
def test_both_faults_of_a_pair_are_named(tmp_path: Path, faults: tuple[str, ...], causes: tuple[Cause, ...]):
    report = certificate(tmp_path / "take", faults)
    assert set(causes) <= {diagnosis.cause for diagnosis in report.diagnoses}


@pytest.mark.parametrize("rig", list(WIRINGS))
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_healthy_rig_has_no_error_and_no_diagnosis(tmp_path: Path, rig: str, seed: int):
    report = certificate(tmp_path / "take", [], rig=rig, seed=100 + seed, devices=3 if rig == STAR else 4)
    assert report.verdict is Verdict.GOOD
    assert report.diagnoses == ()
    assert [f for f in report.findings if f.severity.value == "error"] == []


def test_a_freed_device_with_perfect_stamps_is_found_by_its_arrivals(tmp_path: Path):
    """The other world: stamps count frames. The plug is pulled upstream, so that no jack tells either."""
    toml = rig_toml(2, {"camera_fps": 15, "depth_mode": "PASSIVE_IR"})
    rig = parse_rig(toml)
    fault = parse_fault(f"free_running@1s:{FIRST}=90")
    timing = TimingModel(stamp_clock=StampClock.DISCIPLINED)
    scenario = Scenario(scene=SceneName.DARK, seed=2, faults=(fault,), timing=timing)
    with open_backend("sim", rig, scenario=scenario) as backend:
        record_take(make_plan(rig), backend, tmp_path / "take", rig_toml=toml, seconds=38)
    report = verify_session(tmp_path / "take")
    assert named(report) is Cause.LEFT_UNSEEN
    assert (report.max_error_usec or 0) < 60


@pytest.mark.parametrize("number", range(int(os.environ.get("GENLOCK_MORE_RIGS", "2"))))
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_faults_are_named_on_other_rigs_at_other_times(tmp_path: Path, shape: str, number: int):
    """Frame rates, roles and numbers of devices that the table does not have; times and amounts from a seed."""
    random = Random(f"{shape} {number}")
    toml, seconds = SHAPES[shape]
    serial = random.choice([FIRST, SECOND])
    at_sec = round(random.uniform(0.35, 0.5) * seconds, 2)
    ppm = random.choice([-1, 1]) * random.uniform(40, 120)
    text, causes = random.choice(
        [
            (f"cable_pulled@{at_sec}s:{serial}", LEFT),
            (f"dead_port@{at_sec}s:{serial}={ppm:.1f}", LEFT),
            (f"usb_unplugged@{at_sec}s:{serial}", (Cause.DEVICE_UNPLUGGED,)),
            (f"random_drops:{serial}={random.uniform(0.1, 0.3):.2f}", (Cause.RANDOM_DROPS, Cause.BURST_DROPS)),
            (f"burst_drops@{at_sec}-{at_sec + 1.4:.2f}s:{serial}", (Cause.BURST_DROPS,)),
            (f"starts_late:{serial}={random.uniform(2.5, 3.5):.2f}", (Cause.STARTED_LATE,)),
        ]
    )
    parsed = parse_rig(toml)
    scenario = Scenario(scene=SceneName.DARK, seed=number, faults=(parse_fault(text),))
    with open_backend("sim", parsed, scenario=scenario) as backend:
        record_take(make_plan(parsed), backend, tmp_path / "take", rig_toml=toml, seconds=seconds)
    report = verify_session(tmp_path / "take")
    assert named(report) in causes, (text, [d.summary for d in report.diagnoses])


def test_a_triggered_rig_does_not_wait_for_ever_for_the_device_that_hears_nothing(tmp_path: Path):
    """Others hear the pulses, so the generator runs; only a rig that is silent as a whole waits for its button."""
    report = certificate(tmp_path / "take", [f"dead_port:{SECOND}"], rig=TRIGGERED)
    assert named(report) is Cause.NO_PULSE
    assert max(device.captures for device in report.devices) < 12 * 30


def test_every_kind_of_fault_is_in_the_matrix():
    assert {case.kind for case in CASES} == set(FAULT_KINDS)


def print_matrix(seeds: int) -> None:
    """The table of docs/reference/fault-matrix.md."""
    logging.disable(logging.CRITICAL)
    counts: dict[str, Counter[str]] = {}
    right = total = silent = 0
    for case in CASES:
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                report = certificate_of(case, Path(folder) / "take", seed)
            found = named(report)
            key = f"`{case.fault}` ({case.rig})"
            counts.setdefault(key, Counter())[found.value if found else "nothing"] += 1
            if case.causes:
                total += 1
                right += found in case.causes
                silent += found is None and report.verdict is Verdict.GOOD
    print("| planted | named first, of", seeds, "|\n|---|---|")
    for key, counter in counts.items():
        print(f"| {key} | {', '.join(f'`{name}` {count}' for name, count in counter.most_common())} |")
    print(f"\n{right} of {total} named right, {silent} missed silently.")


if __name__ == "__main__":
    print_matrix(int(os.environ.get("GENLOCK_FAULT_SEEDS", "10")))
