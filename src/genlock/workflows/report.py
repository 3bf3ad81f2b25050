"""Write a report where a person and a program will look for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genlock.errors import SessionFolderError
from genlock.recording import write_atomically
from genlock.verify import Report, report_html

__all__ = ["ReportFiles", "write_pages", "write_report"]


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """What was written."""

    html: Path
    json: Path


def write_report(report: Report, folder: Path) -> ReportFiles:
    """Writes ``report.html`` and ``report.json`` into a folder, which is made; an older report there is replaced.

    Raises:
        SessionFolderError: the folder cannot be made or is a session folder, in which nothing derived is stored.
    """
    return write_pages(folder, "report", report_html(report), report.to_json())


def write_pages(folder: Path, name: str, html: str, values: Mapping[str, object]) -> ReportFiles:
    """Writes ``NAME.html`` and ``NAME.json`` into a folder, which is made; older ones are replaced.

    Raises:
        SessionFolderError: the folder cannot be made or is a session folder, in which nothing derived is stored.
    """
    if (folder / "session.json").exists():
        raise SessionFolderError(
            folder, "is a session folder; a report lies beside it, not in it. Name another folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = ReportFiles(folder / f"{name}.html", folder / f"{name}.json")
        write_atomically(files.html, html)
        write_atomically(files.json, json.dumps(values, indent=2) + "\n")
    except OSError as error:
        raise SessionFolderError(folder, f"cannot take a report: {error.strerror or error}") from error
    return files
