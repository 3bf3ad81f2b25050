"""What a user tells the virtual rig on a command line, as one scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from genlock.devices.scenario import Scenario, SceneName, load_scenario, parse_fault
from genlock.errors import UnreadableInputError
from genlock.rig import Rig

__all__ = ["make_scenario"]


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
