"""``genlock fuse``: one scene out of many cameras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from genlock.cli.calibrate import refused
from genlock.cli.options import Json
from genlock.cli.outcome import DONE, Outcome
from genlock.cli.progress import shown_progress

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["fuse"]


def fuse(
    session: Annotated[Path, Parameter(help="A session folder.")],
    /,
    *,
    extrinsics: Annotated[Path, Parameter(help="Where its devices were: a file that `genlock calibrate` made.")],
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The folder for the results.")],
    fill: Annotated[
        tuple[str, ...], Parameter(help="Serial of a device whose color view is filled from all others; repeatable.")
    ] = (),
    cloud: Annotated[
        Literal["ply"] | None, Parameter(help="Write a merged colored cloud of each set, in metres of the world.")
    ] = None,
    sets: Annotated[
        int | None,
        Parameter(validator=validators.Number(gte=1), help="How many complete capture sets, from the first on."),
    ] = 1,
    all_sets: Annotated[bool, Parameter(name="--all", negative="", help="The whole session.")] = False,
    json: Json = False,
) -> Outcome:
    """Fill the holes of a device's depth from the other devices, and merge all of them into clouds.

    For each set and filled device: SET-depth.png (16 bit, mm, in the color camera's view, 0 = nobody saw it),
    SET-source.png (who measured each pixel), SET-before.png and SET-after.png for people.

    Example: genlock fuse takes/001 --extrinsics extrinsics.json --fill 000000000001 --cloud ply -o takes/001-fused
    """
    from genlock.workflows.fuse import fuse_session

    if not fill and cloud is None:
        return refused("there is nothing to make: give --fill SERIAL, or --cloud ply, or both")
    with shown_progress(is_quiet=json) as progress:
        result = fuse_session(
            session,
            extrinsics,
            output,
            fill=fill,
            cloud=cloud is not None,
            sets=None if all_sets else sets,
            progress=progress,
        )

    def show(console: Console) -> None:
        for serial, images in result.filled.items():
            for image in images:
                console.print(
                    f"{serial}  set {image.set_index}: {image.own_ratio:.1%} of the view measured by itself, "
                    f"{image.filled_ratio:.1%} of the rest filled from others",
                    highlight=False,
                )
        if result.clouds:
            console.print(f"{len(result.clouds)} clouds, {result.points} points", highlight=False)
        for words, wanted in (("refined with the poses", True), ("the factory's", False)):
            serials = [serial for serial, own in result.has_refined_lens.items() if own is wanted]
            if serials:
                console.print(f"lenses   {words}: {', '.join(serials)}", highlight=False)
        console.print(f"written  {result.folder}", markup=False, highlight=False, soft_wrap=True)

    return Outcome(DONE, result.to_json(), show)
