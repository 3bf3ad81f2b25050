"""``genlock calibrate``: where are the cameras, and have they moved since?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import cyclopts
from cyclopts import Parameter

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, UNWORKABLE, USAGE, Outcome
from genlock.cli.progress import shown_progress

if TYPE_CHECKING:
    from rich.console import Console

    from genlock.targets import Target
    from genlock.workflows.boards import CalibrationResult

__all__ = [
    "ExtrinsicsToWrite",
    "ImagerName",
    "Refine",
    "TargetText",
    "WorldText",
    "app",
    "refused",
    "show_result",
    "target_of",
]

_TARGET_HELP = (
    "KIND:COLUMNSxROWS:SQUARE[:MARKER:DICTIONARY][:legacy][:inverted] as measured on the print, lengths "
    "with their unit (mm, cm, m, in). KIND is charuco, grid (ArUco or AprilTag markers) or chessboard (counts squares)."
)
TargetText = Annotated[str, Parameter(name="--target", help=_TARGET_HELP)]
ExtrinsicsToWrite = Annotated[
    Path, Parameter(name=["--output", "-o"], help="The extrinsics; the report is written beside them.")
]
ImagerName = Annotated[
    Literal["color", "ir"], Parameter(name="--imager", help="Which camera of each device looks for the board.")
]

WorldText = Annotated[
    str,
    Parameter(
        name="--world",
        help="Which frame is the world: device:SERIAL; board, where it lay still longest, or board:SET; "
        "marker:ID[:SIZE[:DICTIONARY]], one that does not move; gravity or gravity:SERIAL, z up by the accelerometers.",
    ),
]
Refine = Annotated[
    tuple[Literal["intrinsics", "depth"], ...],
    Parameter(
        name="--refine",
        negative="",
        help="Repeatable. intrinsics: look for better lenses near the factory's. depth: move devices until surfaces "
        "that several measured meet, never along directions that no surface holds. Either is taken only when held-out "
        "sets gain by 5 %.",
    ),
]

app = cyclopts.App(name="calibrate")


@app.default
def calibrate(
    sessions: Annotated[tuple[Path, ...], Parameter(help="Session folders in which the board was shown.")] = (),
    /,
    *,
    target: TargetText,
    output: ExtrinsicsToWrite = Path("extrinsics.json"),
    imager: ImagerName = "color",
    world: WorldText = "",
    refine: Refine = (),
    images: Annotated[
        Path | None, Parameter(help="A folder of synchronized videos or pictures of any cameras, instead of sessions.")
    ] = None,
    intrinsics: Annotated[
        Path | None, Parameter(help="Their lenses: TOML of caliscope or aniposelib, YAML of OpenCV, or a folder of it.")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Calibrate the set: poses of all devices from a board that was carried through their views.

    Factory lenses are kept. The result is judged on sets that it was not made from: accepted, rejected (exit status
    1), or not judged for want of sets. What does not fit is left out and named.

    Example: genlock calibrate takes/board --target charuco:9x6:80mm:60mm:DICT_5X5_250 -o extrinsics.json
    """
    from genlock.calibrate import CalibrationVerdict
    from genlock.workflows.boards import Imager, Refinement
    from genlock.workflows.calibrate import calibrate_images, calibrate_sessions, make_place, write_calibration

    board = target_of(target)
    if isinstance(board, Outcome):
        return board
    if bool(sessions) == (images is not None) or (images is not None) != (intrinsics is not None):
        return refused("give session folders, or --images with --intrinsics")
    make_place(output)
    try:
        with shown_progress(is_quiet=json) as progress:
            if images is not None and intrinsics is not None:
                result = calibrate_images(
                    images,
                    intrinsics,
                    board,
                    world=world,
                    refine=tuple(map(Refinement, refine)),
                    progress=progress,
                )
            else:
                result = calibrate_sessions(
                    sessions,
                    board,
                    imager=Imager(imager),
                    world=world,
                    refine=tuple(map(Refinement, refine)),
                    progress=progress,
                )
    except ValueError as error:
        return refused(str(error))
    files = write_calibration(result, output)
    is_bad = result.report.verdict is CalibrationVerdict.REJECTED
    return Outcome(
        UNWORKABLE if is_bad else DONE,
        {**result.report.to_json(), "files": [str(file) for file in files]},
        lambda console: show_result(console, result, files),
    )


@app.command
def check(
    session: Annotated[Path, Parameter(help="A session in which the board was shown again.")],
    /,
    *,
    extrinsics: Annotated[Path, Parameter(help="Where the devices were.")],
    target: TargetText,
    imager: ImagerName = "color",
    json: Json = False,
) -> Outcome:
    """Say which cameras have moved since the extrinsics were made, and by how much.

    Judged where the board was shown: by how far its corners lie from where the old places put them. Exit status 1 when
    a camera has moved, or when one could not be checked.

    Example: genlock calibrate check takes/board2 --extrinsics extrinsics.json
    --target charuco:9x6:80mm:60mm:DICT_5X5_250
    """
    from genlock.workflows.boards import Imager
    from genlock.workflows.calibrate import check_session

    board = target_of(target)
    if isinstance(board, Outcome):
        return board
    with shown_progress(is_quiet=json) as progress:
        result = check_session(session, extrinsics, board, imager=Imager(imager), progress=progress)

    def show(console: Console) -> None:
        for m in result.movements:
            word = "HAS MOVED" if m.has_moved else "stands"
            line = f"{m.serial}  {word}: what it sees lies {m.shift_mm:.1f} mm elsewhere (limit {m.limit_mm:.1f} mm)"
            if m.has_moved:
                line += f"; moved by about {m.moved_mm:.1f} mm, turned by {m.turned_deg:.2f} deg"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        for finding in result.findings:
            console.print(f"{finding}", markup=False, highlight=False, soft_wrap=True)

    return Outcome(DONE if result.is_still else UNWORKABLE, result.to_json(), show)


@app.command
def export(
    session: Annotated[Path | None, Parameter(help="A session of the devices, for their lenses.")] = None,
    /,
    *,
    extrinsics: Annotated[Path, Parameter(help="Where the devices are.")],
    to: Annotated[
        Literal["opencv", "colmap", "nerfstudio", "toml", "kalibr", "ros"],
        Parameter(help="The format; toml is that of caliscope and aniposelib."),
    ],
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The folder for the files.")],
    imager: Annotated[
        Literal["color", "ir"], Parameter(name="--imager", help="Which camera of each device is written.")
    ] = "color",
    intrinsics: Annotated[
        Path | None, Parameter(help="Lenses of other cameras, calibrated with --images, instead of a session.")
    ] = None,
    json: Json = False,
) -> Outcome:
    """Write the cameras in their places as other tools read them.

    Example: genlock calibrate export takes/001 --extrinsics extrinsics.json --to colmap -o colmap
    """
    from genlock.workflows.boards import Imager
    from genlock.workflows.export_calibration import export_calibration, export_placed_lenses

    try:
        if session is not None and intrinsics is None:
            files = export_calibration(session, extrinsics, to, output, imager=Imager(imager))
        elif session is None and intrinsics is not None:
            files = export_placed_lenses(intrinsics, extrinsics, to, output)
        else:
            return refused("give a session folder, or --intrinsics of other cameras")
    except ValueError as error:
        return refused(str(error))

    def show(console: Console) -> None:
        for file in files:
            console.print(f"written  {file}", markup=False, highlight=False, soft_wrap=True)

    return Outcome(DONE, {"format_version": 1, "files": [str(file) for file in files], "findings": []}, show)


@app.command(name="target")
def print_target(
    *,
    target: TargetText,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The PDF to write.")] = Path("target.pdf"),
    json: Json = False,
) -> Outcome:
    """Write a target as a PDF of its true size, with a ruler to check the printer by.

    Example: genlock calibrate target --target charuco:9x6:30mm:22mm:DICT_5X5_250 -o board.pdf
    """
    from genlock.calibrate import target_pdf
    from genlock.recording import write_atomically
    from genlock.workflows.calibrate import make_place

    board = target_of(target)
    if isinstance(board, Outcome):
        return board
    try:
        content = target_pdf(board)
    except ValueError as error:
        return refused(str(error))
    make_place(output)
    write_atomically(output, content)
    width_mm, height_mm = (1000 * side for side in board.size_m)
    words = (
        f"wrote {output}: {width_mm:g} x {height_mm:g} mm. Print at 100 %, measure a square, and say so in --target."
    )
    return Outcome(
        DONE,
        {"format_version": 1, "path": str(output), "target": str(board), "width_mm": width_mm, "height_mm": height_mm},
        lambda console: console.print(words, markup=False, highlight=False, soft_wrap=True),
    )


def show_result(console: Console, result: CalibrationResult, files: tuple[Path, ...]) -> None:
    """Prints a calibration and where it was written."""
    console.print(result.report.to_text(), markup=False, highlight=False, soft_wrap=True)
    for file in files:
        console.print(f"written  {file}", markup=False, highlight=False, soft_wrap=True)


def target_of(text: str) -> Target | Outcome:
    """The target that a text describes, or what is wrong with the text."""
    from genlock.targets import parse_target

    try:
        return parse_target(text)
    except ValueError as error:
        return refused(str(error))


def refused(message: str) -> Outcome:
    """Wrong usage, said plainly."""
    return Outcome(
        USAGE,
        {"format_version": 1, "error": {"kind": "usage", "message": message}, "findings": []},
        lambda console: console.print(f"genlock: {message}", style="red", markup=False, highlight=False),
        is_error=True,
    )
