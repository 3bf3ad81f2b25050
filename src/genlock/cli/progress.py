"""Progress on standard error: a bar where somebody looks at a terminal, a line a step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

__all__ = ["shown_progress"]


class _Lines:
    def __init__(self) -> None:
        self._tenths = -1

    def step(self, text: str) -> None:
        self._tenths = -1
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()

    def advance(self, done: float, total: float, text: str) -> None:
        tenths = int(10 * done / total) if total else 10
        if tenths > self._tenths and tenths % 5 == 0:
            sys.stderr.write(f"    {100 * done / total if total else 100:.0f} %: {text}\n")
            sys.stderr.flush()
        self._tenths = max(tenths, self._tenths)


class _Silence:
    def step(self, text: str) -> None:
        pass

    def advance(self, done: float, total: float, text: str) -> None:
        pass


class _Bar:
    def __init__(self, progress: RichProgress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, detail="", visible=False)

    def step(self, text: str) -> None:
        self._progress.console.print(f"  {text}", highlight=False, markup=False)
        self._progress.update(self._task, visible=False)

    def advance(self, done: float, total: float, text: str) -> None:
        self._progress.update(self._task, completed=done, total=total, detail=text, visible=done < total)


@contextmanager
def shown_progress(*, is_quiet: bool) -> Iterator[_Lines | _Bar | _Silence]:
    """A ``workflows.Progress`` on standard error; nothing there when quiet and nobody watches."""
    if not sys.stderr.isatty():
        yield _Silence() if is_quiet else _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[detail]}"))
    with Progress("   ", *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress)
