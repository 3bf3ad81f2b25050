"""Recordings that Microsoft's recorder library makes of the virtual rig, one process a device: subordinates first."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from conformance.libraries import LibrariesMissingError
from conformance.virtual_runs import DARK, LIVE, TESTS, VirtualRuns
from genlock.capture import Capture
from genlock.devices.sim.placement import stage_poses
from genlock.devices.sim.scene import LAMP_BITS, TOWER
from genlock.geometry import Pose
from genlock.k4a import ColorResolution, WiredSyncMode
from genlock.k4a.calibration import DeviceCalibration
from genlock.pixels import to_rgb
from genlock.recording import RecordingReader
from genlock.rig import load_rig
from genlock.testing.rigs import serials

RECORDER = Path(__file__).parent / "virtual_clients" / "recorder.py"
_PATIENCE_SEC = 120
_PERIOD_USEC = 200_000
"""At 5 fps, where images are made while they are waited for."""
_LAP_MSEC = 4096
"""After which the tower's lamps show the same again."""


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[VirtualRuns]:
    try:
        made = VirtualRuns(tmp_path)
    except LibrariesMissingError as error:
        pytest.skip(str(error))
    yield made
    made.end()


def record(
    runs: VirtualRuns,
    folder: Path,
    devices: int,
    *,
    fps: int = 15,
    seconds: float = 3,
    scenario: str = DARK,
    faults: Sequence[str] = (),
    is_master_first: bool = False,
) -> list[Path]:
    """A process for each device on one served rig: subordinates at 160 us from one another, then the master."""
    files = [folder / f"device{index}.mkv" for index in range(devices)]
    with runs.served("recorded", devices, scenario=scenario, faults=faults) as rig:
        recorders = []
        for index in range(devices) if is_master_first else (*range(1, devices), 0):
            role, delay_usec = ("subordinate", 160 * index) if index else ("master", 0)
            # A master that came first must still pulse when its subordinates have what they want.
            lasts_sec = _PATIENCE_SEC if is_master_first and index == 0 else seconds
            arguments = (index, role, delay_usec, fps, lasts_sec, files[index])
            command = [sys.executable, str(RECORDER), *map(str, arguments)]
            recorder = runs.attach(rig, command, {"PYTHONPATH": str(TESTS)})
            recorders.append(recorder)
            assert recorder.stdout is not None
            assert recorder.stdout.readline() == "started\n", recorder.communicate()
        for recorder in reversed(recorders):
            if is_master_first and recorder is recorders[0]:
                recorder.send_signal(signal.SIGINT)
            out, err = recorder.communicate(timeout=_PATIENCE_SEC)
            assert recorder.returncode == 0, out + err
            assert not err, "the library prints nothing"
    return files


def genlock(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "genlock", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SEC, check=False)


def test_three_recorders_in_three_processes_make_a_good_take(runs: VirtualRuns, tmp_path: Path) -> None:
    files = record(runs, tmp_path, 3)
    judged = genlock("verify", *files)
    assert judged.returncode == 0, judged.stdout
    assert "good" in judged.stdout.lower()
    assert "SIMULATED" in judged.stdout
    assert "SIMULATED" in genlock("inspect", files[0]).stdout
    _check_external_sync_playback(files)


def _check_external_sync_playback(files: Sequence[Path]) -> None:
    """The rules of the SDK's example ``playback_external_sync``: no standalone file, one master; then 25 captures of
    all files in the order of their device times, of which the first of each device lie together."""
    roles, images = [], []
    for file in files:
        with RecordingReader(file) as reader:
            roles.append(reader.config.wired_sync_mode)
            first = next(iter(reader.captures()))
            images.append(min(image.device_timestamp_usec for image in first.images))
            imu_usec = reader.imu_usec()
        assert len(imu_usec) > 1_000, "the IMU was recorded beside the images"
        assert np.max(np.diff(np.asarray(imu_usec))) < 900_000
    assert roles.count(WiredSyncMode.MASTER) == 1
    assert roles.count(WiredSyncMode.SUBORDINATE) == len(files) - 1
    assert max(images) - min(images) < 1_000_000, "one clock for all"


def test_a_take_with_a_pulled_cable_fails(runs: VirtualRuns, tmp_path: Path) -> None:
    # 2000 ppm are 4 ms in the two seconds that are left; a real oscillator needs minutes for as much.
    fault = f"cable_pulled@1s:{serials(2)[1]}=2000"
    judged = genlock("verify", *record(runs, tmp_path, 2, faults=[fault]))
    assert judged.returncode == 1, judged.stdout
    assert "fail" in judged.stdout.lower()


def shown_milliseconds(capture: Capture, calibration: bytes, T_stage_depth: Pose) -> int:
    """The time that the tower's lamps show in a color image, modulo 4096 ms."""
    assert capture.color is not None
    lens = DeviceCalibration.from_json(calibration)
    camera = lens.color_camera(ColorResolution.RES_720P)
    T_color_stage = lens.T_color_depth @ T_stage_depth.inverse()
    eye = T_stage_depth.translation_m
    sides = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    normal = sides[np.argmax(sides @ eye)]  # of the side that faces the camera most
    across = np.array([-normal[1], normal[0], 0])
    green = to_rgb(capture.color)[..., 1]
    gray_code = 0
    for lamp in range(LAMP_BITS):
        row, column = divmod(lamp, 3)
        height_m = 2.20 - (row + 0.5) * 0.085
        center = normal * TOWER.half_m[0] + across * (column - 1) * 0.085 + [0, 0, height_m]
        px, _ = camera.project(T_color_stage.apply([center]))
        u, v = np.rint(px[0]).astype(int)
        gray_code |= int(green[v, u] > 170) << lamp
    shown = 0
    while gray_code:
        shown ^= gray_code
        gray_code >>= 1
    return shown


def late_milliseconds(runs: VirtualRuns, folder: Path, *, is_master_first: bool) -> list[int]:
    """By how much later the subordinate's images were taken than those of the master with the same stamps."""
    files = record(runs, folder, 2, fps=5, seconds=3, scenario=LIVE, is_master_first=is_master_first)
    poses = stage_poses(load_rig(folder / "recorded.toml"))
    shown: list[dict[int, int]] = []
    phases: list[int] = []
    for serial, file in zip(serials(2), files, strict=True):
        with RecordingReader(file) as reader:
            calibration = reader.calibration
            assert reader.serial == serial
            assert calibration is not None
            images = {
                capture.color.device_timestamp_usec: shown_milliseconds(capture, calibration, poses[serial])
                for capture in reader.captures()
                if capture.color is not None
            }
        # By its stamp each image belongs to a pulse, and lies where all do after it: nothing is wrong with the stamps.
        assert np.ptp([usec % _PERIOD_USEC for usec in images]) < 300
        phases.append(next(iter(images)) % _PERIOD_USEC)
        shown.append({usec // _PERIOD_USEC: milliseconds for usec, milliseconds in images.items()})
    assert abs(phases[1] - phases[0] - 160) < 300
    master, subordinate = shown
    both = master.keys() & subordinate.keys()
    return [(subordinate[number] - master[number]) % _LAP_MSEC for number in sorted(both)]


def test_images_of_one_stamp_show_one_moment(runs: VirtualRuns, tmp_path: Path) -> None:
    late = late_milliseconds(runs, tmp_path, is_master_first=False)
    assert len(late) > 5
    # The subordinate exposes 160 us later: the millisecond may just have turned.
    assert set(late) <= {0, 1}


def test_a_subordinate_that_is_late_by_whole_frames_shows_in_its_images(runs: VirtualRuns, tmp_path: Path) -> None:
    """Started after its master, its clock begins at a later pulse: no stamp tells, its lamps do."""
    late = late_milliseconds(runs, tmp_path, is_master_first=True)
    assert len(late) > 5
    [by_msec] = {each - each % 2 for each in late}  # one number for all, but for the millisecond that turns
    laps = [(by_msec + lap * _LAP_MSEC) % (_PERIOD_USEC // 1_000) for lap in range(20)]
    assert by_msec > 100
    assert any(rest in (0, 1, 198, 199) for rest in laps), "by whole frames"
