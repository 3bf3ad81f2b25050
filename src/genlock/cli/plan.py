"""``genlock plan``: what will happen, before anything is plugged in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from genlock.cli.options import Json, RigPath
from genlock.cli.outcome import DONE, UNWORKABLE, Outcome, show_findings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from genlock.k4a import DeviceConfig
    from genlock.plan import HostBudget, Plan
    from genlock.rig import Rig

__all__ = ["plan"]


def plan(
    rig: RigPath,
    /,
    *,
    wiring: Annotated[bool, Parameter(negative="", help="Print how to plug the rig, and what to buy.")] = False,
    explain: Annotated[bool, Parameter(negative="", help="Print where each number comes from.")] = False,
    as_: Annotated[
        Literal["k4arecorder"] | None,
        Parameter(name="--as", help="Print the commands that run this plan with another program, nothing else."),
    ] = None,
    svg: Annotated[Path | None, Parameter(help="Draw the timeline into this SVG file.")] = None,
    wiring_svg: Annotated[Path | None, Parameter(help="Draw the cables into this SVG file.")] = None,
    json: Json = False,
) -> Outcome:
    """Plan a rig: every device's role and delays, the start order, the laser timeline, and what cannot work.

    Delays are in us, as the SDK takes them; the device keeps whole ticks of 11.1 us. Exit status 1 when a finding says
    that the rig cannot work as it is described.

    Example: genlock plan studio.toml --wiring --svg timeline.svg
    """
    from genlock.errors import UnworkablePlanError
    from genlock.plan import make_plan
    from genlock.rig import load_rig

    loaded = load_rig(rig)
    made = make_plan(loaded)
    drawn = _draw(loaded, made, svg, wiring_svg)
    if as_ is not None:
        if made.has_errors:
            raise UnworkablePlanError(made.findings)
        return _as_other_program(made)

    def show(console: Console) -> None:
        if made.devices:
            _show_plan(console, made)
        if wiring:
            _show_text(console, _wiring_text(loaded, made))
        if explain:
            _show_text(console, _explain_text(loaded, made))
        show_findings(console, made.findings)
        for line in drawn:
            _show_text(console, line)

    return Outcome(UNWORKABLE if made.has_errors else DONE, _content(loaded, made, wiring, explain), show)


def _draw(rig: Rig, made: Plan, svg: Path | None, wiring_svg: Path | None) -> list[str]:
    """Writes the pictures that are asked for; says where they are."""
    from genlock.plan import timeline_svg
    from genlock.plan import wiring_svg as draw_wiring
    from genlock.recording import write_atomically

    drawn = []
    if svg:
        write_atomically(svg, timeline_svg(made))
        drawn.append(f"timeline drawn into {svg}")
    if wiring_svg:
        write_atomically(wiring_svg, draw_wiring(rig, made))
        drawn.append(f"wiring drawn into {wiring_svg}")
    return drawn


def _as_other_program(made: Plan) -> Outcome:
    from genlock.plan import k4arecorder_script, recorder_commands

    script = k4arecorder_script(made)
    commands = [
        {
            "serial": command.serial,
            "host": command.host,
            "arguments": list(command.arguments),
            "not_expressed": list(command.not_expressed),
        }
        for command in recorder_commands(made)
    ]
    content: dict[str, object] = {"format_version": 1, "program": "k4arecorder", "commands": commands, "script": script}
    content["findings"] = [finding.to_json() for finding in made.findings]
    return Outcome(DONE, content, lambda console: console.out(script, highlight=False, end=""))


def _content(rig: Rig, made: Plan, wiring: bool, explain: bool) -> dict[str, object]:
    """The plan as ``plan.json`` has it, and beside it what else was asked for."""
    from genlock.plan import explain as explanations
    from genlock.plan import wiring_guide

    content: dict[str, object] = made.to_json()
    if wiring:
        content["wiring_guide"] = wiring_guide(rig, made).to_json()
    if explain:
        content["explanations"] = [line.to_json() for line in explanations(rig, made)]
    return content


def _wiring_text(rig: Rig, made: Plan) -> str:
    from genlock.plan import wiring_guide

    return wiring_guide(rig, made).to_text()


def _explain_text(rig: Rig, made: Plan) -> str:
    from genlock.plan import explain_text

    return explain_text(rig, made)


def _show_text(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _show_plan(console: Console, made: Plan) -> None:
    from genlock.plan import timeline_text

    console.print(_table(made))
    console.print(f"start order  {' -> '.join(made.start_order)}", highlight=False, soft_wrap=True)
    console.print(f"laser guard  {made.guard_text}", highlight=False)
    for host in made.budget:
        _show_text(console, _budget_line(host))
    _show_text(console, f"\n{timeline_text(made)}")


def _budget_line(host: HostBudget) -> str:
    controllers = host.usb_by_controller_mb_per_sec
    usb = " + ".join(f"{mb_per_sec:.0f}" for mb_per_sec in controllers.values())
    preview = f", network {host.network_mbit_per_sec:.0f} Mbit/s" if host.preview_fps else ""
    return (
        f"budget       {host.host}: USB {usb} MB/s by controller, usbfs {host.usbfs_memory_mb} MB, "
        f"disk {host.disk_mb_per_sec:.0f} MB/s ({host.disk_gb_per_min:.1f} GB a minute){preview}"
    )


def _color(config: DeviceConfig) -> str:
    """``1080P``; with the format where that is not MJPG."""
    from genlock.k4a import ImageFormat

    is_usual = config.color_format is ImageFormat.MJPG or not config.has_color
    return config.color_resolution.value if is_usual else f"{config.color_resolution.value} {config.color_format.value}"


def _table(plan: Plan) -> Table:
    from rich.table import Table

    table = Table(
        box=None, title=f"rig {plan.rig_name}", title_justify="left", padding=(0, 2, 0, 0), header_style="dim"
    )
    for heading in ("serial", "role", "depth mode", "color"):
        table.add_column(heading, no_wrap=True)
    for heading in ("fps", "exposure\nus", "delay\nus", "depth\nus"):
        table.add_column(heading, justify="right", no_wrap=True)
    for device in plan.devices:
        config = device.config
        table.add_row(
            device.serial,
            config.wired_sync_mode.value.lower(),
            config.depth_mode.value,
            _color(config),
            str(int(config.camera_fps)),
            "auto" if device.exposure_usec is None else str(device.exposure_usec),
            str(config.subordinate_delay_off_master_usec),
            str(config.depth_delay_off_color_usec),
        )
    return table
