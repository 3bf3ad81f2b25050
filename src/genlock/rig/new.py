"""A first rig file, with a comment at everything that a person will want to change."""

from __future__ import annotations

from collections.abc import Sequence

from genlock.k4a import (
    COLOR_GEOMETRY,
    DEPTH_GEOMETRY,
    CameraFps,
    ColorResolution,
    DepthMode,
    PowerlineFrequency,
    nearest_exposure_usec,
)
from genlock.rig.model import Topology

__all__ = ["new_rig_toml"]

# So many lasers that all see each other keep the recommended 35 us between their pulses in one frame (see the plan's
# findings, ``plan.guard_small``); above it the file says who sees whom.
_MOST_THAT_ALL_OVERLAP = 9


def new_rig_toml(
    serials: Sequence[str],
    *,
    name: str = "studio",
    topology: Topology | None = None,
    depth_mode: DepthMode = DepthMode.NFOV_UNBINNED,
    color_resolution: ColorResolution = ColorResolution.RES_1080P,
    camera_fps: CameraFps | None = None,
    powerline_hz: PowerlineFrequency = PowerlineFrequency.HZ_60,
    hosts: Sequence[str] = (),
) -> str:
    """The text of a commented rig file that loads, and that plans without an error.

    Args:
        serials: of the devices; the first one becomes the master.
        name: of the rig.
        topology: how the sync cables run; ``None``: a daisy chain, or standalone for one device.
        depth_mode: of every device.
        color_resolution: of every device.
        camera_fps: of every device; ``None``: the fastest that both modes have.
        powerline_hz: of the mains that feeds the light.
        hosts: names of computers; the devices are spread over them in order.

    Raises:
        ValueError: no serials, a serial twice, both cameras off, or a rate that a mode does not have.
    """
    topology = topology or (Topology.DAISY_CHAIN if len(serials) > 1 else Topology.STANDALONE)
    _refuse_impossible(serials, topology, depth_mode, color_resolution)
    fps = _rate(depth_mode, color_resolution, camera_fps)
    sections = [
        [
            "# What you own and what you want. Check it with: genlock plan THIS-FILE",
            "format_version = 1",
            f"name = {_quoted(name)}",
        ],
        _capture(depth_mode, color_resolution, fps, powerline_hz),
        _wiring(serials, topology),
        _plan(serials, depth_mode),
        *_hosts(hosts),
        *_devices(serials, hosts),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _refuse_impossible(
    serials: Sequence[str], topology: Topology, depth_mode: DepthMode, color_resolution: ColorResolution
) -> None:
    if not serials:
        raise ValueError("a rig needs at least 1 device")
    for serial in serials:
        if not (serial.isascii() and serial.isdigit()):
            raise ValueError(f"a serial number is a string of digits, not {serial!r}")
    if len(set(serials)) < len(serials):
        raise ValueError("a serial stands twice")
    if topology in (Topology.DAISY_CHAIN, Topology.STAR):
        if len(serials) == 1:
            raise ValueError(f"a {topology} needs at least 2 devices: a master and a subordinate")
        if color_resolution is ColorResolution.OFF:
            raise ValueError("the master's color camera makes the sync pulse: color cannot be off")
    if depth_mode is DepthMode.OFF and color_resolution is ColorResolution.OFF:
        raise ValueError("depth and color cannot both be off")


def _rate(depth_mode: DepthMode, color_resolution: ColorResolution, wanted: CameraFps | None) -> CameraFps:
    rates = [CameraFps.FPS_30]
    if depth_mode is not DepthMode.OFF:
        rates.append(DEPTH_GEOMETRY[depth_mode].max_fps)
    if color_resolution is not ColorResolution.OFF:
        rates.append(COLOR_GEOMETRY[color_resolution].max_fps)
    if wanted is not None and wanted > min(rates):
        raise ValueError(f"{depth_mode} with {color_resolution} color runs at {min(rates)} fps at most, not {wanted}")
    return wanted or min(rates)


def _quoted(text: str) -> str:
    """A TOML string; a backslash or a quote would end it, and control characters are not allowed."""
    if not text or not text.isprintable():
        raise ValueError(f"a name must be printable text, not {text!r}")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _listed(serials: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{serial}"' for serial in serials) + "]"


def _capture(
    depth_mode: DepthMode, color_resolution: ColorResolution, fps: CameraFps, powerline_hz: PowerlineFrequency
) -> list[str]:
    exposure_usec = nearest_exposure_usec(8330, powerline_hz)
    return [
        "[capture]                       # for every device; any of these keys may also stand in a [[device]] table",
        f"camera_fps = {int(fps):<17}  # 5, 15 or 30; WFOV_UNBINNED and 3072P end at 15",
        f'depth_mode = "{depth_mode}"',
        f'color_resolution = "{color_resolution}"',
        'color_format = "MJPG"           # NV12 and YUY2 exist at 720P only; BGRA32 makes huge recordings',
        f"powerline_hz = {int(powerline_hz):<15}  # 50 or 60: the mains that feeds the light",
        f"exposure_usec = {exposure_usec:<14}  # manual and equal on all devices: automatic disturbs the timing",
        "white_balance_k = 4500          # manual, so that the devices' colors match",
    ]


def _wiring(serials: Sequence[str], topology: Topology) -> list[str]:
    lines = ["[wiring]", f'topology = "{topology}"']
    match topology:
        case Topology.STANDALONE:
            lines[1] += "         # no sync cables"
        case Topology.EXTERNAL_TRIGGER:
            lines += [
                "# The generator feeds the first device's Sync In, each Sync Out the next Sync In. Every device is a",
                "# subordinate, as Microsoft's maintainers say. Where the generator drives a master instead, as its",
                f'# article has it, name that one: master = "{serials[0]}"',
                f"order = {_listed(serials)}",
                "# [wiring.trigger]              # what the generator gives, to have it judged",
                "# pulse_usec = 12",
                "# high_v = 5",
            ]
        case _:
            behind = "splitter's outputs" if topology is Topology.STAR else "chain, nearest to the master first"
            lines += [
                f'master = "{serials[0]}"       # its Sync Out feeds the others',
                f"order = {_listed(serials[1:])}  # the {behind}",
                "# Name cables one by one to have their lengths judged:",
                "# [[wiring.cable]]",
                f'# from = "{serials[0]}"',
                f'# to = "{"splitter" if topology is Topology.STAR else serials[1]}"',
                "# length_m = 3",
            ]
    return lines


def _plan(serials: Sequence[str], depth_mode: DepthMode) -> list[str]:
    lines = [
        "[plan]",
        'goal = "aligned_color"          # or "interleaved_fps", "aligned_depth"',
        "min_guard_usec = 100            # gap to keep between one laser's pulse and another's",
        "max_rgbd_skew_usec = 2000       # how far depth may lie from color in time; more gives the lasers more room",
    ]
    has_laser = depth_mode not in (DepthMode.OFF, DepthMode.PASSIVE_IR)
    if len(serials) <= _MOST_THAT_ALL_OVERLAP or not has_laser:
        return [*lines, 'overlap = "all"                 # whose depth cameras see the same space; or pairs of serials']
    pairs = [(serials[i], serials[(i + step) % len(serials)]) for i in range(len(serials)) for step in (1, 2)]
    listed = [f'  ["{a}", "{b}"],' for a, b in pairs]
    return [
        *lines,
        f"# So many lasers cannot all be kept apart. This assumes a ring of {len(serials)} devices, each of which sees",
        "# the same space as two neighbours on either side. Put in who really does.",
        "overlap = [",
        *listed,
        "]",
    ]


def _hosts(hosts: Sequence[str]) -> list[list[str]]:
    return [
        [
            "[[host]]",
            f"name = {_quoted(host)}",
            "# Give what you know, and the load is judged against it:",
            "# usb_controllers = 2           # USB 3 host controllers for the devices",
            "# usbfs_memory_mb = 1000        # Linux: cat /sys/module/usbcore/parameters/usbfs_memory_mb",
            "# disk_mb_per_sec = 1000",
        ]
        for host in dict.fromkeys(hosts)
    ]


def _devices(serials: Sequence[str], hosts: Sequence[str]) -> list[list[str]]:
    names = list(dict.fromkeys(hosts))
    tables = []
    for turn, serial in enumerate(serials):
        table = ["[[device]]", f'serial = "{serial}"         # the twelve digits on its underside']
        if names:
            table.append(f"host = {_quoted(names[turn * len(names) // len(serials)])}")
        tables.append(table)
    tables[0] += [
        "# position_m = [0.0, 1.2, 2.0]          # nominal place and attitude of the depth camera (T_world_device):",
        "# rotation_wxyz = [1.0, 0.0, 0.0, 0.0]  # with these on every device, overlap can be left out and is computed",
    ]
    return tables
