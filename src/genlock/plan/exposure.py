"""What unequal exposures do to a rig: centres of color exposure move, and the lasers with them.

Everything is aligned by the *centre* of exposure. Microsoft's green_screen sample (``main.cpp``) says what happens when
a subordinate's exposure differs from the master's: the subordinate's must be the longer one, and

    subordinate_delay_off_master = (subordinate's exposure - master's exposure) / 2

brings the centres together. The reading taken here is the only simple one that this rule allows: with equal delays two
color exposures *end* together (the sync pulse is the color camera's VSYNC, the read-out, which begins when the exposure
ends), so that the centre of the longer one is earlier by half of the difference. A delay cannot be negative, hence the
longer one on the subordinate. Depth is tied to the color centre of its own device (SDK issue #868), so its laser moves
along. # unverified on hardware: that unequal exposures move centres so, and that lasers follow

The virtual rig behaves so, too. A stamp is the centre of exposure: where the delay holds half of the difference, stamps
lie together, not the delay apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from genlock.k4a import DeviceConfig, WiredSyncMode
from genlock.plan.timing import GRAINS_PER_TICK, GRAINS_PER_USEC

__all__ = ["center_shifts_grains", "realigning_ticks"]


def center_shifts_grains(
    configs: Mapping[str, DeviceConfig], exposures_usec: Mapping[str, int | None]
) -> dict[str, int]:
    """How much later than its delay says each device's color centre lies, in grains; negative: earlier.

    Measured from the master's exposure, or, where a trigger leads, from the shortest one. Zero for a device without
    color, without a common clock, or with automatic exposure, whose length nobody knows.

    Args:
        configs: by serial.
        exposures_usec: by serial, as the devices will have them; ``None``: automatic.
    """
    known = {
        serial: min(exposure, config.camera_fps.period_usec)  # a longer one is cut by the frame
        for serial, config in configs.items()
        if config.has_color
        and config.wired_sync_mode is not WiredSyncMode.STANDALONE
        and (exposure := exposures_usec[serial]) is not None
    }
    masters = [s for s, config in configs.items() if config.wired_sync_mode is WiredSyncMode.MASTER]
    if masters and masters[0] not in known:
        return dict.fromkeys(configs, 0)
    reference = known[masters[0]] if masters else min(known.values(), default=0)
    # Half of a whole number of us is a whole number of grains.
    return {s: (reference - known[s]) * GRAINS_PER_USEC // 2 if s in known else 0 for s in configs}


def realigning_ticks(shift_grains: int) -> int:
    """The whole ticks of delay that take a shift away, to half a tick; negative where only a negative delay would."""
    return round(-shift_grains / GRAINS_PER_TICK)
