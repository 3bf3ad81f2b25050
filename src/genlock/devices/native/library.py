"""A loaded libk4a: whose it is, how new it is, and its functions ready to be called."""

from __future__ import annotations

import atexit
import ctypes as c
import os
import sys
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from genlock.devices.native.abi import FUNCTIONS, SUCCEEDED, LogHandler, LogLevel
from genlock.devices.native.log import SdkLog, logger
from genlock.devices.native.search import library_version
from genlock.errors import BackendUnavailableError

__all__ = ["K4aLibrary", "Vendor", "load_library"]

_LEAST_VERSION = (1, 4)
"""Of Microsoft's library: the interface that ``abi.py`` describes."""
_ORBBEC_FUNCTION = "k4a_device_switch_device_clock_sync_mode"
"""Only Orbbec's wrapper exports it (``k4a.h`` of OrbbecSDK-K4A-Wrapper); files and all other names are Microsoft's."""
_VIRTUAL_SYMBOL = "genlock_virtual_rig"
"""What the library of ``genlock virtual`` exports beside the SDK's functions."""


class Vendor(StrEnum):
    """Whose libk4a it is."""

    MICROSOFT = "Microsoft"
    ORBBEC = "Orbbec"
    """The K4A wrapper for Femto Bolt and Mega. # unverified on hardware"""
    GENLOCK = "genlock's virtual"
    """No cameras at all: the virtual rig behind the C interface."""


class K4aLibrary:
    """One loaded library. Made by ``load_library``; stays loaded until the process ends, as the SDK wants it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.c: Any = _load(path)  # Any: ctypes gives functions no types
        """The functions by their C names, with their argument types set."""
        _declare(self.c, path)
        self.vendor = _vendor(self.c)
        self.version = library_version(path)
        if self.vendor is Vendor.MICROSOFT and self.version is not None and self.version[:2] < _LEAST_VERSION:
            raise BackendUnavailableError(
                f"{path} is libk4a {'.'.join(map(str, self.version))}; genlock needs 1.4: install a newer SDK"
            )
        self.log = SdkLog()
        self._register_log()

    @property
    def is_orbbec(self) -> bool:
        """Whether it is Orbbec's wrapper, whose differences stand in ``orbbec.py``."""
        return self.vendor is Vendor.ORBBEC

    @property
    def description(self) -> str:
        """Whose and which: ``Microsoft libk4a 1.4.2``."""
        number = ".".join(map(str, self.version)) if self.version else "of unknown version"
        return f"{self.vendor} libk4a {number}"

    def _register_log(self) -> None:
        if self.c.k4a_set_debug_message_handler(self.log.handler, None, self.log.least_level) != SUCCEEDED:
            logger.warning("somebody else in this process receives the SDK's log: reasons may be missing")
            return
        atexit.register(self.c.k4a_set_debug_message_handler, LogHandler(0), None, LogLevel.OFF)


def load_library(path: Path) -> K4aLibrary:
    """Loads a libk4a; once per process and file, by whatever path it is named: its log has one receiver.

    Sets ``K4A_ENABLE_LOG_TO_STDOUT=0`` for this process, which the library reads when it is loaded: it would print
    errors to standard output beside telling its handler.

    Raises:
        BackendUnavailableError: it does not load, is none, or is too old.
    """
    return _load_once(path.resolve())


@cache
def _load_once(path: Path) -> K4aLibrary:
    return K4aLibrary(path)


def _vendor(library: c.CDLL) -> Vendor:
    if hasattr(library, _VIRTUAL_SYMBOL):
        return Vendor.GENLOCK
    return Vendor.ORBBEC if hasattr(library, _ORBBEC_FUNCTION) else Vendor.MICROSOFT


def _load(path: Path) -> c.CDLL:
    os.environ["K4A_ENABLE_LOG_TO_STDOUT"] = "0"
    try:
        if sys.platform == "win32":
            os.add_dll_directory(str(path.parent))  # for good: the depth engine there is loaded later
        return c.CDLL(str(path))
    except OSError as error:
        raise BackendUnavailableError(f"{path} was found but does not load: {error}") from error


def _declare(library: c.CDLL, path: Path) -> None:
    missing = [name for name in FUNCTIONS if not hasattr(library, name)]
    if missing:
        which = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise BackendUnavailableError(f"{path} is no libk4a 1.4: it lacks {which}. Install the Azure Kinect SDK 1.4")
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
