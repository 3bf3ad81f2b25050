"""Cables: the short form written out, plugs, start order, and what is wrong with a cabling."""

from itertools import pairwise

import pytest

from genlock.findings import Severity
from genlock.k4a import SyncJacks, WiredSyncMode
from genlock.rig import Wire, check_wiring, expected_jacks, parse_rig, start_order, sync_mode, wires


def rig(wiring, serials=("1", "2", "3")):
    devices = "".join(f'[[device]]\nserial = "{serial}"\n' for serial in serials)
    return parse_rig(f"{devices}[wiring]\n{wiring}")


def cables(*ends):
    return "".join(f'[[wiring.cable]]\nfrom = "{a}"\nto = "{b}"\n' for a, b in ends)


def found(wiring, serials=("1", "2", "3")):
    return [finding.code.removeprefix("plan.") for finding in check_wiring(rig(wiring, serials))]


CHAIN = 'topology = "daisy_chain"\nmaster = "1"\n'
STAR = 'topology = "star"\nmaster = "1"\n'
TRIGGER = 'topology = "external_trigger"\n'


@pytest.mark.parametrize(
    ("wiring", "expected"),
    [
        (CHAIN + 'order = ["3", "2"]', [("1", "3"), ("3", "2")]),
        (CHAIN, [("1", "2"), ("2", "3")]),
        (STAR, [("1", "splitter"), ("splitter", "2"), ("splitter", "3")]),
        (TRIGGER, [("trigger", "1"), ("1", "2"), ("2", "3")]),
        (TRIGGER + 'order = ["3", "1", "2"]', [("trigger", "3"), ("3", "1"), ("1", "2")]),
        (TRIGGER + 'master = "2"', [("trigger", "2"), ("2", "1"), ("1", "3")]),
        ('topology = "standalone"', []),
        (CHAIN + cables(("1", "3"), ("3", "2")), [("1", "3"), ("3", "2")]),
    ],
)
def test_wires_are_written_out(wiring, expected):
    assert wires(rig(wiring)) == tuple(Wire(a, b) for a, b in expected)


def test_a_cable_keeps_its_length():
    wiring = CHAIN + '[[wiring.cable]]\nfrom = "1"\nto = "2"\nlength_m = 3\n'
    assert wires(rig(wiring, ("1", "2"))) == (Wire("1", "2", 3.0),)


def test_the_last_subordinates_sync_out_stays_empty():
    assert expected_jacks(rig(CHAIN)) == {
        "1": SyncJacks(sync_in_connected=False, sync_out_connected=True),
        "2": SyncJacks(sync_in_connected=True, sync_out_connected=True),
        "3": SyncJacks(sync_in_connected=True, sync_out_connected=False),
    }


def test_behind_a_splitter_no_sync_out_is_used():
    jacks = expected_jacks(rig(STAR))
    assert [jacks[serial].sync_out_connected for serial in ("1", "2", "3")] == [True, False, False]


@pytest.mark.parametrize(
    ("wiring", "expected"),
    [
        (CHAIN + 'order = ["3", "2"]', ("3", "2", "1")),
        (CHAIN + cables(("1", "3"), ("3", "2")), ("3", "2", "1")),
        (STAR + 'order = ["3", "2"]', ("3", "2", "1")),
        (TRIGGER, ("1", "2", "3")),
        (TRIGGER + 'master = "1"', ("2", "3", "1")),
        ('topology = "standalone"', ("1", "2", "3")),
        (CHAIN + 'order = ["3"]', ("3", "2", "1")),  # 2 is not wired: a finding, and last of the subordinates
        (CHAIN + cables(("2", "3"), ("3", "2")), ("2", "3", "1")),
    ],
)
def test_the_master_starts_after_every_subordinate_in_cable_order(wiring, expected):
    assert start_order(rig(wiring)) == expected


def test_under_a_trigger_everybody_is_subordinate_unless_a_master_is_named():
    modes = [sync_mode(rig(TRIGGER), serial) for serial in ("1", "2", "3")]
    assert modes == [WiredSyncMode.SUBORDINATE] * 3
    assert sync_mode(rig(TRIGGER + 'master = "2"'), "2") is WiredSyncMode.MASTER
    assert sync_mode(rig('topology = "standalone"'), "2") is WiredSyncMode.STANDALONE


EIGHT, NINE = [str(i) for i in range(1, 10)], [str(i) for i in range(1, 11)]


@pytest.mark.parametrize(
    ("wiring", "serials", "codes"),
    [
        (CHAIN, "123", []),
        (STAR, "123", []),
        (TRIGGER, "123", []),
        ('topology = "standalone"', "1", []),
        ("", "", ["no_devices"]),
        (CHAIN, ["1", "2", "2"], ["serial_twice"]),
        ('topology = "daisy_chain"', "123", ["master_missing"]),
        ('topology = "star"', "12", ["master_missing"]),
        ('topology = "daisy_chain"\nmaster = "9"', "123", ["master_unknown"]),
        ('topology = "standalone"', "123", ["not_synchronized"]),
        ('topology = "standalone"\nmaster = "1"', "1", ["wiring_ignored"]),
        (CHAIN, "1", ["master_feeds_nobody"]),
        (CHAIN + 'order = ["2", "9"]', "12", ["order_unknown_serial"]),
        (CHAIN + 'order = ["1", "2"]', "12", ["order_holds_master"]),
        (CHAIN + 'order = ["2", "2"]', "12", ["order_twice"]),
        (CHAIN + 'order = ["2"]', "123", ["device_not_reached"]),
        (CHAIN + 'order = ["3", "2"]\n' + cables(("1", "2"), ("2", "3")), "123", ["order_contradicts_cables"]),
        (CHAIN + 'order = ["2", "3"]\n' + cables(("2", "3"), ("1", "2")), "123", []),
        (CHAIN + cables(("1", "2"), ("2", "9")), "12", ["cable_unknown_end"]),
        (CHAIN + cables(("1", "2"), ("2", "3"), ("3", "1")), "123", ["cable_loop"]),
        (CHAIN + cables(("1", "1")), "1", ["cable_loop"]),
        (CHAIN + cables(("1", "2"), ("3", "4"), ("4", "3")), "1234", ["cable_loop"]),
        (CHAIN + cables(("1", "2"), ("3", "4"), ("4", "3"), ("4", "5")), "12345", ["jack_feeds_twice", "cable_loop"]),
        (CHAIN + cables(("1", "2"), ("2", "3"), ("3", "2")), "123", ["jack_fed_twice", "cable_loop"]),
        (CHAIN + cables(("1", "3"), ("2", "3")), "123", ["jack_fed_twice", "device_not_reached"]),
        (CHAIN + cables(("1", "2"), ("1", "3")), "123", ["jack_feeds_twice"]),
        (CHAIN + cables(("1", "2")), "123", ["device_not_reached"]),
        (CHAIN + cables(("1", "2"), ("3", "4")), "1234", ["device_not_reached"]),  # 4 hangs behind 3
        (CHAIN + cables(("1", "2"), ("2", "trigger")), "12", ["cable_into_trigger"]),
        (CHAIN + cables(("trigger", "1"), ("1", "2")), "12", ["trigger_not_in_topology"]),
        (STAR + cables(("splitter", "2"), ("splitter", "3")), "123", ["splitter_not_fed", "master_feeds_nobody"]),
        (STAR + cables(("1", "splitter"), ("splitter", "2"), ("3", "splitter")), "123",
         ["jack_fed_twice", "device_not_reached"]),
        (TRIGGER + 'master = "1"', "12", ["trigger_into_master"]),
        (TRIGGER + cables(("trigger", "1"), ("trigger", "2")), "12", []),
        (TRIGGER + cables(("trigger", "1")), "12", ["device_not_reached"]),
        (CHAIN, EIGHT, []),
        (CHAIN, NINE, ["chain_too_long"]),
        (STAR, "1234", ["star_too_wide"]),
        (STAR + cables(("1", "splitter"), ("splitter", "2"), ("splitter", "3"), ("3", "4")), "1234", []),
    ],
)  # fmt: skip
def test_a_cabling_is_judged(wiring, serials, codes):
    assert found(wiring, serials) == codes


def test_a_long_cable_is_a_warning():
    wiring = CHAIN + '[[wiring.cable]]\nfrom = "1"\nto = "2"\nlength_m = {}\n'
    assert found(wiring.format(9.9), "12") == []
    assert found(wiring.format(10), "12") == ["cable_too_long"]


def test_findings_name_their_place_and_a_remedy():
    (finding,) = check_wiring(rig('topology = "daisy_chain"\nmaster = "000000000011"', ("000000000001",)))
    assert finding.severity is Severity.ERROR
    assert finding.where == "wiring.master"
    assert "Did you mean 000000000001?" in finding.remedy
    (finding,) = check_wiring(rig(CHAIN + cables(("1", "2"), ("2", "3"), ("3", "1"))))
    assert "1 -> 2 -> 3 -> 1" in finding.message or "2 -> 3 -> 1 -> 2" in finding.message


def test_a_long_chain_is_judged_at_once():
    serials = [str(i) for i in range(1, 1001)]
    ends = list(pairwise(serials))
    assert found(CHAIN + cables(*ends), serials) == ["chain_too_long"]
