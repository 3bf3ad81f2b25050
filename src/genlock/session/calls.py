"""A call to a device that may never return, bounded: a stuck device must not hold up the others."""

from __future__ import annotations

from collections.abc import Callable

from genlock.clock import Clock
from genlock.errors import DeviceError

__all__ = ["call_within"]


def call_within(clock: Clock, serial: str, what: str, act: Callable[[], None], timeout_sec: float) -> None:
    """Does something to a device in a thread of its own, and waits for it only so long.

    Raises:
        DeviceError: it did not come back in time; the thread stays behind with the stuck call.
        Exception: whatever the call raised.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  # a thread ends here: the caller raises it
            raised.append(error)

    if not clock.start_thread(run, name=f"genlock-{what}-{serial}").join(timeout_sec):
        raise DeviceError(
            serial, f"did not come back from {what} within {timeout_sec:g} s: it hangs. Unplug its power and plug it in"
        )
    if raised:
        raise raised[0]
