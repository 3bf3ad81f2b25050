from collections.abc import Mapping
from pathlib import Path

import pytest

from genlock.devices.native import LIBRARY_VARIABLE, find_library, library_version
from genlock.errors import BackendUnavailableError


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def search(root: Path, environment: Mapping[str, str] | None = None, **options: object) -> Path:
    options = {"platform": "linux", "root": root, "wheel_files": list, **options}
    return find_library(environment=environment or {}, **options)  # type: ignore[arg-type]  # a table of options


def test_the_argument_wins_over_everything(tmp_path: Path):
    named, in_variable = put(tmp_path / "a" / "libk4a.so"), put(tmp_path / "b" / "libk4a.so")
    installed = put(tmp_path / "usr" / "lib" / "libk4a.so.1.4.1")
    variable = {LIBRARY_VARIABLE: str(in_variable)}
    assert search(tmp_path, variable, named=named) == named
    assert search(tmp_path, variable) == in_variable
    assert search(tmp_path) == installed


def test_a_folder_stands_for_the_newest_library_in_it(tmp_path: Path):
    for name in ("libk4a.so.1.3.0", "libk4a.so.1.4.1", "libk4arecord.so.1.4.2", "libk4abt.so.1.1"):
        put(tmp_path / name)
    assert search(tmp_path, {LIBRARY_VARIABLE: str(tmp_path)}) == tmp_path / "libk4a.so.1.4.1"


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_the_user_names_must_be_there(tmp_path: Path, is_folder: bool):
    put(tmp_path / "usr" / "lib" / "libk4a.so")  # is not taken instead
    named = tmp_path / "empty"
    if is_folder:
        named.mkdir()
    with pytest.raises(BackendUnavailableError, match=f"{LIBRARY_VARIABLE} names {named}"):
        search(tmp_path, {LIBRARY_VARIABLE: str(named)})


def test_the_loader_comes_before_the_installer_and_the_installer_before_the_wheel(tmp_path: Path):
    in_wheel = put(tmp_path / "pyk4a_bundle.libs" / "libk4a-f64cb9eb.so.1.4.2")
    record = put(tmp_path / "pyk4a_bundle.libs" / "libk4arecord-939c473c.so.1.4.2")
    on_path = put(tmp_path / "mine" / "libk4a.so.1.4")
    installed = put(tmp_path / "usr" / "lib" / "x86_64-linux-gnu" / "libk4a.so.1.4.1")
    environment = {"LD_LIBRARY_PATH": f":{tmp_path / 'nowhere'}:{on_path.parent}"}
    wheel = {"wheel_files": lambda: [record, in_wheel]}
    assert search(tmp_path, environment, **wheel) == on_path
    assert search(tmp_path, **wheel) == installed
    assert search(tmp_path / "mine", **wheel) == in_wheel


def test_an_installed_wheel_is_found_by_its_record_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Its Python module would fail under numpy 2; only the record of its files is read."""
    site = tmp_path / "site-packages"
    library = put(site / "pyk4a_bundle.libs" / "libk4a-f64cb9eb.so.1.4.2")
    put(site / "pyk4a" / "__init__.py").write_text("raise ImportError('numpy 1 is needed')")
    put(site / "pyk4a_bundle-1.5.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pyk4a-bundle\nVersion: 1.5.0\n"
    )
    put(site / "pyk4a_bundle-1.5.0.dist-info" / "RECORD").write_text(
        "pyk4a/__init__.py,,\npyk4a_bundle.libs/libk4a-f64cb9eb.so.1.4.2,,\n"
    )
    monkeypatch.syspath_prepend(str(site))
    assert search(tmp_path, wheel_files=None) == library


def test_a_named_library_that_cannot_be_read_is_told_with_who_named_it(tmp_path: Path):
    named = tmp_path / ("x" * 300)
    with pytest.raises(
        BackendUnavailableError, match=rf"{LIBRARY_VARIABLE} names .*cannot be read \(File name too long"
    ):
        search(tmp_path, {LIBRARY_VARIABLE: str(named)})


def test_folders_that_cannot_be_read_are_passed_over(tmp_path: Path):
    library = put(tmp_path / "mine" / "libk4a.so.1.4")
    unreadable = tmp_path / ("x" * 300)  # asking for it is an error, whoever asks
    assert search(tmp_path, {"LD_LIBRARY_PATH": f"{unreadable}:{library}:{library.parent}"}) == library


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_an_empty_entry_of_a_search_path_is_not_the_current_folder(
    tmp_path: Path, platform: str, monkeypatch: pytest.MonkeyPatch
):
    put(tmp_path / "here" / "k4a.dll")
    put(tmp_path / "here" / "libk4a.so")
    monkeypatch.chdir(tmp_path / "here")
    environment = {"PATH": "", "LD_LIBRARY_PATH": "", "ProgramFiles": str(tmp_path)}
    with pytest.raises(BackendUnavailableError):
        search(tmp_path, environment, platform=platform)


def test_the_loaders_cache_is_asked(tmp_path: Path):
    library = put(tmp_path / "opt" / "libk4a.so.1.4")
    ldconfig = put(tmp_path / "sbin" / "ldconfig")
    ldconfig.write_text(
        f"#!/bin/sh\necho '\tlibk4a.so.1.4 (libc6,x86-64) => {library}'\necho '\tlibc.so => /libc.so'\n"
    )
    ldconfig.chmod(0o755)
    assert search(tmp_path) == library


def test_windows_has_the_installers_folder_and_the_wheels_own(tmp_path: Path):
    folder = tmp_path / "Azure Kinect SDK v1.4.1" / "sdk" / "windows-desktop" / "amd64" / "release" / "bin"
    installed = put(folder / "k4a.dll")
    put(folder / "k4arecord.dll")
    environment = {"ProgramFiles": str(tmp_path)}
    assert search(tmp_path, environment, platform="win32") == installed
    assert library_version(installed) == (1, 4, 1)
    in_wheel = put(tmp_path / "site-packages" / "pyk4a" / "k4a.dll")
    wheel = {"platform": "win32", "wheel_files": lambda: [in_wheel]}
    assert search(tmp_path, environment, **wheel) == installed
    assert search(tmp_path, {"ProgramFiles": str(tmp_path / "none")}, **wheel) == in_wheel


def test_without_any_one_line_names_every_place(tmp_path: Path):
    with pytest.raises(BackendUnavailableError) as caught:
        search(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    for place in (LIBRARY_VARIABLE, "pyk4a-bundle", "LD_LIBRARY_PATH", "ldconfig", str(tmp_path / "usr/lib"), "[sdk]"):
        assert place in message
    with pytest.raises(BackendUnavailableError, match="Azure Kinect SDK v"):
        search(tmp_path, {"ProgramFiles": str(tmp_path)}, platform="win32")


def test_a_link_tells_the_version_of_what_it_points_to(tmp_path: Path):
    real = put(tmp_path / "libk4a.so.1.4.2")
    (tmp_path / "libk4a.so").symlink_to(real)
    assert library_version(tmp_path / "libk4a.so") == (1, 4, 2)
    assert library_version(tmp_path / "elsewhere.so") is None
