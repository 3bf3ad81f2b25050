"""A plan laid out on one time axis: what the timelines draw.

Zero is the centre of the master's color exposure. Times are grains, 1/18 us (see ``timing``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from genlock.k4a import PulseTrain, WiredSyncMode
from genlock.plan.delays import lasers_of
from genlock.plan.emitters import strobe_of
from genlock.plan.model import Plan, PlannedDevice, PlannedEmitter
from genlock.plan.overlap import overlapping_pairs
from genlock.plan.timing import (
    GRAINS_PER_TICK,
    GRAINS_PER_USEC,
    Laser,
    frame_period_grains,
    pulse_starts_grains,
)
from genlock.rig import Topology

__all__ = ["Gap", "Picture", "Pulse", "Row", "RowKind", "lay_out"]

# A light with more flashes a frame than this is drawn as one that is always on: nobody could tell them apart.
_MOST_FLASHES = 200


@dataclass(frozen=True, slots=True)
class Pulse:
    """One flash of a laser."""

    start: int
    end: int
    collides: bool
    """Whether a pulse of a device that sees the same space falls into it."""


class RowKind(Enum):
    """What a row shows."""

    DEVICE = "device"
    LOCKED_EMITTER = "locked emitter"
    """A light of others at its place in the frame."""
    FREE_EMITTER = "free-running emitter"
    """A light of others whose pulses may lie anywhere: one of its pulses is drawn at zero."""


@dataclass(frozen=True, slots=True)
class Row:
    """One device, or one light of others."""

    serial: str
    """The device's serial, or the emitter's name."""
    is_master: bool
    color: tuple[int, int] | None
    """Start and end of its color exposure, both the centre where exposure is automatic; ``None`` with color off."""
    laser: Laser | None
    pulses: tuple[Pulse, ...]
    """Of the previous frame, this one and the next."""
    kind: RowKind = RowKind.DEVICE

    @property
    def depth_usec(self) -> float | None:
        """Centre of depth after the master's color; ``None`` without a laser."""
        return self.laser.center_grains / GRAINS_PER_USEC if self.laser else None

    def pulses_between(self, start: int, end: int) -> tuple[Pulse, ...]:
        """Those that show between two times."""
        return tuple(pulse for pulse in self.pulses if pulse.end > start and pulse.start < end)


@dataclass(frozen=True, slots=True)
class Gap:
    """The tightest place: from one row's pulse to another's, backwards where they collide."""

    first_row: int
    second_row: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows, what to show of them, and the tightest place."""

    rows: tuple[Row, ...]
    frame: tuple[int, int]
    """The part of the axis that holds every color exposure and every pulse of one frame."""
    zoom: tuple[int, int]
    """One pulse step, the longest there is, around the tightest gap."""
    gap: Gap | None
    """The tightest gap among devices that see the same space."""
    no_gap: str
    """Why there is no gap, where there is none."""


def lay_out(plan: Plan) -> Picture:
    """The picture of a plan; a plan without devices gives one without rows."""
    shifts = plan.center_shifts_grains
    lasers = lasers_of(plan.configs, shifts)
    rivals = _rivals(plan, lasers)
    period = frame_period_grains(plan.device(plan.reference_serial).config.camera_fps) if plan.devices else 1
    flashes = {serial: _flashes(laser, period) for serial, laser in lasers.items()}
    colliding = rivals if (plan.guard_usec or 0) < 0 else []
    rows = tuple(
        Row(
            serial=device.serial,
            is_master=device.config.wired_sync_mode is WiredSyncMode.MASTER,
            color=_color(device, shifts[device.serial]),
            laser=lasers.get(device.serial),
            pulses=tuple(_pulses(device.serial, flashes, colliding)),
        )
        for device in plan.devices
    )
    gap = _tightest(rows, flashes, rivals)
    lights = tuple(_light(emitter, flashes, plan, period) for emitter in plan.emitters)
    return Picture((*rows, *lights), _frame(rows), _zoom(rows, gap), gap, plan.guard_text)


def _light(emitter: PlannedEmitter, flashes: dict[str, list[tuple[int, int]]], plan: Plan, period: int) -> Row:
    """The row of an emitter. Its pulses collide where they fall into one of a laser that its light reaches."""
    strobe = strobe_of(emitter, period) if plan.topology is not Topology.STANDALONE else None
    width = max(round(emitter.pulse_usec * GRAINS_PER_USEC), 1)
    if strobe is not None:
        kind, starts = RowKind.LOCKED_EMITTER, strobe.starts_grains(period)
    else:
        step = emitter.period_usec * GRAINS_PER_USEC
        kind, starts = RowKind.FREE_EMITTER, tuple(round(k * step) for k in range(max(round(period / step), 1)))
    if len(starts) > _MOST_FLASHES or width >= period:
        starts, width = (0,), period
    theirs = sorted(flash for serial in emitter.seen_by for flash in flashes.get(serial, []))
    pulses = tuple(
        Pulse(
            start + shift,
            start + shift + width,
            kind is RowKind.LOCKED_EMITTER and _meets(start + shift, width, theirs),
        )
        for shift in (-period, 0, period)
        for start in starts
    )
    return Row(emitter.name, is_master=False, color=None, laser=None, pulses=pulses, kind=kind)


def _meets(start: int, width: int, flashes: list[tuple[int, int]]) -> bool:
    """Whether a pulse falls into one of these, which are sorted and of like length."""
    following = bisect_left(flashes, (start, start))
    return any(
        start < theirs[1] and theirs[0] < start + width for theirs in flashes[max(following - 1, 0) : following + 1]
    )


def _rivals(plan: Plan, lasers: dict[str, Laser]) -> list[tuple[str, str]]:
    return list(overlapping_pairs(plan.overlap, tuple(lasers))) if plan.guard_usec is not None else []


def _flashes(laser: Laser, period: int) -> list[tuple[int, int]]:
    width = laser.train.pulse_usec * GRAINS_PER_USEC
    starts = [laser.center_grains + start for start in pulse_starts_grains(laser.train)]
    return [(start + shift, start + shift + width) for shift in (-period, 0, period) for start in starts]


def _pulses(serial: str, flashes: dict[str, list[tuple[int, int]]], rivals: list[tuple[str, str]]) -> Iterator[Pulse]:
    theirs = [flash for a, b in rivals if serial in (a, b) for flash in flashes[b if a == serial else a]]
    for start, end in flashes.get(serial, []):
        yield Pulse(start, end, any(start < their_end and their_start < end for their_start, their_end in theirs))


def _color(device: PlannedDevice, shift: int) -> tuple[int, int] | None:
    if not device.config.has_color:
        return None
    center = device.config.subordinate_delay_off_master_ticks * GRAINS_PER_TICK + shift
    half = (device.exposure_usec or 0) * GRAINS_PER_USEC // 2
    return center - half, center + half


def _tightest(
    rows: tuple[Row, ...], flashes: dict[str, list[tuple[int, int]]], rivals: list[tuple[str, str]]
) -> Gap | None:
    """The smallest gap; of equal ones the one nearest to zero, as a person would look for it there."""
    row_of = {row.serial: i for i, row in enumerate(rows)}
    gaps = []
    for a, b in rivals:
        for first, second in ((a, b), (b, a)):
            ends = [end for _, end in flashes[second]]
            for _, end in flashes[first]:
                following = bisect_left(ends, end)
                if following < len(ends):
                    gaps.append(Gap(row_of[first], row_of[second], end, flashes[second][following][0]))
    return min(gaps, key=lambda gap: (gap.end - gap.start, abs(gap.start + gap.end)), default=None)


def _frame(rows: tuple[Row, ...]) -> tuple[int, int]:
    edges = [0]
    for row in rows:
        edges += row.color or ()
        if row.laser is not None:
            half = _half(row.laser.train)
            edges += (row.laser.center_grains - half, row.laser.center_grains + half)
    margin = (max(edges) - min(edges)) // 40 or GRAINS_PER_USEC * 1000
    return min(edges) - margin, max(edges) + margin


def _half(train: PulseTrain) -> int:
    return train.duration_usec * GRAINS_PER_USEC // 2


def _zoom(rows: tuple[Row, ...], gap: Gap | None) -> tuple[int, int]:
    step = max((row.laser.train.step_usec for row in rows if row.laser), default=1575) * GRAINS_PER_USEC
    middle = (gap.start + gap.end) // 2 if gap else 0
    return middle - step // 2, middle + step // 2
