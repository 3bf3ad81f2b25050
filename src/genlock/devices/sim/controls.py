"""A color camera's controls: ranges, the exposure tables, and what the SDK believes about the mains frequency.

The settings live in the device and outlast its being closed, until it loses power. The SDK, on the other hand, takes
60 Hz for granted until *this handle* has set the powerline: an exposure that is set first is rounded in the wrong
table (``color.c``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from genlock.devices.base import ColorControl, ColorControlRange, ColorControlValue
from genlock.errors import DeviceError
from genlock.k4a import EXPOSURES_USEC, PowerlineFrequency, nearest_exposure_usec

__all__ = ["ColorControls", "ColorSettings", "HandleControls"]

# Lowest, highest, step and power-on value; sources: k4aviewer's sliders, the SDK's header.
_RANGES: dict[ColorControl, tuple[int, int, int, int]] = {
    ColorControl.EXPOSURE_TIME_ABSOLUTE: (1, 1_000_000, 1, 16_670),
    ColorControl.BRIGHTNESS: (0, 255, 1, 128),
    ColorControl.CONTRAST: (0, 10, 1, 5),
    ColorControl.SATURATION: (0, 63, 1, 32),
    ColorControl.SHARPNESS: (0, 4, 1, 2),
    ColorControl.WHITEBALANCE: (2_500, 12_500, 10, 4_500),
    ColorControl.BACKLIGHT_COMPENSATION: (0, 1, 1, 0),
    ColorControl.GAIN: (0, 255, 1, 0),
    ColorControl.POWERLINE_FREQUENCY: (1, 2, 1, 2),
}

_EXPOSURE_STEP_USEC = 100
"""Linux's video class counts in these (``uvc_camerareader.cpp``)."""
_DEFAULT_EXPOSURE_USEC = {PowerlineFrequency.HZ_50: 30_000, PowerlineFrequency.HZ_60: 33_330}

_WITH_AUTO = (ColorControl.EXPOSURE_TIME_ABSOLUTE, ColorControl.WHITEBALANCE)
"""Only these two have an automatic mode; both are automatic at power-on."""


def _at_power_on() -> dict[ColorControl, ColorControlValue]:
    return {
        control: ColorControlValue(is_manual=control not in _WITH_AUTO, value=power_on)
        for control, (_, _, _, power_on) in _RANGES.items()
    }


@dataclass(frozen=True, slots=True)
class ColorSettings:
    """Those controls that change what an exposure looks like."""

    exposure_usec: int
    is_auto: bool
    """Whether the exposure is automatic; the number above then means nothing."""
    white_balance_k: int
    gain: int
    brightness: int


@dataclass(slots=True)
class ColorControls:
    """What one device remembers."""

    values: dict[ColorControl, ColorControlValue] = field(default_factory=_at_power_on)
    exposure_set_nsec: int | None = None
    """When somebody last set the exposure, in true time."""
    has_run_auto: bool = False
    """Whether it has streamed with automatic exposure since it got its power."""

    @property
    def settings(self) -> ColorSettings:
        """What an exposure that begins now gets."""
        return ColorSettings(
            exposure_usec=self.values[ColorControl.EXPOSURE_TIME_ABSOLUTE].value,
            is_auto=not self.values[ColorControl.EXPOSURE_TIME_ABSOLUTE].is_manual,
            white_balance_k=self.values[ColorControl.WHITEBALANCE].value,
            gain=self.values[ColorControl.GAIN].value,
            brightness=self.values[ColorControl.BRIGHTNESS].value,
        )


class HandleControls:
    """The controls as one opened handle sees them."""

    def __init__(self, serial: str, device: ColorControls) -> None:
        self._serial = serial
        self._device = device
        self._believed_powerline = PowerlineFrequency.HZ_60

    def set(self, control: ColorControl, setting: ColorControlValue, now_nsec: int) -> None:
        """Sets a control; exposures are rounded up to the table of the mains frequency that the handle believes in.

        Raises:
            DeviceError: the value is out of range, off its step, or the control has no automatic mode.
        """
        low, high, step, power_on = _RANGES[control]
        value = setting.value
        if not setting.is_manual:
            if control not in _WITH_AUTO:
                raise DeviceError(self._serial, f"{control} has no automatic mode; set it to manual with a value")
            value = power_on
        elif not low <= value <= high or value % step:
            steps = f" in steps of {step}" if step > 1 else ""
            raise DeviceError(self._serial, f"{control} takes {low} to {high}{steps}; {value} was asked for")
        if control is ColorControl.POWERLINE_FREQUENCY:
            self._believed_powerline = PowerlineFrequency.HZ_50 if value == 1 else PowerlineFrequency.HZ_60
        if control is ColorControl.EXPOSURE_TIME_ABSOLUTE:
            value = nearest_exposure_usec(value, self._believed_powerline)
            self._device.exposure_set_nsec = now_nsec
        self._device.values[control] = ColorControlValue(setting.is_manual, value)

    def range(self, control: ColorControl) -> ColorControlRange:
        """The control's range. Exposures are told by the table of the mains frequency that the handle believes in.

        # unverified on hardware: the default exposure, which is the SDK's own test's (``color_ft.cpp``)
        """
        low, high, step, power_on = _RANGES[control]
        if control is ColorControl.EXPOSURE_TIME_ABSOLUTE:
            table = EXPOSURES_USEC[self._believed_powerline]
            low, high, step = table[0], table[-1], _EXPOSURE_STEP_USEC
            power_on = _DEFAULT_EXPOSURE_USEC[self._believed_powerline]
        has_auto = control in _WITH_AUTO
        return ColorControlRange(has_auto, low, high, step, ColorControlValue(is_manual=not has_auto, value=power_on))

    def get(self, control: ColorControl) -> ColorControlValue:
        """The control as the device has it."""
        return self._device.values[control]
