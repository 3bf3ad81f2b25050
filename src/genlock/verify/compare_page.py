"""The takes of a day on one page: the best one first said, then all of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from genlock._version import __version__
from genlock.verify.page import MEANINGS, SYMBOLS, template
from genlock.verify.plots import draw_lanes
from genlock.verify.report import Report
from genlock.verify.text import VERDICT_TEXT
from genlock.verify.verdict import GOOD_USEC

__all__ = ["TakeOnPage", "comparison_html"]


@dataclass(frozen=True, slots=True)
class TakeOnPage:
    """A take as the page needs it."""

    name: str
    report: Report | None
    error: str | None
    """Why it could not be read."""
    is_best: bool
    worst_jitter_usec: float | None
    lost_captures: int | None


def comparison_html(takes: Sequence[TakeOnPage]) -> str:
    """The page, self-contained like the certificate's; takes in the order in which they are given."""
    return template("compare.html.j2").render(
        takes=[(take, _worst_lane(take.report)) for take in takes],
        best=next((take for take in takes if take.is_best), None),
        is_simulated=any(take.report is not None and take.report.is_simulated for take in takes),
        verdicts=VERDICT_TEXT,
        symbols=SYMBOLS,
        meanings=MEANINGS,
        good_usec=GOOD_USEC,
        version=__version__,
    )


def _worst_lane(report: Report | None) -> tuple[str, Markup] | None:
    """The picture of the device that lies farthest off, with its serial."""
    if report is None or report.measures is None or report.pass_usec is None:
        return None
    worst_usec = {
        device.serial: max((s.max_usec for s in (device.color, device.depth) if s), default=0.0)
        for device in report.devices
    }
    lost = {d.serial: d.lost_from_usec for d in report.devices if d.lost_from_usec is not None}
    lanes = {lane.serial: lane.svg for lane in draw_lanes(report.measures, report.pass_usec, lost) if lane.svg}
    shown = sorted(lanes.keys() & worst_usec.keys(), key=lambda serial: (-worst_usec[serial], serial))
    return (shown[0], lanes[shown[0]]) if shown else None
