"""Where to cut takes: at moments that fall between the captures of all devices alike. And how parts go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genlock.errors import RecordingError
from genlock.recording.layout import TrackName
from genlock.recording.parts import SplitRule
from genlock.recording.reader import RecordingReader
from genlock.recording.rewrite import Span, capture_usec

__all__ = ["Parts", "moments", "parts_in_order", "snapped", "split_spans"]

Parts = Sequence[RecordingReader]  # one device's open files of one epoch, in order

_HEADER_BYTES = 64_000
"""Header, calibration, cues and what clusters cost: kept free in a part of a given size, besides one per cent."""


def moments(parts: Parts) -> NDArray[np.int64]:
    """(N,) the moments of a device's captures on the master's color time, in order."""
    times = [capture_usec(reader) for reader in parts]
    return np.sort(np.concatenate(times)) if times else np.empty(0, np.int64)


def parts_in_order(parts: Parts) -> list[RecordingReader]:
    """Files of one device as the parts of one recording, by what they hold; those without captures by their samples.

    Raises:
        RecordingError: they are of different recordings, or two hold captures of the same time.
    """
    first = parts[0]
    for reader in parts:
        if (reader.serial, reader.start_offset_usec) != (first.serial, first.start_offset_usec):
            raise RecordingError(
                reader.path, f"is no part of the same recording as {first.path}: serial or start offset differ."
            )
    timed = sorted(((moments([reader]), reader) for reader in parts), key=lambda part: _begin_usec(*part))
    with_captures = [(usec, reader) for usec, reader in timed if len(usec)]
    for (former_usec, former), (latter_usec, latter) in pairwise(with_captures):
        if latter_usec[0] <= former_usec[-1]:
            raise RecordingError(latter.path, f"holds captures of the same time as {former.path}: name each part once.")
    return [reader for _, reader in timed]


def _begin_usec(capture_usec: NDArray[np.int64], reader: RecordingReader) -> int:
    times = capture_usec if len(capture_usec) else reader.image_usec(TrackName.IMU)
    return int(times[0]) if len(times) else reader.start_offset_usec


def snapped(usec: int, reference_usec: NDArray[np.int64], period_usec: int) -> int:
    """A moment half a period before the reference's first capture at or after ``usec``.

    All devices' captures of a moment lie within a fraction of a period of each other: half a period away no set is
    ever cut in two.
    """
    place = int(np.searchsorted(reference_usec, usec))
    return usec if place == len(reference_usec) else int(reference_usec[place]) - period_usec // 2


def split_spans(devices: Mapping[str, Parts], reference: str, rule: SplitRule) -> list[Span]:
    """The stretches that the files of an epoch are cut into, the same for all devices.

    Args:
        devices: by serial.
        reference: the serial of the device whose captures are the measure.
        rule: by time, cuts lie at its multiples on the device clock; by size, no file of any device grows past it
            (unless a single capture does).
    """
    reference_usec = moments(devices[reference])
    if len(reference_usec) == 0:
        return [Span()]
    period_usec = devices[reference][0].config.camera_fps.period_usec
    if rule.usec is not None:
        first, last = int(reference_usec[0]) // rule.usec, int(reference_usec[-1]) // rule.usec
        wanted = [number * rule.usec for number in range(first + 1, last + 1)]
        cuts = sorted({snapped(usec, reference_usec, period_usec) for usec in wanted})
    else:
        cuts = _cuts_by_size(devices, reference_usec - period_usec // 2, rule.size_bytes or 0)
    return [Span(start, end) for start, end in zip([None, *cuts], [*cuts, None], strict=True)]


def _cuts_by_size(devices: Mapping[str, Parts], places: NDArray[np.int64], limit_bytes: int) -> list[int]:
    """Greedily: each part as long as all devices allow."""
    room = max(1, int(0.99 * limit_bytes) - _HEADER_BYTES)
    grown = [_bytes_until(parts, places) for parts in devices.values()]
    cuts: list[int] = []
    start = 0
    while True:
        ends = [int(np.searchsorted(sizes, sizes[start] + room, side="right")) - 1 for sizes in grown]
        end = max(start + 1, min(ends))
        if end >= len(places) or all(sizes[-1] - sizes[start] <= room for sizes in grown):
            return cuts
        cuts.append(int(places[end]))
        start = end


def _bytes_until(parts: Parts, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P + 1,) payload bytes of a device before each place, and in all."""
    times, sizes = [], []
    for reader in parts:
        for blocks in reader.stored.index.tracks.values():
            times.append(np.frombuffer(blocks.nsec, np.int64) // 1000 + reader.start_offset_usec)
            sizes.append(np.frombuffer(blocks.sizes, np.int64) + 16)
    usec, size = np.concatenate(times), np.concatenate(sizes)
    order = np.argsort(usec, kind="stable")
    sums = np.concatenate([[0], np.cumsum(size[order])])
    return np.append(sums[np.searchsorted(usec[order], places)], sums[-1])
