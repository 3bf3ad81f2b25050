"""How long work tells how far it is: a door hands in a ``Progress``; the workflow itself prints nothing."""

from __future__ import annotations

from typing import Protocol

__all__ = ["NoProgress", "Progress"]


class Progress(Protocol):
    """Receives what a workflow is doing."""

    def step(self, text: str) -> None:
        """A new step has begun: ``start: subordinates in cable order, the master last``."""
        ...

    def advance(self, done: float, total: float, text: str) -> None:
        """How far the current step is; ``text`` is a few numbers worth seeing."""
        ...


class NoProgress:
    """Tells nobody."""

    def step(self, text: str) -> None:
        """Nothing."""

    def advance(self, done: float, total: float, text: str) -> None:
        """Nothing."""
