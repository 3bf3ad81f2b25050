"""``genlock rig``: the rig file itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import cyclopts
from cyclopts import Parameter, validators

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, USAGE, Outcome

__all__ = ["app"]

app = cyclopts.App(name="rig", help="The rig file itself: a first one, its schema.")

# The SDK's names, written out: to look them up would load the models with every command. A test compares them.
Topology = Literal["daisy_chain", "star", "external_trigger", "standalone"]
DepthMode = Literal["NFOV_UNBINNED", "NFOV_2X2BINNED", "WFOV_2X2BINNED", "WFOV_UNBINNED", "PASSIVE_IR", "OFF"]
ColorResolution = Literal["720P", "1080P", "1440P", "1536P", "2160P", "3072P", "OFF"]


@app.command
def schema(*, json: Json = False) -> Outcome:
    """Print the JSON Schema of a rig file, for editors that complete and check TOML.

    Example: genlock rig schema > rig.schema.json
    """
    import json as json_module

    from genlock.rig import rig_json_schema

    content = rig_json_schema()
    return Outcome(DONE, content, lambda console: console.out(json_module.dumps(content, indent=2), highlight=False))


@app.command
def new(
    *,
    devices: Annotated[
        int, Parameter(validator=validators.Number(gte=1, lte=100), help="How many devices; their serials are made up.")
    ] = 3,
    serial: Annotated[
        tuple[str, ...], Parameter(negative="", help="A serial; give it once for each device, the master's first.")
    ] = (),
    topology: Annotated[
        Topology | None,
        Parameter(help="How the sync cables run; default: a daisy chain, or standalone for one device."),
    ] = None,
    mode: Annotated[DepthMode, Parameter(help="Depth mode of every device.")] = "NFOV_UNBINNED",
    color: Annotated[ColorResolution, Parameter(help="Color resolution of every device.")] = "1080P",
    fps: Annotated[Literal[5, 15, 30] | None, Parameter(help="Default: the fastest that both modes have.")] = None,
    powerline: Annotated[Literal[50, 60], Parameter(help="Mains frequency of the room's light, in Hz.")] = 60,
    host: Annotated[tuple[str, ...], Parameter(negative="", help="A computer's name; give it once for each.")] = (),
    name: Annotated[str, Parameter(help="A name for the rig.")] = "studio",
    ask: Annotated[bool, Parameter(negative="", help="Ask for each of the above instead.")] = False,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="The file to make; an existing one is never written over."),
    ] = None,
    json: Json = False,
) -> Outcome:
    """Write a first rig file, with a comment at everything that you will want to change.

    It loads and plans without an error as it is. Without -o it is printed.

    Example: genlock rig new --devices 4 --topology star --mode WFOV_2X2BINNED -o studio.toml
    """
    from genlock.recording import write_atomically

    wishes = _Wishes(devices, topology, mode, color, fps, powerline)
    try:
        text = _rig_toml(_asked(wishes) if ask else wishes, serial, name, host)
    except ValueError as error:
        return _refused(str(error))
    except EOFError:
        return _refused("--ask needs somebody to answer; give options instead")
    if output is None:
        return Outcome(DONE, {"format_version": 1, "rig_toml": text, "path": None}, lambda c: c.out(text, end=""))
    if output.exists():
        return _refused(f"{output} exists; choose another name, or move it away")
    write_atomically(output, text)
    words = f"wrote {output}. Put in your serials, then: genlock plan {output}"
    return Outcome(
        DONE,
        {"format_version": 1, "rig_toml": text, "path": str(output)},
        lambda console: console.print(words, markup=False, highlight=False, soft_wrap=True),
    )


@dataclass(frozen=True)
class _Wishes:
    """What can be asked for."""

    devices: int
    topology: str | None
    mode: str
    color: str
    fps: int | None
    powerline: int


def _asked(default: _Wishes) -> _Wishes:
    """The answers of whoever sits there. Questions go to standard error: standard output may be the file."""
    from rich.console import Console
    from rich.prompt import IntPrompt, Prompt

    console = Console(stderr=True)
    devices = IntPrompt.ask("How many devices", default=default.devices, console=console)
    usual = "daisy_chain" if devices > 1 else "standalone"
    return _Wishes(
        devices,
        Prompt.ask("Sync cables", choices=list(get_args(Topology)), default=default.topology or usual, console=console),
        Prompt.ask("Depth mode", choices=list(get_args(DepthMode)), default=default.mode, console=console),
        Prompt.ask("Color", choices=list(get_args(ColorResolution)), default=default.color, console=console),
        default.fps,
        int(Prompt.ask("Mains, Hz", choices=["50", "60"], default=str(default.powerline), console=console)),
    )


def _rig_toml(wishes: _Wishes, serials: tuple[str, ...], name: str, hosts: tuple[str, ...]) -> str:
    from genlock import k4a
    from genlock.rig import Topology as RigTopology
    from genlock.rig import new_rig_toml

    return new_rig_toml(
        serials or [f"{number:012d}" for number in range(1, wishes.devices + 1)],
        name=name,
        topology=RigTopology(wishes.topology) if wishes.topology else None,
        depth_mode=k4a.DepthMode(wishes.mode),
        color_resolution=k4a.ColorResolution(wishes.color),
        camera_fps=k4a.CameraFps(wishes.fps) if wishes.fps else None,
        powerline_hz=k4a.PowerlineFrequency(wishes.powerline),
        hosts=hosts,
    )


def _refused(message: str) -> Outcome:
    return Outcome(
        USAGE,
        {"format_version": 1, "error": {"kind": "usage", "message": message}, "findings": []},
        lambda console: console.print(f"genlock: {message}", style="red", markup=False, highlight=False),
        is_error=True,
    )
