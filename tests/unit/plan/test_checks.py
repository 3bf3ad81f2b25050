"""Every rule of the plan: the rig that breaks it, and one beside it that does not."""

import pytest

from genlock.findings import Severity
from genlock.plan import make_plan
from genlock.rig import parse_rig

POSE = "position_m = [0, 0, 0]\nrotation_wxyz = [1, 0, 0, 0]"
CHAIN = 'topology = "daisy_chain"\nmaster = "1"'


def findings(capture="", first="", second="", wiring=CHAIN, plan="", devices=2):
    text = f"[capture]\nwhite_balance_k = 4500\n{capture}\n[wiring]\n{wiring}\n[plan]\n{plan}\n"
    for i, lines in enumerate([first, second, *[""] * devices][:devices]):
        text += f'[[device]]\nserial = "{i + 1}"\n{lines}\n'
    return make_plan(parse_rig(text)).findings


@pytest.mark.parametrize(
    ("rig", "expected"),
    [
        ({}, []),
        # The SDK's start rules
        ({"capture": 'depth_mode = "WFOV_UNBINNED"'}, ["error plan.fps_too_high_for_depth_mode"] * 2),
        ({"second": 'color_resolution = "3072P"'}, ["error plan.fps_too_high_for_color_resolution"]),
        ({"capture": 'depth_mode = "WFOV_UNBINNED"\ncamera_fps = 15'}, []),
        ({"first": 'color_resolution = "OFF"'}, ["error plan.master_without_color"]),
        ({"second": 'color_format = "NV12"'}, ["error plan.color_format_not_at_resolution"]),
        ({"second": 'color_resolution = "OFF"\ndepth_mode = "OFF"'}, ["error plan.no_camera"]),
        (
            {"second": 'depth_mode = "OFF"\nsynchronized_images_only = true'},
            ["error plan.synchronized_images_only_with_one_camera"],
        ),
        ({"first": "subordinate_delay_off_master_usec = 500"},
         ["error plan.subordinate_delay_on_non_subordinate"]),
        ({"second": "depth_delay_off_color_usec = 40000"},
         ["error plan.depth_delay_out_of_range", "warning plan.depth_far_from_color"]),
        # One rig, one rate
        ({"second": "camera_fps = 15"}, ["error plan.fps_unequal"]),
        ({"second": "camera_fps = 15", "wiring": 'topology = "standalone"'}, ["warning plan.not_synchronized"]),
        ({"wiring": 'topology = "external_trigger"'}, ["info plan.trigger_rate"]),
        ({"wiring": 'topology = "external_trigger"\n[wiring.trigger]\nrate_hz = 30.0\npulse_usec = 8.1\nhigh_v = 5\n'
          "drive_ma = 8"}, ["info plan.trigger_rate"]),
        ({"wiring": 'topology = "external_trigger"\n[wiring.trigger]\nrate_hz = 29.97'},
         ["error plan.trigger_rate_wrong", "info plan.trigger_rate"]),
        ({"wiring": 'topology = "external_trigger"\n[wiring.trigger]\npulse_usec = 8\nhigh_v = 3.3\ndrive_ma = 4'},
         ["info plan.trigger_rate", *["error plan.trigger_pulse_wrong"] * 3]),
        ({"wiring": CHAIN + "\n[wiring.trigger]\nrate_hz = 29.97"}, []),  # not in use
        # Exposure and color
        ({"capture": 'exposure_usec = "auto"'}, ["warning plan.auto_exposure"]),
        ({"capture": 'exposure_usec = "auto"', "devices": 1, "wiring": 'topology = "standalone"'}, []),
        ({"second": "exposure_usec = 2500"}, ["warning plan.exposure_unequal"]),
        ({"first": "exposure_usec = 8000"}, ["info plan.exposure_rounded"]),  # rounded to the same 8330
        ({"second": "powerline_hz = 50"},
         ["warning plan.exposure_realigned", "info plan.exposure_rounded", "warning plan.powerline_unequal"]),
        ({"capture": "exposure_usec = 33330"}, []),
        ({"capture": "exposure_usec = 41670"}, ["warning plan.exposure_longer_than_frame"] * 2),
        ({"capture": "exposure_usec = 41670\ncamera_fps = 15"}, []),
        ({"second": "white_balance_k = 5000"}, ["warning plan.white_balance_unequal"]),
        ({"second": "gain = 5"}, ["warning plan.color_control_unequal"]),
        ({"first": "gain = 5", "second": "gain = 5"}, []),
        ({"first": 'white_balance_k = "auto"', "second": 'white_balance_k = "auto"'},
         ["warning plan.white_balance_auto"]),
        ({"capture": 'color_resolution = "3072P"\ncamera_fps = 15\ndepth_mode = "OFF"'},
         ["warning plan.color_only_3072p"]),
        ({"capture": 'color_resolution = "3072P"\ncamera_fps = 15'}, []),
        # Overlap
        ({"plan": 'overlap = [["1", "7"]]'}, ["error plan.overlap_unknown_serial"]),
        ({"plan": 'overlap = [["1", "1"]]'}, ["error plan.overlap_with_itself"]),
        ({"plan": 'overlap = [["1", "2"], ["2", "1"]]'}, ["info plan.overlap_twice"]),
        ({"plan": 'overlap = "none"', "first": POSE, "second": POSE}, ["warning plan.overlap_against_poses"]),
        ({"plan": 'overlap = [["2", "1"]]', "first": POSE, "second": POSE}, []),
        ({"plan": 'overlap = "none"', "first": POSE, "second": POSE.replace("[0, 0, 0]", "[90, 0, 0]")}, []),
        ({"plan": 'goal = "interleaved_fps"', "capture": 'color_resolution = "OFF"',
          "wiring": 'topology = "external_trigger"'}, ["info plan.trigger_rate", "error plan.goal_needs_color"]),
        # Lasers
        ({"devices": 9}, ["info plan.guard_below_wanted"]),
        ({"devices": 9, "plan": "min_guard_usec = 35"}, []),
        ({"first": "depth_delay_off_color_usec = 0", "second": "depth_delay_off_color_usec = 0"},
         ["error plan.lasers_collide"]),
        ({"first": "depth_delay_off_color_usec = 0", "second": "depth_delay_off_color_usec = 160"},
         ["warning plan.guard_small", "info plan.pinned_delay_rounded"]),
        ({"first": "depth_delay_off_color_usec = 0", "second": "depth_delay_off_color_usec = 200"},
         ["info plan.guard_below_wanted"]),
        ({"second": "depth_delay_off_color_usec = 3000"}, ["warning plan.depth_far_from_color"]),
        ({"second": "subordinate_delay_off_master_usec = 200"}, ["warning plan.color_not_aligned"]),
        ({"second": "subordinate_delay_off_master_usec = 100"}, []),
        ({"plan": 'goal = "aligned_depth"\noverlap = "none"', "second": "depth_delay_off_color_usec = 200"},
         ["warning plan.depth_not_aligned"]),
        ({"plan": 'goal = "aligned_depth"\noverlap = "none"', "second": "depth_delay_off_color_usec = 100"}, []),
        # Poses
        ({"second": "rotation_wxyz = [1, 0, 0, 0.2]"}, ["error plan.rotation_not_unit"]),
        ({"second": "rotation_wxyz = [0.707, 0.707, 0, 0]"}, []),
    ],
)  # fmt: skip
def test_a_rig_is_judged(rig, expected):
    assert [f"{f.severity} {f.code}" for f in findings(**rig)] == expected


def test_white_balance_that_nobody_gives_is_worth_a_word():
    rig = parse_rig(f'[wiring]\n{CHAIN}\n[[device]]\nserial = "1"\n[[device]]\nserial = "2"')
    assert [f.code for f in make_plan(rig).findings] == ["plan.white_balance_unset"]


def test_the_collision_names_the_pair_and_the_numbers():
    (finding,) = findings(first="depth_delay_off_color_usec = 0", second="depth_delay_off_color_usec = 100")
    assert finding.severity is Severity.ERROR
    assert finding.where == "devices 1 and 2"
    assert "overlap by 25.0 us" in finding.message  # 9 ticks are 100 us, a pulse is 125 us


def test_unequal_values_are_listed_by_device():
    (finding,) = findings(second="camera_fps = 15")
    assert "30 fps on 1; 15 fps on 2" in finding.message
