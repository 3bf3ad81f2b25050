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

    from genlock.workflows.demo import DemoResult

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
    cable_pulled@3s:000000000002. Exit status 1 when the verdict is fail.

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

    judged = UNWORKABLE if result.report.verdict is Verdict.FAIL else DONE
    status = INTERRUPTED if was_cancelled else judged
    return Outcome(status, result.to_json(), lambda console: _show(console, result, folder))


def _show(console: Console, result: DemoResult, folder: Path) -> None:
    lines = [result.report.to_text()]
    if result.failure:
        lines.append(f"\nthe run ended early: {result.failure}")
    lines += [
        f"\nsession  {folder}",
        f"report   {result.files.html}",
        f"\nLook at it: open {result.files.html} in a browser. Judge it again: genlock verify {folder}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
