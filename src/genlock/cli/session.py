"""``genlock session``: what is done with whole session folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from genlock.cli.options import Json, NewFolder
from genlock.cli.outcome import DONE, Outcome
from genlock.cli.progress import shown_progress

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["app"]

app = cyclopts.App(name="session", help="Work on whole session folders.")


@app.command
def merge(
    sources: Annotated[
        tuple[Path, ...], Parameter(help="Session folders that several computers recorded of the same rig.")
    ],
    /,
    *,
    output: NewFolder,
    json: Json = False,
) -> Outcome:
    """Make one session of those that several computers recorded: each its own devices, all from one master's pulses.

    The result is a session folder like any other; genlock verify judges it as a whole. Recordings keep their bytes.

    Example: genlock session merge pc-1/take pc-2/take -o takes/001
    """
    from genlock.workflows.merge import merge_sessions

    with shown_progress(is_quiet=json) as progress:
        result = merge_sessions(sources, output, progress=progress)

    def show(console: Console) -> None:
        lines = [f"{result.output}: {len(result.devices)} devices of {len(result.hosts)} hosts"]
        if result.missing:
            lines.append(f"missing devices of the rig: {', '.join(result.missing)}")
        lines.append(f"Was it in sync? genlock verify {result.output}")
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return Outcome(DONE, result.to_json(), show)
