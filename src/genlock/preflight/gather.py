"""All facts of a computer, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from genlock.k4a import ColorResolution
from genlock.preflight.facts import HostFacts
from genlock.preflight.machine import Machine
from genlock.preflight.measure import DISK_TEST_MB, gather_disk, gather_jpeg
from genlock.preflight.sdk import gather_sdk
from genlock.preflight.system import gather_clock_sync, gather_cpu, gather_display, gather_power
from genlock.preflight.usb import gather_udev_products, gather_usb, gather_usbfs

__all__ = ["gather_facts"]


def gather_facts(
    machine: Machine,
    target: Path,
    *,
    find_library: Callable[[], Path],
    decoded: Iterable[ColorResolution] = (),
    disk_test_mb: int = DISK_TEST_MB,
) -> HostFacts:
    """Looks at a computer; changes nothing but for a test file in the target folder that is gone afterwards.

    Args:
        machine: which computer.
        target: the folder that takes would go to; need not exist yet.
        find_library: finds libk4a, or raises ``BackendUnavailableError``.
        decoded: color resolutions whose images the host decodes.
        disk_test_mb: how much is written to the target folder at most.
    """
    return HostFacts(
        system=machine.system,
        is_superuser=machine.is_superuser,
        usbfs=gather_usbfs(machine),
        udev_products=gather_udev_products(machine),
        usb=gather_usb(machine),
        power=gather_power(machine),
        cpu=gather_cpu(machine),
        jpeg=gather_jpeg(decoded),
        display=gather_display(machine),
        is_clock_synchronized=gather_clock_sync(machine),
        sdk=gather_sdk(machine, find_library),
        disk=gather_disk(machine, target, disk_test_mb),
    )
