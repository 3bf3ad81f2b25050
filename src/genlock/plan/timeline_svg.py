"""The plan's timeline as a picture: one frame, and one pulse step around the tightest gap.

A self-contained SVG that also embeds into a page. Its colors are CSS variables (``--genlock-ink`` and so on, see
``_STYLE``) with defaults for a light and a dark surrounding; a page that sets them decides for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from genlock.plan.model import Plan
from genlock.plan.picture import Picture, Row, RowKind, lay_out
from genlock.plan.timing import GRAINS_PER_USEC

__all__ = ["timeline_svg"]

_WIDTH_PX = 1040
_LEFT_PX, _RIGHT_PX = 176, 124
_ROW_PX, _BAR_PX = 24, 14
_HEAD_PX, _FOOT_PX, _BETWEEN_PX = 58, 34, 26

_STYLE = """
.genlock-timeline { --ink: var(--genlock-ink, #1f2328); --soft: var(--genlock-soft, #656d76);
  --line: var(--genlock-line, #d0d7de); --paper: var(--genlock-paper, #ffffff);
  --stripe: var(--genlock-stripe, #f6f8fa); --color: var(--genlock-color, #9ec5fe);
  --laser: var(--genlock-laser, #d9730d);
  --light: var(--genlock-light, #8250df); --bad: var(--genlock-bad, #d1242f); --good: var(--genlock-good, #1a7f37);
  background: var(--paper); font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }
@media (prefers-color-scheme: dark) { .genlock-timeline { --ink: var(--genlock-ink, #e6edf3);
  --soft: var(--genlock-soft, #9198a1); --line: var(--genlock-line, #3d444d); --paper: var(--genlock-paper, #0d1117);
  --stripe: var(--genlock-stripe, #161b22); --color: var(--genlock-color, #2f5d9e);
  --laser: var(--genlock-laser, #e3b341);
  --light: var(--genlock-light, #a371f7); --bad: var(--genlock-bad, #f85149); --good: var(--genlock-good, #3fb950); } }
.genlock-timeline text { fill: var(--ink); font-size: 12px; }
.genlock-timeline .title { font-size: 14px; font-weight: 600; }
.genlock-timeline .soft { fill: var(--soft); font-size: 11px; }
.genlock-timeline .stripe { fill: var(--stripe); }
.genlock-timeline .grid { stroke: var(--line); }
.genlock-timeline .zero { stroke: var(--soft); stroke-dasharray: 3 3; }
.genlock-timeline .color { fill: var(--color); }
.genlock-timeline .auto { stroke: var(--color); stroke-width: 2; }
.genlock-timeline .pulse { fill: var(--laser); }
.genlock-timeline .light { fill: var(--light); }
.genlock-timeline .free { fill: none; stroke: var(--light); stroke-dasharray: 2 2; }
.genlock-timeline .bad { fill: var(--bad); }
.genlock-timeline .gap { stroke: var(--good); fill: none; stroke-width: 1.5; }
.genlock-timeline .gap-band { fill: var(--good); opacity: 0.14; }
.genlock-timeline .gap-text { fill: var(--good); font-weight: 600; }
.genlock-timeline .bad-gap { stroke: var(--bad); fill: none; stroke-width: 1.5; }
.genlock-timeline .bad-band { fill: var(--bad); opacity: 0.14; }
.genlock-timeline .bad-text { fill: var(--bad); font-weight: 600; }
"""


@dataclass(frozen=True, slots=True)
class _Panel:
    """A part of the picture with its own scale."""

    picture: Picture
    span: tuple[int, int]
    top_px: int
    title: str
    subtitle: str
    unit_grains: int
    """The unit that its axis counts in."""
    unit: str

    @property
    def height_px(self) -> int:
        return _HEAD_PX + len(self.picture.rows) * _ROW_PX + _FOOT_PX

    @property
    def rows_top_px(self) -> int:
        return self.top_px + _HEAD_PX

    @property
    def rows_bottom_px(self) -> int:
        return self.rows_top_px + len(self.picture.rows) * _ROW_PX

    def x_px(self, grains: float) -> float:
        start, end = self.span
        inside = min(max(grains, start), end)
        return _LEFT_PX + (inside - start) / (end - start) * (_WIDTH_PX - _LEFT_PX - _RIGHT_PX)

    def row_px(self, row: int) -> float:
        """The middle of a row."""
        return self.rows_top_px + (row + 0.5) * _ROW_PX


def timeline_svg(plan: Plan) -> str:
    """An SVG of the plan, to scale: color exposures as bars, laser pulses, the guard marked, collisions in red."""
    picture = lay_out(plan)
    frame = _Panel(
        picture,
        picture.frame,
        0,
        "One frame",
        "around the centre of the master's color exposure",
        GRAINS_PER_USEC * 1000,
        "ms",
    )
    zoom = _Panel(
        picture,
        picture.zoom,
        frame.height_px + _BETWEEN_PX,
        "One pulse step",
        "every laser's pulses around the tightest gap",
        GRAINS_PER_USEC,
        "µs",
    )
    height_px = zoom.top_px + zoom.height_px
    label = escape(f"Laser timeline of the rig {plan.rig_name}")
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="genlock-timeline" viewBox="0 0 {_WIDTH_PX} {height_px}" '
            f'width="100%" role="img" aria-label="{label}"><title>{label}</title><style>{_STYLE}</style>',
            *_legend(frame),
            *_axis(frame),
            *_color_bars(frame),
            *_pulses(frame),
            *_axis(zoom),
            *_gap_band(zoom),
            *_pulses(zoom),
            *_gap_mark(zoom),
            "</svg>\n",
        ]
    )


def _legend(panel: _Panel) -> Iterator[str]:
    kinds = [("color", "color exposure"), ("pulse", "laser pulse")]
    if any(row.kind is RowKind.LOCKED_EMITTER for row in panel.picture.rows):
        kinds.append(("light", "light of others"))
    if any(row.kind is RowKind.FREE_EMITTER for row in panel.picture.rows):
        kinds.append(("free", "light running free"))
    if any(pulse.collides for row in panel.picture.rows for pulse in row.pulses):
        kinds.append(("bad", "pulses that collide"))
    x = _WIDTH_PX - _RIGHT_PX - 130 * len(kinds)
    for kind, words in kinds:
        yield _rect(x, panel.top_px + 15, 14, 10, kind)
        yield _text(x + 20, panel.top_px + 24, words, "soft")
        x += 130


def _axis(panel: _Panel) -> Iterator[str]:
    """Title, stripes, row labels, grid."""
    right_px = _WIDTH_PX - _RIGHT_PX
    yield _text(16, panel.top_px + 24, panel.title, "title")
    yield _text(16, panel.top_px + 41, panel.subtitle, "soft")
    for i, row in enumerate(panel.picture.rows):
        if i % 2 == 0:
            yield _rect(8, panel.rows_top_px + i * _ROW_PX, _WIDTH_PX - 16, _ROW_PX, "stripe")
        yield _text(_LEFT_PX - 10, panel.row_px(i) + 4, _name(row), anchor="end")
        yield _text(right_px + 10, panel.row_px(i) + 4, _depth(row), "soft")
    for grains in _grid(panel):
        x = panel.x_px(grains)
        kind = "zero" if grains == 0 else "grid"
        yield f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{panel.rows_top_px}" y2="{panel.rows_bottom_px}"/>'
        yield _text(x, panel.rows_bottom_px + 16, f"{grains / panel.unit_grains:g}", "soft", anchor="middle")
    yield _text(right_px + 10, panel.rows_bottom_px + 16, panel.unit, "soft")


def _grid(panel: _Panel) -> Iterator[int]:
    """Round times, five to twelve of them."""
    start, end = panel.span
    steps = [n * 10**power * panel.unit_grains for power in range(5) for n in (1, 2, 5)]
    step = next((s for s in steps if (end - start) / s <= 12), steps[-1])
    yield from range(-(-start // step) * step, end + 1, step)


def _color_bars(panel: _Panel) -> Iterator[str]:
    for i, row in enumerate(panel.picture.rows):
        if row.color is None:
            continue
        start, end = (panel.x_px(edge) for edge in row.color)
        y = panel.row_px(i) - _BAR_PX / 2
        if row.color[0] == row.color[1]:  # automatic: only the centre is known
            yield f'<line class="auto" x1="{start:.1f}" x2="{start:.1f}" y1="{y}" y2="{y + _BAR_PX}"/>'
        else:
            note = f"{_name(row)}: color exposure of {(row.color[1] - row.color[0]) / GRAINS_PER_USEC:.0f} µs"
            yield _rect(start, y, end - start, _BAR_PX, "color", note, round_px=3)


def _pulses(panel: _Panel) -> Iterator[str]:
    for i, row in enumerate(panel.picture.rows):
        for pulse in row.pulses_between(*panel.span):
            start, end = panel.x_px(pulse.start), panel.x_px(pulse.end)
            note = f"{_name(row)}: pulse from {_us(pulse.start)} to {_us(pulse.end)} µs"
            kind = "bad" if pulse.collides else _PULSE_KIND[row.kind]
            # In the frame's panel a pulse is about 8 px wide; never less than can be seen.
            yield _rect(start, panel.row_px(i) - _BAR_PX / 2, max(end - start, 1.5), _BAR_PX, kind, note)


def _gap_band(panel: _Panel) -> Iterator[str]:
    gap = panel.picture.gap
    if gap is not None:
        left, right = sorted((panel.x_px(gap.start), panel.x_px(gap.end)))
        height = panel.rows_bottom_px - panel.rows_top_px
        yield _rect(left, panel.rows_top_px, right - left, height, "gap-band" if gap.end >= gap.start else "bad-band")


def _gap_mark(panel: _Panel) -> Iterator[str]:
    """A bracket above the rows from one pulse's end to the other's start, and the number."""
    gap = panel.picture.gap
    if gap is None:
        yield _text(_WIDTH_PX - _RIGHT_PX, panel.top_px + 24, f"guard {panel.picture.no_gap}", "soft", anchor="end")
        return
    usec = (gap.end - gap.start) / GRAINS_PER_USEC
    kind, words = ("gap", f"guard {usec:.1f} µs") if usec >= 0 else ("bad-gap", f"overlap {-usec:.1f} µs")
    left, right = sorted((panel.x_px(gap.start), panel.x_px(gap.end)))
    y = panel.rows_top_px - 6
    yield f'<path class="{kind}" d="M{left:.1f} {y + 5}V{y}H{right:.1f}V{y + 5}"/>'
    yield _text((left + right) / 2, y - 6, words, "gap-text" if usec >= 0 else "bad-text", anchor="middle")


_PULSE_KIND = {RowKind.DEVICE: "pulse", RowKind.LOCKED_EMITTER: "light", RowKind.FREE_EMITTER: "free"}


def _name(row: Row) -> str:
    return f"{row.serial} (master)" if row.is_master else row.serial


def _depth(row: Row) -> str:
    if row.kind is not RowKind.DEVICE:
        return "locked" if row.kind is RowKind.LOCKED_EMITTER else "runs free"
    if row.depth_usec is None:
        return "no laser"
    sign = "−" if row.depth_usec < 0 else "+" if row.depth_usec > 0 else ""
    return f"depth {sign}{abs(row.depth_usec):.1f} µs"


def _us(grains: int) -> str:
    return f"{grains / GRAINS_PER_USEC:.1f}"


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _rect(x: float, y: float, width: float, height: float, kind: str, note: str = "", round_px: float = 1) -> str:
    shape = f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{round_px}"'
    return f"{shape}><title>{escape(note)}</title></rect>" if note else f"{shape}/>"
