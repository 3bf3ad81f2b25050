"""Options of the verbs that run a backend: what a user may tell the virtual rig."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from genlock.errors import UnreadableInputError

if TYPE_CHECKING:
    from genlock.rig import Rig

__all__ = ["BackendName", "Faults", "ScenarioFile", "backend_options"]

BackendName = Annotated[str, Parameter(help="Who makes the captures: sim is the virtual rig.")]
Faults = Annotated[
    tuple[str, ...],
    Parameter(
        name="--fault",
        negative="",
        help="What goes wrong in the virtual rig, as KIND[@START[-END]s][:SERIAL][=AMOUNT]; may be given again. "
        "genlock sim faults lists the kinds.",
    ),
]
ScenarioFile = Annotated[
    Path | None,
    Parameter(name="--scenario", help="The virtual rig's circumstances: seed, scene, timing, faults (TOML)."),
]


def backend_options(
    backend: str, rig: Rig, faults: tuple[str, ...], scenario: Path | None, *, is_still: bool = False
) -> dict[str, Any]:  # Any: each backend has options of its own
    """What to open the backend with. Raises ``UnreadableInputError`` when only the virtual rig could obey."""
    if backend != "sim":
        if faults or scenario:
            raise UnreadableInputError(
                "--fault" if faults else "--scenario", f"is for the virtual rig; the backend is {backend}"
            )
        return {}
    from genlock.devices.scenario import SceneName
    from genlock.workflows.simulate import make_scenario

    scene = SceneName.EMPTY_ROOM if is_still else None
    return {"scenario": make_scenario(rig, file=scenario, faults=faults, scene=scene)}
