from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from genlock.testing.stamps import StampFaults, make_rig_stamps
from genlock.testing.takes import session_evidence
from genlock.verify import Cause, Certainty, Diagnosis, Report, report_html, verify_take

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Tags must nest, and what is seen of the page is collected."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str, css_class: str | None = None) -> list[dict[str, str | None]]:
        return [
            a for t, a in self.tags if t == tag and (css_class is None or css_class in (a.get("class") or "").split())
        ]


def report_of(
    captures: int = 200, faults: dict[int, StampFaults] | None = None, *, is_simulated: bool = False
) -> Report:
    return verify_take(session_evidence(make_rig_stamps(3, captures, faults), is_simulated=is_simulated))


def test_the_page_is_one_file_that_loads_nothing() -> None:
    page = Page(report_html(report_of()))
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    for _, attributes in page.tags:
        assert not {"src", "href", "srcset"} & set(attributes)
    assert "url(" not in report_html(report_of())
    assert "@import" not in report_html(report_of())


def test_the_verdict_comes_first_and_says_why() -> None:
    report = report_of(faults={1: StampFaults(shift_usec=2000)})
    page = Page(report_html(report))
    text = " ".join(page.text.split())
    assert text.index("FAIL") < text.index("What was found") < text.index("Offset of every device over time")
    assert "2000 us late" in text
    assert page.all("body")[0]["class"] == "fail"
    assert "verify.constant_offset" in text
    assert report.findings[0].remedy in text


def test_a_simulated_take_says_so_at_the_top_and_in_the_title() -> None:
    simulated, real = (" ".join(Page(report_html(report_of(is_simulated=s))).text.split()) for s in (True, False))
    assert simulated.count("SIMULATED") >= 3
    assert simulated.index("SIMULATED") < simulated.index("GOOD", 20)
    assert "SIMULATED" not in real


def test_every_device_has_a_lane_with_its_errors_and_its_losses() -> None:
    page = Page(report_html(report_of(faults={2: StampFaults(lost=frozenset({100, 101}), lost_depth=frozenset({60}))})))
    lanes = page.all("svg", "lane")
    assert len(lanes) == 3
    assert all(lane["role"] == "img" and lane["aria-label"] for lane in lanes)
    # The reference's color is what all others are measured against, so it has no strip of its own.
    assert [len(page.all("path", kind)) for kind in ("color", "depth")] == [2 * 2, 3 * 2]
    missing = [path["d"] or "" for path in page.all("path", "missing")]
    assert [d.count("M") for d in missing] == [0, 0, 2]
    partial = [path["d"] or "" for path in page.all("path", "partial")]
    assert [d.count("M") for d in partial] == [0, 0, 1]
    # Paper has no colors: where an image of two is missing the mark is half as long.
    lengths = [
        [float(bottom) - float(top) for top, bottom in re.findall(r"M[\d.]+,([\d.]+)V([\d.]+)", d)]
        for d in (missing[2], partial[2])
    ]
    assert min(lengths[0]) == 2 * max(lengths[1]) > 0


def test_the_largest_error_is_drawn_however_long_the_take() -> None:
    streams = make_rig_stamps(2, 5000, {n: StampFaults(jitter_ticks=0) for n in range(2)})
    color_usec = streams[1].color_usec.copy()
    color_usec[4321] += 90
    evidence = session_evidence((streams[0], replace(streams[1], color_usec=color_usec)))
    page = Page(report_html(verify_take(evidence)))
    (strip,) = [path["d"] or "" for path in page.all("path", "color") if "histogram" not in (path["class"] or "")]
    tops = [float(y) for y in re.findall(r"M[\d.]+,([\d.]+)V", strip)]
    assert len(tops) <= 601
    assert sorted(np.round(np.array(tops) - min(tops), 1))[0] == 0
    assert sum(top == min(tops) for top in tops) == 1  # one column sticks out


def test_ten_devices_and_ten_minutes_stay_far_below_two_megabytes() -> None:
    faults = {number: StampFaults(lost_ratio=0.05, jitter_ticks=6) for number in range(10)}
    report = verify_take(session_evidence(make_rig_stamps(10, 18_000, faults)))
    assert len(report_html(report).encode()) < 1_000_000


def test_the_pages_size_does_not_grow_with_the_take() -> None:
    short, long = (len(report_html(report_of(captures))) for captures in (3000, 12_000))
    assert long < 1.1 * short


def test_names_are_text_and_never_markup() -> None:
    streams = make_rig_stamps(2, 100)
    evidence = session_evidence(streams)
    evil = "<script>alert(1)</script>\"'"
    devices = (evidence.devices[0], replace(evidence.devices[1], serial=evil, source=evil))
    html = report_html(verify_take(replace(evidence, devices=devices, name=evil, starts=None)))
    assert not Page(html).all("script")
    assert evil in Page(html).text


@pytest.mark.parametrize("captures", [0, 1, 2, 15, 39])
def test_takes_too_short_to_judge_still_make_a_page(captures: int) -> None:
    report = report_of(captures)
    assert report.verdict.value in ("not_judged", "fail")
    Page(report_html(report))


def test_one_file_makes_a_page() -> None:
    streams = make_rig_stamps(1, 100)
    page = Page(report_html(verify_take(session_evidence(streams))))
    assert "NOT JUDGED" in page.text
    assert len(page.all("svg", "lane")) == 1


def test_a_good_verdict_with_trouble_beside_it_says_so_at_the_top() -> None:
    report = report_of()
    assert "But " not in report_html(report)
    covered = Diagnosis(Cause.LENS_COVERED, Certainty.LIKELY, "device 2", "device 2 saw nothing", ("seen",), "look")
    html = report_html(replace(report, diagnoses=(covered,)))
    assert html.index("But device 2 saw nothing.") < html.index("<dl")


def test_the_lasers_are_drawn_where_they_fired_beside_where_they_were_meant_to() -> None:
    page = Page(report_html(report_of()))
    (picture,) = page.all("svg", "lasers")
    assert "3 lasers" in (picture["aria-label"] or "")
    planned, measured = page.all("rect", "planned"), page.all("rect", "measured")
    assert len(planned) >= 3 and len(measured) >= 3
    moved = Page(report_html(report_of(faults={1: StampFaults(shift_usec=200)})))
    # 200 us late: its measured pulse lies so much to the right of its outline, on the picture's scale.
    serial_row = sorted({rect["y"] for rect in moved.all("rect", "planned")}, key=lambda y: float(y or 0))[1]
    outline = min(float(r["x"] or 0) for r in moved.all("rect", "planned") if r["y"] == serial_row)
    bars = [float(r["x"] or 0) for r in moved.all("rect", "measured") if r["y"] == serial_row]
    width = next(float(r["width"] or 0) for r in moved.all("rect", "planned") if r["y"] == serial_row)
    assert any(abs(bar - outline - width * 200 / 125) < width / 8 for bar in bars)
