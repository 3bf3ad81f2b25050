"""Unequal exposures: what they move, and what brings it back."""

import json
from fractions import Fraction
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.k4a import EXPOSURES_USEC, PowerlineFrequency
from genlock.plan import make_plan, plan_from_json, timeline_svg
from genlock.plan.picture import lay_out
from genlock.rig import Rig


def plan(exposures, topology="daisy_chain", devices=None, **settings):
    tables = [
        {"serial": str(i), "exposure_usec": usec, **(devices or {}).get(i, {})} for i, usec in enumerate(exposures, 1)
    ]
    wiring = {"topology": topology, **({"master": "1"} if topology == "daisy_chain" else {})}
    return make_plan(
        Rig.model_validate({"device": tables, "wiring": wiring, "plan": settings, "capture": {"white_balance_k": 4500}})
    )


def codes(made):
    return [f.code for f in made.findings]


def centers_usec(made):
    """Centre of every color after the master's, by the rule written out: delay - (own - reference) / 2."""
    exposures = {d.serial: min(d.exposure_usec, 33333) for d in made.devices}
    masters = [d.serial for d in made.devices if d.config.wired_sync_mode == "MASTER"]
    reference = exposures[masters[0]] if masters else min(exposures.values())
    return {
        d.serial: Fraction(d.config.subordinate_delay_off_master_ticks * 100, 9)
        - Fraction(exposures[d.serial] - reference, 2)
        for d in made.devices
    }


def test_a_longer_subordinate_is_delayed_by_half_of_the_difference():
    made = plan([8330, 16670])
    # (16670 - 8330) / 2 = 4170 us are 375.3 ticks; 375 are 4166.7 us
    assert made.device("2").config.subordinate_delay_off_master_ticks == 375
    assert abs(centers_usec(made)["2"]) < 6
    assert "plan.exposure_realigned" in codes(made)
    (finding,) = [f for f in made.findings if f.code == "plan.exposure_realigned"]
    assert "Unverified on hardware" in finding.message
    assert "4167 us on 2" in finding.message


def test_the_finding_says_what_guard_is_left_if_centres_do_not_move():
    made = plan([8330, 16670])
    (finding,) = [f for f in made.findings if f.code == "plan.exposure_realigned"]
    ticks = [d.depth_delay_off_master_color_ticks for d in made.devices]
    apart = Fraction((ticks[1] - ticks[0]) * 100, 9) % 1575
    assert f"would be {float(min(apart, 1575 - apart) - 125):.1f} us" in finding.message


def test_a_shorter_subordinate_cannot_be_brought_back():
    made = plan([16670, 8330])
    assert made.device("2").config.subordinate_delay_off_master_usec == 0
    (finding,) = [f for f in made.findings if f.code == "plan.exposure_unequal"]
    assert "+4170 us on 2" in finding.message


def test_under_a_trigger_everybody_is_brought_to_the_shortest():
    made = plan([16670, 8330, 33330], topology="external_trigger")
    assert [d.config.subordinate_delay_off_master_ticks for d in made.devices] == [375, 0, 1125]
    assert "plan.exposure_unequal" not in codes(made)


def test_a_pinned_delay_stays_and_is_judged_by_where_the_color_really_lies():
    pin = {2: {"subordinate_delay_off_master_usec": 0}}
    made = plan([8330, 16670], devices=pin)
    assert made.device("2").config.subordinate_delay_off_master_usec == 0
    assert {"plan.exposure_unequal", "plan.color_not_aligned"} <= set(codes(made))
    right = plan([8330, 16670], devices={2: {"subordinate_delay_off_master_usec": 4170}})
    assert "plan.color_not_aligned" not in codes(right)


def test_equal_exposures_move_nothing():
    made = plan([8330, 8330, 8330])
    assert codes(made) == []
    assert set(made.center_shifts_grains.values()) == {0}


def test_an_exposure_that_the_frame_cuts_counts_as_cut():
    made = plan([8330, 130_000])
    # 133 330 us do not fit 33 333: (33333 - 8330) / 2 = 12501.5 us, 1125.1 ticks
    assert made.device("2").config.subordinate_delay_off_master_ticks == 1125


def test_nobody_knows_what_automatic_exposure_moves():
    assert set(plan(["auto", 16670]).center_shifts_grains.values()) == {0}
    assert set(plan([8330, "auto"]).center_shifts_grains.values()) == {0}


def test_interleaved_colors_are_even_by_their_centres():
    made = plan([8330, 16670, 33330], goal="interleaved_fps")
    centers = sorted(centers_usec(made).values())
    steps = [b - a for a, b in pairwise(centers)]
    assert all(abs(step - Fraction(100_000, 9)) < 12 for step in steps)  # a tick


def test_the_timeline_draws_colors_around_one_centre():
    made = plan([8330, 16670])
    rows = lay_out(made).rows
    middles = [sum(row.color) / 2 / 18 for row in rows]
    assert middles[0] == 0 and abs(middles[1]) < 6
    again = plan_from_json(json.loads(json.dumps(made.to_json())))
    assert timeline_svg(again) == timeline_svg(made)


EXPOSURES = st.sampled_from(EXPOSURES_USEC[PowerlineFrequency.HZ_60][:6])


@given(st.lists(EXPOSURES, min_size=2, max_size=5), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_guard_counts_lasers_where_their_exposures_put_them(exposures, has_master):
    """By exact fractions, every pulse against every pulse, from delays and exposures alone."""
    made = plan(exposures, topology="daisy_chain" if has_master else "external_trigger")
    centers = centers_usec(made)
    pulses = {
        d.serial: [
            centers[d.serial] + Fraction(d.config.depth_delay_off_color_ticks * 100, 9) + k * 1575 for k in range(9)
        ]
        for d in made.devices
    }
    frame = Fraction(100_000, 3)
    gaps = [
        abs(p - q + shift * frame) - 125
        for a, b in combinations(pulses, 2)
        for p in pulses[a]
        for q in pulses[b]
        for shift in (-1, 0, 1)
    ]
    assert made.guard_usec == pytest.approx(float(min(gaps)))
    # Five lasers have 1575 us: 100 us of guard are always to be had, wherever exposures put the colors.
    assert made.guard_usec >= 100
