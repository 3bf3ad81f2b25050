"""A take of several epochs: each is judged by itself, and the take is as good as the worst of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from genlock.findings import Finding, Severity
from genlock.verify.report import EpochReport, Report
from genlock.verify.verdict import Verdict

__all__ = ["combine_epochs"]

_RANK = {Verdict.FAIL: 0, Verdict.PASS: 1, Verdict.GOOD: 2, Verdict.NOT_JUDGED: 3}
"""An epoch too short to be judged does not decide for those that were."""

_SEVERITIES = tuple(reversed(Severity))  # errors first


def combine_epochs(name: str, reports: Mapping[int, Report]) -> Report:
    """One report of a take: the worst epoch's numbers, everything found in any of them, and each epoch's own verdict.

    Args:
        name: of the take.
        reports: each epoch's own report, by its number; at least one.
    """
    if len(reports) == 1:
        return next(iter(reports.values()))
    worst = min(reports, key=lambda number: (_RANK[reports[number].verdict], number))
    epochs = tuple(
        EpochReport(number, report.verdict, report.reason, report.sets, report.span_sec)
        for number, report in reports.items()
    )
    listed = "; ".join(
        f"epoch {e.number}: {e.verdict.value.replace('_', ' ')}, {e.sets.judged} sets judged" for e in epochs
    )
    note = Finding(
        "verify.epochs",
        Severity.INFO,
        "session",
        f"all devices were started {len(reports)} times, and each epoch has a time base of its own ({listed}); the "
        f"numbers and pictures are epoch {worst}'s",
        "Use each epoch by itself; nothing ties the times of one to those of another but the host's clock.",
    )
    findings = [
        replace(finding, where=f"epoch {number}, {finding.where}")
        for number, report in reports.items()
        for finding in report.findings
    ]
    findings.append(note)
    findings.sort(key=lambda finding: _SEVERITIES.index(finding.severity))
    diagnoses = tuple(
        replace(
            diagnosis, where=f"epoch {number}, {diagnosis.where}", summary=f"in epoch {number}, {diagnosis.summary}"
        )
        for number, report in reports.items()
        for diagnosis in report.diagnoses
    )
    return replace(
        reports[worst],
        name=name,
        reason=f"epoch {worst} of {len(reports)}: {reports[worst].reason}",
        findings=tuple(findings),
        diagnoses=diagnoses,
        epochs=epochs,
    )
