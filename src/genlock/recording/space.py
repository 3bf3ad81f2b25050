"""Is there room for the take?  Free space against what the plan says a minute takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from genlock.findings import Finding, Severity

__all__ = ["check_space"]


def check_space(folder: Path, seconds: float, exact_mb_per_sec: float, mb_per_sec: float) -> Iterator[Finding]:
    """Findings about the room on a folder's disk; one of severity error when it is clearly too little.

    Args:
        folder: where the take goes; need not exist yet.
        seconds: how long the take shall be.
        exact_mb_per_sec: what depth and IR images take, MB (10^6 bytes) per second: no scene makes it less.
        mb_per_sec: all recordings, with what color images usually take.
    """
    place = folder.absolute()
    try:
        while not place.exists():
            place = place.parent
        free_mb = shutil.disk_usage(place).free / 1e6
    except OSError:  # a folder that may not be looked into: who makes the take's folder says so
        return
    least_mb, usual_mb = exact_mb_per_sec * seconds, mb_per_sec * seconds
    if free_mb >= usual_mb:
        return
    is_certain = free_mb < least_mb
    lasts_sec = free_mb / mb_per_sec
    amount = f"{least_mb / 1e3:.2f} GB for depth and IR alone" if is_certain else f"about {usual_mb / 1e3:.2f} GB"
    yield Finding(
        "session.disk_too_small",
        Severity.ERROR if is_certain else Severity.WARNING,
        f"disk of {place}",
        f"{seconds:g} s take {amount} ({mb_per_sec * 60 / 1e3:.1f} GB a minute with color); {free_mb / 1e3:.2f} GB are "
        f"free, enough for about {lasts_sec:.0f} s",
        "Free some space, name another disk, record for a shorter time, or lower mode or rate.",
    )
