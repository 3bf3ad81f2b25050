"""``genlock split``: a take in parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, Outcome
from genlock.cli.progress import shown_progress
from genlock.cli.splitting import check_split_rule

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["split"]


def split(
    source: Annotated[Path, Parameter(help="A session folder, or one recording (MKV); it is only read.")],
    /,
    *,
    output: Annotated[
        Path, Parameter(name=["--output", "-o"], help="The new session folder, or a folder for the parts.")
    ],
    every: Annotated[
        str,
        Parameter(
            validator=check_split_rule, help="How long or how large parts may be: 30min, 90s, 4GB, 500MB (10^6 bytes)."
        ),
    ],
    json: Json = False,
) -> Outcome:
    """Cut a session or a recording into parts, at the same captures on all devices, every byte of them as it is.

    The parts of a recording keep its start offset: Microsoft's playback shows their true device times, and genlock
    reads them as one.

    Example: genlock split takes/001 -o takes/001-parts --every 10min
    """
    from genlock.recording import parse_split_rule
    from genlock.workflows.cutting import split as split_take

    with shown_progress(is_quiet=json) as progress:
        result = split_take(source, output, parse_split_rule(every), progress=progress)

    def show(console: Console) -> None:
        text = (
            f"{result.output}: {len(result.files)} files, {result.captures} captures, {result.size_bytes / 1e6:.1f} MB"
        )
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return Outcome(DONE, result.to_json(), show)
