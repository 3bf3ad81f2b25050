"""The report for a terminal: plain lines, the verdict first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genlock.sync import DriftFit
from genlock.verify.checks import StartOrder
from genlock.verify.report import DeviceReport, DropGap, Report
from genlock.verify.statistics import OffsetStats
from genlock.verify.verdict import GOOD_COMPLETE_RATIO, GOOD_USEC, PASS_COMPLETE_RATIO, Verdict

__all__ = ["START_ORDER_TEXT", "VERDICT_TEXT", "files_text", "pictures_text", "report_text"]

VERDICT_TEXT = {
    Verdict.GOOD: "GOOD",
    Verdict.PASS: "PASS",
    Verdict.FAIL: "FAIL",
    Verdict.NOT_JUDGED: "NOT JUDGED",
}

START_ORDER_TEXT = {
    StartOrder.RIGHT: "right: every subordinate was waiting before the master started (from the log)",
    StartOrder.WRONG: "wrong: a subordinate was not waiting when the master started (from the log)",
    StartOrder.NOT_JUDGED: "not judged: nothing here tells when the devices were started",
    StartOrder.NOT_NEEDED: "not asked: no master with subordinates here",
}

_SHOWN_GAPS = 5

_HEADER = ("device", "role", "captures", "missing", "partial", "extra", "color error us", "depth error us", "drift ppm")


def report_text(report: Report) -> str:
    """The report in plain text, at most some 130 columns wide."""
    return "\n".join(_lines(report))


def files_text(report: Report) -> str:
    """Whether the files are known to be what was written, in a sentence."""
    count = f"{len(report.files)} {'file' if len(report.files) == 1 else 'files'}"
    if not report.files:
        return "none."
    if not report.are_files_checked:
        return f"{count}; whether every byte is still what was written was not checked (--files does it)."
    changed = sum(file.is_intact is False for file in report.files)
    undigested = sum(file.digest is None for file in report.files)
    noted = f"; {undigested} without a noted digest, by its own checksums alone" if undigested else ""
    return f"{count}, every byte read; {f'{changed} changed' if changed else 'all as written'}{noted}."


def pictures_text(report: Report) -> str:
    """Whether anybody looked at pictures, in a sentence."""
    if report.pictures is None:
        return "not looked at: covered, moved or dark cameras would not be noticed."
    if not report.pictures:
        return "none could be read: covered, moved or dark cameras would not be noticed."
    samples = "1 sample" if report.pictures == 1 else f"{report.pictures} samples"
    return f"{samples} looked at; what happened between them was not seen."


def _lines(report: Report) -> Iterator[str]:
    if report.is_simulated:
        yield "*** SIMULATED: these recordings come from a virtual rig, not from cameras ***"
        yield ""
    yield f"take        {report.name}"
    yield f"verdict     {VERDICT_TEXT[report.verdict]}"
    yield f"reason      {report.reason}"
    sets = report.sets
    if report.span_sec is not None and report.camera_fps is not None:
        ratio = f" ({sets.complete_text})" if sets.judged else ""
        yield (
            f"evidence    {sets.judged} sets judged, {sets.complete} complete{ratio}; {sets.settling} settling sets "
            f"left out; {max(report.span_sec, 0):.2f} s at {report.camera_fps} fps"
        )
        yield (
            f"tolerances  good: {GOOD_USEC} us and {100 * GOOD_COMPLETE_RATIO:.0f} % complete; pass: "
            f"{report.pass_usec} us and {100 * PASS_COMPLETE_RATIO:.0f} % (Microsoft's acceptance test)"
        )
    yield f"start order {START_ORDER_TEXT[report.start_order]}"
    if report.session_state:
        yield f"session     {report.session_state}"
    yield f"files       {files_text(report)}"
    yield f"pictures    {pictures_text(report)}"
    yield ""
    yield from _table([_HEADER, *(_row(device) for device in report.devices)])
    note = "of all sets, settling ones included" if report.numbers_include_settling else "of the judged sets"
    yield f"errors are measured minus expected, median / p95 / max (p95 and max absolute), {note}"
    for device in report.devices:
        if device.gaps:
            yield f"{device.serial} lacks {_gaps(device)}"
    if report.measured_guard_usec is not None:
        yield f"laser guard {report.measured_guard_usec:.1f} us measured, {_planned_guard(report)} planned"
    for epoch in report.epochs:
        yield f"epoch {epoch.number}     {VERDICT_TEXT[epoch.verdict]}: {epoch.reason}"
    if report.diagnoses:
        yield ""
        yield "what most likely happened"
        for diagnosis in report.diagnoses:
            yield f"  {diagnosis.certainty} [{diagnosis.cause}] {diagnosis.summary}"
            for evidence in diagnosis.evidence:
                yield f"    because {evidence}"
            yield f"    -> {diagnosis.remedy}"
    if report.findings:
        yield ""
        yield "findings"
        for finding in report.findings:
            yield f"  {finding.severity} [{finding.code}] {finding.where}"
            yield f"    {finding.message}"
            yield f"    -> {finding.remedy}"


def _row(device: DeviceReport) -> tuple[str, ...]:
    role = device.config.wired_sync_mode.value.lower() + (" (reference)" if device.is_reference else "")
    return (
        device.serial,
        role,
        str(device.captures),
        str(device.missing),
        str(device.partial),
        str(device.extra),
        "reference" if device.is_reference and device.config.has_color else _stats(device.color),
        "reference" if device.is_reference and not device.config.has_color else _stats(device.depth),
        "reference" if device.is_reference else _drift(device.drift),
    )


def _gaps(device: DeviceReport) -> str:
    longest = sorted(device.gaps, key=lambda gap: (-gap.missing, gap.from_usec))[:_SHOWN_GAPS]
    shown = ", ".join(f"{gap.missing} from {gap.from_usec / 1e6:.3f} s" for gap in sorted(longest, key=_when))
    more = len(device.gaps) - len(longest)
    return f"{sum(gap.missing for gap in device.gaps)} captures: {shown}{f', and {more} more gaps' if more else ''}"


def _when(gap: DropGap) -> int:
    return gap.from_usec


def _planned_guard(report: Report) -> str:
    guard_usec = report.plan.guard_usec if report.plan is not None else None
    return "none" if guard_usec is None else f"{guard_usec:.1f} us"


def _stats(stats: OffsetStats | None) -> str:
    if stats is None:
        return "-"
    return f"{stats.median_usec:+.1f} / {stats.p95_usec:.1f} / {stats.max_usec:.1f}"


def _drift(drift: DriftFit | None) -> str:
    return "-" if drift is None else f"{drift.drift_ppm:+.3f} +- {drift.standard_error_ppm:.3f}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)
