"""From symptoms to causes: every rule of the table looks at the case, and the surest answers come first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from genlock.verify import causes_in_pictures, causes_of_losses, causes_of_sync
from genlock.verify.case import Case, Cause, Certainty, Diagnosis

__all__ = ["RULES", "Case", "Cause", "Certainty", "Diagnosis", "diagnose"]

Rule = Callable[[Case], Iterator[Diagnosis]]

RULES: tuple[Rule, ...] = (
    causes_of_sync.two_masters,
    causes_of_sync.not_wired,
    causes_of_sync.refused,
    causes_of_sync.no_pulse,
    causes_of_sync.started_late,
    causes_of_sync.trigger_rate,
    causes_of_sync.cable_pulled,
    causes_of_sync.free_clock,
    causes_of_losses.ended_early,
    causes_of_losses.trigger_gaps,
    causes_of_losses.usb_starvation,
    causes_of_losses.drops,
    causes_of_sync.delays,
    causes_of_sync.exposures,
    causes_of_sync.firmware,
    causes_of_sync.shared_slot,
    causes_in_pictures.seen,
)
"""In the order in which they are told among equally sure ones."""

_RANK = {Certainty.SURE: 0, Certainty.LIKELY: 1, Certainty.POSSIBLE: 2}


def diagnose(case: Case) -> tuple[Diagnosis, ...]:
    """What most likely happened, the surest first; empty when nothing did."""
    found = [diagnosis for rule in RULES for diagnosis in rule(case)]
    return tuple(sorted(found, key=lambda diagnosis: _RANK[diagnosis.certainty]))
