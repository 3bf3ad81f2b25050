"""``genlock calibrate live``: film the board and be told what is missing."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from genlock.cli.calibrate import (
    ExtrinsicsToWrite,
    ImagerName,
    Refine,
    TargetText,
    WorldText,
    refused,
    show_result,
    target_of,
)
from genlock.cli.interrupt import cancellation
from genlock.cli.options import Json, RigPath
from genlock.cli.outcome import DONE, UNWORKABLE, Outcome
from genlock.cli.simulation import AS_USUAL, BackendChoices, BackendName, backend_options

if TYPE_CHECKING:
    from rich.console import Console, Group

    from genlock.calibrate import CameraCoverage, Guidance

__all__ = ["live"]

FilmSeconds = Annotated[
    float | None,
    Parameter(
        validator=validators.Number(gt=0),
        help="Film so long, in seconds of the reference's time; else until enough was seen, or Ctrl-C.",
    ),
]


def live(
    rig: RigPath,
    /,
    *,
    target: TargetText,
    backend: BackendName,
    output: ExtrinsicsToWrite = Path("extrinsics.json"),
    imager: ImagerName = "color",
    world: WorldText = "",
    refine: Refine = (),
    seconds: FilmSeconds = None,
    choices: BackendChoices = AS_USUAL,
    jsonl: Annotated[bool, Parameter(negative="", help="Print one JSON object a look, up to six a second.")] = False,
    json: Json = False,
) -> Outcome:
    """Calibrate while filming: a table says which device has seen the board where, what is missing, what to film next.

    Ends when enough was seen; Ctrl-C ends the filming earlier and solves with what there is. Nothing is recorded. The
    virtual rig (--backend sim) waves the target that is asked for, unless a scenario says otherwise. Exit status 1 when
    the calibration is rejected.

    Example: genlock calibrate live studio.toml --backend sim --target charuco:9x6:80mm:60mm:DICT_5X5_250
    """
    from genlock.calibrate import CalibrationVerdict
    from genlock.devices import open_backend
    from genlock.devices.scenario import SceneName
    from genlock.plan import make_plan
    from genlock.rig import load_rig
    from genlock.workflows.boards import Imager, Refinement
    from genlock.workflows.calibrate import make_place, write_calibration
    from genlock.workflows.calibrate_live import calibrate_live

    board = target_of(target)
    if isinstance(board, Outcome):
        return board
    loaded = load_rig(rig)
    plan = make_plan(loaded)
    make_place(output)
    options = backend_options(backend, loaded, choices)
    try:
        if "scenario" in options and choices.scenario is None:
            options["scenario"] = replace(options["scenario"], scene=SceneName.BOARD, board=board)
        with (
            cancellation() as is_cancelled,
            open_backend(backend, loaded, **options) as opened,
            _shown_guidance(is_quiet=json, is_lines=jsonl) as on_guidance,
        ):
            result, guidance = calibrate_live(
                plan,
                opened,
                board,
                imager=Imager(imager),
                world=world,
                refine=tuple(map(Refinement, refine)),
                seconds=seconds,
                on_guidance=on_guidance,
                is_cancelled=is_cancelled,
            )
    except ValueError as error:
        return refused(str(error))
    files = write_calibration(result, output)

    def show(console: Console) -> None:
        if jsonl:
            return
        console.print(_table(guidance))
        show_result(console, result, files)

    is_bad = result.report.verdict is CalibrationVerdict.REJECTED
    content = {**result.report.to_json(), "coverage": guidance.to_json(), "files": [str(file) for file in files]}
    return Outcome(UNWORKABLE if is_bad else DONE, content, show)


@contextmanager
def _shown_guidance(*, is_quiet: bool, is_lines: bool) -> Iterator[Callable[[Guidance], None]]:
    """Where guidance goes: lines on standard output, a table that renews itself on a terminal, else a line a change."""
    if is_lines and not is_quiet:
        yield lambda guidance: _write(sys.stdout, json_module.dumps(guidance.to_json()))
    elif is_quiet:
        yield lambda guidance: None
    elif not sys.stderr.isatty():
        told: list[str] = []

        def tell(guidance: Guidance) -> None:
            if told[-1:] != [guidance.next_step]:
                told.append(guidance.next_step)
                _write(sys.stderr, f"  {guidance.next_step or 'enough'}")

        yield tell
    else:
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), transient=True) as shown:
            yield lambda guidance: shown.update(_table(guidance))


def _write(stream: object, line: str) -> None:
    print(line, file=stream, flush=True)  # type: ignore[call-overload]  # a text stream


def _table(guidance: Guidance) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("device", "sees", "seen", "regions", "tilt", "shared", "wants"):
        is_number = heading in ("seen", "tilt")
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=heading not in ("shared", "wants"))
    for camera in guidance.cameras:
        table.add_row(
            camera.camera,
            Text("yes", style="green") if camera.sees_board_now else Text("no", style="dim"),
            str(camera.positions),
            _regions(camera),
            f"{camera.tilt_deg:.0f}°",
            _best_shared(camera),
            Text(", ".join(camera.wants) or "enough", style="yellow" if camera.wants else "green"),
        )
    apart = " | ".join(", ".join(group) for group in guidance.groups)
    joined = "all joined" if len(guidance.groups) == 1 else f"not joined yet: {apart}"
    step = (
        Text(f"next: {guidance.next_step}", style="bold yellow")
        if guidance.next_step
        else Text("enough was seen", style="bold green")
    )
    return Group(table, Text(joined, style="dim"), step)


def _best_shared(camera: CameraCoverage) -> str:
    best = sorted(camera.shared.items(), key=lambda item: -item[1])
    more = f" +{len(best) - 3}" if len(best) > 3 else ""
    return " ".join(f"{_short(other)}:{count}" for other, count in best[:3]) + more or "-"


def _regions(camera: CameraCoverage) -> str:
    """The nine regions of the image, row by row: full where a corner was seen."""
    marks = "".join("■" if is_seen else "·" for is_seen in camera.regions)
    return " ".join(marks[row : row + 3] for row in (0, 3, 6))


def _short(serial: str) -> str:
    return f"..{serial[-3:]}" if len(serial) > 5 else serial
