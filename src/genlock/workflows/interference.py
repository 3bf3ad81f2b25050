"""Do the lasers disturb each other? Measured: each device's depth alone, then with every other laser beside it.

All devices run throughout, as planned; a laser is switched off by giving its device no depth mode. So the sync chain
and the delays are the same in every run, and only the light differs. The scene must stand still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.devices import Backend
from genlock.errors import UnworkablePlanError
from genlock.findings import Finding, Severity, errors_in
from genlock.k4a import PULSE_TRAINS, DepthMode
from genlock.plan import Plan, PlannedDevice
from genlock.session import Session
from genlock.verify import pulse_gap_usec
from genlock.workflows.progress import NoProgress, Progress

__all__ = ["Agreement", "DepthQuality", "InterferenceResult", "PairResult", "measure_interference"]

CAPTURES = 24
"""Of each run: the temporal noise of a pixel is then known to 15 %, its median over a picture to far less."""
_MIN_READINGS = CAPTURES // 2
"""A pixel with fewer readings counts as one without, and has no noise."""

# Against each alone. Two runs of an undisturbed device differ by far less: the medians are over 1e5 pixels.
_MORE_INVALID_RATIO = 0.005
_MORE_NOISE = 1.15
_BLIND_RATIO = 0.9
"""A device that alone has more of its pixels without a reading has nothing that another laser could disturb."""
_USEC_PER_TICK = 100 / 9


class Agreement(StrEnum):
    """What was measured against what the plan has."""

    CLEAR = "clear"
    """Kept apart, and undisturbed."""
    DISTURBED_AS_PLANNED = "disturbed_as_planned"
    """The plan lets their pulses meet, and they disturb each other."""
    UNSEEN = "unseen"
    """The plan lets their pulses meet, and nothing shows: they do not see the same space."""
    CONTRADICTED = "contradicted"
    """The plan keeps them apart, and they disturb each other all the same."""
    NOT_JUDGED = "not_judged"
    """One of them reads next to nothing even alone."""


@dataclass(frozen=True, slots=True)
class DepthQuality:
    """How good one device's depth was in one run."""

    invalid_ratio: float
    """Share of pixels without a reading, of all pixels and captures."""
    noise_mm: float
    """Median over the pixels of the standard deviation over time."""

    @property
    def is_blind(self) -> bool:
        """Whether it reads next to nothing."""
        return self.invalid_ratio > _BLIND_RATIO


@dataclass(frozen=True, slots=True)
class PairResult:
    """Two devices: the first one's depth beside the second one's laser, and the other way round."""

    first: str
    second: str
    gap_usec: float
    """Between their pulses, by the plan; negative: they meet."""
    first_beside: DepthQuality
    second_beside: DepthQuality
    is_disturbed: bool
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class InterferenceResult:
    """Every device alone, and every pair."""

    alone: dict[str, DepthQuality]
    pairs: tuple[PairResult, ...]
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it. Any: a JSON value."""
        return {
            "format_version": 1,
            "alone": [{"serial": serial, **asdict(quality)} for serial, quality in self.alone.items()],
            "pairs": [asdict(pair) for pair in self.pairs],
            "findings": [finding.to_json() for finding in self.findings],
        }


def measure_interference(
    plan: Plan,
    backend: Backend,
    *,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> InterferenceResult:
    """Runs the rig once for each laser and once for each pair of lasers.

    Raises:
        UnworkablePlanError: the plan holds errors.
        RigError: devices failed.
    """
    if plan.has_errors:
        raise UnworkablePlanError(errors_in(plan.findings))
    progress = progress or NoProgress()
    lasers = [d.serial for d in plan.devices if PULSE_TRAINS[d.config.depth_mode] is not None]
    alone: dict[str, DepthQuality] = {}
    for serial in lasers:
        if is_cancelled():
            break
        progress.step(f"{serial} alone")
        alone.update(_run(plan, backend, (serial,), is_cancelled))
    pairs = []
    for first, second in combinations(alone, 2):
        if is_cancelled():
            break
        progress.step(f"{first} and {second} together")
        beside = _run(plan, backend, (first, second), is_cancelled)
        if len(beside) == 2:
            pairs.append(_compare(plan, alone, beside, first, second))
    return InterferenceResult(alone, tuple(pairs), tuple(f for pair in pairs for f in _findings(pair, alone)))


def _run(plan: Plan, backend: Backend, lit: Sequence[str], is_cancelled: Callable[[], bool]) -> dict[str, DepthQuality]:
    """The depth quality of the devices whose lasers are on, with all others dark; empty when cancelled."""
    devices = tuple(d if d.serial in lit else _dark(d) for d in plan.devices)
    stacks: dict[str, list[NDArray[np.uint16]]] = {serial: [] for serial in lit}
    # A device without color and depth cannot run at all: one of depth alone is left out, with what it feeds.
    running = tuple(d for d in devices if d.config.has_color or d.config.has_depth_camera)
    order = tuple(serial for serial in plan.start_order if any(d.serial == serial for d in running))
    reduced = replace(plan, devices=running, start_order=order)
    with Session(reduced, backend, is_cancelled=is_cancelled) as session:
        for capture_set in session:
            if capture_set.is_settling:
                continue
            for serial, stack in stacks.items():
                capture = capture_set.captures.get(serial)
                if capture is not None and capture.depth is not None and len(stack) < CAPTURES:
                    stack.append(np.array(capture.depth.pixels))
            if all(len(stack) == CAPTURES for stack in stacks.values()):
                break
    if any(len(stack) < CAPTURES for stack in stacks.values()):
        return {}
    return {serial: _quality(np.stack(stack)) for serial, stack in stacks.items()}


def _dark(device: PlannedDevice) -> PlannedDevice:
    """The device with its laser off."""
    config = replace(
        device.config, depth_mode=DepthMode.OFF, depth_delay_off_color_usec=0, synchronized_images_only=False
    )
    return replace(device, config=config)


def _quality(depth_mm: NDArray[np.uint16]) -> DepthQuality:
    """Of (N, H, W) depth images; 0 means no reading."""
    is_valid = depth_mm > 0
    readings = is_valid.sum(axis=0)
    is_steady = readings >= _MIN_READINGS
    if not is_steady.any():
        return DepthQuality(round(float(1 - is_valid.mean()), 6), 0.0)
    values = np.where(is_valid, depth_mm, 0).astype(np.float64)
    count = np.maximum(readings, 1)
    mean = values.sum(axis=0) / count
    variance = np.maximum((values**2).sum(axis=0) / count - mean**2, 0.0)
    noise_mm = float(np.median(np.sqrt(variance[is_steady])))
    return DepthQuality(round(float(1 - is_valid.mean()), 6), round(noise_mm, 3))


def _compare(
    plan: Plan, alone: dict[str, DepthQuality], beside: dict[str, DepthQuality], first: str, second: str
) -> PairResult:
    a, b = plan.device(first), plan.device(second)
    train_a, train_b = PULSE_TRAINS[a.config.depth_mode], PULSE_TRAINS[b.config.depth_mode]
    if train_a is None or train_b is None:
        raise ValueError(f"{first} and {second} have no lasers to compare")
    apart_usec = (b.depth_delay_off_master_color_ticks - a.depth_delay_off_master_color_ticks) * _USEC_PER_TICK
    gap_usec = pulse_gap_usec(train_a, train_b, 1e6 / a.config.camera_fps, apart_usec)
    is_disturbed = any(_is_worse(alone[serial], beside[serial]) for serial in (first, second))
    if _blind(alone, first, second):
        agreement = Agreement.NOT_JUDGED
    elif gap_usec < 0:
        agreement = Agreement.DISTURBED_AS_PLANNED if is_disturbed else Agreement.UNSEEN
    else:
        agreement = Agreement.CONTRADICTED if is_disturbed else Agreement.CLEAR
    return PairResult(first, second, round(gap_usec, 1), beside[first], beside[second], is_disturbed, agreement)


def _is_worse(alone: DepthQuality, beside: DepthQuality) -> bool:
    return (
        beside.invalid_ratio - alone.invalid_ratio > _MORE_INVALID_RATIO
        or beside.noise_mm > _MORE_NOISE * alone.noise_mm > 0
    )


def _blind(alone: dict[str, DepthQuality], *serials: str) -> list[str]:
    return [serial for serial in serials if alone[serial].is_blind]


def _findings(pair: PairResult, alone: dict[str, DepthQuality]) -> list[Finding]:
    where = f"devices {pair.first} and {pair.second}"
    if pair.agreement is Agreement.NOT_JUDGED:
        blind = " and ".join(_blind(alone, pair.first, pair.second))
        return [
            Finding(
                "session.interference_not_judged",
                Severity.WARNING,
                where,
                f"{blind} alone has a depth reading in less than {1 - _BLIND_RATIO:.0%} of its pixels: there is "
                "nothing that another laser could disturb",
                "Point the cameras at a still scene within their depth mode's range, and measure again.",
            )
        ]
    if pair.agreement is Agreement.CONTRADICTED:
        return [
            Finding(
                "session.interference_contradicts_plan",
                Severity.ERROR,
                where,
                f"the plan keeps their pulses {pair.gap_usec:.0f} us apart, but their depth is worse together",
                "Check that both kept their delays (genlock verify), that the scene stood still, and that nothing else "
                "sends infrared light.",
            )
        ]
    if pair.agreement is Agreement.DISTURBED_AS_PLANNED:
        return [
            Finding(
                "session.interference",
                Severity.WARNING,
                where,
                f"their pulses meet by {-pair.gap_usec:.0f} us, and their depth is worse together than alone",
                "Let the plan choose their delays, or give it the overlap of these two.",
            )
        ]
    return []
