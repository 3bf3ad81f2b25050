"""The USB bus below ``/sys/bus/usb/devices``, the rules of udev, the memory of usbfs.

An Azure Kinect is five USB devices of vendor 045e: a USB 3 hub (097a) with depth (097c) and color (097d) behind it, and
a USB 2 hub (097b) with the microphones (097e). The parts of one device carry the same serial, as the SDK relies on when
it looks for the color camera of a depth camera. A place is called ``2-1.3``: bus 2, port 1 of its root hub, port 3 of
the hub there; ``usb2`` is the root hub of bus 2, whose serial is the PCI address of its controller.
# unverified on hardware: the parts' serials on every kernel
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from genlock.preflight.facts import SUPER_SPEED_MBIT_PER_SEC, KinectUsb, UsbFacts, UsbfsFacts
from genlock.preflight.machine import Machine

__all__ = ["PRODUCTS", "USBFS_FILE", "gather_udev_products", "gather_usb", "gather_usbfs"]

VENDOR = "045e"
HUB_USB3, HUB_USB2, DEPTH, COLOR, MICROPHONES = "097a", "097b", "097c", "097d", "097e"
PRODUCTS = {
    HUB_USB3: "USB 3 hub",
    HUB_USB2: "USB 2 hub",
    DEPTH: "depth camera",
    COLOR: "color camera",
    MICROPHONES: "microphones",
}
"""The parts of an Azure Kinect by their USB product id."""

USBFS_FILE = "/sys/module/usbcore/parameters/usbfs_memory_mb"
_DEVICES = "/sys/bus/usb/devices"
_RULE_FOLDERS = ("/etc/udev/rules.d", "/run/udev/rules.d", "/lib/udev/rules.d", "/usr/lib/udev/rules.d")
_AT_BOOT = re.compile(r"usbcore\.usbfs_memory_mb=(\d+)")
_MODPROBE = re.compile(r"^\s*options\s+usbcore\s+.*\busbfs_memory_mb=(\d+)", re.MULTILINE)
_GRUB = re.compile(r"""^GRUB_CMDLINE_LINUX_DEFAULT=(["']?)(.*)\1\s*$""", re.MULTILINE)
_MATCHED = re.compile(r"""ATTRS?\{id(Vendor|Product)\}=="([^"]*)\"""")
# MODE for everybody or a group, or the seat's user.
_GRANTED = re.compile(r"""MODE:?="0?66[06]"|TAG\+="uaccess\"""")


def gather_usbfs(machine: Machine) -> UsbfsFacts | None:
    """What usbfs may use now and after the next start; ``None`` where Linux does not tell."""
    granted_mb = machine.number(USBFS_FILE)
    if granted_mb is None:
        return None
    texts = [machine.read(path) or "" for path in machine.entries("/etc/modprobe.d", "*.conf") or []]
    grub = _GRUB.search(machine.read("/etc/default/grub") or "")
    found = [  # the later ones win; the boot loader's file is what the next start goes by
        *(value for text in texts for value in _MODPROBE.findall(text)),
        *_AT_BOOT.findall(machine.read("/proc/cmdline") or ""),
        *_AT_BOOT.findall(grub[2] if grub else ""),
    ]
    return UsbfsFacts(
        granted_mb=granted_mb,
        at_boot_mb=int(found[-1]) if found else None,
        grub_options=None if grub is None else grub[2],
    )


def gather_udev_products(machine: Machine) -> tuple[str, ...] | None:
    """The product ids that a rule opens to users; ``None`` where there are no rules at all, as in a container."""
    folders = [entries for folder in _RULE_FOLDERS if (entries := machine.entries(folder, "*.rules")) is not None]
    if not folders:
        return None
    lines = [line for entries in folders for path in entries for line in _rule_lines(machine.read(path) or "")]
    return tuple(product for product in PRODUCTS if any(_opens(line, product) for line in lines))


def _rule_lines(text: str) -> Iterator[str]:
    joined = text.replace("\\\n", " ")
    yield from (line for line in joined.splitlines() if not line.lstrip().startswith("#"))


def _opens(line: str, product: str) -> bool:
    matched = dict(_MATCHED.findall(line))
    has_product = "Product" not in matched or any(fnmatch(product, p.lower()) for p in matched["Product"].split("|"))
    return matched.get("Vendor", "").lower() == VENDOR and has_product and _GRANTED.search(line) is not None


def gather_usb(machine: Machine) -> UsbFacts | None:
    """The Azure Kinects on the bus and what they hang on; ``None`` where Linux shows no bus."""
    entries = machine.entries(_DEVICES)
    if not entries:
        return None
    places = {path.name: path for path in entries if ":" not in path.name}  # with a colon: interfaces
    kinect_parts = {
        name: product
        for name, path in places.items()
        if machine.read(path / "idVendor") == VENDOR and (product := machine.read(path / "idProduct")) in PRODUCTS
    }
    by_serial: dict[str, dict[str, str]] = {}
    for name, product in kinect_parts.items():
        serial = machine.read(places[name] / "serial")
        if serial and product in (DEPTH, COLOR, MICROPHONES):
            by_serial.setdefault(serial, {})[product] = name
    kinects = tuple(_kinect(machine, places, serial, parts) for serial, parts in sorted(by_serial.items()))
    roots = [name for name in places if name.startswith("usb")]
    fast = [name for name in roots if (_speed(machine, places[name]) or 0) >= SUPER_SPEED_MBIT_PER_SEC]
    return UsbFacts(
        kinects=kinects,
        controllers=tuple(sorted({_controller(machine, places, root) for root in fast})),
        slow_only=_slow_only(kinect_parts, kinects),
    )


def _kinect(machine: Machine, places: dict[str, Path], serial: str, parts: dict[str, str]) -> KinectUsb:
    camera = parts.get(DEPTH) or parts.get(COLOR) or parts[MICROPHONES]
    own_hub = camera.rpartition(".")[0]
    nodes = [node for part in (DEPTH, COLOR) if part in parts and (node := _node(machine, places[parts[part]]))]
    connected_msec = machine.number(places[camera] / "power" / "connected_duration")
    controls = [machine.read(places[name] / "power" / "control") for name in parts.values()]
    return KinectUsb(
        serial=serial,
        controller=_controller(machine, places, camera),
        port=own_hub or camera,
        hubs=_hubs_above(own_hub),
        depth_mbit_per_sec=_speed(machine, places[parts[DEPTH]]) if DEPTH in parts else None,
        color_mbit_per_sec=_speed(machine, places[parts[COLOR]]) if COLOR in parts else None,
        connected_sec=None if connected_msec is None else connected_msec / 1000,
        is_accessible=all(machine.may_write(node) for node in nodes) if nodes else None,
        may_sleep="auto" in controls,
    )


def _hubs_above(name: str) -> tuple[str, ...]:
    """``2-1.3.4`` hangs on the hubs ``2-1`` and ``2-1.3``."""
    steps = name.split(".")
    return tuple(".".join(steps[:count]) for count in range(1, len(steps)))


def _controller(machine: Machine, places: dict[str, Path], name: str) -> str:
    root = name if name.startswith("usb") else f"usb{name.partition('-')[0]}"
    serial = machine.read(places[root] / "serial") if root in places else None
    return serial or root


def _speed(machine: Machine, path: Path) -> int | None:
    text = machine.read(path / "speed")
    try:
        return None if text is None else int(float(text))  # 1.5 for the slowest mice
    except ValueError:
        return None


def _node(machine: Machine, path: Path) -> Path | None:
    """The device file that a program opens."""
    bus, device = machine.number(path / "busnum"), machine.number(path / "devnum")
    if bus is None or device is None:
        return None
    node = machine.path(f"/dev/bus/usb/{bus:03d}/{device:03d}")
    return node if node.exists() else None


def _slow_only(kinect_parts: dict[str, str], kinects: tuple[KinectUsb, ...]) -> tuple[str, ...]:
    """Hubs of the USB 2 half that no serial explains, where there are more of them than of the USB 3 half."""
    fast = [name for name, product in kinect_parts.items() if product == HUB_USB3]
    explained = {kinect.port for kinect in kinects if not kinect.is_fast}
    slow = {name for name, product in kinect_parts.items() if product == HUB_USB2} - explained
    return tuple(sorted(slow)) if len(slow) > len(fast) else ()
