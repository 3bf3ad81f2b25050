"""Rules for devices that were not in step: each looks at one case and yields what it recognises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

import numpy as np

from genlock.k4a import WiredSyncMode
from genlock.sync import LossEvidence, fit_arrivals
from genlock.verify.case import Case, Cause, Certainty, Diagnosis
from genlock.verify.departures import Loss
from genlock.verify.lasers import GRAZE_USEC
from genlock.verify.measure import DeviceMeasures

__all__ = [
    "cable_pulled",
    "delays",
    "exposures",
    "firmware",
    "free_clock",
    "no_pulse",
    "not_wired",
    "refused",
    "shared_slot",
    "started_late",
    "trigger_rate",
    "two_masters",
]

_ONE_EVENT_USEC = 1_000_000
"""Losses that begin within a second of each other have one cause."""
_ALL_USEC = 3_000_000
"""The same for losses of different slopes: the onset of a slow one is known to a second or two."""
_SEVERAL = 2
_FROM_THE_START_USEC = 1_500_000
_LATE_PERIODS = 1.5
_TRANSFER_SPREAD_USEC = 30_000
"""Two devices' captures of one moment arrive up to 24 ms apart (SDK issue #1665)."""
_SURE_SIGMAS = 8.0
_RATE_TOLERANCE_RATIO = 0.002
"""Oscillators differ by tens of ppm; a trigger that is 0.2 % off was set wrong."""


def two_masters(case: Case) -> Iterator[Diagnosis]:
    """Two devices recorded as masters."""
    for finding in case.named("verify.two_masters"):
        yield Diagnosis(
            Cause.TWO_MASTERS, Certainty.SURE, "rig", "two devices were masters", (finding.message,), finding.remedy
        )


def not_wired(case: Case) -> Iterator[Diagnosis]:
    """A device recorded as standalone among others."""
    for finding in case.named("verify.standalone_among_several"):
        summary = f"{finding.where} was not part of the wired rig"
        yield Diagnosis(Cause.NOT_WIRED, Certainty.SURE, finding.where, summary, (finding.message,), finding.remedy)


_PLUG_REMEDY = "Push the plug in until it clicks, plastic cover off; look for swapped jacks."

_REFUSALS = {
    "session.sync_in_missing": (
        Cause.NO_PLUG,
        "has no plug in its Sync In",
        "Push the plug in; look for swapped jacks.",
    ),
    "session.sync_out_missing": (
        Cause.NO_PLUG,
        "has no plug in its Sync Out",
        "Push the plug in; look for swapped jacks.",
    ),
    "session.not_slaved": (
        Cause.NOT_SLAVED,
        "delivered before its master was started",
        "Follow its sync cable to the master's Sync Out; nothing else may feed it.",
    ),
}


def refused(case: Case) -> Iterator[Diagnosis]:
    """What kept the run from beginning, from its log."""
    told: set[tuple[Cause, str | None]] = set()
    for finding in case.evidence.live_findings:
        if finding.code not in _REFUSALS or case.evidence.session_state != "FAILED":
            continue
        cause, what, remedy = _REFUSALS[finding.code]
        if (cause, finding.serial) not in told:
            told.add((cause, finding.serial))
            where = f"device {finding.serial}" if finding.serial else "rig"
            evidence = (f"the session's log: {finding.message}",)
            yield Diagnosis(cause, Certainty.SURE, where, f"{where} {what}", evidence, remedy)


def no_pulse(case: Case) -> Iterator[Diagnosis]:
    """A device without captures while others have some."""
    for finding in case.named("verify.device_without_captures"):
        device = next(d for d in case.devices if f"device {d.serial}" == finding.where)
        if device.config.wired_sync_mode is not WiredSyncMode.SUBORDINATE:
            continue
        if device.imu_usec.size:
            continue  # its clock was started, by a pulse
        upstream = case.upstream_of(device.serial)
        feeder = f"; in the chain, {upstream} feeds it" if upstream else ""
        yield Diagnosis(
            Cause.NO_PULSE,
            Certainty.LIKELY,
            finding.where,
            f"no pulse reached {finding.where}",
            (finding.message + feeder,),
            "Check both ends of the cable into its Sync In, the Sync Out that feeds it, try another cable and port.",
        )


def started_late(case: Case) -> Iterator[Diagnosis]:
    """A subordinate that took a later pulse for the first: by the log, else by when its captures arrive."""
    told = {finding.where: finding for finding in case.named("verify.started_after_master")}
    for where, finding in told.items():
        summary = f"{where} was started after the master"
        yield Diagnosis(Cause.STARTED_LATE, Certainty.SURE, where, summary, (finding.message,), finding.remedy)
    for measured in case.others:
        where = f"device {measured.device.serial}"
        behind_usec = _arrives_behind_usec(case, measured)
        if where in told or behind_usec is None or case.measures is None:
            continue
        excess_usec = abs(behind_usec) - _TRANSFER_SPREAD_USEC
        if excess_usec > _LATE_PERIODS * case.measures.period_usec:
            periods = round(abs(behind_usec) / case.measures.period_usec)
            yield Diagnosis(
                Cause.STARTED_LATE,
                Certainty.LIKELY,
                where,
                f"{where} counts from another pulse than the master",
                (
                    f"its captures reach the host {behind_usec / 1000:+.0f} ms from the reference's of equal stamps, "
                    f"about {periods} periods",
                ),
                "Record again: start every subordinate, wait until each start has returned, then start the master.",
            )


def cable_pulled(case: Case) -> Iterator[Diagnosis]:
    """Losses that a jack tells of."""
    for loss in case.losses:
        if loss.evidence is not LossEvidence.JACK:
            continue
        where = f"device {loss.serial}"
        evidence = tuple(f"by its {other.evidence}: {other.message}" for other in case.losses_of(loss.serial))
        lost = {other.serial for other in case.losses}
        behind = tuple(sorted(other for other in lost if loss.serial in _chain_above(case, other)))
        if behind:
            evidence = (*evidence, f"{_all(behind)}, behind it in the chain, left the master too")
        yield Diagnosis(
            Cause.CABLE_PULLED,
            Certainty.SURE,
            where,
            f"the sync cable was pulled out of {where}{_at(loss.from_usec)}",
            evidence,
            "Push the plug in until it clicks, plastic cover off; start all devices again, the master last. Use the "
            "take up to then.",
            loss.from_usec,
        )


def free_clock(case: Case) -> Iterator[Diagnosis]:
    """Losses that no jack of the device itself explains."""
    pulled = {loss.serial for loss in case.losses if loss.evidence is LossEvidence.JACK}
    free: dict[str, Loss] = {}
    for loss in case.losses:
        if loss.serial not in pulled:
            known = free.get(loss.serial)
            free[loss.serial] = loss if known is None or known.from_usec is None else known
    lost = pulled | free.keys()
    if not pulled:
        yield from _trigger_stopped(case, free)
    for serial, loss in free.items():
        if loss.from_usec is not None and any(feeder in lost for feeder in _chain_above(case, serial)):
            continue  # it went with a device before it in the chain, whose diagnosis tells of it
        evidence = tuple(f"by its {other.evidence}: {other.message}" for other in case.losses_of(serial))
        where = f"device {serial}"
        start_usec = case.measures.timeline.start_usec if case.measures else 0
        is_throughout = loss.from_usec is not None and loss.from_usec - start_usec < _FROM_THE_START_USEC
        together = sorted(other for other, its in free.items() if _is_one_event(its, loss))
        feeder = case.upstream_of(serial)
        if loss.from_usec is None:
            cause, summary = Cause.LEFT_UNSEEN, f"{where} did not keep the master's pace, behind perfect stamps"
        elif is_throughout:
            cause, summary = Cause.FREE_CLOCK, f"{where} ran on its own clock from the start"
        else:
            cause, summary = Cause.CABLE_PULLED, f"the pulses stopped reaching {where}{_at(loss.from_usec)}"
        behind = tuple(other for other in together if serial in _chain_above(case, other))
        others = tuple(other for other in together if other != serial and other not in behind)
        if behind:
            evidence = (*evidence, f"{_all(behind)}, behind it in the chain, went at the same time")
        if others:
            evidence = (*evidence, f"{_all(others)} went at the same time")
        if feeder is not None and feeder not in free:
            evidence = (*evidence, f"{feeder}, which feeds it in the chain, stayed in step")
        yield Diagnosis(
            cause,
            Certainty.LIKELY,
            where,
            summary,
            evidence,
            "Check the sync cable into its Sync In, both plugs, and the Sync Out that feeds it (a dead port shows the "
            "same); start all devices again, the master last.",
            loss.from_usec,
        )


def _trigger_stopped(case: Case, free: Mapping[str, Loss]) -> Iterator[Diagnosis]:
    """Several triggered devices that left at once: by a cable that feeds them all, or because the generator stopped."""
    if any(d.config.wired_sync_mode is WiredSyncMode.MASTER for d in case.devices) or len(free) < _SEVERAL:
        return
    losses = list(free.values())
    onsets = [loss.from_usec for loss in losses if loss.from_usec is not None]
    if 2 * len(free) > len(case.others) and all(_is_one_event(losses[0], other, _ALL_USEC) for other in losses):
        yield Diagnosis(
            Cause.TRIGGER_GAPS,
            Certainty.POSSIBLE,
            "rig",
            f"the external trigger may have given no pulses from about {min(onsets) / 1e6:.1f} s on",
            (f"{_all(tuple(sorted(free)))} left within seconds of each other, and each runs at a pace of its own",),
            "Check the generator's output and its cable; a device keeps running without pulses, but nothing ties it.",
            min(onsets),
        )


def trigger_rate(case: Case) -> Iterator[Diagnosis]:
    """An external trigger that is not at the frame rate: all devices agree with each other, not with their rate.

    Stamps may count time or pulses; where they count pulses, only the arrivals on the host tell how long those took.
    """
    if case.measures is None or any(d.config.wired_sync_mode is WiredSyncMode.MASTER for d in case.devices):
        return
    ratios = []
    for device in case.devices:
        arrivals = fit_arrivals(device.normalised_usec, device.arrival_nsec)
        if arrivals is not None and abs(arrivals.drift_ppm) > _SURE_SIGMAS * arrivals.standard_error_ppm:
            ratios.append(1 + arrivals.drift_ppm * 1e-6)
            continue
        pacing = np.diff(device.normalised_usec)
        near = pacing[(pacing > 0.5 * case.measures.period_usec) & (pacing < 1.5 * case.measures.period_usec)]
        if near.size:
            ratios.append(float(np.mean(near)) / (1e6 / device.config.camera_fps))
    if ratios and abs(median(ratios) - 1) > _RATE_TOLERANCE_RATIO:
        fps = int(case.devices[0].config.camera_fps)
        yield Diagnosis(
            Cause.TRIGGER_RATE,
            Certainty.LIKELY,
            "rig",
            f"the external trigger did not run at {fps} pulses a second",
            (f"captures come {fps / median(ratios):.3f} times a second on {len(ratios)} devices, not {fps} times",),
            "Set the generator to exactly the camera's frame rate, pulses of at least 8 us, and record again.",
        )


def delays(case: Case) -> Iterator[Diagnosis]:
    """Constant offsets."""
    for finding in case.named("verify.delay_not_applied"):
        summary = f"{finding.where} did not get its delay"
        yield Diagnosis(
            Cause.DELAY_NOT_APPLIED, Certainty.LIKELY, finding.where, summary, (finding.message,), finding.remedy
        )
    for finding in case.named("verify.constant_offset"):
        summary = f"the times of {finding.where} are shifted"
        yield Diagnosis(
            Cause.TIMES_SHIFTED, Certainty.POSSIBLE, finding.where, summary, (finding.message,), finding.remedy
        )

    for finding in case.named("verify.no_common_span"):
        summary = "the devices' clocks have no time in common: they were not set to zero by one pulse"
        yield Diagnosis(Cause.TIMES_SHIFTED, Certainty.LIKELY, "rig", summary, (finding.message,), finding.remedy)
    changed = {f.where for code in ("verify.exposure_changed", *_AUTOMATIC) for f in case.named(code)}
    for finding in case.named("verify.offset_step"):
        if finding.where not in changed:
            summary = f"the times of {finding.where} jumped"
            yield Diagnosis(
                Cause.TIMES_JUMPED, Certainty.POSSIBLE, finding.where, summary, (finding.message,), finding.remedy
            )


_AUTOMATIC = ("verify.auto_exposure", "verify.exposure_wandered")


def exposures(case: Case) -> Iterator[Diagnosis]:
    """Exposures that were automatic, changed, or other than they should be."""
    automatic = {f.where for code in _AUTOMATIC for f in case.named(code)}
    disturbed = {
        finding.where: finding.message
        for code in ("verify.offset_outliers", "verify.offset_step")
        for finding in case.named(code)
    }
    for code, cause, certainty, what in (
        ("verify.auto_exposure", Cause.AUTO_EXPOSURE, Certainty.SURE, "had automatic exposure"),
        ("verify.exposure_wandered", Cause.AUTO_EXPOSURE, Certainty.LIKELY, "was left on automatic exposure"),
        ("verify.exposure_changed", Cause.EXPOSURE_CHANGED, Certainty.LIKELY, "got new exposures while streaming"),
        ("verify.exposure_differs", Cause.EXPOSURE_UNEQUAL, Certainty.SURE, "had another exposure than was set"),
    ):
        for finding in case.named(code):
            if code not in _AUTOMATIC and finding.where in automatic:
                continue
            if code == "verify.exposure_differs" and _has(case, "verify.exposure_changed", finding.where):
                continue
            evidence = [finding.message]
            if finding.where in disturbed:
                evidence.append(disturbed[finding.where])
            summary = f"{finding.where} {what}"
            yield Diagnosis(cause, certainty, finding.where, summary, tuple(evidence), finding.remedy)
    for finding in case.named("verify.settings_differ"):
        if "in exposure (" in finding.message and not automatic:
            yield Diagnosis(
                Cause.EXPOSURE_UNEQUAL,
                Certainty.SURE,
                "rig",
                "the devices were given different exposures",
                (finding.message,),
                finding.remedy,
            )


def firmware(case: Case) -> Iterator[Diagnosis]:
    """Unequal firmware."""
    for finding in case.named("verify.firmware_differs"):
        yield Diagnosis(
            Cause.FIRMWARE_UNEQUAL,
            Certainty.SURE,
            "rig",
            "the devices have different firmware",
            (finding.message,),
            finding.remedy,
        )


def shared_slot(case: Case) -> Iterator[Diagnosis]:
    """Two lasers that were given one slot. Devices that left their slots have another diagnosis."""
    for pair in case.lasers:
        if pair.configured_gap_usec < -GRAZE_USEC and 2 * pair.collisions > pair.sets:
            yield Diagnosis(
                Cause.SHARED_SLOT,
                Certainty.SURE,
                f"devices {pair.first} and {pair.second}",
                f"devices {pair.first} and {pair.second} share a laser slot",
                (f"their pulses met in {pair.collisions} of {pair.sets} sets, by up to {-pair.gap_usec:.0f} us",),
                "Give them depth delays at least 160 us apart (genlock plan does).",
            )


def _chain_above(case: Case, serial: str) -> tuple[str, ...]:
    """The devices that feed it in a daisy chain, the nearest first."""
    above: list[str] = []
    feeder = case.upstream_of(serial)
    while feeder is not None:
        above.append(feeder)
        feeder = case.upstream_of(feeder)
    return tuple(above)


def _all(serials: tuple[str, ...]) -> str:
    return ", ".join(serials)


def _has(case: Case, code: str, where: str) -> bool:
    return any(finding.where == where for finding in case.named(code))


def _at(usec: int | None) -> str:
    return "" if usec is None else f" at {usec / 1e6:.1f} s"


def _is_one_event(a: Loss, b: Loss, within_usec: int = _ONE_EVENT_USEC) -> bool:
    if a.from_usec is None or b.from_usec is None:
        return False
    return abs(a.from_usec - b.from_usec) < within_usec


def _arrives_behind_usec(case: Case, measured: DeviceMeasures) -> float | None:
    """Median of a device's arrival minus the reference's over captures with equal normalised stamps."""
    if case.measures is None:
        return None
    reference = next(d for d in case.measures.devices if d.device.serial == case.measures.reference_serial).device
    own, other = measured.device, reference
    if not (own.arrival_nsec >= 0).any() or not (other.arrival_nsec >= 0).any():
        return None
    if own.tags.get("GENLOCK_HOST") != other.tags.get("GENLOCK_HOST"):
        return None  # two hosts' clocks have nothing in common
    period_usec = case.measures.period_usec
    own_slots = np.rint(own.normalised_usec / period_usec).astype(np.int64)
    other_slots = np.rint(other.normalised_usec / period_usec).astype(np.int64)
    _, at_own, at_other = np.intersect1d(own_slots, other_slots, return_indices=True)
    if at_own.size < 10:
        return None
    return float(np.median((own.arrival_nsec[at_own] - other.arrival_nsec[at_other]) / 1000))
