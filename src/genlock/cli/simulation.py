"""Options of the verbs that run a backend: what to tell the virtual rig, which take to play, which libk4a to use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from genlock.errors import UnreadableInputError

if TYPE_CHECKING:
    from genlock.rig import Rig

__all__ = ["AS_USUAL", "BackendChoices", "BackendName", "Circumstances", "K4aLibrary", "backend_options"]

_FAST = "fast"
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
K4aLibrary = Annotated[
    Path | None,
    Parameter(help="Microsoft's libk4a, or the folder that holds it; default: GENLOCK_K4A_LIBRARY, else it is found."),
]
TakeToPlay = Annotated[
    tuple[Path, ...],
    Parameter(
        name="--take",
        negative="",
        consume_multiple=True,
        help="What playback plays: a session folder, or files of one take; parts of a recording are played in order.",
    ),
]
Pace = Annotated[
    str,
    Parameter(help="How fast playback goes: fast is as fast as it can; a number, recorded seconds a second: 1, 0.5."),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """Options for whoever makes the captures; each is for one backend."""

    fault: Faults = ()
    scenario: ScenarioFile = None
    k4a_library: K4aLibrary = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BackendChoices(Circumstances):
    """The same for verbs that can also run on a recorded take."""

    take: TakeToPlay = ()
    pace: Pace = _FAST


AS_USUAL = BackendChoices()
"""Where the user says nothing."""


def backend_options(
    backend: str, rig: Rig, chosen: Circumstances, *, is_still: bool = False
) -> dict[str, Any]:  # Any: each backend has options of its own
    """What to open the backend with. Raises ``UnreadableInputError`` for options that another backend obeys."""
    take, pace = (chosen.take, chosen.pace) if isinstance(chosen, BackendChoices) else ((), _FAST)
    is_given = {
        ("sim", "the virtual rig"): {"--fault": bool(chosen.fault), "--scenario": chosen.scenario is not None},
        ("native", "real cameras"): {"--k4a-library": chosen.k4a_library is not None},
        ("playback", "playback"): {"--take": bool(take), "--pace": pace != _FAST},
    }
    for (owner, kind), options in is_given.items():
        given = [name for name, is_there in options.items() if is_there]
        if given and backend != owner:
            raise UnreadableInputError(given[0], f"is for {kind}; the backend is {backend}")
    if backend == "playback":
        return {"take": take[0] if len(take) == 1 else take or None, "pace": _pace_of(pace)}
    if backend == "native" and chosen.k4a_library is not None:
        return {"library": chosen.k4a_library}
    if backend != "sim":
        return {}
    from genlock.devices.scenario import SceneName
    from genlock.workflows.simulate import make_scenario

    scene = SceneName.EMPTY_ROOM if is_still else None
    return {"scenario": make_scenario(rig, file=chosen.scenario, faults=chosen.fault, scene=scene)}


def _pace_of(text: str) -> float | str:
    if text == _FAST:
        return _FAST
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0.001 <= pace <= 1000:
        raise UnreadableInputError("--pace", f"is 'fast' or a number from 0.001 to 1000; this is {text!r}")
    return pace
