"""Rules about pulsed light of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from genlock.findings import Finding, Severity
from genlock.plan.case import Case, Rule
from genlock.plan.delays import lasers_of, reference_fps
from genlock.plan.emitters import clearances_grains, strobe_of
from genlock.plan.model import PlannedEmitter
from genlock.plan.timing import GRAINS_PER_USEC, SMALL_GUARD_USEC, Laser, frame_period_grains
from genlock.rig import Topology

__all__ = ["EMITTER_RULES"]


def _named_well(case: Case) -> Iterator[Finding]:
    serials = {device.serial for device in case.rig.devices}
    for name, count in Counter(emitter.name for emitter in case.rig.emitters).items():
        if count > 1:
            message = f"{count} emitters are called {name}"
            yield Finding("plan.emitter_twice", Severity.WARNING, f"emitter {name}", message, "Give each its own name.")
    for i, emitter in enumerate(case.rig.emitters):
        for serial in emitter.seen_by or ():
            if serial not in serials:
                message = f"its light reaches {serial}, which is no device of this rig"
                remedy = f"The devices of this rig are {', '.join(sorted(serials)) or 'none'}."
                yield Finding("plan.emitter_unknown_serial", Severity.ERROR, f"emitter[{i}].seen_by", message, remedy)
        if emitter.pulse_usec >= emitter.period_usec:
            message = f"its pulse of {emitter.pulse_usec:g} us does not fit its period of {emitter.period_usec:g} us"
            remedy = "A light that is always on is no pulse train: take it out, or correct the numbers."
            yield Finding("plan.emitter_always_on", Severity.ERROR, f"emitter[{i}].pulse_usec", message, remedy)


def _disturbing(case: Case) -> Iterator[Finding]:
    """How near each light comes to the lasers, or how often it meets them."""
    if not case.plan.devices:
        return
    lasers = lasers_of(case.plan.configs, case.plan.center_shifts_grains)
    period = frame_period_grains(reference_fps(case.rig))
    has_clock = case.plan.topology is not Topology.STANDALONE
    for emitter in case.plan.emitters:
        seen = [serial for serial in emitter.seen_by if serial in lasers]
        if not seen or emitter.pulse_usec >= emitter.period_usec:
            continue
        strobe = strobe_of(emitter, period) if has_clock else None
        if strobe is None:
            yield from _running_free(emitter, lasers[seen[0]], has_clock, period)
            continue
        gaps = {s: clearances_grains(lasers[s].train, _center(lasers[s]), strobe, period)[0] for s in seen}
        serial = min(gaps, key=lambda s: (gaps[s], s))
        yield from _locked(case, emitter, serial, gaps[serial] / GRAINS_PER_USEC)


def _center(laser: Laser) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([laser.center_grains], np.int64)


def _running_free(emitter: PlannedEmitter, laser: Laser, has_clock: bool, period: int) -> Iterator[Finding]:
    share = min((emitter.pulse_usec + laser.train.pulse_usec) / emitter.period_usec, 1)
    often = f"about {share:.1%} of the pulses of every laser that sees it meet one of its"
    where = f"emitter {emitter.name}"
    if emitter.phase_usec is not None and has_clock:
        frame_usec = period / GRAINS_PER_USEC
        message = (
            f"its period of {emitter.period_usec:g} us is no whole part of the frame period of {frame_usec:.2f} us, so "
            f"that its phase wanders: {often}"
        )
        remedy = "Drive it from the sync pulse at a whole multiple of camera_fps."
        yield Finding("plan.emitter_not_locked", Severity.WARNING, where, message, remedy)
    else:
        message = f"it runs free of the rig's clock: {often}"
        remedy = "Lock it to the rig's sync pulse and give its phase_usec, filter its light, or keep it out of view."
        yield Finding("plan.emitter_free_running", Severity.WARNING, where, message, remedy)


def _locked(case: Case, emitter: PlannedEmitter, serial: str, gap_usec: float) -> Iterator[Finding]:
    where = f"emitter {emitter.name}"
    wanted_usec = case.rig.plan.min_guard_usec
    remedy = "Give it another phase_usec or period, raise plan.max_rgbd_skew_usec, or remove pinned delays."
    if gap_usec < 0:
        message = f"its pulses overlap those of {serial} by {-gap_usec:.1f} us: depth there is disturbed in every frame"
        yield Finding("plan.emitter_meets_laser", Severity.WARNING, where, message, remedy)
    elif gap_usec < min(SMALL_GUARD_USEC, wanted_usec):
        message = f"only {gap_usec:.1f} us between its pulses and those of {serial}; {SMALL_GUARD_USEC} are recommended"
        yield Finding("plan.emitter_near_laser", Severity.WARNING, where, message, remedy)
    elif gap_usec < wanted_usec:
        message = f"{gap_usec:.1f} us between its pulses and those of {serial}; {wanted_usec} us were wanted"
        yield Finding("plan.emitter_near_laser", Severity.INFO, where, message, "")


EMITTER_RULES: tuple[Rule, ...] = (_named_well, _disturbing)
