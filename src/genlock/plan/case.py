"""What a rule of the plan looks at, and how a rule names devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genlock.findings import Finding
from genlock.plan.delays import Delays
from genlock.plan.model import Plan, PlannedDevice
from genlock.rig import Rig, Topology

__all__ = ["Case", "Rule", "by_value", "names"]


@dataclass(frozen=True, slots=True)
class Case:
    """A rig and what was planned for it."""

    rig: Rig
    plan: Plan
    delays: Delays
    guards_usec: Mapping[tuple[str, str], float]
    """The gap between the lasers of each two devices that see the same space."""

    @property
    def is_synchronized(self) -> bool:
        """Whether devices share a clock."""
        return self.plan.topology is not Topology.STANDALONE and len(self.plan.devices) > 1

    @property
    def exposures_usec(self) -> dict[str, int | None]:
        """The exposure of every device, ``None`` where it is automatic."""
        return {device.serial: device.exposure_usec for device in self.plan.devices}

    @property
    def color_devices(self) -> tuple[PlannedDevice, ...]:
        """Those whose color camera runs."""
        return tuple(d for d in self.plan.devices if d.config.has_color)


Rule = Callable[[Case], Iterator[Finding]]


def names(serials: Sequence[str], case: Case) -> str:
    """``all devices``, or their serials."""
    return "all devices" if len(serials) == len(case.plan.devices) else ", ".join(serials)


def by_value(values: Mapping[str, Any], unit: str = "") -> str:  # any value that can be printed
    """``30 fps on 01, 02; 15 fps on 03``."""
    serials: dict[Any, list[str]] = {}
    for serial, value in values.items():
        serials.setdefault(value, []).append(serial)
    return "; ".join(f"{value}{' ' * bool(unit)}{unit} on {', '.join(which)}" for value, which in serials.items())
