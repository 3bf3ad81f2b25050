"""``genlock demo``: the whole walk on a virtual rig."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from genlock.cli.interrupt import cancellation
from genlock.cli.options import Json, Seconds
from genlock.cli.outcome import DONE, INTERRUPTED, UNWORKABLE, Outcome
from genlock.cli.progress import shown_progress
from genlock.cli.simulation import Faults, ScenarioFile

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["demo"]


def demo(
    *,
    devices: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=100), help="How many virtual devices.")
    ] = 3,
    seconds: Seconds = 2.0,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="The session folder to make; default: genlock-demo-DATE-TIME here."),
    ] = None,
    fault: Faults = (),
    scenario: ScenarioFile = None,
    json: Json = False,
) -> Outcome:
    """Record and verify a take of a virtual rig: one master, its subordinates in a daisy chain.

    It runs on a virtual clock, as fast as the processor allows, and needs no camera. The session folder is what
    `genlock record` makes; report.html and report.json lie beside it.

    With --fault something goes wrong, and the report says what: genlock demo --seconds 6 --fault
    cable_pulled@3s:000000000002

    Example: genlock demo --devices 5 --seconds 4 -o my-take
    """
    from genlock.verify import Verdict
    from genlock.workflows.demo import run_demo

    folder = output or Path(f"genlock-demo-{datetime.now():%Y%m%d-%H%M%S}")
    with cancellation() as is_cancelled, shown_progress(is_quiet=json) as progress:
        result = run_demo(
            folder,
            devices=devices,
            seconds=seconds,
            faults=fault,
            scenario_file=scenario,
            progress=progress,
            is_cancelled=is_cancelled,
        )
        was_cancelled = is_cancelled()

    def show(console: Console) -> None:
        console.print(result.report.to_text(), markup=False, highlight=False, soft_wrap=True)
        if result.failure:
            console.print(f"\nthe run ended early: {result.failure}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"\nsession  {folder}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"report   {result.files.html}", markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"\nLook at it: open {result.files.html} in a browser. Judge it again: genlock verify {folder}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    status = UNWORKABLE if result.report.verdict is Verdict.FAIL else DONE
    return Outcome(
        INTERRUPTED if was_cancelled else status,
        {
            "format_version": 1,
            "plan": result.plan.to_json(),
            "take": result.take.to_json() if result.take else None,
            "failure": result.failure,
            "report": result.report.to_json(),
            "files": {"html": str(result.files.html), "json": str(result.files.json)},
            "findings": [finding.to_json() for finding in result.report.findings],
        },
        show,
    )
