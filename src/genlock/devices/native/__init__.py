"""Real cameras, through the libk4a that the user has."""

from genlock.devices.native.backend import NativeBackend
from genlock.devices.native.search import LIBRARY_VARIABLE, find_library, library_version

__all__ = ["LIBRARY_VARIABLE", "NativeBackend", "find_library", "library_version"]
