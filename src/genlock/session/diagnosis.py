"""Why a device says nothing, or too early: what a run can tell from who delivers when."""

from __future__ import annotations

from genlock.errors import CaptureTimeoutError, DeviceError, DeviceStartError
from genlock.findings import Finding, Severity
from genlock.k4a import WiredSyncMode
from genlock.plan import PlannedDevice

__all__ = [
    "FIRST_CAPTURE_TIMEOUT_SEC",
    "SILENCE_LIMIT_SEC",
    "device_lost",
    "not_slaved",
    "not_slaved_error",
    "silence",
]

FIRST_CAPTURE_TIMEOUT_SEC = 10.0
"""From the master's start to every device's first capture. Firmware 1.6.110 takes 0.25 s after the first pulse."""
SILENCE_LIMIT_SEC = 5.0
"""A device that delivers nothing for so long has failed: 25 frames at 5 fps."""


def not_slaved(planned: PlannedDevice, master: str) -> Finding:
    """A subordinate delivered although its master does not run yet."""
    return Finding(
        "session.not_slaved",
        Severity.ERROR,
        f"device {planned.serial}",
        f"it delivered captures before the master {master} was started: it follows pulses of another source, or none",
        "Follow its sync cable: it must lead to the master's Sync Out, directly or through other subordinates, and "
        "nothing else (no second master, no trigger, no other rig) may feed it. Check that no other program runs it.",
    )


def not_slaved_error(planned: PlannedDevice, master: str) -> DeviceStartError:
    """The same as an error, after which everything is rolled back."""
    finding = not_slaved(planned, master)
    return DeviceStartError(planned.serial, f"{finding.message} -> {finding.remedy}", finding.code)


def device_lost(serial: str, error: DeviceError) -> Finding:
    """A device failed or fell silent while the others go on."""
    return Finding(
        "session.device_lost",
        Severity.ERROR,
        f"device {serial}",
        f"{error.reason}; the others go on without it",
        "Check its power and its USB cable and port. Its part of the take ends here; start all devices again for more.",
    )


def silence(planned: PlannedDevice, waited_sec: float, *, has_delivered: bool) -> CaptureTimeoutError:
    """A device that delivers nothing: why, most likely.

    Args:
        planned: the device.
        waited_sec: how long a first capture was waited for.
        has_delivered: whether it ever delivered anything.
    """
    serial = planned.serial
    if has_delivered:
        return CaptureTimeoutError(
            serial, f"delivered no capture for {SILENCE_LIMIT_SEC:g} s; is it still plugged in and powered?"
        )
    if planned.config.wired_sync_mode is WiredSyncMode.SUBORDINATE:
        return CaptureTimeoutError(
            serial,
            f"no capture within {waited_sec:g} s of the last start, although a plug sits in its "
            "Sync In: no pulse reaches it. Check the cable's other end and every device before it in the chain, "
            "try another cable and another jack; under an external trigger, check the generator.",
        )
    return CaptureTimeoutError(
        serial,
        f"no capture within {waited_sec:g} s of its start: check power and USB, and that no other program uses it",
    )
