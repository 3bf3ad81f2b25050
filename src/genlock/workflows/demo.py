"""The main job on a virtual rig: what a user does by hand, each step one public function.

Load the rig file, plan, open, check the jacks, set the controls, start, capture, match, record, verify, report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlock.devices import open_backend
from genlock.errors import RigError
from genlock.plan import Plan, make_plan
from genlock.rig import new_rig_toml, parse_rig
from genlock.verify import Report
from genlock.workflows.progress import NoProgress, Progress
from genlock.workflows.record import TakeResult, record_take
from genlock.workflows.report import ReportFiles, write_report
from genlock.workflows.simulate import make_scenario
from genlock.workflows.verify import verify_session

__all__ = ["DemoResult", "demo_rig_toml", "run_demo"]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Everything that the walk came to."""

    plan: Plan
    take: TakeResult | None
    """``None`` when the run failed, as some faults make it."""
    report: Report
    files: ReportFiles
    failure: str | None = None
    """Why the run failed; what it had recorded was judged all the same."""

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it. Any: JSON."""
        return {
            "format_version": 1,
            "plan": self.plan.to_json(),
            "take": self.take.to_json() if self.take else None,
            "failure": self.failure,
            "report": self.report.to_json(),
            "files": {"html": str(self.files.html), "json": str(self.files.json)},
            "findings": [finding.to_json() for finding in self.report.findings],
        }


def demo_rig_toml(devices: int) -> str:
    """The rig file of the demo: one master and its subordinates in a daisy chain.

    Args:
        devices: how many, 1 or more; one alone is a standalone device.
    """
    return new_rig_toml([f"{number:012d}" for number in range(1, devices + 1)], name="demo")


def run_demo(
    folder_path: Path,
    *,
    devices: int = 3,
    seconds: float = 2.0,
    faults: Sequence[str] = (),
    scenario_file: Path | None = None,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> DemoResult:
    """Walks the whole corridor on a virtual rig; the session folder is ``folder_path``, reports lie beside it.

    Raises:
        SessionFolderError: the folder exists already.
        UnreadableInputError: a fault or the scenario makes no sense.
    """
    progress = progress or NoProgress()
    progress.step(f"load the rig file: {devices} virtual devices")
    rig_toml = demo_rig_toml(devices)
    rig = parse_rig(rig_toml, Path("demo-rig.toml"))
    progress.step("plan")
    plan = make_plan(rig)
    scenario = make_scenario(rig, file=scenario_file, faults=faults)
    take, failure = None, None
    with open_backend("sim", rig, scenario=scenario) as backend:
        try:
            take = record_take(
                plan,
                backend,
                folder_path,
                rig_toml=rig_toml,
                seconds=seconds,
                progress=progress,
                is_cancelled=is_cancelled,
            )
        except RigError as error:
            if not scenario.faults:
                raise
            failure = str(error)
    progress.step("verify")
    report = verify_session(folder_path)
    progress.step("report")
    files = write_report(report, folder_path.with_name(folder_path.name + "-report"))
    return DemoResult(plan, take, report, files, failure)
