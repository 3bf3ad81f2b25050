"""How to plug a rig: what to buy, and the steps in order.

Sources: Microsoft's "Synchronize multiple Azure Kinect DK devices" (jacks, cables under 10 m, splitter, covers, one
computer or USB controller for each device); SDK issues #366 and #1844 (the trigger's pulse), #1181 (jacks under the
cover).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from genlock.plan.budget import USBFS_DEFAULT_MB, HostBudget
from genlock.plan.model import Plan
from genlock.rig import SPLITTER, TRIGGER, Rig, Topology, Wire, expected_jacks, longest_chain, wires

__all__ = ["Part", "WiringGuide", "wiring_guide"]

# Microsoft asks for less than 10 m (see ``plan.cable_too_long``).
_CABLE = "sync cable, 3.5 mm plug to 3.5 mm plug (mono or stereo), under 10 m"


@dataclass(frozen=True, slots=True)
class Part:
    """A line of the bill of materials."""

    count: int
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class WiringGuide:
    """What to buy and what to do."""

    parts: tuple[Part, ...]
    steps: tuple[str, ...]
    limits: tuple[str, ...]
    """What is published on how far a wiring may go, and where this one stands."""

    def to_text(self) -> str:
        """Plain text: the bill of materials, then the numbered steps."""
        lines = ["bill of materials"]
        for part in self.parts:
            lines.append(f"  {part.count:>3} x {part.name}")
            if part.note:
                lines.append(f"        {part.note}")
        lines += ["", "plug it"]
        lines += [f"  {number:>3}. {step}" for number, step in enumerate(self.steps, 1)]
        lines += ["", "published limits", *(f"  {limit}" for limit in self.limits)]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "parts": [{"count": part.count, "name": part.name, "note": part.note} for part in self.parts],
            "steps": list(self.steps),
            "limits": list(self.limits),
        }


def wiring_guide(rig: Rig, plan: Plan) -> WiringGuide:
    """The guide for a rig; for one whose cables are impossible it says what the file says (see the findings)."""
    cables = [wire for wire in wires(rig) if not _is_splitters_own_plug(wire)]
    return WiringGuide(tuple(_parts(rig, plan, cables)), tuple(_steps(rig, plan)), tuple(_limits(rig)))


def _is_splitters_own_plug(wire: Wire) -> bool:
    """A headphone splitter has a plug of its own, unless the file gives it a cable with a length."""
    return wire.destination == SPLITTER and wire.length_m is None


def _parts(rig: Rig, plan: Plan, cables: list[Wire]) -> Iterator[Part]:
    if plan.devices:
        yield Part(len(plan.devices), "Azure Kinect DK, each with its USB cable and power supply")
    from_trigger = [wire for wire in cables if wire.source == TRIGGER]
    plain = [wire for wire in cables if wire.source != TRIGGER]
    if plain:
        lengths = Counter(wire.length_m for wire in plain if wire.length_m is not None)
        given = ", ".join(f"{count} of {length:g} m" for length, count in sorted(lengths.items()))
        yield Part(len(plain), _CABLE, given)
    outputs = sum(wire.source == SPLITTER for wire in cables)
    if outputs:
        has_own_plug = any(_is_splitters_own_plug(wire) for wire in wires(rig))
        note = "its plug goes into Sync Out; with a socket instead it needs one more sync cable" if has_own_plug else ""
        yield Part(1, f"headphone splitter, 3.5 mm, with {outputs} sockets", note)
    if rig.wiring.topology is Topology.EXTERNAL_TRIGGER:
        fps = int(plan.device(plan.reference_serial).config.camera_fps) if plan.devices else 30
        yield Part(1, f"pulse generator, exactly {fps} Hz, 5 V, active high, wider than 8 us, 8 mA or more")
        adapter = "cable from the generator to a 3.5 mm plug, under 10 m (BNC: with an adapter)"
        if from_trigger:
            yield Part(len(from_trigger), adapter, "signal on the tip; ring and sleeve to ground")
    yield from _computers(plan)


def _computers(plan: Plan) -> Iterator[Part]:
    if plan.budget:
        names = ", ".join(host.host for host in plan.budget)
        yield Part(len(plan.budget), "computer with a GPU for OpenGL 4.4 (depth is computed there)", names)
    for host in plan.budget:
        used = host.usb_by_controller_mb_per_sec
        note = "; ".join(f"{number}: {mb_per_sec:.0f} MB/s" for number, mb_per_sec in used.items())
        yield Part(len(used), f"USB 3 host controller in {host.host}", note)
        record = f"{host.disk_mb_per_sec:.0f} MB/s, {host.disk_gb_per_min:.1f} GB a minute"
        yield Part(1, f"disk in {host.host} that keeps writing {record}")


def _steps(rig: Rig, plan: Plan) -> Iterator[str]:
    yield "Take the plastic covers off, so that the 3.5 mm jacks are free, and note each serial number (underside)."
    for host in plan.budget:
        yield from _usb_steps(host)
    topology = rig.wiring.topology
    if topology is Topology.STANDALONE:
        yield "Leave every Sync In and Sync Out empty."
        return
    cables = sorted(wires(rig), key=lambda wire: wire.source not in (TRIGGER, rig.wiring.master))
    for wire in cables:
        length = f" ({wire.length_m:g} m)" if wire.length_m is not None else ""
        yield f"{_end(rig, wire.source, 'Sync Out')} -> {_end(rig, wire.destination, 'Sync In')}{length}"
    jacks = expected_jacks(rig)
    empty_out = [serial for serial, plugs in jacks.items() if not plugs.sync_out_connected]
    empty_in = [serial for serial, plugs in jacks.items() if not plugs.sync_in_connected]
    if empty_out:
        yield f"Sync Out stays empty on {', '.join(empty_out)}."
    if empty_in:
        yield f"Sync In stays empty on {', '.join(empty_in)}."
    yield "Push every plug in until it clicks: a half-seated one is seen as missing, or gives no pulse."
    if topology is Topology.EXTERNAL_TRIGGER:
        yield "Leave the generator off: its first pulse sets every clock to zero, once all devices wait for it."
    start = " -> ".join(plan.start_order)
    last = "then switch the generator on" if topology is Topology.EXTERNAL_TRIGGER else "the master last"
    yield f"Start in this order, {last}: {start}. (genlock record does so by itself.)"


def _usb_steps(host: HostBudget) -> Iterator[str]:
    for controller in host.usb_by_controller_mb_per_sec:
        serials = [device.serial for device in host.devices if device.usb_controller == controller]
        yield f"USB of {', '.join(serials)} -> controller {controller} of {host.host}; power supply to each device."
    yield (
        f"On {host.host}, if it runs Linux: usbcore.usbfs_memory_mb={host.usbfs_memory_mb} in the kernel's command "
        f"line (the default is {USBFS_DEFAULT_MB}), then restart."
    )


def _limits(rig: Rig) -> Iterator[str]:
    """The sources contradict each other: each is told as what it is."""
    subordinates = longest_chain(rig)
    outputs = sum(wire.source == SPLITTER for wire in wires(rig))
    yield f"in one chain: here {subordinates} subordinates. Microsoft's article: 8. Its FAQ (SDK #338): 9 devices."
    yield "  One user ran 12 devices (SDK pull request #958). Each passes the pulse on about 0.5 us later (#1228)."
    yield f"on one splitter: here {outputs} sockets. Microsoft's article: 2 subordinates. Its FAQ: 3 devices in all."
    yield "length of a sync cable: under 10 m (Microsoft's article)."
    if rig.wiring.topology is Topology.EXTERNAL_TRIGGER:
        yield "under a trigger: every device a subordinate (maintainers, SDK issues #366, #1801; the default here), or"
        yield "  a master that the trigger drives (the article; wiring.master). Unverified on hardware."


def _end(rig: Rig, end: str, jack: str) -> str:
    match end:
        case "splitter":
            return "the splitter" if jack == "Sync In" else "a socket of the splitter"
        case "trigger":
            return "the generator's output"
        case _:
            role = " (master)" if end == rig.wiring.master else ""
            return f"{jack} of {end}{role}"
