"""What can go wrong in a virtual rig, as values: kinds of faults, when they hold, and how a user writes them.

In text a fault is ``KIND[@START[-END]s][:SERIAL][=AMOUNT]``; times are seconds after the rig's first pulse, and without
one the fault is there from the beginning::

    cable_pulled@3s:000000000002          pulled 3 s into the take, never put back
    cable_pulled@3s-5s:000000000002       put back 5 s into the take
    random_drops:000000000003=0.02        2 % of its captures are lost all the time

In a scenario file it is a table ``[[fault]]`` with the fields of ``Fault``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

__all__ = ["FAULT_KINDS", "Fault", "FaultKind", "FaultTraits", "parse_fault"]


class FaultKind(StrEnum):
    """The faults that the virtual rig knows."""

    CABLE_PULLED = "cable_pulled"
    WRONG_JACK = "wrong_jack"
    DEAD_PORT = "dead_port"
    DEVICE_DIES = "device_dies"
    USB_UNPLUGGED = "usb_unplugged"
    DEVICE_HANGS = "device_hangs"
    USB_STARVED = "usb_starved"
    RANDOM_DROPS = "random_drops"
    BURST_DROPS = "burst_drops"
    STARTS_LATE = "starts_late"
    FREE_RUNNING = "free_running"
    WRONG_EXPOSURE = "wrong_exposure"
    AUTO_EXPOSURE = "auto_exposure"
    DARK_EXPOSURE = "dark_exposure"
    OLD_FIRMWARE = "old_firmware"
    TRIGGER_RATE = "trigger_rate"
    TRIGGER_MISSES = "trigger_misses"
    CAMERA_BUMPED = "camera_bumped"
    LENS_COVERED = "lens_covered"


@dataclass(frozen=True, slots=True)
class FaultTraits:
    """What is to be known of one kind of fault."""

    summary: str
    """What happens, in a sentence."""
    has_serial: bool = True
    """Whether it concerns one device; else the external trigger."""
    amount_meaning: str = ""
    """What the amount is, with its unit; empty where there is none."""
    default_amount: float | None = None
    """Taken when none is given; ``None``: the device's own value, drawn from the seed."""
    max_amount: float = math.inf


_PPM = "how much faster its own oscillator then runs than the pulses did, ppm"

FAULT_KINDS: dict[FaultKind, FaultTraits] = {
    FaultKind.CABLE_PULLED: FaultTraits(
        "the plug in its Sync In is pulled; the device and all behind it go on by themselves", amount_meaning=_PPM
    ),
    FaultKind.WRONG_JACK: FaultTraits("the cable for its Sync In sits in its Sync Out"),
    FaultKind.DEAD_PORT: FaultTraits(
        "its Sync In feels the plug and hears no pulse", amount_meaning=_PPM
    ),
    FaultKind.DEVICE_DIES: FaultTraits("it loses its power: no captures, no pulses, no repeating"),
    FaultKind.USB_UNPLUGGED: FaultTraits("its USB cable is pulled; it still repeats pulses, but sends none of its own"),
    FaultKind.DEVICE_HANGS: FaultTraits("it goes on pulsing, but nothing of it arrives and nothing says why"),
    FaultKind.USB_STARVED: FaultTraits(
        "too little bandwidth: depth images are lost, color images wait for them in vain",
        amount_meaning="share of depth images lost, ratio", default_amount=0.5, max_amount=1.0,
    ),
    FaultKind.RANDOM_DROPS: FaultTraits(
        "captures are lost at random", amount_meaning="share of captures lost, ratio", default_amount=0.05,
        max_amount=1.0,
    ),
    FaultKind.BURST_DROPS: FaultTraits("every capture is lost while it lasts; give it an end"),
    FaultKind.STARTS_LATE: FaultTraits(
        "its start returns at once, but it listens for pulses only later",
        amount_meaning="how much later, s", default_amount=1.0,
    ),
    FaultKind.FREE_RUNNING: FaultTraits("it ignores the pulses once it has begun", amount_meaning=_PPM),
    FaultKind.WRONG_EXPOSURE: FaultTraits(
        "something sets another exposure", amount_meaning="that exposure, us", default_amount=16_670.0,
        max_amount=1_000_000.0,
    ),
    FaultKind.AUTO_EXPOSURE: FaultTraits("its exposure is automatic, whatever was set, and wanders"),
    FaultKind.DARK_EXPOSURE: FaultTraits(
        "manual exposure without automatic exposure before: its images are dark (SDK issues #1511, #1912)",
        amount_meaning="share of the light that is left, ratio", default_amount=0.1, max_amount=1.0,
    ),
    FaultKind.OLD_FIRMWARE: FaultTraits("its firmware is 1.6.104: other first images than the rest of the rig"),
    FaultKind.TRIGGER_RATE: FaultTraits(
        "the external trigger's rate is off", has_serial=False, amount_meaning="how much too fast, ratio",
        default_amount=0.01, max_amount=0.2,
    ),
    FaultKind.TRIGGER_MISSES: FaultTraits(
        "the external trigger leaves pulses out", has_serial=False, amount_meaning="share of pulses missing, ratio",
        default_amount=0.05, max_amount=1.0,
    ),
    FaultKind.CAMERA_BUMPED: FaultTraits(
        "somebody knocks against it: it looks elsewhere from then on", amount_meaning="by how much it is turned, deg",
        default_amount=3.0, max_amount=45.0,
    ),
    FaultKind.LENS_COVERED: FaultTraits("something covers its cameras: black color, no depth"),
}  # fmt: skip
"""Every kind, what it does, and what its amount means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, and when.

    Raises:
        ValueError: a serial is missing or out of place, the amount has no meaning, the times make no span.
    """

    kind: FaultKind
    serial: str | None = None
    """Whose; ``None`` for faults of the external trigger."""
    at_sec: float = 0.0
    """When it begins, after the rig's first pulse; 0: it is there from the beginning, before any start."""
    until_sec: float | None = None
    """When it ends; ``None``: it stays."""
    amount: float | None = None
    """What it is depends on the kind; ``None``: the kind's default."""
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        traits = FAULT_KINDS[self.kind]
        if traits.has_serial != (self.serial is not None):
            raise ValueError(
                f"{self.kind} needs a device: {self.kind}:SERIAL"
                if traits.has_serial
                else f"{self.kind} is the external trigger's; leave the serial out"
            )
        if not 0 <= self.at_sec < math.inf:
            raise ValueError(f"{self.kind} must begin at 0 s or later; it was given {self.at_sec:g} s")
        if self.until_sec is not None and not self.at_sec < self.until_sec < math.inf:
            raise ValueError(f"{self.kind} must end after it begins at {self.at_sec:g} s; it ends {self.until_sec:g} s")
        if self.amount is not None and not traits.amount_meaning:
            raise ValueError(f"{self.kind} has no amount; it was given {self.amount:g}")
        if self.amount is not None and not abs(self.amount) <= traits.max_amount:
            raise ValueError(
                f"{self.kind}'s amount ({traits.amount_meaning}) is at most {traits.max_amount:g}; "
                f"it was given {self.amount:g}"
            )

    @property
    def amount_or_default(self) -> float | None:
        """The amount, or the kind's default; ``None``: the device's own."""
        return FAULT_KINDS[self.kind].default_amount if self.amount is None else self.amount

    def __str__(self) -> str:
        span = "" if self.until_sec is None else f"-{self.until_sec:g}"
        when = f"@{self.at_sec:g}{span}s" if self.at_sec or span else ""
        who = "" if self.serial is None else f":{self.serial}"
        return f"{self.kind}{when}{who}" + ("" if self.amount is None else f"={self.amount:g}")


_NUMBER = r"\d+(?:\.\d+)?"
_TEXT = re.compile(
    rf"(?P<kind>\w+)(?:@(?P<at>{_NUMBER})s?(?:-(?P<until>{_NUMBER})s?)?)?(?::(?P<serial>\w+))?"
    rf"(?:=(?P<amount>-?{_NUMBER}))?"
)


def parse_fault(text: str) -> Fault:
    """The fault that a text describes; see the module for its form.

    >>> parse_fault("cable_pulled@3s-5s:000000000002")
    Fault(kind=<FaultKind.CABLE_PULLED: 'cable_pulled'>, serial='000000000002', at_sec=3.0, until_sec=5.0, amount=None)

    Raises:
        ValueError: not of that form, an unknown kind, or a fault that makes no sense.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"a fault is KIND[@START[-END]s][:SERIAL][=AMOUNT]; {text!r} is not")
    if match["kind"] not in list(FaultKind):
        raise ValueError(f"no fault is called {match['kind']!r}; there are: {', '.join(FaultKind)}")
    until, amount = match["until"], match["amount"]
    return Fault(
        kind=FaultKind(match["kind"]),
        serial=match["serial"],
        at_sec=float(match["at"] or 0),
        until_sec=None if until is None else float(until),
        amount=None if amount is None else float(amount),
    )
