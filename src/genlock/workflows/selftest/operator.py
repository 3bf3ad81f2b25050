"""Hands: somebody at the terminal, or a rehearsal that does to the virtual rig what was asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, runtime_checkable

from genlock.devices.scenario import Fault, FaultKind

__all__ = ["NOBODY", "Operator", "Rehearsal", "Task", "VirtualRig"]


class Task(StrEnum):
    """What an operator is asked to do."""

    CHECK_WIRING = "check_wiring"
    """Every cable as the rig file has it, nothing else plugged in."""
    PULL_SYNC_IN = "pull_sync_in"
    """Pull the plug out of one device's Sync In."""
    PUT_BACK_SYNC_IN = "put_back_sync_in"
    TRIGGER_ON = "trigger_on"
    TRIGGER_OFF = "trigger_off"
    HOLD_STILL = "hold_still"
    """Nobody moves in view of the cameras until the next request."""

    def text(self, serial: str | None = None) -> str:
        """What a person reads."""
        return _TEXTS[self].format(serial=serial)


_TEXTS = {
    Task.CHECK_WIRING: "Plug every sync cable as the rig file says (genlock plan RIG.toml --wiring shows it), every "
    "device's power and USB.",
    Task.PULL_SYNC_IN: "Pull the sync cable out of Sync In of device {serial}, and confirm right then: the moment "
    "counts.",
    Task.PUT_BACK_SYNC_IN: "Push the sync cable back into Sync In of device {serial} until it clicks.",
    Task.TRIGGER_ON: "Switch the external trigger on.",
    Task.TRIGGER_OFF: "Switch the external trigger off.",
    Task.HOLD_STILL: "Let two devices see the same, empty space, and nobody move in it from now on.",
}


class Operator(Protocol):
    """Does what is asked."""

    def do(self, task: Task, serial: str | None = None) -> str | None:
        """Returns once it is done; why it was not, ``None`` when it was."""
        ...


class _Nobody:
    def do(self, task: Task, serial: str | None = None) -> str | None:
        """Confirms what is so by itself, and does nothing that needs hands."""
        passive = (Task.CHECK_WIRING, Task.HOLD_STILL)
        return None if task in passive else f"nobody was there to do it: {task.text(serial)}"


NOBODY: Operator = _Nobody()
"""Every cable is where it belongs, and nobody is there to move one."""


@runtime_checkable
class VirtualRig(Protocol):
    """A backend whose faults can be caused while it runs."""

    def cause(self, fault: Fault) -> None:
        """Makes something go wrong now."""
        ...

    def cure(self, kind: FaultKind, serial: str | None = None) -> None:
        """Ends it."""
        ...


class Rehearsal:
    """Does to the virtual rig what a person does to a real one. Its trigger minds itself."""

    def __init__(self, rig: VirtualRig) -> None:
        self._rig = rig

    def do(self, task: Task, serial: str | None = None) -> str | None:
        """Always done at once."""
        if task is Task.PULL_SYNC_IN:
            self._rig.cause(Fault(kind=FaultKind.CABLE_PULLED, serial=serial))
        elif task is Task.PUT_BACK_SYNC_IN:
            self._rig.cure(FaultKind.CABLE_PULLED, serial)
        return None
