"""How to plug a rig, and what to buy."""

import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest

from genlock.plan import make_plan, wiring_guide, wiring_svg
from genlock.rig import Rig, wires


def rig(count=3, wiring=None, **more):
    tables = [{"serial": str(i)} for i in range(1, count + 1)]
    return Rig.model_validate(
        {"device": tables, "wiring": wiring or {"topology": "daisy_chain", "master": "1"}, **more}
    )


def guide(a_rig):
    return wiring_guide(a_rig, make_plan(a_rig))


def counts(a_rig):
    return {part.name.split(",")[0]: part.count for part in guide(a_rig).parts}


STAR = {"topology": "star", "master": "1"}
TRIGGER = {"topology": "external_trigger"}


def test_a_chain_needs_one_cable_fewer_than_devices():
    assert counts(rig(5))["sync cable"] == 4
    steps = guide(rig(3)).steps
    assert "Sync Out of 1 (master) -> Sync In of 2" in steps
    assert "Sync Out of 2 -> Sync In of 3" in steps
    assert "Sync Out stays empty on 3." in steps
    assert "Sync In stays empty on 1." in steps


def test_a_star_needs_a_splitter_and_a_cable_for_each_subordinate():
    parts = counts(rig(3, STAR))
    assert parts["headphone splitter"] == 1
    assert parts["sync cable"] == 2
    cabled = {**STAR, "cable": [{"from": "1", "to": "splitter", "length_m": 2}, {"from": "splitter", "to": "2"}]}
    assert counts(rig(2, cabled))["sync cable"] == 2  # that splitter has a socket


def test_a_trigger_needs_a_generator_and_says_what_it_must_give():
    a_rig = rig(3, TRIGGER, capture={"camera_fps": 15})
    text = guide(a_rig).to_text()
    assert counts(a_rig)["pulse generator"] == 1
    assert counts(a_rig)["sync cable"] == 2
    assert "exactly 15 Hz, 5 V, active high, wider than 8 us, 8 mA or more" in text
    assert "signal on the tip; ring and sleeve to ground" in text
    assert "then switch the generator on: 1 -> 2 -> 3" in text
    assert "#366" in text and "Unverified on hardware" in text


def test_the_articles_other_trigger_wiring_goes_into_the_master():
    steps = guide(rig(3, {**TRIGGER, "master": "1"})).steps
    assert "the generator's output -> Sync In of 1 (master)" in steps
    assert "Sync Out of 1 (master) -> Sync In of 2" in steps


def test_standalone_devices_stay_without_cables():
    assert "sync cable" not in counts(rig(2, {"topology": "standalone"}))
    assert guide(rig(2, {"topology": "standalone"})).steps[-1] == "Leave every Sync In and Sync Out empty."


def test_lengths_and_limits_are_told():
    wiring = {"topology": "daisy_chain", "master": "1", "cable": [{"from": "1", "to": "2", "length_m": 2.5}]}
    text = guide(rig(2, wiring)).to_text()
    assert "1 of 2.5 m" in text and "(2.5 m)" in text
    for limit in ("article: 8", "#338", "#958", "under 10 m"):
        assert limit in text


def test_each_computer_is_listed_with_its_load():
    a_rig = Rig.model_validate(
        {
            "device": [{"serial": "1", "host": "a"}, {"serial": "2", "host": "b"}],
            "wiring": {"topology": "daisy_chain", "master": "1"},
            "host": [{"name": "a", "usb_controllers": 1}],
        }
    )
    text = guide(a_rig).to_text()
    assert "2 x computer" in text
    assert "USB of 2 -> controller 1 of b" in text
    assert "usbcore.usbfs_memory_mb=32" in text


# --- the picture ------------------------------------------------------------------------------------------------------


def drawn(a_rig):
    return ElementTree.fromstring(wiring_svg(a_rig, make_plan(a_rig)))


def shapes(svg, kind):
    return [node for node in svg.iter() if node.get("class") == kind]


@pytest.mark.parametrize("count", [2, 3, 5, 6, 10, 20])
@pytest.mark.parametrize("wiring", [None, STAR, TRIGGER])
def test_every_device_is_a_box_and_every_wire_a_cable_and_no_two_boxes_meet(count, wiring):
    a_rig = rig(count, wiring)
    svg = drawn(a_rig)
    boxes = shapes(svg, "box") + shapes(svg, "master")
    extra = {id(STAR): 1, id(TRIGGER): 1}.get(id(wiring), 0)  # the splitter; the generator
    assert len(boxes) == count + extra
    assert len(shapes(svg, "cable")) == len(wires(a_rig))
    corners = [(float(box.get("x")), float(box.get("y"))) for box in boxes]
    assert all(abs(a[0] - b[0]) >= 168 or abs(a[1] - b[1]) >= 64 for a, b in combinations(corners, 2))
    width, height = (float(number) for number in svg.get("viewBox").split()[2:])
    assert all(x + 168 <= width and y + 64 <= height for x, y in corners)


def test_plugs_are_where_the_wiring_puts_them():
    svg = drawn(rig(4))
    assert len(shapes(svg, "plug")) == 2 * 3
    assert len(shapes(svg, "jack")) == 2 * 4


def test_what_gets_no_pulse_is_red():
    looped = {
        "topology": "daisy_chain",
        "master": "1",
        "cable": [{"from": "1", "to": "2"}, {"from": "3", "to": "4"}, {"from": "4", "to": "3"}],
    }
    svg = drawn(rig(4, looped))
    assert len(shapes(svg, "lost")) == 2
    assert len(shapes(svg, "bad-cable")) == 2
    assert len(shapes(svg, "cable")) == 1


def test_names_are_escaped():
    a_rig = Rig.model_validate({"name": "<b>", "device": [{"serial": "1", "host": "<i>&"}]})
    assert "<b>" not in wiring_svg(a_rig, make_plan(a_rig))
    drawn(a_rig)
