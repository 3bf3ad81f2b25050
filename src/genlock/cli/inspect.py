"""``genlock inspect``: what one recording holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, UNWORKABLE, Outcome, show_findings

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["inspect"]


def inspect(
    file: Annotated[Path, Parameter(help="An Azure Kinect recording (MKV), genlock's or anybody's.")],
    /,
    *,
    png: Annotated[
        Path | None, Parameter(help="Also draw a thumbnail strip into this PNG file: color, depth, IR over time.")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Show what a recording holds: device, configuration, tracks, tags, timing, gaps.

    Times are in us of the device clock, lengths in s, rates in frames per second.

    Example: genlock inspect takes/001/devices/000000000001/e01-p001.mkv
    """
    from genlock.findings import errors_in
    from genlock.recording import inspect_recording

    inspection = inspect_recording(file)
    if png is not None:
        from genlock.workflows.thumbnails import write_thumbnail_strip

        write_thumbnail_strip(file, png)

    def show(console: Console) -> None:
        console.print(inspection.to_text(), markup=False, highlight=False, soft_wrap=True)
        show_findings(console, inspection.findings)

    return Outcome(UNWORKABLE if errors_in(inspection.findings) else DONE, inspection.to_json(), show)
