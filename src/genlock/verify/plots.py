"""Pictures of offset errors, drawn as SVG: a lane for each device, its errors over time beside their histogram.

Ten devices over ten minutes are 360 000 errors. A lane has room for some hundred columns, so that each column shows the
smallest and the largest error that fall into it: nothing that sticks out is lost, and the page stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from genlock.verify.measure import DeviceMeasures, TakeMeasures
from genlock.verify.verdict import GOOD_USEC

__all__ = ["Lane", "draw_lanes"]

_WIDTH = 1000
_LEFT, _RIGHT = 92, 862  # of the plot over time
_HISTOGRAM_LEFT, _HISTOGRAM_RIGHT = 878, 994
_STRIP_HEIGHT, _STRIP_GAP = 62, 8
_MARKS_HEIGHT, _AXIS_HEIGHT = 12, 20
_COLUMNS = 600
_HISTOGRAM_BINS = 41
_TIME_LABELS = 10
_MINUTE_STEPS_SEC = (30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800)
_HEADROOM = 1.15
_FEW_SAMPLES = 200  # so few are drawn as larger dots
_TICK_USEC = 100 / 9


@dataclass(frozen=True, slots=True)
class Lane:
    """One device's picture."""

    serial: str
    svg: Markup


@dataclass(frozen=True, slots=True, eq=False)
class _Strip:
    """One kind of image: its errors, (S,) with NaN outside the judged span, and where a value lies in the picture."""

    kind: str
    errors_usec: NDArray[np.float64]
    start_usec: int
    end_usec: int
    limit_usec: float
    """The largest error that the strip shows, up and down."""
    top: int

    @property
    def bottom(self) -> int:
        return self.top + _STRIP_HEIGHT

    def x(self, moment_usec: float) -> float:
        span_usec = max(1, self.end_usec - self.start_usec)
        return _LEFT + (_RIGHT - _LEFT) * (moment_usec - self.start_usec) / span_usec

    def y(self, error_usec: float) -> float:
        half = _STRIP_HEIGHT / 2
        return self.top + half - half * max(-1.0, min(1.0, error_usec / self.limit_usec))


def draw_lanes(
    measures: TakeMeasures, pass_usec: int, lost_from_usec: Mapping[str, int] | None = None
) -> tuple[Lane, ...]:
    """A lane for each device; lanes within tolerance share one scale, others have the scale that they need.

    Args:
        measures: of the take.
        pass_usec: Microsoft's tolerance at the take's frame rate.
        lost_from_usec: from when on a device did not follow the master, by serial.
    """
    lost = lost_from_usec or {}
    if not measures.timeline.is_in_span.any():
        return ()
    return tuple(
        # Built here from numbers and escaped text.
        Lane(serial, Markup("".join(_draw_lane(measures, device, pass_usec, lost.get(serial)))))
        for serial, device in ((device.device.serial, device) for device in measures.devices)
    )


def _strips(measures: TakeMeasures, device: DeviceMeasures, pass_usec: int) -> list[_Strip]:
    """A strip for each kind of image that says something: not for the one that all others are measured against."""
    config = device.device.config
    is_reference = device.device.serial == measures.reference_serial
    kinds = []
    if config.has_color and not is_reference:
        kinds.append(("color", device.color_error_usec))
    if config.has_depth_camera and not (is_reference and not config.has_color):
        kinds.append(("depth", device.depth_error_usec))
    in_span = measures.timeline.is_in_span
    moments = measures.timeline.moment_usec[in_span]
    worst_usec = max((abs(float(e)) for _, errors in kinds for e in _extremes(errors[in_span])), default=0.0)
    limit_usec = _HEADROOM * max(pass_usec, worst_usec)
    return [
        _Strip(
            kind=kind,
            errors_usec=np.where(in_span, errors, np.nan),
            start_usec=int(moments[0]),
            end_usec=int(moments[-1]),
            limit_usec=limit_usec,
            top=4 + number * (_STRIP_HEIGHT + _STRIP_GAP),
        )
        for number, (kind, errors) in enumerate(kinds)
    ]


def _extremes(errors_usec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest and largest finite error; nothing when there is none."""
    finite = errors_usec[np.isfinite(errors_usec)]
    return np.array([finite.min(), finite.max()]) if finite.size else finite


def _draw_lane(measures: TakeMeasures, device: DeviceMeasures, pass_usec: int, lost_usec: int | None) -> Iterator[str]:
    timeline = measures.timeline
    in_span = timeline.is_in_span
    strips = _strips(measures, device, pass_usec)
    if not strips:
        return
    marks_top = strips[-1].bottom + 3
    height = marks_top + _MARKS_HEIGHT + _AXIS_HEIGHT
    yield f'<svg class="lane" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(_label(device, strips))}">'
    yield from _draw_time_axis(strips[0], strips[-1], height)
    settling = timeline.moment_usec[in_span & ~timeline.is_settled]
    for strip in strips:
        yield from _draw_scale(strip, pass_usec)
        if settling.size:
            width = min(strip.x(float(settling[-1]) + measures.period_usec / 2), _RIGHT) - _LEFT
            yield f'<rect class="settling" x="{_LEFT}" y="{strip.top}" width="{width:.1f}" height="{_STRIP_HEIGHT}"/>'
        if lost_usec is not None:
            left = min(max(strip.x(lost_usec), _LEFT), _RIGHT)
            width = _RIGHT - left
            yield f'<rect class="lost" x="{left:.1f}" y="{strip.top}" width="{width:.1f}" height="{_STRIP_HEIGHT}"/>'
        few = " few" if np.isfinite(strip.errors_usec).sum() <= _FEW_SAMPLES else ""
        yield f'<path class="{strip.kind}{few}" d="{_envelope(timeline.moment_usec, strip)}"/>'
        yield f'<path class="histogram {strip.kind}" d="{_histogram(strip.errors_usec[timeline.is_settled], strip)}"/>'
    # Half as long where half of the capture is missing: paper has no colors.
    marks = {
        "missing": (in_span & ~device.is_present, _MARKS_HEIGHT - 3),
        "partial": (in_span & device.is_present & ~device.is_whole, (_MARKS_HEIGHT - 3) / 2),
    }
    for name, (is_marked, length) in marks.items():
        yield f'<path class="{name}" d="{_marks(timeline.moment_usec[is_marked], strips[0], marks_top, length)}"/>'
    yield "</svg>"


def _label(device: DeviceMeasures, strips: Sequence[_Strip]) -> str:
    worst_usec = max((abs(float(e)) for strip in strips for e in _extremes(strip.errors_usec)), default=0.0)
    return (
        f"Offset errors of device {device.device.serial} over time, at most {worst_usec:.0f} us. "
        "The numbers are in the table."
    )


def _draw_scale(strip: _Strip, pass_usec: int) -> Iterator[str]:
    top, bottom = strip.y(GOOD_USEC), strip.y(-GOOD_USEC)
    for left, right in ((_LEFT, _RIGHT), (_HISTOGRAM_LEFT, _HISTOGRAM_RIGHT)):
        yield f'<rect class="good-band" x="{left}" y="{top:.1f}" width="{right - left}" height="{bottom - top:.1f}"/>'
        for limit in (pass_usec, -pass_usec):
            yield f'<path class="pass-line" d="M{left},{strip.y(limit):.1f}H{right}"/>'
        yield f'<path class="zero" d="M{left},{strip.y(0):.1f}H{right}"/>'
        yield f'<rect class="frame" x="{left}" y="{strip.top}" width="{right - left}" height="{_STRIP_HEIGHT}"/>'
    shown_usec: float = GOOD_USEC
    if strip.limit_usec > 4 * GOOD_USEC:
        shown_usec = _round_step(strip.limit_usec * 0.8)
    for value in (shown_usec, 0, -shown_usec):
        text = f"{value:+.0f}" if value else "0"
        yield f'<text class="y" x="{_LEFT - 6}" y="{strip.y(value) + 3.5:.1f}">{text}</text>'
    yield f'<text class="kind {strip.kind}" x="4" y="{strip.y(0) + 4:.1f}">{strip.kind}</text>'


def _draw_time_axis(first_strip: _Strip, last_strip: _Strip, height: int) -> Iterator[str]:
    start_sec, end_sec = first_strip.start_usec / 1e6, first_strip.end_usec / 1e6
    rough_sec = (end_sec - start_sec) / _TIME_LABELS
    step_sec = next((step for step in _MINUTE_STEPS_SEC if step >= rough_sec > 20), _round_step(rough_sec))
    for number in range(int(np.ceil(start_sec / step_sec)), int(np.floor(end_sec / step_sec)) + 1):
        seconds = number * step_sec
        x = first_strip.x(seconds * 1e6)
        text = f"{int(seconds) // 60}:{int(seconds) % 60:02d}" if step_sec in _MINUTE_STEPS_SEC else f"{seconds:g} s"
        yield f'<path class="grid" d="M{x:.1f},{first_strip.top}V{last_strip.bottom}"/>'
        yield f'<text class="x" x="{x:.1f}" y="{height - 5}">{text}</text>'


def _round_step(rough: float) -> float:
    """The nearest of 1, 2, 5 times a power of ten that is not above ``rough``; at least a millisecond."""
    power = 10.0 ** np.floor(np.log10(max(rough, 1e-3)))
    return float(max(step * power for step in (1, 2, 5) if step * power <= max(rough, 1e-3) * (1 + 1e-9)))


def _columns(moment_usec: NDArray[np.int64], strip: _Strip) -> NDArray[np.int64]:
    """(N,) the column of each moment."""
    share = (moment_usec - strip.start_usec) / max(1, strip.end_usec - strip.start_usec)
    return np.clip((share * _COLUMNS).astype(np.int64), 0, _COLUMNS - 1)


def _envelope(moment_usec: NDArray[np.int64], strip: _Strip) -> str:
    """For each column a bar from its smallest to its largest error; a dot where they are equal."""
    is_shown = np.isfinite(strip.errors_usec)
    moments, errors = moment_usec[is_shown], strip.errors_usec[is_shown]
    if not moments.size:
        return ""
    columns = _columns(moments, strip)
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    lows, highs = np.minimum.reduceat(errors, starts), np.maximum.reduceat(errors, starts)
    return "".join(
        f"M{strip.x(float(moment)):.1f},{strip.y(high):.1f}V{strip.y(low) + 0.01:.2f}"
        for moment, low, high in zip(moments[starts], lows, highs, strict=True)
    )


def _marks(marked_usec: NDArray[np.int64], strip: _Strip, top: int, length: float) -> str:
    """A tick under each column that holds a marked moment."""
    if not marked_usec.size:
        return ""
    starts = np.flatnonzero(np.diff(_columns(marked_usec, strip), prepend=-1))
    return "".join(f"M{strip.x(float(moment)):.1f},{top}V{top + length:g}" for moment in marked_usec[starts])


def _histogram(errors_usec: NDArray[np.float64], strip: _Strip) -> str:
    """The outline of the settled errors' histogram, growing to the right beside the lane."""
    values = errors_usec[np.isfinite(errors_usec)]
    if not values.size:
        return ""
    # Bins of whole ticks: stamps fall on them, and a comb of empty bins would only show the binning.
    ticks_per_bin = max(1, round(2 * strip.limit_usec / _TICK_USEC / _HISTOGRAM_BINS))
    half_bins = int(np.ceil(strip.limit_usec / (_TICK_USEC * ticks_per_bin)))
    edges = (np.arange(-half_bins, half_bins + 2) - 0.5) * _TICK_USEC * ticks_per_bin
    counts, _ = np.histogram(values, bins=edges)
    scale = (_HISTOGRAM_RIGHT - _HISTOGRAM_LEFT - 4) / counts.max()
    bars = (
        f"M{_HISTOGRAM_LEFT},{strip.y(edges[at]):.1f}H{_HISTOGRAM_LEFT + scale * counts[at]:.1f}"
        f"V{strip.y(edges[at + 1]):.1f}H{_HISTOGRAM_LEFT}Z"
        for at in np.flatnonzero(counts)
    )
    return "".join(bars)
