"""A virtual rig that programs can see: the simulation, its server, and the library that they load instead of libk4a."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from genlock.clock import SystemClock
from genlock.devices import find_k4a_library, open_backend
from genlock.devices.scenario import Scenario
from genlock.rig import Rig
from genlock.virtual.build import PRODUCER_LIBRARY, build_library
from genlock.virtual.channel import load_producer
from genlock.virtual.environment import program_environment
from genlock.virtual.server import RigServer
from genlock.virtual.simulated import SimulatedRig, simulated

__all__ = ["VirtualRig", "serve_rig"]


@dataclass(frozen=True, slots=True)
class VirtualRig:
    """A virtual rig that is being served."""

    backend: SimulatedRig
    """To make things go wrong while it runs, and to be told what really was."""
    server: RigServer
    """To be told who has what open, and what was refused."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables with which a program sees the rig."""
        return self.server.environment


@contextmanager
def serve_rig(
    rig: Rig, address: Path, *, scenario: Scenario | None = None, real: Path | None = None
) -> Iterator[VirtualRig]:
    """Serves a rig at an address while entered.

    Args:
        rig: which devices there are and how they are wired.
        address: of the socket to make.
        scenario: what they see and what goes wrong.
        real: Microsoft's libk4a, or its folder; by default it is looked for.

    Raises:
        BackendUnavailableError: no libk4a, no C compiler, or not on Linux.
    """
    library = build_library(find_k4a_library(real))
    producer = load_producer(library / PRODUCER_LIBRARY)
    with (
        open_backend("sim", rig, scenario=scenario, clock=SystemClock()) as backend,
        RigServer(simulated(backend), producer, address, program_environment(library, address)) as server,
    ):
        yield VirtualRig(simulated(backend), server)
