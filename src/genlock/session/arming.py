"""Before anything streams: do the plugs sit where the wiring says, and does every camera have the same controls?"""

from __future__ import annotations

from collections.abc import Iterator

from genlock.devices import ColorControl, ColorControlValue, Device
from genlock.findings import Finding, Severity
from genlock.k4a import SyncJacks, WiredSyncMode
from genlock.plan import PlannedDevice

__all__ = ["check_jacks", "set_controls"]

# Without these two a rig's cameras cannot expose alike; the others change only how the images look.
_TIMING_CONTROLS = (ColorControl.POWERLINE_FREQUENCY, ColorControl.EXPOSURE_TIME_ABSOLUTE)


def check_jacks(planned: PlannedDevice, found: SyncJacks | None) -> Iterator[Finding]:
    """What the plugs say against the wiring. A plug is no proof of a signal, but a missing one is proof of none."""
    if found is None:
        if planned.config.wired_sync_mode is not WiredSyncMode.STANDALONE:
            yield Finding(
                "session.jacks_unknown",
                Severity.WARNING,
                f"device {planned.serial}",
                "it cannot tell which of its sync jacks have a plug: the wiring is not checked",
                "Look at the plugs yourself; genlock check-wiring tells whether pulses arrive.",
            )
        return
    needed = {
        "sync_in": planned.config.wired_sync_mode is WiredSyncMode.SUBORDINATE,
        "sync_out": planned.config.wired_sync_mode is WiredSyncMode.MASTER,
    }
    pairs = {
        "sync_in": (planned.jacks.sync_in_connected, found.sync_in_connected),
        "sync_out": (planned.jacks.sync_out_connected, found.sync_out_connected),
    }
    for jack, (expected, is_plugged) in pairs.items():
        name = jack.replace("_", " ").title()
        if expected and not is_plugged:
            yield Finding(
                f"session.{jack}_missing",
                Severity.ERROR if needed[jack] else Severity.WARNING,
                f"device {planned.serial}",
                f"the wiring has a cable in {name}; the device detects no plug there",
                f"Push the plug fully into {name} (under the plastic cover); look for a swapped jack or a bad cable.",
            )
        elif is_plugged and not expected:
            yield Finding(
                f"session.{jack}_unexpected",
                Severity.WARNING,
                f"device {planned.serial}",
                f"the wiring has nothing in {name}; the device detects a plug there",
                "Unplug it, or describe the cable in the rig file.",
            )


def set_controls(planned: PlannedDevice, device: Device, *, warm_up: bool = False) -> Iterator[Finding]:
    """Sets every planned color control once and reads it back; a difference is a finding.

    The powerline frequency comes first: it decides which exposure times exist, and until this handle has set it the
    SDK rounds in the 60 Hz table whatever the device has. Setting an exposure again and again disturbs the timing for
    good (SDK issue #471), hence once, before anything streams. With ``warm_up`` manual comes after automatic.
    """
    if warm_up and planned.config.has_color and planned.exposure_usec is not None:
        device.set_color_control(ColorControl.EXPOSURE_TIME_ABSOLUTE, _manual_or_auto(None))
    for control, wanted in _wanted_controls(planned):
        device.set_color_control(control, wanted)
        found = device.color_control(control)
        if found.is_manual != wanted.is_manual or (wanted.is_manual and found.value != wanted.value):
            yield Finding(
                "session.control_not_taken",
                Severity.ERROR if control in _TIMING_CONTROLS else Severity.WARNING,
                f"device {planned.serial}",
                f"{control} was set to {_described(wanted)}; the device reads back {_described(found)}",
                "Unplug the device's power and plug it in again; update its firmware; check the value's range.",
            )


def _wanted_controls(planned: PlannedDevice) -> Iterator[tuple[ColorControl, ColorControlValue]]:
    # A depth-only device has them too: the firmware centres its depth on the color exposure that it would have made.
    yield ColorControl.POWERLINE_FREQUENCY, ColorControlValue(True, planned.powerline_hz.sdk_value)
    yield ColorControl.EXPOSURE_TIME_ABSOLUTE, _manual_or_auto(planned.exposure_usec)
    for name, value in planned.color_controls.items():
        yield ColorControl(name), _manual_or_auto(None if value == "auto" else int(value))


def _manual_or_auto(value: int | None) -> ColorControlValue:
    return ColorControlValue(False, 0) if value is None else ColorControlValue(True, value)


def _described(setting: ColorControlValue) -> str:
    return f"manual {setting.value}" if setting.is_manual else "auto"
