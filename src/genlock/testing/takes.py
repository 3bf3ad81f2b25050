"""Takes that were never recorded: evidence for ``genlock.verify`` out of made-up stamps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genlock.k4a import WiredSyncMode
from genlock.testing.stamps import StampStream
from genlock.verify import DeviceEvidence, StartEvent, TakeEvidence

__all__ = ["device_evidence", "session_evidence", "start_events"]


def device_evidence(stream: StampStream, *, is_simulated: bool = False) -> DeviceEvidence:
    """What a recording of that stream would show."""
    return DeviceEvidence(
        serial=stream.serial,
        config=stream.config,
        color_usec=stream.color_usec,
        depth_usec=stream.depth_usec,
        arrival_nsec=np.full(stream.color_usec.shape, -1, dtype=np.int64),
        source=f"{stream.serial}.mkv",
        is_simulated=is_simulated,
    )


def start_events(streams: Sequence[StampStream]) -> tuple[StartEvent, ...]:
    """A log that shows the right order: subordinates one after the other, the master last."""
    ordered = sorted(streams, key=lambda stream: stream.config.wired_sync_mode is WiredSyncMode.MASTER)
    return tuple(
        StartEvent(stream.serial, called_nsec=number * 10**9, returned_nsec=number * 10**9 + 10**8)
        for number, stream in enumerate(ordered)
    )


def session_evidence(streams: Sequence[StampStream], *, is_simulated: bool = False) -> TakeEvidence:
    """A session that one recorder made and closed, started in the right order."""
    return TakeEvidence(
        devices=tuple(device_evidence(stream, is_simulated=is_simulated) for stream in streams),
        starts=start_events(streams),
        name="take",
        session_state="COMPLETED",
    )
