"""Where a recording's images come from: cameras, or a virtual rig.

A recorder of ours says so in a tag. One that others wrote, run on the virtual rig, knows nothing of it: there the
calibration tells, whose notes every simulated device carries (``genlock.devices.sim.factory``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["comes_from_virtual_rig"]


def comes_from_virtual_rig(tags: Mapping[str, str], calibration: bytes | None) -> bool:
    """Whether a recording with these tags and this raw calibration was simulated."""
    return tags.get("GENLOCK_BACKEND") == "sim" or (calibration is not None and _notes_say_so(calibration))


def _notes_say_so(calibration: bytes) -> bool:
    try:
        notes = json.loads(calibration.rstrip(b"\0"))["CalibrationInformation"]["Metadata"]["Notes"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(notes, str) and "simulated" in notes.lower()
