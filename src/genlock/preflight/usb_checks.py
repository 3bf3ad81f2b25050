"""Rules about USB: memory for transfers, permission, and which controller, hub and cable each device hangs on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from genlock.findings import Finding, Severity
from genlock.preflight.case import Case, Rule, not_checked
from genlock.preflight.facts import KinectUsb, UsbfsFacts
from genlock.preflight.usb import COLOR, DEPTH, PRODUCTS, USBFS_FILE, VENDOR

__all__ = ["USB_RULES", "needed_usbfs_mb"]

_SDK_POOL_MB = 10
"""The SDK's pool of USB transfers for each device on Linux (``K4A_MAX_LIBUSB_POOL``): less cannot work."""
_RULES_FILE = "/etc/udev/rules.d/99-k4a.rules"
_RELOAD = "sudo udevadm control --reload-rules && sudo udevadm trigger"


def needed_usbfs_mb(case: Case) -> int | None:
    """What ``usbfs_memory_mb`` has to become; ``None`` where it is enough, or nobody knows what it is."""
    usbfs = case.facts.usbfs
    if usbfs is None or usbfs.granted_mb == 0 or usbfs.granted_mb >= case.usbfs_memory_mb:  # 0 is no limit
        return None
    return case.usbfs_memory_mb


def _usbfs(case: Case) -> Iterator[Finding]:
    usbfs, wanted_mb = case.facts.usbfs, case.usbfs_memory_mb
    if usbfs is None:
        yield not_checked("usbfs memory", f"there is no {USBFS_FILE}", f"It should be {wanted_mb} MB or more.")
        return
    for_good = _for_good(usbfs, wanted_mb)
    if needed_usbfs_mb(case) is not None:
        count = len(case.plan.devices)
        is_hopeless = usbfs.granted_mb < _SDK_POOL_MB * count
        yield Finding(
            "preflight.usbfs_memory_small",
            Severity.ERROR if is_hopeless else Severity.WARNING,
            "usbfs memory",
            f"usbfs_memory_mb is {usbfs.granted_mb}; {count} devices need about {wanted_mb} MB, or libusb runs out of "
            "memory (SDK issues #485, #1316)",
            f"Until the next restart: echo {wanted_mb} | sudo tee {USBFS_FILE} (genlock preflight --fix does it). "
            f"For good: {for_good}",
        )
    elif usbfs.granted_mb and (usbfs.at_boot_mb is None or 0 < usbfs.at_boot_mb < wanted_mb):
        after = "the kernel's default, 16" if usbfs.at_boot_mb is None else str(usbfs.at_boot_mb)
        yield Finding(
            "preflight.usbfs_memory_not_permanent",
            Severity.WARNING,
            "usbfs memory",
            f"usbfs_memory_mb is {usbfs.granted_mb} now, which is enough; after a restart it will be {after}",
            for_good,
        )


def _for_good(usbfs: UsbfsFacts, wanted_mb: int) -> str:
    option = f"usbcore.usbfs_memory_mb={wanted_mb}"
    if usbfs.grub_options is None:
        return f"add {option} to the kernel's command line in the boot loader, and restart."
    others = re.sub(r"\s*usbcore\.usbfs_memory_mb=\d+", "", usbfs.grub_options).strip()
    line = f'GRUB_CMDLINE_LINUX_DEFAULT="{f"{others} {option}".strip()}"'
    return f"make the line in /etc/default/grub {line}, then: sudo update-grub, and restart."


def _udev(case: Case) -> Iterator[Finding]:
    opened = case.facts.udev_products
    if opened is None:
        yield not_checked("udev rules", "there are no folders of udev rules", f"{_RULES_FILE} should hold the rules.")
        return
    missing = [product for product in PRODUCTS if product not in opened]
    if not missing:
        return
    needs = [product for product in missing if product in (DEPTH, COLOR)]
    names = ", ".join(f"{product} ({PRODUCTS[product]})" for product in missing)
    rule = (
        f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{VENDOR}", ATTR{{idProduct}}=="{"|".join(PRODUCTS)}", MODE="0666", '
        'GROUP="plugdev"'
    )
    yield Finding(
        "preflight.udev_rules_missing",
        Severity.ERROR if needs and not case.facts.is_superuser else Severity.INFO,
        "udev rules",
        f"no udev rule opens these parts of vendor {VENDOR} to users: {names}; without one only root can use the "
        "cameras",
        f"echo '{rule}' | sudo tee {_RULES_FILE} && {_RELOAD} ; then unplug the devices and plug them in again.",
    )


def _access(case: Case) -> Iterator[Finding]:
    for kinect in case.facts.usb.kinects if case.facts.usb else ():
        if kinect.is_accessible is False:
            yield Finding(
                "preflight.usb_no_access",
                Severity.ERROR,
                f"device {kinect.serial}",
                "it is on the USB bus, and this user may not open it",
                f"With the udev rules in place: {_RELOAD} ; then unplug the device and plug it in again.",
            )


def _topology(case: Case) -> Iterator[Finding]:
    usb = case.facts.usb
    planned = [device.serial for device in case.plan.devices]
    if usb is None:
        how = "One USB 3 controller for each device; lsusb -t shows who hangs where."
        yield not_checked("USB topology", "there is no /sys/bus/usb/devices", how)
        return
    if not usb.kinects and not usb.slow_only:
        how = f"Plug in {', '.join(planned) or 'the devices'} and run this again."
        yield not_checked("USB topology", "no Azure Kinect is on this computer's USB bus", how)
    elif not usb.slow_only:
        for serial in planned:
            if serial not in {kinect.serial for kinect in usb.kinects}:
                yield Finding(
                    "preflight.usb_device_missing",
                    Severity.WARNING,
                    f"device {serial}",
                    "the plan needs it, and the USB bus does not show it; it shows "
                    + ", ".join(kinect.serial for kinect in usb.kinects),
                    "Plug in its power and its USB cable; compare the serial on its underside with the rig file.",
                )
    for port in usb.slow_only:
        yield _slow(f"USB port {port}", "the USB 2 half of an Azure Kinect is there, its cameras are not")


def _speed(case: Case) -> Iterator[Finding]:
    for kinect in case.facts.usb.kinects if case.facts.usb else ():
        where = f"device {kinect.serial}"
        if kinect.depth_mbit_per_sec is None:
            yield _slow(where, f"at USB port {kinect.port} only its slower parts are there, no depth camera")
        elif not kinect.is_fast:
            yield _slow(where, f"its depth camera has a link of {kinect.depth_mbit_per_sec} Mbit/s (USB 2)")


def _slow(where: str, message: str) -> Finding:
    return Finding(
        "preflight.usb_slow",
        Severity.ERROR,
        where,
        f"{message}; its cameras need USB 3, 5000 Mbit/s",
        "Plug it into a USB 3 port with the cable that came with it (or turn its USB-C plug round), without a passive "
        "extension, and its own power supply in.",
    )


def _bandwidth(case: Case) -> Iterator[Finding]:
    kinects = case.facts.usb.kinects if case.facts.usb else ()
    by_controller: dict[str, list[KinectUsb]] = {}
    by_hub: dict[str, list[KinectUsb]] = {}
    for kinect in kinects:
        if kinect.serial in case.usb_mb_per_sec:
            by_controller.setdefault(kinect.controller, []).append(kinect)
            for hub in kinect.hubs[:1]:  # what comes through the first hub comes through one cable
                by_hub.setdefault(hub, []).append(kinect)
    yield from _shared("USB controller", by_controller, case)
    # Where a hub carries all that its controller carries, the controller has said it.
    whole = list(by_controller.values())
    yield from _shared("USB hub", {hub: behind for hub, behind in by_hub.items() if behind not in whole}, case)


def _shared(kind: str, groups: Mapping[str, list[KinectUsb]], case: Case) -> Iterator[Finding]:
    limit = case.host.usb_mb_per_sec
    for name, kinects in groups.items():
        serials = ", ".join(kinect.serial for kinect in kinects)
        load = sum(case.usb_mb_per_sec[kinect.serial] for kinect in kinects)
        where = f"{kind} {name}"
        if load > limit:
            yield Finding(
                "preflight.usb_overloaded",
                Severity.WARNING,
                where,
                f"{serials} hang on it and send {load:.0f} MB/s; it carries {limit:g}. Captures will be lost, calls "
                "time out (SDK issues #1825, #1577)",
                f"{_other_place(case, kinects)}, or lower mode or rate.",
            )
        elif len(kinects) > 1:
            message = f"{serials} share it: {load:.0f} of {limit:g} MB/s. Microsoft recommends a controller for each"
            yield Finding("preflight.usb_shared", Severity.INFO, where, message, "")


def _other_place(case: Case, kinects: list[KinectUsb]) -> str:
    used = {kinect.controller for kinect in kinects}
    free = [name for name in (case.facts.usb.controllers if case.facts.usb else ()) if name not in used]
    if free:
        return f"Move a device to a port of another controller ({', '.join(free)})"
    return "This computer shows no other USB 3 controller: add a PCIe card with one, or use another computer"


def _as_planned(case: Case) -> Iterator[Finding]:
    """Devices that the plan puts on different controllers and that hang on one."""
    planned = {load.serial: load.usb_controller for budget in case.budgets for load in budget.devices}
    together: dict[str, list[str]] = {}
    for kinect in case.facts.usb.kinects if case.facts.usb else ():
        if kinect.serial in planned:
            together.setdefault(kinect.controller, []).append(kinect.serial)
    for controller, serials in together.items():
        if len({planned[serial] for serial in serials}) > 1:
            wanted = "; ".join(f"{serial} on {planned[serial]}" for serial in serials)
            yield Finding(
                "preflight.usb_controller_not_as_planned",
                Severity.WARNING,
                f"USB controller {controller}",
                f"the plan counts these devices for different controllers ({wanted}); all of them hang on this one",
                "Plug them as planned, or give each its usb_controller in the rig file and plan again.",
            )


def _sleep(case: Case) -> Iterator[Finding]:
    sleepers = [k.serial for k in (case.facts.usb.kinects if case.facts.usb else ()) if k.may_sleep]
    if sleepers:
        yield Finding(
            "preflight.usb_may_sleep",
            Severity.INFO,
            "power",
            f"the kernel may suspend idle USB devices, also {', '.join(sleepers)}; one that wakes up badly is gone "
            "until it is plugged in again",
            "echo -1 | sudo tee /sys/module/usbcore/parameters/autosuspend, then plug the devices in again.",
        )


USB_RULES: tuple[Rule, ...] = (_usbfs, _udev, _access, _topology, _speed, _bandwidth, _as_planned, _sleep)
