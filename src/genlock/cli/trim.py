"""``genlock trim``: a stretch of a take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, Outcome
from genlock.cli.progress import shown_progress

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["trim"]

_Seconds = Annotated[float | None, Parameter(validator=validators.Number(gte=0))]


def trim(
    source: Annotated[Path, Parameter(help="A session folder, or one recording (MKV); it is only read.")],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The new session folder, or the new file.")],
    from_sec: Annotated[_Seconds, Parameter(help="Device time at which to begin, in s on the master's clock.")] = None,
    until_sec: Annotated[_Seconds, Parameter(help="Device time at which to end, in s on the master's clock.")] = None,
    epoch: Annotated[int | None, Parameter(help="Whose time is meant, when the take has several epochs.")] = None,
    json: Json = False,
) -> Outcome:
    """Take a stretch out of a session or a recording: all devices at the same captures, every byte of them as it is.

    Device time counts from the first pulse, as verify and inspect tell it. No capture is cut in two.

    Example: genlock trim takes/001 -o takes/001-short --from-sec 10 --until-sec 25.5
    """
    from genlock.workflows.cutting import trim as trim_take

    limits = [None if sec is None else round(sec * 1e6) for sec in (from_sec, until_sec)]
    with shown_progress(is_quiet=json) as progress:
        result = trim_take(source, output, from_usec=limits[0], until_usec=limits[1], epoch=epoch, progress=progress)

    def show(console: Console) -> None:
        text = (
            f"{result.output}: {len(result.files)} files, {result.captures} captures, {result.size_bytes / 1e6:.1f} MB"
        )
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return Outcome(DONE, result.to_json(), show)
