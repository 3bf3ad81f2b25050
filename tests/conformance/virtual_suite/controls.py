"""Color controls: ranges, defaults, rounding, persistence; run by a pytest inside ``genlock virtual``.

Asserts what the SDK's ``color_ft`` and ``test_functional_ctypes_azurekinect`` assert. The exposure table is the
SDK's own (``color_priv.h``).
"""

from __future__ import annotations

import ctypes as c
import os
from dataclasses import dataclass

import pytest

from conformance.virtual_suite.device_api import (
    FAILED,
    SUCCEEDED,
    Config,
    Control,
    Depth,
    Device,
    Format,
    Fps,
    Mode,
    Resolution,
    library,
    opened,
)

IS_FULL = bool(os.environ.get("SUITE_FULL"))

_TABLE_50_HZ = (500, 1250, 2500, 10000, 20000, 30000, 40000, 50000, 60000, 80000, 100000, 120000, 130000)
_TABLE_60_HZ = (500, 1250, 2500, 8330, 16670, 33330, 41670, 50000, 66670, 83330, 100000, 116670, 133330)


@dataclass(frozen=True)
class Capabilities:
    has_auto: bool
    least: int
    most: int
    step: int
    default: int
    default_mode: int


def _capabilities(device: Device, control: int) -> Capabilities:
    has_auto, numbers = c.c_bool(), [c.c_int32() for _ in range(5)]
    result = library().k4a_device_get_color_control_capabilities(
        device.handle, control, c.byref(has_auto), *map(c.byref, numbers)
    )
    assert result == SUCCEEDED
    return Capabilities(has_auto.value, *(number.value for number in numbers))


# Control: automatic mode?, range, step, default, default mode.
_KNOWN = {
    Control.BRIGHTNESS: Capabilities(False, 0, 255, 1, 128, Mode.MANUAL),
    Control.CONTRAST: Capabilities(False, 0, 10, 1, 5, Mode.MANUAL),
    Control.SATURATION: Capabilities(False, 0, 63, 1, 32, Mode.MANUAL),
    Control.SHARPNESS: Capabilities(False, 0, 4, 1, 2, Mode.MANUAL),
    Control.WHITEBALANCE: Capabilities(True, 2_500, 12_500, 10, 4_500, Mode.AUTO),
    Control.BACKLIGHT_COMPENSATION: Capabilities(False, 0, 1, 1, 0, Mode.MANUAL),
    Control.GAIN: Capabilities(False, 0, 255, 1, 0, Mode.MANUAL),
    Control.POWERLINE: Capabilities(False, 1, 2, 1, 2, Mode.MANUAL),
}


@pytest.mark.parametrize("control", _KNOWN, ids=lambda control: control.name)
@pytest.mark.parametrize("is_running", [False, True], ids=["at rest", "running"])
def test_a_control_takes_its_range_and_nothing_else(control: Control, is_running: bool) -> None:
    known = _KNOWN[control]
    with opened(0) as [device]:
        if is_running:
            config = Config(
                color_resolution=Resolution.R1080P,
                depth_mode=Depth.WFOV_2X2BINNED,
                camera_fps=Fps.F5,
                synchronized_images_only=1,
            )
            assert device.start(config) == SUCCEEDED
            device.capture().release()
        assert _capabilities(device, control) == known
        assert device.set_control(control, Mode.AUTO, 0) == (SUCCEEDED if known.has_auto else FAILED)
        if known.has_auto:
            assert device.control(control)[0] == Mode.AUTO
        for outside in (known.least - known.step, known.most + known.step):
            assert device.set_control(control, Mode.MANUAL, outside) == FAILED
        for value in range(known.least, known.most + 1, known.step):
            assert device.set_control(control, Mode.MANUAL, value) == SUCCEEDED
            assert device.control(control) == (Mode.MANUAL, value)
        device.stop()
        assert device.set_control(control, known.default_mode, known.default) == SUCCEEDED
        assert device.control(control)[0] == known.default_mode
        if known.default_mode == Mode.MANUAL:
            assert device.control(control)[1] == known.default


def test_a_control_beyond_the_last_does_not_exist() -> None:
    with opened(0) as [device]:
        assert device.set_control(10, Mode.MANUAL, 1) == FAILED
        mode, value = c.c_int32(), c.c_int32()
        assert library().k4a_device_get_color_control(device.handle, 10, c.byref(mode), c.byref(value)) == FAILED
        assert device.set_control(Control.BRIGHTNESS, 2, 100) == FAILED, "a mode that is neither"


def test_every_control_can_be_reset_to_its_default() -> None:
    """As pyk4a and k4aviewer do, the deprecated exposure priority included."""
    with opened(0) as [device]:
        for control in Control:
            capabilities = _capabilities(device, control)
            assert device.set_control(control, capabilities.default_mode, capabilities.default) == SUCCEEDED
            assert device.control(control)[0] == capabilities.default_mode


def _expected(value_usec: int, table: tuple[int, ...]) -> int:
    return next((entry for entry in table if value_usec <= entry), table[-1])


@pytest.mark.parametrize(("powerline", "table"), [(2, _TABLE_60_HZ), (1, _TABLE_50_HZ)], ids=["60 Hz", "50 Hz"])
def test_an_exposure_is_rounded_up_in_the_table_of_its_mains(powerline: int, table: tuple[int, ...]) -> None:
    with opened(0) as [device]:
        assert device.set_control(Control.POWERLINE, Mode.MANUAL, powerline) == SUCCEEDED
        capabilities = _capabilities(device, Control.EXPOSURE)
        assert capabilities.has_auto
        assert capabilities.default_mode == Mode.AUTO
        for entry in table:
            for value in (entry - 1, entry, entry + 1):
                assert device.set_control(Control.EXPOSURE, Mode.MANUAL, value) == SUCCEEDED
                assert device.control(Control.EXPOSURE) == (Mode.MANUAL, _expected(value, table))
        assert device.set_control(Control.EXPOSURE, Mode.AUTO, 0) == SUCCEEDED
        assert device.control(Control.EXPOSURE)[0] == Mode.AUTO
        assert device.set_control(Control.POWERLINE, Mode.MANUAL, 2) == SUCCEEDED


@pytest.mark.parametrize("asked_usec", [500, 2_500, 8_330, 33_330] if not IS_FULL else _TABLE_60_HZ)
def test_an_exposure_reaches_the_images_within_ten(asked_usec: int) -> None:
    config = Config(color_resolution=Resolution.R720P, camera_fps=Fps.F15)
    # A running camera cuts what is longer than its frame: color_ft expects the longest entry of the table that fits,
    # the SDK's documentation the frame's period.
    most_usec = min(asked_usec, Fps.F15.period_usec)
    least_usec = max(entry for entry in _TABLE_60_HZ if entry <= most_usec)
    with opened(0) as [device]:
        assert device.set_control(Control.POWERLINE, Mode.MANUAL, 2) == SUCCEEDED
        assert device.start(config) == SUCCEEDED
        device.capture().release()
        assert device.set_control(Control.EXPOSURE, Mode.MANUAL, asked_usec) == SUCCEEDED
        seen = []
        for _ in range(10):
            with device.capture(1_000) as capture:
                assert capture.color is not None
                seen.append(capture.color.exposure_usec)
            if least_usec <= seen[-1] <= most_usec:
                break
        assert least_usec <= seen[-1] <= most_usec, seen
        assert device.set_control(Control.EXPOSURE, Mode.AUTO, 0) == SUCCEEDED


def test_an_automatic_exposure_is_told_and_fits_its_frame() -> None:
    config = Config(color_format=Format.NV12, color_resolution=Resolution.R720P)
    with opened(0) as [device]:
        assert device.set_control(Control.EXPOSURE, Mode.AUTO, 0) == SUCCEEDED
        assert device.start(config) == SUCCEEDED
        for _ in range(10):
            with device.capture() as capture:
                assert capture.color is not None
                assert 0 < capture.color.exposure_usec < 33_333 + 1


def test_controls_outlast_close_and_a_new_handle_believes_in_60_hz() -> None:
    with opened(0) as [device]:
        assert device.set_control(Control.POWERLINE, Mode.MANUAL, 1) == SUCCEEDED
        assert device.set_control(Control.EXPOSURE, Mode.MANUAL, 9_000) == SUCCEEDED
        assert device.set_control(Control.BRIGHTNESS, Mode.MANUAL, 77) == SUCCEEDED
    with opened(0) as [device]:
        assert device.control(Control.POWERLINE) == (Mode.MANUAL, 1)
        assert device.control(Control.BRIGHTNESS) == (Mode.MANUAL, 77)
        assert device.control(Control.EXPOSURE)[0] == Mode.MANUAL
        # The SDK rounds in the 60 Hz table until this handle has said otherwise (color.c).
        assert device.set_control(Control.EXPOSURE, Mode.MANUAL, 9_000) == SUCCEEDED
        assert device.control(Control.EXPOSURE) == (Mode.MANUAL, 16_670)
        for control, known in _KNOWN.items():
            assert device.set_control(control, known.default_mode, known.default) == SUCCEEDED
        assert device.set_control(Control.EXPOSURE, Mode.AUTO, 0) == SUCCEEDED
