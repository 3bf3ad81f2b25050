"""All experiments, one after the other, and what they came to."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from genlock._version import __version__
from genlock.devices import Backend, DeviceInfo
from genlock.errors import GenlockError, NotDoneError
from genlock.plan import Plan
from genlock.preflight import Machine
from genlock.rig import Rig
from genlock.workflows.progress import NoProgress, Progress
from genlock.workflows.selftest.bench import Bench
from genlock.workflows.selftest.cables import IDLE, PULLED, TRIGGER
from genlock.workflows.selftest.claims import CLAIMS
from genlock.workflows.selftest.delays import BRIGHTNESS, DELAYS, EXPOSURES
from genlock.workflows.selftest.lab import Answer, Experiment, Lab, Verdict, not_tried
from genlock.workflows.selftest.light import LIGHT
from genlock.workflows.selftest.operator import Operator
from genlock.workflows.selftest.settings import SETTINGS
from genlock.workflows.selftest.starts import LATE, RESTART
from genlock.workflows.selftest.steady import STEADY

__all__ = ["EXPERIMENTS", "SelftestResult", "run_selftest"]

EXPERIMENTS: tuple[Experiment, ...] = (
    SETTINGS,
    BRIGHTNESS,  # before anything sets an automatic exposure
    STEADY,
    DELAYS,
    EXPOSURES,
    RESTART,
    LATE,
    IDLE,
    PULLED,
    LIGHT,
    TRIGGER,
)
"""In this order."""


@dataclass(frozen=True, slots=True)
class SelftestResult:
    """Every claim with its answer."""

    made_at: str
    rig_name: str
    backend: str
    is_simulated: bool
    host: str
    devices: tuple[DeviceInfo, ...]
    answers: tuple[Answer, ...]
    was_cancelled: bool

    def with_verdict(self, verdict: Verdict) -> tuple[Answer, ...]:
        """The answers with this verdict."""
        return tuple(answer for answer in self.answers if answer.verdict is verdict)

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """The whole report."""
        return {
            "format_version": 1,
            "genlock_version": __version__,
            "made_at": self.made_at,
            "rig_name": self.rig_name,
            "backend": self.backend,
            "is_simulated": self.is_simulated,
            "host": self.host,
            "was_cancelled": self.was_cancelled,
            "devices": [
                {"serial": d.serial, "color_firmware": d.color_firmware, "depth_firmware": d.depth_firmware}
                for d in self.devices
            ],
            "claims": [{**asdict(CLAIMS[answer.claim_id]), **answer.to_json()} for answer in self.answers],
        }


def run_selftest(
    rig: Rig,
    plan: Plan,
    backend: Backend,
    operator: Operator,
    *,
    long_sec: float = 60.0,
    machine: Machine | None = None,
    only: frozenset[str] = frozenset(CLAIMS),
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> SelftestResult:
    """Tries every claim that this rig and this operator can try; each has an answer in the end.

    Args:
        rig: what is on the bench.
        plan: of that rig.
        backend: who makes the captures; nothing of it may be open.
        operator: who plugs and unplugs.
        long_sec: how long the runs are that clocks are read from.
        machine: the computer, where its USB bus can be looked at.
        only: ids of the claims to try; an experiment that answers one of them is done whole.
        progress: told of every experiment.
        is_cancelled: asked again and again; the rest then counts as not tried.
    """
    progress = progress or NoProgress()
    bench = Bench(backend, is_cancelled)
    lab = Lab(rig, plan, backend, bench, operator, long_sec, machine)
    devices = tuple(backend.devices())
    answers: dict[str, Answer] = {}
    for experiment in EXPERIMENTS:
        if only.isdisjoint(experiment.claims):
            answers |= {claim: not_tried(claim, "not asked for") for claim in experiment.claims}
            continue
        if not is_cancelled():
            progress.step(experiment.title)
        answers |= {found.claim_id: found for found in _answers(experiment, lab)}
    known = {device.serial for device in plan.devices}
    return SelftestResult(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rig_name=rig.name,
        backend=backend.name,
        is_simulated=backend.provenance.get("GENLOCK_BACKEND") == "sim",
        host=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        devices=tuple(info for info in devices if info.serial in known),
        answers=tuple(answers[claim] for claim in CLAIMS),
        was_cancelled=is_cancelled(),
    )


def _answers(experiment: Experiment, lab: Lab) -> Iterator[Answer]:
    """An answer for each claim of an experiment, whatever happens to it."""
    found: dict[str, Answer] = {}
    why = "interrupted" if lab.bench.is_cancelled() else experiment.hindrance(lab)
    if why is None:
        why = "the experiment did not get that far"
        try:
            for one in experiment.run(lab):
                found[one.claim_id] = one
        except NotDoneError as error:
            why = str(error)
        except GenlockError as error:
            why = f"a device failed: {' '.join(str(error).split())}"
        if lab.bench.is_cancelled():  # what was cut short says nothing
            found, why = {}, "interrupted"
    for claim in experiment.claims:
        yield found.get(claim) or not_tried(claim, why)
