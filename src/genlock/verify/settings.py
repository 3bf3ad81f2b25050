"""Were all devices set alike? From what their recordings say: tags, and the exposure of every capture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genlock.findings import Finding, Severity
from genlock.verify.evidence import DeviceEvidence

__all__ = ["check_imu", "check_settings", "exposure_changes", "has_wandered", "reported_exposure_usec"]

_EQUAL_TAGS = {
    "GENLOCK_POWERLINE_HZ": "powerline frequency",
    "GENLOCK_EXPOSURE_USEC": "exposure",
    "GENLOCK_WHITEBALANCE": "white balance",
    "GENLOCK_GAIN": "gain",
    "GENLOCK_BRIGHTNESS": "brightness",
}
_FIRMWARE_TAG = "K4A_COLOR_FIRMWARE_VERSION"
_SETTINGS_REMEDY = "Give all devices one setting in [capture] of the rig file."
_FIRMWARE_REMEDY = "Update all devices to the same, newest firmware: first frames and accuracy differ between them."
AUTO = "auto"

_SETTLING_CAPTURES = 10

# The device reports what it exposed, which is the table's value to within its readout's rounding.
_SAME_EXPOSURE_RATIO = 0.02

_MANY_EXPOSURES = 5
"""More values than a person sets during a take."""

IMU_GAP_USEC = 250_000
"""Blocks of inertial samples begin at least every 154 ms: a block holds 256 samples at most, at 1666 a second."""


def check_settings(devices: Sequence[DeviceEvidence]) -> Iterator[Finding]:
    """Settings that should be equal and are not, automatic ones, and exposures other than those that were set."""
    if len(devices) > 1:
        for tag, name in _EQUAL_TAGS.items():
            yield from _check_equal(devices, tag, name, "verify.settings_differ", _SETTINGS_REMEDY)
        yield from _check_equal(devices, _FIRMWARE_TAG, "firmware", "verify.firmware_differs", _FIRMWARE_REMEDY)
        yield from _check_reported(devices)
    for device in devices:
        if device.tags.get("GENLOCK_EXPOSURE_USEC") == AUTO and len(devices) > 1:
            yield Finding(
                "verify.auto_exposure",
                Severity.WARNING,
                f"device {device.serial}",
                "its exposure was automatic: it changes by itself, by other amounts than the other devices', and each "
                "change disturbs the timing",
                "Set one manual exposure for all devices.",
            )
        if has_wandered(device) and device.tags.get("GENLOCK_EXPOSURE_USEC") != AUTO and len(devices) > 1:
            known = device.exposure_usec[device.exposure_usec > 0]
            yield Finding(
                "verify.exposure_wandered",
                Severity.WARNING,
                f"device {device.serial}",
                f"its captures report {np.unique(known).size} different exposures between {known.min()} and "
                f"{known.max()} us: it was automatic, whatever was set",
                "Set one manual exposure for all devices, and read it back.",
            )
            continue
        changes = exposure_changes(device)
        if changes.size and device.tags.get("GENLOCK_EXPOSURE_USEC") != AUTO:
            yield Finding(
                "verify.exposure_changed",
                Severity.WARNING,
                f"device {device.serial}",
                f"its exposure changed {_times(changes.size)} during the recording, first at {changes[0] / 1e6:.3f} s",
                "Set exposure once, before the start; no program may set it while streaming (SDK issue #471).",
            )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def check_imu(devices: Sequence[DeviceEvidence]) -> Iterator[Finding]:
    """Holes in the inertial samples."""
    for device in devices:
        steps_usec = np.diff(device.imu_usec)
        gaps = np.flatnonzero(steps_usec > IMU_GAP_USEC)
        if gaps.size:
            longest = int(gaps[np.argmax(steps_usec[gaps])])
            yield Finding(
                "verify.imu_gaps",
                Severity.WARNING,
                f"device {device.serial}",
                f"its inertial samples have {gaps.size} {'hole' if gaps.size == 1 else 'holes'}, the longest "
                f"{steps_usec[longest] / 1e6:.2f} s from {device.imu_usec[longest] / 1e6:.2f} s",
                "Look at the device's USB connection; captures lost at the same time have the same cause.",
            )


def reported_exposure_usec(device: DeviceEvidence) -> float | None:
    """The exposure that most of a device's captures report; ``None`` when they report none."""
    known = device.exposure_usec[device.exposure_usec > 0]
    return float(np.median(known)) if known.size else None


def has_wandered(device: DeviceEvidence) -> bool:
    """Whether the reported exposure takes many values, as only automatic exposure does."""
    known = device.exposure_usec[device.exposure_usec > 0][_SETTLING_CAPTURES:]
    if not known.size:
        return False
    spread = float(known.max() - known.min())
    return bool(np.unique(known).size > _MANY_EXPOSURES and spread > _SAME_EXPOSURE_RATIO * float(np.median(known)))


def exposure_changes(device: DeviceEvidence) -> NDArray[np.int64]:
    """Device times at which the reported exposure differs from that of the capture before, settling ones left out."""
    if device.exposure_usec.size != device.color_usec.size:
        return np.zeros(0, dtype=np.int64)
    is_known = device.exposure_usec > 0
    exposures, times = device.exposure_usec[is_known].astype(np.float64), device.color_usec[is_known]
    exposures, times = exposures[_SETTLING_CAPTURES:], times[_SETTLING_CAPTURES:]
    if exposures.size < 2:
        return np.zeros(0, dtype=np.int64)
    steps = np.abs(np.diff(exposures)) > _SAME_EXPOSURE_RATIO * exposures[:-1]
    return times[1:][steps]


def _check_equal(devices: Sequence[DeviceEvidence], tag: str, name: str, code: str, remedy: str) -> Iterator[Finding]:
    values: dict[str, list[str]] = {}
    for device in devices:
        value = device.tags.get(tag)
        if value is not None:
            values.setdefault(value, []).append(device.serial)
    if len(values) > 1:
        listed = "; ".join(f"{value}: {', '.join(serials)}" for value, serials in sorted(values.items()))
        yield Finding(
            code,
            Severity.WARNING,
            "rig",
            f"the devices differ in {name} ({listed})",
            remedy,
        )


def _check_reported(devices: Sequence[DeviceEvidence]) -> Iterator[Finding]:
    for device in devices:
        reported, tagged = reported_exposure_usec(device), device.tags.get("GENLOCK_EXPOSURE_USEC", "")
        if reported is None or not tagged.isdecimal():
            continue
        # The frame period cuts longer exposures.
        wanted = min(int(tagged), device.config.camera_fps.period_usec)
        if abs(reported - wanted) > _SAME_EXPOSURE_RATIO * wanted:
            yield Finding(
                "verify.exposure_differs",
                Severity.WARNING,
                f"device {device.serial}",
                f"its captures report an exposure of {reported:.0f} us; {wanted} us was set",
                "Set powerline frequency first, then exposure; make sure that no other program sets either.",
            )
