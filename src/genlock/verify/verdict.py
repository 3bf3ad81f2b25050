"""The verdict's rule, in one place.

Two tolerances stand side by side, because Microsoft's own code has both: 100 us in the sample that pairs captures
(``examples/green_screen``), and 110 / 220 / 660 us at 30 / 15 / 5 fps, a third of a percent of the period, in the test
that accepts devices (``tests/multidevice``, with at least 90 % of the captures in step).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from genlock.k4a import CameraFps

__all__ = [
    "GOOD_COMPLETE_RATIO",
    "GOOD_USEC",
    "MIN_JUDGED_SETS",
    "PASS_COMPLETE_RATIO",
    "PASS_USEC",
    "SetCounts",
    "Verdict",
    "judge",
]

GOOD_USEC = 100
PASS_USEC = {CameraFps.FPS_30: 110, CameraFps.FPS_15: 220, CameraFps.FPS_5: 660}
GOOD_COMPLETE_RATIO = 0.99
PASS_COMPLETE_RATIO = 0.90

MIN_JUDGED_SETS = 30
"""Fewer sets prove nothing about a take."""


class Verdict(StrEnum):
    """Whether a take was synchronized."""

    GOOD = "good"
    """Every offset within 100 us, at least 99 % of the sets complete."""
    PASS = "pass"
    """Every offset within Microsoft's acceptance test, at least 90 % of the sets complete."""
    FAIL = "fail"
    NOT_JUDGED = "not_judged"
    """The evidence is too thin, or of the wrong kind."""


@dataclass(frozen=True, slots=True)
class SetCounts:
    """How many capture sets a take should have, and has."""

    expected: int
    """Moments inside the judged span."""
    settling: int
    """The first of them, which are left out."""
    judged: int
    complete: int
    """Judged sets in which every device has every image that its modes promise."""

    @property
    def complete_ratio(self) -> float | None:
        """``complete`` of ``judged``; ``None`` when nothing is judged."""
        return self.complete / self.judged if self.judged else None

    @property
    def complete_text(self) -> str:
        """The ratio as a percentage for people, rounded down: what is not quite 99 % must not read as 99.0 %."""
        return f"{1000 * self.complete // self.judged / 10:.1f} %" if self.judged else "-"

    def to_json(self) -> dict[str, float | int | None]:
        """The counts and the ratio."""
        ratio = self.complete_ratio
        return {
            "expected": self.expected,
            "settling": self.settling,
            "judged": self.judged,
            "complete": self.complete,
            "complete_ratio": None if ratio is None else round(ratio, 6),
        }


def judge(sets: SetCounts, max_error_usec: float | None, fps: CameraFps) -> Verdict:
    """The verdict that the numbers alone give.

    Args:
        sets: of the whole rig.
        max_error_usec: the largest absolute offset error of any image in the judged sets; ``None`` when no two images
            could be compared.
        fps: the rig's frame rate.
    """
    ratio = sets.complete_ratio
    if ratio is None or sets.judged < MIN_JUDGED_SETS:
        return Verdict.NOT_JUDGED
    if max_error_usec is None:
        return Verdict.FAIL
    if max_error_usec <= GOOD_USEC and ratio >= GOOD_COMPLETE_RATIO:
        return Verdict.GOOD
    if max_error_usec <= PASS_USEC[fps] and ratio >= PASS_COMPLETE_RATIO:
        return Verdict.PASS
    return Verdict.FAIL
