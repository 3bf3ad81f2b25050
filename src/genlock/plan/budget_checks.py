"""Rules about computers: what they are asked to carry against what the rig file says they can."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator

from genlock.findings import Finding, Severity
from genlock.plan.budget import THIS_COMPUTER, USBFS_DEFAULT_MB, HostBudget
from genlock.plan.case import Case, Rule
from genlock.rig import Host

__all__ = ["BUDGET_RULES"]


def _described(case: Case) -> Iterator[tuple[Host, HostBudget]]:
    """The hosts that are described and have devices; of two with one name the first."""
    hosts = {host.name: host for host in reversed(case.rig.hosts)}
    for budget in case.plan.budget:
        if budget.host in hosts:
            yield hosts[budget.host], budget


def _hosts_known(case: Case) -> Iterator[Finding]:
    names = [host.name for host in case.rig.hosts]
    for name, count in Counter(names).items():
        if count > 1:
            message = f"{count} [[host]] tables are called {name}; the first was taken"
            yield Finding("plan.host_twice", Severity.ERROR, f"host {name}", message, "Give each its own name.")
    for i, device in enumerate(case.rig.devices):
        if device.host is not None and names and device.host not in names:
            near = difflib.get_close_matches(device.host, names, n=1, cutoff=0.6)
            remedy = (
                f"Did you mean {near[0]}?" if near else f"The hosts of this rig are {', '.join(dict.fromkeys(names))}."
            )
            message = f"device {device.serial} hangs on {device.host}, which no [[host]] table describes"
            yield Finding("plan.host_unknown", Severity.WARNING, f"device[{i}].host", message, remedy)
    used = {budget.host for budget in case.plan.budget}
    for name in dict.fromkeys(names):
        if name not in used:
            message = f"no device names {name} as its host"
            yield Finding("plan.host_without_devices", Severity.INFO, f"host {name}", message, "")


def _controllers(case: Case) -> Iterator[Finding]:
    for host, budget in _described(case):
        where = f"host {host.name}"
        count = host.usb_controllers
        for device in budget.devices:
            if count is not None and device.usb_controller > count:
                message = (
                    f"device {device.serial} is on USB controller {device.usb_controller}; {host.name} has {count}"
                )
                remedy = f"Give it a usb_controller from 1 to {count}, or correct usb_controllers."
                yield Finding("plan.usb_controller_unknown", Severity.ERROR, where, message, remedy)
        for controller, mb_per_sec in budget.usb_by_controller_mb_per_sec.items():
            serials = [d.serial for d in budget.devices if d.usb_controller == controller]
            if mb_per_sec > host.usb_mb_per_sec:
                message = (
                    f"USB controller {controller} carries {', '.join(serials)}: {mb_per_sec:.0f} MB/s of "
                    f"{host.usb_mb_per_sec:g} that it can. Overloaded controllers give lost captures and timeouts "
                    "(SDK issues #1825, #1577)"
                )
                remedy = "Add a USB 3 controller, move a device to another one or another host, or lower mode or rate."
                yield Finding("plan.usb_overloaded", Severity.WARNING, where, message, remedy)
            elif len(serials) > 1:
                message = (
                    f"{', '.join(serials)} share USB controller {controller}: {mb_per_sec:.0f} of "
                    f"{host.usb_mb_per_sec:g} MB/s. Microsoft recommends one controller for each device"
                )
                yield Finding("plan.usb_shared", Severity.INFO, where, message, "")


def _usbfs_memory(case: Case) -> Iterator[Finding]:
    for host, budget in _described(case):
        granted = host.usbfs_memory_mb
        # For the kernel, 0 is no limit.
        if granted and granted < budget.usbfs_memory_mb:
            yield Finding(
                "plan.usbfs_memory_small",
                Severity.WARNING,
                f"host {host.name}",
                f"usbfs_memory_mb is {granted}; {len(budget.devices)} devices need about {budget.usbfs_memory_mb} MB "
                f"(the kernel's default is {USBFS_DEFAULT_MB}), or libusb runs out of memory (SDK issues #485, #1316)",
                f"Now: echo {budget.usbfs_memory_mb} | sudo tee /sys/module/usbcore/parameters/usbfs_memory_mb. "
                f"For good: usbcore.usbfs_memory_mb={budget.usbfs_memory_mb} in the kernel's command line.",
            )


def _disk(case: Case) -> Iterator[Finding]:
    for host, budget in _described(case):
        can = host.disk_mb_per_sec
        if can is None or budget.disk_mb_per_sec <= can:
            continue
        is_certain = budget.exact_disk_mb_per_sec > can
        estimate = "" if is_certain else "; the color images of it are an estimate"
        yield Finding(
            "plan.disk_too_slow",
            Severity.ERROR if is_certain else Severity.WARNING,
            f"host {host.name}",
            f"recordings take {budget.disk_mb_per_sec:.0f} MB/s, {budget.exact_disk_mb_per_sec:.0f} of them for depth "
            f"and IR; the disk writes {can:g}{estimate}",
            "Use a faster disk, spread the devices over more hosts, lower mode or rate, or take MJPG for BGRA32.",
        )


def _network(case: Case) -> Iterator[Finding]:
    for host, budget in _described(case):
        can = host.network_mbit_per_sec
        if can is not None and budget.network_mbit_per_sec > can:
            yield Finding(
                "plan.network_too_slow",
                Severity.WARNING,
                f"host {host.name}",
                f"previews of {len(budget.devices)} devices at {budget.preview_fps} fps take about "
                f"{budget.network_mbit_per_sec:.0f} Mbit/s, the network carries {can:g}",
                "Lower preview_fps: recordings do not depend on it.",
            )


def _nameless_host(case: Case) -> Iterator[Finding]:
    """Some devices say where they hang and others do not: probably forgotten."""
    hosts = [budget.host for budget in case.plan.budget]
    if THIS_COMPUTER in hosts and len(hosts) > 1:
        serials = [device.serial for device in case.plan.devices if device.host is None]
        message = f"without a host, and so counted for this computer: {', '.join(serials)}; others name one"
        yield Finding("plan.host_missing", Severity.INFO, "device", message, "")


BUDGET_RULES: tuple[Rule, ...] = (_hosts_known, _nameless_host, _controllers, _usbfs_memory, _disk, _network)
