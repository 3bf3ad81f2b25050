"""The C library: with which compiler it is built, when it is built again, what lies in the folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genlock.devices import find_k4a_library
from genlock.errors import BackendUnavailableError
from genlock.virtual import build, build_library, find_compiler, require_linux
from genlock.virtual.environment import program_environment
from support.virtual_rig import libk4a


def test_the_user_s_compiler_comes_first():
    assert find_compiler({"CC": "ccache gcc -m64"}) == ("ccache", "gcc", "-m64")


def test_then_what_lies_on_the_path_then_ziglang(tmp_path, monkeypatch):
    clang = tmp_path / "clang"
    clang.write_text("#!/bin/sh\n")
    clang.chmod(0o755)
    assert find_compiler({"PATH": str(tmp_path)}) == (str(clang),)
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: object() if name == "ziglang" else None)
    assert find_compiler({"PATH": ""}) == (sys.executable, "-m", "ziglang", "cc")


def test_without_a_compiler_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailableError, match="pip install ziglang"):
        find_compiler({"PATH": ""})


def test_elsewhere_than_on_linux_the_message_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(build.sys, "platform", "win32")
    with pytest.raises(BackendUnavailableError, match="needs Linux"):
        require_linux()
    with pytest.raises(BackendUnavailableError, match="needs Linux"):
        build_library(tmp_path / "k4a.dll", cache=tmp_path)


@pytest.fixture(scope="module")
def real() -> Path:
    return find_k4a_library(libk4a())


def test_it_is_built_once_and_again_for_other_flags(real, tmp_path):
    first = build_library(real, cache=tmp_path)
    before = (first / build.DEVICE_LIBRARY).stat().st_mtime_ns
    assert build_library(real, cache=tmp_path) == first
    assert (first / build.DEVICE_LIBRARY).stat().st_mtime_ns == before
    assert build_library(real, cache=tmp_path, flags=["-O0"]) != first
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("tmp")] == [], "no half-built folder"


def test_a_compiler_that_fails_is_quoted(real, tmp_path):
    with pytest.raises(BackendUnavailableError, match="no-such-flag"):
        build_library(real, cache=tmp_path, flags=["--no-such-flag"])
    assert list(tmp_path.iterdir()) == [], "and nothing is left of it"


def test_a_folder_that_the_loader_cannot_name_is_refused(real, tmp_path):
    with pytest.raises(BackendUnavailableError, match="GENLOCK_CACHE_DIR"):
        build_library(real, cache=tmp_path / "my cache")


def test_it_is_not_put_in_front_of_itself(real, tmp_path):
    folder = build_library(real, cache=tmp_path)
    with pytest.raises(BackendUnavailableError, match="inside genlock virtual already"):
        build_library(folder / "libk4a.so", cache=tmp_path)


def test_every_name_under_which_clients_look_leads_to_it(real, tmp_path):
    folder = build_library(real, cache=tmp_path)
    standard = (folder / build.STANDARD_NAME).resolve()
    for name in ("libk4a.so", "libk4a.so.1.4", "libk4a.so.1.4.2", real.name):
        assert (folder / name).resolve() == standard
    for name in ("libk4arecord.so", "libk4arecord.so.1.4"):
        assert (folder / name).resolve().parent == real.parent, "the real recorder"


@pytest.mark.skipif(shutil.which("nm") is None, reason="looks with binutils' nm")
def test_the_preloaded_library_brings_no_more_than_it_needs(real, tmp_path):
    folder = build_library(real, cache=tmp_path)

    def exported(path: Path) -> set[str]:
        listed = subprocess.run(["nm", "-D", "--defined-only", str(path)], capture_output=True, text=True, check=True)
        return {line.split()[2] for line in listed.stdout.splitlines()}

    ours = exported(folder / build.DEVICE_LIBRARY) - {"genlock_virtual_rig", "dlopen"}
    theirs = {name for name in exported(real) if name.startswith("k4a_device_")}
    assert ours == theirs, "all of the real library's, so that none of them ever sees a handle of ours"
    needed = subprocess.run(["readelf", "-d", str(folder / build.DEVICE_LIBRARY)], capture_output=True, text=True)
    assert "libk4a" not in needed.stdout.replace("libgenlock-k4a-device", "")


def test_the_environment_keeps_what_the_user_had(tmp_path):
    before = {"LD_LIBRARY_PATH": "/opt/lib", "LD_PRELOAD": "/opt/other.so"}
    variables = program_environment(tmp_path, Path("/run/rig"), before)
    assert variables["LD_LIBRARY_PATH"] == f"{tmp_path}:/opt/lib"
    assert variables["LD_PRELOAD"] == f"{tmp_path / build.DEVICE_LIBRARY}:/opt/other.so"
    assert variables["GENLOCK_VIRTUAL"] == "/run/rig"
    assert program_environment(tmp_path, Path("/r"), {})["LD_LIBRARY_PATH"] == str(tmp_path)
