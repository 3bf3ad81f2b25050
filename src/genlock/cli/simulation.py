"""Options of the verbs that run a backend: what a user may tell the virtual rig, and which take to play."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from genlock.errors import UnreadableInputError

if TYPE_CHECKING:
    from genlock.rig import Rig

__all__ = ["FAST", "BackendName", "Faults", "Pace", "ScenarioFile", "TakeToPlay", "backend_options"]

FAST = "fast"
BackendName = Annotated[
    str,
    Parameter(
        help="Who makes the captures: native is real cameras, sim the virtual rig, playback a recorded take (--take)."
    ),
]
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
    Parameter(name="--scenario", help="The virtual rig's circumstances: seed, scene, board, timing, faults (TOML)."),
]
TakeToPlay = Annotated[
    tuple[Path, ...],
    Parameter(
        name="--take",
        negative="",
        consume_multiple=True,
        help="What playback plays: a session folder, or files of one take, one a device.",
    ),
]
Pace = Annotated[
    str,
    Parameter(help="How fast playback goes: fast is as fast as it can; a number, recorded seconds a second: 1, 0.5."),
]


def backend_options(
    backend: str,
    rig: Rig,
    faults: tuple[str, ...],
    scenario: Path | None,
    *,
    take: tuple[Path, ...] = (),
    pace: str = FAST,
    is_still: bool = False,
) -> dict[str, Any]:  # Any: each backend has options of its own
    """What to open the backend with. Raises ``UnreadableInputError`` for options that another backend obeys."""
    of_sim = {"--fault": bool(faults), "--scenario": scenario is not None}
    of_playback = {"--take": bool(take), "--pace": pace != FAST}
    for owner, kind, options in (("sim", "the virtual rig", of_sim), ("playback", "playback", of_playback)):
        given = [name for name, is_given in options.items() if is_given]
        if given and backend != owner:
            raise UnreadableInputError(given[0], f"is for {kind}; the backend is {backend}")
    if backend == "playback":
        return {"take": take[0] if len(take) == 1 else take or None, "pace": _pace_of(pace)}
    if backend != "sim":
        return {}
    from genlock.devices.scenario import SceneName
    from genlock.workflows.simulate import make_scenario

    scene = SceneName.EMPTY_ROOM if is_still else None
    return {"scenario": make_scenario(rig, file=scenario, faults=faults, scene=scene)}


def _pace_of(text: str) -> float | str:
    if text == FAST:
        return FAST
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0.001 <= pace <= 1000:
        raise UnreadableInputError("--pace", f"is 'fast' or a number from 0.001 to 1000; this is {text!r}")
    return pace
