"""The virtual rig: simulated devices that share cables, a clock and a scene."""

from genlock.devices.sim.backend import SimBackend

__all__ = ["SimBackend"]
