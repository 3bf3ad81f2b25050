"""The cables of a rig as a picture: a box for each device, its two jacks, the cables, and the host of each.

A chain runs from left to right and goes on in the next line when it is long; every branch has a line of its own. What
the pulse does not reach stands below, and cables that cannot be are red. The picture is self-contained; its colors are
the timeline's CSS variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from genlock.plan.model import Plan
from genlock.rig import SPLITTER, TRIGGER, Rig, Topology, Wire, root, wires

__all__ = ["wiring_svg"]

_COLUMNS = 5
_BOX_PX = (168, 64)
_STEP_PX = (212, 112)
_MARGIN_PX, _HEAD_PX, _FOOT_PX = 24, 76, 40

_STYLE = """
.genlock-wiring { --ink: var(--genlock-ink, #1f2328); --soft: var(--genlock-soft, #656d76);
  --line: var(--genlock-line, #d0d7de); --paper: var(--genlock-paper, #ffffff);
  --box: var(--genlock-stripe, #f6f8fa); --cable: var(--genlock-laser, #d9730d);
  --master: var(--genlock-color, #9ec5fe); --bad: var(--genlock-bad, #d1242f);
  background: var(--paper); font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }
@media (prefers-color-scheme: dark) { .genlock-wiring { --ink: var(--genlock-ink, #e6edf3);
  --soft: var(--genlock-soft, #9198a1); --line: var(--genlock-line, #3d444d); --paper: var(--genlock-paper, #0d1117);
  --box: var(--genlock-stripe, #161b22); --cable: var(--genlock-laser, #e3b341);
  --master: var(--genlock-color, #2f5d9e); --bad: var(--genlock-bad, #f85149); } }
.genlock-wiring text { fill: var(--ink); font-size: 12px; }
.genlock-wiring .title { font-size: 15px; font-weight: 600; }
.genlock-wiring .serial { font-size: 13px; font-weight: 600; }
.genlock-wiring .soft { fill: var(--soft); font-size: 11px; }
.genlock-wiring .box { fill: var(--box); stroke: var(--line); }
.genlock-wiring .master { fill: var(--master); stroke: var(--line); }
.genlock-wiring .lost { fill: var(--box); stroke: var(--bad); stroke-width: 2; }
.genlock-wiring .cable { stroke: var(--cable); stroke-width: 2.5; fill: none; stroke-linecap: round;
  stroke-linejoin: round; }
.genlock-wiring .bad-cable { stroke: var(--bad); stroke-width: 2.5; fill: none; stroke-dasharray: 5 5; }
.genlock-wiring .plug { fill: var(--cable); }
.genlock-wiring .jack { fill: var(--paper); stroke: var(--soft); stroke-width: 1.5; }
.genlock-wiring .bad-text { fill: var(--bad); font-size: 11px; font-weight: 600; }
.genlock-wiring .halo { stroke: var(--paper); stroke-width: 4; paint-order: stroke; }
"""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where every end stands, and which cables bring it the pulse."""

    places: dict[str, tuple[int, int]]
    """Column and line."""
    carrying: frozenset[Wire]
    reached: frozenset[str]
    lines: int

    def corner_px(self, end: str) -> tuple[float, float]:
        """Left and upper edge of its box."""
        column, line = self.places[end]
        return _MARGIN_PX + column * _STEP_PX[0], _HEAD_PX + line * _STEP_PX[1]

    def jack_px(self, end: str, *, is_output: bool) -> tuple[float, float]:
        """Sync Out on the right, Sync In on the left."""
        left, top = self.corner_px(end)
        return left + _BOX_PX[0] * is_output, top + _BOX_PX[1] / 2


def wiring_svg(rig: Rig, plan: Plan) -> str:
    """An SVG of the cables of a rig, also of one whose cables cannot work."""
    layout = _laid_out(rig)
    columns = max((column for column, _ in layout.places.values()), default=2) + 1
    width = 2 * _MARGIN_PX + max(columns, 3) * _STEP_PX[0] - (_STEP_PX[0] - _BOX_PX[0])
    height = _HEAD_PX + layout.lines * _STEP_PX[1] + _FOOT_PX - (_STEP_PX[1] - _BOX_PX[1])
    label = escape(f"Wiring of the rig {plan.rig_name}")
    cables = wires(rig)
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="genlock-wiring" viewBox="0 0 {width} {height}" '
            f'width="100%" style="max-width:{width}px" role="img" aria-label="{label}"><title>{label}</title>'
            f"<style>{_STYLE}</style>",
            _text(_MARGIN_PX, 30, f"Wiring of {plan.rig_name}", "title"),
            _text(_MARGIN_PX, 50, _summary(rig, plan), "soft"),
            *(_cable(layout, wire) for wire in cables),
            *(shape for end in layout.places for shape in _box(rig, plan, layout, end)),
            *(shape for wire in cables for shape in _plugs(layout, wire)),
            *(_length(layout, wire) for wire in cables if wire.length_m is not None),
            "</svg>\n",
        ]
    )


def _summary(rig: Rig, plan: Plan) -> str:
    if rig.wiring.topology is Topology.STANDALONE:
        return "standalone: no sync cables"
    kind = rig.wiring.topology.replace("_", " ")
    # So many serials fit the narrowest picture.
    if len(plan.devices) <= 4:
        return f"{kind}; start in this order: {', '.join(plan.start_order)}"
    return f"{kind} of {len(plan.devices)} devices; start order: see genlock plan"


def _laid_out(rig: Rig) -> _Layout:
    """Walks from the root, first child to the right, every other one into a line of its own."""
    cables = wires(rig)
    children: dict[str, list[Wire]] = {}
    for wire in cables:
        children.setdefault(wire.source, []).append(wire)
    serials = list(dict.fromkeys(device.serial for device in rig.devices))
    ends = dict.fromkeys([*serials, *(end for wire in cables for end in (wire.source, wire.destination))])
    places: dict[str, tuple[int, int]] = {}
    carrying: set[Wire] = set()
    line = -1
    first = root(rig)
    stack: list[tuple[str, int, Wire | None]] = [] if first is None else [(first, 0, None)]
    while stack:
        end, column, feeding = stack.pop()
        if end in places:
            continue
        goes_on = feeding is not None and places[feeding.source] == (column - 1, line) and column < _COLUMNS
        if not goes_on or (column, line) in places.values():
            line += 1
            column = column if column < _COLUMNS else 0
        places[end] = (column, line)
        if feeding is not None:
            carrying.add(feeding)
        # The last one pushed is placed next: the first child, to the right of its parent.
        stack += [(w.destination, column + 1, w) for w in reversed(children.get(end, []))]
    reached = frozenset(places)
    lost = [end for end in ends if end not in places]
    for turn, end in enumerate(lost):
        places[end] = (turn % _COLUMNS, line + 1 + turn // _COLUMNS)
    lines = max((row for _, row in places.values()), default=0) + 1
    return _Layout(places, frozenset(carrying), reached, lines)


def _cable(layout: _Layout, wire: Wire) -> str:
    x1, y1 = layout.jack_px(wire.source, is_output=True)
    x2, y2 = layout.jack_px(wire.destination, is_output=False)
    kind = "cable" if wire in layout.carrying else "bad-cable"
    out, into = x1 + 22, x2 - 14
    if y1 == y2 and x1 < x2 <= x1 + _STEP_PX[0]:
        corners = []
    elif into > out:  # a branch: down beside its parent
        corners = [(out, y1), (out, y2)]
    else:  # through the gutter above the destination's line, and in from the left
        gutter = y2 - _BOX_PX[1] / 2 - 20
        corners = [(out, y1), (out, gutter), (into, gutter), (into, y2)]
    return f'<path class="{kind}" d="{_rounded([(x1, y1), *corners, (x2, y2)])}"/>'


def _rounded(points: Sequence[tuple[float, float]]) -> str:
    """A path along level and upright lines, its corners rounded."""
    path = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        (x1, y1), (x2, y2) = _toward(corner, before), _toward(corner, after)
        path += f"L{x1:.0f} {y1:.0f}Q{corner[0]:.0f} {corner[1]:.0f} {x2:.0f} {y2:.0f}"
    return f"{path}L{points[-1][0]:.0f} {points[-1][1]:.0f}"


def _toward(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The point 8 px from a corner on the way to another one."""
    distance = max(abs(other[0] - corner[0]), abs(other[1] - corner[1]))
    ratio = min(8 / distance, 0.5) if distance else 0
    return corner[0] + (other[0] - corner[0]) * ratio, corner[1] + (other[1] - corner[1]) * ratio


def _box(rig: Rig, plan: Plan, layout: _Layout, end: str) -> Iterator[str]:
    left, top = layout.corner_px(end)
    width, height = _BOX_PX
    is_device = end not in (SPLITTER, TRIGGER)
    is_lost = rig.wiring.topology is not Topology.STANDALONE and end not in layout.reached
    kind = "lost" if is_lost else "master" if end == rig.wiring.master else "box"
    yield f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}" rx="{8 if is_device else 20}"/>'
    title, note = _words(rig, plan, end)
    yield _text(left + width / 2, top + 27, title, "serial", anchor="middle")
    note, note_kind = ("no pulse", "bad-text") if is_lost else (note, "soft")
    yield _text(left + width / 2, top + 46, note, note_kind, "middle")
    if is_device and rig.wiring.topology is not Topology.STANDALONE:
        for is_output, name in ((False, "In"), (True, "Out")):
            x, y = layout.jack_px(end, is_output=is_output)
            yield f'<circle class="jack" cx="{x}" cy="{y}" r="6"/>'
            yield _text(x + (-10 if is_output else 10), y + 28, name, "soft", "end" if is_output else "start")


def _words(rig: Rig, plan: Plan, end: str) -> tuple[str, str]:
    if end == SPLITTER:
        return "splitter", "3.5 mm headphone splitter"
    if end == TRIGGER:
        fps = int(plan.device(plan.reference_serial).config.camera_fps) if plan.devices else 0
        return "external trigger", f"{fps} Hz, 5 V, > 8 us"
    try:
        device = plan.device(end)
    except KeyError:
        return end, "not in this rig"
    role = device.config.wired_sync_mode.value.lower()
    host = f" · {device.host}" if device.host else ""
    words = f"{role}{host}"
    return end, words if len(words) <= 24 else words[:23] + "…"


def _plugs(layout: _Layout, wire: Wire) -> Iterator[str]:
    for end, is_output in ((wire.source, True), (wire.destination, False)):
        x, y = layout.jack_px(end, is_output=is_output)
        yield f'<circle class="plug" cx="{x}" cy="{y}" r="4"/>'


def _length(layout: _Layout, wire: Wire) -> str:
    x, y = layout.jack_px(wire.destination, is_output=False)
    return _text(x - 8, y - 9, f"{wire.length_m:g} m", "soft halo", anchor="end")


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
