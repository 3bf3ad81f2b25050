"""Calibrate a rig while the board is carried through it: look, say what is missing, solve when enough was seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

import numpy as np

from genlock.calibrate import Coverage, Detection, Guidance, View, WorldKind, parse_world
from genlock.capture import Capture, CaptureSet, CaptureSource, ImuSample
from genlock.devices import Backend
from genlock.errors import DeviceError, RigError
from genlock.plan import Plan
from genlock.session import Session
from genlock.targets import Target
from genlock.workflows.boards import BoardFootage, CalibrationResult, Imager, Refinement
from genlock.workflows.calibrate import look_together

__all__ = ["calibrate_live"]

LOOK_EVERY_SEC = 0.15
"""Between two looks, at least: a board that is carried at 0.3 m/s has moved by 5 cm."""
_MOST_READINGS = 3_000
"""Accelerometer readings that are kept of each device: two seconds of them."""


def calibrate_live(
    plan: Plan,
    backend: Backend,
    target: Target,
    *,
    imager: Imager = Imager.COLOR,
    world: str = "",
    refine: Collection[Refinement] = (),
    seconds: float | None = None,
    on_guidance: Callable[[Guidance], None] = lambda guidance: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> tuple[CalibrationResult, Guidance]:
    """Runs a rig without recording it until enough of the board was seen, then solves.

    Args:
        plan: of the rig.
        backend: who makes the captures.
        target: the board.
        imager: which camera of each device looks.
        world: as ``parse_world`` reads it.
        refine: what may be made better; taken only where held-out images gain.
        seconds: film so long, of the reference device's time, and not longer; ``None``: until enough was seen.
        on_guidance: told after every look.
        is_cancelled: asked between sets; what was seen until then is solved.

    Raises:
        UnworkablePlanError: the plan holds errors.
        RigError: devices failed.
        ValueError: a world that is not there.
    """
    footage = BoardFootage(target, parse_world(world, target), frozenset(refine))
    readings = _Readings()
    session = Session(plan, backend, sinks=(readings,), duration_sec=seconds, is_cancelled=is_cancelled)
    with session:
        for serial, device in session.devices.items():
            try:
                footage.add_device(serial, device.raw_calibration(), plan.device(serial).config, imager)
            except ValueError as error:
                raise RigError(
                    "not every device can look for the board", {serial: DeviceError(serial, str(error))}
                ) from error
        coverage = Coverage(footage.cameras, target.corners_board)
        guidance = coverage.guidance()
        next_usec = 0
        for capture_set in session:
            if capture_set.reference_usec < next_usec or not capture_set.captures:
                continue
            began_nsec = backend.clock.now_nsec()
            coverage.add(_look(footage, capture_set, imager))
            # Sets that came while this one was looked at are old: what people are shown must be now.
            taken_usec = (backend.clock.now_nsec() - began_nsec) // 1000
            next_usec = capture_set.reference_usec + max(round(LOOK_EVERY_SEC * 1e6), taken_usec)
            guidance = coverage.guidance()
            on_guidance(guidance)
            if guidance.is_enough and seconds is None:
                break
    if footage.world.kind is WorldKind.GRAVITY:
        for serial, device_readings in readings.by_serial.items():
            footage.feel(serial, np.array(device_readings).reshape(-1, 3))
    return footage.solve(), guidance


def _look(footage: BoardFootage, capture_set: CaptureSet, imager: Imager) -> dict[str, Detection]:
    found: dict[str, Detection] = {}

    def look(serial: str, capture: Capture) -> None:
        seen = footage.look(View(serial, capture_set.index), capture, imager)
        if seen is not None:
            found[serial] = seen.seen

    look_together(look, capture_set.captures)
    footage.keep_scene(capture_set.captures)
    return found


class _Readings:
    """A sink that keeps what accelerometers read."""

    def __init__(self) -> None:
        self.by_serial: dict[str, list[tuple[float, float, float]]] = {}
        self._lock = threading.Lock()

    def open(self, sources: Sequence[CaptureSource]) -> None:
        """Every device may have them."""
        self.by_serial = {source.serial: [] for source in sources}

    def on_capture(self, capture: Capture) -> None:
        """Images come by another way."""

    def on_imu(self, serial: str, samples: Sequence[ImuSample]) -> None:
        """Keeps the first readings."""
        with self._lock:
            kept = self.by_serial[serial]
            kept += [sample.acc_m_per_s2 for sample in samples[: max(0, _MOST_READINGS - len(kept))]]

    def on_capture_set(self, capture_set: CaptureSet) -> None:
        """Nor are sets needed here."""

    def close(self) -> None:
        """Nothing is held."""
