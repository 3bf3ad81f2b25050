"""Write a calibrated rig's color cameras as other tools read them."""

from __future__ import annotations

from pathlib import Path

from genlock.calibrate import PlacedCamera, export_cameras
from genlock.errors import ExtrinsicsFileError, RecordingError
from genlock.geometry import color_frame, device_frame, load_extrinsics, renamed
from genlock.k4a import ColorResolution
from genlock.k4a.calibration import DeviceCalibration
from genlock.recording import RecordedSession, write_atomically

__all__ = ["export_calibration"]


def export_calibration(session_path: Path, extrinsics_path: Path, kind: str, folder: Path) -> tuple[Path, ...]:
    """Writes the color cameras of a session in their places as another tool reads them; returns the files.

    Raises:
        UnreadableInputError: a session or extrinsics that cannot be read, or that do not fit each other.
        ValueError: no such format.
    """
    extrinsics = load_extrinsics(extrinsics_path)
    placed = []
    with RecordedSession(session_path) as session:
        missing = [serial for serial in session.readers if serial not in extrinsics.T_world_device]
        if missing:
            known = ", ".join(extrinsics.T_world_device)
            raise ExtrinsicsFileError(extrinsics_path, f"lacks {', '.join(missing)}; it has {known}.")
        for serial, reader in session.readers.items():
            if reader.calibration is None:
                raise RecordingError(reader.path, "carries no factory calibration: nothing is known of its lenses.")
            if reader.config.color_resolution is ColorResolution.OFF:
                raise RecordingError(reader.path, "has no color camera to export.")
            calibration = DeviceCalibration.from_json(reader.calibration)
            T_color_device = renamed(calibration.T_color_depth, color_frame(serial), device_frame(serial))
            T_world_color = extrinsics.T_world_device[serial] @ T_color_device.inverse()
            placed.append(PlacedCamera(serial, calibration.color_camera(reader.config.color_resolution), T_world_color))
    files = export_cameras(placed, kind)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)
    return tuple(folder / name for name in files)
