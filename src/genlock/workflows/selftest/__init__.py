"""The acceptance run: every claim that no hardware has confirmed, tried one by one, with a report to send back."""

from genlock.workflows.selftest.claims import CLAIMS, MARKS, Claim, NotHere
from genlock.workflows.selftest.lab import Answer, Verdict
from genlock.workflows.selftest.operator import NOBODY, Operator, Rehearsal, Task, VirtualRig
from genlock.workflows.selftest.report import report_markdown, write_report
from genlock.workflows.selftest.run import EXPERIMENTS, SelftestResult, run_selftest

__all__ = [
    "CLAIMS",
    "EXPERIMENTS",
    "MARKS",
    "NOBODY",
    "Answer",
    "Claim",
    "NotHere",
    "Operator",
    "Rehearsal",
    "SelftestResult",
    "Task",
    "Verdict",
    "VirtualRig",
    "report_markdown",
    "run_selftest",
    "write_report",
]
