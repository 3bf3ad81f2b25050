"""The one thing that preflight repairs itself, when told to: the memory for USB transfers, until the next restart."""

from __future__ import annotations

from genlock.preflight.machine import Machine
from genlock.preflight.usb import USBFS_FILE

__all__ = ["set_usbfs_memory"]


def set_usbfs_memory(machine: Machine, megabytes: int) -> str | None:
    """Sets ``usbfs_memory_mb``, as root or through ``sudo``; why it did not work, ``None`` when it did."""
    path = machine.path(USBFS_FILE)
    if machine.may_write(path):
        try:
            path.write_text(f"{megabytes}\n", encoding="utf-8")
        except OSError as error:
            return f"{USBFS_FILE}: {error.strerror or error}"
    elif machine.run(("sudo", "-n", "tee", USBFS_FILE), f"{megabytes}\n") is None:
        return f"neither this user nor sudo without a password may write {USBFS_FILE}"
    found = machine.number(USBFS_FILE)
    return None if found == megabytes else f"{USBFS_FILE} says {found} after {megabytes} was written to it"
