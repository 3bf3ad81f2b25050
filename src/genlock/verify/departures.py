"""From when on a recorded device no longer followed: by its stamps, by the live session's alarms, by its arrivals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.findings import Finding, Severity
from genlock.sync import Departure, LossEvidence, Step, find_departures, find_step, fit_arrivals
from genlock.verify.evidence import AlarmEvent, DeviceEvidence
from genlock.verify.measure import DeviceMeasures, TakeMeasures
from genlock.verify.settings import exposure_changes, has_wandered

__all__ = ["Loss", "check_losses_of_sync", "find_losses"]

_TICKS_PER_USEC = 0.09

_DISTURBED_USEC = 1_500_000
"""A new exposure disturbs some captures (SDK issue #471); the onset is known to a second or so."""

_UPSET_USEC = 500_000
"""A new exposure upsets four captures (SDK issue #471), at any frame rate less than this but for 5 fps."""
_MAX_CHANGES = 50
_MAX_STEPS = 8
_ENOUGH_ERRORS = 30
_ARRIVAL_MEMORY_USEC = 300_000_000
"""The live detector of arrivals looks back so far."""
_STEP_WINDOW = 60
"""Errors before and after a departure, at least, that say whether it is a step."""
_TICK_SIGMA = 0.41
"""Of a difference of two stamps that are right to a tick: 1 / sqrt(6)."""

ARRIVAL_SIGMAS = 8.0
ARRIVAL_MIN_SEC = 30.0
"""A shorter take says nothing by its arrivals: their jitter is milliseconds."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A device that stopped following, and what says so."""

    serial: str
    evidence: LossEvidence
    from_usec: int | None
    """About when it began, on the master's color time; ``None`` where the evidence does not tell."""
    message: str


def find_losses(
    measures: TakeMeasures | None, devices: Sequence[DeviceEvidence], alarms: Sequence[AlarmEvent]
) -> tuple[Loss, ...]:
    """Every loss, by device and by kind of evidence: a live alarm and the files may each tell of the same one.

    Args:
        measures: ``None`` when there are too few sets to read anything from: then only the log speaks.
        devices: of the take.
        alarms: of its log.
    """
    losses: list[Loss] = []
    if measures is not None:
        for measured in measures.devices:
            losses += _by_stamps(measured, measures)
            losses += _by_arrivals(measured, measures)
    told = {(loss.serial, loss.evidence) for loss in losses}
    known = {device.serial for device in devices}
    losses += [
        Loss(alarm.serial, alarm.evidence, alarm.device_usec, alarm.message)
        for alarm in alarms
        if alarm.evidence is not None
        and alarm.serial in known
        and (alarm.serial, alarm.evidence) not in told
        and not _is_explained(alarm, measures)
    ]
    return tuple(sorted(losses, key=lambda loss: (loss.serial, loss.evidence.value)))


def check_losses_of_sync(losses: Sequence[Loss], told: Sequence[Finding]) -> Iterator[Finding]:
    """A finding for each device, unless a drift beyond the tolerances already tells all that is known."""
    drifting = {finding.where for finding in told if finding.code == "verify.drift"}
    for serial in dict.fromkeys(loss.serial for loss in losses):
        own = [loss for loss in losses if loss.serial == serial]
        if f"device {serial}" in drifting and all(loss.evidence is LossEvidence.STAMPS for loss in own):
            continue
        from_usec = min((loss.from_usec for loss in own if loss.from_usec is not None), default=None)
        at = "" if from_usec is None else f" from about {from_usec / 1e6:.2f} s on"
        evidence = "; ".join(f"by its {loss.evidence}: {loss.message}" for loss in own)
        yield Finding(
            "verify.sync_lost",
            Severity.ERROR,
            f"device {serial}",
            f"it did not follow the master{at}; {evidence}",
            "Use the take up to then. Check the sync cable into its Sync In and every device before it in the chain; "
            "start all devices again, the master last.",
        )


def _by_stamps(measured: DeviceMeasures, measures: TakeMeasures) -> Iterator[Loss]:
    if measured.device.serial == measures.reference_serial:
        return
    reference = _reference(measures)
    errors, stamps = _clock_errors(measured, reference, measures)
    is_known = np.isfinite(errors)
    moments, values = measures.timeline.moment_usec[is_known], errors[is_known] * _TICKS_PER_USEC
    for _ in range(_MAX_STEPS):
        departure = find_departures(values, stamps)
        step = None if departure is None else _step_at(values, departure)
        if departure is None or step is None:
            break
        values[step.index :] -= step.jump  # what jumps once and holds has not left; look on behind it
    if departure is None:
        return
    onset_usec = int(moments[departure.onset])
    is_modelled = bool(measured.exposure_shift_usec.any())
    if not is_modelled and any(_is_disturbed(device, onset_usec) for device in (measured.device, reference.device)):
        return
    yield Loss(
        measured.device.serial,
        LossEvidence.STAMPS,
        onset_usec,
        f"its stamps leave the reference's, sure at {moments[departure.alarm] / 1e6:.2f} s; at the end they are "
        f"{float(np.median(errors[is_known][-10:])):+.0f} us off",
    )


def _clock_errors(
    measured: DeviceMeasures, reference: DeviceMeasures, measures: TakeMeasures
) -> tuple[NDArray[np.float64], int]:
    """(S,) us, the errors that a device's clock makes, NaN where nothing tells; and of how many stamps each is made.

    What exposures explain is taken out, and so are the captures that a new exposure upsets.
    """
    color, depth = measured.color_error_usec, measured.depth_error_usec
    stamps = 2
    errors = color if np.isfinite(color).any() else depth
    own_depth = reference.depth_error_usec  # the master's depth against its own color
    both = np.isfinite(color) & np.isfinite(depth) & np.isfinite(own_depth)
    if both.sum() > 0.5 * np.isfinite(errors).sum():
        errors, stamps = np.where(both, (color + depth - own_depth) / 2, np.nan), 4
    is_usable = measures.timeline.is_settled.copy()
    for device in (measured.device, reference.device):
        for change_usec in exposure_changes(device)[:_MAX_CHANGES]:
            since_usec = measures.timeline.moment_usec - change_usec
            is_usable &= (since_usec < -_UPSET_USEC / 4) | (since_usec > _UPSET_USEC)
    if is_usable.sum() < 0.5 * measures.timeline.is_settled.sum():
        is_usable = measures.timeline.is_settled
    return np.where(is_usable, errors - measured.exposure_shift_usec, np.nan), stamps


def _step_at(values_ticks: NDArray[np.float64], departure: Departure) -> Step | None:
    """The jump that a departure is, if it is one, by its index in all values."""
    window = max(_STEP_WINDOW, values_ticks.size - departure.onset)
    first = max(0, departure.onset - window)
    step = find_step(values_ticks[first : departure.onset + window], _TICK_SIGMA)
    return None if step is None else Step(first + step.index, step.jump)


def _is_explained(alarm: AlarmEvent, measures: TakeMeasures | None) -> bool:
    """Whether the files know better than the live alarm, which heard of no exposure and saw no more than the past."""
    if measures is None or alarm.device_usec is None or alarm.evidence is LossEvidence.JACK:
        return False
    reference = _reference(measures)
    own = next((d for d in measures.devices if d.device.serial == alarm.serial), None)
    if own is None:
        return False
    if alarm.evidence is LossEvidence.STAMPS:
        # The same stamps, judged by the same detector: what it does not find here is no loss.
        errors, _ = _clock_errors(own, reference, measures)
        return bool(np.isfinite(errors).sum() >= _ENOUGH_ERRORS)
    return any(
        has_wandered(device) or np.any(np.abs(exposure_changes(device) - alarm.device_usec) < _ARRIVAL_MEMORY_USEC)
        for device in (own.device, reference.device)
    )


def _is_disturbed(device: DeviceEvidence, onset_usec: int) -> bool:
    """Whether a new exposure explains what its stamps do: it moves the centre of exposure, which they tell."""
    changes_usec = exposure_changes(device)
    return has_wandered(device) or bool(np.any(np.abs(changes_usec - onset_usec) < _DISTURBED_USEC))


def _reference(measures: TakeMeasures) -> DeviceMeasures:
    return next(d for d in measures.devices if d.device.serial == measures.reference_serial)


def _by_arrivals(measured: DeviceMeasures, measures: TakeMeasures) -> Iterator[Loss]:
    """A slope of the arrivals against the reference's over the whole take: what perfect stamps would hide."""
    reference = _reference(measures)
    if measured is reference:
        return
    own = fit_arrivals(measured.device.normalised_usec, measured.device.arrival_nsec)
    other = fit_arrivals(reference.device.normalised_usec, reference.device.arrival_nsec)
    span_usec = int(np.ptp(measured.device.normalised_usec)) if measured.device.color_usec.size else 0
    if own is None or other is None or span_usec < ARRIVAL_MIN_SEC * 1e6:
        return
    slope_ppm = own.drift_ppm - other.drift_ppm
    error_ppm = float(np.hypot(own.standard_error_ppm, other.standard_error_ppm))
    stamps_ppm = 0.0 if measured.drift is None else measured.drift.drift_ppm
    is_sloping = abs(slope_ppm + stamps_ppm) > ARRIVAL_SIGMAS * error_ppm and abs(slope_ppm) > 5.0
    if is_sloping and not _is_arrival_step(measured.device, reference.device):
        yield Loss(
            measured.device.serial,
            LossEvidence.ARRIVALS,
            None,
            f"its captures arrived {slope_ppm:+.1f} +- {error_ppm:.1f} us a second later and later",
        )


def _is_arrival_step(device: DeviceEvidence, reference: DeviceEvidence) -> bool:
    """Whether the arrivals jump once and then hold: a new exposure or a busier host, no other pace."""
    levels = [_lateness_usec(d.normalised_usec, d.arrival_nsec) for d in (device, reference)]
    seconds = sorted(levels[0].keys() & levels[1].keys())
    behind = np.array([levels[0][second] - levels[1][second] for second in seconds])
    return find_step(behind, 0.0) is not None


def _lateness_usec(times_usec: NDArray[np.int64], arrival_nsec: NDArray[np.int64]) -> dict[int, float]:
    """By the second of the master's time: how late captures arrived, on average, from an arbitrary zero."""
    is_known = arrival_nsec >= 0
    times, late_usec = times_usec[is_known], arrival_nsec[is_known] / 1000 - times_usec[is_known]
    seconds, place = np.unique(times // 1_000_000, return_inverse=True)
    sums, counts = np.bincount(place, late_usec), np.bincount(place)
    return dict(zip(seconds.tolist(), (sums / counts).tolist(), strict=True))
