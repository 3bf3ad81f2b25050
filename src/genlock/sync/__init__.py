"""The truth about timing, pure: stamps in; sets, gaps, offsets and drifts out."""

from genlock.sync.departure import Departure, find_departures
from genlock.sync.drift import DriftFit, fit_arrivals, fit_drift
from genlock.sync.drops import Gap, find_doubled, find_gaps
from genlock.sync.health import DeviceHealth, HealthState, LossEvidence, RigHealth, SyncAlarm
from genlock.sync.matcher import LIVE_PATIENCE_USEC, Matcher
from genlock.sync.offsets import (
    MISSING_USEC,
    expected_color_ticks,
    expected_depth_ticks,
    normalise_usec,
    normaliser,
    offset_errors_usec,
)
from genlock.sync.pairing import NO_CAPTURE, opens_set, pair_captures
from genlock.sync.shape import Step, find_step

__all__ = [
    "LIVE_PATIENCE_USEC",
    "MISSING_USEC",
    "NO_CAPTURE",
    "Departure",
    "DeviceHealth",
    "DriftFit",
    "Gap",
    "HealthState",
    "LossEvidence",
    "Matcher",
    "RigHealth",
    "Step",
    "SyncAlarm",
    "expected_color_ticks",
    "expected_depth_ticks",
    "find_departures",
    "find_doubled",
    "find_gaps",
    "find_step",
    "fit_arrivals",
    "fit_drift",
    "normalise_usec",
    "normaliser",
    "offset_errors_usec",
    "opens_set",
    "pair_captures",
]
