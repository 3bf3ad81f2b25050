"""``genlock repair``: rescue a recording whose recorder was killed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, UNWORKABLE, Outcome, show_findings

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["repair"]


def repair(
    file: Annotated[Path, Parameter(help="An Azure Kinect recording (MKV); it is only read.")],
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="The new file; must not exist. By default FILE.repaired.mkv."),
    ] = None,
    start_offset_usec: Annotated[
        int | None,
        Parameter(
            validator=validators.Number(gte=0),
            help="Device time of the recording's block time 0, in us, if you know it better than the file.",
        ),
    ] = None,
    json: Json = False,
) -> Outcome:
    """Rescue a recording: write what can be read of it into a new file that every reader opens.

    The start offset that a killed recorder never wrote comes from the option, the file's tag, its inertial samples,
    genlock's own track, or a side-car FILE.json with "start_offset_usec"; the answer says how sure it is, and what is
    lost. Exit status 1 when nothing tells the start offset.

    Example: genlock repair killed.mkv -o rescued.mkv
    """
    from genlock.findings import errors_in
    from genlock.recording import repair_recording

    result = repair_recording(file, output, start_offset_usec=start_offset_usec)

    def show(console: Console) -> None:
        sure = "certain" if result.offset.is_certain else "not certain"
        for line in (
            f"{result.repaired}: {result.captures} captures, {result.imu_samples} inertial samples, "
            f"{result.repaired_bytes / 1e6:.1f} MB",
            f"start offset {result.offset.offset_usec} us from {result.offset.source} ({sure})",
            f"{result.lost_bytes} bytes of the original could not be read",
        ):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        show_findings(console, result.findings)

    return Outcome(UNWORKABLE if errors_in(result.findings) else DONE, result.to_json(), show)
