"""The session folder: what one take leaves on disk, and all that a later day needs to judge and use it.

::

    TAKE/
      session.json                     who, when, with what; state RUNNING from the start, later how the take ended
      rig.toml                         the rig file as it was
      plan.json                        what was to happen
      log.jsonl                        what happened: one line an event, among them when each device's start was called
      devices/SERIAL/e01-p001.mkv      epoch 1, part 1 of that device's recording
      devices/SERIAL/e01-p002.mkv      its part 2, if the take was to be cut into parts
      devices/SERIAL/e02-p001.mkv      epoch 2, if all devices had to be started again

An epoch is one common time base, from one master start to the next.
Nothing derived is stored: reports lie beside the folder, not in it. An existing folder is never written over.
"""

from __future__ import annotations

import json
import logging
import platform
import re
import threading
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from genlock._version import __version__
from genlock.errors import SessionFolderError
from genlock.plan import Plan, load_plan
from genlock.recording.atomic import write_atomically

__all__ = ["SessionFile", "SessionFolder", "SessionState"]

logger = logging.getLogger(__name__)

_NAME_OF_SESSION = "session.json"
_RESERVE = ".reserve"
"""Holds room for the last words of a take; gone once it has ended."""
_RESERVE_BYTES = 1 << 18


class SessionState(StrEnum):
    """How far a take has come."""

    RUNNING = "RUNNING"
    """Still being recorded, or its recorder was killed."""
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class SessionFile(BaseModel):
    """``session.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    session_id: str
    """Random; every MKV of the session carries it in its tag GENLOCK_SESSION_ID."""
    name: str
    """The rig's name."""
    state: SessionState
    created_utc: datetime
    finished_utc: datetime | None = None
    genlock_version: str
    host: str
    backend: str
    provenance: dict[str, str]
    """Where the images come from; the tags that the backend puts into every recording."""
    recordings: dict[str, list[str]]
    """Serial -> its files in order, relative to the folder, with forward slashes."""
    digests: dict[str, str] = {}
    """File -> digest, once the take has ended."""
    failure: str | None = None
    """Why it failed."""
    derived_from: list[str] = []
    """What it was made of, if it was not recorded but cut or merged from other sessions, in words."""

    @property
    def is_simulated(self) -> bool:
        """Whether a virtual rig made the images."""
        return self.provenance.get("GENLOCK_BACKEND") == "sim"


class SessionFolder:
    """A take on disk; made by ``create``, read by ``open``."""

    def __init__(self, path: Path, session: SessionFile) -> None:
        self.path = path
        self._session = session
        self._lock = threading.Lock()
        self._unlogged: list[str] = []

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        plan: Plan,
        rig_toml: str,
        backend: str,
        provenance: Mapping[str, str],
        serials: Collection[str] | None = None,
        host: str | None = None,
    ) -> SessionFolder:
        """Makes the folder and writes everything that is known before the first capture.

        Args:
            path: a new or an empty folder.
            plan: of the whole rig.
            rig_toml: the rig file as it is.
            backend: who makes the captures.
            provenance: where they come from.
            serials: the devices that are recorded here; by default all of the plan.
            host: this computer's name in the rig file; by default what it calls itself.

        Raises:
            SessionFolderError: the path exists and is no empty folder, or cannot be made.
        """
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                raise SessionFolderError(path, "already exists; a take is never written over. Name a new folder.")
            path.mkdir(parents=True, exist_ok=True)
            recordings = {
                d.serial: [f"devices/{d.serial}/e01-p001.mkv"]
                for d in plan.devices
                if serials is None or d.serial in serials
            }
            for files in recordings.values():
                for file in files:
                    (path / file).parent.mkdir(parents=True)
            write_atomically(path / "rig.toml", rig_toml)
            write_atomically(path / "plan.json", json.dumps(plan.to_json(), indent=2) + "\n")
            folder = cls(
                path,
                SessionFile(
                    session_id=uuid.uuid4().hex,
                    name=plan.rig_name,
                    state=SessionState.RUNNING,
                    created_utc=datetime.now(UTC),
                    genlock_version=__version__,
                    host=host or platform.node(),
                    backend=backend,
                    provenance=dict(provenance),
                    recordings=recordings,
                ),
            )
            folder.save()
            (path / _RESERVE).write_bytes(bytes(_RESERVE_BYTES))
        except OSError as error:
            raise SessionFolderError(
                path, f"cannot be made: {error.strerror or error}. Name a writable place."
            ) from error
        return folder

    @classmethod
    def open(cls, path: Path) -> SessionFolder:
        """Reads a session folder. Raises ``SessionFolderError``."""
        file = path / _NAME_OF_SESSION
        try:
            session = SessionFile.model_validate_json(file.read_bytes())
        except FileNotFoundError as error:
            raise SessionFolderError(
                path, f"is no session folder: it has no {_NAME_OF_SESSION}. Name a folder that `genlock record` made."
            ) from error
        except OSError as error:
            raise SessionFolderError(path, f"cannot be read: {error.strerror or error}") from error
        except ValidationError as error:
            raise SessionFolderError(file, f"is damaged or of another format version: {_mistakes(error)}") from error
        return cls(path, session)

    @property
    def session(self) -> SessionFile:
        """What ``session.json`` says."""
        return self._session

    @property
    def plan(self) -> Plan:
        """The plan as it was."""
        return load_plan(self.path / "plan.json")

    def recordings(self) -> dict[str, tuple[Path, ...]]:
        """The files of each device, in order, whether they exist or not."""
        return {
            serial: tuple(self.path.joinpath(*PurePosixPath(file).parts) for file in files)
            for serial, files in self._session.recordings.items()
        }

    def epochs(self) -> dict[int, dict[str, tuple[Path, ...]]]:
        """The files of each epoch, by its number and by serial; parts of one device in order."""
        grouped: dict[int, dict[str, tuple[Path, ...]]] = {}
        for serial, files in self.recordings().items():
            for file in files:
                of_epoch = grouped.setdefault(_epoch_number(file), {})
                of_epoch[serial] = (*of_epoch.get(serial, ()), file)
        return dict(sorted(grouped.items()))

    def add_epoch(self) -> dict[str, Path]:
        """Makes room for the next epoch; returns the first file of each device in it, which does not exist yet."""
        number = max(self.epochs()) + 1
        files = {serial: f"devices/{serial}/e{number:02d}-p001.mkv" for serial in self._session.recordings}
        recordings = {serial: [*known, files[serial]] for serial, known in self._session.recordings.items()}
        self._session = self._session.model_copy(update={"recordings": recordings})
        self.save()
        return {serial: self.path.joinpath(*PurePosixPath(file).parts) for serial, file in files.items()}

    def next_part(self, serial: str) -> Path:
        """Where the next part of a device's current epoch goes; ``add_part`` makes it one of the session's files."""
        last = self._session.recordings[serial][-1]
        match = _PART.fullmatch(PurePosixPath(last).stem)
        if match is None:
            raise SessionFolderError(self.path, f"{last} is no name that a next part can follow")
        epoch, part = match.groups()
        return self.path / "devices" / serial / f"e{epoch}-p{int(part) + 1:03d}.mkv"

    def add_part(self, serial: str, path: Path) -> None:
        """Takes a file that is there as the device's next part. May be called from any thread."""
        with self._lock:
            file = path.relative_to(self.path).as_posix()
            known = self._session.recordings
            recordings = {**known, serial: [*known[serial], file]}
            self._session = self._session.model_copy(update={"recordings": recordings})
            self.save()

    def log(self, event: Mapping[str, object]) -> None:
        """Appends one event to the log, with the wall clock beside it.

        A disk that refuses keeps no take from going on: the line waits for the next call, or for ``finish``.
        """
        line = {"utc": datetime.now(UTC).isoformat(), **event}
        self._unlogged.append(json.dumps(line) + "\n")
        try:
            self._write_log()
        except OSError as error:
            logger.error("%s: the log cannot be written now: %s", self.path, error)

    def _write_log(self) -> None:
        lines = memoryview("".join(self._unlogged).encode())
        with (self.path / "log.jsonl").open("ab", buffering=0) as file:
            end = file.tell()
            try:
                while lines:
                    lines = lines[file.write(lines) :]
            except OSError:
                with suppress(OSError):
                    file.truncate(end)  # half a line would spoil the next one
                raise
        self._unlogged.clear()

    def events(self) -> list[dict[str, Any]] | None:  # Any: events of later versions may hold anything
        """The log's lines; ``None`` when there is no log. A torn last line, as a crash leaves it, is passed over."""
        try:
            lines = (self.path / "log.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return None
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(event, dict):
                events.append(event)
        return events

    def finish(self, state: SessionState, digests: Mapping[str, str], failure: str | None = None) -> None:
        """Says how the take ended, in room that was kept for it: a full disk does not keep it from being said."""
        (self.path / _RESERVE).unlink(missing_ok=True)
        if self._unlogged:
            self._write_log()
        self._session = self._session.model_copy(
            update={
                "state": state,
                "finished_utc": datetime.now(UTC),
                "digests": dict(digests),
                "failure": failure,
            }
        )
        self.save()

    def discard(self) -> bool:
        """Removes what ``create`` made, if no recording was begun; whether it did. The name is then free again."""
        files = [file for files in self.recordings().values() for file in files]
        if any(file.exists() for file in files):
            return False
        for name in ("rig.toml", "plan.json", "log.jsonl", _RESERVE, _NAME_OF_SESSION):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # a folder in which somebody else has put something stays
            for folder in (*(file.parent for file in files), self.path / "devices", self.path):
                folder.rmdir()
        return True

    def save(self) -> None:
        """Writes ``session.json``."""
        write_atomically(self.path / _NAME_OF_SESSION, self._session.model_dump_json(indent=2) + "\n")


_PART = re.compile(r"e(\d+)-p(\d+)")


def _epoch_number(file: Path) -> int:
    """2 for ``e02-p001.mkv``; a file by another name belongs to the first epoch."""
    match = _PART.fullmatch(file.stem)
    return int(match.group(1)) if match else 1


def _mistakes(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
