"""Faults as text and values, scenarios as files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.devices.scenario import (
    FAULT_KINDS,
    Fault,
    FaultKind,
    Firmware,
    Scenario,
    SceneName,
    StampClock,
    load_scenario,
    parse_fault,
)
from genlock.devices.sim import SimBackend
from genlock.errors import UnreadableInputError
from genlock.k4a import SyncJacks
from genlock.testing.rigs import chain_rig

SERIAL = "000000000002"


@st.composite
def faults(draw):
    kind = draw(st.sampled_from(list(FaultKind)))
    traits = FAULT_KINDS[kind]
    tenths = st.integers(0, 1000).map(lambda n: n / 10)
    at_sec = draw(tenths)
    return Fault(
        kind=kind,
        serial=SERIAL if traits.has_serial else None,
        at_sec=at_sec,
        until_sec=draw(st.none() | st.integers(1, 1000).map(lambda n: at_sec + n / 8)),
        amount=draw(st.none() | st.integers(0, 8).map(lambda n: n / 40)) if traits.amount_meaning else None,
    )


@given(faults())
def test_a_fault_reads_back_from_its_text(fault):
    again = parse_fault(str(fault))
    assert (again.kind, again.serial, again.amount) == (fault.kind, fault.serial, fault.amount)
    # The text has six digits.
    assert again.at_sec == pytest.approx(fault.at_sec, rel=1e-5)
    assert (again.until_sec is None) == (fault.until_sec is None)


def test_the_form_of_a_fault_in_text():
    assert parse_fault("cable_pulled@3s:000000000002") == Fault(kind=FaultKind.CABLE_PULLED, serial=SERIAL, at_sec=3.0)
    assert parse_fault("random_drops@1.5s-4s:000000000002=0.02") == Fault(
        kind=FaultKind.RANDOM_DROPS, serial=SERIAL, at_sec=1.5, until_sec=4.0, amount=0.02
    )
    assert parse_fault("trigger_rate=-0.01") == Fault(kind=FaultKind.TRIGGER_RATE, amount=-0.01)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "KIND"),
        ("cable_pulled@soon:000000000002", "KIND"),
        ("cable_cut:000000000002", "cable_pulled"),
        ("cable_pulled@3s", "needs a device"),
        ("trigger_rate:000000000002", "leave the serial out"),
        ("cable_pulled@3s-3s:000000000002", "end after it begins"),
        ("lens_covered:000000000002=1", "has no amount"),
        ("random_drops:000000000002=1.5", "at most 1"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_fault(text)


def test_every_kind_of_fault_is_explained():
    assert set(FAULT_KINDS) == set(FaultKind)
    assert all(traits.summary for traits in FAULT_KINDS.values())
    # An amount without a meaning or a default without an amount would be a slip.
    assert all(traits.amount_meaning or traits.default_amount is None for traits in FAULT_KINDS.values())


def test_a_scenario_reads_from_its_file(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(
        """
        seed = 7
        scene = "empty_room"
        board = "chessboard:7x6:40mm"
        firmware = "1.6.104"
        [timing]
        stamp_clock = "disciplined"
        oscillator_ppm = 3
        [jacks.000000000003]
        sync_in_connected = false
        sync_out_connected = true
        [[fault]]
        kind = "cable_pulled"
        serial = "000000000002"
        at_sec = 3
        [[fault]]
        kind = "old_firmware"
        serial = "000000000002"
        """
    )
    scenario = load_scenario(path)
    assert (scenario.seed, scenario.scene, scenario.firmware) == (7, SceneName.EMPTY_ROOM, Firmware.V1_6_104)
    assert (scenario.timing.stamp_clock, scenario.timing.oscillator_ppm) == (StampClock.DISCIPLINED, 3.0)
    assert scenario.jacks == {"000000000003": SyncJacks(sync_in_connected=False, sync_out_connected=True)}
    assert scenario.faults[0] == parse_fault("cable_pulled@3s:000000000002")
    assert str(scenario.board) == "chessboard:7x6:40mm"


def test_the_board_is_a_charuco_unless_another_is_named():
    assert str(Scenario().board) == "charuco:9x6:80mm:60mm:DICT_5X5_250"


@pytest.mark.parametrize(
    ("board", "complaint"),
    [
        ("9x6", "board: a target begins with one of charuco, grid, chessboard"),
        ("charuco:9x6:80mm:60mm:DICT_9X9_50", "board: no dictionary 'DICT_9X9_50'; there are DICT_4X4_1000"),
        ("grid:9x6:80mm:60mm:DICT_4X4_50", "board: DICT_4X4_50 has 50 markers; 54 are wanted"),
    ],
)
def test_a_board_that_cannot_be_drawn_is_told(tmp_path, board, complaint):
    path = tmp_path / "scenario.toml"
    path.write_text(f'scene = "board"\nboard = "{board}"\n')
    with pytest.raises(UnreadableInputError, match=complaint):
        load_scenario(path)


def test_every_mistake_in_a_scenario_file_is_told_with_its_place(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text('sed = 7\nscene = "moon"\n[timing]\nhop = 3\n[[fault]]\nkind = "cable_pulled"\nat_sec = 3\n')
    with pytest.raises(UnreadableInputError) as caught:
        load_scenario(path)
    text = str(caught.value)
    assert "4 mistakes" in text
    for place in ("  sed: ", "  scene: ", "  timing.hop: ", "  fault[0]: cable_pulled needs a device"):
        assert place in text


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\xfe", None])
def test_what_is_no_scenario_file_is_refused_in_one_piece(tmp_path, content):
    path = tmp_path / "scenario.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableInputError, match="no scenario"):
        load_scenario(path)


def test_a_scenario_for_another_rig_is_refused():
    scenario = Scenario(faults=(parse_fault("cable_pulled@3s:999999999999"),))
    with pytest.raises(ValueError, match="999999999999"):
        SimBackend(chain_rig(2), scenario=scenario)
