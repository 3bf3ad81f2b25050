"""Who makes captures: the ``Device`` and ``Backend`` protocols, and backends by name."""

from genlock.devices.base import Backend, ColorControl, ColorControlValue, Device, DeviceInfo
from genlock.devices.registry import backend_names, open_backend

__all__ = [
    "Backend",
    "ColorControl",
    "ColorControlValue",
    "Device",
    "DeviceInfo",
    "backend_names",
    "open_backend",
]
