"""What makes one simulated device differ from the next: its oscillator, its latencies, its depth bias, its warmth."""

from __future__ import annotations

from dataclasses import dataclass

from genlock.devices.scenario import Scenario
from genlock.devices.sim.chance import stream_key, uniform

__all__ = ["DeviceTraits"]


@dataclass(frozen=True, slots=True)
class DeviceTraits:
    """One device's peculiarities, which follow from the seed and its serial."""

    oscillator_ppm: float
    """By how much its oscillator is fast."""
    color_transfer_usec: float
    """From the end of a color exposure to the host, on average."""
    depth_transfer_usec: float
    """The same for depth, which the host computes first."""
    depth_bias_mm: float
    """A constant error of every depth value."""
    depth_wiggle_mm: float
    """Amplitude of an error that goes up and down with distance, as phase-measuring cameras have it."""
    temperature_c: float
    """Of the warm device."""
    acc_bias_m_per_s2: tuple[float, float, float]
    """What the factory's correction leaves; so does the next."""
    gyro_bias_rad_per_s: tuple[float, float, float]

    @classmethod
    def of(cls, serial: str, scenario: Scenario) -> DeviceTraits:
        """Draws the traits of one device."""
        key = stream_key(scenario.seed, serial, "traits")
        timing = scenario.timing
        return cls(
            oscillator_ppm=uniform(key, 0, -timing.oscillator_ppm, timing.oscillator_ppm),
            color_transfer_usec=uniform(key, 1, timing.transfer_min_usec, timing.transfer_max_usec),
            depth_transfer_usec=uniform(key, 2, timing.transfer_min_usec, timing.transfer_max_usec),
            # Together below the 11 mm of systematic error that Microsoft publishes.
            depth_bias_mm=uniform(key, 3, -4.0, 4.0),
            depth_wiggle_mm=uniform(key, 4, 0.0, 3.0),
            temperature_c=uniform(key, 5, 36.0, 44.0),
            acc_bias_m_per_s2=(
                uniform(key, 6, -0.02, 0.02),
                uniform(key, 7, -0.02, 0.02),
                uniform(key, 8, -0.02, 0.02),
            ),
            gyro_bias_rad_per_s=(
                uniform(key, 9, -0.003, 0.003),
                uniform(key, 10, -0.003, 0.003),
                uniform(key, 11, -0.003, 0.003),
            ),
        )
