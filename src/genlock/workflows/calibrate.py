"""Find out where the cameras are: from recorded sessions of a moving board, or from any synchronized images."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from genlock.calibrate import (
    CalibrationReport,
    Movement,
    TargetDetector,
    UnknownDictionaryError,
    View,
    WorldKind,
    find_movements,
    lenses_toml,
    load_intrinsics,
    look_at_gray,
    parse_world,
    read_footage,
    report_html,
)
from genlock.capture import Capture, CaptureSet
from genlock.errors import RecordingError, SessionFolderError
from genlock.geometry import Pose, load_extrinsics
from genlock.recording import RecordedSession, RecordingReader, write_atomically
from genlock.targets import Target
from genlock.workflows.boards import BoardFootage, CalibrationResult, Imager, Refinement
from genlock.workflows.progress import NoProgress, Progress

__all__ = [
    "CheckResult",
    "calibrate_images",
    "calibrate_sessions",
    "check_session",
    "look_together",
    "write_calibration",
]

_MOST_SETS = 300
"""More sets of a moving board add little: the board hardly moves between neighbours. They are thinned evenly."""
_SETS_A_SESSION = 1_000_000
"""Sets of the second session are counted from here, of the third from twice this on."""
_ACCELEROMETER_EVERY = 16
"""One reading of so many, 100 a second, is plenty for which way is up."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult:
    """Whether cameras have moved since."""

    movements: tuple[Movement, ...]
    report: CalibrationReport

    @property
    def has_moved(self) -> bool:
        """Whether any has."""
        return any(movement.has_moved for movement in self.movements)

    def to_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "format_version": 1,
            "moved": [m.serial for m in self.movements if m.has_moved],
            "devices": {
                m.serial: {
                    "moved_mm": m.moved_mm, "turned_deg": m.turned_deg, "limit_mm": m.limit_mm,
                    "limit_deg": m.limit_deg, "has_moved": m.has_moved,
                }
                for m in self.movements
            },
            "findings": [finding.to_json() for finding in self.report.findings],
        }  # fmt: skip


def calibrate_sessions(
    paths: Sequence[Path],
    target: Target,
    *,
    imager: Imager = Imager.COLOR,
    world: str = "",
    refine: Collection[Refinement] = (),
    progress: Progress | None = None,
) -> CalibrationResult:
    """Calibrates a rig from one or more sessions in which a board was shown to it.

    Sets are matched as always, with the configured delays taken out: what is left between two devices' images, up to
    1.44 ms of delay, moves a board that is carried at 0.2 m/s by 0.3 mm at most.

    Args:
        paths: session folders; all of the same devices in the same places.
        target: the board.
        imager: which camera looks.
        world: as ``parse_world`` reads it; by default the device that holds the solution.
        refine: what may be made better; taken only where held-out images gain.
        progress: told of every session.

    Raises:
        UnreadableInputError: a session that cannot be read or carries no calibration.
        ValueError: a world that is not there.
    """
    progress = progress or NoProgress()
    footage = BoardFootage(target, parse_world(world, target), frozenset(refine))
    for number, path in enumerate(paths):
        progress.step(f"look for the board in {path}")
        _look(path, imager, footage, number * _SETS_A_SESSION, progress)
    progress.step("solve")
    return footage.solve()


def calibrate_images(
    folder: Path,
    intrinsics: Path,
    target: Target,
    *,
    world: str = "",
    refine: Collection[Refinement] = (),
    progress: Progress | None = None,
) -> CalibrationResult:
    """Calibrates any cameras from synchronized videos or pictures with given lenses.

    Raises:
        UnreadableInputError: images or intrinsics that cannot be read.
        ValueError: a world that is not there; only a device's and the board's are.
    """
    progress = progress or NoProgress()
    cameras = load_intrinsics(intrinsics)
    detector = TargetDetector(target)
    footage = BoardFootage(target, parse_world(world, target), frozenset(refine))
    for name, camera in cameras.items():
        footage.add_camera(name, camera, Pose.identity("cam", "depth"))
    progress.step(f"look for the board in {folder}")
    for name, index, gray in read_footage(folder, cameras):
        model = cameras[name]
        if gray.shape != (model.height_px, model.width_px):
            raise SessionFolderError(
                folder,
                f"camera {name} has images of {gray.shape[1]}x{gray.shape[0]}; its lens was measured at "
                f"{model.width_px}x{model.height_px}.",
            )
        footage.looks[View(name, index)] = look_at_gray(gray, detector)
    progress.step("solve")
    return footage.solve()


def check_session(
    path: Path,
    extrinsics_path: Path,
    target: Target,
    *,
    imager: Imager = Imager.COLOR,
    progress: Progress | None = None,
) -> CheckResult:
    """Says which cameras have moved since the extrinsics were made, by a session that shows the board again."""
    then = load_extrinsics(extrinsics_path)
    result = calibrate_sessions([path], target, imager=imager, progress=progress)
    movements = find_movements(then, result.extrinsics) if result.extrinsics else ()
    return CheckResult(movements, result.report)


def write_calibration(result: CalibrationResult, path: Path) -> tuple[Path, ...]:
    """Writes the extrinsics to ``path``, the report as HTML and JSON beside it; returns what was written.

    Lenses that were refined are written too: the poses are right only together with them.
    """
    stem = path.with_suffix("")
    page, report = stem.with_name(stem.name + "-report.html"), stem.with_name(stem.name + "-report.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [report, page]
    write_atomically(report, json.dumps(result.report.to_json(), indent=2) + "\n")
    write_atomically(page, report_html(result.report, result.solved))
    if result.refined_lenses:
        lenses = stem.with_name(stem.name + "-lenses.toml")
        write_atomically(lenses, lenses_toml(result.refined_lenses))
        written.insert(0, lenses)
    if result.extrinsics is not None:
        write_atomically(path, json.dumps(result.extrinsics.to_json(), indent=2) + "\n")
        written.insert(0, path)
    return tuple(written)


def look_together(look: Callable[[str, Capture], object], captures: Mapping[str, Capture]) -> None:
    """Looks at one moment's captures, each device in a thread of its own: OpenCV lets go of the interpreter."""
    with ThreadPoolExecutor(min(len(captures), os.cpu_count() or 1), thread_name_prefix="look") as pool:
        list(pool.map(look, captures.keys(), captures.values()))


def _look(path: Path, imager: Imager, footage: BoardFootage, first: int, progress: Progress) -> None:
    with RecordedSession(path) as session:
        for serial, reader in session.readers.items():
            _add_device(serial, reader, imager, footage)
        total = max((len(reader.has_image()) for reader in session.readers.values()), default=0)
        for capture_set in _every(session, max(1, -(-total // _MOST_SETS))):
            progress.advance(capture_set.index, total, "sets")
            number = first + capture_set.index

            def look(serial: str, capture: Capture, number: int = number) -> None:
                footage.look(View(serial, number), capture, imager)

            if capture_set.captures:
                look_together(look, capture_set.captures)
                footage.keep_scene(capture_set.captures)


def _every(session: RecordedSession, step: int) -> Iterator[CaptureSet]:
    return (capture_set for number, capture_set in enumerate(session) if number % step == 0)


def _add_device(serial: str, reader: RecordingReader, imager: Imager, footage: BoardFootage) -> None:
    if reader.calibration is None:
        raise RecordingError(reader.path, "carries no factory calibration; without it nothing is known of its lenses.")
    try:
        footage.add_device(serial, reader.calibration, reader.config, imager)
    except UnknownDictionaryError:
        raise
    except ValueError as error:
        raise RecordingError(reader.path, str(error)) from error
    if footage.world.kind is WorldKind.GRAVITY:
        readings = [sample.acc_m_per_s2 for sample in islice(reader.imu(), 0, None, _ACCELEROMETER_EVERY)]
        footage.feel(serial, np.array(readings).reshape(-1, 3))
