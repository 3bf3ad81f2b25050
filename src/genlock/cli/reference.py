"""The reference page of the command line, generated from the program: ``python -m genlock.cli.reference`` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from cyclopts import App
from rich.console import Console

from genlock.cli.main import app

__all__ = ["cli_reference", "verbs"]

_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def verbs() -> tuple[str, ...]:
    """Every verb, nested ones as ``rig schema``."""
    return tuple(name for name, _ in _verbs(app, ""))


def cli_reference() -> str:
    """The page, in Markdown."""
    parts = ["# The command line\n\nGenerated from `genlock --help`; do not edit.\n", _section("genlock", app, ())]
    parts += [_section(f"genlock {name}", app, tuple(name.split())) for name in verbs()]
    return "\n".join(parts)


def _verbs(parent: App, prefix: str) -> Iterator[tuple[str, App]]:
    for name in parent:
        if name.startswith("-"):
            continue
        child = parent[name]
        full = f"{prefix} {name}".strip()
        nested = list(_verbs(child, full))
        if child.default_command is not None:  # a verb of its own, with others under it
            yield full, child
        yield from nested


def _section(title: str, root: App, path: tuple[str, ...]) -> str:
    output = StringIO()
    root.help_print(path, console=Console(file=output, width=100, force_terminal=False, legacy_windows=False))
    lines = "\n".join(line.rstrip() for line in output.getvalue().strip().splitlines())
    return f"## `{title}`\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    _PAGE.write_text(cli_reference(), encoding="utf-8", newline="\n")
