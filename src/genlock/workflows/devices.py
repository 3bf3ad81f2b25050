"""Which devices are there, and what they say of themselves: each is opened once, asked, and closed again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from genlock.devices import Backend, DeviceInfo
from genlock.errors import DeviceError
from genlock.findings import Finding, Severity
from genlock.k4a import SyncJacks
from genlock.preflight import KinectUsb, UsbFacts
from genlock.rig import Rig

__all__ = ["DevicesResult", "FoundDevice", "find_devices"]


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """One device that is plugged in."""

    info: DeviceInfo
    jacks: SyncJacks | None
    """``None``: it did not or cannot tell."""
    usb: KinectUsb | None
    """Its place on the bus; ``None`` where the system does not show it."""

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it. Any: a JSON value."""
        jacks, usb = self.jacks, self.usb
        return {
            "serial": self.info.serial,
            "color_firmware": self.info.color_firmware,
            "depth_firmware": self.info.depth_firmware,
            "sync_in_connected": jacks.sync_in_connected if jacks else None,
            "sync_out_connected": jacks.sync_out_connected if jacks else None,
            "usb_port": usb.port if usb else None,
            "usb_controller": usb.controller if usb else None,
            "usb_mbit_per_sec": usb.depth_mbit_per_sec if usb else None,
        }


@dataclass(frozen=True, slots=True)
class DevicesResult:
    """Every device of one computer."""

    backend: str
    library: str | None
    """Whose libk4a was asked, and which; ``None`` where there is none behind the backend."""
    host: str
    devices: tuple[FoundDevice, ...]
    """In order of serial."""
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it. Any: a JSON value."""
        return {
            "format_version": 1,
            "backend": self.backend,
            "library": self.library,
            "host": self.host,
            "devices": [device.to_json() for device in self.devices],
            "findings": [finding.to_json() for finding in self.findings],
        }


def find_devices(backend: Backend, host: str, *, usb: UsbFacts | None = None, rig: Rig | None = None) -> DevicesResult:
    """Asks every device that the backend reaches; starts nothing.

    Args:
        backend: whose devices.
        host: the name of this computer.
        usb: what its USB bus shows, where that is known.
        rig: whose devices are expected; ``None``: whatever is there.
    """
    places = {kinect.serial: kinect for kinect in usb.kinects} if usb else {}
    listed = backend.devices()
    known = [info for info in listed if _is_known(info)]
    blocked = [info for info in listed if not _is_known(info)]
    # A device that nobody can open keeps its serial to itself; the bus may know it.
    hidden = [serial for serial in places if serial not in {info.serial for info in known}]
    findings = [finding for info in listed for finding in info.findings]
    found = [FoundDevice(_unopened(serial, backend.name), None, places[serial]) for serial in hidden]
    found += [FoundDevice(info, None, None) for info in blocked[len(hidden) :]]
    if len(hidden) > len(blocked):
        findings += [_unseen(serial) for serial in hidden]
    for info in known:
        jacks, told = _ask(backend, info)
        found.append(FoundDevice(info, jacks, places.get(info.serial)))
        findings += told
    findings += _against_rig([device.info.serial for device in found], rig)
    return DevicesResult(
        backend.name,
        backend.provenance.get("GENLOCK_K4A_LIBRARY"),
        host,
        tuple(sorted(found, key=lambda device: device.info.serial)),
        tuple(findings),
    )


def _is_known(info: DeviceInfo) -> bool:
    return info.serial.isdigit()


def _unopened(serial: str, backend: str) -> DeviceInfo:
    return DeviceInfo(serial, backend, "unknown", "unknown")


def _unseen(serial: str) -> Finding:
    return Finding(
        "devices.unseen",
        Severity.WARNING,
        f"device {serial}",
        "the USB bus shows it, or parts of it, and the SDK does not count it",
        "Give it its power and a USB 3 port, and plug it in again; genlock preflight tells more.",
    )


def _ask(backend: Backend, info: DeviceInfo) -> tuple[SyncJacks | None, tuple[Finding, ...]]:
    try:
        device = backend.open(info.serial)
        try:
            return device.sync_jacks(), ()
        finally:
            device.close()
    except DeviceError as error:
        return None, (
            Finding(
                "devices.silent",
                Severity.WARNING,
                f"device {info.serial}",
                f"it was there a moment ago and does not answer now: {error.reason}",
                "Unplug its USB cable and power, wait some seconds, plug them in again.",
            ),
        )


def _against_rig(serials: Sequence[str], rig: Rig | None) -> Iterator[Finding]:
    if rig is None:
        if not serials:
            yield Finding(
                "devices.none",
                Severity.ERROR,
                "this computer",
                "no Azure Kinect is plugged in, or none can be seen",
                "Plug in power and USB 3; on Linux install the SDK's udev rules. genlock preflight tells more.",
            )
        return
    expected = [device.serial for device in rig.devices]
    for serial in expected:
        if serial not in serials:
            yield Finding(
                "devices.missing",
                Severity.ERROR,
                f"device {serial}",
                f"the rig has it; there are: {', '.join(serials) or 'none'}",
                "Plug in its power and USB cable, or correct the serial in the rig file.",
            )
    for serial in serials:
        if serial not in expected:
            yield Finding(
                "devices.unlisted",
                Severity.INFO,
                f"device {serial}",
                "it is plugged in, and the rig does not have it",
                "",
            )
