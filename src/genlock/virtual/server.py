"""The process that runs the virtual rig: the one truth that all clients see, each over its own connections."""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from genlock.clock import ClockThread
from genlock.devices import DeviceInfo
from genlock.devices.scenario import parse_fault
from genlock.errors import DeviceError, DeviceOpenError
from genlock.virtual.simulated import SimulatedRig
from genlock.virtual.visit import Visit
from genlock.virtual.wire import MAX_MESSAGE_BYTES, Operation, Reply, Request, pack_identity

__all__ = ["OpenDevice", "RigServer"]

logger = logging.getLogger(__name__)

_REFUSALS_KEPT = 100
_CREDENTIALS = struct.Struct("3i")
_PRODUCTION = (0, 0)
"""firmware_build RELEASE, firmware_signature MSFT."""
_AUDIO_FIRMWARE = (1, 6, 14)
_DEPTH_CONFIGURATION = (6109, 7, 0)
"""Of the last firmware package."""


@dataclass(frozen=True, slots=True)
class OpenDevice:
    """Who has a device open."""

    serial: str
    pid: int
    program: str
    """Its name, as the system has it."""
    role: str
    """``standalone``, ``master`` or ``subordinate`` while its cameras run, else ``idle``."""
    captures: int
    """Those offered to it since its cameras started."""

    def to_json(self) -> dict[str, object]:
        """For answers."""
        return {
            "serial": self.serial,
            "pid": self.pid,
            "program": self.program,
            "role": self.role,
            "captures": self.captures,
        }


class RigServer:
    """Serves a virtual rig at a Unix socket until it is closed; a context manager.

    Args:
        backend: the rig, on the system's clock. Belongs to the caller, who closes it afterwards.
        producer: see ``channel.load_producer``.
        address: where to listen; must not exist.
        environment: variables with which programs see the rig; told to those who ask.
    """

    def __init__(
        self,
        backend: SimulatedRig,
        producer: Any,  # Any: ctypes
        address: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._backend = backend
        self._serials = [info.serial for info in backend.on_bus()]
        self.environment = environment
        self._producer = producer
        self._clock = backend.clock
        self.address = address
        self._lock = threading.Lock()
        """Guards the three below."""
        self._visits: dict[socket.socket, Visit | None] = {}
        """Every connection, with the device that was opened over it."""
        self._threads: list[ClockThread] = []
        self._refusals: OrderedDict[str, int] = OrderedDict()
        """How often each was given, the latest last."""
        self._is_closed = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Under its own name only once it listens: one that does not looks like one whose server was killed.
        new = address.with_suffix(".new")
        self._listener.bind(str(new))
        self._listener.listen(64)
        new.rename(address)
        self._acceptor = self._clock.start_thread(self._accept, "virtual rig")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def refusals(self) -> Sequence[str]:
        """What clients were refused, and why, the latest last: the SDK's interface does not tell them."""
        with self._lock:
            counted = list(self._refusals.items())
        return [reason if times == 1 else f"{reason} ({times} times)" for reason, times in counted]

    def clients(self) -> Sequence[OpenDevice]:
        """Who has what open, by serial."""
        with self._lock:
            held = [(connection, visit) for connection, visit in self._visits.items() if visit is not None]
        found = []
        for connection, visit in held:
            config = visit.config
            pid = _pid_of(connection)
            role = "idle" if config is None else config.wired_sync_mode.value.lower()
            found.append(OpenDevice(visit.serial, pid, _program_of(pid), role, visit.delivered))
        return sorted(found, key=lambda client: client.serial)

    def close(self) -> None:
        """Ends every connection: to the clients, every device is unplugged. Safe twice."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            connections, threads = list(self._visits), list(self._threads)
        _hang_up(self._listener)
        self._acceptor.join()
        self._listener.close()
        for connection in connections:
            _hang_up(connection)
        for thread in threads:
            thread.join()
        self.address.unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            with self._lock:
                if self._is_closed:
                    connection.close()
                    return
                self._visits[connection] = None
                self._threads = [thread for thread in self._threads if not thread.join(0)]
                self._threads.append(self._clock.start_thread(lambda c=connection: self._serve(c), "virtual client"))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        """One connection, to its end, whatever that is."""
        try:
            while message := connection.recv(MAX_MESSAGE_BYTES):
                _send(connection, self._answer(connection, message))
        except OSError as error:
            logger.debug("a client went away: %s", error)
        finally:
            self._close_visit(connection)
            with self._lock:
                del self._visits[connection]
            connection.close()

    def _answer(self, connection: socket.socket, message: bytes) -> Reply:
        try:
            request = Request.unpack(message)
            if request.operation is Operation.COUNT:
                return Reply(is_success=True, values=(len(self._backend.on_bus()),))
            if request.operation is Operation.ADMINISTER:
                return self._administer(request)
            if request.operation is Operation.OPEN:
                return self._open(connection, request.arguments[0])
            if request.operation is Operation.CLOSE:
                self._close_visit(connection)
                return Reply(is_success=True)
            visit = self._visits[connection]
            if visit is None:
                raise ValueError(f"{request.operation.name} needs an opened device")
            return visit.answer(request)
        except (DeviceError, ValueError, OSError) as error:
            self._note_refusal(connection, str(error))
            return Reply(is_success=False)

    def _open(self, connection: socket.socket, index: int) -> Reply:
        present = self._backend.on_bus()
        if not 0 <= index < len(present):
            raise ValueError(f"there is no device with index {index}: {len(present)} are plugged in")
        if self._visits[connection] is not None:
            raise DeviceOpenError(present[index].serial, "this connection has a device already")
        device = self._backend.open(present[index].serial)
        visit = Visit(device, self._clock, self._producer)
        with self._lock:
            self._visits[connection] = visit
        return Reply(
            is_success=True, content=pack_identity(visit.serial, _version(device.info), device.raw_calibration())
        )

    def _close_visit(self, connection: socket.socket) -> None:
        with self._lock:
            visit = self._visits[connection]
            self._visits[connection] = None
        if visit is not None:
            visit.close()

    def _administer(self, request: Request) -> Reply:
        """What ``genlock virtual`` itself asks of a rig that is served."""
        try:
            for name, text in request.content.items():
                fault = parse_fault(text)
                if fault.serial not in (None, *self._serials):
                    raise ValueError(f"the rig has no device {fault.serial}; it has: {', '.join(self._serials)}")
                if name == "cause":
                    self._backend.cause(fault)
                else:
                    self._backend.cure(fault.kind, fault.serial)
        except ValueError as error:
            return Reply(is_success=False, content=json.dumps({"error": str(error)}).encode())
        answer = {"clients": [client.to_json() for client in self.clients()], "environment": dict(self.environment)}
        return Reply(is_success=True, content=json.dumps(answer).encode())

    def _note_refusal(self, connection: socket.socket, reason: str) -> None:
        text = f"{_program_of(_pid_of(connection))}: {reason}"
        logger.info("refused %s", text)
        with self._lock:
            self._refusals[text] = self._refusals.pop(text, 0) + 1
            if len(self._refusals) > _REFUSALS_KEPT:
                self._refusals.popitem(last=False)


def _version(info: DeviceInfo) -> list[int]:
    """``k4a_hardware_version_t``: color, depth, audio, depth configuration, build, signature."""
    color, depth = ([int(part) for part in text.split(".")] for text in (info.color_firmware, info.depth_firmware))
    return [*color, *depth, *_AUDIO_FIRMWARE, *_DEPTH_CONFIGURATION, *_PRODUCTION]


def _send(connection: socket.socket, reply: Reply) -> None:
    if reply.descriptor is None:
        connection.send(reply.pack())
        return
    try:
        socket.send_fds(connection, [reply.pack()], [reply.descriptor])
    finally:
        os.close(reply.descriptor)


def _hang_up(connection: socket.socket) -> None:
    """Wakes whoever waits on this socket, here and at the other end."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        logger.debug("already hung up: %s", error)


def _pid_of(connection: socket.socket) -> int:
    try:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return 0
    return int(_CREDENTIALS.unpack(credentials)[0])


def _program_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return f"process {pid}"
