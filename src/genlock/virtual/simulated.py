"""What the virtual rig's backend has beyond every other's, which only who puts it under a C interface needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from genlock.devices import Backend, ColorControl, ColorControlRange, Device, DeviceInfo
from genlock.devices.scenario import Fault, FaultKind
from genlock.k4a import SyncJacks

__all__ = ["SimulatedDevice", "SimulatedRig", "simulated"]


class SimulatedDevice(Device, Protocol):
    """A device of the virtual rig. ``next_capture`` and ``take_imu`` may have a thread each."""

    joins_images: bool
    """Whether the next start joins color and depth into captures; the SDK's ``K4A_DISABLE_SYNCHRONIZATION`` says no."""

    @property
    def is_lost(self) -> bool:
        """Whether it went away since it was opened."""
        ...

    def sync_jacks(self) -> SyncJacks:
        """Which sync jacks have a plug: this one can always tell."""
        ...

    def color_control_range(self, control: ColorControl) -> ColorControlRange:
        """What values the control takes."""
        ...

    def stop_cameras(self) -> None:
        """Stops the cameras; the IMU goes on."""
        ...

    def start_imu(self) -> None:
        """Starts the IMU beside running cameras. Raises ``DeviceStartError`` where the SDK would refuse."""
        ...

    def stop_imu(self) -> None:
        """Stops the IMU; the cameras go on."""
        ...


class SimulatedRig(Backend, Protocol):
    """The virtual rig."""

    def on_bus(self) -> Sequence[DeviceInfo]:
        """The devices that are plugged in, open or not."""
        ...

    def open(self, serial: str) -> SimulatedDevice:
        """Opens one device. Raises ``DeviceOpenError``."""
        ...

    def cause(self, fault: Fault) -> None:
        """Makes something go wrong while the rig runs; the fault's times count from now."""
        ...

    def cure(self, kind: FaultKind, serial: str | None = None) -> None:
        """Ends the faults of this kind at this device."""
        ...

    def truth(self) -> dict[str, Any]:  # Any: JSON
        """What really was."""
        ...


def simulated(backend: Backend) -> SimulatedRig:
    """The same backend, known to be the virtual rig's: backends are opened by name, of which types know nothing."""
    return cast(SimulatedRig, backend)
