"""Starting late, and starting again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from genlock.errors import DeviceError
from genlock.k4a import CameraFps, DepthMode
from genlock.workflows.selftest.figures import host_lag
from genlock.workflows.selftest.lab import (
    FIRST_IMAGE_SEC,
    SHORT_SEC,
    Answer,
    Experiment,
    Lab,
    Verdict,
    answer,
    needs_master,
    tolerance_usec,
)
from genlock.workflows.selftest.steady import common_zero

__all__ = ["LATE", "RESTART"]

_LATE_SEC = 1.3
_LATEST_FIRST_USEC = 1_000_000
"""A clock that was set to zero shows less than this at its first image."""


def _late(lab: Lab) -> Iterator[Answer]:
    """At 5 fps: arrivals of one moment lie 40 ms apart at most, so that the host sees whole periods of 200 ms.

    Color alone: the SDK throws depth away that begins with a stamp beyond ten periods.
    """
    late = lab.subordinates[0]  # next to the master: nothing in between has to pass pulses on
    devices = [
        lab.device(serial, camera_fps=CameraFps.FPS_5, depth_mode=DepthMode.OFF) for serial in (lab.reference, late)
    ]
    with lab.bench.armed(devices) as running:
        running.start(lab.reference)
        running.wait_for_images(FIRST_IMAGE_SEC)
        running.wait(_LATE_SEC)
        running.start(late)
        running.wait_for_images(FIRST_IMAGE_SEC)
        running.wait(SHORT_SEC)
        tracks = dict(running.tracks)
    seen = host_lag(tracks[lab.reference], tracks[late])
    if seen is None:
        raise DeviceError(late, "too few captures after its late start")
    periods, rest_usec = seen
    first_usec = tracks[late].stamps[0].color_usec
    text = f"its stamps lie {periods} periods behind the master's; its first image is at {first_usec} us of its clock"
    yield answer("late_start_own_zero", periods >= 1, text, periods=periods, first_usec=first_usec)
    bound_usec = tolerance_usec(CameraFps.FPS_5)
    text = f"beside whole periods its stamps lie {rest_usec:+.0f} us off"
    yield answer("late_start_on_pulse", abs(rest_usec) <= bound_usec, text, rest_usec=rest_usec)


def _restart(lab: Lab) -> Iterator[Answer]:
    """Run, stop the master first, run, stop it last, run."""
    numbers: dict[str, float | int | str | bool | None] = {}
    wrong: list[str] = []
    with lab.bench.armed(lab.devices()) as running:
        for round_, stop_order in enumerate((lab.plan.start_order[::-1], lab.plan.start_order, ())):
            lab.start_all(running)
            running.wait(SHORT_SEC)
            tracks = dict(running.tracks)
            for serial in stop_order:
                running.stop(serial)
            found = common_zero("restart_common_zero", lab, tracks)
            numbers |= {f"run_{round_}_{name}": value for name, value in found.numbers.items()}
            firsts = [track.stamps[0].color_usec or 0 for track in tracks.values() if track.stamps]
            numbers[f"run_{round_}_latest_first_usec"] = max(firsts, default=None)
            if found.verdict is not Verdict.HELD or max(firsts, default=_LATEST_FIRST_USEC) >= _LATEST_FIRST_USEC:
                wrong.append(f"run {round_ + 1}: {found.text}")
    text = "; ".join(wrong) or "three runs, each from zero and on one time base"
    yield replace(answer("restart_common_zero", not wrong, text), numbers=numbers)


LATE = Experiment(
    "a subordinate that starts after its master", ("late_start_own_zero", "late_start_on_pulse"), _late, needs_master()
)
RESTART = Experiment("stop in either order, start again", ("restart_common_zero",), _restart, needs_master())
