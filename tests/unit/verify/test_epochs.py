"""A take of several epochs is as good as the worst of them that can be judged."""

import pytest

from genlock.testing.stamps import StampFaults, make_rig_stamps
from genlock.testing.takes import session_evidence
from genlock.verify import Report, Verdict, combine_epochs, report_html, verify_take


def epoch(captures: int = 120, **faults: StampFaults) -> Report:
    streams = make_rig_stamps(2, captures, {int(name[1:]): fault for name, fault in faults.items()})
    return verify_take(session_evidence(streams))


GOOD, BAD, SHORT = epoch(), epoch(d1=StampFaults(shift_usec=2000)), epoch(captures=20)


def test_one_epoch_is_the_take():
    assert combine_epochs("take", {1: GOOD}) is GOOD


@pytest.mark.parametrize(
    ("epochs", "verdict", "judged_by"),
    [
        ({1: GOOD, 2: BAD}, Verdict.FAIL, 2),
        ({1: BAD, 2: GOOD}, Verdict.FAIL, 1),
        ({1: GOOD, 2: SHORT}, Verdict.GOOD, 1),
        ({1: SHORT, 2: SHORT}, Verdict.NOT_JUDGED, 1),
    ],
)
def test_the_worst_judged_epoch_decides(epochs: dict[int, Report], verdict: Verdict, judged_by: int):
    report = combine_epochs("take", epochs)
    assert report.verdict is verdict
    assert report.reason.startswith(f"epoch {judged_by} of 2")
    assert [(e.number, e.verdict) for e in report.epochs] == [(n, r.verdict) for n, r in epochs.items()]


def test_what_was_found_in_any_epoch_is_told_with_its_number():
    report = combine_epochs("take", {1: GOOD, 2: BAD})
    places = {finding.code: finding.where for finding in report.findings}
    assert places["verify.constant_offset"].startswith("epoch 2, ")
    assert "verify.epochs" in places
    assert report.diagnoses[0].where.startswith("epoch 2, ")


def test_text_and_page_show_every_epoch():
    report = combine_epochs("take", {1: GOOD, 2: BAD})
    assert "epoch 1" in report.to_text()
    assert "Epochs" in report_html(report)
