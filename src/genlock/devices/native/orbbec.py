"""Orbbec's K4A wrapper for Femto Bolt and Mega: the same file names and functions, another machine behind them.

Everything here comes from the wrapper's source (OrbbecSDK-K4A-Wrapper, ``ob_k4a_impl.cpp``) and its issues.
# unverified on hardware: all of it
"""

from __future__ import annotations

from collections.abc import Iterator

from genlock.findings import Finding, Severity
from genlock.k4a import DeviceConfig, StartRefusal

__all__ = ["orbbec_findings", "orbbec_refusals"]

_LONGEST_DELAY_USEC = 33_333
"""At every frame rate, where an Azure Kinect takes a whole period."""


def orbbec_refusals(config: DeviceConfig) -> Iterator[StartRefusal]:
    """For what the wrapper refuses to start beside the rules of Microsoft's SDK."""
    for name in ("depth_delay_off_color_usec", "subordinate_delay_off_master_usec"):
        delay_usec = getattr(config, name)
        if abs(delay_usec) > _LONGEST_DELAY_USEC:
            yield StartRefusal(
                "orbbec_delay_out_of_range",
                f"Orbbec's devices take at most {_LONGEST_DELAY_USEC} us of {name}; it is {delay_usec} us",
                f"Choose a delay of at most {_LONGEST_DELAY_USEC} us.",
            )


def orbbec_findings(serial: str) -> tuple[Finding, ...]:
    """What a user of the plan and of the reports must know of such a device."""
    where = f"device {serial}"
    return (
        Finding(
            "devices.orbbec",
            Severity.WARNING,
            where,
            "it is reached through Orbbec's K4A wrapper; genlock plans and judges an Azure Kinect DK, and has never "
            "been tried with Orbbec's devices",
            "Take what the reports say of its timing as a question; compare with an LED clock or a running finger.",
        ),
        Finding(
            "devices.orbbec_clock",
            Severity.WARNING,
            where,
            "its stamps follow the computer's clock, set once a minute, instead of the first pulse, and may mark the "
            "start of an exposure instead of its centre",
            "Record on one computer; expect offsets of half an exposure and steps of some 100 us.",
        ),
        Finding(
            "devices.orbbec_delays",
            Severity.WARNING,
            where,
            "a negative depth_delay_off_color_usec moves its color image later instead of its depth image earlier",
            "Use delays of 0 or more for every device of the rig.",
        ),
    )
