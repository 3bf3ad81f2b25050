"""Is this computer ready for its part of the rig?  Facts, rules, and, where a backend is named, the devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from genlock.devices import Backend, find_k4a_library
from genlock.errors import BackendUnavailableError
from genlock.findings import Finding, Severity, errors_in
from genlock.k4a import ColorResolution, ImageFormat
from genlock.plan import Plan
from genlock.preflight import (
    DISK_TEST_MB,
    Case,
    DeviceAnswers,
    HostFacts,
    Machine,
    ask_devices,
    gather_facts,
    judge_devices,
    judge_host,
    needed_usbfs_mb,
)
from genlock.rig import Host, Rig
from genlock.session import check_jacks
from genlock.workflows.hosts import plan_of_host
from genlock.workflows.storing import room_findings

__all__ = ["PreflightResult", "run_preflight"]

OpenDevices = Callable[[], AbstractContextManager[Backend]]


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """What was found out and what follows from it."""

    host: str
    facts: HostFacts
    answers: DeviceAnswers | None
    """What the devices said; ``None``: nobody asked them."""
    needed_usbfs_mb: int | None
    """What ``usbfs_memory_mb`` has to become; ``None``: it may stay."""
    findings: tuple[Finding, ...]

    @property
    def is_ready(self) -> bool:
        """Whether nothing stands in the way of a take."""
        return not errors_in(self.findings)

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """As the command line prints it."""
        return {
            "format_version": 1,
            "host": self.host,
            "is_ready": self.is_ready,
            "facts": self.facts.to_json(),
            "devices": self.answers.to_json() if self.answers else None,
            "findings": [finding.to_json() for finding in self.findings],
        }


def run_preflight(
    rig: Rig,
    plan: Plan,
    machine: Machine,
    target: Path,
    *,
    seconds: float | None = None,
    open_devices: OpenDevices | None = None,
    host: str | None = None,
    library: Path | None = None,
    disk_test_mb: int = DISK_TEST_MB,
) -> PreflightResult:
    """Looks at this computer and judges it; starts nothing.

    Args:
        rig: what the user owns.
        plan: what shall happen.
        machine: the computer.
        target: the folder that takes would go to.
        seconds: how long a take shall be; ``None``: the disk's room is told, not judged.
        open_devices: opens the backend whose devices are asked; ``None``: they are not.
        host: the name of this computer in the rig file; ``None``: it runs all devices.
        library: libk4a, or the folder that holds it; ``None``: it is looked for.
        disk_test_mb: how much is written to the target folder at most.

    Raises:
        UnworkablePlanError: no device is plugged into that host.
    """
    own = plan_of_host(plan, host)
    decoded = [d.config.color_resolution for d in own.devices if d.config.color_format is ImageFormat.BGRA32]
    facts = gather_facts(
        machine,
        target,
        find_library=partial(find_k4a_library, library),
        decoded=[r for r in decoded if r is not ColorResolution.OFF],
        disk_test_mb=disk_test_mb,
    )
    described = _described(rig, host)
    is_one_of_several = host is not None and len({device.host for device in plan.devices}) > 1
    case = Case(facts=facts, plan=own, host=described, is_one_of_several=is_one_of_several)
    answers, found = _ask(own, open_devices)
    room = room_findings(own, target, seconds) if seconds is not None else ()
    findings = [*judge_host(case), *room, *found]
    if answers is not None:
        findings += [*judge_devices(answers, own, facts.usb), *_plugs(own, answers)]
    return PreflightResult(described.name, facts, answers, needed_usbfs_mb(case), tuple(findings))


def _described(rig: Rig, host: str | None) -> Host:
    """What the rig file says of this computer: the host that is named, else the only one there is."""
    if host is None and len(rig.hosts) == 1:
        return rig.hosts[0]
    return next((described for described in rig.hosts if described.name == host), Host(name=host or "this computer"))


def _ask(plan: Plan, open_devices: OpenDevices | None) -> tuple[DeviceAnswers | None, tuple[Finding, ...]]:
    if open_devices is None:
        how = "genlock preflight RIG.toml --backend native asks them."
        return None, (Finding("preflight.not_checked", Severity.INFO, "devices", "not checked: no backend named", how),)
    try:
        with open_devices() as backend:
            return ask_devices(backend, plan), ()
    except BackendUnavailableError as error:
        remedy = "Install what it names; the findings about the Azure Kinect SDK say more."
        return None, (Finding("preflight.backend_unavailable", Severity.ERROR, "devices", str(error), remedy),)


def _plugs(plan: Plan, answers: DeviceAnswers) -> Iterator[Finding]:
    for device in answers.asked:
        if device.info is not None:
            yield from check_jacks(plan.device(device.serial), device.jacks)
