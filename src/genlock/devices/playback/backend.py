"""A recorded take as a backend: its devices play their files in step, at speed, as fast as possible, or stepwise."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np

from genlock.clock import Clock, SystemClock, VirtualClock
from genlock.devices.base import DeviceInfo
from genlock.devices.playback.device import PlaybackDevice
from genlock.devices.playback.stage import Stage
from genlock.errors import BackendUnavailableError, DeviceOpenError, OpenFailure
from genlock.k4a import SyncJacks, WiredSyncMode
from genlock.recording import RecordingReader, SessionFolder, moments, parts_in_order
from genlock.rig import Rig, expected_jacks

__all__ = ["PlaybackBackend"]


class PlaybackBackend:
    """The devices of a recorded take.

    Args:
        rig: the rig that was recorded; says how it is wired.
        take: a session folder, or files of one take; those of one device are parts of its recording.
        pace: ``"fast"``: as fast as whoever reads can (time is virtual); a number: recorded seconds per second, 1.0 is
            as it was; ``"step"``: captures wait for ``step``.
        epoch: which epoch of a session.

    Raises:
        UnreadableInputError: the take cannot be read.
        BackendUnavailableError: none was named, or it has no such epoch.
    """

    def __init__(
        self,
        rig: Rig,
        *,
        take: Path | Sequence[Path] | None = None,
        pace: float | Literal["fast", "step"] = "fast",
        epoch: int = 1,
    ) -> None:
        if take is None:
            raise BackendUnavailableError("playback needs a take: a session folder, or files of one take")
        if not isinstance(pace, str) and not pace > 0:
            raise ValueError(f"a pace is above 0, or 'fast', or 'step'; this is {pace}")
        self._files = _files_of(take, epoch)
        self._infos: dict[str, DeviceInfo] = {}
        self._provenance: dict[str, str] = {}
        self._roles: dict[str, WiredSyncMode] = {}
        origins, periods, times = [], [], {}
        for serial, files in self._files.items():
            readers = [RecordingReader(path) for path in files]
            try:
                tags = readers[0].tags
                firmware = [tags.get(f"K4A_{kind}_FIRMWARE_VERSION", "0.0.0") for kind in ("COLOR", "DEPTH")]
                self._infos[serial] = DeviceInfo(serial, self.name, firmware[0], firmware[1])
                self._provenance |= {
                    key: tags[key] for key in tags if key in _KEPT_TAGS or key.startswith("GENLOCK_SIM_")
                }
                self._roles[serial] = readers[0].config.wired_sync_mode
                times[serial] = moments(readers)
                origins.append(readers[0].start_offset_usec)
                first = next((reader.stamps() for reader in readers if len(reader.groups)), None)
                if first is not None:
                    origins[-1] = int(max(first.color_usec[0], first.depth_usec[0]))
                periods.append(readers[0].config.camera_fps.period_usec)
            finally:
                for reader in readers:
                    reader.close()
        clock: Clock = VirtualClock() if pace == "fast" else SystemClock()
        masters = [serial for serial, role in self._roles.items() if role is WiredSyncMode.MASTER]
        measure = times[masters[0]] if masters else next(iter(times.values()), np.empty(0, np.int64))
        speed = {"fast": 1.0, "step": None}[pace] if isinstance(pace, str) else pace
        self._stage = Stage(clock, speed, min(origins, default=0), measure, max(periods, default=1))
        self._jacks = expected_jacks(rig)
        self._opened: dict[str, PlaybackDevice] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """``playback``."""
        return "playback"

    @property
    def clock(self) -> Clock:
        """The clock on which the devices play."""
        return self._stage.clock

    @property
    def provenance(self) -> Mapping[str, str]:
        """Where the images come from: what the recordings say of themselves, so that simulated ones stay simulated."""
        return self._provenance

    def step(self, moments: int = 1) -> bool:
        """With ``pace="step"``: lets the captures of so many more moments through; whether there are any left."""
        return self._stage.step(moments)

    def devices(self) -> Sequence[DeviceInfo]:
        """Those that are not open."""
        return tuple(info for serial, info in self._infos.items() if serial not in self._opened)

    def open(self, serial: str) -> PlaybackDevice:
        """Opens one device. Raises ``DeviceOpenError`` when the take has no such device, or when it is open already."""
        if serial not in self._files:
            known = ", ".join(self._files) or "none"
            raise DeviceOpenError(serial, f"the take has no such device; it has: {known}", OpenFailure.NOT_FOUND)
        with self._lock:
            if serial in self._opened:
                raise DeviceOpenError(serial, "it is open already: close it first", OpenFailure.ALREADY_OPEN)
            role = self._roles[serial]
            by_role = SyncJacks(role is WiredSyncMode.SUBORDINATE, role is WiredSyncMode.MASTER)
            device = PlaybackDevice(
                serial,
                self._infos[serial],
                self._files[serial],
                self._jacks.get(serial, by_role),
                self._stage,
                on_close=lambda: self._let_go(serial),
            )
            self._opened[serial] = device
        return device

    def close(self) -> None:
        """Closes every device. Safe twice."""
        for device in list(self._opened.values()):
            device.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _let_go(self, serial: str) -> None:
        with self._lock:
            self._opened.pop(serial, None)


_KEPT_TAGS = frozenset({"GENLOCK_BACKEND"})


def _files_of(take: Path | Sequence[Path], epoch: int) -> dict[str, tuple[Path, ...]]:
    if not isinstance(take, Path):
        return _by_serial(take)
    if not take.is_dir():
        return _by_serial([take])
    epochs = SessionFolder.open(take).epochs()
    if epoch not in epochs:
        raise BackendUnavailableError(f"{take} has no epoch {epoch}; there are: {', '.join(map(str, epochs))}")
    return epochs[epoch]


def _by_serial(paths: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    """Loose files, those of one device in order: parts of one recording, or not to be played together."""
    found: dict[str, list[RecordingReader]] = {}
    with ExitStack() as stack:
        for path in paths:
            reader = stack.enter_context(RecordingReader(path))
            found.setdefault(reader.serial or path.stem, []).append(reader)
        return {serial: tuple(part.path for part in parts_in_order(parts)) for serial, parts in found.items()}
