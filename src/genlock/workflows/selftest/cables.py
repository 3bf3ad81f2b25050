"""A cable that is pulled, devices that only pass pulses on, and an external trigger."""

from __future__ import annotations

from collections.abc import Iterator

from genlock.k4a import CameraFps
from genlock.rig import wires
from genlock.sync import DriftFit
from genlock.workflows.selftest.bench import Track
from genlock.workflows.selftest.figures import Camera, camera_usec, drift_against, offsets_between
from genlock.workflows.selftest.lab import (
    SHORT_SEC,
    Answer,
    Experiment,
    Lab,
    answer,
    needs_master,
    not_tried,
    tolerance_usec,
)
from genlock.workflows.selftest.operator import Task

__all__ = ["IDLE", "PULLED", "TRIGGER"]

_SETTLE_NSEC = 1_000_000_000
_LEAST_SHARE = 0.8
_JACK_NSEC = 1_500_000_000
_SIGMAS = 5.0
_LEAST_PPM = 0.3
"""Less than this is no free oscillator: two of them differ by parts per million."""


def _pulled(lab: Lab) -> Iterator[Answer]:
    freed = lab.subordinates[-1]
    with lab.bench.armed(lab.devices()) as running:
        lab.start_all(running)
        running.wait(SHORT_SEC)
        refusal = lab.operator.do(Task.PULL_SYNC_IN, freed)
        if refusal is not None:
            yield from (not_tried(claim, refusal) for claim in PULLED.claims)
            return
        pulled_nsec = lab.bench.clock.now_nsec()
        running.wait(lab.long_sec)
        # Read before the operator takes their time.
        ended_nsec = lab.bench.clock.now_nsec()
        master, track = running.tracks[lab.reference], running.tracks[freed]
        drift = drift_against(master, track, pulled_nsec + _SETTLE_NSEC)
        jack = _jack(track, pulled_nsec)
        answers = [_runs_on(track, pulled_nsec, ended_nsec), _drifts(drift, jack), jack]
        lab.operator.do(Task.PUT_BACK_SYNC_IN, freed)
    yield from answers


def _runs_on(track: Track, since_nsec: int, until_nsec: int) -> Answer:
    came = sum(since_nsec < (stamp.arrival_nsec or 0) <= until_nsec for stamp in track.stamps)
    due = (until_nsec - since_nsec) / 1000 / track.period_usec
    text = f"{came} of about {due:.0f} captures came afterwards" + (
        f"; it failed: {track.error}" if track.error else ""
    )
    return answer("freed_runs_on", came >= _LEAST_SHARE * due and track.error is None, text, captures=came, due=due)


def _drifts(fit: DriftFit | None, jack: Answer) -> Answer:
    """Stamps that stay perfect say something only if the jack says that the cable is gone."""
    claim = "freed_stamps_drift"
    if fit is None:
        return not_tried(claim, "too few captures after the pull")
    is_drifting = abs(fit.drift_ppm) > max(_SIGMAS * fit.standard_error_ppm, _LEAST_PPM)
    if not is_drifting and not jack.numbers["told"]:
        return not_tried(claim, "neither the jack nor the stamps show a pull: was it the right plug?")
    measured = f"{fit.drift_ppm:+.3f} +- {fit.standard_error_ppm:.3f} ppm"
    text = f"its stamps drift by {measured}" if is_drifting else f"its stamps stay perfect: {measured}"
    return answer(claim, is_drifting, text, drift_ppm=fit.drift_ppm, sigma_ppm=fit.standard_error_ppm)


def _jack(track: Track, pulled_nsec: int) -> Answer:
    """The moment of the pull is that of the operator's word, a second or so after the true one."""
    told = [nsec for nsec, jacks in track.jacks if jacks is not None and not jacks.sync_in_connected]
    if not told:
        return answer(
            "jack_tells_pull", False, "the jack never showed that the plug was gone; was it the right one?", told=False
        )
    after_sec = (told[0] - pulled_nsec) / 1e9
    text = f"the jack showed it {after_sec:+.1f} s after the operator's word"
    return answer("jack_tells_pull", told[0] - pulled_nsec <= _JACK_NSEC, text, told=True, after_sec=after_sec)


def _idle(lab: Lab) -> Iterator[Answer]:
    last = lab.subordinates[-1]
    with lab.bench.armed([lab.device(last), lab.device(lab.reference)]) as running:
        lab.start_all(running, (last, lab.reference))
        running.wait(SHORT_SEC)
        captures = len(running.tracks[last].stamps)
    between = ", ".join(_between(lab, last))
    text = f"{captures} captures of {last} through {between}, which {'was' if ',' not in between else 'were'} not open"
    yield answer("idle_device_repeats", captures > 0, text, captures=captures)


def _between(lab: Lab, serial: str) -> list[str]:
    """The devices that a pulse passes on its way from the master, nearest to the master first."""
    feeds = {wire.destination: wire.source for wire in wires(lab.rig)}
    passed: list[str] = []
    place = feeds.get(serial, lab.reference)
    while place != lab.reference and place not in passed:
        if place in lab.subordinates:
            passed.append(place)
        place = feeds.get(place, lab.reference)
    return passed[::-1]


def _idle_hindrance(lab: Lab) -> str | None:
    hindrance = needs_master(2)(lab)
    if hindrance is None and not _between(lab, lab.subordinates[-1]):
        return "no device lies between the master and the last subordinate"
    return hindrance


def _trigger(lab: Lab) -> Iterator[Answer]:
    into_master = lab.master is not None
    claim, other = ("trigger_into_master", "trigger_all_subordinates")[:: 1 if into_master else -1]
    have = "names a master" if into_master else "names no master"
    yield not_tried(other, f"the rig file {have}; try it with another rig file")
    with lab.bench.armed(lab.devices()) as running:
        early = lab.start_waiting(running)
        running.wait(SHORT_SEC)
        tracks = dict(running.tracks)
    lab.stop_pulses()
    yield _triggered(claim, lab, tracks, early)


def _triggered(claim: str, lab: Lab, tracks: dict[str, Track], early: dict[str, int]) -> Answer:
    bound_usec = tolerance_usec(CameraFps.FPS_30)
    reference_usec = camera_usec(tracks[lab.reference], Camera.COLOR)
    wrong = [f"{serial} delivered before the trigger" for serial, count in early.items() if count]
    numbers: dict[str, float] = {}
    for serial, track in tracks.items():
        offsets = offsets_between(reference_usec, camera_usec(track, Camera.COLOR), track.period_usec)
        if offsets is None:
            wrong.append(f"{serial} delivered {len(track.stamps)} captures")
            continue
        numbers[f"offset_usec_{serial}"] = offsets.median_usec
        if abs(offsets.median_usec) > bound_usec:
            wrong.append(f"{serial} lies {offsets.median_usec:+.0f} us off")
    text = "; ".join(wrong) or f"{len(tracks)} devices wait for it, then agree within {bound_usec:.0f} us"
    return answer(claim, not wrong, text, **numbers)


PULLED = Experiment(
    "a sync cable is pulled while the rig runs",
    ("freed_runs_on", "freed_stamps_drift", "jack_tells_pull"),
    _pulled,
    needs_master(),
)
IDLE = Experiment("pulses through devices that are not started", ("idle_device_repeats",), _idle, _idle_hindrance)
TRIGGER = Experiment(
    "an external trigger",
    ("trigger_all_subordinates", "trigger_into_master"),
    _trigger,
    lambda lab: None if lab.is_triggered else "the rig file has no external trigger",
)
