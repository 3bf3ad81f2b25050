"""The devices: which are there, who has them, what they run, how long they have been warm.

``ask_devices`` opens each device of the plan once, reads what it says and closes it again: nothing is started.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from genlock.devices import Backend, DeviceInfo
from genlock.errors import DeviceError, DeviceOpenError, OpenFailure
from genlock.findings import Finding, Severity
from genlock.k4a import SyncJacks
from genlock.plan import FirmwareVersions, Plan, check_firmware
from genlock.preflight.facts import UsbFacts

__all__ = ["AskedDevice", "DeviceAnswers", "ask_devices", "judge_devices"]

_WARM_SEC = 50 * 60


@dataclass(frozen=True, slots=True)
class AskedDevice:
    """What one device of the plan said, or why it said nothing."""

    serial: str
    info: DeviceInfo | None = None
    jacks: SyncJacks | None = None
    failure: OpenFailure | None = None
    """Why it could not be opened or asked; ``None``: it answered."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeviceAnswers:
    """Everything that the backend showed."""

    backend: str
    asked: tuple[AskedDevice, ...]
    """The devices of the plan."""
    others: tuple[DeviceInfo, ...]
    """Devices that are there and not in the plan."""

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """The answers by their names."""
        return {
            "backend": self.backend,
            "asked": [
                {
                    "serial": device.serial,
                    "color_firmware": device.info.color_firmware if device.info else None,
                    "depth_firmware": device.info.depth_firmware if device.info else None,
                    "jacks": asdict(device.jacks) if device.jacks else None,
                    "failure": device.failure.value if device.failure else None,
                    "reason": device.reason,
                }
                for device in self.asked
            ],
            "others": [info.serial for info in self.others],
        }


def ask_devices(backend: Backend, plan: Plan) -> DeviceAnswers:
    """Opens every device of the plan, one after the other, reads firmware and jacks, closes it."""
    planned = {device.serial for device in plan.devices}
    listed = backend.devices()
    return DeviceAnswers(
        backend=backend.name,
        asked=tuple(_ask(backend, device.serial) for device in plan.devices),
        others=tuple(info for info in listed if info.serial not in planned),
    )


def _ask(backend: Backend, serial: str) -> AskedDevice:
    try:
        device = backend.open(serial)
    except DeviceOpenError as error:
        return AskedDevice(serial, failure=error.failure, reason=error.reason)
    try:
        return AskedDevice(serial, device.info, device.sync_jacks())
    except DeviceError as error:
        return AskedDevice(serial, failure=OpenFailure.OTHER, reason=error.reason)
    finally:
        device.close()


def judge_devices(answers: DeviceAnswers, plan: Plan, usb: UsbFacts | None) -> tuple[Finding, ...]:
    """What is wrong with the devices; plugs are judged by ``session.check_jacks``."""
    return (
        *_missing(answers),
        *(finding for info in _infos(answers) for finding in info.findings),
        *(
            Finding("preflight.device_unlisted", Severity.INFO, f"device {info.serial}", _UNLISTED, "")
            for info in answers.others
            if info.serial.isdigit()  # one that cannot be opened hides its serial, and has a finding of its own
        ),
        *_firmware(answers.asked),
        *_warm_up(plan, usb, is_simulated=answers.backend == "sim"),
    )


def _infos(answers: DeviceAnswers) -> Iterator[DeviceInfo]:
    yield from (device.info for device in answers.asked if device.info is not None)
    yield from answers.others


_UNLISTED = "it is plugged in and not in the plan; its laser stays dark as long as nobody starts it"


def _missing(answers: DeviceAnswers) -> Iterator[Finding]:
    others = [info.serial for info in answers.others]
    for device in answers.asked:
        if device.failure is None:
            continue
        near = difflib.get_close_matches(device.serial, others, n=1, cutoff=0.75)
        code, remedy = {
            OpenFailure.NOT_FOUND: (
                "preflight.device_missing",
                f"Did you mean {near[0]}, which is there and not in the plan?"
                if near
                else f"Plug in its power and USB cable; there and not in the plan: {', '.join(others) or 'nothing'}.",
            ),
            OpenFailure.ALREADY_OPEN: (
                "preflight.device_busy",
                "Close the program that has it (k4aviewer, a recorder, another genlock); lsof /dev/bus/usb/*/* names "
                "it.",
            ),
            OpenFailure.OTHER: (
                "preflight.device_unusable",
                "Unplug its USB cable and power, wait some seconds, plug them in again; look at the USB findings.",
            ),
        }[device.failure]
        yield Finding(code, Severity.ERROR, f"device {device.serial}", device.reason, remedy)


def _firmware(asked: Sequence[AskedDevice]) -> Iterator[Finding]:
    # Orbbec's devices count their firmware in their own way.
    infos = [device.info for device in asked if device.info is not None and not device.info.findings]
    versions: dict[str, FirmwareVersions] = {}
    for info in infos:
        color, depth = _version(info.color_firmware), _version(info.depth_firmware)
        if color is None or depth is None:
            yield Finding(
                "preflight.firmware_unknown",
                Severity.WARNING,
                f"device {info.serial}",
                f"its firmware is expected as three numbers; it says color {info.color_firmware!r}, depth "
                f"{info.depth_firmware!r}",
                "Look with Microsoft's AzureKinectFirmwareTool -q.",
            )
        else:
            versions[info.serial] = FirmwareVersions(color, depth)
    yield from check_firmware(versions)


def _version(text: str) -> tuple[int, int, int] | None:
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    major, minor, iteration = map(int, parts)
    return major, minor, iteration


def _warm_up(plan: Plan, usb: UsbFacts | None, *, is_simulated: bool) -> Iterator[Finding]:
    """Depth needs 40 to 50 minutes of running to settle: Toelgyessy et al., Sensors 2021, 21(2), 413."""
    if is_simulated or not any(device.config.has_depth_camera for device in plan.devices):
        return
    plugged_sec: Mapping[str, float] = {
        k.serial: k.connected_sec for k in (usb.kinects if usb else ()) if k.connected_sec is not None
    }
    cold = [
        f"{d.serial} plugged in for only {plugged_sec[d.serial] / 60:.0f} min"
        for d in plan.devices
        if plugged_sec.get(d.serial, _WARM_SEC) < _WARM_SEC
    ]
    yield Finding(
        "preflight.warm_up",
        Severity.INFO,
        "depth",
        "depth settles after 40 to 50 minutes of running (Toelgyessy et al. 2021); "
        + ("; ".join(cold) or "for how long the devices have run is not known"),
        "Where millimetres matter, let the rig run for 50 minutes first: genlock monitor.",
    )
