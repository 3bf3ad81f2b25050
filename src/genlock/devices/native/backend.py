"""Real cameras as a backend: every device that libk4a can reach, by serial."""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from genlock.clock import Clock, SystemClock
from genlock.devices.base import DeviceInfo
from genlock.devices.native.device import NativeDevice
from genlock.devices.native.handle import Handle, in_brackets, installed_count, open_handle
from genlock.devices.native.library import Vendor, load_library
from genlock.devices.native.orbbec import orbbec_findings
from genlock.devices.native.search import find_library
from genlock.errors import DeviceError, DeviceOpenError, OpenFailure
from genlock.findings import Finding, Severity
from genlock.rig import Rig

__all__ = ["NativeBackend"]

logger = logging.getLogger(__name__)

_UNKNOWN = "unknown"


class NativeBackend:
    """The cameras of this computer.

    They live on the computer's monotonic clock, which on Linux is also that of the SDK's arrival times. On Windows the
    two agree from Python 3.13 on. # unverified on hardware: arrival times on Windows

    Args:
        rig: not needed to find devices: the SDK tells who is there.
        library: libk4a, or the folder that holds it; by default it is searched for, see ``find_library``.
        clock: on which to wait.

    Raises:
        BackendUnavailableError: there is no library, it does not load, or it is no libk4a 1.4.
    """

    def __init__(self, rig: Rig, *, library: Path | str | None = None, clock: Clock | None = None) -> None:
        self._library = load_library(find_library(library))
        self._clock: Clock = SystemClock() if clock is None else clock
        self._opened: dict[str, NativeDevice] = {}
        self._indices: dict[str, int] = {}
        """Where each serial was found last."""
        self._lock = threading.Lock()
        # A process that ends while cameras stream would take the library away from under its own threads.
        atexit.register(self.close)

    @property
    def name(self) -> str:
        """``native``."""
        return "native"

    @property
    def clock(self) -> Clock:
        """The computer's monotonic clock."""
        return self._clock

    @property
    def provenance(self) -> Mapping[str, str]:
        """Recording tags: who made the images, and through which library. The virtual rig's stay simulated."""
        made_by = "sim" if self._library.vendor is Vendor.GENLOCK else self.name
        return {"GENLOCK_BACKEND": made_by, "GENLOCK_K4A_LIBRARY": self._library.description}

    def devices(self) -> Sequence[DeviceInfo]:
        """Those that are not open here. Each is opened for a moment: the SDK tells nobody's serial otherwise.

        One that cannot be opened has the serial ``unknown`` and a finding that says so.
        """
        with self._lock:
            return tuple(self._look_at_all())

    def open(self, serial: str) -> NativeDevice:
        """Opens one device: each that the SDK counts in turn, until the serial is the one that is wanted.

        Raises:
            DeviceOpenError: not there, open here already, or perhaps open in another program.
        """
        with self._lock:
            if serial in self._opened:
                raise DeviceOpenError(serial, "it is open already: close it first", OpenFailure.ALREADY_OPEN)
            handle = self._find(serial)
            try:
                info = self._info(handle)
            except DeviceError as error:
                handle.close()
                raise DeviceOpenError(serial, error.reason) from error
            device = NativeDevice(handle, info, self._clock, on_close=lambda: self._let_go(serial))
            self._opened[serial] = device
        return device

    def close(self) -> None:
        """Closes every device that is still open. One that hangs is told to the log and left. Safe twice."""
        atexit.unregister(self.close)
        for device in list(self._opened.values()):
            try:
                device.close()
            except DeviceError as error:  # whoever leaves the backend with an error is to see that one
                logger.error("%s", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _look_at_all(self) -> Iterator[DeviceInfo]:
        own = {self._indices[serial] for serial in self._opened}
        for index in range(installed_count(self._library)):
            handle, reason = open_handle(self._library, index)
            if handle is not None:
                self._indices[handle.serial] = index
                yield self._info_of(handle)
            elif index not in own:
                yield DeviceInfo(
                    _UNKNOWN, self.name, _UNKNOWN, _UNKNOWN, (_not_openable(f"the SDK's device {index}", reason),)
                )

    def _info_of(self, handle: Handle) -> DeviceInfo:
        """Asks a device and lets it go; one that falls silent meanwhile says so in its findings."""
        try:
            return self._info(handle)
        except DeviceError as error:
            finding = _not_openable(f"device {handle.serial}", error.reason)
            return DeviceInfo(handle.serial, self.name, _UNKNOWN, _UNKNOWN, (finding,))
        finally:
            handle.close()

    def _find(self, serial: str) -> Handle:
        seen, reasons = [], []
        last, own = self._indices.get(serial), {self._indices[opened] for opened in self._opened}
        # First where it was last; what we have open ourselves can only fail, unless the order has changed meanwhile.
        for index in sorted(range(installed_count(self._library)), key=lambda i: (i != last, i in own)):
            handle, reason = open_handle(self._library, index)
            if handle is None:
                reasons.append(reason)
                continue
            self._indices[handle.serial] = index
            if handle.serial == serial:
                return handle
            seen.append(handle.serial)
            handle.close()
        raise self._not_found(serial, seen, reasons)

    def _not_found(self, serial: str, seen: Sequence[str], reasons: Sequence[str]) -> DeviceOpenError:
        others = f"others that can be opened: {', '.join(seen) or 'none'}"
        blocked = len(reasons) - len(self._opened)  # our own open ones cannot be opened again either
        if blocked > 0:
            count = "1 device is plugged in that" if blocked == 1 else f"{blocked} devices are plugged in that"
            return DeviceOpenError(
                serial,
                f"{count} cannot be opened, and this may be one of them: another program has it open, or this user may "
                f"not open it (udev rules){in_brackets(reasons[-1])}. Close the other program; {others}",
                OpenFailure.ALREADY_OPEN,
            )
        return DeviceOpenError(
            serial,
            f"it is not there: plug in its USB cable and its power, and look for a lit status light; {others}",
            OpenFailure.NOT_FOUND,
        )

    def _info(self, handle: Handle) -> DeviceInfo:
        versions = handle.versions()
        return DeviceInfo(
            handle.serial,
            self.name,
            str(versions.rgb),
            str(versions.depth),
            orbbec_findings(handle.serial) if self._library.is_orbbec else (),
        )

    def _let_go(self, serial: str) -> None:
        with self._lock:
            self._opened.pop(serial, None)


def _not_openable(where: str, reason: str) -> Finding:
    return Finding(
        "devices.not_openable",
        Severity.WARNING,
        where,
        f"it is plugged in and cannot be opened{in_brackets(reason)}",
        "Close the program that has it open (genlock, k4aviewer, a recorder); on Linux, install the SDK's udev rules.",
    )
