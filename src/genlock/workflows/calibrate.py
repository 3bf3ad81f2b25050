"""Find out where the cameras are: from recorded sessions of a moving board, or from any synchronized images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate import (
    CalibrationReport,
    DepthReadings,
    Detection,
    Movement,
    PlacedCamera,
    Solved,
    TargetDetector,
    View,
    check_depth,
    export_cameras,
    extrinsics_of,
    find_movements,
    gather,
    gray_image,
    is_dark,
    load_intrinsics,
    make_report,
    on_board,
    read_depth,
    read_footage,
    report_html,
    solve_poses,
)
from genlock.capture import Capture, CaptureSet, Image
from genlock.errors import ExtrinsicsFileError, RecordingError, SessionFolderError
from genlock.geometry import (
    WORLD,
    CameraModel,
    Pose,
    RigExtrinsics,
    device_frame,
    load_extrinsics,
)
from genlock.k4a import ColorResolution, DepthMode
from genlock.k4a.calibration import DeviceCalibration
from genlock.recording import RecordedSession, RecordingReader, write_atomically
from genlock.targets import Target
from genlock.workflows.progress import NoProgress, Progress

__all__ = [
    "CalibrationResult",
    "CheckResult",
    "Imager",
    "calibrate_images",
    "calibrate_sessions",
    "check_session",
    "export_calibration",
    "write_calibration",
]

_MOST_SETS = 300
"""More sets of a moving board add little: the board hardly moves between neighbours. They are thinned evenly."""

_MOST_DEPTH_IMAGES = 24
"""A device's depth images that are kept to check the board's size with: a thousand readings, 18 MB."""


class Imager(StrEnum):
    """Which of a device's two cameras looks for the board."""

    COLOR = "color"
    IR = "ir"
    """The depth camera's own picture: works on rigs without color."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationResult:
    """A calibration and what it was made from."""

    report: CalibrationReport
    solved: Solved | None

    @property
    def extrinsics(self) -> RigExtrinsics | None:
        """Where the devices are; ``None`` when nothing could be solved."""
        return self.report.extrinsics


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


@dataclass(slots=True)
class _Gathered:
    """What several sessions showed; cameras are devices, by serial."""

    cameras: dict[str, CameraModel] = field(default_factory=dict)
    T_cam_device: dict[str, Pose] = field(default_factory=dict)
    depth_cameras: dict[str, CameraModel] = field(default_factory=dict)
    found: dict[View, Detection] = field(default_factory=dict)
    depths: dict[View, NDArray[np.uint16]] = field(default_factory=dict)
    unusable: list[tuple[str, int, str]] = field(default_factory=list)
    """Camera, set, reason."""


def calibrate_sessions(
    paths: Sequence[Path],
    target: Target,
    *,
    imager: Imager = Imager.COLOR,
    world: str = "",
    progress: Progress | None = None,
) -> CalibrationResult:
    """Calibrates a rig from one or more sessions in which a board was shown to it.

    Sets are matched as always, with the configured delays taken out: what is left between two devices' images, up to
    1.44 ms of delay, moves a board that is carried at 0.2 m/s by 0.3 mm at most.

    Args:
        paths: session folders; all of the same devices in the same places.
        target: the board.
        imager: which camera looks.
        world: ``device:SERIAL``, or ``board:SET`` for the board of that set lying on the floor; by default the device
            that holds the solution.
        progress: told of every session.

    Raises:
        UnreadableInputError: a session that cannot be read or carries no calibration.
        ValueError: a world that is not there.
    """
    progress = progress or NoProgress()
    gathered = _Gathered()
    detector = TargetDetector(target)
    for number, path in enumerate(paths):
        progress.step(f"look for the board in {path}")
        _look(path, detector, imager, gathered, number * 1_000_000, progress)
    progress.step("solve")
    return _solve(gathered, target, world)


def calibrate_images(
    folder: Path, intrinsics: Path, target: Target, *, progress: Progress | None = None
) -> CalibrationResult:
    """Calibrates any cameras from synchronized videos or pictures with given lenses.

    Raises:
        UnreadableInputError: images or intrinsics that cannot be read.
    """
    progress = progress or NoProgress()
    cameras = load_intrinsics(intrinsics)
    detector = TargetDetector(target)
    gathered = _Gathered(cameras=dict(cameras))
    for name in cameras:
        gathered.T_cam_device[name] = Pose.identity("cam", device_frame(name))
    progress.step(f"look for the board in {folder}")
    for name, index, gray in read_footage(folder, cameras):
        model = cameras[name]
        if gray.shape != (model.height_px, model.width_px):
            raise SessionFolderError(
                folder,
                f"camera {name} has images of {gray.shape[1]}x{gray.shape[0]}; its lens was measured at "
                f"{model.width_px}x{model.height_px}.",
            )
        gathered.found[View(name, index)] = detector.find(gray)
    progress.step("solve")
    return _solve(gathered, target, "")


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
    """Writes the extrinsics to ``path``, the report as HTML and JSON beside it; returns what was written."""
    stem = path.with_suffix("")
    page, report = stem.with_name(stem.name + "-report.html"), stem.with_name(stem.name + "-report.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [report, page]
    write_atomically(report, json.dumps(result.report.to_json(), indent=2) + "\n")
    write_atomically(page, report_html(result.report, result.solved))
    if result.extrinsics is not None:
        write_atomically(path, json.dumps(result.extrinsics.to_json(), indent=2) + "\n")
        written.insert(0, path)
    return tuple(written)


def export_calibration(session_path: Path, extrinsics_path: Path, kind: str, folder: Path) -> tuple[Path, ...]:
    """Writes the color cameras of a session in their places as another tool reads them; returns the files.

    Raises:
        UnreadableInputError: a session or extrinsics that cannot be read, or that do not fit each other.
        ValueError: no such format.
    """
    extrinsics = load_extrinsics(extrinsics_path)
    gathered = _Gathered()
    with RecordedSession(session_path) as session:
        for serial, reader in session.readers.items():
            _add_device(serial, reader, Imager.COLOR, gathered)
    missing = [serial for serial in gathered.cameras if serial not in extrinsics.T_world_device]
    if missing:
        raise ExtrinsicsFileError(extrinsics_path, f"lacks {', '.join(missing)}.")
    placed = [
        PlacedCamera(serial, model, extrinsics.T_world_device[serial] @ gathered.T_cam_device[serial].inverse())
        for serial, model in gathered.cameras.items()
    ]
    files = export_cameras(placed, kind)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)
    return tuple(folder / name for name in files)


def _look(
    path: Path, detector: TargetDetector, imager: Imager, gathered: _Gathered, first: int, progress: Progress
) -> None:
    with RecordedSession(path) as session:
        for serial, reader in session.readers.items():
            _add_device(serial, reader, imager, gathered)
        total = max((len(reader.has_image()) for reader in session.readers.values()), default=0)
        step = max(1, -(-total // _MOST_SETS))
        for capture_set in _every(session, step):
            progress.advance(capture_set.index, total, "sets")
            for serial, capture in capture_set.captures.items():
                view = View(serial, first + capture_set.index)
                found, reason = _detect(capture, detector, imager)
                gathered.found[view] = found
                if reason:
                    gathered.unusable.append((serial, view.set_index, reason))
                kept = sum(other.camera == serial for other in gathered.depths)
                if len(found) and capture.depth is not None and kept < _MOST_DEPTH_IMAGES:
                    gathered.depths[view] = capture.depth.pixels


def _every(session: RecordedSession, step: int) -> Iterator[CaptureSet]:
    return (capture_set for number, capture_set in enumerate(session) if number % step == 0)


def _detect(capture: Capture, detector: TargetDetector, imager: Imager) -> tuple[Detection, str]:
    """What was found, and why an image could show nothing; an empty reason for any other."""
    nothing = Detection(np.empty(0, np.int64), np.empty((0, 2)))
    image: Image | None = capture.color if imager is Imager.COLOR else capture.ir
    if image is None:
        return nothing, ""
    try:
        gray = gray_image(image)
    except ValueError:
        return nothing, "damaged"
    return (nothing, "black") if is_dark(gray) else (detector.find(gray), "")


def _add_device(serial: str, reader: RecordingReader, imager: Imager, gathered: _Gathered) -> None:
    config = reader.config
    if reader.calibration is None:
        raise RecordingError(reader.path, "carries no factory calibration; without it nothing is known of its lenses.")
    calibration = DeviceCalibration.from_json(reader.calibration)
    if imager is Imager.COLOR:
        if config.color_resolution is ColorResolution.OFF:
            raise RecordingError(reader.path, "has no color; use --imager ir.")
        camera = calibration.color_camera(config.color_resolution)
        T_cam_device = calibration.T_color_depth
    else:
        if config.depth_mode is DepthMode.OFF:
            raise RecordingError(reader.path, "has no IR; use --imager color.")
        camera, T_cam_device = calibration.depth_camera(config.depth_mode), Pose.identity("cam", "depth")
    if gathered.cameras.setdefault(serial, camera) != camera:
        raise RecordingError(reader.path, f"has another mode or calibration of device {serial} than a session before.")
    gathered.T_cam_device[serial] = Pose("cam", device_frame(serial), T_cam_device.rotation, T_cam_device.translation_m)
    if config.depth_mode not in (DepthMode.OFF, DepthMode.PASSIVE_IR):
        gathered.depth_cameras[serial] = calibration.depth_camera(config.depth_mode)


def _solve(gathered: _Gathered, target: Target, world: str) -> CalibrationResult:
    observations = gather(gathered.cameras, gathered.found)
    solved = solve_poses(observations, target.corners_board)
    views_before = {name: sum(view.camera == name for view in observations.views) for name in gathered.cameras}
    if solved is None:
        return CalibrationResult(make_report(target, None, None, views_before, unusable=gathered.unusable), None)
    T_world_ref, description = _world(solved, gathered, target, world)
    extrinsics = extrinsics_of(solved.solution, gathered.T_cam_device, T_world_ref, description)
    depth = check_depth(_depth_readings(solved, gathered, target))
    return CalibrationResult(
        make_report(target, solved, extrinsics, views_before, depth=depth, unusable=gathered.unusable), solved
    )


def _world(solved: Solved, gathered: _Gathered, target: Target, world: str) -> tuple[Pose, str]:
    """``T_world_ref``, and what the world is."""
    cameras = solved.solution.cameras
    kind, _, name = (world or f"device:{cameras[0]}").partition(":")
    if kind == "board" and name.isdecimal():
        middle = target.corners_board.mean(axis=0)
        return on_board(solved.solution, int(name), middle), f"the middle of the board in set {name}, z up out of it"
    if kind != "device" or name not in cameras:
        raise ValueError(f"a world is device:SERIAL of {', '.join(cameras)}, or board:SET; found {world!r}")
    number = cameras.index(name)
    T_cam_ref = Pose("cam", "ref", solved.solution.R_cam_ref[number], solved.solution.t_cam_ref[number])
    T_device_cam = gathered.T_cam_device[name].inverse()
    return Pose(WORLD, "cam", T_device_cam.rotation, T_device_cam.translation_m) @ T_cam_ref, f"device {name}"


def _depth_readings(solved: Solved, gathered: _Gathered, target: Target) -> Mapping[str, DepthReadings]:
    parts: dict[str, list[DepthReadings]] = {serial: [] for serial in solved.solution.cameras}
    solution, used = solved.solution, solved.observations
    for number, view in enumerate(used.views):
        if view not in gathered.depths or view.camera not in gathered.depth_cameras:
            continue
        c, b = solution.cameras.index(view.camera), solution.sets.index(view.set_index)
        board = target.corners_board[used.corners[used.corners_of(number)]]
        points_ref = board @ solution.R_ref_board[b].T + solution.t_ref_board[b]
        points_cam = points_ref @ solution.R_cam_ref[c].T + solution.t_cam_ref[c]
        T_depth_cam = gathered.T_cam_device[view.camera].inverse()
        parts[view.camera].append(
            read_depth(gathered.depths[view], gathered.depth_cameras[view.camera], T_depth_cam, points_cam)
        )
    return {
        serial: DepthReadings(
            np.concatenate([p.expected_mm for p in pieces]), np.concatenate([p.measured_mm for p in pieces])
        )
        for serial, pieces in parts.items()
        if pieces
    }
