"""Find out where the cameras are: from recorded sessions of a moving board, or from any synchronized images."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from genlock.calibrate import (
    CalibrationVerdict,
    Footage,
    Movement,
    UnknownDictionaryError,
    View,
    WorldKind,
    find_footage,
    find_movements,
    lenses_toml,
    load_intrinsics,
    parse_world,
    report_html,
)
from genlock.capture import Capture, CaptureSet
from genlock.errors import RecordingError, SessionFolderError
from genlock.findings import Finding, Severity
from genlock.geometry import CameraModel, Pose, RigExtrinsics
from genlock.recording import RecordedSession, RecordingReader, write_atomically
from genlock.targets import Target
from genlock.workflows.boards import BoardFootage, CalibrationResult, Imager, Refinement
from genlock.workflows.placed import load_device_extrinsics
from genlock.workflows.progress import NoProgress, Progress

__all__ = [
    "CheckResult",
    "calibrate_images",
    "calibrate_sessions",
    "check_session",
    "look_together",
    "make_place",
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
    findings: tuple[Finding, ...]
    """What could not be checked, and what the new film's own calibration has to say."""

    @property
    def is_still(self) -> bool:
        """Whether all devices were checked, and none has moved."""
        has_moved = any(movement.has_moved for movement in self.movements)
        return not has_moved and not any(finding.code == "calibrate.not_checked" for finding in self.findings)

    def to_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "format_version": 1,
            "moved": [m.serial for m in self.movements if m.has_moved],
            "devices": {
                m.serial: {
                    "shift_mm": m.shift_mm, "limit_mm": m.limit_mm, "moved_mm": m.moved_mm,
                    "turned_deg": m.turned_deg, "has_moved": m.has_moved,
                }
                for m in self.movements
            },
            "findings": [finding.to_json() for finding in self.findings],
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
    footage = BoardFootage(target, parse_world(world, target), frozenset(refine))
    progress = progress or NoProgress()
    _look_at_sessions(paths, imager, footage, progress)
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
    lenses = load_intrinsics(intrinsics)
    found = find_footage(folder, list(lenses))
    footage = BoardFootage(target, parse_world(world, target), frozenset(refine), remarks=found.findings)
    for name in found.cameras:
        footage.add_camera(name, lenses[name], Pose.identity("cam", "depth"))
    sets = set(found.shared_sets(_MOST_SETS))
    _refuse_other_sizes(folder, found, sets, lenses)
    progress.step(f"look for the board in {folder}")
    for number, name in enumerate(found.cameras):
        for done, (index, gray) in enumerate(found.images(name, sets)):
            progress.advance(number * len(sets) + done, len(found.cameras) * len(sets), f"camera {name}, image {done}")
            footage.look_at_gray(View(name, index), gray)
    progress.step("solve")
    return footage.solve()


def _refuse_other_sizes(
    folder: Path, footage: Footage, sets: Collection[int], lenses: Mapping[str, CameraModel]
) -> None:
    """A lens in pixels holds for the size that it was measured in alone; a camera's first image tells its size."""
    mistakes = []
    for name in footage.cameras:
        first = next((gray for _, gray in footage.images(name, sets) if gray is not None), None)
        size, wanted = first.shape[::-1] if first is not None else (), (lenses[name].width_px, lenses[name].height_px)
        if first is not None and size != wanted:
            turned = ", so they were turned" if size[::-1] == wanted else ""
            mistakes.append(
                f"camera {name} has images of {size[0]}x{size[1]}; its lens was measured at "
                f"{wanted[0]}x{wanted[1]}{turned}"
            )
    if mistakes:
        raise SessionFolderError(folder, "; ".join(mistakes) + ".")


def check_session(
    path: Path,
    extrinsics_path: Path,
    target: Target,
    *,
    imager: Imager = Imager.COLOR,
    progress: Progress | None = None,
) -> CheckResult:
    """Says which cameras have moved since the extrinsics were made, by a session that shows the board again.

    Raises:
        UnreadableInputError: a session or extrinsics that cannot be read, or that do not fit each other.
    """
    then = load_device_extrinsics(extrinsics_path)
    footage = BoardFootage(target, lenses=then.lenses)
    progress = progress or NoProgress()
    _look_at_sessions([path], imager, footage, progress)
    progress.step("compare")
    result = footage.solve()
    movements: tuple[Movement, ...] = ()
    if result.solved is not None:
        movements = find_movements(then, result.solved, target.corners_board, footage.T_cam_device)
    checked = {movement.serial for movement in movements}
    unchecked = (serial for serial in {**then.T_world_device, **footage.cameras} if serial not in checked)
    return CheckResult(movements, (*(_not_checked(s, then, footage) for s in unchecked), *result.report.findings))


def _not_checked(serial: str, then: RigExtrinsics, footage: BoardFootage) -> Finding:
    if serial not in then.T_world_device:
        reason, remedy = "the extrinsics do not have it", "calibrate again, with it"
    elif serial not in footage.cameras:
        reason, remedy = "the session does not have it", "film all devices that the extrinsics have"
    else:
        reason = "it shared too few views of the board with the others"
        remedy = "show the board to it and to a neighbour at the same time"
    return Finding(
        "calibrate.not_checked", Severity.ERROR, f"device {serial}", f"whether it moved is unknown: {reason}", remedy
    )


def make_place(path: Path) -> None:
    """Makes the folder of a file and tries to write there: better said before filming than after.

    Raises:
        OSError: nothing can be written there; it names ``path``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_calibration(result: CalibrationResult, path: Path) -> tuple[Path, ...]:
    """Writes the extrinsics to ``path``, the report as HTML and JSON beside it; returns what was written.

    A rejected calibration replaces no other: where ``path`` exists, it is written beside it as ``...-rejected``. Lenses
    that were refined are in the extrinsics, and beside them once more as ``--intrinsics`` reads them, but for those
    of older units, which it cannot. Lenses of a calibration that was there before go with it.
    """
    if result.report.verdict is CalibrationVerdict.REJECTED and path.exists():
        path = path.with_name(f"{path.stem}-rejected{path.suffix}")
    stem = path.with_suffix("")
    page, report = stem.with_name(stem.name + "-report.html"), stem.with_name(stem.name + "-report.json")
    written = [report, page]
    write_atomically(report, json.dumps(result.report.to_json(), indent=2) + "\n")
    write_atomically(page, report_html(result.report, result.solved))
    lenses = stem.with_name(stem.name + "-lenses.toml")
    if content := _lenses(result):
        write_atomically(lenses, content)
        written.insert(0, lenses)
    else:
        lenses.unlink(missing_ok=True)
    if result.extrinsics is not None:
        write_atomically(path, json.dumps(result.extrinsics.to_json(), indent=2) + "\n")
        written.insert(0, path)
    return tuple(written)


def _lenses(result: CalibrationResult) -> str:
    """Refined ones as a file; empty without, and where the formula of one is none that other tools know."""
    try:
        return lenses_toml(result.refined_lenses)
    except ValueError:
        return ""


def look_together(look: Callable[[str, Capture], object], captures: Mapping[str, Capture]) -> None:
    """Looks at one moment's captures, each device in a thread of its own: OpenCV lets go of the interpreter."""
    with ThreadPoolExecutor(min(len(captures), os.cpu_count() or 1), thread_name_prefix="look") as pool:
        list(pool.map(look, captures.keys(), captures.values()))


def _look_at_sessions(paths: Sequence[Path], imager: Imager, footage: BoardFootage, progress: Progress) -> None:
    for number, path in enumerate(paths):
        progress.step(f"look for the board in {path}")
        first = number * _SETS_A_SESSION
        footage.films[str(path)] = range(first, first + _SETS_A_SESSION)
        _look(path, imager, footage, first, progress)


def _look(path: Path, imager: Imager, footage: BoardFootage, first: int, progress: Progress) -> None:
    with RecordedSession(path) as session:
        for serial, reader in session.readers.items():
            _add_device(serial, reader, imager, footage)
        total = max((len(reader.has_image()) for reader in session.readers.values()), default=0)
        for capture_set in _every(session, max(1, -(-total // _MOST_SETS))):
            progress.advance(capture_set.index, total, f"set {capture_set.index}")
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
