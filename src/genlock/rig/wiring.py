"""The sync cables as they run: the short form written out, who is what, which plugs are seen, who starts when.

The pulse comes out of one *root*, the master or the external trigger, and runs from Sync Out to Sync In. Everything
here answers for any rig file that loads, however impossible its cabling; ``wiring_checks`` says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from genlock.k4a import SyncJacks, WiredSyncMode
from genlock.rig.model import Rig, Topology

__all__ = ["SPLITTER", "TRIGGER", "Wire", "expected_jacks", "root", "serials", "start_order", "sync_mode", "wires"]

SPLITTER = "splitter"
TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class Wire:
    """One sync cable."""

    source: str
    """A serial (its Sync Out), ``splitter`` or ``trigger``."""
    destination: str
    """A serial (its Sync In) or ``splitter``."""
    length_m: float | None = None


def serials(rig: Rig) -> tuple[str, ...]:
    """Every serial of the rig once, in the order of the file."""
    return tuple(dict.fromkeys(device.serial for device in rig.devices))


def root(rig: Rig) -> str | None:
    """Where the pulse comes from: ``trigger``, or the master; ``None`` in a standalone rig or where nobody is named."""
    if rig.wiring.topology is Topology.STANDALONE:
        return None
    return TRIGGER if rig.wiring.topology is Topology.EXTERNAL_TRIGGER else rig.wiring.master


def sync_mode(rig: Rig, serial: str) -> WiredSyncMode:
    """What this device is in the wiring.

    Under an external trigger every device is a subordinate, as Microsoft's maintainers say (SDK issues #366 and #1801),
    unless the rig file names a master, as Microsoft's article has it.
    """
    if rig.wiring.topology is Topology.STANDALONE:
        return WiredSyncMode.STANDALONE
    return WiredSyncMode.MASTER if serial == rig.wiring.master else WiredSyncMode.SUBORDINATE


def wires(rig: Rig) -> tuple[Wire, ...]:
    """Every cable; the short form (``order``, else the order of the devices in the file) written out."""
    wiring = rig.wiring
    if wiring.topology is Topology.STANDALONE:
        return ()
    if wiring.cables:
        return tuple(Wire(c.source, c.destination, c.length_m) for c in wiring.cables)
    subordinates = wiring.order or tuple(s for s in serials(rig) if s != wiring.master)
    head = [end for end in dict.fromkeys((root(rig), wiring.master)) if end is not None]
    if wiring.topology is Topology.STAR:
        return (*_chain([*head, SPLITTER]), *(Wire(SPLITTER, serial) for serial in subordinates))
    return tuple(_chain([*head, *subordinates]))


def _chain(ends: Sequence[str]) -> Iterator[Wire]:
    return (Wire(source, destination) for source, destination in pairwise(ends))


def expected_jacks(rig: Rig) -> dict[str, SyncJacks]:
    """By serial, the plugs that this wiring puts into each device; the last one's Sync Out stays empty."""
    sources = {wire.source for wire in wires(rig)}
    destinations = {wire.destination for wire in wires(rig)}
    return {serial: SyncJacks(serial in destinations, serial in sources) for serial in serials(rig)}


def start_order(rig: Rig) -> tuple[str, ...]:
    """Serials in the order of starting: subordinates as the pulse reaches them, the master last.

    A started subordinate waits for the pulse; one that starts after the master would miss pulse number zero, at which
    all clocks are set to zero. Devices that no cable reaches come after those that one does.
    """
    all_serials = serials(rig)
    reached = [serial for serial in _downstream(rig) if serial in all_serials]
    ordered = dict.fromkeys([*reached, *all_serials])
    master = rig.wiring.master if rig.wiring.topology is not Topology.STANDALONE else None
    return (*(s for s in ordered if s != master), *(s for s in ordered if s == master))


def _downstream(rig: Rig) -> list[str]:
    """Every end that the pulse reaches, nearest to the root first."""
    first = root(rig)
    ends = [] if first is None else [first]
    for end in ends:  # grows while it is walked
        ends += [w.destination for w in wires(rig) if w.source == end and w.destination not in ends]
    return ends
