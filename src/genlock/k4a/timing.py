"""When a device exposes and flashes: the 90 kHz tick, the laser's pulse trains, the exposure table.

Sources: tick rounding and exposure table, Azure Kinect Sensor SDK 1.4 (``color_mcu.c``, ``color_priv.h``,
``common.h``); pulse widths and idle times, Microsoft's "Azure Kinect DK hardware specifications".
"""

from __future__ import annotations

from dataclasses import dataclass

from genlock.k4a.modes import DepthMode, PowerlineFrequency

__all__ = [
    "EXPOSURES_USEC",
    "PULSE_TRAINS",
    "TICKS_PER_SEC",
    "PulseTrain",
    "nearest_exposure_usec",
    "ticks_from_usec",
    "usec_from_ticks",
]

TICKS_PER_SEC = 90_000
"""The device clock. One tick is 11.1 us; every delay and every stamp is a whole number of ticks."""


def ticks_from_usec(usec: int) -> int:
    """The ticks that a requested delay really becomes: ``usec * 9 / 100``, truncated toward zero as C does.

    >>> ticks_from_usec(160), ticks_from_usec(80), ticks_from_usec(-80)
    (14, 7, -7)
    """
    ticks = abs(usec) * 9 // 100
    return ticks if usec >= 0 else -ticks


def usec_from_ticks(ticks: int) -> int:
    """Device time in whole microseconds, truncated toward zero as the SDK does with every stamp.

    >>> usec_from_ticks(14), usec_from_ticks(15), usec_from_ticks(3000)
    (155, 166, 33333)
    """
    usec = abs(ticks) * 100 // 9
    return usec if ticks >= 0 else -usec


@dataclass(frozen=True, slots=True)
class PulseTrain:
    """The laser of one depth capture: ``pulses`` flashes with equal idle times between them."""

    pulses: int
    pulse_usec: int
    idle_usec: int

    @property
    def step_usec(self) -> int:
        """From one pulse's start to the next one's: 1575 us, in WFOV_UNBINNED 2515 us."""
        return self.pulse_usec + self.idle_usec

    @property
    def duration_usec(self) -> int:
        """From the first pulse's start to the last one's end: 12725 us, in WFOV_UNBINNED 20245 us."""
        return self.pulses * self.pulse_usec + (self.pulses - 1) * self.idle_usec

    def pulse_starts_usec(self, center_usec: float) -> tuple[float, ...]:
        """Start of every pulse when the train is centred on the depth stamp.

        The stamp is the centre of exposure (SDK issue #868). That the train is centred on it matters only between
        devices of different depth modes. # unverified on hardware
        """
        first = center_usec - self.duration_usec / 2
        return tuple(first + k * self.step_usec for k in range(self.pulses))


_SHORT = PulseTrain(pulses=9, pulse_usec=125, idle_usec=1450)
_LONG = PulseTrain(pulses=9, pulse_usec=125, idle_usec=2390)

PULSE_TRAINS: dict[DepthMode, PulseTrain | None] = {
    DepthMode.OFF: None,
    DepthMode.NFOV_2X2BINNED: _SHORT,
    DepthMode.NFOV_UNBINNED: _SHORT,
    DepthMode.WFOV_2X2BINNED: _SHORT,
    DepthMode.WFOV_UNBINNED: _LONG,
    DepthMode.PASSIVE_IR: None,
}
"""The laser's pulse train in each depth mode; ``None`` where the laser stays dark."""

EXPOSURES_USEC: dict[PowerlineFrequency, tuple[int, ...]] = {
    PowerlineFrequency.HZ_50: (
        500, 1250, 2500, 10000, 20000, 30000, 40000, 50000, 60000, 80000, 100000, 120000, 130000,
    ),
    PowerlineFrequency.HZ_60: (
        500, 1250, 2500, 8330, 16670, 33330, 41670, 50000, 66670, 83330, 100000, 116670, 133330,
    ),
}  # fmt: skip
"""The manual exposure times that a device has, by powerline frequency."""


def nearest_exposure_usec(exposure_usec: int, powerline: PowerlineFrequency) -> int:
    """The exposure that the device really sets: the next table value at or above; above the last, the last.

    >>> nearest_exposure_usec(8000, PowerlineFrequency.HZ_60), nearest_exposure_usec(8000, PowerlineFrequency.HZ_50)
    (8330, 10000)
    """
    table = EXPOSURES_USEC[powerline]
    return next((value for value in table if value >= exposure_usec), table[-1])
