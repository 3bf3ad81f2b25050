"""Light of others: kept clear of where that costs the lasers nothing, judged, drawn."""

import xml.etree.ElementTree as ElementTree
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.k4a import PULSE_TRAINS, DepthMode
from genlock.plan import PlannedEmitter, make_plan, plan_from_json, timeline_svg, timeline_text
from genlock.plan.delays import usec_request
from genlock.plan.emitters import clearances_grains, strobe_of
from genlock.rig import Rig

FRAME = Fraction(100_000, 3)  # us at 30 fps


def plan(count, *emitters, topology="daisy_chain", capture=None, devices=None, **settings):
    tables = [{"serial": str(i), **(devices or {}).get(i, {})} for i in range(1, count + 1)]
    wiring = {"topology": topology, **({"master": "1"} if topology == "daisy_chain" else {})}
    capture = {"white_balance_k": 4500, **(capture or {})}
    tables = {"device": tables, "wiring": wiring, "plan": settings, "capture": capture, "emitter": list(emitters)}
    return make_plan(Rig.model_validate(tables))


def strobe(phase_usec=0.0, period_usec=8333.3, pulse_usec=300.0, **more):
    return {"name": "mocap", "period_usec": period_usec, "pulse_usec": pulse_usec, "phase_usec": phase_usec, **more}


def codes(made):
    return [f"{f.severity} {f.code}" for f in made.findings]


def smallest_gap_usec(made, emitter):
    """By exact fractions, every pulse of every laser against every flash, over three frames."""
    flashes = round(FRAME / Fraction(emitter["period_usec"])) or 1
    starts = [Fraction(emitter["phase_usec"]) + k * FRAME / flashes for k in range(-flashes, 2 * flashes)]
    gaps = []
    for device in made.devices:
        center = Fraction(device.depth_delay_off_master_color_ticks * 100, 9)
        for k in range(9):
            begin = center - Fraction(12725, 2) + k * 1575
            gaps += [max(start - begin - 125, begin - start - Fraction(emitter["pulse_usec"])) for start in starts]
    return float(min(gaps))


@given(
    st.integers(1, 4),
    st.floats(-20_000, 20_000),
    st.sampled_from([33333.3, 16666.7, 8333.3, 4166.7]),
    st.floats(1, 400),
)
@settings(max_examples=60, deadline=None)
def test_lasers_keep_the_wanted_guard_from_a_strobe_that_leaves_room(count, phase_usec, period_usec, pulse_usec):
    emitter = strobe(phase_usec, period_usec, pulse_usec)
    made = plan(count, emitter)
    assert made.guard_usec is None or made.guard_usec >= 100
    # The strobe flashes at most every 4166.7 us, the lasers every 1575: their phases differ by multiples of 8.3 us at
    # least, and what a strobe takes of a step, 8 x (400 + 125 + 200) us at most, is for the checker to weigh.
    gap_usec = smallest_gap_usec(made, emitter)
    judged = [code for code in codes(made) if "emitter" in code]
    # A grain is 1/18 us: start and width of a strobe are rounded to it.
    if gap_usec > 100.2:
        assert judged == []
    elif 35.2 < gap_usec < 99.8:
        assert judged == ["info plan.emitter_near_laser"]
    elif 0.2 < gap_usec < 34.8:
        assert judged == ["warning plan.emitter_near_laser"]
    elif gap_usec < -0.2:
        assert judged == ["warning plan.emitter_meets_laser"]


@given(st.floats(-1000, 1000), st.sampled_from([16666.7, 2777.8, 1190.476, 1000.0]), st.floats(1, 600))
@settings(max_examples=15, deadline=None)
def test_one_laser_takes_the_nearest_tick_that_is_as_clear_as_any(phase_usec, period_usec, pulse_usec):
    """By trying every tick: the wanted guard, else Microsoft's 35 us, else no touching, else its color's own time."""
    emitter = strobe(phase_usec, period_usec, pulse_usec)
    pins = {
        ticks: plan(1, emitter, devices={1: {"depth_delay_off_color_usec": usec_request(ticks)}})
        for ticks in range(-40, 41)
    }
    gaps = {ticks: smallest_gap_usec(made, emitter) for ticks, made in pins.items()}
    rungs = [100, 35, 0]
    if any(abs(gap - rung) < 0.2 for gap in gaps.values() for rung in rungs):
        return  # the planner rounds a strobe to grains: on the edge of a rung either side is right
    rung = next((rung for rung in rungs if max(gaps.values()) >= rung), None)
    best = min((abs(t) for t in gaps if rung is None or gaps[t] >= rung), default=0)
    (device,) = plan(1, emitter, max_rgbd_skew_usec=445).devices  # 40 ticks
    assert abs(device.config.depth_delay_off_color_ticks) == best


@given(
    st.integers(1, 9),
    st.floats(-1e5, 1e5),
    st.floats(1, 5000),
    st.integers(-3000, 3000),
    st.sampled_from([DepthMode.NFOV_UNBINNED, DepthMode.WFOV_UNBINNED]),
)
@settings(max_examples=200, deadline=None)
def test_a_clearance_is_what_an_independent_count_gives(flashes, phase_usec, pulse_usec, ticks, mode):
    frame = Fraction(200_000, 3)  # 15 fps
    emitter = PlannedEmitter(
        name="x", period_usec=float(frame / flashes), pulse_usec=pulse_usec, phase_usec=phase_usec, seen_by=()
    )
    found = strobe_of(emitter, 1_200_000)
    if pulse_usec >= emitter.period_usec:
        assert found is None
        return
    assert found is not None and found.flashes == flashes
    train = PULSE_TRAINS[mode]
    assert train is not None
    center = Fraction(ticks * 100, 9)
    gaps = []
    for k in range(9):
        begin = center - Fraction(train.duration_usec, 2) + k * train.step_usec
        for flash in range(flashes):
            after = (Fraction(phase_usec) + flash * frame / flashes - begin) % frame
            gaps += [after - 125, frame - after - Fraction(pulse_usec)]
    measured = clearances_grains(train, np.array([ticks * 200]), found, 1_200_000)[0]
    # The start is rounded to a grain, the width up to one, the gap down to one.
    assert -2.5 <= measured - min(gaps) * 18 <= 0.5


def test_a_strobe_on_the_color_moves_depth_away_from_it():
    assert plan(1, topology="standalone").device("1").config.depth_delay_off_color_usec == 0
    made = plan(2, strobe(-150), overlap="none")
    assert codes(made) == []
    assert smallest_gap_usec(made, strobe(-150)) >= 100
    assert smallest_gap_usec(plan(2, overlap="none"), strobe(-150)) < 0  # without knowing of it, they would meet


def test_lasers_never_give_up_their_own_guard_for_a_strobe():
    alone = plan(9)
    made = plan(9, strobe())
    assert made.guard_usec == alone.guard_usec
    assert any("emitter" in code for code in codes(made))


def test_one_whose_light_reaches_nobody_changes_nothing():
    assert plan(3, strobe(seen_by=[])).configs == plan(3).configs
    reached = plan(3, strobe(seen_by=["2"]))
    assert reached.emitters[0].seen_by == ("2",)


@pytest.mark.parametrize(
    ("emitter", "expected"),
    [
        ({"name": "a", "period_usec": 1600, "pulse_usec": 125}, ["warning plan.emitter_free_running"]),
        (strobe(period_usec=8000), ["warning plan.emitter_not_locked"]),
        (strobe(period_usec=33333), []),
        (strobe(period_usec=66667), []),  # every second frame
        (strobe(period_usec=300, pulse_usec=200), ["warning plan.emitter_not_locked"]),
        (strobe(period_usec=333.333, pulse_usec=200), ["warning plan.emitter_meets_laser"]),
        (strobe(pulse_usec=9000), ["error plan.emitter_always_on"]),
        (strobe(seen_by=["1", "7"]), ["error plan.emitter_unknown_serial"]),
    ],
)
def test_an_emitter_is_judged(emitter, expected):
    assert codes(plan(2, emitter)) == expected


def test_two_of_one_name_are_told():
    assert "warning plan.emitter_twice" in codes(plan(2, strobe(), strobe()))


def test_without_a_common_clock_every_light_runs_free():
    assert codes(plan(1, strobe(), topology="standalone")) == ["warning plan.emitter_free_running"]


def test_the_share_of_pulses_that_meet_is_told():
    made = plan(2, {"name": "a", "period_usec": 1000, "pulse_usec": 125})
    # 125 + 125 of 1000 us
    assert "25.0%" in made.findings[0].message


def test_pinned_delays_are_judged_not_moved():
    pin = {1: {"depth_delay_off_color_usec": 0}, 2: {"depth_delay_off_color_usec": 300}}
    made = plan(2, strobe(-150), devices=pin)
    assert [d.config.depth_delay_off_color_usec for d in made.devices] == [0, 300]
    assert "warning plan.emitter_meets_laser" in codes(made)


def test_a_light_has_a_row_in_the_timelines():
    made = plan(2, strobe(-6000), {"name": "<free>", "period_usec": 1600, "pulse_usec": 125})
    text = timeline_text(made)
    assert "locked" in text and "runs free" in text
    svg = ElementTree.fromstring(timeline_svg(made))
    kinds = [node.get("class") for node in svg.iter()]
    assert "light" in kinds and "free" in kinds
    assert plan_from_json(made.to_json()) == made


def test_a_light_that_meets_a_laser_is_red():
    pin = {1: {"depth_delay_off_color_usec": 0}}
    svg = timeline_svg(plan(1, strobe(-150), topology="external_trigger", devices=pin))
    red = [node for node in ElementTree.fromstring(svg).iter() if node.get("class") == "bad"]
    assert red
