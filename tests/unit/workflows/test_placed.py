"""Calibrations and extrinsics that tell no device's lenses are refused as files, by every workflow."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

from genlock.errors import ExtrinsicsFileError, RecordingError
from genlock.geometry import WORLD, CameraModel, DeviceLenses, Pose, RigExtrinsics, device_frame
from genlock.workflows.calibrate import check_session
from genlock.workflows.export_calibration import export_calibration
from genlock.workflows.fuse import fuse_session
from genlock.workflows.placed import calibration_of, load_device_extrinsics
from unit.calibrate.rigs import LENS, TARGET


def written(path: Path, lens: CameraModel) -> Path:
    pose = Pose(WORLD, device_frame("1"), np.eye(3), np.zeros(3))
    extrinsics = RigExtrinsics({"1": pose}, lenses={"1": DeviceLenses(color=lens)})
    path.write_text(json.dumps(extrinsics.to_json()), encoding="utf-8")
    return path


@pytest.mark.parametrize(("raw", "says"), [(None, "carries no factory"), (b"{}", "cannot be read"), (b"?", "no JSON")])
def test_a_recording_without_a_readable_calibration_is_told_by_name(raw: bytes | None, says: str):
    reader = SimpleNamespace(path=Path("take/a.mkv"), calibration=raw)
    with pytest.raises(RecordingError, match=rf"a\.mkv.*{says}"):
        calibration_of(reader)


def test_a_lens_of_a_mode_is_one_of_a_device(tmp_path: Path):
    assert load_device_extrinsics(written(tmp_path / "x.json", LENS)).lenses["1"].color == LENS


@pytest.mark.parametrize(
    "use",
    [
        lambda path: check_session(path.parent / "session", path, TARGET),
        lambda path: export_calibration(path.parent / "session", path, "opencv", path.parent / "out"),
        lambda path: fuse_session(path.parent / "session", path, path.parent / "out", cloud=True),
    ],
    ids=["check", "export", "fuse"],
)
def test_a_webcams_lens_is_refused(tmp_path: Path, use: Callable[[Path], object]):
    path = written(tmp_path / "x.json", replace(LENS, width_px=640, height_px=480))
    with pytest.raises(ExtrinsicsFileError, match="does not fit device 1: a lens was measured in images of 640x480"):
        use(path)
