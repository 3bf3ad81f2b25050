"""``genlock VERB``: finds the verb, runs it, prints its outcome, exits with its status."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import NoReturn

import cyclopts

from genlock._version import __version__
from genlock.cli import (
    calibrate,
    calibrate_live,
    check_wiring,
    compare,
    demo,
    devices,
    fuse,
    inspect,
    interference,
    merge_parts,
    monitor,
    plan,
    preflight,
    record,
    repair,
    rig,
    selftest,
    session,
    sim,
    split,
    trim,
    verify,
    virtual,
)
from genlock.cli.outcome import INTERRUPTED, USAGE, Outcome, outcome_of_error, stdout_console

__all__ = ["app", "main", "run"]

_HELP = """Make a set of Azure Kinect DK cameras work as one instrument.

Exit status: 0 done; 1 a readable thing that cannot work; 2 wrong usage or an unreadable file; 3 a device or host
failed; 130 interrupted. Every verb takes --json and then prints exactly one JSON object on standard output.

Start here: genlock demo
"""

app = cyclopts.App(
    name="genlock", help=_HELP, version=__version__, help_format="plaintext", suppress_keyboard_interrupt=False
)
_VERBS = (
    demo.demo,
    plan.plan,
    devices.devices,
    preflight.preflight,
    record.record,
    monitor.monitor,
    verify.verify,
    compare.compare,
    check_wiring.check_wiring,
    virtual.virtual,
    interference.interference,
    selftest.selftest,
    inspect.inspect,
    repair.repair,
    trim.trim,
    split.split,
    merge_parts.merge_parts,
    fuse.fuse,
)
for _verb in _VERBS:
    app.command(_verb)
app.command(rig.app)
app.command(session.app)
calibrate.app.command(calibrate_live.live)
app.command(calibrate.app)
app.command(sim.app)


def _unwrap_help(parent: cyclopts.App) -> None:
    """Makes one line of each paragraph of help, which the terminal then breaks at its own width.

    Markdown would do that too, but loading its renderer takes longer than everything else that ``--help`` needs.
    """
    parent.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in parent.help.split("\n\n"))
    for name in parent:
        if not name.startswith("-"):
            _unwrap_help(parent[name])


_unwrap_help(app)


def main() -> NoReturn:
    """The console script."""
    # A polite kill ends a verb as Ctrl-C does: half-made files and folders are taken away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read us has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; prints, and returns the exit status."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments  # the rest is another program's
    wants_json = any(a == "--json" or (a.startswith("--json=") and a != "--json=false") for a in own)
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    if wants_json:
        with redirect_stdout(StringIO()) as printed:  # help and version print by themselves
            outcome = _outcome(arguments)
        if outcome is None:
            outcome = Outcome(0, {"format_version": 1, "text": printed.getvalue()}, lambda console: None)
    else:
        outcome = _outcome(arguments)
    if outcome is None:
        return 0
    if wants_json:
        sys.stdout.write(json.dumps(outcome.json) + "\n")
    elif outcome.is_error:
        from rich.console import Console

        outcome.show(Console(stderr=True))
    else:
        outcome.show(stdout_console())
    return outcome.exit_status


def _outcome(arguments: Sequence[str]) -> Outcome | None:
    try:
        result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except cyclopts.CycloptsError as error:
        message = f"{error} Try: genlock {' '.join((*(error.command_chain or ()), '--help'))}"
        return Outcome(
            USAGE,
            {"format_version": 1, "error": {"kind": "usage", "message": message}, "findings": []},
            lambda console: console.print(
                f"genlock: {message}", style="red", markup=False, highlight=False, soft_wrap=True
            ),
            is_error=True,
        )
    except KeyboardInterrupt:
        return Outcome(
            INTERRUPTED,
            {"format_version": 1, "error": {"kind": "interrupted", "message": "interrupted"}, "findings": []},
            lambda console: console.print("genlock: interrupted", style="red"),
            is_error=True,
        )
    except Exception as error:  # the door ends here; what nobody foresaw is shown with its traceback
        outcome = outcome_of_error(error)
        if outcome.json["error"]["kind"] == "internal":  # type: ignore[index]  # our own object
            logging.getLogger(__name__).exception("this is a mistake in genlock")
        return outcome
    return result if isinstance(result, Outcome) else None
