"""Whether lasers were kept apart is read from stamps and modes."""

from dataclasses import replace

import numpy as np
import pytest

from genlock.findings import Severity
from genlock.k4a import PULSE_TRAINS, DepthMode
from genlock.plan import Plan, make_plan
from genlock.rig import Overlap, parse_rig
from genlock.testing.rigs import rig_toml
from genlock.testing.stamps import StampStream, make_rig_stamps
from genlock.testing.takes import session_evidence
from genlock.verify import Report, pulse_gap_usec, verify_take

SHORT, LONG = PULSE_TRAINS[DepthMode.NFOV_UNBINNED], PULSE_TRAINS[DepthMode.WFOV_UNBINNED]
PERIOD_USEC = 1e6 / 30


@pytest.mark.parametrize(
    ("apart_usec", "gap_usec"),
    [
        (0, -125),
        (125, 0),
        (160, 35),
        (1575, -125),  # one step later pulse meets pulse again
        (1575 - 160, 35),
        (-160, 35),
        # Past the whole train: 8 steps of 1575 us until the last pulse, 125 us, then 5275 us.
        (18_000, PERIOD_USEC - 18_000 - 12_600 - 125),
    ],
)
def test_the_gap_between_two_trains_counts_steps_and_frames(apart_usec: float, gap_usec: float):
    assert SHORT is not None
    assert pulse_gap_usec(SHORT, SHORT, PERIOD_USEC, apart_usec) == pytest.approx(gap_usec)


def test_trains_of_different_modes_meet_somewhere():
    assert SHORT is not None and LONG is not None
    assert pulse_gap_usec(SHORT, LONG, 1e6 / 15, 0) < 0
    assert pulse_gap_usec(SHORT, LONG, 1e6 / 15, 30_000) > 0


def plan_of(streams: tuple[StampStream, ...], overlap: Overlap = "all") -> Plan:
    plan = make_plan(parse_rig(rig_toml(len(streams))))
    devices = tuple(replace(d, config=s.config) for d, s in zip(plan.devices, streams, strict=True))
    return replace(plan, devices=devices, overlap=overlap)


def report_of(streams: tuple[StampStream, ...], overlap: Overlap = "all") -> Report:
    return verify_take(replace(session_evidence(streams), plan=plan_of(streams, overlap)))


def test_the_measured_guard_is_the_configured_one_less_jitter():
    """160 us are 14 ticks, 155.6 us, less 125 us of pulse; a tick of jitter on each of two stamps."""
    report = report_of(make_rig_stamps(2, 100))
    (pair,) = report.lasers
    assert pair.configured_gap_usec == pytest.approx(155.6 - 125, abs=0.1)
    assert pair.gap_usec == pytest.approx(155.6 - 125 - 22.2, abs=0.2)
    assert (pair.collisions, report.measured_guard_usec) == (0, pair.gap_usec)


def test_only_pairs_that_see_the_same_space_are_measured():
    streams = make_rig_stamps(3, 100)
    first, _, third = (stream.serial for stream in streams)
    assert len(report_of(streams).lasers) == 3
    assert [(p.first, p.second) for p in report_of(streams, ((first, third),)).lasers] == [(first, third)]
    assert report_of(streams, "none").lasers == ()
    assert verify_take(session_evidence(streams)).lasers == ()  # nobody says who sees the same space


def test_lasers_that_met_for_a_while_are_told_with_the_time():
    streams = list(make_rig_stamps(2, 200))
    depth_usec = streams[1].depth_usec.copy()
    depth_usec[100:130] -= 156  # where the master's depth is
    streams[1] = replace(streams[1], depth_usec=depth_usec)
    report = report_of(tuple(streams))
    (met,) = [f for f in report.findings if f.code == "verify.lasers_met"]
    assert met.severity is Severity.WARNING
    assert report.lasers[0].collisions == 30
    assert f"{streams[1].color_usec[100] / 1e6:.3f} s"[:4] in met.message
    assert np.isfinite(report.lasers[0].gap_usec)
