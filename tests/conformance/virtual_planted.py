"""genlock's command line with a virtual rig that misbehaves: ``python virtual_planted.py PLANT ARGUMENTS...``.

What no scenario can ask for, because no camera does it: here it is planted into the simulation, so that the tests can
show that they would notice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from genlock.cli.main import main
from genlock.devices.sim import device as sim_device
from genlock.devices.sim import imu
from genlock.devices.sim.world import World
from genlock.k4a import DeviceConfig, SyncJacks, WiredSyncMode, start_refusals


@contextmanager
def _jacks_ignored() -> Iterator[None]:
    def without_jacks(config: DeviceConfig, jacks: SyncJacks | None = None) -> object:
        return start_refusals(config, None)

    with patch.object(sim_device, "start_refusals", without_jacks):
        yield


@contextmanager
def _subordinates_do_not_wait() -> Iterator[None]:
    start: Callable[..., Any] = World.start

    def start_alone(world: World, serial: str, stream: Any, mode: WiredSyncMode, pulses: Any) -> None:
        start(world, serial, stream, WiredSyncMode.STANDALONE, pulses)

    with patch.object(World, "start", start_alone):
        yield


@contextmanager
def _imu_at_1500_hz() -> Iterator[None]:
    with patch.object(imu, "IMU_HZ", 1500):
        yield


PLANTS = {
    "jacks_ignored": _jacks_ignored,
    "subordinates_do_not_wait": _subordinates_do_not_wait,
    "imu_at_1500_hz": _imu_at_1500_hz,
}

if __name__ == "__main__":
    with PLANTS[sys.argv[1]]():
        sys.argv = ["genlock", *sys.argv[2:]]
        main()
