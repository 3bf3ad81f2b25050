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
    "fell_silent",
    "no_first_capture",
    "not_slaved",
    "not_slaved_error",
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


def fell_silent(serial: str) -> CaptureTimeoutError:
    """A device that has delivered and delivers nothing any more."""
    return CaptureTimeoutError(
        serial, f"delivered no capture for {SILENCE_LIMIT_SEC:g} s; is it still plugged in and powered?"
    )


def no_first_capture(
    planned: PlannedDevice, waited_sec: float, *, others_deliver: bool, reads_empty: bool
) -> CaptureTimeoutError:
    """A device that never delivered anything: why, most likely.

    Args:
        planned: the device.
        waited_sec: how long a first capture was waited for.
        others_deliver: whether that was counted from another device's first capture, or from the last start.
        reads_empty: whether its Sync In reads no plug now; there was one when it was armed.
    """
    serial = planned.serial
    since = "another device's first" if others_deliver else "the last start"
    if reads_empty:
        return CaptureTimeoutError(
            serial,
            f"no capture within {waited_sec:g} s of {since}, and its Sync In reads no plug any more: push the plug "
            "back in until it clicks (plastic cover off) and start all devices again",
        )
    if planned.config.wired_sync_mode is WiredSyncMode.SUBORDINATE:
        return CaptureTimeoutError(
            serial,
            f"no capture within {waited_sec:g} s of {since}, although a plug sits in its "
            "Sync In: no pulse reaches it. Check the cable's other end and every device before it in the chain, "
            "try another cable and another jack; under an external trigger, check the generator.",
        )
    return CaptureTimeoutError(
        serial,
        f"no capture within {waited_sec:g} s of {since}: check power and USB, and that no other program uses it",
    )
