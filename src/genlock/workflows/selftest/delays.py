"""Delays that tell cutting from rounding, and exposures of different length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from genlock.devices import ColorControl, ColorControlValue
from genlock.errors import DeviceError
from genlock.k4a import CameraFps, WiredSyncMode, ticks_from_usec, usec_from_ticks
from genlock.pixels import to_rgb
from genlock.workflows.selftest.bench import Running, Track
from genlock.workflows.selftest.figures import Camera, camera_usec, offsets_between
from genlock.workflows.selftest.lab import (
    FIRST_IMAGE_SEC,
    SHORT_SEC,
    Answer,
    Experiment,
    Lab,
    answer,
    needs_master,
    not_tried,
    tolerance_usec,
)

__all__ = ["BRIGHTNESS", "DELAYS", "EXPOSURES"]

_SUBORDINATE_DELAY_USEC = 165
"""14.85 ticks: cut 14, rounded 15."""
_DEPTH_DELAY_USEC = 298
"""26.82 ticks: cut 26, rounded 27; and the same below zero."""
_MASTER_DEPTH_USEC = 60.0
_TICKS_PER_USEC = 9 / 100
_ALIKE_RATIO = (0.7, 1.4)


def _delays(lab: Lab) -> Iterator[Answer]:
    numbers: dict[str, float] = {}
    errors_ticks: dict[str, list[float]] = {"subordinate": [], "depth": []}
    master_usec: list[float] = []
    for depth_delay_usec in (_DEPTH_DELAY_USEC, -_DEPTH_DELAY_USEC):
        tracks = _run_with_delays(lab, depth_delay_usec)
        reference_usec = camera_usec(tracks[lab.reference], Camera.COLOR)
        wanted = ticks_from_usec(depth_delay_usec)
        for serial, track in tracks.items():
            color_usec = camera_usec(track, Camera.COLOR)
            depth = offsets_between(color_usec, camera_usec(track, Camera.DEPTH), track.period_usec)
            if depth is None:
                raise DeviceError(serial, "too few captures with both images to measure a delay")
            if serial == lab.master:
                master_usec.append(depth.median_usec - usec_from_ticks(wanted))
                continue
            numbers[f"depth_delay_{depth_delay_usec}_became_usec_{serial}"] = depth.median_usec
            errors_ticks["depth"].append(depth.median_usec * _TICKS_PER_USEC - wanted)
            color = offsets_between(reference_usec, color_usec, track.period_usec)
            if color is not None:
                numbers[f"subordinate_delay_{_SUBORDINATE_DELAY_USEC}_became_usec_{serial}"] = color.median_usec
                own_ticks = ticks_from_usec(_SUBORDINATE_DELAY_USEC)
                errors_ticks["subordinate"].append(color.median_usec * _TICKS_PER_USEC - own_ticks)
    for kind, errors in errors_ticks.items():
        worst = max(errors, key=abs, default=None)
        if worst is None:
            yield not_tried(f"{kind}_delay_truncates", "too few captures to measure it")
            continue
        text = f"at most {worst:+.2f} ticks from the whole ticks, cut (rounding would be +-1)"
        own = {name: value for name, value in numbers.items() if name.startswith(kind)}
        yield answer(f"{kind}_delay_truncates", abs(worst) < 0.5, text, worst_ticks=worst, **own)
    late_usec = max(master_usec, key=abs)
    text = f"its depth lies {late_usec:+.0f} us from its whole ticks"
    yield answer("master_depth_late", abs(late_usec) <= _MASTER_DEPTH_USEC, text, late_usec=late_usec)


def _run_with_delays(lab: Lab, depth_delay_usec: int) -> dict[str, Track]:
    devices = [
        lab.device(
            serial,
            depth_delay_off_color_usec=depth_delay_usec,
            subordinate_delay_off_master_usec=0 if serial == lab.master else _SUBORDINATE_DELAY_USEC,
        )
        for serial in lab.plan.start_order
    ]
    with lab.bench.armed(devices) as running:
        lab.start_all(running)
        running.wait(SHORT_SEC)
        return dict(running.tracks)


def _exposures(lab: Lab) -> Iterator[Answer]:
    """Subordinates with the longer exposure and no delay: where their centres then lie tells how exposures meet."""
    short_usec, long_usec = lab.short_exposure_usec, lab.long_exposure_usec
    devices = [
        lab.device(serial, exposure_usec=short_usec if serial == lab.master else long_usec)
        for serial in lab.plan.start_order
    ]
    with lab.bench.armed(devices) as running:
        lab.start_all(running)
        running.wait(SHORT_SEC)
        tracks = dict(running.tracks)
    half_usec, bound_usec = (long_usec - short_usec) / 2, tolerance_usec(CameraFps.FPS_30)
    period_usec = tracks[lab.reference].period_usec
    reference_usec = camera_usec(tracks[lab.reference], Camera.COLOR)
    colors: dict[str, float] = {}
    depths: dict[str, float] = {}
    for serial in lab.subordinates:
        own_usec = camera_usec(tracks[serial], Camera.COLOR)
        color, depth = (
            offsets_between(reference_usec, own_usec, period_usec),
            offsets_between(own_usec, camera_usec(tracks[serial], Camera.DEPTH), period_usec),
        )
        if color is not None:
            colors[f"center_after_master_usec_{serial}"] = color.median_usec
        if depth is not None:
            depths[f"depth_after_color_usec_{serial}"] = depth.median_usec
    yield _how_exposures_meet(colors, half_usec, bound_usec)
    if not depths:
        yield not_tried("depth_follows_color", "too few captures with both images")
        return
    worst = max(depths.values(), key=abs)
    yield answer(
        "depth_follows_color", abs(worst) <= bound_usec, f"depth {worst:+.0f} us after its color, 0 asked", **depths
    )


def _how_exposures_meet(centers_usec: dict[str, float], half_usec: float, bound_usec: float) -> Answer:
    claim = "unequal_exposures_end_together"
    if not centers_usec:
        return not_tried(claim, "too few captures to measure it")
    ways = {"end": -half_usec, "are centred": 0.0, "begin": half_usec}
    worst = max(centers_usec.values(), key=lambda usec: abs(usec + half_usec))
    fitting = [way for way, usec in ways.items() if abs(worst - usec) <= bound_usec]
    how = f"exposures {fitting[0]} together" if fitting else "no simple rule fits"
    text = f"the longer exposure's centre lies {worst:+.0f} us after the shorter one's: {how}"
    return answer(claim, fitting[:1] == ["end"], text, expected_usec=-half_usec, **centers_usec)


def _brightness(lab: Lab) -> Iterator[Answer]:
    """One device by itself: manual at once, then automatic for a while, then manual again."""
    device = lab.device(lab.reference, role=WiredSyncMode.STANDALONE)
    with lab.bench.armed([device]) as running:
        first = _mean_brightness(lab, running)
        control = ColorControl.EXPOSURE_TIME_ABSOLUTE
        running.device(lab.reference).set_color_control(control, ColorControlValue(False, 0))
        _mean_brightness(lab, running)
        running.device(lab.reference).set_color_control(control, ColorControlValue(True, lab.short_exposure_usec))
        later = _mean_brightness(lab, running)
    if not later:
        yield not_tried("manual_first_is_as_bright", "the images are black: take the caps off, switch the light on")
        return
    ratio = first / later
    text = f"{ratio:.2f} of the light that it has after automatic exposure"
    is_held = _ALIKE_RATIO[0] <= ratio <= _ALIKE_RATIO[1]
    yield answer("manual_first_is_as_bright", is_held, text, first_level=first, later_level=later)


def _mean_brightness(lab: Lab, running: Running) -> float:
    """Of the last of some seconds' images, 0 to 255."""
    running.start(lab.reference)
    running.wait_for_images(FIRST_IMAGE_SEC)
    running.wait(2.0)
    running.stop(lab.reference)
    image = running.tracks[lab.reference].last_color
    if image is None:
        raise DeviceError(lab.reference, "no color image came")
    return float(np.mean(to_rgb(image)))


DELAYS = Experiment(
    "delays that tell cutting from rounding",
    ("subordinate_delay_truncates", "depth_delay_truncates", "master_depth_late"),
    _delays,
    needs_master(),
)
EXPOSURES = Experiment(
    "exposures of different length",
    ("unequal_exposures_end_together", "depth_follows_color"),
    _exposures,
    needs_master(),
)
BRIGHTNESS = Experiment("manual exposure straight away", ("manual_first_is_as_bright",), _brightness)
