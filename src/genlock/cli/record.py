"""``genlock record``: a take into a session folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from genlock.cli.interrupt import cancellation
from genlock.cli.options import Json, NewFolder, RigPath, Seconds
from genlock.cli.outcome import DONE, INTERRUPTED, UNWORKABLE, Outcome, show_findings
from genlock.cli.progress import shown_progress
from genlock.cli.simulation import AS_USUAL, BackendChoices, BackendName, backend_options
from genlock.cli.splitting import SplitEvery

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from genlock.plan import Plan
    from genlock.workflows.record import TakeResult

__all__ = ["record"]

OnLoss = Annotated[
    Literal["mark", "stop", "restart"],
    Parameter(
        help="When a device no longer follows the master: mark it and go on, stop, or restart all devices in a new "
        "epoch of the take as soon as every plug is in its jack."
    ),
]
WarmUp = Annotated[
    bool, Parameter(negative="", help="Set exposure to automatic before its manual value, against dark images.")
]
OwnHost = Annotated[
    str | None,
    Parameter(help="Record only the devices that the rig file plugs into this host; each host its own, master last."),
]
OnDiskError = Annotated[
    Literal["stop", "go-on"],
    Parameter(help="When the disk refuses: stop, or go on, count what is lost and try again."),
]


def record(
    rig: RigPath,
    /,
    *,
    output: NewFolder,
    seconds: Seconds,
    backend: BackendName,
    on_loss: OnLoss = "mark",
    warm_up: WarmUp = False,
    host: OwnHost = None,
    split: SplitEvery = None,
    on_disk_error: OnDiskError = "stop",
    choices: BackendChoices = AS_USUAL,
    json: Json = False,
) -> Outcome:
    """Record a take: one MKV per device into a new session folder. Ctrl-C ends it in order.

    Exit status 1 when a device stopped following the master or was lost; the findings say when and by what evidence.

    Example: genlock record studio.toml -o takes/001 --seconds 10 --backend sim
    """
    from genlock.devices import open_backend
    from genlock.errors import UnworkablePlanError
    from genlock.findings import errors_in
    from genlock.plan import make_plan
    from genlock.recording import DiskPolicy, SessionState, parse_split_rule
    from genlock.rig import load_rig
    from genlock.session import LossPolicy
    from genlock.workflows.record import record_take
    from genlock.workflows.storing import Storing

    loaded = load_rig(rig)
    plan = make_plan(loaded)
    if plan.has_errors:  # before the backend is opened, which may stumble over what the plan already tells
        raise UnworkablePlanError(errors_in(plan.findings))
    options = backend_options(backend, loaded, choices)
    with (
        cancellation() as is_cancelled,
        shown_progress(is_quiet=json) as progress,
        open_backend(backend, loaded, **options) as opened,
    ):
        result = record_take(
            plan,
            opened,
            output,
            rig_toml=rig.read_text(encoding="utf-8-sig"),
            seconds=seconds,
            progress=progress,
            is_cancelled=is_cancelled,
            on_loss=LossPolicy(on_loss),
            warm_up=warm_up,
            host=host,
            storing=Storing(parse_split_rule(split) if split else None, DiskPolicy(on_disk_error)),
        )

    status = INTERRUPTED if result.state is SessionState.CANCELLED else DONE
    if status == DONE and (errors_in(result.findings) or result.state is SessionState.FAILED):
        status = UNWORKABLE
    return Outcome(status, result.to_json(), lambda console: _show(console, result, plan, output))


def _show(console: Console, result: TakeResult, plan: Plan, output: Path) -> None:
    console.print(
        f"{result.state}: {result.complete_sets} of {result.sets} capture sets complete, "
        f"{len(result.status.devices)} devices, in {output}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if result.folder.session.is_simulated:
        console.print("SIMULATED: a virtual rig made these images.", style="bold magenta")
    show_findings(console, (*plan.findings, *result.findings))
    question = f"Was it in sync? genlock verify {output}"
    if len(result.status.devices) < len(plan.devices):
        question = f"One session of all computers' devices: genlock session merge {output} ... -o DIR"
    console.print(question, markup=False, highlight=False, soft_wrap=True)
