"""``genlock selftest``: the acceptance run for whoever has real cameras."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from genlock.cli.interrupt import cancellation, interruptible
from genlock.cli.options import Json, RigPath
from genlock.cli.outcome import DONE, FAILED, INTERRUPTED, UNWORKABLE, Outcome
from genlock.cli.simulation import AS_USUAL, BackendName, Circumstances, backend_options
from genlock.errors import UnreadableInputError

if TYPE_CHECKING:
    from rich.console import Console

    from genlock.workflows.selftest import SelftestResult, Task

__all__ = ["selftest"]

ReportToSend = Annotated[
    Path | None,
    Parameter(name=["--output", "-o"], help="Write selftest.md and selftest.json into this folder, to send back."),
]
LongRunSeconds = Annotated[
    float,
    Parameter(
        validator=validators.Number(gte=5, lte=3600),
        help="How long the two runs are that clocks are read from; 60 s know a clock to 2 ppm.",
    ),
]


def selftest(
    rig: RigPath,
    /,
    *,
    backend: BackendName,
    output: ReportToSend = None,
    seconds: LongRunSeconds = 60.0,
    only: Annotated[
        tuple[str, ...], Parameter(negative="", help="Try the experiment that answers this claim; may be given again.")
    ] = (),
    operator: Annotated[
        bool, Parameter(help="Somebody is there to pull a cable when asked; --no-operator: nobody is.")
    ] = True,
    circumstances: Circumstances = AS_USUAL,
    json: Json = False,
) -> Outcome:
    """Try, one by one, every claim that no hardware has confirmed, and write a report to send back.

    It takes about five minutes, uses modes of its own, and asks for a cable to be pulled once. On the virtual rig it is
    a rehearsal that pulls the cable itself. Exit status 1 when a claim did not hold, 3 when nothing could be tried.

    Example: genlock selftest studio.toml --backend native -o selftest-report
    """
    from genlock.devices import open_backend
    from genlock.errors import UnworkablePlanError
    from genlock.findings import errors_in
    from genlock.plan import make_plan
    from genlock.preflight import this_machine
    from genlock.rig import load_rig
    from genlock.workflows.selftest import NOBODY, Rehearsal, VirtualRig, run_selftest, write_report

    claims = _known_claims(only)
    loaded = load_rig(rig)
    plan = make_plan(loaded)
    if plan.has_errors:
        raise UnworkablePlanError(errors_in(plan.findings))
    options = backend_options(backend, loaded, circumstances, is_still=True)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    with (
        cancellation() as is_cancelled,
        open_backend(backend, loaded, **options) as opened,
    ):
        hands = Rehearsal(opened) if isinstance(opened, VirtualRig) else _Terminal(is_cancelled)
        result = run_selftest(
            loaded,
            plan,
            opened,
            hands if operator else NOBODY,
            long_sec=seconds,
            machine=this_machine(),
            only=claims,
            progress=_Steps(),
            is_cancelled=is_cancelled,
        )
    written = write_report(result, output) if output is not None else ()
    return Outcome(_status(result), result.to_json(), lambda console: _show(console, result, written))


def _known_claims(only: tuple[str, ...]) -> frozenset[str]:
    """The claims to try, all of them where none is named."""
    from genlock.workflows.selftest import CLAIMS

    unknown = [claim for claim in only if claim not in CLAIMS]
    if unknown:
        raise UnreadableInputError("--only", f"no claim is called {unknown[0]}; there are: {', '.join(CLAIMS)}")
    return frozenset(only or CLAIMS)


def _status(result: SelftestResult) -> int:
    from genlock.workflows.selftest import Verdict

    if result.was_cancelled:
        return INTERRUPTED
    if result.with_verdict(Verdict.DID_NOT_HOLD):
        return UNWORKABLE
    return DONE if result.with_verdict(Verdict.HELD) else FAILED


def _show(console: Console, result: SelftestResult, written: tuple[Path, ...]) -> None:
    from genlock.workflows.selftest import Verdict

    styles = {Verdict.HELD: "green", Verdict.DID_NOT_HOLD: "bold red", Verdict.NOT_TRIED: "dim"}
    if result.is_simulated:
        console.print("SIMULATED: a rehearsal on the virtual rig, which says nothing about real cameras.", style="bold")
    for answer in result.answers:
        verdict = answer.verdict.value.replace("_", " ")
        console.print(f"{verdict:<12}", style=styles[answer.verdict], end="  ", markup=False, highlight=False)
        console.print(f"{answer.claim_id}: {answer.text}", markup=False, highlight=False, soft_wrap=True)
    counts = [f"{len(result.with_verdict(v))} {v.value.replace('_', ' ')}" for v in styles]
    console.print(", ".join(counts), style="bold", markup=False, highlight=False)
    for path in written:
        console.print(f"report  {path}", markup=False, highlight=False, soft_wrap=True)


class _Steps:
    """Plain lines: a bar that redraws itself would write over a question."""

    def step(self, text: str) -> None:
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()

    def advance(self, done: float, total: float, text: str) -> None:
        pass


class _Terminal:
    """A person at the terminal: Enter when it is done, anything else is why it is not."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self._is_cancelled = is_cancelled

    def do(self, task: Task, serial: str | None = None) -> str | None:
        """Asks on standard error, waits for a line on standard input; asks nothing more once the run is cancelled."""
        try:
            with interruptible():
                if self._is_cancelled():
                    return "interrupted"
                sys.stderr.write(f"\n>>> {task.text(serial)}\n    Enter when done; or type why not, and Enter: ")
                sys.stderr.flush()
                line = sys.stdin.readline()
        except KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)  # for whoever ends the run in order
            return "interrupted"
        if not line:
            return "nobody answered"
        return line.strip() or None
