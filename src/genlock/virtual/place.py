"""Where a virtual rig is to be found: the address of its socket, by which programs on this computer reach it.

A rig that is served for several programs has an address that follows from its rig file, so that nobody has to pass it
on; one that is there for a single program has a private one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genlock.errors import BackendError, UnreadableInputError
from genlock.virtual.wire import MAX_MESSAGE_BYTES, Operation, Reply, Request

__all__ = ["administer", "private_address", "served_address", "shared_address"]

_LOCK = ".lock"
_LONGEST_FOLDER = 80
"""Bytes; the path of a socket has 107 at most."""


@contextmanager
def private_address() -> Iterator[Path]:
    """An address that nobody else knows."""
    folder = _folder()
    _sweep(folder)
    address = folder / secrets.token_hex(8)
    try:
        yield address
    finally:
        address.unlink(missing_ok=True)


@contextmanager
def shared_address(rig_file: Path) -> Iterator[Path]:
    """The address of a rig that is served, held for this process until it leaves.

    Raises:
        BackendError: another process serves this rig file.
    """
    folder = _folder()
    _sweep(folder)
    address = served_address(rig_file)
    with _held(address.with_suffix(_LOCK)) as is_held:
        if not is_held:
            raise BackendError(
                f"{rig_file} is served already, by another genlock virtual --serve: run programs with "
                f"genlock virtual {rig_file} --attach -- PROGRAM"
            )
        try:
            yield address
        finally:
            address.unlink(missing_ok=True)


def served_address(rig_file: Path) -> Path:
    """Where this rig file is served, if it is."""
    return _folder() / hashlib.sha256(str(rig_file.resolve()).encode()).hexdigest()[:16]


def _folder() -> Path:
    """Where this user's sockets lie; nobody else may look in.

    Raises:
        BackendError: somebody else has made that folder.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "genlock" if runtime else None
    if folder is None or len(os.fsencode(folder)) > _LONGEST_FOLDER:
        folder = Path(tempfile.gettempdir()) / f"genlock-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise BackendError(f"{folder} belongs to another user: let XDG_RUNTIME_DIR name a folder of your own")
    return folder


def _sweep(folder: Path) -> None:
    """Removes the sockets of rigs that were killed, and their locks."""
    for path in folder.iterdir():
        if path.suffix == _LOCK:
            with _held(path):  # who gets it may remove it, and does
                pass
        elif path.suffix != ".new" and path.is_socket() and _is_dead(path):
            path.unlink(missing_ok=True)


def _is_dead(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            connection.connect(str(address))
        except ConnectionRefusedError:
            return True
        except OSError:  # gone meanwhile, or busy
            return False
    return False


@contextmanager
def _held(lock: Path) -> Iterator[bool]:
    """Holds a lock while entered, and removes its file; false where another process has it."""
    import fcntl  # not on every system on which this module is imported

    while True:
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            if not lock.exists() or lock.stat().st_ino != os.fstat(file.fileno()).st_ino:
                continue  # whoever had it removed this file between our opening and locking it
            try:
                yield True
            finally:
                lock.unlink(missing_ok=True)
            return


def administer(rig_file: Path, content: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Asks a served rig something.

    Args:
        rig_file: whose rig it is.
        content: with ``cause`` or ``cure`` a fault, as text, that begins or ends now.

    Returns:
        ``clients``: who has what open; ``environment``: the variables with which programs see the rig.

    Raises:
        BackendError: nobody serves it, or it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            connection.connect(str(served_address(rig_file)))
            connection.send(Request(Operation.ADMINISTER, content=content).pack())
            reply = Reply.unpack(connection.recv(MAX_MESSAGE_BYTES))
        except OSError as error:
            raise BackendError(f"nobody serves {rig_file} here: start genlock virtual {rig_file} --serve") from error
    answer: dict[str, Any] = json.loads(reply.content)  # Any: JSON
    if not reply.is_success:
        raise UnreadableInputError("--cause" if "cause" in content else "--cure", answer["error"])
    return answer
