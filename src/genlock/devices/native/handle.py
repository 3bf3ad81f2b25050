"""One opened ``k4a_device_t``: every call says why it failed, and no call outlives the handle.

The SDK may be called from several threads, but closing a device frees what a call in another thread still uses. So
calls are counted, and ``close`` waits for those that are under way.
"""

from __future__ import annotations

import ctypes as c
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from genlock.devices.native.abi import SUCCEEDED, TOO_SMALL, k4a_hardware_version_t
from genlock.devices.native.library import K4aLibrary
from genlock.errors import DeviceError, DeviceLostError
from genlock.k4a import SyncJacks

__all__ = ["CLOSE_SEC", "Handle", "in_brackets", "installed_count", "open_handle"]

_UNKNOWN = "unknown"
CLOSE_SEC = 5.0
"""How long closing waits for others who still use the device. The SDK's own waits are shorter, see ``device.py``."""


def in_brackets(reason: str) -> str:
    """The SDK's reason as the end of a sentence; nothing where it gave none."""
    return f" (the SDK says: {reason})" if reason else ""


def installed_count(library: K4aLibrary) -> int:
    """How many devices are plugged in, open or not."""
    with library.log.reasons():  # the SDK calls it an error that there are none
        return int(library.c.k4a_device_get_installed_count())


def open_handle(library: K4aLibrary, index: int) -> tuple[Handle | None, str]:
    """The device at a place of the SDK's enumeration; ``None`` and the reason when it cannot be opened or asked.

    The reason is empty where the SDK gave none.

    The order of the enumeration means nothing and changes: only the serial tells who it is.
    """
    pointer = c.c_void_p()
    with library.log.reasons() as reasons:
        result = library.c.k4a_device_open(index, c.byref(pointer))
    if result != SUCCEEDED or not pointer.value:
        return None, reasons.text
    try:
        return Handle(library, pointer), ""
    except DeviceError as error:  # it went away meanwhile
        return None, error.reason


class Handle:
    """An opened device, closed once, when nobody is inside a call any more."""

    def __init__(self, library: K4aLibrary, pointer: c.c_void_p) -> None:
        self.library = library
        self._pointer = pointer
        self._changed = threading.Condition()
        self._calls = 0
        self._is_closing = False
        try:
            self.serial = self._text("k4a_device_get_serialnum") or _UNKNOWN
        except DeviceError:
            self.close()
            raise

    @contextmanager
    def borrowed(self) -> Iterator[c.c_void_p]:
        """The pointer, for the time of a call. Raises ``DeviceError`` once the handle was closed."""
        with self._changed:
            if self._is_closing:
                raise DeviceError(self.serial, "this handle is closed: open the device again with its backend")
            self._calls += 1
        try:
            yield self._pointer
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def call(self, name: str, *arguments: object) -> tuple[int, str]:
        """Calls a function of the library with this device; its result, and the SDK's reason if it gave one."""
        with self.borrowed() as pointer, self.library.log.reasons() as reasons:
            result = getattr(self.library.c, name)(pointer, *arguments)
        return SUCCEEDED if result is None else int(result), reasons.text

    def close(self) -> None:
        """Waits for the calls under way, then closes; no call begins from now on. Safe twice.

        Raises:
            DeviceError: a call did not come back. The device is left open: closing it under the call would crash.
        """
        with self._changed:
            self._is_closing = True
            if not self._changed.wait_for(lambda: self._calls == 0, CLOSE_SEC):
                raise DeviceError(
                    self.serial,
                    f"a call into the SDK does not come back within {CLOSE_SEC:g} s: it hangs, and is not closed",
                )
            pointer, self._pointer = self._pointer, c.c_void_p()
        if pointer:
            self.library.c.k4a_device_close(pointer)

    def versions(self) -> k4a_hardware_version_t:
        """The firmware. Raises ``DeviceLostError`` when the device does not answer."""
        versions = k4a_hardware_version_t()
        self.demand("its firmware versions", "k4a_device_get_version", c.byref(versions))
        return versions

    def sync_jacks(self) -> SyncJacks:
        """Which jacks have a plug. Raises ``DeviceLostError`` when the device does not answer."""
        sync_in, sync_out = c.c_bool(), c.c_bool()
        self.demand("its sync jacks", "k4a_device_get_sync_jack", c.byref(sync_in), c.byref(sync_out))
        return SyncJacks(sync_in.value, sync_out.value)

    def raw_calibration(self) -> bytes:
        """The factory calibration without its trailing NUL."""
        return self._bytes("k4a_device_get_raw_calibration").rstrip(b"\0")

    def demand(self, what: str, name: str, *arguments: object) -> None:
        """A call that a device which is there always answers."""
        result, reason = self.call(name, *arguments)
        if result != SUCCEEDED:
            raise DeviceLostError(
                self.serial,
                f"{what} cannot be read any more: it was unplugged, or hangs{in_brackets(reason)}. Plug it in again, "
                "USB and power, and open it again",
            )

    def _text(self, name: str) -> str:
        return self._bytes(name).rstrip(b"\0").decode("ascii", errors="replace")

    def _bytes(self, name: str) -> bytes:
        """What a function writes into a buffer that is as large as the function itself says."""
        size = c.c_size_t(0)
        result, reason = self.call(name, None, c.byref(size))
        buffer = c.create_string_buffer(max(1, size.value))
        if result == TOO_SMALL:
            result, reason = self.call(name, buffer, c.byref(size))
        if result != SUCCEEDED:
            raise DeviceLostError(getattr(self, "serial", _UNKNOWN), f"{name} failed{in_brackets(reason)}")
        return buffer.raw[: size.value]
