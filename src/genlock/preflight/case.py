"""What a rule of preflight looks at, and how it says that it could not look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genlock.findings import Finding, Severity
from genlock.plan import HostBudget, Plan, PlannedDevice
from genlock.preflight.facts import HostFacts
from genlock.rig import Host

__all__ = ["Case", "Rule", "not_checked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A computer, and the part of a plan that it shall run."""

    facts: HostFacts
    plan: Plan
    """Of this computer's devices alone."""
    host: Host
    """What the rig file says of this computer; the defaults where it says nothing."""
    is_one_of_several: bool
    """Whether other computers record the rig with it."""

    @property
    def budgets(self) -> tuple[HostBudget, ...]:
        """What the plan asks of this computer; several where the rig file spreads the devices and one runs them all."""
        return self.plan.budget

    @property
    def usbfs_memory_mb(self) -> int:
        """What Linux should grant."""
        return sum(budget.usbfs_memory_mb for budget in self.budgets)

    @property
    def disk_mb_per_sec(self) -> float:
        """All recordings."""
        return sum(budget.disk_mb_per_sec for budget in self.budgets)

    @property
    def exact_disk_mb_per_sec(self) -> float:
        """Depth and IR images alone: no scene makes it less."""
        return sum(budget.exact_disk_mb_per_sec for budget in self.budgets)

    @property
    def usb_mb_per_sec(self) -> dict[str, float]:
        """What each device sends, by serial."""
        return {load.serial: load.usb_mb_per_sec for budget in self.budgets for load in budget.devices}

    @property
    def depth_devices(self) -> tuple[PlannedDevice, ...]:
        """Those whose depth the host computes."""
        return tuple(d for d in self.plan.devices if d.config.has_depth_camera)


Rule = Callable[[Case], Iterator[Finding]]


def not_checked(what: str, why: str, how: str) -> Finding:
    """What could not be looked at, and how a person can."""
    return Finding("preflight.not_checked", Severity.INFO, what, f"not checked: {why}", how)
