"""``genlock monitor``: how every device does, live."""

from __future__ import annotations

import json as json_module
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from genlock.cli.interrupt import cancellation
from genlock.cli.options import Json, RigPath
from genlock.cli.outcome import DONE, UNWORKABLE, Outcome, show_findings
from genlock.cli.simulation import AS_USUAL, BackendChoices, BackendName, backend_options
from genlock.errors import UnreadableInputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from genlock.devices import Backend
    from genlock.rig import Rig
    from genlock.session import SessionStatus

__all__ = ["monitor"]

WatchSeconds = Annotated[
    float | None,
    Parameter(validator=validators.Number(gt=0), help="How long, in seconds of the reference's time; else Ctrl-C."),
]
RealTime = Annotated[bool, Parameter(negative="", help="Let the virtual rig run in real time, not as fast as it can.")]
LiveFaults = Annotated[
    bool,
    Parameter(
        negative="",
        help="Read faults of the virtual rig from standard input while it runs, one a line, their times from then "
        "on; -KIND[:SERIAL] ends one. Implies --real-time.",
    ),
]

_STYLES = {"locked": "green", "settling": "dim", "waiting": "dim", "lost": "bold red", "drifting": "bold red"}


def monitor(
    rig: RigPath,
    /,
    *,
    backend: BackendName,
    seconds: WatchSeconds = None,
    on_loss: Annotated[Literal["mark", "stop"], Parameter(help="Go on after an alarm, or stop.")] = "mark",
    real_time: RealTime = False,
    live_faults: LiveFaults = False,
    choices: BackendChoices = AS_USUAL,
    jsonl: Annotated[bool, Parameter(negative="", help="Print one JSON object a status, about one a second.")] = False,
    json: Json = False,
) -> Outcome:
    """Run a rig without recording it and show each device's state: offset and jitter in us, drift in ppm, fps.

    States: waiting, settling, locked, offset, drifting, lost, silent, dropping. Exit status 1 after an alarm.

    Example: genlock monitor studio.toml --backend sim --seconds 10
    Example: genlock monitor studio.toml --backend sim --live-faults, then type cable_pulled:000000000002
    """
    from genlock.clock import SystemClock
    from genlock.devices import open_backend
    from genlock.findings import errors_in
    from genlock.plan import make_plan
    from genlock.rig import load_rig
    from genlock.session import LossPolicy
    from genlock.workflows.monitor import monitor_rig

    loaded = load_rig(rig)
    plan = make_plan(loaded)
    options = backend_options(backend, loaded, choices)
    if live_faults and backend != "sim":
        raise UnreadableInputError("--live-faults", f"is for the virtual rig; the backend is {backend}")
    if (real_time or live_faults) and backend == "sim":
        options["clock"] = SystemClock()
    lines = _Lines() if live_faults else None
    with (
        cancellation() as is_cancelled,
        open_backend(backend, loaded, **options) as opened,
        _shown_status(is_quiet=json, is_lines=jsonl) as on_status,
    ):

        def look(status: SessionStatus) -> None:
            for line in lines.ready() if lines is not None else ():
                sys.stderr.write(_done(opened, loaded, line) + "\n")
            on_status(status)

        result = monitor_rig(
            plan,
            opened,
            seconds=seconds,
            on_status=look,
            is_cancelled=is_cancelled,
            on_loss=LossPolicy(on_loss),
        )

    def show(console: Console) -> None:
        if not jsonl:
            console.print(_table(result.status))
            show_findings(console, result.findings)

    return Outcome(UNWORKABLE if errors_in(result.findings) else DONE, result.to_json(), show)


class _Lines:
    """Lines that have come on standard input; asking never waits."""

    def __init__(self) -> None:
        self._rest = b""
        self._has_ended = False

    def ready(self) -> list[str]:
        """The whole lines since the last call."""
        while not self._has_ended and select.select([sys.stdin], [], [], 0)[0]:
            read = os.read(sys.stdin.fileno(), 4096)
            self._has_ended = not read
            self._rest += read
        *lines, self._rest = self._rest.split(b"\n")
        return [text for line in lines if (text := line.decode(errors="replace").strip())]


def _done(backend: Backend, rig: Rig, line: str) -> str:
    from genlock.workflows.simulate import apply_live_fault

    try:
        return apply_live_fault(backend, rig, line)
    except UnreadableInputError as error:
        return str(error)  # a slip of the hand must not end the watch


@contextmanager
def _shown_status(*, is_quiet: bool, is_lines: bool) -> Iterator[Callable[[SessionStatus], None]]:
    """Where snapshots go: lines on standard output, a table that renews itself on a terminal, else nowhere."""
    if is_lines and not is_quiet:
        from genlock.workflows.monitor import status_json

        def write_line(status: SessionStatus) -> None:
            sys.stdout.write(json_module.dumps(status_json(status)) + "\n")
            sys.stdout.flush()

        yield write_line
    elif is_quiet or not sys.stderr.isatty():
        yield lambda status: None
    else:
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), transient=True) as live:
            yield lambda status: live.update(_table(status))


def _table(status: SessionStatus) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("device")
    table.add_column("state")
    for heading in ("offset\nus", "jitter\nus", "drift\nppm", "fps", "captures", "missed", "queued"):
        table.add_column(heading, justify="right")
    table.add_column("evidence")
    for serial, device in status.devices.items():
        health = device.health
        state = health.state.value
        table.add_row(
            serial + (" (reference)" if health.is_reference else ""),
            Text(state, style=_STYLES.get(state, "yellow")),
            _number(health.offset_usec, "+.1f"),
            _number(health.jitter_usec, ".1f"),
            _number(health.drift_ppm, "+.2f"),
            _number(health.fps, ".2f"),
            str(health.captures),
            str(health.missed),
            str(device.waiting),
            ", ".join(health.evidence),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
