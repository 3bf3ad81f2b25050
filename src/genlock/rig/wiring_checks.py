"""Is this cabling possible? One small rule for each way in which it can be wrong."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator

from genlock.findings import Finding, Severity
from genlock.rig.model import Rig, Topology
from genlock.rig.wiring import SPLITTER, TRIGGER, Wire, root, serials, wires

__all__ = ["check_wiring", "longest_chain"]

# Microsoft's article: one master and up to eight subordinates in a chain, up to two on a splitter, cables under 10 m.
MAX_CHAIN_SUBORDINATES = 8
MAX_STAR_SUBORDINATES = 2
MAX_CABLE_M = 10

_OTHER_LIMITS = (
    "That is the limit of Microsoft's article; its FAQ (SDK issue #338) says 9 devices in a chain and 3 in a star, and "
    "a user ran 12 in a chain (SDK pull request #958)"
)

Rule = Callable[[Rig], Iterator[Finding]]


def check_wiring(rig: Rig) -> list[Finding]:
    """Everything that is wrong with a rig's devices and cables; empty when the pulse reaches everybody."""
    return [finding for rule in _RULES for finding in rule(rig)]


def _error(code: str, where: str, message: str, remedy: str) -> Finding:
    return Finding(code, Severity.ERROR, where, message, remedy)


def _warning(code: str, where: str, message: str, remedy: str) -> Finding:
    return Finding(code, Severity.WARNING, where, message, remedy)


def _did_you_mean(rig: Rig, serial: str) -> str:
    """A serial of the rig that looks like the given one, or all of them."""
    near = difflib.get_close_matches(serial, serials(rig), n=1, cutoff=0.7)
    return f"Did you mean {near[0]}?" if near else f"The devices of this rig are {', '.join(serials(rig)) or 'none'}."


def _no_devices(rig: Rig) -> Iterator[Finding]:
    if not rig.devices:
        yield _error("plan.no_devices", "rig", "the rig has no devices", "Add a [[device]] table with its serial.")


def _serial_twice(rig: Rig) -> Iterator[Finding]:
    for serial, count in Counter(device.serial for device in rig.devices).items():
        if count > 1:
            places = [f"device[{i}]" for i, device in enumerate(rig.devices) if device.serial == serial]
            yield _error(
                "plan.serial_twice",
                places[-1],
                f"serial {serial} stands {count} times: in {', '.join(places)}",
                "Give each device its own serial (it is printed on the underside), or remove the double entry.",
            )


def _master_named(rig: Rig) -> Iterator[Finding]:
    wiring = rig.wiring
    needs_master = wiring.topology in (Topology.DAISY_CHAIN, Topology.STAR)
    if needs_master and wiring.master is None and rig.devices:
        yield _error(
            "plan.master_missing",
            "wiring.master",
            f"a {wiring.topology} needs a master, whose pulse the others follow; none is named",
            f'Name it: master = "{rig.devices[0].serial}".',
        )
    if wiring.topology is not Topology.STANDALONE and wiring.master not in (None, *serials(rig)):
        yield _error(
            "plan.master_unknown",
            "wiring.master",
            f"the master {wiring.master} is no device of this rig",
            _did_you_mean(rig, wiring.master or ""),
        )


def _standalone_alone(rig: Rig) -> Iterator[Finding]:
    wiring = rig.wiring
    if wiring.topology is not Topology.STANDALONE:
        return
    if wiring.master is not None or wiring.order or wiring.cables:
        yield _warning(
            "plan.wiring_ignored",
            "wiring",
            "a standalone rig has no master and no cables; those in the file are not used",
            'Remove them, or set topology = "daisy_chain".',
        )
    if len(serials(rig)) > 1:
        yield _warning(
            "plan.not_synchronized",
            "wiring.topology",
            f"{len(serials(rig))} devices run standalone: no common clock, and lasers that disturb each other",
            'Connect them with sync cables and set topology = "daisy_chain" and a master.',
        )


def _order(rig: Rig) -> Iterator[Finding]:
    wiring = rig.wiring
    if wiring.topology is Topology.STANDALONE:
        return
    known = serials(rig)
    for i, serial in enumerate(wiring.order):
        where = f"wiring.order[{i}]"
        if serial not in known:
            message = f"the cable order names {serial}, which is no device of this rig"
            yield _error("plan.order_unknown_serial", where, message, _did_you_mean(rig, serial))
        elif serial == wiring.master:
            message = f"the master {serial} stands among its own subordinates: the cables would make a loop"
            yield _error(
                "plan.order_holds_master", where, message, "Take it out of the order; it comes before the first."
            )
        elif serial in wiring.order[:i]:
            message = f"{serial} stands in the cable order twice: its Sync In holds one plug"
            yield _error("plan.order_twice", where, message, "Name each subordinate once, as the cables run.")


def _order_against_cables(rig: Rig) -> Iterator[Finding]:
    wiring = rig.wiring
    if wiring.topology is Topology.STANDALONE or not wiring.order or not wiring.cables:
        return
    short_form = rig.model_copy(update={"wiring": wiring.model_copy(update={"cables": ()})})
    if {(w.source, w.destination) for w in wires(short_form)} != {(w.source, w.destination) for w in wires(rig)}:
        yield _error(
            "plan.order_contradicts_cables",
            "wiring.order",
            "order and the [[wiring.cable]] tables say different things; the cables were taken",
            "Keep one of them: order is the short form.",
        )


def _cable_ends(rig: Rig) -> Iterator[Finding]:
    known = (*serials(rig), SPLITTER, TRIGGER)
    for where, wire in _cables(rig):
        for end in dict.fromkeys((wire.source, wire.destination)):
            if end not in known:
                message = f"a cable ends in {end}, which is no device of this rig"
                yield _error("plan.cable_unknown_end", where, message, _did_you_mean(rig, end))
        if wire.destination == TRIGGER:
            message = "a cable leads into the trigger, which only gives pulses"
            yield _error("plan.cable_into_trigger", where, message, 'Turn it round: from = "trigger".')
        elif wire.source == TRIGGER and rig.wiring.topology is not Topology.EXTERNAL_TRIGGER:
            message = f"a cable comes from the trigger, but the topology is {rig.wiring.topology}"
            remedy = 'Set topology = "external_trigger", or take this cable out.'
            yield _error("plan.trigger_not_in_topology", where, message, remedy)


def _one_plug_a_jack(rig: Rig) -> Iterator[Finding]:
    fed: dict[str, str] = {}
    feeding: dict[str, str] = {}
    for where, wire in _cables(rig):
        if wire.destination in fed:
            jack = "the splitter's input" if wire.destination == SPLITTER else f"Sync In of {wire.destination}"
            message = f"{jack} is fed twice: by {fed[wire.destination]} and by {wire.source}"
            yield _error("plan.jack_fed_twice", where, message, "A jack holds one plug: take one of the cables away.")
        fed.setdefault(wire.destination, wire.source)
        if wire.source in (SPLITTER, TRIGGER):
            continue  # a splitter is there to feed several; how a generator's output is shared is its owner's affair
        if wire.source in feeding:
            message = f"Sync Out of {wire.source} feeds both {feeding[wire.source]} and {wire.destination}"
            remedy = "A jack holds one plug: chain the second behind the first, or put a splitter between."
            yield _error("plan.jack_feeds_twice", where, message, remedy)
        feeding.setdefault(wire.source, wire.destination)


def _loops(rig: Rig) -> Iterator[Finding]:
    links = [(wire.source, wire.destination) for _, wire in _cables(rig)]
    for loop in _find_loops(links):
        yield _error(
            "plan.cable_loop",
            "wiring.cable",
            f"the cables make a loop: {' -> '.join([*loop, loop[0]])}",
            "Take one of these cables away; the last device's Sync Out stays empty.",
        )


def _find_loops(links: list[tuple[str, str]]) -> Iterator[list[str]]:
    """Loops that share no end, each as its ends in cable order."""
    while True:
        # An end that nothing leads into, or out of, lies on no loop; without it its neighbours may not either.
        sources = {source for source, _ in links}
        destinations = {destination for _, destination in links}
        inner = [link for link in links if link[0] in destinations and link[1] in sources]
        if len(inner) < len(links):
            links = inner
            continue
        if not links:
            return
        successor = dict(links)
        walked = [links[0][0]]
        while successor[walked[-1]] not in walked:
            walked.append(successor[walked[-1]])
        loop = walked[walked.index(successor[walked[-1]]) :]
        yield loop
        links = [link for link in links if not set(link) & set(loop)]


def _everybody_reached(rig: Rig) -> Iterator[Finding]:
    """Only the head of an unreached part is told: what hangs behind it is reached once the head is."""
    first = root(rig)
    if first is None or first not in (*serials(rig), TRIGGER):
        return  # without a root nobody is reached, and that has been told
    fed = {wire.destination for wire in wires(rig)}
    for serial in serials(rig):
        if serial != first and serial not in fed:
            yield _error(
                "plan.device_not_reached",
                f"device {serial}",
                f"no sync cable leads into Sync In of {serial}; it would wait for a pulse for ever",
                "Add it to wiring.order, or add a [[wiring.cable]] that leads to it.",
            )
    sources = {wire.source for wire in wires(rig)}
    if SPLITTER in sources and SPLITTER not in fed:
        message = "no cable leads into the splitter, so that nobody behind it gets a pulse"
        yield _error("plan.splitter_not_fed", "wiring.cable", message, 'Add a [[wiring.cable]] with to = "splitter".')
    if first != TRIGGER and first not in sources:
        yield _error(
            "plan.master_feeds_nobody",
            "wiring.master",
            f"no cable leads out of the master {first}; the SDK refuses to start a master without a plug in Sync Out",
            'Connect a subordinate, or set topology = "standalone".',
        )


def _article_limits(rig: Rig) -> Iterator[Finding]:
    chain = longest_chain(rig)
    if chain > MAX_CHAIN_SUBORDINATES:
        yield _warning(
            "plan.chain_too_long",
            "wiring",
            f"{chain} subordinates in one chain, more than {MAX_CHAIN_SUBORDINATES}. {_OTHER_LIMITS}",
            "Expect to test it: watch the last device's offsets, or split the rig.",
        )
    behind_splitter = sum(wire.source == SPLITTER for wire in wires(rig))
    if behind_splitter > MAX_STAR_SUBORDINATES:
        yield _warning(
            "plan.star_too_wide",
            "wiring",
            f"{behind_splitter} devices on one splitter, more than {MAX_STAR_SUBORDINATES}. {_OTHER_LIMITS}",
            "Chain the further devices behind the first two.",
        )


def longest_chain(rig: Rig) -> int:
    """The largest number of subordinates that a pulse passes one after the other."""
    first = root(rig)
    hops = {} if first is None else {first: 0}
    ends = list(hops)
    for end in ends:  # grows while it is walked
        for wire in wires(rig):
            if wire.source == end and wire.destination not in hops:
                is_subordinate = wire.destination not in (SPLITTER, rig.wiring.master)
                hops[wire.destination] = hops[end] + is_subordinate
                ends.append(wire.destination)
    return max(hops.values(), default=0)


def _cable_lengths(rig: Rig) -> Iterator[Finding]:
    for where, wire in _cables(rig):
        if wire.length_m is not None and wire.length_m >= MAX_CABLE_M:
            message = f"the cable from {wire.source} to {wire.destination} is {wire.length_m:g} m long"
            remedy = f"Microsoft asks for less than {MAX_CABLE_M} m: use a shorter cable or another order."
            yield _warning("plan.cable_too_long", where, message, remedy)


def _trigger_into_master(rig: Rig) -> Iterator[Finding]:
    if rig.wiring.topology is Topology.EXTERNAL_TRIGGER and rig.wiring.master is not None:
        yield _warning(
            "plan.trigger_into_master",
            "wiring.master",
            f"the external trigger drives the master {rig.wiring.master}. Microsoft's article calls this possible; its "
            "maintainers say that every device must be a subordinate (SDK issues #366, #1801); unverified on hardware",
            "Leave wiring.master out, so that every device is a subordinate.",
        )


def _cables(rig: Rig) -> Iterator[tuple[str, Wire]]:
    """The cables that the file itself lists, with their places; what is wrong with a short form, ``_order`` tells."""
    if rig.wiring.cables:
        for i, wire in enumerate(wires(rig)):
            yield f"wiring.cable[{i}]", wire


_RULES: tuple[Rule, ...] = (
    _no_devices,
    _serial_twice,
    _master_named,
    _standalone_alone,
    _order,
    _order_against_cables,
    _cable_ends,
    _one_plug_a_jack,
    _loops,
    _everybody_reached,
    _article_limits,
    _cable_lengths,
    _trigger_into_master,
)
