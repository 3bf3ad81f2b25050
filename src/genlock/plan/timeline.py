"""The plan's timeline as text, for a terminal: one frame, and one pulse step around the tightest gap."""

from __future__ import annotations

from genlock.plan.model import Plan
from genlock.plan.picture import Picture, Row, RowKind, lay_out
from genlock.plan.timing import GRAINS_PER_USEC

__all__ = ["timeline_text"]

_WIDTH = 72
_COLOR, _PULSE, _LIGHT, _COLLISION, _NOTHING = "░", "█", "▒", "X", "·"


def timeline_text(plan: Plan) -> str:
    """Two panels of plain text, about 110 columns wide, a row per device: ``░`` color exposure, ``█`` laser pulse.

    The first shows the whole frame, the second one pulse step around the tightest gap; pulses that collide are ``X``.
    Lights of others follow below, ``▒``.
    """
    picture = lay_out(plan)
    lines = [
        f"one frame, from {_ms(picture.frame[0])} to {_ms(picture.frame[1])} ms around the master's color exposure",
        *_panel(picture, picture.frame, shows_color=True),
        "",
        f"one pulse step, from {_us(picture.zoom[0])} to {_us(picture.zoom[1])} us",
        *_panel(picture, picture.zoom, shows_color=False),
        _guard_line(picture),
    ]
    return "\n".join(lines) + "\n"


def _panel(picture: Picture, span: tuple[int, int], *, shows_color: bool) -> list[str]:
    width = max((len(row.serial) for row in picture.rows), default=0)
    lines = []
    for row in picture.rows:
        bar = _bar(row, span, shows_color=shows_color)
        lines.append(f"{'M' if row.is_master else ' '} {row.serial:>{width}} |{bar}| {_depth(row)}")
    return lines


def _bar(row: Row, span: tuple[int, int], *, shows_color: bool) -> str:
    cells = [_NOTHING] * _WIDTH
    if shows_color and row.color is not None:
        _fill(cells, span, row.color, _COLOR)
    for pulse in row.pulses_between(*span):
        mark = _PULSE if row.kind is RowKind.DEVICE else _LIGHT
        _fill(cells, span, (pulse.start, pulse.end), _COLLISION if pulse.collides else mark)
    return "".join(cells)


def _fill(cells: list[str], span: tuple[int, int], part: tuple[int, int], mark: str) -> None:
    """Marks every cell whose middle lies in the part; at least the one in which the part begins."""
    start, end = ((time - span[0]) * len(cells) / (span[1] - span[0]) for time in part)
    first = round(start)
    for cell in range(max(first, 0), min(max(round(end), first + 1), len(cells))):
        cells[cell] = mark


def _depth(row: Row) -> str:
    if row.kind is not RowKind.DEVICE:
        return "locked" if row.kind is RowKind.LOCKED_EMITTER else "runs free"
    return "no laser" if row.depth_usec is None else f"depth {row.depth_usec:+.1f} us"


def _guard_line(picture: Picture) -> str:
    gap = picture.gap
    if gap is None:
        return f"guard {picture.no_gap}"
    first, second = picture.rows[gap.first_row].serial, picture.rows[gap.second_row].serial
    usec = (gap.end - gap.start) / GRAINS_PER_USEC
    if usec < 0:
        return f"COLLISION: pulses of {first} and {second} overlap by {-usec:.1f} us"
    return f"guard {usec:.1f} us, from the end of a pulse of {first} to the start of one of {second}"


def _ms(grains: int) -> str:
    return f"{grains / GRAINS_PER_USEC / 1000:.1f}"


def _us(grains: int) -> str:
    return f"{grains / GRAINS_PER_USEC:.0f}"
