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

LEFT = (Cause.CABLE_PULLED, Cause.FREE_CLOCK)
NOTHING: tuple[Cause, ...] = ()


@dataclass(frozen=True)
class Case:
    fault: str
    causes: tuple[Cause, ...]
    """Any of these is right as the first diagnosis; empty: nothing that recordings of stamps hold can show it."""
    rig: str = CHAIN
    seconds: float = 5.0

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
    # These change pictures, or nothing that is recorded: a device bridges a missing pulse by itself.
    Case("trigger_misses=0.05", NOTHING, TRIGGERED),
    Case(f"dark_exposure:{FIRST}", NOTHING),
    Case(f"camera_bumped@2s:{FIRST}", NOTHING),
    Case(f"lens_covered@2s:{FIRST}", NOTHING),
]

PAIRS = [
    ((f"cable_pulled@2s:{FIRST}", f"usb_starved:{SECOND}=0.4"), (Cause.CABLE_PULLED, Cause.USB_STARVATION)),
    ((f"old_firmware:{FIRST}", f"burst_drops@2s-2.5s:{SECOND}"), (Cause.FIRMWARE_UNEQUAL, Cause.BURST_DROPS)),
    ((f"auto_exposure:{SECOND}", f"usb_unplugged@3s:{FIRST}"), (Cause.AUTO_EXPOSURE, Cause.DEVICE_UNPLUGGED)),
    ((f"starts_late:{FIRST}=1", f"random_drops:{SECOND}=0.06"), (Cause.STARTED_LATE, Cause.RANDOM_DROPS)),
]


def certificate(
    folder: Path, faults: Sequence[str], *, rig: str = CHAIN, seconds: float = 5.0, seed: int = 0, devices: int = 3
) -> Report:
    """Records a take with these faults, forgets everything but the folder, and judges it."""
    toml = rig_toml(devices, wiring=WIRINGS[rig])
    parsed = parse_rig(toml)
    scenario = Scenario(scene=SceneName.DARK, seed=seed, faults=tuple(map(parse_fault, faults)))
    with open_backend("sim", parsed, scenario=scenario) as backend:
        try:
            record_take(make_plan(parsed), backend, folder, rig_toml=toml, seconds=seconds)
        except RigError:
            if not faults:
                raise
    return verify_session(folder)


def named(report: Report) -> Cause | None:
    return report.diagnoses[0].cause if report.diagnoses else None


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}-{case.rig}")
def test_a_single_fault_is_named_from_the_files_alone(tmp_path: Path, case: Case, seed: int):
    report = certificate(tmp_path / "take", [case.fault], rig=case.rig, seconds=case.seconds, seed=seed)
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
                report = certificate(Path(folder) / "take", [case.fault], rig=case.rig, seconds=case.seconds, seed=seed)
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
