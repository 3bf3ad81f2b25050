"""Fixtures for those contracts that are kept through the C interface."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from genlock.devices.scenario import Scenario
from genlock.rig import Rig
from genlock.virtual import VirtualRig
from support.k4a_client import K4a
from support.virtual_rig import DARK, running_rig


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[K4a, VirtualRig]]]:
    """Serves a rig; this process is its client as well, through ctypes."""
    with ExitStack() as stack:

        def start(rig: Rig, scenario: Scenario = DARK) -> tuple[K4a, VirtualRig]:
            virtual = stack.enter_context(running_rig(rig, scenario))
            monkeypatch.setenv("GENLOCK_VIRTUAL", virtual.environment["GENLOCK_VIRTUAL"])
            return K4a(virtual.environment["GENLOCK_K4A_LIBRARY"]), virtual

        yield start
