"""When the lasers really fired: one step of the pulse train, a row for each device, as SVG.

A laser's pulses follow from its depth stamps and its mode. Outlined is where the recording's delays put a pulse, filled
where its median lay in the judged sets, pale how far it wandered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from genlock.k4a import PULSE_TRAINS, TICKS_PER_SEC, PulseTrain
from genlock.verify.lasers import depth_after_reference_usec, planned_depth_ticks
from genlock.verify.measure import DeviceMeasures, TakeMeasures

__all__ = ["draw_lasers"]

_WIDTH, _LEFT, _RIGHT = 1000, 118, 874
_ROW_HEIGHT, _BAR_HEIGHT, _TOP, _AXIS_HEIGHT = 26, 14, 6, 24
_STEPS_SHOWN = 1.25
_LABELS = 8
_ROUND_STEPS_USEC = (50, 100, 200, 250, 500, 1000)


@dataclass(frozen=True, slots=True)
class _Row:
    serial: str
    train: PulseTrain
    planned_usec: float
    """Centre of its depth exposure after the reference's moment, by the recording's delays."""
    low_usec: float
    median_usec: float
    high_usec: float
    """The same as measured."""


def draw_lasers(measures: TakeMeasures) -> Markup | None:
    """The picture; ``None`` where fewer than two lasers were measured."""
    rows = [row for row in (_row(device, measures) for device in measures.devices) if row is not None]
    if len(rows) < 2:
        return None
    # Built here from numbers and escaped text.
    return Markup("".join(_draw(rows)))


def _row(device: DeviceMeasures, measures: TakeMeasures) -> _Row | None:
    train = PULSE_TRAINS[device.device.config.depth_mode]
    after = depth_after_reference_usec(device)[measures.timeline.is_settled]
    after = after[np.isfinite(after)]
    if train is None or not after.size:
        return None
    planned_usec = planned_depth_ticks(device) * 1e6 / TICKS_PER_SEC + device.center_shift_usec
    low, median, high = (float(value) for value in np.percentile(after, (0, 50, 100)))
    return _Row(device.device.serial, train, planned_usec, low, median, high)


def _draw(rows: list[_Row]) -> Iterator[str]:
    start_usec = min(_first_pulse(row) for row in rows)
    length_usec = _STEPS_SHOWN * max(_step_usec(row.train) for row in rows)
    scale = (_RIGHT - _LEFT) / length_usec
    height = _TOP + _ROW_HEIGHT * len(rows) + _AXIS_HEIGHT
    yield (
        f'<svg class="lasers" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Pulses of {len(rows)} lasers over '
        'one step of their trains, as planned and as measured.">'
    )
    yield from _axis(length_usec, scale, height)
    for number, row in enumerate(rows):
        top = _TOP + _ROW_HEIGHT * number
        middle = top + _ROW_HEIGHT / 2
        yield f'<path class="row" d="M{_LEFT},{middle:.1f}H{_RIGHT}"/>'
        yield f'<text class="serial" x="{_LEFT - 8}" y="{middle + 4:.1f}">{escape(row.serial)}</text>'
        bar_top = middle - _BAR_HEIGHT / 2
        for name, low_usec, high_usec in (
            ("range", row.low_usec, row.high_usec),
            ("measured", row.median_usec, row.median_usec),
            ("planned", row.planned_usec, row.planned_usec),
        ):
            for pulse_usec in row.train.pulse_starts_usec(0.0):
                left_usec = pulse_usec + low_usec - start_usec
                right_usec = pulse_usec + high_usec + row.train.pulse_usec - start_usec
                left, right = max(left_usec, 0.0), min(right_usec, length_usec)
                if right > left:
                    yield (
                        f'<rect class="{name}" x="{_LEFT + scale * left:.2f}" y="{bar_top:.1f}" '
                        f'width="{scale * (right - left):.2f}" height="{_BAR_HEIGHT}"/>'
                    )
        off_usec = row.median_usec - row.planned_usec
        off = f"{off_usec:+.0f} us off its place" if round(off_usec) else "in its place"
        yield f'<text class="off" x="{_RIGHT + 10}" y="{middle + 4:.1f}">{off}</text>'
    yield "</svg>"


def _first_pulse(row: _Row) -> float:
    """Where the middle pulse of the train is meant to begin: there, all trains of a rig run side by side."""
    starts = row.train.pulse_starts_usec(row.planned_usec)
    return float(starts[len(starts) // 2])


def _step_usec(train: PulseTrain) -> float:
    first, second = train.pulse_starts_usec(0.0)[:2]
    return float(second - first)


def _axis(length_usec: float, scale: float, height: int) -> Iterator[str]:
    step = next((s for s in _ROUND_STEPS_USEC if length_usec / s <= _LABELS), _ROUND_STEPS_USEC[-1])
    for number in range(int(length_usec // step) + 1):
        x = _LEFT + scale * number * step
        yield f'<path class="grid" d="M{x:.1f},{_TOP}V{height - _AXIS_HEIGHT}"/>'
        unit = " us" if number * step + step > length_usec else ""
        yield f'<text class="x" x="{x:.1f}" y="{height - 7}">{number * step}{unit}</text>'
