"""A recorded virtual rig as one scene, judged against what was really there."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genlock.cli.main import run
from genlock.devices import open_backend
from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim.placement import stage_poses
from genlock.devices.sim.scene import Scene
from genlock.devices.sim.views import color_view
from genlock.fuse import CloudMaker, DeviceView, Filler
from genlock.geometry import Pose, RigExtrinsics, device_frame, load_extrinsics, renamed
from genlock.k4a import ColorResolution
from genlock.k4a.calibration import DeviceCalibration
from genlock.plan import make_plan
from genlock.recording import RecordedSession
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml, serials
from genlock.workflows.fuse import views_of_session
from genlock.workflows.record import record_take

DEVICES = 4
# Two depth cameras' errors meet in a filled pixel: 11 mm + 0.1 % systematic, 17 mm random (Microsoft's specification).
SYSTEMATIC_MM, RANDOM_MM = 11 + 0.001 * 4000, 17


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuse")
    toml = rig_toml(DEVICES)
    rig = parse_rig(toml)
    with open_backend("sim", rig, scenario=Scenario(scene=SceneName.EMPTY_ROOM)) as backend:
        record_take(make_plan(rig), backend, folder / "take", rig_toml=toml, seconds=0.1)
    truth = {serial: renamed(pose, "world", device_frame(serial)) for serial, pose in stage_poses(rig).items()}
    (folder / "extrinsics.json").write_text(json.dumps(RigExtrinsics(truth, "the stage").to_json()))
    return folder


@pytest.mark.parametrize("serial", [serials(DEVICES)[0], serials(DEVICES)[2]])
def test_filled_holes_hold_what_is_really_there(take: Path, serial: str):
    path = take / "extrinsics.json"
    with RecordedSession(take / "take") as session:
        views = views_of_session(session.readers, load_extrinsics(path), path)
        first = next(s for s in session if s.is_complete)
        calibration = DeviceCalibration.from_json(session.readers[serial].calibration)
    depths = {s: c.depth.pixels for s, c in first.captures.items()}
    filled = Filler(views[serial], list(views.values()))(depths)
    T_stage_color = Pose(
        "stage", "color", views[serial].T_world_color.rotation, views[serial].T_world_color.translation_m
    )
    still = color_view(
        calibration.color_camera(ColorResolution.RES_720P),
        T_stage_color,
        Scene.of(Scenario(scene=SceneName.EMPTY_ROOM)),
    )
    errors_mm = filled.depth - still.z_m * 1000.0
    own, others = errors_mm[filled.source == 1], errors_mm[filled.source > 1]
    fillable = seen_by_others(views, serial, depths, still.z_m) & (filled.source != 1)
    assert fillable.sum() > 10_000
    # What is left of them lies at edges, which a surface is not stretched over.
    assert (filled.depth > 0)[fillable].mean() > 0.9
    for errors in (own, others):
        assert abs(np.median(errors)) < SYSTEMATIC_MM
        assert np.quantile(np.abs(errors - np.median(errors)), 0.683) < RANDOM_MM + SYSTEMATIC_MM
    # A hole that shows something else altogether is worse than a hole.
    assert (np.abs(others) > 150).mean() < 0.05


def seen_by_others(
    views: dict[str, DeviceView], serial: str, depths: dict[str, NDArray[np.uint16]], z_m: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which pixels of the color image show a point that some other device measured, to 60 mm."""
    view = views[serial]
    v, u = np.mgrid[: z_m.shape[0], : z_m.shape[1]]
    rays, _ = view.color_camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
    points_world = view.T_world_color.apply(rays * z_m.reshape(-1, 1))
    is_seen = np.zeros(len(points_world), bool)
    for other in views.values():
        if other.serial == serial:
            continue
        points = other.T_world_device.inverse().apply(points_world)
        px, is_valid = other.depth_camera.project(points)
        x, y = np.rint(px).astype(int).T
        depth = depths[other.serial]
        inside = is_valid & (x >= 0) & (y >= 0) & (x < depth.shape[1]) & (y < depth.shape[0])
        measured_mm = depth[np.where(inside, y, 0), np.where(inside, x, 0)]
        is_seen |= inside & (measured_mm > 0) & (np.abs(measured_mm - points[:, 2] * 1000) < 60)
    return is_seen.reshape(z_m.shape)


def test_the_cloud_of_all_devices_is_one_room(take: Path):
    path = take / "extrinsics.json"
    with RecordedSession(take / "take") as session:
        views = views_of_session(session.readers, load_extrinsics(path), path)
        first = next(s for s in session if s.is_complete)
    points = CloudMaker(list(views.values())).points({s: c.depth.pixels for s, c in first.captures.items()})
    floor = points[np.abs(points[:, 2]) < 0.1]
    assert len(floor) > 0.1 * len(points)
    assert abs(np.median(floor[:, 2])) * 1000 < SYSTEMATIC_MM
    assert (points[:, 2] < -0.1).mean() < 0.005  # nothing under the floor


def test_the_verb_writes_what_it_says(take: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    serial = serials(DEVICES)[0]
    command = ["fuse", str(take / "take"), "--extrinsics", str(take / "extrinsics.json"), "--fill", serial]
    status = run([*command, "--cloud", "ply", "-o", str(tmp_path / "out"), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert status == 0
    assert Path(answer["filled"][serial][0]["depth"]).stat().st_size > 0
    assert {p.name.split("-")[-1] for p in (tmp_path / "out" / serial).iterdir()} == {
        "depth.png",
        "before.png",
        "after.png",
        "source.png",
        "sources.txt",
    }
    header = Path(answer["clouds"][0]).read_bytes()[:300].decode("ascii", "ignore")
    assert f"element vertex {answer['points']}" in header


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{}", "devices"),
        ("nonsense", "no JSON"),
        ('{"devices": {"9": {"rotation_wxyz": [1, 0, 0, 0], "translation_m": [0, 0, 0]}}}', "lacks device"),
        ('{"devices": {"9": {"rotation_wxyz": [9, 0, 0, 0], "translation_m": [0, 0, 0]}}}', "length 1"),
    ],
)
def test_extrinsics_that_do_not_fit_are_wrong_usage(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, says: str
):
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    assert (
        run(
            [
                "fuse",
                str(take / "take"),
                "--extrinsics",
                str(bad),
                "--cloud",
                "ply",
                "-o",
                str(tmp_path / "out"),
                "--json",
            ]
        )
        == 2
    )
    assert says in json.loads(capsys.readouterr().out)["error"]["message"]


def test_fusing_nothing_is_wrong_usage(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = ["fuse", str(take / "take"), "--extrinsics", str(take / "extrinsics.json"), "-o", str(tmp_path / "out")]
    assert run([*command, "--json"]) == 2
    assert "--fill SERIAL" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert not (tmp_path / "out").exists()
