"""The virtual rig as a backend: every device of a rig file, without hardware."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from genlock.clock import Clock, VirtualClock
from genlock.devices.base import DeviceInfo
from genlock.devices.faults import Fault, FaultKind
from genlock.devices.scenario import Scenario
from genlock.devices.sim.body import device_info, new_body
from genlock.devices.sim.darkroom import new_render_pool
from genlock.devices.sim.device import SimDevice
from genlock.devices.sim.mishaps import LOST
from genlock.devices.sim.placement import stage_poses
from genlock.devices.sim.truth import tell_truth
from genlock.devices.sim.world import World
from genlock.errors import DeviceOpenError, OpenFailure
from genlock.rig import Rig

__all__ = ["SimBackend"]


class SimBackend:
    """The devices of a rig, simulated. Color controls outlast a device's being closed, as in a real one.

    Args:
        rig: which devices there are, how they are wired, where they stand.
        scenario: seed, scene, firmware, timing.
        clock: on which they live; a virtual one by default, so that a take lasts as long as the processor needs.

    Raises:
        ValueError: the scenario speaks of a device that the rig does not have.
    """

    def __init__(self, rig: Rig, *, scenario: Scenario | None = None, clock: Clock | None = None) -> None:
        self._scenario = Scenario() if scenario is None else scenario
        self._clock: Clock = VirtualClock() if clock is None else clock
        _check_serials(rig, self._scenario)
        self._world = World(rig, self._scenario, self._clock)
        poses = stage_poses(rig)
        self._bodies = {serial: new_body(serial, self._scenario, poses, self._world.birth_nsec) for serial in poses}
        self._opened: dict[str, SimDevice] = {}
        self._lock = threading.Lock()
        self._render_pool = new_render_pool()

    @property
    def name(self) -> str:
        """``sim``."""
        return "sim"

    @property
    def clock(self) -> Clock:
        """The clock on which the devices live."""
        return self._clock

    @property
    def provenance(self) -> Mapping[str, str]:
        """Recording tags: that it is simulated, and what is needed to simulate it again."""
        return {
            "GENLOCK_BACKEND": "sim",
            "GENLOCK_SIM_SEED": str(self._scenario.seed),
            "GENLOCK_SIM_SCENE": self._scenario.scene.value,
            "GENLOCK_SIM_FIRMWARE": self._scenario.firmware.value,
        }

    def devices(self) -> Sequence[DeviceInfo]:
        """Those of the rig that are not open."""
        return tuple(
            device_info(serial, self._scenario)
            for serial in self._bodies
            if serial not in self._opened and self._is_there(serial)
        )

    def on_bus(self) -> Sequence[DeviceInfo]:
        """Those that are plugged in and have power, open or not, in the order of the rig file."""
        return tuple(device_info(serial, self._scenario) for serial in self._bodies if self._is_there(serial))

    def open(self, serial: str) -> SimDevice:
        """Opens one device. Raises ``DeviceOpenError`` when the rig has no such device, or when it is open already."""
        if serial not in self._bodies:
            known = ", ".join(self._bodies) or "none"
            raise DeviceOpenError(serial, f"the virtual rig has no such device; it has: {known}", OpenFailure.NOT_FOUND)
        if not self._is_there(serial):
            raise DeviceOpenError(serial, "it is not on the USB bus: plug it in", OpenFailure.NOT_FOUND)
        with self._lock:
            if serial in self._opened:
                raise DeviceOpenError(serial, "it is open already: close it first", OpenFailure.ALREADY_OPEN)
            device = SimDevice(
                self._bodies[serial],
                self._world,
                self._scenario,
                self._render_pool,
                on_close=lambda: self._let_go(serial),
            )
            self._opened[serial] = device
        self._world.opened(serial)
        return device

    def cause(self, fault: Fault) -> None:
        """Makes something go wrong while the rig runs; the fault's times count from now."""
        self._world.cause(fault)

    def cure(self, kind: FaultKind, serial: str | None = None) -> None:
        """Ends the faults of this kind at this device, scripted ones too."""
        self._world.cure(kind, serial)

    def truth(self) -> dict[str, Any]:  # Any: JSON
        """What really was, as JSON: poses, oscillators, each run's zero, faults, the scene. For judging alone."""
        return tell_truth(self._scenario, self._bodies, self._world)

    def close(self) -> None:
        """Closes every device. Safe twice."""
        for device in list(self._opened.values()):
            device.close()
        self._render_pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_there(self, serial: str) -> bool:
        return not self._world.mishaps.has_any(LOST, serial, self._clock.now_nsec())

    def _let_go(self, serial: str) -> None:
        with self._lock:
            self._opened.pop(serial, None)
        self._world.closed(serial)


def _check_serials(rig: Rig, scenario: Scenario) -> None:
    known = {device.serial for device in rig.devices}
    named = {*scenario.jacks, *(fault.serial for fault in scenario.faults if fault.serial is not None)}
    if named - known:
        raise ValueError(
            f"the scenario speaks of {', '.join(sorted(named - known))}; "
            f"the rig has {', '.join(sorted(known)) or 'no devices'}"
        )
