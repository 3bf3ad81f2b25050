from __future__ import annotations

import pytest

from genlock.k4a import CameraFps
from genlock.verify import SetCounts, Verdict
from genlock.verify.verdict import judge


@pytest.mark.parametrize(
    ("fps", "max_error_usec", "complete", "verdict"),
    [
        (30, 0, 1000, Verdict.GOOD),
        (30, 100.0, 990, Verdict.GOOD),
        (30, 100.0, 989, Verdict.PASS),
        (30, 100.1, 1000, Verdict.PASS),
        (30, 110.0, 900, Verdict.PASS),
        (30, 110.1, 1000, Verdict.FAIL),
        (30, 0, 899, Verdict.FAIL),
        (15, 220.0, 900, Verdict.PASS),
        (15, 220.1, 1000, Verdict.FAIL),
        (5, 660.0, 900, Verdict.PASS),
        (5, 660.1, 1000, Verdict.FAIL),
        (5, 100.0, 1000, Verdict.GOOD),
        (30, None, 0, Verdict.FAIL),
    ],
)
def test_both_tolerances_are_inclusive(fps: int, max_error_usec: float | None, complete: int, verdict: Verdict) -> None:
    sets = SetCounts(expected=1010, settling=10, judged=1000, complete=complete)
    assert judge(sets, max_error_usec, CameraFps(fps)) is verdict


@pytest.mark.parametrize(("judged", "verdict"), [(0, Verdict.NOT_JUDGED), (29, Verdict.NOT_JUDGED), (30, Verdict.GOOD)])
def test_fewer_than_thirty_sets_are_not_judged(judged: int, verdict: Verdict) -> None:
    assert judge(SetCounts(judged + 10, 10, judged, judged), 0.0, CameraFps.FPS_30) is verdict


def test_a_share_just_below_the_limit_never_reads_as_the_limit() -> None:
    assert SetCounts(600, 10, 590, 584).complete_text == "98.9 %"
    assert SetCounts(110, 10, 100, 99).complete_text == "99.0 %"
    assert SetCounts(10, 10, 0, 0).complete_text == "-"
