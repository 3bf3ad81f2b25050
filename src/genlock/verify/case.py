"""What a diagnosis is, and what it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from genlock.findings import Finding
from genlock.plan import Plan
from genlock.verify.departures import Loss
from genlock.verify.evidence import DeviceEvidence, TakeEvidence
from genlock.verify.lasers import LaserPair
from genlock.verify.measure import DeviceMeasures, TakeMeasures

__all__ = ["Case", "Cause", "Certainty", "Diagnosis"]


class Cause(StrEnum):
    """What went wrong; every one is explained in ``docs/reference/diagnoses.md``."""

    CABLE_PULLED = "cable_pulled"
    FREE_CLOCK = "free_clock"
    NO_PLUG = "no_plug"
    NOT_SLAVED = "not_slaved"
    LEFT_UNSEEN = "left_unseen"
    NO_PULSE = "no_pulse"
    STARTED_LATE = "started_late"
    TWO_MASTERS = "two_masters"
    NOT_WIRED = "not_wired"
    MASTER_DIED = "master_died"
    DEVICE_UNPLUGGED = "device_unplugged"
    DEVICE_HUNG = "device_hung"
    USB_STARVATION = "usb_starvation"
    BURST_DROPS = "burst_drops"
    RANDOM_DROPS = "random_drops"
    TRIGGER_RATE = "trigger_rate"
    TRIGGER_GAPS = "trigger_gaps"
    AUTO_EXPOSURE = "auto_exposure"
    EXPOSURE_CHANGED = "exposure_changed"
    EXPOSURE_UNEQUAL = "exposure_unequal"
    FIRMWARE_UNEQUAL = "firmware_unequal"
    DELAY_NOT_APPLIED = "delay_not_applied"
    TIMES_SHIFTED = "times_shifted"
    TIMES_JUMPED = "times_jumped"
    SHARED_SLOT = "shared_slot"
    LENS_COVERED = "lens_covered"
    CAMERA_BUMPED = "camera_bumped"
    DARK_EXPOSURE = "dark_exposure"


class Certainty(StrEnum):
    """How sure a diagnosis is."""

    SURE = "sure"
    """The evidence has no other explanation."""
    LIKELY = "likely"
    """It has others, rarer ones."""
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Symptom, likely cause, what to do."""

    cause: Cause
    certainty: Certainty
    where: str
    """``device 000000000002``, ``rig``, ``host pc-2``."""
    summary: str
    """One sentence for a person: ``the sync cable of device 000000000002 was pulled at 12.3 s``."""
    evidence: tuple[str, ...]
    """What says so, each by itself."""
    remedy: str
    at_usec: int | None = None
    """When, on the master's color time; ``None`` where it held throughout or nothing tells."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the report's JSON. Any: a JSON value."""
        return {
            "cause": self.cause.value,
            "certainty": self.certainty.value,
            "where": self.where,
            "summary": self.summary,
            "evidence": list(self.evidence),
            "remedy": self.remedy,
            "at_usec": self.at_usec,
        }


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a rule may look at."""

    evidence: TakeEvidence
    devices: tuple[DeviceEvidence, ...]
    """By serial."""
    measures: TakeMeasures | None
    findings: tuple[Finding, ...]
    losses: tuple[Loss, ...]
    lasers: tuple[LaserPair, ...]

    @property
    def plan(self) -> Plan | None:
        """What was meant."""
        return self.evidence.plan

    def named(self, code: str) -> tuple[Finding, ...]:
        """The findings with this code."""
        return tuple(finding for finding in self.findings if finding.code == code)

    def losses_of(self, serial: str) -> tuple[Loss, ...]:
        """What says that a device did not follow."""
        return tuple(loss for loss in self.losses if loss.serial == serial)

    @property
    def others(self) -> tuple[DeviceMeasures, ...]:
        """The measures of all devices but the reference."""
        if self.measures is None:
            return ()
        return tuple(d for d in self.measures.devices if d.device.serial != self.measures.reference_serial)

    def end_usec(self, of_recorder_of: DeviceEvidence | None = None) -> int | None:
        """When the last capture of any device was taken, or of any that the same recorder recorded as this one."""
        recorder_of = self.evidence.recorder_of
        measured = self.measures.devices if self.measures else ()
        if of_recorder_of is not None:
            measured = tuple(d for d in measured if recorder_of(d.device) == recorder_of(of_recorder_of))
        return max((d.last_usec for d in measured if d.last_usec is not None), default=None)

    def upstream_of(self, serial: str) -> str | None:
        """The device that feeds its Sync In in a daisy chain; ``None`` where nothing tells."""
        if self.plan is None or self.plan.topology.value != "daisy_chain" or serial not in self.plan.start_order:
            return None
        at = self.plan.start_order.index(serial)
        subordinates = self.plan.start_order[:-1]
        if serial not in subordinates:
            return None
        return self.plan.start_order[-1] if at == 0 else subordinates[at - 1]

    def missing_ratio(self, measured: DeviceMeasures) -> float:
        """The share of settled moments in which a device has no whole capture, before its own end."""
        if self.measures is None or measured.last_usec is None:
            return 0.0
        settled = self.measures.timeline.is_settled & (self.measures.timeline.moment_usec <= measured.last_usec)
        count = int(settled.sum())
        return float((settled & ~measured.is_whole).sum()) / count if count else 0.0

    def missing_runs(self, measured: DeviceMeasures) -> tuple[tuple[int, int], ...]:
        """Runs of settled moments without a capture, before the device's own end: first moment in us, length."""
        if self.measures is None or measured.last_usec is None:
            return ()
        timeline = self.measures.timeline
        settled = timeline.is_settled & (timeline.moment_usec <= measured.last_usec)
        edges = np.flatnonzero(np.diff((settled & ~measured.is_present).astype(np.int8), prepend=0, append=0))
        return tuple(
            (int(timeline.moment_usec[start]), int(end - start))
            for start, end in zip(edges[::2], edges[1::2], strict=True)
        )
