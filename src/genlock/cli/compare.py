"""``genlock compare``: the takes of a day side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, UNWORKABLE, USAGE, Outcome

if TYPE_CHECKING:
    from rich.console import Console

    from genlock.workflows.compare import ComparedTake

__all__ = ["compare"]


def compare(
    takes: Annotated[tuple[Path, ...], Parameter(help="Session folders, each one take.")],
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="Write compare.html and compare.json into this folder."),
    ] = None,
    json: Json = False,
) -> Outcome:
    """Judge several takes and set them side by side: offsets and jitter in us, losses, causes, the best one.

    Exit status 0 when at least one take is good or passes, else 1; 2 when one cannot be read.

    Example: genlock compare takes/001 takes/002 takes/003 -o day-report
    """
    from genlock.verify import Verdict
    from genlock.workflows.compare import compare_takes, write_comparison

    comparison = compare_takes(takes)
    written = write_comparison(comparison, output) if output else None

    def show(console: Console) -> None:
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("take", overflow="fold")
        table.add_column("verdict", no_wrap=True)
        for heading in ("devices", "seconds", "sets", "complete", "offset\nus", "jitter\nus", "lost"):
            table.add_column(heading, justify="right", no_wrap=True)
        names = comparison.names
        for take, name in zip(comparison.takes, names, strict=True):
            table.add_row(name, *_row(take))
        console.print(table)
        for take, name in zip(comparison.takes, names, strict=True):
            for line in _story(take):
                console.print(f"{name}: {line}", markup=False, highlight=False, soft_wrap=True)
        if comparison.best is not None:
            console.print(f"\nthe best: {comparison.best.path}", markup=False, highlight=False, soft_wrap=True)
        if any(take.report is not None and take.report.is_simulated for take in comparison.takes):
            console.print("SIMULATED: at least one take comes from a virtual rig.", style="bold magenta")
        if written:
            console.print(f"report   {written.html}", markup=False, highlight=False, soft_wrap=True)

    if any(take.report is None for take in comparison.takes):
        status = USAGE
    else:
        usable = (Verdict.GOOD, Verdict.PASS)
        is_usable = any(take.report is not None and take.report.verdict in usable for take in comparison.takes)
        status = DONE if is_usable else UNWORKABLE
    return Outcome(status, comparison.to_json(), show)


def _row(take: ComparedTake) -> tuple[str, ...]:
    report = take.report
    if report is None:
        return ("unreadable", *("-",) * 7)
    return (
        report.verdict.value.replace("_", " "),
        str(len(report.devices)),
        "-" if report.span_sec is None else f"{max(report.span_sec, 0):.1f}",
        str(report.sets.judged),
        report.sets.complete_text,
        "-" if report.max_error_usec is None else f"{report.max_error_usec:.1f}",
        "-" if take.worst_jitter_usec is None else f"{take.worst_jitter_usec:.1f}",
        str(take.lost_captures),
    )


def _story(take: ComparedTake) -> tuple[str, ...]:
    """What happened in it, a line each."""
    if take.report is None:
        return (take.error or "",)
    return tuple(diagnosis.summary for diagnosis in take.report.diagnoses)
