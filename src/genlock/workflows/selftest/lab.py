"""What an experiment is given, what it gives back, and the settings that all of them share.

The run has modes of its own (30 fps, 720P MJPG, NFOV_2X2BINNED, equal exposures, no delays), so that reports of
different rigs can be compared; from the rig file come serials, wiring and powerline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any

from genlock.devices import Backend
from genlock.errors import NotDoneError
from genlock.k4a import (
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    PowerlineFrequency,
    WiredSyncMode,
)
from genlock.plan import Plan, PlannedDevice
from genlock.preflight import Machine
from genlock.rig import Rig, Topology
from genlock.workflows.selftest.bench import Bench, Running
from genlock.workflows.selftest.operator import Operator, Task

__all__ = ["Answer", "Experiment", "Lab", "Verdict", "answer", "needs_master", "not_tried", "tolerance_usec"]

FIRST_IMAGE_SEC = 15.0
SHORT_SEC = 5.0
WAIT_SEC = 1.5
"""For subordinates that should not deliver: a free one has its first image 220 to 248 ms after its first pulse."""


class Verdict(StrEnum):
    """What became of a claim."""

    HELD = "held"
    DID_NOT_HOLD = "did_not_hold"
    NOT_TRIED = "not_tried"


@dataclass(frozen=True, slots=True)
class Answer:
    """One claim's answer."""

    claim_id: str
    verdict: Verdict
    text: str
    """What was seen, in a sentence; why nothing was."""
    numbers: Mapping[str, float | int | str | bool | None] = field(default_factory=dict)
    """What was measured, units in the names; serials too where devices differ."""

    def to_json(self) -> dict[str, Any]:  # any JSON value
        """As it stands in the report, beside the claim itself."""
        return {"verdict": self.verdict.value, "text": self.text, "numbers": dict(self.numbers)}


def answer(claim_id: str, is_held: bool, text: str, **numbers: float | int | str | bool | None) -> Answer:
    """A claim that was tried."""
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in numbers.items()}
    return Answer(claim_id, Verdict.HELD if is_held else Verdict.DID_NOT_HOLD, text, rounded)


def not_tried(claim_id: str, why: str) -> Answer:
    """A claim that was not."""
    return Answer(claim_id, Verdict.NOT_TRIED, why)


def tolerance_usec(fps: CameraFps) -> float:
    """What Microsoft's multi-device test allows: 110 us at 30 fps, 660 at 5."""
    return 3_300 / fps


@dataclass(frozen=True, slots=True)
class Lab:
    """A rig on the bench."""

    rig: Rig
    plan: Plan
    backend: Backend
    bench: Bench
    operator: Operator
    long_sec: float
    """How long the runs are that clocks are read from."""
    machine: Machine | None = None
    """The computer, where its USB bus can be looked at."""

    @property
    def reference(self) -> str:
        """The master, else the first device."""
        return self.plan.reference_serial

    @property
    def master(self) -> str | None:
        """The master; ``None`` where there is none."""
        roles = {d.serial: d.config.wired_sync_mode for d in self.plan.devices}
        return next((serial for serial, role in roles.items() if role is WiredSyncMode.MASTER), None)

    @property
    def subordinates(self) -> tuple[str, ...]:
        """In the order of their start."""
        role = WiredSyncMode.SUBORDINATE
        return tuple(s for s in self.plan.start_order if self.plan.device(s).config.wired_sync_mode is role)

    @property
    def is_triggered(self) -> bool:
        """Whether the pulses come from an external trigger."""
        return self.plan.topology is Topology.EXTERNAL_TRIGGER

    @property
    def short_exposure_usec(self) -> int:
        """Of the run's own settings: one half cycle of the light."""
        return 10_000 if self.rig.capture.powerline_hz is PowerlineFrequency.HZ_50 else 8_330

    @property
    def long_exposure_usec(self) -> int:
        """Twice that."""
        return 20_000 if self.rig.capture.powerline_hz is PowerlineFrequency.HZ_50 else 16_670

    def device(
        self, serial: str, *, exposure_usec: int | None = None, role: WiredSyncMode | None = None, **config: Any
    ) -> PlannedDevice:  # Any: fields of DeviceConfig
        """A device with the run's own settings, but for what is given."""
        planned = self.plan.device(serial)
        mode = planned.config.wired_sync_mode if role is None else role
        own = DeviceConfig(
            color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_2X2BINNED, wired_sync_mode=mode
        )
        exposure = self.short_exposure_usec if exposure_usec is None else exposure_usec
        return replace(
            planned,
            config=replace(own, **config),
            exposure_usec=exposure,
            requested_exposure_usec=exposure,
            powerline_hz=self.rig.capture.powerline_hz,
            color_controls={},
            imu=True,
        )

    def devices(self, **changes: Any) -> list[PlannedDevice]:  # Any: as ``device`` takes them
        """All of them, in the order of their start."""
        return [self.device(serial, **changes) for serial in self.plan.start_order]

    def start_all(self, running: Running, serials: Sequence[str] | None = None) -> None:
        """Starts these devices, by default all, in the order of the plan, and waits for images of all."""
        for serial in self.plan.start_order if serials is None else serials:
            running.start(serial)
        running.wait_for_images(FIRST_IMAGE_SEC)

    def start_waiting(self, running: Running) -> dict[str, int]:
        """Starts all devices, and lets those that wait for pulses wait before there are any.

        Returns:
            How many captures each of them delivered in vain.

        Raises:
            NotDoneError: nobody switched the trigger on.
        """
        *waiting, last = self.plan.start_order
        for serial in waiting:
            running.start(serial)
        running.wait(WAIT_SEC)
        early = {serial: len(running.tracks[serial].stamps) for serial in waiting}
        running.start(last)
        if self.is_triggered:
            refusal = self.operator.do(Task.TRIGGER_ON)
            if refusal is not None:
                raise NotDoneError(refusal)
        running.wait_for_images(FIRST_IMAGE_SEC)
        return early

    def stop_pulses(self) -> None:
        """After a run; devices that are started while a trigger pulses begin at different pulses."""
        if self.is_triggered:
            self.operator.do(Task.TRIGGER_OFF)


@dataclass(frozen=True, slots=True)
class Experiment:
    """Something that is done on the bench, and the claims that it answers."""

    title: str
    claims: tuple[str, ...]
    run: Callable[[Lab], Iterator[Answer]]
    """May raise ``GenlockError``: what it has not answered then was not tried."""
    hindrance: Callable[[Lab], str | None] = lambda lab: None
    """Why it cannot be done with this rig; ``None``: it can."""


def _needs_master(lab: Lab, subordinates: int) -> str | None:
    if lab.master is None:
        return "the rig file has no master"
    if len(lab.subordinates) < subordinates:
        return f"needs {subordinates} subordinates; the rig file has {len(lab.subordinates)}"
    return "its master is driven by a trigger" if lab.is_triggered else None


def needs_master(subordinates: int = 1) -> Callable[[Lab], str | None]:
    """The hindrance of an experiment that needs a master and so many subordinates."""
    return partial(_needs_master, subordinates=subordinates)
