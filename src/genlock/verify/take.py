"""One take in, one report out: the order in which everything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genlock.findings import Finding, Severity, errors_in
from genlock.k4a import CameraFps
from genlock.verify.checks import check_files, check_start_order, check_state, check_unwritten
from genlock.verify.departures import Loss, check_losses_of_sync, find_losses
from genlock.verify.diagnosis import Case, diagnose
from genlock.verify.evidence import DeviceEvidence, TakeEvidence
from genlock.verify.lasers import LaserPair, check_lasers, measure_lasers
from genlock.verify.measure import DeviceMeasures, TakeMeasures, find_reference, measure_take
from genlock.verify.pictures import check_pictures
from genlock.verify.report import DeviceReport, DropGap, Report
from genlock.verify.settings import check_imu, check_settings, reported_exposure_usec
from genlock.verify.statistics import offset_stats
from genlock.verify.symptoms import check_losses, check_offsets, check_sets, check_span, check_times
from genlock.verify.verdict import GOOD_COMPLETE_RATIO, GOOD_USEC, MIN_JUDGED_SETS, PASS_USEC, SetCounts, Verdict, judge

__all__ = ["verify_take"]

_UNJUDGEABLE = frozenset({"verify.different_sessions", "verify.duplicate_serial", "verify.no_common_span"})
"""Errors that leave open whether the take is synchronized."""

_TELLING = frozenset({"verify.device_without_captures", "verify.single_device", "verify.too_few_sets"})
"""What explains that nothing was judged, where no error does."""

_DISQUALIFYING = frozenset(
    {
        "verify.mixed_fps",
        "verify.two_masters",
        "verify.standalone_among_several",
        "verify.device_missing",
        "verify.device_without_captures",
        "verify.started_after_master",
        "verify.time_jump",
        "verify.sync_lost",
    }
)
"""Errors that no good number outweighs."""

_HALF_TICK_USEC = 50 / 9

_SETTINGS = (
    "K4A_COLOR_FIRMWARE_VERSION",
    "K4A_DEPTH_FIRMWARE_VERSION",
    "GENLOCK_POWERLINE_HZ",
    "GENLOCK_EXPOSURE_USEC",
    "GENLOCK_WHITEBALANCE",
    "GENLOCK_GAIN",
    "GENLOCK_BRIGHTNESS",
    "GENLOCK_HOST",
)
"""Tags that a certificate shows."""

_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def verify_take(evidence: TakeEvidence) -> Report:
    """Judges one take. Pure: the same evidence gives the same report, whatever order its devices are named in."""
    devices = sorted(evidence.devices, key=lambda device: (device.serial, device.source))
    start_order, start_findings = check_start_order(devices, evidence.starts, evidence.plan)
    findings = [*check_files(evidence), *start_findings, *check_state(evidence), *check_unwritten(evidence)]
    findings += check_settings(devices)
    findings += check_imu(devices)
    findings += check_pictures(evidence.pictures or {})
    rates_fps = {device.config.camera_fps for device in devices}
    fps = rates_fps.pop() if len(rates_fps) == 1 else None
    measures = _measure(devices, evidence, findings, fps)
    counted = _count(measures)
    losses: tuple[Loss, ...] = ()
    lasers: tuple[LaserPair, ...] = ()
    if measures is not None and fps is not None:
        findings += _check_measures(measures, counted.sets, fps)
        is_enough = counted.sets.judged >= MIN_JUDGED_SETS
        losses = find_losses(measures if is_enough else None, devices, evidence.alarms)
        findings += check_losses_of_sync(losses, findings)
        if is_enough and len(devices) > 1:
            lasers = measure_lasers(measures, evidence.plan)
            findings += check_lasers(lasers, evidence.plan)
    reports = tuple(_report_device(device, measures, counted.mask, losses) for device in devices)
    stats = [s for report in reports for s in (report.color, report.depth) if s]
    max_error_usec = max((s.max_usec for s in stats), default=None)
    is_empty = evidence.session_state == "CANCELLED" and any(not device.color_usec.size for device in devices)
    verdict = Verdict.NOT_JUDGED if is_empty else _verdict(findings, counted.sets, max_error_usec, fps, len(devices))
    findings += _too_few(verdict, counted.sets, max_error_usec, len(devices), measures)
    findings.sort(key=lambda finding: _RANK[finding.severity])
    diagnoses = diagnose(Case(evidence, tuple(devices), measures, tuple(findings), losses, lasers))
    return Report(
        name=evidence.name,
        verdict=verdict,
        reason=_reason(verdict, findings, counted.sets, max_error_usec, fps),
        is_simulated=any(device.is_simulated for device in devices),
        camera_fps=fps,
        reference_serial=measures.reference_serial if measures else None,
        sets=counted.sets,
        numbers_include_settling=counted.includes_settling,
        span_start_usec=measures.timeline.start_usec if measures else None,
        span_end_usec=measures.timeline.end_usec if measures else None,
        start_order=start_order,
        pictures=None if evidence.pictures is None else sum(map(len, evidence.pictures.values())),
        session_state=evidence.session_state,
        devices=reports,
        findings=tuple(findings),
        diagnoses=diagnoses,
        lasers=lasers,
        plan=evidence.plan,
        measures=measures,
    )


def _check_measures(measures: TakeMeasures, sets: SetCounts, fps: CameraFps) -> list[Finding]:
    findings = [*check_span(measures), *check_times(measures)]
    if sets.judged >= MIN_JUDGED_SETS:
        findings += check_offsets(measures, fps)
        findings += check_sets(measures, sets)
        findings += check_losses(measures, sets)
    if len(measures.devices) == 1:
        # Inside one device nothing is a verdict on synchronization.
        return [replace(f, severity=Severity.WARNING) if f.severity is Severity.ERROR else f for f in findings]
    return findings


class _Counted(NamedTuple):
    sets: SetCounts
    mask: NDArray[np.bool_]
    """(S,) the moments that the numbers are of."""
    includes_settling: bool


def _measure(
    devices: Sequence[DeviceEvidence], evidence: TakeEvidence, findings: Sequence[Finding], fps: CameraFps | None
) -> TakeMeasures | None:
    if fps is None or any(finding.code == "verify.duplicate_serial" for finding in findings):
        return None
    reference = find_reference(devices, evidence.plan)
    return measure_take(devices, reference, evidence.recorder_of) if reference else None


def _count(measures: TakeMeasures | None) -> _Counted:
    if measures is None:
        return _Counted(SetCounts(0, 0, 0, 0), np.zeros(0, dtype=np.bool_), includes_settling=False)
    in_span, settled = measures.timeline.is_in_span, measures.timeline.is_settled
    expected, judged = int(in_span.sum()), int(settled.sum())
    complete = int((settled & measures.is_complete).sum())
    sets = SetCounts(expected, expected - judged, judged, complete)
    # A handful of sets proves nothing, but whoever looks at them wants to see what they say.
    is_thin = judged < MIN_JUDGED_SETS
    return _Counted(sets, in_span if is_thin else settled, includes_settling=is_thin)


def _report_device(
    device: DeviceEvidence, measures: TakeMeasures | None, mask: NDArray[np.bool_], losses: Sequence[Loss]
) -> DeviceReport:
    measured = _find(measures, device.serial)
    is_reference = measures is not None and measures.reference_serial == device.serial
    config = device.config
    color = depth = None
    if measured is not None:
        color = offset_stats(measured.color_error_usec[mask])
        depth = offset_stats(measured.depth_error_usec[mask])
    return DeviceReport(
        serial=device.serial,
        source=device.source,
        config=config,
        is_reference=is_reference,
        is_simulated=device.is_simulated,
        captures=int(device.color_usec.size),
        first_usec=measured.first_usec if measured else None,
        last_usec=measured.last_usec if measured else None,
        missing=int((mask & ~measured.is_present).sum()) if measured else 0,
        partial=int((mask & measured.is_present & ~measured.is_whole).sum()) if measured else 0,
        extra=int(measured.extra_usec.size) if measured else 0,
        # The reference's own anchor image is off by nothing, by definition.
        color=None if is_reference and config.has_color else color,
        depth=None if is_reference and not config.has_color else depth,
        drift=measured.drift if measured else None,
        slips=_count_slips(measured, mask) if measured and not is_reference else 0,
        gaps=_find_gaps(measured, measures, mask) if measured and measures else (),
        lost_from_usec=min(
            (loss.from_usec for loss in losses if loss.serial == device.serial and loss.from_usec is not None),
            default=None,
        ),
        settings={key: value for key, value in device.tags.items() if key in _SETTINGS},
        reported_exposure_usec=reported_exposure_usec(device),
    )


def _count_slips(measured: DeviceMeasures, mask: NDArray[np.bool_]) -> int:
    errors = measured.color_error_usec[mask]
    if not np.isfinite(errors).any():
        errors = measured.depth_error_usec[mask]
    steps = np.abs(np.diff(errors[np.isfinite(errors)]))
    return int((steps > _HALF_TICK_USEC).sum())


def _find_gaps(measured: DeviceMeasures, measures: TakeMeasures, mask: NDArray[np.bool_]) -> tuple[DropGap, ...]:
    is_missing = (mask & ~measured.is_present).astype(np.int8)
    edges = np.flatnonzero(np.diff(is_missing, prepend=0, append=0))
    return tuple(
        DropGap(int(measures.timeline.moment_usec[start]), int(end - start))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    )


def _find(measures: TakeMeasures | None, serial: str) -> DeviceMeasures | None:
    if measures is None:
        return None
    return next(measured for measured in measures.devices if measured.device.serial == serial)


def _verdict(
    findings: Sequence[Finding], sets: SetCounts, max_error_usec: float | None, fps: CameraFps | None, devices: int
) -> Verdict:
    codes = {finding.code for finding in errors_in(findings)}
    if codes & _UNJUDGEABLE:
        return Verdict.NOT_JUDGED
    if codes & _DISQUALIFYING:
        return Verdict.FAIL
    if devices < 2 or fps is None:
        return Verdict.NOT_JUDGED
    return judge(sets, max_error_usec, fps)


def _too_few(
    verdict: Verdict, sets: SetCounts, max_error_usec: float | None, devices: int, measures: TakeMeasures | None
) -> list[Finding]:
    if verdict is not Verdict.NOT_JUDGED or devices < 2 or measures is None or sets.judged >= MIN_JUDGED_SETS:
        return []
    seen = f"{sets.expected} {'set' if sets.expected == 1 else 'sets'}"
    shown = "" if max_error_usec is None else f"; the largest offset among all of them is {max_error_usec:.1f} us"
    return [
        Finding(
            "verify.too_few_sets",
            Severity.INFO,
            "rig",
            f"{seen} in common, {sets.judged} without the settling ones; a verdict needs {MIN_JUDGED_SETS}{shown}",
            "Record for longer: three seconds at 30 fps, ten at 5 fps.",
        )
    ]


def _reason(
    verdict: Verdict, findings: Sequence[Finding], sets: SetCounts, max_error_usec: float | None, fps: CameraFps | None
) -> str:
    errors = errors_in(findings)
    if verdict is Verdict.FAIL:
        others = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        return f"{errors[0].where}: {errors[0].message}{others}"
    if verdict is Verdict.NOT_JUDGED:
        telling = [f for f in findings if f.code in _TELLING]
        first = next(iter((*errors, *telling)), None)
        return f"{first.where}: {first.message}" if first else "there are no captures to judge"
    limit_usec = GOOD_USEC if verdict is Verdict.GOOD else PASS_USEC[fps] if fps else 0
    more = "" if verdict is Verdict.GOOD else f"; good is {GOOD_USEC} us and {100 * GOOD_COMPLETE_RATIO:.0f} %"
    return (
        f"every offset is within {limit_usec} us (the largest is {max_error_usec or 0:.1f} us), and "
        f"{sets.complete_text} of {sets.judged} sets are complete{more}"
    )
