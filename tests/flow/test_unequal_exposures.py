"""What the plan does about unequal exposures, seen by the virtual rig: the centres of all colors meet."""

from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.plan import make_plan
from genlock.rig import parse_rig
from genlock.session import Session
from genlock.testing.rigs import rig_toml
from genlock.verify import Verdict
from genlock.workflows.record import record_take
from genlock.workflows.verify import verify_session


def color_offsets_usec(second_device: dict[str, object]) -> list[int]:
    """The second device's color after the master's, by their stamps."""
    text = rig_toml(2, per_device={"000000000002": second_device})
    rig = parse_rig(text)
    plan = make_plan(rig)
    with open_backend("sim", rig) as backend, Session(plan, backend, duration_sec=0.5) as session:
        pairs = [[capture.color.device_timestamp_usec for _, capture in sorted(s.captures.items())] for s in session]
    # The first captures settle (SDK issue #396).
    return [stamps[1] - stamps[0] for stamps in pairs[8:] if len(stamps) == 2]


def test_a_longer_subordinate_is_brought_to_the_masters_centre():
    offsets = color_offsets_usec({"exposure_usec": 16670})
    # The delay is whole ticks, half of one off at most; stamps are off by up to 55 us in healthy rigs.
    assert offsets and max(map(abs, offsets)) <= 6 + 55


def test_without_the_delay_it_would_lie_half_of_the_difference_before():
    offsets = color_offsets_usec({"exposure_usec": 16670, "subordinate_delay_off_master_usec": 0})
    assert offsets and all(offset == pytest.approx(-(16670 - 8330) / 2, abs=61) for offset in offsets)


def test_a_take_of_unequal_exposures_is_judged_by_its_centres(tmp_path: Path):
    text = rig_toml(2, per_device={"000000000002": {"exposure_usec": 16670}})
    rig = parse_rig(text)
    with open_backend("sim", rig) as backend:
        record_take(make_plan(rig), backend, tmp_path / "take", rig_toml=text, seconds=1.6)
    report = verify_session(tmp_path / "take")
    assert report.verdict is Verdict.GOOD, report.reason
