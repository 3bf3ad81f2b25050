"""Findings: what a check has to say, before a run, live, or afterwards.

A check returns findings and raises nothing: "you should know" is a value, "cannot go on" is an error (``errors.py``).
Codes are stable and documented in ``docs/reference/findings.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Severity", "errors_in", "worst_severity"]


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    """Good to know."""
    WARNING = "warning"
    """It will run, but the result may suffer."""
    ERROR = "error"
    """It cannot work, or it did not."""


_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found."""

    code: str
    """Stable, ``room.what``: ``plan.fps_too_high``, ``verify.offset_error``."""
    severity: Severity
    where: str
    """What it is about: ``device 000000000002``, ``wiring.cable[1]``, ``rig``."""
    message: str
    """What was expected and what was found, with numbers and units."""
    remedy: str
    """What to do about it; never empty for a warning or an error."""

    def __str__(self) -> str:
        return f"{self.severity} [{self.code}] {self.where}: {self.message} -> {self.remedy}"

    def to_json(self) -> dict[str, str]:
        """The finding as it stands in every JSON answer."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "where": self.where,
            "message": self.message,
            "remedy": self.remedy,
        }


def errors_in(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those findings that are errors."""
    return tuple(f for f in findings if f.severity is Severity.ERROR)


def worst_severity(findings: Iterable[Finding]) -> Severity | None:
    """The gravest severity among the findings; ``None`` when there are none."""
    return max((f.severity for f in findings), key=_RANK.__getitem__, default=None)
