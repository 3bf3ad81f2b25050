"""Whole plans: what every device is told."""

import json
import timeit
import xml.etree.ElementTree as ElementTree
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.errors import PlanFileError
from genlock.k4a import PULSE_TRAINS, SyncJacks, WiredSyncMode, ticks_from_usec
from genlock.plan import (
    explain,
    k4arecorder_script,
    load_plan,
    make_plan,
    plan_from_json,
    recorder_commands,
    timeline_svg,
    timeline_text,
    wiring_guide,
    wiring_svg,
)
from genlock.plan.delays import usec_request
from genlock.rig import Rig, parse_rig


def rig(count=3, capture="white_balance_k = 4500", wiring='topology = "daisy_chain"', plan="", devices=None):
    """A daisy chain of devices 1 to ``count``; ``devices`` holds further lines for some of them."""
    master = 'master = "1"' if "master" not in wiring and "trigger" not in wiring and "alone" not in wiring else ""
    text = f"[capture]\n{capture}\n[wiring]\n{wiring}\n{master}\n[plan]\n{plan}\n"
    for i in range(1, count + 1):
        text += f'[[device]]\nserial = "{i}"\n{(devices or {}).get(i, "")}\n'
    return parse_rig(text)


def depth_ticks(plan):
    return [device.config.depth_delay_off_color_ticks for device in plan.devices]


def test_three_devices_keep_100_us_with_depth_centred_on_aligned_colors():
    plan = make_plan(rig(3))
    assert depth_ticks(plan) == [-21, 0, 21]
    assert [d.config.depth_delay_off_color_usec for d in plan.devices] == [-234, 0, 234]
    assert [d.config.subordinate_delay_off_master_usec for d in plan.devices] == [0, 0, 0]
    assert plan.guard_usec == pytest.approx(21 * 100 / 9 - 125)
    assert [d.config.wired_sync_mode for d in plan.devices] == [
        WiredSyncMode.MASTER,
        WiredSyncMode.SUBORDINATE,
        WiredSyncMode.SUBORDINATE,
    ]
    assert plan.start_order == ("2", "3", "1")
    assert plan.reference_serial == "1"
    assert plan.findings == ()
    assert not plan.has_errors


def test_microsofts_pair_is_7_ticks_each_way_and_30_6_us_of_guard():
    devices = {1: "depth_delay_off_color_usec = -80", 2: "depth_delay_off_color_usec = 80"}
    plan = make_plan(rig(2, capture="white_balance_k = 4500", devices=devices))
    assert depth_ticks(plan) == [-7, 7]
    assert [d.config.depth_delay_off_color_usec for d in plan.devices] == [-80, 80]
    assert plan.guard_usec == pytest.approx(30.5556, abs=1e-4)
    rounded = "plan.pinned_delay_rounded"
    assert [f.code for f in plan.findings] == ["plan.guard_small", rounded, rounded]
    assert not plan.has_errors


@given(st.integers(-18000, 18000))
def test_a_request_is_the_smallest_that_becomes_its_ticks(ticks):
    usec = usec_request(ticks)
    assert ticks_from_usec(usec) == ticks
    nearer = usec - 1 if usec > 0 else usec + 1
    assert ticks == 0 or ticks_from_usec(nearer) != ticks


def test_settings_reach_the_device():
    plan = make_plan(
        rig(
            2,
            capture="white_balance_k = 4500\ngain = 10\nexposure_usec = 8000\npowerline_hz = 50\nimu = false",
            devices={2: 'host = "pc-2"\ndisable_streaming_indicator = true\nsynchronized_images_only = true'},
        )
    )
    second = plan.device("2")
    assert (second.exposure_usec, second.requested_exposure_usec) == (10000, 8000)
    assert second.color_controls == {"WHITEBALANCE": 4500, "GAIN": 10}
    assert second.host == "pc-2"
    assert second.config.disable_streaming_indicator and second.config.synchronized_images_only
    assert not second.imu
    assert plan.device("1").jacks == SyncJacks(sync_in_connected=False, sync_out_connected=True)
    assert second.jacks == SyncJacks(sync_in_connected=True, sync_out_connected=False)


def test_depth_only_subordinates_are_staggered_behind_the_master():
    depth_only = 'color_resolution = "OFF"'
    plan = make_plan(rig(3, devices={2: depth_only, 3: depth_only}))
    configs = [device.config for device in plan.devices]
    assert [config.depth_delay_off_color_ticks for config in configs] == [-21, 0, 0]
    assert [config.subordinate_delay_off_master_ticks for config in configs] == [0, 0, 21]
    assert plan.guard_usec is not None and plan.guard_usec >= 100
    assert not plan.has_errors


def test_lasers_that_stay_dark_take_no_slot():
    plan = make_plan(rig(3, devices={2: 'depth_mode = "PASSIVE_IR"', 3: 'depth_mode = "OFF"'}))
    assert depth_ticks(plan) == [0, 0, 0]
    assert plan.guard_usec is None


def test_devices_that_see_different_spaces_share_a_slot():
    assert depth_ticks(make_plan(rig(3, plan='overlap = "none"'))) == [0, 0, 0]
    plan = make_plan(rig(4, plan='overlap = [["1", "2"], ["4", "3"]]'))
    assert depth_ticks(plan) == [-11, 11, -11, 11]


def test_under_an_external_trigger_all_are_subordinates_of_its_pulse():
    plan = make_plan(rig(3, wiring='topology = "external_trigger"'))
    assert {d.config.wired_sync_mode for d in plan.devices} == {WiredSyncMode.SUBORDINATE}
    assert plan.start_order == ("1", "2", "3")
    assert plan.reference_serial == "1"
    assert depth_ticks(plan) == [-21, 0, 21]


def test_standalone_devices_have_no_common_clock_to_plan_on():
    plan = make_plan(rig(2, wiring='topology = "standalone"'))
    assert plan.guard_usec is None
    assert depth_ticks(plan) == [0, 0]
    assert "plan.not_synchronized" in [f.code for f in plan.findings]


def test_a_wanted_guard_is_kept_and_a_bound_on_skew_too():
    assert make_plan(rig(3, plan="min_guard_usec = 300")).guard_usec == pytest.approx(39 * 100 / 9 - 125)
    narrow = make_plan(rig(3, plan="max_rgbd_skew_usec = 160"))
    assert depth_ticks(narrow) == [-14, 0, 14]


def test_ten_devices_of_one_mode_are_planned_in_a_tenth_of_a_second():
    question = rig(10)
    assert min(timeit.repeat(lambda: make_plan(question), number=1, repeat=5)) < 0.1


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_plan_comes_back_from_its_json(tmp_path):
    for count in (1, 3, 12):
        plan = make_plan(rig(count, plan='overlap = [["1", "2"]]'))
        path = tmp_path / f"plan{count}.json"
        path.write_text(json.dumps(plan.to_json()))
        assert load_plan(path) == plan


def test_the_json_has_the_documented_keys():
    document = make_plan(rig(2)).to_json()
    assert {"format_version", "devices", "start_order", "guard_usec", "findings"} <= set(document)
    assert {
        "serial",
        "wired_sync_mode",
        "subordinate_delay_off_master_usec",
        "subordinate_delay_off_master_ticks",
        "depth_delay_off_color_usec",
        "depth_delay_off_color_ticks",
        "depth_mode",
        "color_resolution",
        "color_format",
        "camera_fps",
        "exposure_usec",
        "powerline_hz",
    } <= set(document["devices"][0])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not a plan"),
        (b'{"format_version": 2}', "newer genlock"),
        (b'{"format_version": 1}', "devices: Field required"),
    ],
)
def test_what_is_no_plan_is_told(tmp_path, content, says):
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(PlanFileError, match=says):
        load_plan(path)
    with pytest.raises(PlanFileError, match="cannot be read"):
        load_plan(tmp_path / "none.json")


def test_a_plan_with_an_unknown_key_is_told():
    document = make_plan(rig(2)).to_json()
    document["devices"][1]["depth_moed"] = "OFF"
    with pytest.raises(PlanFileError, match=r"devices\.1\.depth_moed"):
        plan_from_json(document)


# --- laws -------------------------------------------------------------------------------------------------------------

SERIALS = st.sampled_from(["1", "2", "3", "4", "5", "9"])
DEVICES = st.fixed_dictionaries(
    {"serial": SERIALS},
    optional={
        "depth_mode": st.sampled_from(["OFF", "NFOV_UNBINNED", "WFOV_UNBINNED", "PASSIVE_IR", "WFOV_2X2BINNED"]),
        "color_resolution": st.sampled_from(["OFF", "720P", "3072P"]),
        "color_format": st.sampled_from(["MJPG", "NV12"]),
        "camera_fps": st.sampled_from([5, 15, 30]),
        "exposure_usec": st.one_of(st.just("auto"), st.integers(1, 10**6)),
        "powerline_hz": st.sampled_from([50, 60]),
        "white_balance_k": st.sampled_from(["auto", 4500, 5000]),
        "gain": st.integers(0, 255),
        "synchronized_images_only": st.booleans(),
        "depth_delay_off_color_usec": st.integers(-(10**6), 10**6),
        "subordinate_delay_off_master_usec": st.integers(-(10**6), 10**6),
        "rotation_wxyz": st.lists(st.floats(-2, 2), min_size=4, max_size=4),
        "host": st.sampled_from(["pc-1", "pc-2"]),
        "usb_controller": st.integers(1, 64),
    },
)
ENDS = st.one_of(SERIALS, st.sampled_from(["splitter", "trigger"]))
CABLES = st.fixed_dictionaries({"from": ENDS, "to": ENDS}, optional={"length_m": st.floats(0.1, 20)})
WIRINGS = st.fixed_dictionaries(
    {"topology": st.sampled_from(["daisy_chain", "star", "external_trigger", "standalone"])},
    optional={
        "master": SERIALS,
        "order": st.lists(SERIALS, max_size=5),
        "cable": st.lists(CABLES, max_size=6),
        "trigger": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(["rate_hz", "pulse_usec", "high_v", "drive_ma"], st.floats(0.1, 100))
        ),
    },
)
HOSTS = st.fixed_dictionaries(
    {"name": st.sampled_from(["pc-1", "pc-2", "pc-3"])},
    optional={
        "usb_controllers": st.integers(1, 64),
        "usb_mb_per_sec": st.floats(1, 1000),
        "usbfs_memory_mb": st.integers(0, 1000),
        "disk_mb_per_sec": st.floats(1, 1000),
        "network_mbit_per_sec": st.floats(0.1, 1000),
        "preview_fps": st.integers(0, 30),
    },
)
EMITTERS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["mocap", "<&>"]),
        "period_usec": st.one_of(st.sampled_from([8333.3, 16667, 33333, 66667, 1e6, 10.5]), st.floats(11, 1e5)),
        "pulse_usec": st.floats(0.1, 5000),
    },
    optional={"phase_usec": st.floats(-1e5, 1e5), "seen_by": st.lists(SERIALS, max_size=3)},
)
PLANS = st.fixed_dictionaries(
    {},
    optional={
        "overlap": st.one_of(st.sampled_from(["all", "none"]), st.lists(st.tuples(SERIALS, SERIALS), max_size=6)),
        "min_guard_usec": st.integers(0, 1000),
        "max_rgbd_skew_usec": st.integers(0, 3000),
    },
)
RIGS = st.fixed_dictionaries(
    {},
    optional={
        "device": st.lists(DEVICES, max_size=6),
        "wiring": WIRINGS,
        "plan": PLANS,
        "host": st.lists(HOSTS, max_size=3),
        "emitter": st.lists(EMITTERS, max_size=2),
    },
)


@given(RIGS)
@settings(max_examples=400, deadline=None)
def test_any_rig_that_loads_is_planned_drawn_and_kept(tables):
    rig_of_tables = Rig.model_validate(tables)
    plan = make_plan(rig_of_tables)
    assert sorted(plan.start_order) == sorted(device.serial for device in plan.devices)
    assert plan_from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert all(finding.remedy for finding in plan.findings if finding.severity != "info")
    assert timeline_text(plan) and timeline_svg(plan).startswith("<svg")
    ElementTree.fromstring(timeline_svg(plan))
    ElementTree.fromstring(wiring_svg(rig_of_tables, plan))
    assert wiring_guide(rig_of_tables, plan).to_text()
    assert bool(explain(rig_of_tables, plan)) == bool(plan.devices)
    assert len(recorder_commands(plan)) == len(plan.devices)
    assert k4arecorder_script(plan).startswith("#")
    assert json.dumps(
        [wiring_guide(rig_of_tables, plan).to_json(), *(e.to_json() for e in explain(rig_of_tables, plan))]
    )


@given(RIGS)
@settings(max_examples=100, deadline=None)
def test_pinned_delays_are_never_changed(tables):
    question = Rig.model_validate(tables)
    plan = make_plan(question)
    for device in plan.devices:
        own = question.device(device.serial)
        for key in ("depth_delay_off_color_usec", "subordinate_delay_off_master_usec"):
            assert getattr(own, key) in (None, getattr(device.config, key))


def independent_guard_usec(plan, overlaps):
    """By exact fractions, every pulse against every pulse, from the JSON alone."""
    document = plan.to_json()
    pulses = {}
    for device in document["devices"]:
        train = PULSE_TRAINS[device["depth_mode"]]
        if train is not None:
            delays = ("subordinate_delay_off_master_usec", "depth_delay_off_color_usec")
            center = sum(Fraction(int(device[key] * 9 / 100) * 100, 9) for key in delays)
            idle = 2390 if device["depth_mode"] == "WFOV_UNBINNED" else 1450
            first = center - Fraction(9 * 125 + 8 * idle, 2)
            pulses[device["serial"]] = [first + k * (125 + idle) for k in range(9)]
    period = Fraction(10**6, document["devices"][0]["camera_fps"])
    gaps = [
        abs(p - q + frame * period) - 125
        for a, b in overlaps
        if a in pulses and b in pulses
        for p in pulses[a]
        for q in pulses[b]
        for frame in range(-2, 3)
    ]
    return min(gaps, default=None)


@given(
    st.integers(2, 5),
    st.sampled_from(["NFOV_UNBINNED", "WFOV_UNBINNED", "mixed"]),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_the_guard_is_what_an_independent_count_of_all_pulses_gives(count, mode, data):
    pairs = list(combinations([str(i) for i in range(1, count + 1)], 2))
    overlaps = data.draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1))
    modes = {i: mode if mode != "mixed" else data.draw(st.sampled_from(["NFOV_UNBINNED", "WFOV_UNBINNED"]))
             for i in range(1, count + 1)}  # fmt: skip
    plan = make_plan(
        rig(
            count,
            capture="camera_fps = 15\nwhite_balance_k = 4500",
            plan=f"overlap = {json.dumps(overlaps)}",
            devices={i: f'depth_mode = "{m}"' for i, m in modes.items()},
        )
    )
    guard = independent_guard_usec(plan, overlaps)
    assert guard is not None
    assert plan.guard_usec == pytest.approx(float(guard))
