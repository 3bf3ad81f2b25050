"""``genlock virtual``: any program sees the virtual rig as plugged-in cameras."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from genlock.cli.options import Json, RigPath
from genlock.cli.outcome import DONE, Outcome
from genlock.cli.simulation import Faults, K4aLibrary, ScenarioFile
from genlock.errors import UnreadableInputError

if TYPE_CHECKING:
    from rich.console import Console

    from genlock.devices.scenario import Scenario
    from genlock.rig import Rig

__all__ = ["virtual"]


def virtual(
    rig: RigPath,
    /,
    *program: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="The program to run and its arguments, after two hyphens.")
    ],
    serve: Annotated[
        bool, Parameter(negative="", help="Keep the rig alive for several programs, until Ctrl-C.")
    ] = False,
    attach: Annotated[
        bool, Parameter(negative="", help="Run the program on the rig that --serve keeps alive elsewhere.")
    ] = False,
    list_clients: Annotated[
        bool, Parameter(negative="", help="Show who has which device of the served rig open.")
    ] = False,
    cause: Annotated[
        str | None, Parameter(help="Make this go wrong in the served rig now, written as --fault.")
    ] = None,
    cure: Annotated[str | None, Parameter(help="End this fault in the served rig now: KIND:SERIAL.")] = None,
    fault: Faults = (),
    scenario: ScenarioFile = None,
    k4a_library: K4aLibrary = None,
    json: Json = False,
) -> Outcome:
    """Run an unmodified program, in any language, that then sees the rig's devices as if they were plugged in.

    It needs Linux, Microsoft's libk4a (the SDK, or pip install 'genlock[sdk]') and a C compiler (gcc, clang, or pip
    install ziglang). Returns the program's exit status; 128 + n where signal n ended it, 127 where it was not found.
    With --json the program's own output goes to standard error.

    Example: genlock virtual studio.toml -- k4arecorder -l 5 take.mkv

    Several programs at once: genlock virtual studio.toml --serve in one terminal, then in others
    genlock virtual studio.toml --attach -- PROGRAM.
    """
    asked = sum((bool(program) and not attach, serve, attach, list_clients, cause is not None, cure is not None))
    if asked != 1 or (attach and not program):
        raise UnreadableInputError(
            "genlock virtual", "give one of: -- PROGRAM, --serve, --attach -- PROGRAM, --list-clients, --cause, --cure"
        )
    from genlock.virtual import require_linux

    require_linux()
    if list_clients or cause is not None or cure is not None:
        return _administered(rig, {"cause": cause, "cure": cure})
    if attach:
        return _attached(rig, program, is_json=json)
    from dataclasses import replace

    from genlock.devices.scenario import ExposurePoint
    from genlock.rig import load_rig
    from genlock.workflows.simulate import make_scenario

    loaded = load_rig(rig)
    circumstances = make_scenario(loaded, file=scenario, faults=fault)
    if scenario is None:
        # Real time waits for no image: they are made beforehand. And programs that leave exposure on automatic, or set
        # it to that as Open3D does, are in sync on cameras: "the centres are aligned" (SDK issue #868).
        timing = replace(circumstances.timing, exposures_share=ExposurePoint.CENTER)
        circumstances = replace(circumstances, is_looped=True, timing=timing)
    if serve:
        return _served(rig, loaded, circumstances, k4a_library)
    return _ran(loaded, circumstances, k4a_library, program, is_json=json)


def _ran(rig: Rig, scenario: Scenario, real: Path | None, program: Sequence[str], *, is_json: bool) -> Outcome:
    """One program on a rig of its own."""
    from genlock.virtual import forwarding, private_address, run_program, serve_rig

    with (
        forwarding() as mask,
        private_address() as address,
        serve_rig(rig, address, scenario=scenario, real=real) as served,
    ):
        environment = {**os.environ, **served.environment}
        status = run_program(program, environment, mask, stdout=sys.stderr.fileno() if is_json else None)
        refusals = tuple(served.server.refusals)
    return _program_outcome(program, status, refusals)


def _attached(rig_file: Path, program: Sequence[str], *, is_json: bool) -> Outcome:
    """One program among others on a rig that is served elsewhere."""
    from genlock.virtual import administer, forwarding, run_program

    served = administer(rig_file, {})
    with forwarding() as mask:
        environment = {**os.environ, **served["environment"]}
        status = run_program(program, environment, mask, stdout=sys.stderr.fileno() if is_json else None)
    return _program_outcome(program, status, ())


def _program_outcome(program: Sequence[str], status: int, refusals: Sequence[str]) -> Outcome:
    for refusal in refusals:  # the SDK's interface told the program no more than that it failed
        sys.stderr.write(f"genlock: the virtual rig refused {refusal}\n")
    content = {
        "format_version": 1, "program": list(program), "exit_status": status, "refusals": list(refusals)
    }  # fmt: skip
    return Outcome(status, content, lambda console: None)


def _served(rig_file: Path, rig: Rig, scenario: Scenario, real: Path | None) -> Outcome:
    """A rig for several programs, until somebody ends it."""
    from genlock.cli.interrupt import cancellation
    from genlock.virtual import serve_rig, shared_address

    with (
        cancellation() as is_cancelled,
        shared_address(rig_file) as address,
        serve_rig(rig, address, scenario=scenario, real=real) as served,
    ):
        sys.stderr.write(
            f"genlock: serving {len(rig.devices)} devices of {rig_file}; Ctrl-C ends it.\n"
            f"genlock: run programs with: genlock virtual {rig_file} --attach -- PROGRAM\n"
            "genlock: or set their environment:\n"
        )
        for name, value in served.environment.items():
            sys.stderr.write(f"  export {name}={shlex.quote(value)}\n")
        sys.stderr.flush()
        served.backend.clock.signal().wait_for(is_cancelled)
        refusals = tuple(served.server.refusals)
    content = {"format_version": 1, "devices": [device.serial for device in rig.devices], "refusals": list(refusals)}
    return Outcome(DONE, content, lambda console: None)


def _administered(rig_file: Path, request: Mapping[str, str | None]) -> Outcome:
    """A question to a rig that is served elsewhere, or something that goes wrong in it."""
    from genlock.virtual import administer

    answer = administer(rig_file, {name: text for name, text in request.items() if text is not None})

    def show(console: Console) -> None:
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for heading in ("device", "role", "program", "pid", "captures"):
            table.add_column(heading)
        for client in answer["clients"]:
            table.add_row(*(str(client[name]) for name in ("serial", "role", "program", "pid", "captures")))
        console.print(table if answer["clients"] else "nobody has a device open")

    return Outcome(DONE, {"format_version": 1, "clients": answer["clients"]}, show)
