"""A virtual rig for tests, and what they need of the computer: Microsoft's library, a C compiler, Linux."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.libraries import LibrariesMissingError, find_libraries
from genlock.devices.scenario import Scenario, SceneName, TimingModel
from genlock.errors import BackendUnavailableError
from genlock.rig import Rig
from genlock.virtual import VirtualRig, find_compiler, private_address, serve_rig

QUICK = TimingModel(start_sec=0.01)
DARK = Scenario(scene=SceneName.DARK, timing=QUICK)
"""Black images cost nothing: what matters here is how they travel."""


def libk4a() -> Path:
    """The folder with Microsoft's libraries; skips, saying so, where a virtual rig cannot run."""
    if sys.platform != "linux":
        pytest.skip(f"the virtual libk4a needs Linux; this is {sys.platform}")
    try:
        find_compiler()
        return find_libraries()
    except (BackendUnavailableError, LibrariesMissingError) as error:
        pytest.skip(str(error))


@contextmanager
def running_rig(rig: Rig, scenario: Scenario = DARK) -> Iterator[VirtualRig]:
    """A rig that this process serves, to itself and to others."""
    with private_address() as address, serve_rig(rig, address, scenario=scenario, real=libk4a()) as virtual:
        yield virtual


def client_environment(virtual: VirtualRig) -> Mapping[str, str]:
    """All of a client process's environment."""
    return {**os.environ, **virtual.environment}
