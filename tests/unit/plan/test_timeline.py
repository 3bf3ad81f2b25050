"""The timelines: what they draw must be what the plan says."""

import re
import xml.etree.ElementTree as ElementTree
from fractions import Fraction

import pytest

from genlock.plan import make_plan, timeline_svg, timeline_text
from genlock.plan.picture import lay_out
from genlock.rig import parse_rig

SVG = "{http://www.w3.org/2000/svg}"


def plan(count, capture="", extra=None, overlap='"all"', name="rig"):
    text = f'name = "{name}"\n[capture]\n{capture}\n[wiring]\ntopology = "daisy_chain"\nmaster = "1"\n'
    text += f"[plan]\noverlap = {overlap}\n"
    for i in range(1, count + 1):
        text += f'[[device]]\nserial = "{i}"\n{(extra or {}).get(i, "")}\n'
    return make_plan(parse_rig(text))


def shapes(svg, kind):
    root = ElementTree.fromstring(svg)
    return [node for node in root.iter() if node.get("class") == kind]


@pytest.mark.parametrize("count", [2, 3, 9, 10, 20])
@pytest.mark.parametrize("mode", ["NFOV_UNBINNED", "WFOV_UNBINNED"])
def test_the_tightest_gap_drawn_is_the_guard(count, mode):
    a_plan = plan(count, f'depth_mode = "{mode}"\ncamera_fps = 15')
    gap = lay_out(a_plan).gap
    assert gap is not None
    assert float(Fraction(gap.end - gap.start, 18)) == pytest.approx(a_plan.guard_usec)


def test_every_row_shows_nine_pulses_and_its_color_in_the_frame():
    svg = timeline_svg(plan(3))
    pulses = shapes(svg, "pulse")
    legend, frame_and_zoom = 1, 3 * 9 + 3
    assert len(pulses) == legend + frame_and_zoom
    assert len([node for node in shapes(svg, "color") if node.find(f"{SVG}title") is not None]) == 3


def test_pulses_are_drawn_to_scale():
    svg = timeline_svg(plan(2))
    notes = {
        node: node.find(f"{SVG}title").text for node in shapes(svg, "pulse") if node.find(f"{SVG}title") is not None
    }
    frame = [node for node, note in notes.items() if note.startswith("1 (master): pulse")][:9]
    starts = [float(re.search(r"from (-?[\d.]+)", notes[node])[1]) for node in frame]
    scale = {
        (float(b.get("x")) - float(a.get("x"))) / (t_b - t_a)
        for a, b, t_a, t_b in zip(frame, frame[1:], starts, starts[1:], strict=False)
    }
    # x has a tenth of a pixel: 0.1 px of about 100 px
    assert max(scale) - min(scale) < 0.002 * max(scale)


def test_collisions_are_red_and_told():
    pinned = "depth_delay_off_color_usec = 0"
    collision = plan(2, extra={1: pinned, 2: pinned})
    assert len(shapes(timeline_svg(collision), "bad")) == 1 + 2 * 9 + 2
    assert not [node for node in shapes(timeline_svg(collision), "pulse") if node.find(f"{SVG}title") is not None]
    assert "COLLISION" in timeline_text(collision) and "X" in timeline_text(collision)
    assert "overlap 125.0" in timeline_svg(collision)
    assert not shapes(timeline_svg(plan(2)), "bad")


def test_a_collision_of_others_leaves_a_row_as_it_is():
    pinned = "depth_delay_off_color_usec = 0"
    svg = timeline_svg(plan(3, extra={1: pinned, 2: pinned}, overlap='[["1", "2"]]'))
    assert len(shapes(svg, "bad")) == 1 + 2 * (9 + 1)
    assert len(shapes(svg, "pulse")) == 1 + 9 + 1


def test_devices_without_laser_or_color_have_rows_too():
    a_plan = plan(4, extra={2: 'depth_mode = "OFF"', 3: 'color_resolution = "OFF"', 4: 'exposure_usec = "auto"'})
    text = timeline_text(a_plan)
    assert "no laser" in text
    assert len(shapes(timeline_svg(a_plan), "auto")) == 1
    nobody = timeline_svg(plan(2, 'depth_mode = "OFF"'))
    assert "no two lasers see the same space" in nobody


def test_lasers_without_a_common_clock_are_not_said_to_be_apart():
    stray = make_plan(parse_rig("".join(f'[[device]]\nserial = "{serial}"\n' for serial in "12")))
    for drawn in (timeline_text(stray), timeline_svg(stray)):
        assert "no common clock" in drawn
        assert "no two lasers" not in drawn


def test_the_text_fits_a_terminal_and_names_the_guard():
    text = timeline_text(plan(10))
    assert max(map(len, text.splitlines())) <= 120
    assert "guard 30.6 us" in text


def test_a_rig_without_devices_draws_an_empty_picture():
    empty = make_plan(parse_rig(""))
    assert timeline_svg(empty).startswith("<svg")
    assert timeline_text(empty)


def test_names_are_escaped():
    svg = timeline_svg(plan(2, name="<b>&"))
    assert "<b>" not in svg
    ElementTree.fromstring(svg)
