"""Every exception that genlock raises on purpose.

The tree, with a situation for each leaf::

    GenlockError
    ├── UnreadableInputError           a file that is not what it should be (exit status 2)
    │   ├── RigFileError               rig.toml has a misspelt key, a wrong type, bad TOML
    │   ├── PlanFileError              plan.json is damaged, or made by a newer genlock
    │   ├── ExtrinsicsFileError        extrinsics.json is not there, or lacks the devices of the session
    │   ├── IntrinsicsFileError        a file of lens models that cannot be read, or lacks a camera
    │   ├── RecordingError             not an MKV; an MKV without tracks; cut inside its header
    │   └── SessionFolderError         no session.json there; made by a newer genlock; not empty
    ├── UnworkablePlanError            the plan holds findings of severity error (exit status 1)
    ├── BackendError
    │   ├── UnknownBackendError        no backend has that name (exit status 2)
    │   └── BackendUnavailableError    its library cannot be loaded on this computer (exit status 3)
    ├── DeviceError                    one device, known by its serial (exit status 3)
    │   ├── DeviceOpenError            not there; open in another process
    │   ├── DeviceStartError           the SDK's start rules refuse this configuration
    │   ├── CaptureTimeoutError        no capture within the time given
    │   └── DeviceLostError            unplugged, or its stream broke
    │       └── StreamEndedError       a recording was played to its end; no failure
    ├── NotDoneError                   nobody pulled the cable that a test needs pulled
    └── RigError                       several devices failed: an error for each serial (exit status 3)

Bad arguments stay ``ValueError`` and ``TypeError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genlock.findings import Finding

__all__ = [
    "BackendError",
    "BackendUnavailableError",
    "CaptureTimeoutError",
    "DeviceError",
    "DeviceLostError",
    "DeviceOpenError",
    "DeviceStartError",
    "ExtrinsicsFileError",
    "GenlockError",
    "IntrinsicsFileError",
    "Mistake",
    "NotDoneError",
    "OpenFailure",
    "PlanFileError",
    "RecordingError",
    "RigError",
    "RigFileError",
    "SessionFolderError",
    "StreamEndedError",
    "UnknownBackendError",
    "UnreadableInputError",
    "UnworkablePlanError",
    "message_of",
    "reason_of",
]


class GenlockError(Exception):
    """Root of every error raised on purpose. The message says what was expected, found, and to do."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file, with its place."""

    where: str
    """The place inside the file: ``capture.camera_fps``, ``device[2].serial``, ``line 4, column 7``."""
    message: str
    """What was expected and what was found."""


class UnreadableInputError(GenlockError):
    """A file or folder that cannot be read as what it should be."""

    def __init__(self, path: Path | str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = Path(path)
        self.reason = message
        """The message without the path."""


class RigFileError(UnreadableInputError):
    """A rig file with mistakes; all of them at once, each with its place."""

    def __init__(self, path: Path | str, mistakes: tuple[Mistake, ...]) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = [f"  {m.where}: {m.message}" for m in mistakes]
        super().__init__(path, "\n".join([f"{count} in this rig file", *lines]))
        self.mistakes = mistakes


class PlanFileError(UnreadableInputError):
    """A file that is no plan, or one that this version cannot read."""


class ExtrinsicsFileError(UnreadableInputError):
    """A file that is no extrinsics file, or one that does not fit what it is used for."""


class IntrinsicsFileError(UnreadableInputError):
    """A file of lens models that cannot be read, or lacks a camera that is needed."""


class RecordingError(UnreadableInputError):
    """A file that is no Azure Kinect recording, or one that is damaged beyond reading."""


class SessionFolderError(UnreadableInputError):
    """A folder that is no session, or that a new session may not be written to."""


class UnworkablePlanError(GenlockError):
    """A plan that was asked to run although it holds findings of severity error."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("this plan cannot work:\n" + "\n".join(f"  {f}" for f in findings))
        self.findings = findings


class BackendError(GenlockError):
    """Something is wrong with a whole backend, not with one device."""


class UnknownBackendError(BackendError):
    """No backend has that name; the message lists those that exist."""


class BackendUnavailableError(BackendError):
    """The backend exists but cannot run on this computer: its library is missing or too old."""


class DeviceError(GenlockError):
    """One device failed."""

    def __init__(self, serial: str, message: str) -> None:
        super().__init__(f"device {serial}: {message}")
        self.serial = serial
        self.reason = message
        """The message without the serial."""


class OpenFailure(Enum):
    """Why a device could not be opened."""

    NOT_FOUND = "not_found"
    ALREADY_OPEN = "already_open"
    OTHER = "other"


class DeviceOpenError(DeviceError):
    """A device could not be opened; ``failure`` says why in a form that a program can act on."""

    def __init__(self, serial: str, message: str, failure: OpenFailure = OpenFailure.OTHER) -> None:
        super().__init__(serial, message)
        self.failure = failure


class DeviceStartError(DeviceError):
    """A device refused to start; ``code`` is the start rule that it broke, if that is known."""

    def __init__(self, serial: str, message: str, code: str | None = None) -> None:
        super().__init__(serial, message)
        self.code = code


class CaptureTimeoutError(DeviceError, TimeoutError):
    """No capture arrived within the time given: no pulse yet, or a stream that fell silent."""


class DeviceLostError(DeviceError):
    """The device went away while it was open: unplugged, hung, or its stream broke."""


class StreamEndedError(DeviceLostError):
    """The device has delivered all that it has, as a recording does that was played to its end. No failure."""


class NotDoneError(GenlockError):
    """What only hands can do was asked for and not done; the message says why."""


class RigError(GenlockError):
    """Several devices were tried, and these failed: ``errors`` holds each by its serial."""

    def __init__(self, message: str, errors: Mapping[str, Exception]) -> None:
        lines = [f"  {serial}: {reason_of(error)}" for serial, error in errors.items()]
        super().__init__("\n".join([message, *lines]))
        self.errors = dict(errors)
        self.findings: tuple[Finding, ...] = ()
        """What else a run that ended so had to say, such as what the disk did not take."""


def message_of(error: BaseException) -> str:
    """What an error says; of the system's own ``FILE: No such file or directory``, without its number."""
    if isinstance(error, OSError) and error.strerror is not None:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error)


def reason_of(error: Exception) -> str:
    """What an error says where the device's serial stands before it."""
    return error.reason if isinstance(error, DeviceError) else message_of(error)
