"""``genlock merge-parts``: parts as one file again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, Outcome
from genlock.cli.progress import shown_progress

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["merge_parts"]


def merge_parts(
    sources: Annotated[
        tuple[Path, ...],
        Parameter(help="One session folder, or the parts (MKV) of one device's recording; only read."),
    ],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The new session folder, or the new file.")],
    json: Json = False,
) -> Outcome:
    """Join the parts of recordings: one file a device and epoch, every byte of the images as it is.

    Example: genlock merge-parts takes/001 -o takes/001-whole
    """
    from genlock.workflows.cutting import merge_parts as join

    with shown_progress(is_quiet=json) as progress:
        result = join(sources, output, progress=progress)

    def show(console: Console) -> None:
        text = (
            f"{result.output}: {len(result.files)} files, {result.captures} captures, {result.size_bytes / 1e6:.1f} MB"
        )
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return Outcome(DONE, result.to_json(), show)
