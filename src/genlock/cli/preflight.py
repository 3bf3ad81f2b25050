"""``genlock preflight``: is this computer ready?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from genlock.cli.options import Json, RigPath
from genlock.cli.outcome import DONE, UNWORKABLE, Outcome, show_findings
from genlock.cli.simulation import AS_USUAL, Circumstances, backend_options
from genlock.errors import UnreadableInputError

if TYPE_CHECKING:
    from rich.console import Console

    from genlock.devices import Backend
    from genlock.preflight import HostFacts, Machine
    from genlock.rig import Rig
    from genlock.workflows.preflight import PreflightResult

__all__ = ["preflight"]


def preflight(
    rig: RigPath,
    /,
    *,
    backend: Annotated[
        str | None,
        Parameter(help="Ask the devices too: native for real cameras, sim for the virtual rig. Not given: they rest."),
    ] = None,
    target: Annotated[Path, Parameter(help="The folder that takes will go to.")] = Path(),
    seconds: Annotated[
        float | None,
        Parameter(validator=validators.Number(gt=0, lte=7 * 86400), help="How long a take will be: is there room?"),
    ] = None,
    host: Annotated[str | None, Parameter(help="The name of this computer in the rig file, one of several.")] = None,
    fix: Annotated[
        bool,
        Parameter(negative="", help="Offer to raise usbfs_memory_mb now, until the next restart; needs root or sudo."),
    ] = False,
    yes: Annotated[bool, Parameter(negative="", help="With --fix: do not ask.")] = False,
    circumstances: Circumstances = AS_USUAL,
    json: Json = False,
) -> Outcome:
    """Look at this computer and say what stands in the way of a take, each with the command that repairs it.

    USB memory, permission, controllers, hubs and speed; Microsoft's library, its depth engine, graphics; power,
    processor, clock, disk. With --backend also the devices: all there, firmware, plugs, nobody else has them. Nothing
    is started; a test file of at most 512 MB is written to the target folder and removed. What cannot be checked is
    said. Exit status 1 when a take cannot work.

    Example: genlock preflight studio.toml --backend native --target /data/takes --seconds 1800
    """
    from genlock.errors import UnworkablePlanError
    from genlock.findings import errors_in
    from genlock.plan import make_plan
    from genlock.preflight import this_machine
    from genlock.rig import load_rig
    from genlock.workflows.preflight import run_preflight

    if fix and json and not yes:
        raise UnreadableInputError("--fix", "asks before it changes anything; with --json say --yes as well")
    loaded = load_rig(rig)
    plan = make_plan(loaded)
    if plan.has_errors:
        raise UnworkablePlanError(errors_in(plan.findings))
    machine = this_machine()
    open_devices = None if backend is None else _opener(backend, loaded, circumstances)

    def look() -> PreflightResult:
        library = circumstances.k4a_library
        return run_preflight(
            loaded, plan, machine, target, seconds=seconds, open_devices=open_devices, host=host, library=library
        )

    result = look()
    notes: list[str] = []
    if fix:
        note, is_changed = _fix(machine, result.facts, result.needed_usbfs_mb, is_asked=not yes)
        notes.append(note)
        result = look() if is_changed else result
    status = DONE if result.is_ready else UNWORKABLE
    return Outcome(status, {**result.to_json(), "fix": notes}, lambda console: _show(console, result, notes))


def _opener(backend: str, rig: Rig, circumstances: Circumstances) -> Callable[[], Backend]:
    """Opens the devices when it is called; what the user said wrongly is told at once."""
    from genlock.devices import open_backend

    options = backend_options(backend, rig, circumstances)
    return lambda: open_backend(backend, rig, **options)


def _fix(machine: Machine, facts: HostFacts, wanted_mb: int | None, *, is_asked: bool) -> tuple[str, bool]:
    """What was done about the memory for USB transfers, and whether anything changed."""
    from genlock.preflight import USBFS_FILE, set_usbfs_memory

    if wanted_mb is None:
        return "--fix: usbfs_memory_mb need not change", False
    found_mb = facts.usbfs.granted_mb if facts.usbfs else 0
    if is_asked:
        sys.stderr.write(f"Change usbfs_memory_mb from {found_mb} to {wanted_mb} until the next restart? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return "--fix: nothing was changed", False
    problem = set_usbfs_memory(machine, wanted_mb)
    if problem is None:
        return f"--fix: usbfs_memory_mb was {found_mb} and is {wanted_mb} until the next restart", True
    return f"--fix: {problem}. By hand: echo {wanted_mb} | sudo tee {USBFS_FILE}", False


def _show(console: Console, result: PreflightResult, notes: list[str]) -> None:
    for topic, text in _facts(result):
        console.print(f"{topic:<10}  {text}", markup=False, highlight=False, soft_wrap=True)
    for note in notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    console.print()
    show_findings(console, result.findings)
    verdict = "READY" if result.is_ready else "NOT READY"
    style = "bold green" if result.is_ready else "bold red"
    unchecked = sum(finding.code == "preflight.not_checked" for finding in result.findings)
    rest = f"; not checked: {unchecked}" if unchecked else ""
    console.print(f"{result.host}: {verdict}{rest}", style=style, markup=False, highlight=False)


def _facts(result: PreflightResult) -> list[tuple[str, str]]:
    facts = result.facts
    cpu, disk = facts.cpu, facts.disk
    memory = f", {cpu.memory_total_mb} MB" if cpu.memory_total_mb is not None else ""
    speed = f"writes {disk.write_mb_per_sec:g} MB/s, " if disk.write_mb_per_sec is not None else ""
    usbfs = f"usbfs_memory_mb {facts.usbfs.granted_mb}, " if facts.usbfs else ""
    kinects = facts.usb.kinects if facts.usb else ()
    lines = [
        ("computer", f"{result.host}: {facts.system}, {cpu.logical_cpus} processors ({cpu.model}){memory}"),
        ("disk", f"{disk.folder} ({disk.filesystem or 'unknown file system'}) {speed}{disk.free_gb:g} GB free"),
        ("SDK", facts.sdk.library or "no libk4a"),
        ("USB", f"{usbfs}{len(facts.usb.controllers) if facts.usb else 'unknown'} USB 3 controllers"),
    ]
    lines += [
        (
            k.serial,
            f"at {k.port}{f' behind hub {k.hubs[-1]}' if k.hubs else ''} on controller {k.controller}, "
            f"depth at {k.depth_mbit_per_sec or 'no'} Mbit/s",
        )
        for k in kinects
    ]
    for device in result.answers.asked if result.answers else ():
        if device.info is not None:
            text = f"firmware {device.info.color_firmware} / {device.info.depth_firmware}"
            lines.append((device.serial, f"{text} ({device.info.backend})"))
    return lines
