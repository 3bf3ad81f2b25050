"""One device's recording of an epoch, cut into parts while it grows: no capture is lost or cut in two.

Every part carries the first part's start offset and its block times go on from there, so that Microsoft's playback,
which keeps a start offset in 32 bits, reads every part right, and genlock reads all of them as one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from genlock.capture import Capture, ImuSample
from genlock.recording.writer import RecordingSummary, RecordingWriter

__all__ = ["PartedWriter", "SplitRule", "parse_split_rule"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SplitRule:
    """When a part ends: after so much device time, or before it would grow past so many bytes; one of them is given."""

    usec: int | None = None
    size_bytes: int | None = None

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.usec, self.size_bytes) if limit is not None]
        if len(limits) != 1 or limits[0] <= 0:
            raise ValueError("a split rule has either a time or a size, above 0")


_UNITS = {
    "s": 1_000_000,
    "sec": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "kb": 1_000,
    "mb": 1_000_000,
    "gb": 1_000_000_000,
    "tb": 1_000_000_000_000,
}
_TIMES = ("s", "sec", "min", "h")
_MOST = 10**18
"""Microseconds or bytes; whatever is longer is a slip of the finger."""


def parse_split_rule(text: str) -> SplitRule:
    """``30min``, ``90s``, ``1.5h`` or ``4GB``, ``500MB``; a GB is 10^9 bytes.

    Raises:
        ValueError: it is none of these; says what is expected.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", text)
    unit = match.group(2).lower() if match else ""
    amount = round(Decimal(match.group(1)) * _UNITS[unit]) if match and unit in _UNITS else 0
    if not 0 < amount <= _MOST:
        raise ValueError(f"expected a time or a size such as 30min, 90s, 1.5h, 4GB or 500MB; found {text!r}")
    return SplitRule(usec=amount) if unit in _TIMES else SplitRule(size_bytes=amount)


class PartedWriter:
    """A ``RecordingWriter`` that goes on in a new file whenever its rule says so.

    Args:
        open_part: opens the file of a part, by its number from 1 and the start offset that it shall have.
        rule: when a part ends; ``None``: never.
    """

    def __init__(self, open_part: Callable[[int, int | None], RecordingWriter], rule: SplitRule | None) -> None:
        self._open_part = open_part
        self._rule = rule
        self._writer = open_part(1, None)
        self._number = 1
        self._first_usec: int | None = None
        self._summaries: list[RecordingSummary] = []

    @property
    def path(self) -> Path:
        """The file that grows now."""
        return self._writer.path

    @property
    def summaries(self) -> Sequence[RecordingSummary]:
        """What the parts that are closed hold, in order."""
        return self._summaries

    def write_capture(self, capture: Capture) -> None:
        """As ``RecordingWriter.write_capture``; begins a new part before it when that is due."""
        if self._rule is not None and capture.images:
            self._cut_when_due(capture)
        self._writer.write_capture(capture)

    def write_imu(self, samples: Sequence[ImuSample]) -> None:
        """As ``RecordingWriter.write_imu``."""
        self._writer.write_imu(samples)

    def close(self) -> None:
        """Closes the last part. Safe twice. Raises ``OSError``; the summaries are there all the same."""
        if len(self._summaries) == self._number:
            return
        try:
            self._writer.close()
        finally:
            self._summaries.append(self._writer.summary)

    def _cut_when_due(self, capture: Capture) -> None:
        usec = min(image.device_timestamp_usec for image in capture.images)
        if self._first_usec is None:
            self._first_usec = usec
            return
        if self._is_due(usec, sum(image.pixels.nbytes for image in capture.images)):
            self._cut(usec)

    def _is_due(self, usec: int, capture_bytes: int) -> bool:
        rule = self._rule
        if rule is None or self._first_usec is None:
            return False
        if rule.usec is not None:
            # By the clock that all devices share, so that their parts begin together.
            return usec // rule.usec > self._first_usec // rule.usec
        return self._writer.size_bytes + capture_bytes + _TAIL_BYTES > (rule.size_bytes or 0)

    def _cut(self, usec: int) -> None:
        former = self._writer
        try:
            following = self._open_part(self._number + 1, former.start_offset_usec)
        except OSError as error:  # rather one long part than a lost capture
            logger.warning("%s: no new part can be begun (%s); recording goes on in this one", former.path, error)
            self._first_usec = usec
            return
        self._writer, self._number, self._first_usec = following, self._number + 1, usec
        try:
            former.close()
        finally:
            self._summaries.append(former.summary)


_TAIL_BYTES = 200_000
"""Room for inertial samples that wait and for the cues of a part."""
