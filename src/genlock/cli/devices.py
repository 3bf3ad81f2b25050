"""``genlock devices``: which cameras are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, UNWORKABLE, Outcome, show_findings
from genlock.cli.simulation import Circumstances, K4aLibrary, backend_options
from genlock.errors import UnreadableInputError

if TYPE_CHECKING:
    from rich.console import Console

    from genlock.workflows.devices import DevicesResult, FoundDevice

__all__ = ["devices"]


def devices(
    rig: Annotated[Path | None, Parameter(help="The rig file (TOML) whose devices are expected.")] = None,
    /,
    *,
    backend: Annotated[
        str,
        Parameter(help="Whose devices: native, of this computer; sim, those that the rig file gives the virtual rig."),
    ] = "native",
    k4a_library: K4aLibrary = None,
    json: Json = False,
) -> Outcome:
    """List the devices of this computer: serial, firmware, plugs in the sync jacks, place on the USB bus.

    Each is opened for a moment and nothing is started. Exit status 1 when there is none, or when one that the rig file
    names is missing.

    Example: genlock devices
    """
    import platform

    from genlock.devices import open_backend
    from genlock.findings import errors_in
    from genlock.preflight import gather_usb, this_machine
    from genlock.rig import Rig, load_rig
    from genlock.workflows.devices import find_devices

    if backend == "sim" and rig is None:
        raise UnreadableInputError("RIG", "the virtual rig has the devices of a rig file: name one")
    loaded = load_rig(rig) if rig else None
    options = backend_options(backend, loaded or Rig(), Circumstances(k4a_library=k4a_library))
    with open_backend(backend, loaded or Rig(), **options) as opened:
        usb = gather_usb(this_machine()) if backend == "native" else None
        result = find_devices(opened, platform.node(), usb=usb, rig=loaded)
    status = UNWORKABLE if errors_in(result.findings) else DONE
    return Outcome(status, result.to_json(), lambda console: _show(console, result))


def _show(console: Console, result: DevicesResult) -> None:
    count = "1 device" if len(result.devices) == 1 else f"{len(result.devices)} devices"
    through = f" through {result.library}" if result.library else ""
    console.print(f"{count} on {result.host}{through}", markup=False, highlight=False, soft_wrap=True)
    for device in result.devices:
        console.print(
            f"{device.info.serial}  color {device.info.color_firmware}, depth {device.info.depth_firmware}  "
            f"{_plugs(device)}  {_place(device)}".rstrip(),
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    show_findings(console, result.findings)


def _plugs(device: FoundDevice) -> str:
    jacks = device.jacks
    if jacks is None:
        return "plugs: unknown"
    plugged = [
        name
        for name, is_plugged in (("Sync In", jacks.sync_in_connected), ("Sync Out", jacks.sync_out_connected))
        if is_plugged
    ]
    return f"plugs: {' and '.join(plugged) or 'none'}"


def _place(device: FoundDevice) -> str:
    usb = device.usb
    if usb is None:
        return ""
    speed = f" at {usb.depth_mbit_per_sec} Mbit/s" if usb.depth_mbit_per_sec else ""
    return f"usb {usb.port}{speed}, controller {usb.controller}"
