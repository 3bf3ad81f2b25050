"""``genlock verify``: was it really in sync?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from genlock.cli.options import Json, ReportFolder
from genlock.cli.outcome import DONE, UNWORKABLE, Outcome
from genlock.cli.progress import shown_progress

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["verify"]


def verify(
    paths: Annotated[tuple[Path, ...], Parameter(help="One session folder, or the MKV files of one take.")],
    /,
    *,
    output: ReportFolder = None,
    files: Annotated[
        bool,
        Parameter(negative="", help="Read every byte too, and name the cluster and the time of every changed one."),
    ] = False,
    pictures: Annotated[
        bool, Parameter(help="Look at some pictures of each device too: covered, moved, dark cameras.")
    ] = True,
    json: Json = False,
) -> Outcome:
    """Judge a take from its files alone: offsets in us, drops, drift in ppm, and a verdict.

    good: every offset within 100 us and at least 99 % of the sets complete. pass: within Microsoft's tolerance (110 /
    220 / 660 us at 30 / 15 / 5 fps) and at least 90 %. fail: neither (exit status 1). not judged: too little evidence.
    Times and some pictures are read; whether every byte is still what was written, only --files tells.

    Example: genlock verify takes/001 -o takes/001-report
    """
    from genlock.findings import errors_in
    from genlock.verify import Verdict
    from genlock.workflows.report import write_report
    from genlock.workflows.verify import Depth, verify_path

    with shown_progress(is_quiet=json) as progress:
        report = verify_path(paths, Depth(pictures=pictures, files=files), progress)
    written = write_report(report, output) if output else None

    def show(console: Console) -> None:
        console.print(report.to_text(), markup=False, highlight=False, soft_wrap=True)
        if written:
            console.print(f"\nreport   {written.html}", markup=False, highlight=False, soft_wrap=True)

    failed = report.verdict is Verdict.FAIL or errors_in(report.findings)
    return Outcome(UNWORKABLE if failed else DONE, report.to_json(), show)
