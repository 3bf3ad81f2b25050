"""The control messages between a client's libk4a and the process that runs the virtual rig.

The other half, and the whole story, is ``csrc/protocol.h``. Little-endian; one message a packet of a ``SOCK_SEQPACKET``
socket. Besides the device functions, which the C library asks for, there are questions of genlock's own (who has what
open, make something go wrong), whose arguments and answers are JSON behind the fixed part.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

__all__ = [
    "IDENTITY_CALIBRATION_BYTES",
    "MAX_MESSAGE_BYTES",
    "PROTOCOL",
    "Operation",
    "Reply",
    "Request",
    "pack_identity",
]

PROTOCOL = 1
MAX_MESSAGE_BYTES = 256 * 1024
_REQUEST = struct.Struct("<II10i")
_REPLY = struct.Struct("<i7i")
_IDENTITY = struct.Struct("<32s14II")
IDENTITY_CALIBRATION_BYTES = MAX_MESSAGE_BYTES - _REPLY.size - _IDENTITY.size
"""A larger calibration does not fit; those of real devices have about 10 kB."""


class Operation(IntEnum):
    """What is asked."""

    COUNT = 1
    OPEN = 2
    START = 3
    STOP = 4
    START_IMU = 5
    STOP_IMU = 6
    JACKS = 7
    CONTROL_RANGE = 8
    CONTROL_GET = 9
    CONTROL_SET = 10
    CLOSE = 11
    ADMINISTER = 100
    """JSON: not for the C library."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question."""

    operation: Operation
    arguments: tuple[int, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON

    def pack(self) -> bytes:
        """As it travels."""
        arguments = (*self.arguments, *(0,) * (10 - len(self.arguments)))
        content = json.dumps(self.content).encode() if self.content else b""
        return _REQUEST.pack(PROTOCOL, self.operation, *arguments) + content

    @classmethod
    def unpack(cls, message: bytes) -> Request:
        """Raises ``ValueError`` where the message is none of this version."""
        if len(message) < _REQUEST.size:
            raise ValueError(f"a request has at least {_REQUEST.size} bytes; this has {len(message)}")
        protocol, operation, *arguments = _REQUEST.unpack_from(message)
        if protocol != PROTOCOL:
            raise ValueError(f"this genlock speaks version {PROTOCOL} of the protocol; the client's library {protocol}")
        rest = message[_REQUEST.size :]
        return cls(Operation(operation), tuple(arguments), json.loads(rest) if rest else {})


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    is_success: bool
    values: Sequence[int] = ()
    content: bytes = b""
    descriptor: int | None = None
    """Travels beside the message; whoever sends it closes it."""

    def pack(self) -> bytes:
        """As it travels, without the descriptor."""
        values = (*self.values, *(0,) * (7 - len(self.values)))
        return _REPLY.pack(0 if self.is_success else 1, *values) + self.content

    @classmethod
    def unpack(cls, message: bytes) -> Reply:
        """The answer in a message."""
        result, *values = _REPLY.unpack_from(message)
        return cls(result == 0, tuple(values), message[_REPLY.size :])


def pack_identity(serial: str, version: Sequence[int], calibration: bytes) -> bytes:
    """What OPEN answers: who the device is.

    Args:
        serial: 12 digits.
        version: the 14 numbers of ``k4a_hardware_version_t``.
        calibration: JSON, without the trailing NUL, which is added.
    """
    return _IDENTITY.pack(serial.encode(), *version, len(calibration) + 1) + calibration + b"\0"
