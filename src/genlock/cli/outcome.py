"""What a verb came to, in one place: exit status, one JSON object, text for a person.

Exit status: 0 done; 1 a readable thing that cannot work (findings of severity error); 2 wrong usage, or an unreadable
or ill-typed file; 3 a device or host failed; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genlock.errors import (
    BackendUnavailableError,
    GenlockError,
    RigError,
    RigFileError,
    UnknownBackendError,
    UnreadableInputError,
    UnworkablePlanError,
    message_of,
    reason_of,
)
from genlock.findings import Finding, Severity

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["DONE", "FAILED", "INTERRUPTED", "UNWORKABLE", "USAGE", "Outcome", "outcome_of_error", "show_findings"]

DONE = 0
UNWORKABLE = 1
USAGE = 2
FAILED = 3
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verb came to."""

    exit_status: int
    json: Mapping[str, object]
    """The one object that ``--json`` prints."""
    show: Callable[[Console], None]
    """Prints it for a person."""
    is_error: bool = False
    """Whether the text belongs on standard error."""


def outcome_of_error(error: Exception) -> Outcome:
    """The outcome of something that went wrong."""
    status, kind = _classify(error)
    message = message_of(error)
    content: dict[str, object] = {"kind": kind, "message": message}
    findings: tuple[Finding, ...] = ()
    if isinstance(error, RigFileError):
        content["mistakes"] = [{"where": m.where, "message": m.message} for m in error.mistakes]
    if isinstance(error, RigError):
        content["devices"] = {serial: reason_of(e) for serial, e in error.errors.items()}
        findings = tuple(finding for finding in error.findings if finding.message not in str(error))
    if isinstance(error, UnworkablePlanError):
        findings = error.findings

    def show(console: Console) -> None:
        console.print(f"genlock: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
        if not isinstance(error, UnworkablePlanError):  # its own text holds them
            show_findings(console, findings)

    return Outcome(
        status,
        {"format_version": 1, "error": content, "findings": [f.to_json() for f in findings]},
        show,
        is_error=True,
    )


def _classify(error: Exception) -> tuple[int, str]:
    kinds: list[tuple[type[Exception], int, str]] = [
        (RigFileError, USAGE, "rig_file"),
        (UnreadableInputError, USAGE, "unreadable_input"),
        (UnknownBackendError, USAGE, "unknown_backend"),
        (UnworkablePlanError, UNWORKABLE, "unworkable_plan"),
        (BackendUnavailableError, FAILED, "backend_unavailable"),
        (GenlockError, FAILED, "device"),
        (OSError, FAILED, "host"),
    ]
    return next(((status, kind) for type_, status, kind in kinds if isinstance(error, type_)), (FAILED, "internal"))


_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


def show_findings(console: Console, findings: Iterable[Finding]) -> None:
    """Prints findings, gravest first."""
    from rich.text import Text

    rank = list(_STYLES)
    for finding in sorted(findings, key=lambda f: rank.index(f.severity)):
        line = Text(f"{finding.severity.value:>7}  ", style=_STYLES[finding.severity])
        line.append(f"{finding.where}: {finding.message}", style="default")
        line.append(f"  [{finding.code}]", style="dim")
        console.print(line, soft_wrap=True)
        if finding.remedy:
            console.print(Text(f"         -> {finding.remedy}"), soft_wrap=True)


def stdout_console() -> Console:
    """A console on standard output; what its encoding cannot say becomes a question mark, never a crash."""
    from rich.console import Console

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return Console()
