"""A libk4a without cameras, compiled from ``fake_k4a.c`` beside this file."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from genlock.devices.native import NativeBackend
from genlock.devices.native.library import load_library
from genlock.rig import Rig

SOURCE = Path(__file__).with_name("fake_k4a.c")
FIRST, SECOND, THIRD = (f"{number:012d}" for number in (1, 2, 3))

Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles a variant into a folder of its own: ``build("-DORBBEC")``."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("the fake libk4a needs a C compiler (cc)")

    def compile_variant(*flags: str) -> Path:
        path = tmp_path_factory.mktemp("libk4a") / "libk4a.so"
        # Symbolic: another test may have loaded the real libk4a for everybody, and the fake calls its own functions.
        own = ["-Wl,-Bsymbolic", "-fvisibility=hidden"]
        command = [compiler, "-shared", "-fPIC", *own, "-pthread", *flags, "-o", path, SOURCE]
        subprocess.run(command, check=True)
        return path

    return compile_variant


@pytest.fixture(scope="session")
def library_path(build: Build) -> Path:
    return build()


@pytest.fixture(scope="session")
def orbbec_path(build: Build) -> Path:
    return build("-DORBBEC")


@pytest.fixture
def fake(library_path: Path) -> Any:
    """The fake's functions, everything forgotten."""
    functions = load_library(library_path).c
    functions.fake_reset()
    return functions


@pytest.fixture
def backend(library_path: Path, fake: Any) -> Iterator[NativeBackend]:
    with NativeBackend(Rig(), library=library_path) as backend:
        yield backend
    assert fake.fake_open() == 0, "a device was left open"
    assert fake.fake_closed_while_called() == 0, "a device was closed under a call"
