"""The virtual rig keeps the device contract."""

from genlock.devices import Backend, open_backend
from genlock.rig import Rig
from genlock.testing.device_contract import DeviceContract


class TestVirtualRig(DeviceContract):
    def make_backend(self, rig: Rig) -> Backend:
        return open_backend("sim", rig)
