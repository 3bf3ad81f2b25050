"""Which faults hold when: the scripted ones, and those that are caused while the rig runs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from genlock.devices.faults import Fault, FaultKind

__all__ = ["LOST", "Mishaps"]

NSEC_PER_SEC = 1_000_000_000

LOST = (FaultKind.DEVICE_DIES, FaultKind.USB_UNPLUGGED)
"""After one of these a host has to open the device again."""

_ALWAYS_NSEC = -(1 << 62)
_NEVER_NSEC = 1 << 62


@dataclass(frozen=True, slots=True)
class _Spell:
    """A fault with the true times between which it holds."""

    fault: Fault
    start_nsec: int
    end_nsec: int


class Mishaps:
    """The faults of one virtual rig. Guarded by the world's lock."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._spells: dict[tuple[FaultKind, str | None], list[_Spell]] = {}
        self._changes_nsec: list[int] = []
        """When any fault begins or ends, in order."""
        self._scripted: list[Fault] = []
        self._has_origin = False
        for fault in faults:
            if fault.at_sec == 0 and fault.until_sec is None:
                self._add(_Spell(fault, _ALWAYS_NSEC, _NEVER_NSEC))
            else:
                self._scripted.append(fault)
                if fault.at_sec == 0:
                    self._add(_Spell(fault, _ALWAYS_NSEC, _NEVER_NSEC))  # its end follows from the first pulse

    def begin(self, first_pulse_nsec: int) -> None:
        """Fixes the times of scripted faults, which count from the rig's first pulse; later calls change nothing."""
        if self._has_origin:
            return
        self._has_origin = True
        for fault in self._scripted:
            if fault.at_sec == 0:
                self._spells_of(fault.kind, fault.serial).clear()  # what stood in for it until now
            start_nsec = _ALWAYS_NSEC if fault.at_sec == 0 else first_pulse_nsec + round(fault.at_sec * NSEC_PER_SEC)
            self._add(_Spell(fault, start_nsec, self._end_nsec(fault, first_pulse_nsec)))

    def cause(self, fault: Fault, now_nsec: int) -> None:
        """Adds a fault whose times count from now."""
        start_nsec = now_nsec + round(fault.at_sec * NSEC_PER_SEC)
        self._add(_Spell(fault, start_nsec, self._end_nsec(fault, now_nsec)))

    def cure(self, kind: FaultKind, serial: str | None, now_nsec: int) -> None:
        """Ends every fault of this kind at this device now."""
        spells = self._spells_of(kind, serial)
        begun = [spell for spell in spells if spell.start_nsec < now_nsec]
        spells[:] = [_Spell(spell.fault, spell.start_nsec, min(spell.end_nsec, now_nsec)) for spell in begun]
        self._note_changes()

    def active(self, kind: FaultKind, serial: str | None, when_nsec: int) -> Fault | None:
        """The fault of this kind that this device has at this true time."""
        for spell in self._spells.get((kind, serial), ()):
            if spell.start_nsec <= when_nsec < spell.end_nsec:
                return spell.fault
        return None

    def has_any(self, kinds: Iterable[FaultKind], serial: str | None, when_nsec: int) -> bool:
        """Whether one of these holds."""
        return any(self.active(kind, serial, when_nsec) is not None for kind in kinds)

    def struck(self, kinds: Iterable[FaultKind], serial: str, since_nsec: int, until_nsec: int) -> FaultKind | None:
        """The first of these kinds that held at some time between the two, both included."""
        for kind in kinds:
            for spell in self._spells.get((kind, serial), ()):
                if spell.start_nsec <= until_nsec and spell.end_nsec > since_nsec:
                    return kind
        return None

    def spells(self) -> list[tuple[Fault, int | None, int | None]]:
        """Every fault with the true times between which it held; ``None``: since ever, or for good."""
        return [
            (
                spell.fault,
                None if spell.start_nsec == _ALWAYS_NSEC else spell.start_nsec,
                None if spell.end_nsec == _NEVER_NSEC else spell.end_nsec,
            )
            for spells in self._spells.values()
            for spell in spells
        ]

    def next_change_nsec(self, after_nsec: int) -> int | None:
        """When, after this time, a fault next begins or ends; ``None``: as far as is known never."""
        index = self.changes_until(after_nsec)
        return self._changes_nsec[index] if index < len(self._changes_nsec) else None

    def changes_until(self, when_nsec: int) -> int:
        """How many times faults have begun or ended by this true time: between two changes all stays as it is."""
        return bisect_right(self._changes_nsec, when_nsec)

    def _add(self, spell: _Spell) -> None:
        self._spells_of(spell.fault.kind, spell.fault.serial).append(spell)
        self._note_changes()

    def _note_changes(self) -> None:
        spells = [spell for spells in self._spells.values() for spell in spells]
        times_nsec = {nsec for spell in spells for nsec in (spell.start_nsec, spell.end_nsec)}
        self._changes_nsec = sorted(times_nsec - {_ALWAYS_NSEC, _NEVER_NSEC})

    def _spells_of(self, kind: FaultKind, serial: str | None) -> list[_Spell]:
        return self._spells.setdefault((kind, serial), [])

    @staticmethod
    def _end_nsec(fault: Fault, origin_nsec: int) -> int:
        return _NEVER_NSEC if fault.until_sec is None else origin_nsec + round(fault.until_sec * NSEC_PER_SEC)
