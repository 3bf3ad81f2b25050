"""The wiring procedure of Microsoft's article, done by the machine: each subordinate together with the master.

For each subordinate in cable order the two are started alone, the subordinate first, and its first capture is waited
for. What fails is blamed on the cable between the last device that a pulse reached and the first that it did not.
# unverified on hardware: that devices in between, which are not started, pass pulses on
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from genlock.devices import Backend
from genlock.errors import CaptureTimeoutError, RigError, reason_of
from genlock.findings import Finding, Severity
from genlock.k4a import WiredSyncMode
from genlock.plan import Plan
from genlock.rig import SPLITTER, TRIGGER, Rig, wires
from genlock.session import Session
from genlock.workflows.progress import NoProgress, Progress

__all__ = ["CableState", "CableTest", "WiringResult", "check_wiring"]

_LOOK_SEC = 0.7
"""Of each pair: some twenty captures at 30 fps, enough to see them locked."""


class CableState(StrEnum):
    """What a pair of master and subordinate showed."""

    WORKS = "works"
    NO_PULSE = "no_pulse"
    """The subordinate waited in vain."""
    NOT_SLAVED = "not_slaved"
    """It delivered before the master was started."""
    REFUSED = "refused"
    """A device could not be opened, armed or started."""


@dataclass(frozen=True, slots=True)
class CableTest:
    """One subordinate with its master."""

    serial: str
    state: CableState
    message: str
    offset_usec: float | None
    """Where its captures lay against the master's; ``None`` when it had none."""


@dataclass(frozen=True, slots=True)
class WiringResult:
    """Every subordinate in cable order, and what follows from all of them together."""

    tests: tuple[CableTest, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it. Any: a JSON value."""
        return {
            "format_version": 1,
            "tests": [
                {"serial": t.serial, "state": t.state.value, "message": t.message, "offset_usec": t.offset_usec}
                for t in self.tests
            ],
            "findings": [finding.to_json() for finding in self.findings],
        }


def check_wiring(
    rig: Rig,
    plan: Plan,
    backend: Backend,
    *,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> WiringResult:
    """Tries every subordinate with the master, or, under an external trigger, every device alone."""
    progress = progress or NoProgress()
    subordinates = [s for s in plan.start_order if plan.device(s).config.wired_sync_mode is WiredSyncMode.SUBORDINATE]
    master = next((s for s in plan.start_order if plan.device(s).config.wired_sync_mode is WiredSyncMode.MASTER), None)
    tests: list[CableTest] = []
    findings: dict[tuple[str, str], Finding] = {}
    for serial in subordinates:
        if is_cancelled():
            break
        with_whom = f"with the master {master}" if master else "with the trigger"
        progress.step(f"{serial} {with_whom}")
        test, found = _try_pair(plan, backend, serial, master)
        tests.append(test)
        findings.update({(finding.code, finding.where): finding for finding in found})
    told = [*findings.values(), *_conclude(rig, tests)]
    if not subordinates:
        told.append(
            Finding("session.nothing_wired", Severity.INFO, "rig", "no device of this rig waits for pulses", "")
        )
    return WiringResult(tuple(tests), tuple(told))


def _try_pair(plan: Plan, backend: Backend, serial: str, master: str | None) -> tuple[CableTest, tuple[Finding, ...]]:
    pair = (serial,) if master is None else (serial, master)
    reduced = replace(plan, devices=tuple(d for d in plan.devices if d.serial in pair), start_order=pair)
    session = Session(reduced, backend, duration_sec=_LOOK_SEC)
    offset_usec: float | None = None
    try:
        with session:
            for _ in session:
                offset_usec = session.status.devices[serial].health.offset_usec
    except RigError as error:
        findings = session.status.findings
        codes = {finding.code for finding in findings}
        message = "; ".join(reason_of(e) for e in error.errors.values())
        if "session.not_slaved" in codes:
            state = CableState.NOT_SLAVED
        elif isinstance(error.errors.get(serial), CaptureTimeoutError):
            state = CableState.NO_PULSE
        else:
            state = CableState.REFUSED
        return CableTest(serial, state, message, None), findings
    text = "follows the pulses"
    return CableTest(serial, CableState.WORKS, text, offset_usec), session.status.findings


def _conclude(rig: Rig, tests: list[CableTest]) -> list[Finding]:
    """Which cable, for every subordinate that no pulse reached."""
    states = {test.serial: test.state for test in tests}
    findings = []
    for test in tests:
        if test.state is not CableState.NO_PULSE:
            continue
        source = _feeder(rig, test.serial)
        if states.get(source, CableState.WORKS) is not CableState.WORKS:
            findings.append(
                Finding(
                    "session.wiring_not_judged",
                    Severity.WARNING,
                    f"device {test.serial}",
                    f"no pulse reaches it, but none reaches {source} before it either",
                    f"Repair the cable into {source} first, then check again.",
                )
            )
            continue
        findings.append(
            Finding(
                "session.wiring_no_pulse",
                Severity.ERROR,
                f"cable {source} -> {test.serial}",
                f"pulses come as far as {_source_name(source)}, and do not reach {test.serial}",
                f"In this order: push both plugs in fully; check that it runs from Sync Out to Sync In; try another "
                f"cable; try {source} and {test.serial} with other neighbours, which tells which port is dead.",
            )
        )
    return findings


def _feeder(rig: Rig, serial: str) -> str:
    """Where the cable into its Sync In comes from, splitters passed over."""
    feeds = {wire.destination: wire.source for wire in wires(rig)}
    source = feeds.get(serial, serial)
    while source == SPLITTER and source in feeds:
        source = feeds[source]
    return source


def _source_name(source: str) -> str:
    return "the trigger" if source == TRIGGER else source
