"""The option that says when a recording goes on in a new file; several verbs share it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

__all__ = ["SplitEvery", "check_split_rule"]


def check_split_rule(kind: object, value: str | None) -> None:
    """Raises ``ValueError``, which the command line tells as wrong usage."""
    from genlock.recording import parse_split_rule

    if value is not None:
        parse_split_rule(value)


SplitEvery = Annotated[
    str | None,
    Parameter(
        validator=check_split_rule,
        help="Go on in a new file after so much time or size: 30min, 90s, 1.5h, 4GB, 500MB (10^6 bytes).",
    ),
]
