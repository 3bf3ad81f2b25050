"""What is known of a session's lenses: the factory's calibrations, and extrinsics whose lenses must be of modes."""

from __future__ import annotations

from pathlib import Path

from genlock.errors import ExtrinsicsFileError, RecordingError
from genlock.geometry import RigExtrinsics, load_extrinsics
from genlock.k4a import COLOR_GEOMETRY, DEPTH_GEOMETRY
from genlock.k4a.calibration import DeviceCalibration
from genlock.recording import RecordingReader

__all__ = ["calibration_of", "load_device_extrinsics"]


def calibration_of(reader: RecordingReader) -> DeviceCalibration:
    """The factory calibration that a recording carries.

    Raises:
        RecordingError: it carries none, or one that cannot be read.
    """
    if reader.calibration is None:
        raise RecordingError(reader.path, "carries no factory calibration; without it nothing is known of its lenses.")
    try:
        return DeviceCalibration.from_json(reader.calibration)
    except ValueError as error:
        raise RecordingError(reader.path, f"carries a factory calibration that cannot be read: {error}.") from error


def load_device_extrinsics(path: Path) -> RigExtrinsics:
    """As ``load_extrinsics`` does, for sessions: extrinsics of other cameras have lenses that fit no device.

    Raises:
        ExtrinsicsFileError: no such file, or a lens of a size that no mode has.
    """
    extrinsics = load_extrinsics(path)
    color, depth = (
        {(image.width_px, image.height_px) for image in table.values()} for table in (COLOR_GEOMETRY, DEPTH_GEOMETRY)
    )
    for serial, lenses in extrinsics.lenses.items():
        for lens, sizes_px in ((lenses.color, color), (lenses.depth, depth)):
            if lens is not None and (lens.width_px, lens.height_px) not in sizes_px:
                raise ExtrinsicsFileError(
                    path,
                    f"does not fit device {serial}: a lens was measured in images of {lens.width_px}x{lens.height_px}, "
                    "which no mode of an Azure Kinect has.",
                )
    return extrinsics
