"""Who makes captures: the ``Device`` and ``Backend`` protocols, and backends by name."""

from genlock.devices.base import Backend, ColorControl, ColorControlRange, ColorControlValue, Device, DeviceInfo
from genlock.devices.registry import backend_names, find_k4a_library, open_backend

__all__ = [
    "Backend",
    "ColorControl",
    "ColorControlRange",
    "ColorControlValue",
    "Device",
    "DeviceInfo",
    "backend_names",
    "find_k4a_library",
    "open_backend",
]
