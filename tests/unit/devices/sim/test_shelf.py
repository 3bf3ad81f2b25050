"""Images kept on disk: what comes back, what is made again, and that a shelf never grows beyond its size."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genlock.cache import CACHE_VARIABLE, cache_folder
from genlock.clock import SystemClock
from genlock.devices import ColorControl, ColorControlValue
from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim import SimBackend
from genlock.devices.sim import shelf as shelf_module
from genlock.devices.sim.shelf import Shelf, shelf_key
from genlock.k4a import ColorResolution, DepthMode, DeviceConfig, ImageFormat
from genlock.targets import parse_target
from genlock.testing.rigs import chain_rig, serials

(SERIAL,) = serials(1)
ARRAYS = (np.arange(5, dtype=np.uint8), np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3))


def test_what_was_stored_comes_back(tmp_path):
    shelf = Shelf(tmp_path / "made" / "when needed")
    assert shelf.load("a") is None
    shelf.store("a", ARRAYS)
    for kept, array in zip(shelf.load("a"), ARRAYS, strict=True):
        assert kept.dtype == array.dtype and np.array_equal(kept, array)
    assert shelf.load("b") is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path, damage):
    shelf = Shelf(tmp_path)
    shelf.store("a", ARRAYS)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[content.index(ARRAYS[0].tobytes()) + 2] ^= 1
    path.write_bytes({"cut": content[:-40], "flip": content, "empty": b""}[damage])
    assert shelf.load("a") is None
    shelf.store("a", ARRAYS)
    assert shelf.load("a") is not None


def test_the_files_that_were_not_asked_for_longest_go_first(tmp_path):
    block = np.zeros(10_000, np.uint8)
    shelf = Shelf(tmp_path, most_bytes=35_000)
    for age_sec, name in ((30, "a"), (20, "b"), (10, "c")):
        shelf.store(name, [block])
        os.utime(tmp_path / f"{name}.npz", (1e9 - age_sec, 1e9 - age_sec))
    assert shelf.load("a") is not None  # asked for now: younger than the others
    shelf.store("d", [block])
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["a", "c", "d"]


def test_what_a_killed_process_left_unfinished_goes_too(tmp_path):
    (tmp_path / "tmpabc.part").write_bytes(bytes(30_000))
    os.utime(tmp_path / "tmpabc.part", (1, 1))
    shelf = Shelf(tmp_path, most_bytes=35_000)
    shelf.store("a", [np.zeros(10_000, np.uint8)])
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_without_a_place_to_write_nothing_is_kept_and_nothing_fails(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for shelf in (Shelf(None), Shelf(tmp_path / "file" / "folder")):
        shelf.store("a", ARRAYS)
        assert shelf.load("a") is None


def test_processes_may_share_a_shelf(tmp_path):
    code = (
        "import sys, numpy as np; from pathlib import Path; from genlock.devices.sim.shelf import Shelf\n"
        "shelf = Shelf(Path(sys.argv[1]), most_bytes=250_000)\n"
        "for n in range(60):\n"
        "    key = str(n % 5)\n"
        "    kept = shelf.load(key)\n"
        "    assert kept is None or (kept[0] == n % 5).all()\n"
        "    shelf.store(key, [np.full(60_000, n % 5, np.uint8)])\n"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [program.wait(60) for program in programs] == [0, 0, 0]
    assert not list(tmp_path.glob("*.part"))


def test_a_key_changes_with_everything_and_with_the_renderer(monkeypatch):
    texture = np.zeros((2, 3), np.uint8)
    keys = {
        shelf_key("lap", 1.0, texture),
        shelf_key("lap", 1.5, texture),
        shelf_key("still", 1.0, texture),
        shelf_key("lap", 1.0, texture + 1),
        shelf_key("lap", 1.0, texture.T.copy()),
    }
    assert len(keys) == 5
    assert shelf_key("lap", 1.0, texture) in keys
    monkeypatch.setattr(shelf_module, "_renderer", lambda: b"another version")
    assert shelf_key("lap", 1.0, texture) not in keys


def test_the_folder_is_the_user_s_cache_or_the_one_that_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_folder("images") == tmp_path / "images"
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder("images") == Path("/somewhere/genlock/images")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("images") == Path.home() / ".cache/genlock/images"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path / "images"


def first_images(exposure_usec=8_330, color_format=ImageFormat.MJPG, **scenario):
    """The bytes of a looped device's first capture, and the exposures that its lap shows."""
    circumstances = Scenario(is_looped=True, **scenario)
    with SimBackend(chain_rig(1), scenario=circumstances, clock=SystemClock()) as backend:
        device = backend.open(SERIAL)
        manual = ColorControlValue(is_manual=True, value=exposure_usec)
        device.set_color_control(ColorControl.EXPOSURE_TIME_ABSOLUTE, manual)
        device.arm(
            DeviceConfig(
                color_resolution=ColorResolution.RES_720P,
                color_format=color_format,
                depth_mode=DepthMode.OFF,
            )
        )
        lap = device._body.imager._loop
        return [lap.lap(look) for look in lap._looks]


def names(folder):
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_the_next_process_shows_the_same_lap_and_renders_none_of_it(folder, monkeypatch):
    (made,) = first_images()
    assert len(names(folder)) == 2, "the lap, and what stands still"

    def refuse(*_):
        raise AssertionError("rendered again")

    monkeypatch.setattr("genlock.devices.sim.imager._SceneImager._pixels", refuse)
    monkeypatch.setattr("genlock.devices.sim.views.trace_still_color", refuse)
    (kept,) = first_images()
    assert len(kept) == 123
    assert all(np.array_equal(one, other) for one, other in zip(made, kept, strict=True))
    assert not kept[0].flags.writeable


def test_a_damaged_lap_is_rendered_again(folder):
    (made,) = first_images()
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    (again,) = first_images()
    assert all(np.array_equal(one, other) for one, other in zip(made, again, strict=True))


def test_what_a_lap_shows_decides_where_it_lies(folder):
    first_images()
    board = parse_target("charuco:7x5:50mm:37mm:DICT_4X4_50")
    # A lap each, and what stands still for each that sees something else: exposure alone does not.
    for changes, files in (
        ({"exposure_usec": 16_670}, 1),
        ({"seed": 1}, 2),
        ({"scene": SceneName.BOARD}, 2),
        ({"scene": SceneName.BOARD, "board": board}, 2),
    ):
        before = names(folder)
        first_images(**changes)
        assert len(names(folder) - before) == files, changes


def test_laps_of_raw_colors_are_too_heavy_for_the_disk(folder):
    first_images(color_format=ImageFormat.NV12)
    assert len(names(folder)) == 1, "what stands still"
