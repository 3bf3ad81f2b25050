"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

__all__ = ["Json", "NewFolder", "ReportFolder", "RigPath", "Seconds"]

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print exactly one JSON object.")]
RigPath = Annotated[Path, Parameter(help="The rig file (TOML).")]
NewFolder = Annotated[
    Path, Parameter(name=["--output", "-o"], help="The session folder to make; an existing one is never written over.")
]
ReportFolder = Annotated[
    Path | None, Parameter(name=["--output", "-o"], help="Write report.html and report.json into this folder.")
]
Seconds = Annotated[
    float,
    Parameter(
        name="--seconds",
        validator=validators.Number(gt=0, lte=7 * 86400),
        help="How long to record, in seconds of the reference device's time; a week at most.",
    ),
]
