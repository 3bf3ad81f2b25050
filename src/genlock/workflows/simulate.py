"""What a user tells the virtual rig on a command line, as one scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from genlock.devices.scenario import Fault, FaultKind, Scenario, SceneName, load_scenario, parse_fault
from genlock.errors import UnreadableInputError
from genlock.recording import write_atomically
from genlock.rig import Rig

__all__ = ["TRUTH_SUFFIX", "apply_live_fault", "make_scenario", "truth_path", "write_truth"]

TRUTH_SUFFIX = ".truth.json"


@runtime_checkable
class KnowsTruth(Protocol):
    """A backend that knows what really was: a virtual one."""

    def truth(self) -> Mapping[str, Any]:  # Any: JSON
        """What really was; documented in ``docs/reference/truth-file.md``."""


@runtime_checkable
class TakesFaults(Protocol):
    """A backend in which things can be made to go wrong while it runs: a virtual one."""

    def cause(self, fault: Fault) -> None:
        """Makes it go wrong; its times count from now."""

    def cure(self, kind: FaultKind, serial: str | None = None) -> None:
        """Ends the faults of this kind at this device."""


def apply_live_fault(backend: object, rig: Rig, text: str) -> str:
    """Causes what a line says, or ends it where the line begins with a minus; returns what was done, for a person.

    Raises:
        UnreadableInputError: the line makes no sense, or names a device that the rig does not have, or the backend is
            no virtual rig.
    """
    if not isinstance(backend, TakesFaults):
        raise UnreadableInputError(text, "faults are for the virtual rig")
    is_cure = text.startswith("-")
    try:
        fault = parse_fault(text.removeprefix("-").strip())
    except ValueError as error:
        raise UnreadableInputError(text, str(error)) from error
    known = [device.serial for device in rig.devices]
    if fault.serial is not None and fault.serial not in known:
        raise UnreadableInputError(text, f"the rig has no device {fault.serial}; it has: {', '.join(known)}")
    if is_cure:
        backend.cure(fault.kind, fault.serial)
        return f"ended {fault.kind}" + (f" at {fault.serial}" if fault.serial else "")
    backend.cause(fault)
    return f"caused {fault}"


def truth_path(session: Path) -> Path:
    """Where the truth about a session lies: beside it, never in it, so that whoever judges it does not see it."""
    return session.with_name(session.name + TRUTH_SUFFIX)


def write_truth(backend: object, session: Path) -> None:
    """Writes what really was, where the backend knows it; an older file of this name is replaced."""
    if isinstance(backend, KnowsTruth):
        write_atomically(truth_path(session), json.dumps(backend.truth(), indent=2) + "\n")


def make_scenario(
    rig: Rig, *, file: Path | None = None, faults: Sequence[str] = (), scene: SceneName | None = None
) -> Scenario:
    """The scenario of a file, if one is named, with further faults.

    Args:
        rig: whose devices the faults may name.
        file: a scenario (TOML).
        faults: each as ``KIND[@START[-END]s][:SERIAL][=AMOUNT]``.
        scene: instead of the default scene, where no file is named.

    Raises:
        UnreadableInputError: the file or a fault makes no sense, or names a device that the rig does not have.
    """
    scenario = load_scenario(file) if file is not None else Scenario()
    if file is None and scene is not None:
        scenario = replace(scenario, scene=scene)
    try:
        parsed = tuple(parse_fault(text) for text in faults)
    except ValueError as error:
        raise UnreadableInputError("--fault", str(error)) from error
    known = [device.serial for device in rig.devices]
    for fault in (*scenario.faults, *parsed):
        if fault.serial is not None and fault.serial not in known:
            where = "--fault" if fault in parsed else str(file)
            raise UnreadableInputError(where, f"the rig has no device {fault.serial}; it has: {', '.join(known)}")
    return replace(scenario, faults=(*scenario.faults, *parsed))
