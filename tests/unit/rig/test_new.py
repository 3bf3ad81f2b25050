"""A first rig file: loads, plans without an error, and says what its reader will want to change."""

import re
from itertools import product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.cli import rig as cli_rig
from genlock.k4a import CameraFps, ColorResolution, DepthMode, PowerlineFrequency
from genlock.plan import make_plan
from genlock.rig import Topology, new_rig_toml, parse_rig


def serials(count):
    return [f"{number:012d}" for number in range(1, count + 1)]


def errors(text):
    return [finding for finding in make_plan(parse_rig(text)).findings if finding.severity == "error"]


@pytest.mark.parametrize(
    ("topology", "mode", "color"), list(product(Topology, DepthMode, ["720P", "3072P", "OFF"])), ids=str
)
def test_every_combination_plans_without_an_error_or_is_refused_in_words(topology, mode, color):
    try:
        text = new_rig_toml(serials(3), topology=topology, depth_mode=mode, color_resolution=ColorResolution(color))
    except ValueError as error:
        assert color == "OFF"
        assert "color" in str(error) or "both" in str(error)
        return
    assert errors(text) == []
    rig = parse_rig(text)
    assert rig.wiring.topology is topology
    assert {rig.settings(device.serial).depth_mode for device in rig.devices} == {mode}


@pytest.mark.parametrize("count", [1, 2, 9, 10, 20, 64])
def test_any_number_of_devices_plans_without_an_error(count):
    text = new_rig_toml(serials(count))
    assert errors(text) == []
    assert len(parse_rig(text).devices) == count
    plan = make_plan(parse_rig(text))
    assert plan.guard_usec is None or plan.guard_usec >= 35


def test_a_chain_that_nobody_named_needs_color_too():
    with pytest.raises(ValueError, match="color cannot be off"):
        new_rig_toml(serials(3), color_resolution=ColorResolution.OFF)
    assert errors(new_rig_toml(serials(1), color_resolution=ColorResolution.OFF)) == []


def test_the_rate_is_the_fastest_that_the_modes_have():
    assert parse_rig(new_rig_toml(serials(2))).capture.camera_fps == 30
    assert parse_rig(new_rig_toml(serials(2), depth_mode=DepthMode.WFOV_UNBINNED)).capture.camera_fps == 15
    slow = new_rig_toml(serials(2), camera_fps=CameraFps.FPS_5)
    assert parse_rig(slow).capture.camera_fps == 5


def test_exposure_fits_the_mains():
    rig = parse_rig(new_rig_toml(serials(2), powerline_hz=PowerlineFrequency.HZ_50))
    assert (rig.capture.powerline_hz, rig.capture.exposure_usec) == (50, 10000)


def test_devices_are_spread_over_the_hosts_in_order():
    rig = parse_rig(new_rig_toml(serials(5), hosts=["a", "b"]))
    assert [device.host for device in rig.devices] == ["a", "a", "a", "b", "b"]
    assert [host.name for host in rig.hosts] == ["a", "b"]
    assert errors(new_rig_toml(serials(5), hosts=["a", "b"])) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"serials": []}, "at least 1"),
        ({"serials": ["1", "1"]}, "twice"),
        ({"serials": ["1", "x"]}, "digits"),
        ({"serials": ["1"], "topology": Topology.STAR}, "at least 2"),
        ({"serials": ["1"], "depth_mode": DepthMode.OFF, "color_resolution": ColorResolution.OFF}, "both"),
        ({"serials": ["1"], "depth_mode": DepthMode.WFOV_UNBINNED, "camera_fps": CameraFps.FPS_30}, "15 fps at most"),
        ({"serials": ["1"], "name": "a\nb"}, "printable"),
    ],
)
def test_what_cannot_be_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        new_rig_toml(**arguments)


@given(st.text(min_size=1), st.lists(st.text(min_size=1), max_size=2))
@settings(max_examples=100, deadline=None)
def test_any_printable_name_comes_back(name, hosts):
    try:
        text = new_rig_toml(["1"], name=name, hosts=hosts)
    except ValueError:
        assert not all(word.isprintable() for word in [name, *hosts])
        return
    assert parse_rig(text).name == name
    assert [host.name for host in parse_rig(text).hosts] == list(dict.fromkeys(hosts))


def test_the_hints_in_the_comments_are_right():
    """Each commented key, put in, is one that the file takes."""
    for topology in (Topology.DAISY_CHAIN, Topology.STAR, Topology.EXTERNAL_TRIGGER):
        text = new_rig_toml(serials(3), topology=topology, hosts=["a"])
        opened = re.sub(r"^# (?=\w+ = |\[)", "", text, flags=re.MULTILINE)
        assert opened.count("#") < text.count("#")
        parse_rig(opened)


def test_the_command_lines_choices_are_the_modes():
    assert set(get_args(cli_rig.Topology)) == set(Topology)
    assert set(get_args(cli_rig.DepthMode)) == set(DepthMode)
    assert set(get_args(cli_rig.ColorResolution)) == set(ColorResolution)
