"""The virtual libk4a: color controls, their ranges, their tables, their memory."""

import pytest

from genlock.k4a import EXPOSURES_USEC, PowerlineFrequency
from genlock.testing.rigs import chain_rig
from support.k4a_client import (
    AUTO,
    BACKLIGHT,
    BRIGHTNESS,
    CONTRAST,
    EXPOSURE,
    EXPOSURE_PRIORITY,
    FAILED,
    GAIN,
    MANUAL,
    POWERLINE,
    SATURATION,
    SHARPNESS,
    SUCCEEDED,
    WHITE_BALANCE,
)

# Lowest, highest, step, default, default mode: what Microsoft's color_ft.cpp and viewer expect of a device.
RANGES = {
    BRIGHTNESS: (0, 255, 1, 128, MANUAL),
    CONTRAST: (0, 10, 1, 5, MANUAL),
    SATURATION: (0, 63, 1, 32, MANUAL),
    SHARPNESS: (0, 4, 1, 2, MANUAL),
    WHITE_BALANCE: (2500, 12500, 10, 4500, AUTO),
    BACKLIGHT: (0, 1, 1, 0, MANUAL),
    GAIN: (0, 255, 1, 0, MANUAL),
    POWERLINE: (1, 2, 1, 2, MANUAL),
}


@pytest.mark.parametrize("command", RANGES)
def test_every_value_in_range_is_taken_and_read_back(serve, command):
    k4a, _ = serve(chain_rig(1))
    low, high, step, default, default_mode = RANGES[command]
    has_auto = default_mode == AUTO
    with k4a.opened() as device:
        assert device.control_range(command) == (has_auto, low, high, step, default, default_mode)
        assert device.get_control(command) == (default_mode, default), "at power-on"
        assert device.set_control(command, AUTO, 0) == (SUCCEEDED if has_auto else FAILED)
        assert device.set_control(command, MANUAL, low - step) == FAILED
        assert device.set_control(command, MANUAL, high + step) == FAILED
        assert device.set_control(command, 2, low) == FAILED, "no such mode"
        for value in range(low, high + 1, step):
            assert device.set_control(command, MANUAL, value) == SUCCEEDED
            assert device.get_control(command) == (MANUAL, value)


@pytest.mark.parametrize(("powerline", "hz"), [(1, PowerlineFrequency.HZ_50), (2, PowerlineFrequency.HZ_60)])
def test_exposures_are_rounded_up_in_the_mains_table(serve, powerline, hz):
    k4a, _ = serve(chain_rig(1))
    table = EXPOSURES_USEC[hz]
    with k4a.opened() as device:
        assert device.set_control(POWERLINE, MANUAL, powerline) == SUCCEEDED
        assert device.control_range(EXPOSURE)[:3] == (True, table[0], table[-1])
        for place, exposure_usec in enumerate(table):
            above_usec = table[min(place + 1, len(table) - 1)]
            for asked_usec, expected_usec in (
                (exposure_usec - 1, exposure_usec), (exposure_usec, exposure_usec), (exposure_usec + 1, above_usec)
            ):  # fmt: skip
                assert device.set_control(EXPOSURE, MANUAL, asked_usec) == SUCCEEDED
                assert device.get_control(EXPOSURE) == (MANUAL, expected_usec)
        assert device.set_control(EXPOSURE, AUTO, 0) == SUCCEEDED
        assert device.get_control(EXPOSURE)[0] == AUTO


def test_a_handle_believes_in_60_hz_until_it_sets_the_powerline_itself(serve):
    k4a, _ = serve(chain_rig(1))
    with k4a.opened() as device:
        device.set_control(POWERLINE, MANUAL, 1)
        device.set_control(EXPOSURE, MANUAL, 8000)
        assert device.get_control(EXPOSURE) == (MANUAL, 10_000)
    with k4a.opened() as device:
        assert device.get_control(POWERLINE) == (MANUAL, 1), "the device remembers"
        assert device.get_control(EXPOSURE) == (MANUAL, 10_000)
        device.set_control(EXPOSURE, MANUAL, 8000)
        assert device.get_control(EXPOSURE) == (MANUAL, 8330), "the handle does not"


def test_the_deprecated_control_does_nothing(serve):
    k4a, _ = serve(chain_rig(1))
    with k4a.opened() as device:
        assert device.control_range(EXPOSURE_PRIORITY) == (False, 0, 0, 0, 0, MANUAL)
        assert device.set_control(EXPOSURE_PRIORITY, MANUAL, 1) == SUCCEEDED
        assert device.get_control(EXPOSURE_PRIORITY) == (MANUAL, 0)


def test_an_unknown_control_fails(serve):
    k4a, _ = serve(chain_rig(1))
    with k4a.opened() as device:
        for command in (-1, 10):
            assert device.set_control(command, MANUAL, 1) == FAILED
            with pytest.raises(AssertionError):
                device.get_control(command)
            with pytest.raises(AssertionError):
                device.control_range(command)


def test_an_exposure_longer_than_a_frame_is_cut_in_the_image(serve):
    k4a, _ = serve(chain_rig(1))
    with k4a.opened() as device:
        device.set_control(POWERLINE, MANUAL, 2)
        device.set_control(EXPOSURE, MANUAL, 66_670)
        assert device.start() == SUCCEEDED
        assert device.whole_capture()["color"].exposure_usec <= 33_333
        assert device.get_control(EXPOSURE) == (MANUAL, 66_670)
