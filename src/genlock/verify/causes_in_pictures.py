"""Rules for what pictures show: it is its own cause."""

from __future__ import annotations

from collections.abc import Iterator

from genlock.verify.case import Case, Cause, Certainty, Diagnosis

__all__ = ["seen"]

_SEEN = (
    ("verify.lens_covered", Cause.LENS_COVERED, "saw nothing: its lenses were covered"),
    ("verify.camera_moved", Cause.CAMERA_BUMPED, "was moved while it recorded"),
    ("verify.dark_pictures", Cause.DARK_EXPOSURE, "got too little light into its color images"),
)


def seen(case: Case) -> Iterator[Diagnosis]:
    """Covered lenses, moved cameras, dark images."""
    for code, cause, what in _SEEN:
        for finding in case.named(code):
            summary = f"{finding.where} {what}"
            yield Diagnosis(cause, Certainty.LIKELY, finding.where, summary, (finding.message,), finding.remedy)
