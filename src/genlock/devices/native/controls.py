"""Color controls: the SDK's numbers, why a value was refused, which mains frequency a handle believes in."""

from __future__ import annotations

import ctypes as c
from dataclasses import replace

from genlock.devices.base import ColorControl, ColorControlValue
from genlock.devices.native.abi import AUTO, MANUAL, SUCCEEDED
from genlock.devices.native.handle import Handle
from genlock.errors import DeviceError
from genlock.k4a import PowerlineFrequency, nearest_exposure_usec

__all__ = ["NativeControls"]

_COMMANDS = {
    ColorControl.EXPOSURE_TIME_ABSOLUTE: 0,
    ColorControl.BRIGHTNESS: 2,
    ColorControl.CONTRAST: 3,
    ColorControl.SATURATION: 4,
    ColorControl.SHARPNESS: 5,
    ColorControl.WHITEBALANCE: 6,
    ColorControl.BACKLIGHT_COMPENSATION: 7,
    ColorControl.GAIN: 8,
    ColorControl.POWERLINE_FREQUENCY: 9,
}
"""``k4a_color_control_command_t``; 1, the priority of automatic exposure, has had no effect for long."""

_ORBBEC_STEP_USEC = 100
_POWERLINES = tuple(powerline.sdk_value for powerline in PowerlineFrequency)


class NativeControls:
    """The color controls through one handle."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._knows_powerline = False

    def set(self, control: ColorControl, setting: ColorControlValue) -> None:
        """Sets a control; an exposure is rounded up in the table of the mains frequency that the *device* has.

        Raises:
            DeviceError: out of range, off its step, no automatic mode, or the device did not take it.
        """
        if control is ColorControl.EXPOSURE_TIME_ABSOLUTE:
            self._learn_powerline()
        mode, value = (MANUAL, setting.value) if setting.is_manual else (AUTO, 0)
        result, reason = self._handle.call("k4a_device_set_color_control", _COMMANDS[control], mode, value)
        if result != SUCCEEDED:
            raise DeviceError(self._handle.serial, self._refusal(control, setting, reason))
        if control is ColorControl.POWERLINE_FREQUENCY:
            self._knows_powerline = True

    def get(self, control: ColorControl) -> ColorControlValue:
        """Reads a control back. Raises ``DeviceLostError`` when the device does not answer."""
        if control is ColorControl.EXPOSURE_TIME_ABSOLUTE:
            self._learn_powerline()
        # Orbbec's wrapper leaves the mode alone where a control has no automatic one.
        mode, value = c.c_int(MANUAL), c.c_int32()
        self._handle.demand(
            str(control), "k4a_device_get_color_control", _COMMANDS[control], c.byref(mode), c.byref(value)
        )
        found = ColorControlValue(is_manual=mode.value == MANUAL, value=value.value)
        if control is ColorControl.EXPOSURE_TIME_ABSOLUTE and self._handle.library.is_orbbec:
            return self._in_table(found)
        return found

    def _in_table(self, exposure: ColorControlValue) -> ColorControlValue:
        """An exposure that Orbbec cut to its steps of 100 us, as the table's value that was asked for.

        Microsoft's library does so itself: it writes 8330 us as 83 steps and reads 83 back as 8330.
        """
        powerline = self.get(ColorControl.POWERLINE_FREQUENCY).value
        known = {frequency.sdk_value: frequency for frequency in PowerlineFrequency}
        in_table_usec = nearest_exposure_usec(exposure.value, known.get(powerline, PowerlineFrequency.HZ_60))
        is_cut = exposure.is_manual and 0 <= in_table_usec - exposure.value < _ORBBEC_STEP_USEC
        return replace(exposure, value=in_table_usec) if is_cut else exposure

    def _learn_powerline(self) -> None:
        """Tells the handle the mains frequency that the device has, before an exposure passes through it.

        Until *this handle* has set one the SDK rounds exposures in the 60 Hz table, whatever the device has
        (``color.c``). # unverified on hardware: that setting the same frequency again changes nothing else
        """
        if self._knows_powerline:
            return
        self._knows_powerline = True
        found = self.get(ColorControl.POWERLINE_FREQUENCY)
        if found.value in _POWERLINES:
            self.set(ColorControl.POWERLINE_FREQUENCY, ColorControlValue(is_manual=True, value=found.value))

    def _refusal(self, control: ColorControl, setting: ColorControlValue, reason: str) -> str:
        """Why a setting was refused: by the range that the device gives, else in the SDK's words."""
        has_auto, default_mode = c.c_bool(), c.c_int()
        low, high, step, default = c.c_int32(), c.c_int32(), c.c_int32(), c.c_int32()
        result, _ = self._handle.call(
            "k4a_device_get_color_control_capabilities",
            _COMMANDS[control],
            *(c.byref(out) for out in (has_auto, low, high, step, default, default_mode)),
        )
        if result == SUCCEEDED and not setting.is_manual and not has_auto.value:
            return f"{control} has no automatic mode; set it to manual with a value"
        if result == SUCCEEDED and setting.is_manual:
            steps = f" in steps of {step.value}" if step.value > 1 else ""
            if not low.value <= setting.value <= high.value or (steps and (setting.value - low.value) % step.value):
                return f"{control} takes {low.value} to {high.value}{steps}; {setting.value} was asked for"
        wanted = f"manual {setting.value}" if setting.is_manual else "automatic"
        return f"{control} could not be set to {wanted}: {reason or 'the SDK gave no reason'}"
