"""Lasers beside each other: kept apart as planned, and all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from genlock.errors import NotDoneError
from genlock.k4a import PULSE_TRAINS
from genlock.plan import Plan
from genlock.workflows.interference import Agreement, PairResult, measure_interference
from genlock.workflows.selftest.lab import Answer, Experiment, Lab, answer, needs_master, not_tried
from genlock.workflows.selftest.operator import Task

__all__ = ["LIGHT"]

_OFFSETS_USEC = (0, 80, 240)
"""Pulses of 125 us: at once; overlapping, also where the master's depth comes 44 us late; apart, also then."""


def _run(lab: Lab) -> Iterator[Answer]:
    """The master and the first subordinate that has a laser, in the rig file's own modes."""
    refusal = lab.operator.do(Task.HOLD_STILL)
    if refusal is not None:
        yield from (not_tried(claim, refusal) for claim in LIGHT.claims)
        return
    planned = _pair(lab)
    apart = _measure(lab, planned)
    if apart is None or apart.gap_usec < 0:
        yield not_tried("lasers_apart_clear", "the plan does not keep these two lasers apart")
    else:
        yield answer(
            "lasers_apart_clear", apart.agreement is Agreement.CLEAR, f"pulses {apart.gap_usec:.0f} us apart: "
            f"{_quality(apart)}", **_numbers(apart)
        )  # fmt: skip
    yield from _sweep(lab, planned)


def _sweep(lab: Lab, planned: Plan) -> Iterator[Answer]:
    """The same two, with their pulses nearer and nearer to each other."""
    measured = {usec: pair for usec in _OFFSETS_USEC if (pair := _measure(lab, _with_offset(lab, planned, usec)))}
    if len(measured) < len(_OFFSETS_USEC):
        yield from (not_tried(claim, "it was interrupted") for claim in LIGHT.claims[1:])
        return
    together, overlapping, clear = (measured[usec] for usec in _OFFSETS_USEC)
    hint = "" if together.is_disturbed else "; do both see the same space?"
    text = f"pulses at once: {_quality(together)}{hint}"
    yield answer("lasers_together_disturb", together.is_disturbed, text, **_numbers(together))
    seen = [f"at {usec} us {_quality(pair)}" for usec, pair in measured.items()]
    is_held = overlapping.is_disturbed and not clear.is_disturbed
    noise = {f"noise_mm_at_{usec}_usec": pair.first_beside.noise_mm for usec, pair in measured.items()}
    yield answer("lasers_disturb_by_overlap", is_held, "; ".join(seen[1:]), **noise)


def _pair(lab: Lab) -> Plan:
    serials = (lab.subordinates[0], lab.reference)
    return replace(
        lab.plan, devices=tuple(d for d in lab.plan.devices if d.serial in serials), start_order=serials, findings=()
    )


def _with_offset(lab: Lab, plan: Plan, offset_usec: int) -> Plan:
    """The subordinate's depth exposed so much after the master's, color together."""
    devices = tuple(
        replace(
            device,
            config=replace(
                device.config,
                depth_delay_off_color_usec=0 if device.serial == lab.reference else offset_usec,
                subordinate_delay_off_master_usec=0,
            ),
        )
        for device in plan.devices
    )
    return replace(plan, devices=devices)


def _measure(lab: Lab, plan: Plan) -> PairResult | None:
    """The pair; ``None`` when the run was cancelled. Raises ``NotDoneError`` where there is nothing to be disturbed."""
    result = measure_interference(plan, lab.backend, is_cancelled=lab.bench.is_cancelled)
    for serial, quality in result.alone.items():
        if quality.is_blind:
            raise NotDoneError(
                f"{100 * quality.invalid_ratio:.0f} % of the depth of {serial} is without a reading although its laser "
                "is alone: point it at something within its range"
            )
    return result.pairs[0] if result.pairs else None


def _quality(pair: PairResult) -> str:
    state = "disturbed" if pair.is_disturbed else "undisturbed"
    first, second = pair.first_beside, pair.second_beside
    return (
        f"{state}, {100 * first.invalid_ratio:.2f} % and {100 * second.invalid_ratio:.2f} % without a reading, noise "
        f"{first.noise_mm:.2f} and {second.noise_mm:.2f} mm"
    )


def _numbers(pair: PairResult) -> dict[str, float]:
    return {
        "gap_usec": pair.gap_usec,
        "first_invalid_ratio": pair.first_beside.invalid_ratio,
        "second_invalid_ratio": pair.second_beside.invalid_ratio,
        "first_noise_mm": pair.first_beside.noise_mm,
        "second_noise_mm": pair.second_beside.noise_mm,
    }


def _hindrance(lab: Lab) -> str | None:
    hindrance = needs_master()(lab)
    if hindrance is None:
        configs = (lab.plan.device(serial).config for serial in (lab.reference, lab.subordinates[0]))
        if any(PULSE_TRAINS[config.depth_mode] is None for config in configs):
            return "master and first subordinate need depth modes with a laser"
        if not lab.plan.device(lab.subordinates[0]).config.has_color:
            return "the first subordinate needs color: its depth is moved beside it"
    return hindrance


LIGHT = Experiment(
    "lasers beside each other",
    ("lasers_apart_clear", "lasers_together_disturb", "lasers_disturb_by_overlap"),
    _run,
    _hindrance,
)
