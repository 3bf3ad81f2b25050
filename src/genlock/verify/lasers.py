"""Were the lasers kept apart? From when the depth images were really taken, and each mode's pulse train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genlock.findings import Finding, Severity
from genlock.k4a import PULSE_TRAINS, TICKS_PER_SEC, PulseTrain
from genlock.plan import Plan
from genlock.verify.measure import DeviceMeasures, TakeMeasures

__all__ = [
    "GRAZE_USEC",
    "LaserPair",
    "check_lasers",
    "depth_after_reference_usec",
    "measure_lasers",
    "planned_depth_ticks",
    "pulse_gap_usec",
]

GRAZE_USEC = 62
"""Pulses of 125 us that meet by less than half touch through healthy deviations: a master's depth lies up to 44 us off
(SDK issue #1261), each stamp a tick."""

_USEC_PER_TICK = 1e6 / TICKS_PER_SEC


@dataclass(frozen=True, slots=True)
class LaserPair:
    """Two lasers that see the same space, as far as the plan says."""

    first: str
    second: str
    gap_usec: float
    """The smallest gap between a pulse of one and a pulse of the other in the judged sets; negative: they met."""
    configured_gap_usec: float
    """The gap that their recordings' delays would give, without any error."""
    collisions: int
    """Judged sets in which pulses met."""
    sets: int
    """Judged sets in which both depth images are there."""
    first_collision_usec: int | None


def measure_lasers(measures: TakeMeasures, plan: Plan | None) -> tuple[LaserPair, ...]:
    """Every pair of lasers that see the same space; nothing without a plan, which alone says who does."""
    if plan is None or plan.overlap == "none":
        return ()
    wanted = None if plan.overlap == "all" else {frozenset(pair) for pair in plan.overlap}
    devices = [d for d in measures.devices if PULSE_TRAINS[d.device.config.depth_mode] is not None]
    pairs = (
        _measure_pair(measures, a, b)
        for a, b in combinations(devices, 2)
        if wanted is None or frozenset((a.device.serial, b.device.serial)) in wanted
    )
    return tuple(pair for pair in pairs if pair is not None)


def check_lasers(pairs: tuple[LaserPair, ...], plan: Plan | None) -> Iterator[Finding]:
    """Pairs whose pulses met although the plan kept them apart, and those that met as planned."""
    planned_usec = plan.guard_usec if plan is not None else None
    for pair in pairs:
        if not pair.collisions:
            continue
        is_planned = planned_usec is not None and planned_usec < 0
        at = f"first at {(pair.first_collision_usec or 0) / 1e6:.3f} s"
        yield Finding(
            "verify.lasers_met",
            Severity.WARNING if pair.gap_usec < -GRAZE_USEC else Severity.INFO,
            f"devices {pair.first} and {pair.second}",
            f"pulses of their lasers met in {pair.collisions} of {pair.sets} sets, {at}, by up to "
            f"{-pair.gap_usec:.0f} us; {'the plan has it so' if is_planned else 'the plan keeps them apart'}",
            "Give them depth delays at least 160 us apart (genlock plan does), and check that they kept them. Their "
            "depth is noisier and has holes where both look.",
        )


def pulse_gap_usec(a: PulseTrain, b: PulseTrain, period_usec: float, b_after_a_usec: float) -> float:
    """The smallest gap between a pulse of one train and of the other in an endless row of frames; negative: they meet.

    >>> from genlock.k4a import PULSE_TRAINS, DepthMode
    >>> train = PULSE_TRAINS[DepthMode.NFOV_UNBINNED]
    >>> pulse_gap_usec(train, train, 100_000 / 3, 160), pulse_gap_usec(train, train, 100_000 / 3, 0)
    (35.0, -125.0)
    """
    starts_a = np.array(a.pulse_starts_usec(0.0))
    starts_b = np.array(b.pulse_starts_usec(b_after_a_usec))
    after = (starts_b[:, None] - starts_a[None, :]) % period_usec  # from a pulse of a to the next one of b
    gaps = np.minimum(after - a.pulse_usec, period_usec - after - b.pulse_usec)
    return float(gaps.min())


def _measure_pair(measures: TakeMeasures, a: DeviceMeasures, b: DeviceMeasures) -> LaserPair | None:
    train_a, train_b = PULSE_TRAINS[a.device.config.depth_mode], PULSE_TRAINS[b.device.config.depth_mode]
    settled = measures.timeline.is_settled
    apart = np.where(settled, depth_after_reference_usec(b) - depth_after_reference_usec(a), np.nan)
    is_known = np.isfinite(apart)
    if train_a is None or train_b is None or not is_known.any():
        return None
    ticks = np.rint(apart[is_known] / _USEC_PER_TICK).astype(np.int64)
    distinct, inverse = np.unique(ticks, return_inverse=True)
    period_usec = 1e6 / a.device.config.camera_fps
    gaps = np.array([pulse_gap_usec(train_a, train_b, period_usec, float(tick) * _USEC_PER_TICK) for tick in distinct])
    met = gaps[inverse] < 0
    moments = measures.timeline.moment_usec[is_known]
    return LaserPair(
        first=a.device.serial,
        second=b.device.serial,
        gap_usec=round(float(gaps.min()), 1),
        configured_gap_usec=round(
            pulse_gap_usec(
                train_a,
                train_b,
                period_usec,
                (planned_depth_ticks(b) - planned_depth_ticks(a)) * _USEC_PER_TICK
                + b.center_shift_usec
                - a.center_shift_usec,
            ),
            1,
        ),
        collisions=int(met.sum()),
        sets=int(is_known.sum()),
        first_collision_usec=int(moments[met][0]) if met.any() else None,
    )


def depth_after_reference_usec(device: DeviceMeasures) -> NDArray[np.float64]:
    """(S,) us from the master's color to the device's depth, as measured; NaN where an image is missing."""
    return device.depth_error_usec + device.center_shift_usec + planned_depth_ticks(device) * _USEC_PER_TICK


def planned_depth_ticks(device: DeviceMeasures) -> int:
    """Where its depth should lie after the master's color, by its recording's delays."""
    config = device.device.config
    return config.subordinate_delay_off_master_ticks + config.depth_delay_off_color_ticks
