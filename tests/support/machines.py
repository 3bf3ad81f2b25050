"""Computers as folders: layouts of /sys, /proc and /etc as real machines have them, written from compact tables.

A line of a USB table is ``NAME VENDOR:PRODUCT SPEED [SERIAL]``; names, speeds and the root hubs' serials (the PCI
address of the controller, once for each of its two buses) are laid out as Linux 5.15 and 6.8 show them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from genlock.preflight import Machine

RULES = """# a comment about 045e
SUBSYSTEM=="usb", ATTR{idVendor}=="045e", ATTR{idProduct}=="097a", MODE="0666", GROUP="plugdev"
SUBSYSTEM=="usb", ATTR{idVendor}=="045e", ATTR{idProduct}=="097b", MODE="0666", GROUP="plugdev"
SUBSYSTEM=="usb", ATTR{idVendor}=="045e", ATTR{idProduct}=="097c", MODE="0666", GROUP="plugdev"
SUBSYSTEM=="usb", ATTR{idVendor}=="045e", ATTR{idProduct}=="097d", MODE="0666", GROUP="plugdev"
SUBSYSTEM=="usb", ATTR{idVendor}=="045e", ATTR{idProduct}=="097e", MODE="0666", GROUP="plugdev"
"""
GLXINFO = "OpenGL renderer string: {renderer}\nOpenGL core profile version string: {version} (Core Profile) Mesa 23.2\n"


def root_hubs(fast_bus: int, slow_bus: int, address: str) -> list[str]:
    """A controller: one USB 3 and one USB 2 bus."""
    return [f"usb{fast_bus} 1d6b:0003 10000 {address}", f"usb{slow_bus} 1d6b:0002 480 {address}"]


def kinect(fast_port: str, slow_port: str, serial: str) -> list[str]:
    """An Azure Kinect as it should be: its fast half on a USB 3 bus, its slow half on a USB 2 bus."""
    return [
        f"{fast_port} 045e:097a 5000",
        f"{fast_port}.1 045e:097c 5000 {serial}",
        f"{fast_port}.2 045e:097d 5000 {serial}",
        f"{slow_port} 045e:097b 480",
        f"{slow_port}.4 045e:097e 480 {serial}",
    ]


@dataclass(frozen=True)
class Layout:
    """A computer to be written down."""

    usb: Sequence[str] = ()
    usbfs_memory_mb: int | None = 1000
    cmdline: str = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet splash usbcore.usbfs_memory_mb=1000"
    grub: str | None = 'GRUB_CMDLINE_LINUX_DEFAULT="quiet splash usbcore.usbfs_memory_mb=1000"\n'
    rules: str | None = RULES
    supplies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    governor: tuple[str, str, str | None] = ("performance", "acpi-cpufreq", None)
    """Governor, driver, energy preference."""
    cpus: int = 16
    memory_kb: int = 65_000_000
    graphics: bool = True
    display: str | None = ":0"
    opengl: tuple[str, str] | None = ("4.6", "NVIDIA GeForce RTX 3070/PCIe/SSE2")
    clock: str | None = "yes"
    """What timedatectl says; ``None``: it is not there."""
    system: str = "Linux"
    is_superuser: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    unwritable: frozenset[str] = frozenset()
    """Paths that this user may not write to."""


WORKSTATION = Layout(
    usb=[
        *root_hubs(2, 1, "0000:00:14.0"),
        *root_hubs(4, 3, "0000:05:00.0"),
        *root_hubs(6, 5, "0000:06:00.0"),
        "1-5 046d:c31c 1.5",
        *kinect("2-1", "1-1", "000000000001"),
        *kinect("4-1", "3-1", "000000000002"),
        *kinect("6-2", "5-2", "000000000003"),
    ]
)
"""A tower with two extra USB cards, one Kinect on each controller, set up as it should be."""

LAPTOP = Layout(
    usb=[
        *root_hubs(2, 1, "0000:00:14.0"),
        "2-2 05e3:0620 5000",
        "2-2.3 05e3:0620 5000",
        "1-2 05e3:0610 480",
        "1-2.3 05e3:0610 480",
        *kinect("2-2.1", "1-2.1", "000000000001"),
        *kinect("2-2.3.1", "1-2.3.1", "000000000002"),
        *kinect("2-2.3.2", "1-2.3.2", "000000000003"),
    ],
    usbfs_memory_mb=16,
    cmdline="BOOT_IMAGE=/vmlinuz root=/dev/nvme0n1p2 ro quiet splash",
    grub='GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet splash"\n',
    supplies={
        "AC": {"type": "Mains", "online": "0"},
        "BAT0": {"type": "Battery", "status": "Discharging"},
        "hidpp_battery_0": {"type": "Battery", "scope": "Device", "status": "Full"},
    },
    governor=("powersave", "intel_pstate", "balance_power"),
    cpus=4,
    memory_kb=7_900_000,
    opengl=("4.5", "llvmpipe (LLVM 15.0.7, 256 bits)"),
    clock="no",
)
"""One controller, a hub behind a hub, everything as the shop delivered it."""


def build(layout: Layout, root: Path) -> Machine:
    """Writes the computer below a folder."""
    files = dict(layout.files)
    for line in layout.usb:
        files.update(_usb_files(line))
    if layout.usbfs_memory_mb is not None:
        files["sys/module/usbcore/parameters/usbfs_memory_mb"] = f"{layout.usbfs_memory_mb}\n"
    if layout.rules is not None:
        files["etc/udev/rules.d/99-k4a.rules"] = layout.rules
    if layout.grub is not None:
        files["etc/default/grub"] = layout.grub
    governor, driver, preference = layout.governor
    for cpu in range(layout.cpus):
        folder = f"sys/devices/system/cpu/cpu{cpu}/cpufreq"
        files[f"{folder}/scaling_governor"] = f"{governor}\n"
        files[f"{folder}/scaling_driver"] = f"{driver}\n"
        if preference is not None:
            files[f"{folder}/energy_performance_preference"] = f"{preference}\n"
    for name, values in layout.supplies.items():
        files.update({f"sys/class/power_supply/{name}/{key}": f"{value}\n" for key, value in values.items()})
    if layout.graphics:
        files["dev/dri/renderD128"] = ""
    files["proc/cmdline"] = layout.cmdline
    files["proc/cpuinfo"] = "".join(
        f"processor\t: {cpu}\nmodel name\t: Test CPU at 3 GHz\n\n" for cpu in range(layout.cpus)
    )
    files["proc/meminfo"] = f"MemTotal:       {layout.memory_kb} kB\nMemAvailable:   {layout.memory_kb // 2} kB\n"
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (root / "sys/class/power_supply").mkdir(parents=True, exist_ok=True)
    unwritable = {root / path for path in layout.unwritable}
    return Machine(
        root=root,
        system=layout.system,
        is_superuser=layout.is_superuser,
        environment={} if layout.display is None else {"DISPLAY": layout.display},
        run=lambda command, text: _answer(layout, command),
        may_write=lambda path: path not in unwritable,
    )


def changed(layout: Layout, **changes: object) -> Layout:
    """The same computer but for some fields."""
    return replace(layout, **changes)  # type: ignore[arg-type]


def _usb_files(line: str) -> dict[str, str]:
    name, ids, speed, *serial = line.split()
    vendor, product = ids.split(":")
    folder = f"sys/bus/usb/devices/{name}"
    bus = name.removeprefix("usb").partition("-")[0]
    number = sum(ord(letter) for letter in name) % 120  # any that differs from its neighbours'
    files = {
        f"{folder}/idVendor": f"{vendor}\n",
        f"{folder}/idProduct": f"{product}\n",
        f"{folder}/speed": f"{speed}\n",
        f"{folder}/busnum": f"{bus}\n",
        f"{folder}/devnum": f"{number}\n",
        f"{folder}/power/control": "on\n",
        f"{folder}/power/connected_duration": "600000\n",
        f"sys/bus/usb/devices/{name}:1.0/bInterfaceClass": "09\n",
        f"dev/bus/usb/{int(bus):03d}/{number:03d}": "",
    }
    if serial:
        files[f"{folder}/serial"] = f"{serial[0]}\n"
    return files


def _answer(layout: Layout, command: Sequence[str]) -> str | None:
    if command[0] == "timedatectl":
        return layout.clock
    if command[0] == "glxinfo" and layout.opengl is not None:
        return GLXINFO.format(version=layout.opengl[0], renderer=layout.opengl[1])
    return None
