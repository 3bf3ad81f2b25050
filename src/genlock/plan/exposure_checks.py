"""Rules about exposure and color controls."""

from __future__ import annotations

from collections.abc import Iterator

from genlock.findings import Finding, Severity
from genlock.plan.case import Case, Rule, by_value, names
from genlock.plan.delays import guards_usec
from genlock.plan.timing import GRAINS_PER_TICK, GRAINS_PER_USEC
from genlock.rig import Goal

__all__ = ["ALIGNED_USEC", "EXPOSURE_RULES"]

ALIGNED_USEC = 100
"""What Microsoft's article calls aligned: centres of color exposure within this."""


def _auto_exposure(case: Case) -> Iterator[Finding]:
    automatic = [device.serial for device in case.color_devices if device.exposure_usec is None]
    if automatic and case.is_synchronized:
        yield Finding(
            "plan.auto_exposure",
            Severity.WARNING,
            "capture.exposure_usec",
            f"exposure is automatic on {names(automatic, case)}: each device chooses for itself, frame by frame; that "
            "disturbs the timing (SDK issue #471) and makes the devices differ in brightness",
            "Set the same manual exposure_usec on all devices, 8330 for instance.",
        )


def _exposure_realigned(case: Case) -> Iterator[Finding]:
    """Subordinates of longer exposure that the plan delays."""
    delayed = {
        device.serial: device.config.subordinate_delay_off_master_usec
        for device in case.color_devices
        if case.plan.center_shifts_grains[device.serial] < 0
        and case.rig.device(device.serial).subordinate_delay_off_master_usec is None
    }
    if not delayed:
        return
    guard = f" {_guard_without_shift(case)}" if case.plan.guard_usec is not None else ""
    is_spread = case.rig.plan.goal is Goal.INTERLEAVED_FPS
    delays = "Half of the difference in their delays" if is_spread else f"A delay of {by_value(delayed, 'us')}"
    yield Finding(
        "plan.exposure_realigned",
        Severity.WARNING,
        "capture.exposure_usec",
        f"exposures differ: {_exposures(case)}. {delays} brings the centres together, (subordinate - master) / 2 as in "
        f"Microsoft's green_screen sample; the lasers move with them. Unverified on hardware.{guard}",
        "Set the same exposure_usec and powerline_hz on all devices: it is the only case that Microsoft tests.",
    )


def _guard_without_shift(case: Case) -> str:
    """What the guard would be were the centres where the delays say: the other reading."""
    still = dict.fromkeys(case.plan.configs, 0)
    guards = guards_usec(case.rig, case.plan.configs, case.plan.overlap, still)
    return f"Should centres not move with exposure, the guard would be {min(guards.values()):.1f} us"


def _exposure_unequal(case: Case) -> Iterator[Finding]:
    """Devices of shorter exposure than the master's, and pinned ones: nothing brings their centres together."""
    apart = {}
    for device in case.color_devices:
        shift = case.plan.center_shifts_grains[device.serial]
        is_pinned = case.rig.device(device.serial).subordinate_delay_off_master_usec is not None
        if shift > 0 or (shift < 0 and is_pinned):
            center = shift + device.config.subordinate_delay_off_master_ticks * GRAINS_PER_TICK
            apart[device.serial] = f"{center / GRAINS_PER_USEC:+.0f}"
    if case.is_synchronized and apart and case.rig.plan.goal is not Goal.INTERLEAVED_FPS:
        yield Finding(
            "plan.exposure_unequal",
            Severity.WARNING,
            "capture.exposure_usec",
            f"exposures differ: {_exposures(case)}. The centres of color then lie apart from the master's: "
            f"{by_value(apart, 'us')} (half of the difference; unverified on hardware)",
            "Set the same exposure_usec and powerline_hz on all devices, or give the master the shortest exposure.",
        )


def _exposures(case: Case) -> str:
    return by_value({d.serial: d.exposure_usec for d in case.color_devices if d.exposure_usec is not None}, "us")


def _exposure_fits(case: Case) -> Iterator[Finding]:
    for device in case.color_devices:
        period_usec = device.config.camera_fps.period_usec
        if device.exposure_usec is not None and device.exposure_usec > period_usec:
            yield Finding(
                "plan.exposure_longer_than_frame",
                Severity.WARNING,
                f"device {device.serial}",
                f"an exposure of {device.exposure_usec} us does not fit a frame of {period_usec} us at "
                f"{device.config.camera_fps} fps; the device cuts it",
                "Choose a shorter exposure_usec, and more light or gain, or a lower camera_fps.",
            )


def _exposure_rounded(case: Case) -> Iterator[Finding]:
    rounded = {
        (d.requested_exposure_usec, d.powerline_hz, d.exposure_usec)
        for d in case.color_devices
        if d.exposure_usec != d.requested_exposure_usec
    }
    for requested_usec, powerline_hz, exposure_usec in sorted(rounded):
        yield Finding(
            "plan.exposure_rounded",
            Severity.INFO,
            "capture.exposure_usec",
            f"the device has no exposure of {requested_usec} us at {powerline_hz} Hz; it will use {exposure_usec} us",
            f"Write exposure_usec = {exposure_usec} to say what will happen.",
        )


def _powerline_equal(case: Case) -> Iterator[Finding]:
    frequencies = {device.serial: int(device.powerline_hz) for device in case.color_devices}
    if case.is_synchronized and len(set(frequencies.values())) > 1:
        yield Finding(
            "plan.powerline_unequal",
            Severity.WARNING,
            "capture.powerline_hz",
            f"powerline frequencies differ: {by_value(frequencies, 'Hz')}. They decide which exposures a device has",
            "Give all devices the frequency of the mains that feeds the light.",
        )


def _color_equal(case: Case) -> Iterator[Finding]:
    if len(case.plan.devices) < 2:
        return
    for control in sorted({name for device in case.color_devices for name in device.color_controls}):
        values = {d.serial: d.color_controls.get(control, "as the device has it") for d in case.color_devices}
        if len(set(values.values())) > 1:
            key = _KEY_OF_CONTROL[control]
            yield Finding(
                "plan.white_balance_unequal" if control == "WHITEBALANCE" else "plan.color_control_unequal",
                Severity.WARNING,
                f"capture.{key}",
                f"{key} differs: {by_value(values)}. The devices' colors will not match",
                f"Set the same {key} on all devices.",
            )


def _white_balance_manual(case: Case) -> Iterator[Finding]:
    if len(case.plan.devices) < 2 or not case.color_devices:
        return
    settings = {device.color_controls.get("WHITEBALANCE") for device in case.color_devices}
    if settings == {"auto"}:
        yield Finding(
            "plan.white_balance_auto",
            Severity.WARNING,
            "capture.white_balance_k",
            "white balance is automatic: each device chooses for itself, and colors drift during the take",
            "Set one manual white_balance_k for all devices, 4500 for instance.",
        )
    elif settings == {None}:
        yield Finding(
            "plan.white_balance_unset",
            Severity.INFO,
            "capture.white_balance_k",
            "white balance is not given: each device keeps what it was last told, or chooses for itself",
            "Set one manual white_balance_k for all devices, 4500 for instance.",
        )


_KEY_OF_CONTROL = {
    "WHITEBALANCE": "white_balance_k",
    "GAIN": "gain",
    "BRIGHTNESS": "brightness",
    "CONTRAST": "contrast",
    "SATURATION": "saturation",
    "SHARPNESS": "sharpness",
    "BACKLIGHT_COMPENSATION": "backlight_compensation",
}

EXPOSURE_RULES: tuple[Rule, ...] = (
    _auto_exposure,
    _exposure_realigned,
    _exposure_unequal,
    _exposure_fits,
    _exposure_rounded,
    _powerline_equal,
    _color_equal,
    _white_balance_manual,
)
