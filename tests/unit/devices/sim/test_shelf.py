"""Images kept on disk: what comes back, what is made again, and that a shelf never grows beyond its size."""

import os
import random
import subprocess
import sys
import time
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
A, B, C, D = (digit * 32 for digit in "abcd")
BLOCK = [np.zeros(10_000, np.uint8)]
HOUR_SEC = 3600
ARRAYS = (np.arange(5, dtype=np.uint8), np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3))


def age(path, age_sec):
    """Nobody asked for this file for so long."""
    then_sec = time.time() - age_sec
    os.utime(path, (then_sec, then_sec))


def keys_in(folder):
    return "".join(sorted(path.stem[0] for path in folder.glob("*.npz")))


def test_what_was_stored_comes_back(tmp_path):
    shelf = Shelf(tmp_path / "made" / "when needed")
    assert shelf.load(A) is None
    shelf.store(A, ARRAYS)
    for kept, array in zip(shelf.load(A), ARRAYS, strict=True):
        assert kept.dtype == array.dtype and np.array_equal(kept, array)
    assert shelf.load(B) is None


def test_a_file_can_be_read_by_anybody_s_numpy(tmp_path):
    Shelf(tmp_path).store(A, ARRAYS)
    with np.load(tmp_path / f"{A}.npz") as file:
        assert np.array_equal(file["arr_1"], ARRAYS[1])


def test_every_flipped_bit_is_noticed(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.store(A, ARRAYS)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for bit in random.Random(1).sample(range(8 * len(whole)), 1_000):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        assert shelf.load(A) is None, bit
    path.write_bytes(whole)
    assert shelf.load(A) is not None


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "longer"])
def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path, damage):
    shelf = Shelf(tmp_path, most_bytes=1_000)
    shelf.store(A, ARRAYS)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    assert len(whole) > 500, "a second one would find no room beside it"
    path.write_bytes({"cut": whole[:-40], "empty": b"", "zeros": bytes(len(whole)), "longer": whole + b"\0"}[damage])
    assert shelf.load(A) is None
    shelf.store(A, ARRAYS)
    assert shelf.load(A) is not None


def test_the_files_that_were_not_asked_for_longest_go_first(tmp_path):
    shelf = Shelf(tmp_path, most_bytes=35_000)
    for hours, key in ((3, A), (2, B), (1, C)):
        shelf.store(key, BLOCK)
        age(tmp_path / f"{key}.npz", hours * HOUR_SEC)
    assert shelf.load(A) is not None  # asked for now: younger than the others
    shelf.store(D, BLOCK)
    assert keys_in(tmp_path) == "acd"


def test_a_rig_too_large_for_the_shelf_finds_there_what_fits(tmp_path):
    shelf = Shelf(tmp_path, most_bytes=35_000)

    def run():
        """The keys that were found by devices that start one after the other."""
        found = ""
        for key in (A, B, C, D):
            if shelf.load(key):
                found += key[0]
            else:
                shelf.store(key, BLOCK)
        return found

    assert [run(), run()] == ["", "abc"]
    for path in tmp_path.iterdir():
        age(path, HOUR_SEC)
    assert [run(), run()] == ["abc", "abc"]


def test_nothing_goes_for_a_file_that_finds_no_room_even_so(tmp_path):
    shelf = Shelf(tmp_path, most_bytes=35_000)
    shelf.store(A, BLOCK)
    age(tmp_path / f"{A}.npz", HOUR_SEC)
    shelf.store(B, BLOCK)
    shelf.store(C, [np.zeros(30_000, np.uint8)])
    assert keys_in(tmp_path) == "ab"


def test_a_file_from_a_time_to_come_does_not_stay_until_then(tmp_path):
    shelf = Shelf(tmp_path, most_bytes=15_000)
    shelf.store(A, BLOCK)
    age(tmp_path / f"{A}.npz", -1000 * HOUR_SEC)
    shelf.store(B, BLOCK)
    assert keys_in(tmp_path) == "b"


def test_what_a_killed_process_left_unfinished_goes_too(tmp_path):
    part = tmp_path / "genlock-a1_b2c3d.part"
    part.write_bytes(bytes(30_000))
    shelf = Shelf(tmp_path, most_bytes=35_000)
    shelf.store(A, BLOCK)
    assert part.exists(), "somebody may be writing it"
    age(part, HOUR_SEC)
    shelf.store(A, BLOCK)
    assert [path.name for path in tmp_path.iterdir()] == [f"{A}.npz"]


def test_files_of_others_neither_go_nor_count(tmp_path):
    foreign = [tmp_path / name for name in ("photo.jpg", "poses.npz", "film.part", f"{A}.npz.bak", f"my {A}.npz")]
    for path in foreign:
        path.write_bytes(bytes(50_000))
        age(path, HOUR_SEC)
    (tmp_path / "folder").mkdir()
    in_the_way = tmp_path / f"{B}.npz"  # of our name, and cannot be removed as a file
    in_the_way.mkdir()
    age(in_the_way, 2 * HOUR_SEC)
    shelf = Shelf(tmp_path, most_bytes=20_000)
    shelf.store(C, BLOCK)
    age(tmp_path / f"{C}.npz", HOUR_SEC)
    shelf.store(D, BLOCK)
    assert shelf.load(B) is None
    assert all(path.stat().st_size == 50_000 for path in foreign)
    assert [key[0] for key in (A, B, C, D) if (tmp_path / f"{key}.npz").exists()] == ["b", "d"]


def test_a_cache_that_may_only_be_read_is_used(tmp_path, monkeypatch):
    shelf = Shelf(tmp_path)
    shelf.store(A, ARRAYS)

    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("genlock.devices.sim.shelf.os.utime", refuse)
    assert shelf.load(A) is not None


def test_without_a_place_to_write_nothing_is_kept_and_nothing_fails(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for shelf in (Shelf(None), Shelf(tmp_path / "file" / "folder")):
        shelf.store(A, ARRAYS)
        assert shelf.load(A) is None


def test_processes_may_share_a_shelf(tmp_path):
    code = (
        "import sys, numpy as np; from pathlib import Path; from genlock.devices.sim import shelf as module\n"
        "module._IDLE_NSEC = -1\n"  # each makes room all the time
        "shelf = module.Shelf(Path(sys.argv[1]), most_bytes=250_000)\n"
        "for n in range(60):\n"
        "    key = str(n % 5) * 32\n"
        "    kept = shelf.load(key)\n"
        "    assert kept is None or (kept[0] == n % 5).all()\n"
        "    shelf.store(key, [np.full(60_000, n % 5, np.uint8)])\n"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [program.wait(60) for program in programs] == [0, 0, 0]
    assert keys_in(tmp_path)
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
    assert cache_folder("images") == tmp_path / "genlock/images", "what else lies there is not ours"
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder("images") == Path("/somewhere/genlock/images")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("images") == Path.home() / ".cache/genlock/images"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    return tmp_path / "genlock/images"


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
