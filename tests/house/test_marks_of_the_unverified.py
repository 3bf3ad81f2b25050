"""Whatever the code says to be unverified on hardware, the acceptance run tries or names the reason why it cannot."""

from pathlib import Path

from genlock.workflows.selftest import CLAIMS, EXPERIMENTS, MARKS, NotHere

SOURCE = Path(__file__).parents[2] / "src" / "genlock"
MARK = "unverified on hardware"
# The run itself, and whoever only speaks about marks.
SPEAKERS = ("workflows/selftest/", "cli/selftest.py")


def marks_in(source: str) -> int:
    return source.lower().count(MARK)


def marked() -> dict[str, int]:
    counts = {
        path.relative_to(SOURCE).as_posix(): marks_in(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")
    }
    return {name: count for name, count in counts.items() if count and not name.startswith(SPEAKERS)}


def test_every_mark_in_the_source_is_covered_or_excused():
    listed = {name: len(entries) for name, entries in MARKS.items()}
    assert listed == marked(), "list the mark in MARKS, workflows/selftest/claims.py: its claims, or why it has none"


def test_every_mark_leads_to_claims_that_exist_or_to_a_reason():
    for name, entries in MARKS.items():
        for entry in entries:
            if isinstance(entry, NotHere):
                assert entry.reason, name
            else:
                assert entry, name
                assert set(entry) <= set(CLAIMS), name


def test_every_claim_is_tried_by_exactly_one_experiment():
    tried = [claim for experiment in EXPERIMENTS for claim in experiment.claims]
    assert sorted(tried) == sorted(CLAIMS)


def test_this_check_can_fail():
    assert marks_in("# Unverified on hardware: that water is wet\nx = 1  # unverified on hardware") == 2
