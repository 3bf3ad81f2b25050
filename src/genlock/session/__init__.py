"""One run of a plan on a backend: open, arm, start subordinates first and the master last, capture, match, stop."""

from genlock.session.arming import check_jacks, set_controls
from genlock.session.fanout import LaneCounts
from genlock.session.phases import FinishReason, Phase
from genlock.session.session import Session
from genlock.session.status import DeviceStatus, SessionEvent, SessionStatus
from genlock.session.watch import LossPolicy

__all__ = [
    "DeviceStatus",
    "FinishReason",
    "LaneCounts",
    "LossPolicy",
    "Phase",
    "Session",
    "SessionEvent",
    "SessionStatus",
    "check_jacks",
    "set_controls",
]
