"""What a person should know about a plan: rules, each a small function in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from genlock.findings import Finding, Severity
from genlock.k4a import ColorResolution, start_refusals
from genlock.plan.budget_checks import BUDGET_RULES
from genlock.plan.case import Case, Rule, by_value, names
from genlock.plan.delays import Delays, reference_fps
from genlock.plan.emitter_checks import EMITTER_RULES
from genlock.plan.exposure_checks import EXPOSURE_RULES
from genlock.plan.laser_checks import LASER_RULES
from genlock.plan.model import Plan
from genlock.rig import Rig, Topology

__all__ = ["check_plan"]


def check_plan(rig: Rig, plan: Plan, delays: Delays, guards_usec: Mapping[tuple[str, str], float]) -> list[Finding]:
    """Every finding about modes, exposure, color, delays, lasers and computers; the cables have their own checks.

    Args:
        rig: what is owned and wanted.
        plan: what was planned, still without findings.
        delays: how its delays were chosen.
        guards_usec: the gap between the lasers of each two devices that see the same space.
    """
    case = Case(rig, plan, delays, guards_usec)
    return [finding for rule in _ALL_RULES for finding in rule(case)]


def _start_rules(case: Case) -> Iterator[Finding]:
    """Why the SDK would refuse a device. The two rules about plugs wait until there are plugs."""
    for device in case.plan.devices:
        for refusal in start_refusals(device.config):
            yield Finding(
                f"plan.{refusal.code}", Severity.ERROR, f"device {device.serial}", refusal.message, refusal.remedy
            )


def _one_rate(case: Case) -> Iterator[Finding]:
    if not case.is_synchronized:
        return
    rates = {device.serial: int(device.config.camera_fps) for device in case.plan.devices}
    if len(set(rates.values())) > 1:
        yield Finding(
            "plan.fps_unequal",
            Severity.ERROR,
            "capture.camera_fps",
            f"synchronized devices must run at one rate, that of the sync pulse; here {by_value(rates, 'fps')}",
            "Give all devices the same camera_fps.",
        )


def _trigger_rate(case: Case) -> Iterator[Finding]:
    if case.plan.topology is not Topology.EXTERNAL_TRIGGER or not case.plan.devices:
        return
    fps = int(reference_fps(case.rig))
    given = case.rig.wiring.trigger.rate_hz if case.rig.wiring.trigger else None
    if given is not None and given != fps:
        yield Finding(
            "plan.trigger_rate_wrong",
            Severity.ERROR,
            "wiring.trigger.rate_hz",
            f"the trigger gives {given:g} pulses per second; it must give exactly {fps}, the devices' camera_fps",
            f"Set the generator to {fps} Hz, or camera_fps to its rate if that is 5, 15 or 30.",
        )
    yield Finding(
        "plan.trigger_rate",
        Severity.INFO,
        "wiring",
        f"the trigger must give exactly {fps} pulses per second: active high, 5 V, wider than 8 us, at least 8 mA",
        "Check the generator with an oscilloscope: a wrong pulse gives coloured or dark images (SDK issue #1404).",
    )


def _trigger_pulse(case: Case) -> Iterator[Finding]:
    """The pulse itself. 5 V logic takes about 3.5 V for high (SDK issues #366, #1844)."""
    trigger = case.rig.wiring.trigger
    if trigger is None or case.plan.topology is not Topology.EXTERNAL_TRIGGER:
        return
    pulse_usec, high_v, drive_ma = trigger.pulse_usec, trigger.high_v, trigger.drive_ma
    rules = [
        ("pulse_usec", pulse_usec, (pulse_usec or 0) > 8, "us wide", "wider than 8 us; a device's own has 12"),
        ("high_v", high_v, 3.5 <= (high_v or 0) <= 5.5, "V high", "5 V; from 3.5 V it counts as high"),
        ("drive_ma", drive_ma, (drive_ma or 0) >= 8, "mA strong", "able to drive 8 mA"),
    ]
    remedy = "Put a 5 V buffer or a pulse generator between: a wrong pulse gives no or odd images (SDK issue #1404)."
    for key, value, is_right, unit, wanted in rules:
        if value is not None and not is_right:
            message = f"the trigger's pulse is {value:g} {unit}; it must be {wanted}"
            yield Finding("plan.trigger_pulse_wrong", Severity.ERROR, f"wiring.trigger.{key}", message, remedy)


def _known_color_offset(case: Case) -> Iterator[Finding]:
    affected = [
        d.serial
        for d in case.color_devices
        if d.config.color_resolution is ColorResolution.RES_3072P and not d.config.has_depth_camera
    ]
    if case.is_synchronized and affected:
        yield Finding(
            "plan.color_only_3072p",
            Severity.WARNING,
            "capture.color_resolution",
            f"3072P without depth on {names(affected, case)}: a user measured color offsets of 1.7 ms at 15 fps and "
            "2.3 ms at 5 fps between such devices (SDK issue #1665, open)",
            "Use 2160P, or run the depth cameras too, and look at the offsets that verify reports.",
        )


def _rotations(case: Case) -> Iterator[Finding]:
    for i, device in enumerate(case.rig.devices):
        length = sum(q * q for q in device.rotation_wxyz or (1, 0, 0, 0)) ** 0.5
        # 1 % leaves room for numbers written with three digits.
        if abs(length - 1) > 0.01:
            yield Finding(
                "plan.rotation_not_unit",
                Severity.ERROR,
                f"device[{i}].rotation_wxyz",
                f"a rotation's quaternion has length 1; this one has {length:.3g}",
                "Divide all four numbers by that length.",
            )


_RULES: tuple[Rule, ...] = (
    _start_rules,
    _one_rate,
    _trigger_rate,
    _trigger_pulse,
    _known_color_offset,
    _rotations,
)

_ALL_RULES = (*_RULES, *EXPOSURE_RULES, *LASER_RULES, *EMITTER_RULES, *BUDGET_RULES)
