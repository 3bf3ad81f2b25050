"""Which frames of several videos are of one moment: by their numbers, or by a table of caliscope's beside them.

::

    timestamps.csv              cam_id, frame_time [, sync_index]      a row a frame, in each video's order
    frame_time_history.csv      port, frame_time, sync_index           older

Source: github.com/mprib/caliscope, ``synchronized_timestamps.py`` and the recordings beside its tests.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.naming import camera_of
from genlock.errors import SessionFolderError
from genlock.findings import Finding, Severity

__all__ = ["sets_of_frames"]

_TABLES = ("timestamps.csv", "frame_time_history.csv")
_CAMERA_COLUMNS = ("cam_id", "port", "camera")
_SET_COLUMN, _TIME_COLUMN = "sync_index", "frame_time"

_Row = Mapping[str, str]


def sets_of_frames(
    folder: Path, counts: Mapping[str, int]
) -> tuple[Mapping[str, Mapping[int, int]], tuple[Finding, ...]]:
    """For each camera the set of each of its video's frames, and what should be known of that.

    Args:
        folder: where a table may lie.
        counts: how many frames each camera's video has.

    Raises:
        SessionFolderError: a table that does not say which frames belong together.
    """
    path = next((folder / name for name in _TABLES if (folder / name).is_file()), None)
    if path is None:
        by_number = {camera: {n: n for n in range(count)} for camera, count in counts.items()}
        return by_number, (_differ("videos", _listed(counts)),) if len(set(counts.values())) > 1 else ()
    rows = _rows(path, list(counts))
    columns = {column for own in rows.values() for column, value in own[0].items() if value}
    if _SET_COLUMN in columns:
        sets = {c: dict(enumerate(map(int, _numbers(path, own, _SET_COLUMN)))) for c, own in rows.items()}
    elif _TIME_COLUMN in columns:
        sets = _sets_by_time({camera: _numbers(path, own, _TIME_COLUMN) for camera, own in rows.items()})
    else:
        raise SessionFolderError(path, f"has neither a column {_SET_COLUMN} nor {_TIME_COLUMN}.")
    findings = tuple(
        _differ(f"camera {camera}", f"{count}, and {path.name} {len(rows[camera])} rows for it")
        for camera, count in counts.items()
        if count != len(rows[camera])
    )
    return sets, findings


def _rows(path: Path, cameras: Sequence[str]) -> dict[str, list[_Row]]:
    """By camera, every one there; rows of other cameras are nobody's."""
    rows: dict[str, list[_Row]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, skipinitialspace=True)
            column = next((name for name in _CAMERA_COLUMNS if name in (table.fieldnames or ())), None)
            if column is None:
                raise SessionFolderError(path, f"has no column that names the camera: {', '.join(_CAMERA_COLUMNS)}.")
            for row in table:
                rows.setdefault(camera_of(row[column] or "", cameras, is_whole=True), []).append(row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise SessionFolderError(path, f"is no table: {error}.") from error
    if missing := [camera for camera in cameras if camera not in rows]:
        raise SessionFolderError(path, f"says nothing of {', '.join(missing)}; take it away if it is of other videos.")
    return {camera: rows[camera] for camera in cameras}


def _numbers(path: Path, rows: Sequence[_Row], column: str) -> list[float]:
    try:
        numbers = [float(row[column]) for row in rows]
    except (TypeError, ValueError) as error:
        raise SessionFolderError(path, f"has a {column} that is no number: {error}.") from error
    if not all(map(math.isfinite, numbers)):
        raise SessionFolderError(path, f"has a {column} that is no number: every frame needs a finite one.")
    return numbers


def _sets_by_time(times: Mapping[str, Sequence[float]]) -> dict[str, dict[int, int]]:
    """Frames join the nearest frame of the camera that has most, if no further than half its usual interval."""
    most = max(times, key=lambda camera: len(times[camera]))
    reference = np.array(times[most])
    reach = float(np.median(np.diff(np.sort(reference)))) / 2 if len(reference) > 1 else np.inf
    sets: dict[str, dict[int, int]] = {}
    for camera, listed in times.items():
        own = np.array(listed)
        nearest, back = _nearest(own, reference), _nearest(reference, own)
        is_joined = (back[nearest] == np.arange(len(own))) & (np.abs(own - reference[nearest]) <= reach)
        sets[camera] = {int(frame): int(nearest[frame]) for frame in np.flatnonzero(is_joined)}
    return sets


def _nearest(times: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,): which of the others (M,) each time is nearest to; both in any order."""
    order = np.argsort(others, kind="stable")
    ordered = others[order]
    return order[np.searchsorted((ordered[1:] + ordered[:-1]) / 2, times)]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{camera}: {count}" for camera, count in counts.items())


def _differ(where: str, counts: str) -> Finding:
    return Finding(
        "calibrate.frames_differ",
        Severity.WARNING,
        where,
        f"frames that should be of one moment may not be: {counts} frames",
        "record again, or lay a timestamps.csv beside the videos: cam_id, sync_index, a row a frame",
    )
