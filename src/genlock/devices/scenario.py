"""What a user says to the virtual rig, as values: its seed, its scene, its firmware, how true its timing is.

A scenario is everything that a simulated take depends on besides the rig file, so that two people with the same
scenario and the same rig see the same take. As a file it is TOML, with the names of the fields as keys::

    seed = 7
    scene = "walker"
    board = "charuco:9x6:80mm:60mm:DICT_5X5_250"
    firmware = "1.6.110"
    [timing]
    stamp_clock = "disciplined"
    [jacks.000000000003]
    sync_in_connected = false
    sync_out_connected = true
    [[fault]]
    kind = "cable_pulled"
    serial = "000000000002"
    at_sec = 3
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from genlock.devices.faults import FAULT_KINDS, Fault, FaultKind, FaultTraits, parse_fault
from genlock.errors import UnreadableInputError
from genlock.k4a import SyncJacks
from genlock.targets import Target, TargetKind, marker_modules, parse_target

__all__ = [
    "FAULT_KINDS",
    "DEFAULT_BOARD",
    "ExposurePoint",
    "Fault",
    "FaultKind",
    "FaultTraits",
    "Firmware",
    "Scenario",
    "SceneName",
    "StampClock",
    "TimingModel",
    "TriggerStart",
    "load_scenario",
    "parse_fault",
]


class Firmware(StrEnum):
    """The color camera's firmware, as far as it changes what a rig sees."""

    V1_6_110 = "1.6.110"
    """The last one. The first 220 to 248 ms after the first pulse are missing (SDK issue #1240)."""
    V1_6_104 = "1.6.104"
    """Before 1.6.107: the first color image comes about 65 ms after the first pulse."""

    @property
    def depth_firmware(self) -> str:
        """The depth sensor's firmware in the same package."""
        return "1.6.80" if self is Firmware.V1_6_110 else "1.6.75"

    @property
    def first_stamp_usec(self) -> int:
        """Images with an earlier exposure centre are never delivered."""
        return 220_000 if self is Firmware.V1_6_110 else 60_000


class SceneName(StrEnum):
    """What the devices look at."""

    WALKER = "walker"
    """A person walks in a circle around a tower whose lamps show the time, in a room with boxes."""
    EMPTY_ROOM = "empty_room"
    """The same room, the same tower, nobody there."""
    BOARD = "board"
    """The same room without the tower; a printed board is waved about in its middle."""
    DARK = "dark"
    """Caps on the lenses: black images of true size that cost nothing, where only the timing matters."""


DEFAULT_BOARD = Target(
    kind=TargetKind.CHARUCO, columns=9, rows=6, square_m=0.08, marker_m=0.06, dictionary="DICT_5X5_250"
)
"""``charuco:9x6:80mm:60mm:DICT_5X5_250``: its markers are large enough for 720P at the stage's 2.2 m."""


def _board_of(value: object) -> object:
    """The board that a file names, known to have the markers that it needs."""
    if not isinstance(value, str):
        return value
    board = parse_target(value)
    if board.marker_count:
        marker_modules(board.dictionary, board.marker_count)
    return board


class TriggerStart(StrEnum):
    """When an external trigger begins to pulse."""

    WHEN_ARMED = "when_armed"
    """Half a second after the last device that it reaches was started, as an operator does it."""
    ALWAYS = "always"
    """It pulses from the beginning: devices started one after another then begin at different pulses."""


class StampClock(StrEnum):
    """What the stamps of a subordinate do that no longer hears pulses: nobody outside Microsoft knows.

    # unverified on hardware: either
    """

    OWN = "own"
    """They count time: its frames drift against the master's, and its stamps show it."""
    DISCIPLINED = "disciplined"
    """They count frames: its frames drift, and its stamps look perfect."""


class ExposurePoint(StrEnum):
    """What color exposures of different length have in common."""

    END = "end"
    """As Microsoft's green_screen sample has it."""
    CENTER = "center"
    START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingModel:
    """How pulses, clocks and transfers behave. The defaults are what was measured on real devices, by others.

    # unverified on hardware: every default here comes from published traces and maintainers' statements
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    start_sec: float = 0.12
    """How long a call of ``start`` takes."""
    first_pulse_after_start_sec: float = 0.05
    """From the master's ``start`` returning to its first pulse."""
    hop_nsec: int = 500
    """What each device in a chain adds to the pulse that it repeats (SDK issue #1228)."""
    cable_nsec_per_m: float = 5.0
    """Signal speed in a cable, two thirds of light's."""
    late_stamp_ratio: float = 0.25
    """Share of stamps that read one tick late. Two stamps thus differ from their nominal distance by at most one."""
    delay_deviation_ticks: int = 0
    """By how much a subordinate misses each of its two delays."""
    master_depth_deviation_ticks: int = 4
    """By how much the master's depth lies later than asked: 44 us in Microsoft's own test (SDK issue #1261)."""
    oscillator_ppm: float = 15.0
    """Each device's oscillator is off by up to this, either way."""
    transfer_min_usec: int = 18_000
    """From the end of an exposure to the host, at least; each device has its own, up to the next number."""
    transfer_max_usec: int = 42_000
    """Two devices' images of one moment arrive up to 24 ms apart (SDK issue #1665)."""
    transfer_jitter_usec: float = 1_500.0
    """Standard deviation of each arrival: 1 to 2 ms in the same log."""
    settling_usec: float = 0.0
    """Error of the first frame, either way; that of the next ones dies away. Microsoft's test leaves ten out."""
    settling_frames: int = 8
    """For how many frames it lasts (SDK issue #396)."""
    upset_usec: float = 10_000.0
    """How late color is right after somebody has set the exposure while streaming, for four frames less and less."""
    first_image_usec: int | None = None
    """Images with an earlier exposure centre are never delivered; ``None``: as the firmware has it."""
    exposures_share: ExposurePoint = ExposurePoint.END
    is_late_start_on_masters_clock: bool = False
    """Whether a subordinate that hears its first pulse late counts from the master's first pulse, not from its own."""
    is_repeating_while_idle: bool = True
    """Whether a device that does not stream passes pulses on."""
    stamp_clock: StampClock = StampClock.OWN
    trigger_start: TriggerStart = TriggerStart.WHEN_ARMED


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A simulated take's circumstances. The same scenario, rig and order of calls give the same take."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    seed: int = 0
    """Everything drawn at random follows from it and from a device's serial."""
    scene: SceneName = SceneName.WALKER
    board: Annotated[Target, BeforeValidator(_board_of)] = DEFAULT_BOARD
    """What is waved in ``SceneName.BOARD``; in a file as ``parse_target`` reads it."""
    is_looped: bool = False
    """Whether images of one 4.096 s long loop are made once and shown again and again, up to 17 ms beside their true
    moments: enough for ten devices in real time on two processors, at the price of memory (200 MB for each device)."""
    firmware: Firmware = Firmware.V1_6_110
    timing: TimingModel = field(default_factory=TimingModel)
    jacks: Mapping[str, SyncJacks] = field(default_factory=dict)
    """Plugs that are not where the wiring wants them, by serial. A pulse travels a cable only if both of its plugs
    sit in their jacks."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong, and when."""

    def firmware_of(self, serial: str) -> Firmware:
        """The firmware of one device."""
        is_old = any(fault.kind is FaultKind.OLD_FIRMWARE and fault.serial == serial for fault in self.faults)
        return Firmware.V1_6_104 if is_old else self.firmware


def load_scenario(path: Path) -> Scenario:
    """The scenario that a TOML file describes.

    Raises:
        UnreadableInputError: there is no such file, or it has mistakes; the message holds all, each with its place.
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))  # Any: what a user wrote
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableInputError(path, f"no scenario: {error}") from error
    if "fault" in table and "faults" not in table:
        table["faults"] = table.pop("fault")  # one [[fault]] for each, as [[device]] in a rig file
    try:
        return TypeAdapter(Scenario).validate_python(table)
    except ValidationError as error:
        details = error.errors(include_url=False)
        lines = [f"  {_place(d['loc'])}: {d['msg'].removeprefix('Value error, ')}" for d in details]
        count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        raise UnreadableInputError(path, "\n".join([f"{count} in this scenario", *lines])) from error


def _place(location: tuple[int | str, ...]) -> str:
    """``fault[1].kind`` for what pydantic calls ("faults", 1, "kind")."""
    names = ["fault" if part == "faults" else part for part in location]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in names).lstrip(".") or "file"
