"""One computer's share of a rig: which devices it records, and how long it waits for pulses from another."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from genlock.errors import UnworkablePlanError
from genlock.findings import Finding, Severity
from genlock.k4a import WiredSyncMode
from genlock.plan import Plan

__all__ = ["FIRST_PULSE_WAIT_SEC", "plan_of_host", "plan_of_share", "waits_for_another_host"]

FIRST_PULSE_WAIT_SEC = 3600.0
"""How long subordinates wait for a master that is started on another computer, by hand."""


def plan_of_host(plan: Plan, host: str | None) -> Plan:
    """The part of a plan that one computer runs; all of it for ``None``.

    Raises:
        UnworkablePlanError: no device is plugged into that computer.
    """
    if host is None:
        return plan
    devices = tuple(device for device in plan.devices if device.host == host)
    if not devices:
        names = sorted({device.host for device in plan.devices if device.host}) or ["none: no device names a host"]
        finding = Finding(
            "session.no_such_host",
            Severity.ERROR,
            "rig",
            f"no device of the rig is plugged into host {host!r}; hosts are: {', '.join(names)}",
            'Give each device its host in the rig file: host = "pc-1".',
        )
        raise UnworkablePlanError((finding,))
    serials = {device.serial for device in devices}
    return replace(
        plan,
        devices=devices,
        start_order=tuple(serial for serial in plan.start_order if serial in serials),
        budget=tuple(budget for budget in plan.budget if budget.host == host),
    )


def plan_of_share(plan: Plan, host: str, serials: Collection[str]) -> Plan:
    """The part of a plan that a session is of: one computer's, if it recorded just the devices plugged into it.

    Args:
        plan: of the whole rig.
        host: the computer that recorded.
        serials: the devices that it recorded.
    """
    own = {device.serial for device in plan.devices if device.host == host}
    return plan_of_host(plan, host) if own and own == set(serials) else plan


def waits_for_another_host(plan: Plan) -> bool:
    """Whether the pulses that these devices need come from elsewhere."""
    roles = {device.config.wired_sync_mode for device in plan.devices}
    return roles == {WiredSyncMode.SUBORDINATE}
