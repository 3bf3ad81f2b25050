"""A run goes through its phases in order and may stop from anywhere."""

from itertools import pairwise

import pytest

from genlock.session.phases import Phase, check_move

ORDER = [Phase.NEW, Phase.OPEN, Phase.ARMED, Phase.RUNNING, Phase.STOPPING, Phase.CLOSED]


def test_the_phases_follow_each_other():
    for current, wanted in pairwise(ORDER):
        check_move(current, wanted)


@pytest.mark.parametrize("current", ORDER[:4])
def test_every_phase_before_stopping_may_stop(current: Phase):
    check_move(current, Phase.STOPPING)


@pytest.mark.parametrize(
    ("current", "wanted"),
    [
        (Phase.NEW, Phase.RUNNING),
        (Phase.OPEN, Phase.RUNNING),
        (Phase.CLOSED, Phase.OPEN),
        (Phase.STOPPING, Phase.RUNNING),
    ],
)
def test_no_phase_is_skipped_or_gone_back_to(current: Phase, wanted: Phase):
    with pytest.raises(RuntimeError, match=f"{current.value} cannot become {wanted.value}"):
        check_move(current, wanted)
