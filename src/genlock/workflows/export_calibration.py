"""Write calibrated cameras as other tools read them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from genlock.calibrate import PlacedCamera, export_cameras, load_intrinsics
from genlock.errors import ExtrinsicsFileError, RecordingError
from genlock.geometry import Pose, RigExtrinsics, device_frame, load_extrinsics, renamed
from genlock.k4a import ColorResolution, DepthMode
from genlock.recording import RecordedSession, RecordingReader, write_atomically
from genlock.workflows.boards import Imager
from genlock.workflows.placed import calibration_of, load_device_extrinsics

__all__ = ["export_calibration", "export_placed_lenses"]


def export_calibration(
    session_path: Path, extrinsics_path: Path, kind: str, folder: Path, *, imager: Imager = Imager.COLOR
) -> tuple[Path, ...]:
    """Writes one camera of each device of a session in its place as another tool reads it; returns the files.

    Lenses are the factory's, or those that were refined with the poses.

    Raises:
        UnreadableInputError: a session or extrinsics that cannot be read, or that do not fit each other.
        ValueError: no such format.
    """
    extrinsics = load_device_extrinsics(extrinsics_path)
    with RecordedSession(session_path) as session:
        _refuse_missing(extrinsics_path, extrinsics, session.readers)
        placed = [_placed(serial, reader, extrinsics, imager) for serial, reader in session.readers.items()]
    return _write(export_cameras(placed, kind), folder)


def export_placed_lenses(intrinsics_path: Path, extrinsics_path: Path, kind: str, folder: Path) -> tuple[Path, ...]:
    """The same of other cameras, which have no device: those that were calibrated with ``--images``.

    Raises:
        UnreadableInputError: intrinsics or extrinsics that cannot be read, or that do not fit each other.
        ValueError: no such format.
    """
    extrinsics = load_extrinsics(extrinsics_path)
    refined = {name: lenses.color for name, lenses in extrinsics.lenses.items() if lenses.color is not None}
    lenses = load_intrinsics(intrinsics_path) | refined
    unknown = [name for name in extrinsics.T_world_device if name not in lenses]
    if unknown:
        raise ExtrinsicsFileError(
            extrinsics_path, f"has {', '.join(unknown)}, of which {intrinsics_path} knows no lens."
        )
    placed = [PlacedCamera(name, lenses[name], T_world_cam) for name, T_world_cam in extrinsics.T_world_device.items()]
    return _write(export_cameras(placed, kind), folder)


def _refuse_missing(path: Path, extrinsics: RigExtrinsics, readers: Mapping[str, RecordingReader]) -> None:
    missing = [serial for serial in readers if serial not in extrinsics.T_world_device]
    if missing:
        raise ExtrinsicsFileError(path, f"lacks {', '.join(missing)}; it has {', '.join(extrinsics.T_world_device)}.")


def _placed(serial: str, reader: RecordingReader, extrinsics: RigExtrinsics, imager: Imager) -> PlacedCamera:
    calibration = calibration_of(reader).with_lenses(extrinsics.lenses_of(serial))
    if imager is Imager.COLOR:
        if reader.config.color_resolution is ColorResolution.OFF:
            raise RecordingError(reader.path, "has no color camera to export; use --imager ir.")
        lens = calibration.color_camera(reader.config.color_resolution)
        T_device_cam = renamed(calibration.T_color_depth.inverse(), device_frame(serial), imager)
    else:
        if reader.config.depth_mode is DepthMode.OFF:
            raise RecordingError(reader.path, "has no depth camera to export; use --imager color.")
        lens = calibration.depth_camera(reader.config.depth_mode)
        T_device_cam = Pose.identity(device_frame(serial), imager)
    return PlacedCamera(serial, lens, extrinsics.T_world_device[serial] @ T_device_cam)


def _write(files: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)
    return tuple(folder / name for name in files)
