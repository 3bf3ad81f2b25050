"""The phases of a run, its legal moves, and why it ended; pure.

::

    NEW ──► OPEN ──► ARMED ──► RUNNING ──► STOPPING ──► CLOSED
     │        │        │                      ▲           ▲
     └────────┴────────┴──────────────────────┴───────────┘   at any failure
"""

from __future__ import annotations

from enum import Enum, StrEnum

__all__ = ["FinishReason", "Phase", "check_move"]


class Phase(Enum):
    """Where a run stands."""

    NEW = "new"
    OPEN = "open"
    """Every device is open."""
    ARMED = "armed"
    """Jacks match the wiring, the color controls are set, nothing streams."""
    RUNNING = "running"
    """Every device has been started."""
    STOPPING = "stopping"
    CLOSED = "closed"


class FinishReason(StrEnum):
    """Why a run ended; the states that a session folder can end in."""

    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


_MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.NEW: frozenset({Phase.OPEN, Phase.STOPPING, Phase.CLOSED}),
    Phase.OPEN: frozenset({Phase.ARMED, Phase.STOPPING}),
    Phase.ARMED: frozenset({Phase.RUNNING, Phase.STOPPING}),
    Phase.RUNNING: frozenset({Phase.STOPPING}),
    Phase.STOPPING: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}


def check_move(current: Phase, wanted: Phase) -> None:
    """Raises ``RuntimeError`` when a run may not go from one phase to the other: a mistake of the calling program."""
    if wanted not in _MOVES[current]:
        raise RuntimeError(f"a session that is {current.value} cannot become {wanted.value}")
