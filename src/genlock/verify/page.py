"""The report as one self-contained HTML page: no script, no font, no image from anywhere else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from genlock._version import __version__
from genlock.findings import Severity
from genlock.plan import timeline_svg
from genlock.verify.laser_plot import draw_lasers
from genlock.verify.plots import Lane, draw_lanes
from genlock.verify.report import DeviceReport, Report
from genlock.verify.text import START_ORDER_TEXT, VERDICT_TEXT, files_text, pictures_text
from genlock.verify.verdict import GOOD_COMPLETE_RATIO, GOOD_USEC, MIN_JUDGED_SETS, PASS_COMPLETE_RATIO, Verdict

__all__ = ["MEANINGS", "SYMBOLS", "report_html", "template"]

SYMBOLS = {Verdict.GOOD: "✓", Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.NOT_JUDGED: "?"}

MEANINGS = {
    Verdict.GOOD: "This take is synchronized.",
    Verdict.PASS: "This take is synchronized within Microsoft's acceptance limits, but not as well as it could be.",
    Verdict.FAIL: "Do not rely on this take.",
    Verdict.NOT_JUDGED: "Whether this take is synchronized is not known.",
}


def report_html(report: Report) -> str:
    """The page: the verdict first, then what was found, the offsets over time, and every number.

    Dark or light as the reader's system is; prints; needs no network. Its size does not grow with the take's length.
    """
    lost = {d.serial: d.lost_from_usec for d in report.devices if d.lost_from_usec is not None}
    lanes = draw_lanes(report.measures, report.pass_usec, lost) if report.measures and report.pass_usec else ()
    return template("report.html.j2").render(
        report=report,
        verdict=VERDICT_TEXT[report.verdict],
        symbol=SYMBOLS[report.verdict],
        meaning=MEANINGS[report.verdict],
        start_order=START_ORDER_TEXT[report.start_order],
        rows=[_Row(device, _lane_of(device, lanes)) for device in report.devices],
        lasers=draw_lasers(report.measures) if report.measures else None,
        timeline=_timeline(report),
        good_usec=GOOD_USEC,
        good_ratio=GOOD_COMPLETE_RATIO,
        pass_ratio=PASS_COMPLETE_RATIO,
        min_sets=MIN_JUDGED_SETS,
        grave=[f for f in report.findings if f.severity is not Severity.INFO],
        notes=[f for f in report.findings if f.severity is Severity.INFO],
        files_text=f"Files: {files_text(report)}",
        pictures_text=f"Pictures: {pictures_text(report)}",
        version=__version__,
    )


@cache
def template(name: str) -> Template:
    """One of the room's pages, ready to be filled."""
    environment = Environment(
        loader=PackageLoader("genlock.verify", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@dataclass(frozen=True, slots=True)
class _Row:
    """A device with its picture."""

    device: DeviceReport
    lane: Markup | None


def _lane_of(device: DeviceReport, lanes: tuple[Lane, ...]) -> Markup | None:
    return next((lane.svg for lane in lanes if lane.serial == device.serial), None)


def _timeline(report: Report) -> Markup | None:
    """The laser timeline of the plan; ``None`` without a plan."""
    # The plan room draws it from numbers and escapes the names in it.
    return Markup(timeline_svg(report.plan)) if report.plan is not None else None
