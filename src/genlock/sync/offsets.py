"""Where a device's images should lie in time, relative to the master's color image.

All clocks of a rig are zero at the first sync pulse. With the centre of the master's color exposure at ``t`` ::

    color of a device = t + subordinate_delay_off_master
    depth of a device = its own color + depth_delay_off_color

The device keeps both delays in ticks of 90 kHz, each truncated toward zero on its own: a request of 160 us is 14 ticks,
155.6 us. *Normalising* a stamp takes these offsets away, so that captures of one moment have one time, on every device.

An *offset error* is measured minus expected. It is computed in whole ninths of a microsecond, because a tick is
100 / 9 us, and no rounding of ours may stand in it.

Sources: Azure Kinect Sensor SDK 1.4 (``color_mcu.c``, ``common.h``, ``examples/green_screen``), SDK issues #868, #1240.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Stamp
from genlock.k4a import DeviceConfig, usec_from_ticks

__all__ = [
    "MISSING_USEC",
    "TimesUsec",
    "expected_color_ticks",
    "expected_depth_ticks",
    "normaliser",
    "normalise_usec",
    "offset_errors_usec",
]

TimesUsec = NDArray[np.int64]  # (N,), device time of each capture's image
ErrorsUsec = NDArray[np.float64]  # (N,), NaN where an image is missing

MISSING_USEC = -1
"""Stands in arrays of times where a capture has no such image. Real stamps are never negative."""

_NINTHS_PER_USEC = 9
_NINTHS_PER_TICK = 100


def expected_color_ticks(config: DeviceConfig) -> int:
    """How long after the master's color the device's color lies, in ticks of 90 kHz."""
    return config.subordinate_delay_off_master_ticks


def expected_depth_ticks(config: DeviceConfig) -> int:
    """How long after the master's color the device's depth and IR lie, in ticks; negative before it.

    The two delays are truncated separately, as the device receives them.
    """
    return config.subordinate_delay_off_master_ticks + config.depth_delay_off_color_ticks


def normaliser(config: DeviceConfig) -> Callable[[Stamp], int | None]:
    """A function that puts a stamp on the master's color time, in us; ``None`` for a stamp without any image.

    The color image decides where there is one; else the depth image.
    """
    color_offset_usec = usec_from_ticks(expected_color_ticks(config))
    depth_offset_usec = usec_from_ticks(expected_depth_ticks(config))

    def normalised_usec(stamp: Stamp) -> int | None:
        if stamp.color_usec is not None:
            return stamp.color_usec - color_offset_usec
        if stamp.depth_usec is not None:
            return stamp.depth_usec - depth_offset_usec
        return None

    return normalised_usec


def normalise_usec(config: DeviceConfig, color_usec: TimesUsec, depth_usec: TimesUsec) -> TimesUsec:
    """Many captures at once on the master's color time: the array form of ``normaliser``.

    Args:
        config: of the device.
        color_usec: (N,) device times, ``MISSING_USEC`` where a capture has no color image.
        depth_usec: (N,) device times, ``MISSING_USEC`` where a capture has no depth and IR images. Every capture needs
            at least one of the two.
    """
    return np.where(
        color_usec != MISSING_USEC,
        color_usec - usec_from_ticks(expected_color_ticks(config)),
        depth_usec - usec_from_ticks(expected_depth_ticks(config)),
    )


def offset_errors_usec(device_usec: TimesUsec, reference_usec: TimesUsec, expected_ticks: int) -> ErrorsUsec:
    """Measured minus expected offset of paired images, in us; NaN where either image is missing.

    Stamps are ticks cut to whole microseconds, so that a difference of two is blurred by less than 1 us. Where that
    alone explains the distance to a whole number of ticks, the error is that number of ticks: nine ticks are exactly
    100 us and not, by chance, 100.6.

    Args:
        device_usec: (N,) times of the device's images.
        reference_usec: (N,) times of the reference's images of the same moments.
        expected_ticks: where the device's images should lie after the reference's.
    """
    ninths = (device_usec - reference_usec) * _NINTHS_PER_USEC - expected_ticks * _NINTHS_PER_TICK
    ticks = np.rint(ninths / _NINTHS_PER_TICK).astype(np.int64)
    is_explained = np.abs(ninths - ticks * _NINTHS_PER_TICK) < _NINTHS_PER_USEC
    errors = np.where(is_explained, ticks * _NINTHS_PER_TICK, ninths) / _NINTHS_PER_USEC
    errors[(device_usec == MISSING_USEC) | (reference_usec == MISSING_USEC)] = np.nan
    return errors
