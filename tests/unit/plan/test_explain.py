"""Every number of a plan has a reason, and the reason has the number."""

import pytest

from genlock.plan import explain, explain_text, make_plan
from genlock.rig import Rig


def lines(count=3, **tables):
    wiring = tables.pop("wiring", {"topology": "daisy_chain", "master": "1"})
    own = tables.pop("devices", {})
    devices = [{"serial": str(i), **own.get(i, {})} for i in range(1, count + 1)]
    rig = Rig.model_validate({"device": devices, "wiring": wiring, **tables})
    plan = make_plan(rig)
    return plan, {line.what: line for line in explain(rig, plan)}


def test_every_delay_exposure_and_role_is_explained():
    plan, found = lines(3)
    for device in plan.devices:
        assert (
            str(device.config.depth_delay_off_color_usec) in found[f"{device.serial} depth_delay_off_color_usec"].value
        )
        assert "8330" in found[f"{device.serial} exposure"].value
        assert found[f"{device.serial} role"].value == device.config.wired_sync_mode.lower()
    assert f"{plan.guard_usec:.1f}" in found["laser guard"].value
    assert all(line.why.endswith(".") for line in found.values())


def test_the_worked_examples_of_the_article_come_out():
    _, found = lines(2)
    assert "12725 us in all" in found["laser pulses in NFOV_UNBINNED"].value
    assert "9 lasers keep Microsoft's 160 us" in found["laser guard"].why
    _, found = lines(2, capture={"depth_mode": "WFOV_UNBINNED", "camera_fps": 15})
    assert "20245 us in all" in found["laser pulses in WFOV_UNBINNED"].value
    assert "15 lasers keep Microsoft's 160 us" in found["laser guard"].why


@pytest.mark.parametrize(
    ("tables", "what", "says"),
    [
        ({"devices": {2: {"depth_delay_off_color_usec": 160}}}, "2 depth_delay_off_color_usec", "Pinned"),
        ({"devices": {2: {"exposure_usec": 16670}}}, "2 subordinate_delay_off_master_usec", "-4170"),
        ({"devices": {2: {"color_resolution": "OFF"}}}, "2 subordinate_delay_off_master_usec", "Without color"),
        ({"devices": {2: {"depth_mode": "PASSIVE_IR"}}}, "2 depth_delay_off_color_usec", "stays dark"),
        ({"devices": {2: {"exposure_usec": "auto"}}}, "2 exposure", "says so"),
        ({"plan": {"goal": "interleaved_fps"}}, "2 subordinate_delay_off_master_usec", "evenly"),
        ({"plan": {"goal": "aligned_depth", "overlap": "none"}}, "2 depth_delay_off_color_usec", "at once"),
        ({"plan": {"overlap": "none"}}, "laser guard", "No two lasers"),
        ({"wiring": {"topology": "external_trigger"}}, "1 role", "#366"),
        ({"wiring": {"topology": "standalone"}}, "2 depth_delay_off_color_usec", "common clock"),
        (
            {"emitter": [{"name": "a", "period_usec": 8333, "pulse_usec": 9, "phase_usec": 5}]},
            "emitter a",
            "4 in a frame",
        ),
        ({"emitter": [{"name": "a", "period_usec": 8333, "pulse_usec": 9}]}, "emitter a", "runs free"),
        ({"host": [{"name": "this computer", "preview_fps": 10}]}, "this computer network", "estimate"),
    ],
)
def test_the_reason_fits_the_case(tables, what, says):
    _, found = lines(3, **tables)
    line = found[what]
    assert says.replace("-4170", "4170.0") in line.why


def test_nothing_is_explained_of_nothing():
    rig = Rig()
    assert explain(rig, make_plan(rig)) == ()
    assert explain_text(rig, make_plan(rig)) == "\n"
