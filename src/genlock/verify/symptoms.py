"""What the measured numbers show, device by device: symptom, likely cause, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.findings import Finding, Severity
from genlock.k4a import CameraFps
from genlock.sync import DriftFit, Step, find_departures, find_step, fit_drift
from genlock.verify.measure import DeviceMeasures, TakeMeasures
from genlock.verify.statistics import OffsetStats, offset_stats
from genlock.verify.verdict import GOOD_COMPLETE_RATIO, GOOD_USEC, PASS_COMPLETE_RATIO, PASS_USEC, SetCounts

__all__ = ["check_losses", "check_offsets", "check_sets", "check_span", "check_times"]

_USEC_PER_TICK = 100 / 9

# A healthy rig's offsets stay within 55 us (the trace that a Microsoft developer quotes in SDK issue #1261): what
# agrees better than that may have one cause, what scatters more is not constant.
_SAME_USEC = 55.0

_TICK_SIGMA_USEC = _USEC_PER_TICK / 6**0.5
"""Of a difference of two stamps, each right to a tick."""

_BURST = 3
"""Captures lost in a row from which on a loss is told by itself."""

_EDGE_USEC = 300_000
"""What the ends of files may differ by in silence: first captures come 65 to 248 ms after the first pulse (SDK issue
#1240), and a stop reaches the devices one after the other."""

_EARLY_SHARE = 0.1
"""A departure in the first tenth is a drift throughout: the settling moments hide when it began."""

_SURE_SIGMAS = 5.0  # of the slope's standard error, which takes the samples as independent: hence generous


@dataclass(frozen=True, slots=True)
class _Kind:
    """The settled offset errors of one kind of image of one device."""

    name: str
    errors_usec: NDArray[np.float64]
    clock_usec: NDArray[np.float64]
    """The errors without what new exposures explain of them."""
    stats: OffsetStats
    drift: DriftFit | None
    """From where it leaves on, if it does so in the midst of the take."""
    from_usec: int | None
    """When that is; ``None``: from the start, or not at all."""
    step: Step | None
    """Where the errors jump once and then hold; the index counts the known ones."""
    delay_usec: float
    """The device's own delay for this kind: color after the master's color, depth after its own color."""

    @property
    def is_drifting(self) -> bool:
        if self.drift is None or self.step is not None:
            return False
        is_sure = abs(self.drift.drift_ppm) > _SURE_SIGMAS * self.drift.standard_error_ppm
        values = self.clock_usec[np.isfinite(self.clock_usec)]
        edge = max(1, values.size // 10)
        change_usec = abs(float(np.median(values[-edge:]) - np.median(values[:edge])))
        return is_sure and change_usec > GOOD_USEC

    @property
    def is_constant(self) -> bool:
        return abs(self.stats.median_usec) > _SAME_USEC and self.stats.jitter_usec <= _SAME_USEC


def check_offsets(measures: TakeMeasures, fps: CameraFps) -> Iterator[Finding]:
    """Offset errors beyond the tolerances, each with its shape: constant, drifting, or now and then."""
    for device in measures.devices:
        kinds = list(_kinds_beyond(measures, device))
        where = f"device {device.device.serial}"
        worst_usec = max((kind.stats.max_usec for kind in kinds), default=0.0)
        severity = Severity.ERROR if worst_usec > PASS_USEC[fps] else Severity.WARNING
        drifting = [kind for kind in kinds if kind.is_drifting]
        stepping = [kind for kind in kinds if kind.step is not None]
        others = [kind for kind in kinds if kind not in drifting and kind not in stepping]
        constant = [kind for kind in others if kind.is_constant]
        if drifting:
            yield _drift_finding(where, severity, drifting)
        if constant:
            yield _constant_finding(where, severity, constant, measures.period_usec)
        if stepping:
            yield _step_finding(where, severity, stepping[0], measures)
        for kind in (kind for kind in others if not kind.is_constant):
            yield _scattered_finding(where, severity, kind, measures)


def check_losses(measures: TakeMeasures, sets: SetCounts) -> Iterator[Finding]:
    """Captures and images that are not there, and captures too many, device by device."""
    ratio = sets.complete_ratio
    is_harmful = ratio is not None and ratio < GOOD_COMPLETE_RATIO
    severity = Severity.WARNING if is_harmful else Severity.INFO
    settled = measures.timeline.is_settled
    for device in measures.devices:
        where = f"device {device.device.serial}"
        missing = settled & ~device.is_present
        if _is_worth_telling(missing, settled):
            yield _missing_finding(where, severity, missing, measures)
        partial = settled & device.is_present & ~device.is_whole
        if partial.any():
            yield Finding(
                "verify.images_missing",
                severity,
                where,
                f"{partial.sum()} of {settled.sum()} captures lack the color or the depth image; the first at "
                f"{_seconds(measures, partial)} s",
                "Give the device a USB controller of its own and the host more CPU: the SDK lets captures go with one "
                "image when the other comes too late.",
            )
        if device.extra_usec.size:
            yield Finding(
                "verify.extra_captures",
                Severity.INFO,
                where,
                f"{device.extra_usec.size} captures belong to no set, the first at "
                f"{device.extra_usec[0] / 1e6:.3f} s: they double a moment or lie half a period and more from any",
                "Nothing is needed unless sets are missing too.",
            )


def check_sets(measures: TakeMeasures, sets: SetCounts) -> Iterator[Finding]:
    """Whether enough sets are complete, and whose losses break them."""
    ratio = sets.complete_ratio
    if ratio is None or ratio >= GOOD_COMPLETE_RATIO:
        return
    settled = measures.timeline.is_settled
    losses = {device.device.serial: int((settled & ~device.is_whole).sum()) for device in measures.devices}
    listed = ", ".join(
        f"{serial}: {count}" for serial, count in sorted(losses.items(), key=lambda x: (-x[1], x[0])) if count
    )
    needed = PASS_COMPLETE_RATIO if ratio < PASS_COMPLETE_RATIO else GOOD_COMPLETE_RATIO
    yield Finding(
        "verify.incomplete_sets",
        Severity.ERROR if ratio < PASS_COMPLETE_RATIO else Severity.WARNING,
        "rig",
        f"{sets.complete} of {sets.judged} sets are complete, {sets.complete_text}; at least {100 * needed:.0f} % are "
        f"needed. Sets that lack something, by device: {listed}",
        "Look at the devices with the most losses first: USB controller, cable, CPU, disk. Or lower camera_fps or "
        "color_resolution.",
    )


def check_span(measures: TakeMeasures) -> Iterator[Finding]:
    """What lies outside the span that all devices share."""
    timeline = measures.timeline
    if timeline.has_jump:
        yield Finding(
            "verify.time_jump",
            Severity.ERROR,
            "rig",
            "the device times of this take jump by half an hour or more; what lies between is not judged",
            "A clock was reset or the files are of different takes; verify the parts apart.",
        )
    spans = {
        device.device.serial: (device.first_usec, device.last_usec)
        for device in measures.devices
        if device.first_usec is not None and device.last_usec is not None
    }
    start_usec, end_usec = timeline.start_usec, timeline.end_usec
    listed = ", ".join(f"{serial} {first / 1e6:.2f} to {last / 1e6:.2f} s" for serial, (first, last) in spans.items())
    if end_usec < start_usec:
        yield Finding(
            "verify.no_common_span",
            Severity.ERROR,
            "rig",
            f"the devices have no time in common: {listed}",
            "Check that all files are of one take.",
        )
        return
    whole_usec = max(last for _, last in spans.values()) - min(first for first, _ in spans.values())
    left_out_usec = whole_usec - (end_usec - start_usec)
    if left_out_usec > _EDGE_USEC:
        is_much = left_out_usec > 0.1 * whole_usec
        yield Finding(
            "verify.common_span",
            Severity.WARNING if is_much else Severity.INFO,
            "rig",
            f"only the span that the files share is judged, {start_usec / 1e6:.2f} to {end_usec / 1e6:.2f} s; "
            f"{left_out_usec / 1e6:.2f} s before and after it are not ({listed})",
            "Use the take inside that span only. If a device should have recorded longer, look for why it stopped.",
        )


def check_times(measures: TakeMeasures) -> Iterator[Finding]:
    """Captures that a device delivered out of order."""
    for device in measures.devices:
        if device.is_disordered:
            yield Finding(
                "verify.stamps_disordered",
                Severity.WARNING,
                f"device {device.device.serial}",
                "its captures are not in the order of their times; they are judged in that order",
                "Captures that the SDK lets go early cause this, and so does a clock that was reset.",
            )


def _kinds_beyond(measures: TakeMeasures, device: DeviceMeasures) -> Iterator[_Kind]:
    """The kinds of images that are beyond the good tolerance somewhere."""
    settled = measures.timeline.is_settled
    config = device.device.config
    errors = {"color": device.color_error_usec, "depth": device.depth_error_usec}
    if device.device.serial == measures.reference_serial:
        del errors["color" if config.has_color else "depth"]  # zero by definition
    for name, error in errors.items():
        settled_usec = np.where(settled, error, np.nan)
        stats = offset_stats(settled_usec)
        if stats is None or stats.max_usec <= GOOD_USEC:
            continue
        delay_ticks = (
            config.subordinate_delay_off_master_ticks if name == "color" else config.depth_delay_off_color_ticks
        )
        clock_usec = settled_usec - device.exposure_shift_usec
        drift, from_usec = _fit_departed(measures.timeline.moment_usec, clock_usec)
        step = find_step(settled_usec[np.isfinite(settled_usec)], _TICK_SIGMA_USEC)
        if step is not None and abs(step.jump) < _SAME_USEC:
            step = None  # a small one among larger errors of another kind
        yield _Kind(name, settled_usec, clock_usec, stats, drift, from_usec, step, delay_ticks * _USEC_PER_TICK)


def _fit_departed(
    moment_usec: NDArray[np.int64], clock_usec: NDArray[np.float64]
) -> tuple[DriftFit | None, int | None]:
    """The drift from where it begins: a line through what came before as well would be too flat."""
    is_known = np.isfinite(clock_usec)
    moments, values = moment_usec[is_known], clock_usec[is_known]
    departure = find_departures(values / _USEC_PER_TICK, 2)
    if departure is not None and departure.onset > _EARLY_SHARE * values.size:
        drift = fit_drift(moments[departure.onset :], values[departure.onset :])
        if drift is not None:
            return drift, int(moments[departure.onset])
    return fit_drift(moments, values), None


def _drift_finding(where: str, severity: Severity, kinds: list[_Kind]) -> Finding:
    kind = max(kinds, key=lambda k: abs(k.drift.drift_ppm) if k.drift else 0)
    ppm = kind.drift.drift_ppm if kind.drift else 0.0
    error_ppm = kind.drift.standard_error_ppm if kind.drift else 0.0
    at = "" if kind.from_usec is None else f"from about {kind.from_usec / 1e6:.1f} s on "
    return Finding(
        "verify.drift",
        severity,
        where,
        f"{at}its clock runs {abs(ppm):.2f} +- {error_ppm:.3f} ppm {'ahead of' if ppm > 0 else 'behind'} the "
        "reference's, "
        f"and its offset reaches {kind.stats.max_usec:.0f} us: it follows no pulse, but runs free",
        "Check the sync cable into its Sync In and every device before it in the chain; record again.",
    )


def _step_finding(where: str, severity: Severity, kind: _Kind, measures: TakeMeasures) -> Finding:
    moments = measures.timeline.moment_usec[np.isfinite(kind.errors_usec)]
    index, jump_usec = (kind.step.index, kind.step.jump) if kind.step else (0, 0.0)
    return Finding(
        "verify.offset_step",
        severity,
        where,
        f"{kind.name} jumps by {jump_usec:+.0f} us at {moments[index] / 1e6:.3f} s and then keeps that distance; its "
        f"largest error is {kind.stats.max_usec:.0f} us",
        "Use the take up to then, or correct that device's times by the jump. A new exposure moves them so, and pulses "
        "that stay away for a moment and come back.",
    )


def _constant_finding(where: str, severity: Severity, kinds: list[_Kind], period_usec: int) -> Finding:
    names = " and ".join(kind.name for kind in kinds)
    offset_usec = kinds[0].stats.median_usec
    parts = ", ".join(f"{kind.name} by {kind.stats.median_usec:+.1f} us" for kind in kinds)
    unapplied = [kind for kind in kinds if _is_delay_unapplied(kind, kinds)]
    if unapplied:
        kind = unapplied[0]
        field = "subordinate_delay_off_master_usec" if kind.name == "color" else "depth_delay_off_color_usec"
        return Finding(
            "verify.delay_not_applied",
            severity,
            where,
            f"{names} lie constantly off ({parts}): where they would lie without the {field} of {kind.delay_usec:.1f} "
            "us (in whole ticks) that the recording names",
            f"The device did not get its {field}, or the file's tags are not its own; configure it again and record.",
        )
    verb = "late" if offset_usec > 0 else "early"
    is_far = abs(offset_usec) > period_usec / 4
    hint = "; so far off, its captures may as well belong to the neighbouring sets" if is_far else ""
    return Finding(
        "verify.constant_offset",
        severity,
        where,
        f"{names} of this device lie constantly {abs(offset_usec):.0f} us {verb} ({parts}, throughout): "
        "a delay other than the recording names, a clock that did not start at the first pulse, or a file whose times "
        f"were shifted{hint}",
        "Check the delays that the device was really given, that it was started before the master, and whether a tool "
        "has changed the file; then record again.",
    )


def _is_delay_unapplied(kind: _Kind, kinds: list[_Kind]) -> bool:
    if abs(kind.delay_usec) <= GOOD_USEC:
        return False
    color_usec = next((k.stats.median_usec for k in kinds if k.name == "color"), 0.0)
    own_usec = kind.stats.median_usec - (color_usec if kind.name == "depth" else 0.0)
    return abs(own_usec + kind.delay_usec) <= _SAME_USEC


def _scattered_finding(where: str, severity: Severity, kind: _Kind, measures: TakeMeasures) -> Finding:
    is_beyond = np.abs(kind.errors_usec) > GOOD_USEC
    worst = int(np.nanargmax(np.abs(kind.errors_usec)))
    return Finding(
        "verify.offset_outliers",
        severity,
        where,
        f"{kind.name} is more than {GOOD_USEC} us off in {is_beyond.sum()} of {kind.stats.samples} sets, first at "
        f"{_seconds(measures, is_beyond)} s, at most {kind.errors_usec[worst]:+.1f} us at "
        f"{measures.timeline.moment_usec[worst] / 1e6:.3f} s; the median is {kind.stats.median_usec:+.1f} us",
        "Set exposure once, before the start, manual and equal on all devices: changing it while streaming disturbs "
        "the timing. Check the sync cable and its plugs.",
    )


def _is_worth_telling(missing: NDArray[np.bool_], settled: NDArray[np.bool_]) -> bool:
    """Whether losses are more than the single ones that every rig has; those stand in the table of numbers."""
    is_many = missing.sum() > (1 - GOOD_COMPLETE_RATIO) * settled.sum()
    return bool(is_many or _longest_run(missing)[1] >= _BURST)


def _longest_run(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Where the longest run of marked moments begins, how many moments it has, and how many runs there are."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    if not starts.size:
        return 0, 0, 0
    longest = int(np.argmax(lengths))
    return int(starts[longest]), int(lengths[longest]), int(starts.size)


def _missing_finding(where: str, severity: Severity, missing: NDArray[np.bool_], measures: TakeMeasures) -> Finding:
    settled = measures.timeline.is_settled
    first, length, runs = _longest_run(missing)
    is_to_end = length > 1 and not settled[first + length :].any()
    return Finding(
        "verify.captures_missing",
        severity,
        where,
        f"it has no capture in {missing.sum()} of {settled.sum()} sets, in {runs} {'gap' if runs == 1 else 'gaps'}; "
        f"the longest is {length} from {measures.timeline.moment_usec[first] / 1e6:.3f} s"
        f"{', up to the end of the take' if is_to_end else ''}",
        "Single losses are normal. For more: a USB controller of its own, shorter USB cables, more CPU, a faster disk.",
    )


def _seconds(measures: TakeMeasures, mask: NDArray[np.bool_]) -> str:
    return f"{measures.timeline.moment_usec[int(np.argmax(mask))] / 1e6:.3f}"
