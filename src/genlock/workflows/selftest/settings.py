"""What can be read and refused before anything streams: plugs, start rules, exposures, serials."""

from __future__ import annotations

from collections.abc import Iterator

from genlock.devices import ColorControl, ColorControlValue, Device
from genlock.errors import DeviceError, DeviceStartError
from genlock.k4a import EXPOSURES_USEC, PowerlineFrequency, WiredSyncMode, nearest_exposure_usec
from genlock.k4a.calibration import DeviceCalibration
from genlock.preflight import gather_usb
from genlock.workflows.selftest.bench import Running
from genlock.workflows.selftest.lab import Answer, Experiment, Lab, answer, not_tried
from genlock.workflows.selftest.operator import Task

__all__ = ["SETTINGS"]


def _run(lab: Lab) -> Iterator[Answer]:
    refusal = lab.operator.do(Task.CHECK_WIRING)
    with lab.bench.armed(lab.devices()) as running:
        yield _jacks(lab, running) if refusal is None else not_tried("jacks_show_wiring", refusal)
        yield _calibration(lab, running)
        yield _exposures(running.device(lab.reference))
        yield _powerline(running.device(lab.reference))
    yield _refusals(lab)
    yield _usb(lab)


def _jacks(lab: Lab, running: Running) -> Answer:
    shown = {device.serial: running.device(device.serial).sync_jacks() for device in lab.plan.devices}
    wrong = [serial for serial, jacks in shown.items() if jacks != lab.plan.device(serial).jacks]
    text = f"not as wired: {', '.join(wrong)}" if wrong else f"{len(shown)} devices show their plugs as wired"
    return answer("jacks_show_wiring", not wrong, text, wrong_devices=", ".join(wrong))


def _calibration(lab: Lab, running: Running) -> Answer:
    named: dict[str, str] = {}
    for device in lab.plan.devices:
        try:
            calibration = DeviceCalibration.from_json(running.device(device.serial).raw_calibration())
        except ValueError as error:
            return answer("calibration_serial", False, f"{device.serial}: {error}")
        named[device.serial] = calibration.serial or "none"
    wrong = {serial: name for serial, name in named.items() if serial != name}
    text = "; ".join(f"{serial} names {name}" for serial, name in (wrong or named).items())
    return answer("calibration_serial", not wrong, text)


def _exposures(device: Device) -> Answer:
    """Every value of both tables, and one between each two."""
    before = device.color_control(ColorControl.POWERLINE_FREQUENCY)
    wrong: list[str] = []
    tried = 0
    for powerline in PowerlineFrequency:
        device.set_color_control(ColorControl.POWERLINE_FREQUENCY, ColorControlValue(True, powerline.sdk_value))
        for listed in EXPOSURES_USEC[powerline]:
            for asked_usec in (listed - 100, listed):
                tried += 1
                device.set_color_control(ColorControl.EXPOSURE_TIME_ABSOLUTE, ColorControlValue(True, asked_usec))
                got_usec = device.color_control(ColorControl.EXPOSURE_TIME_ABSOLUTE).value
                if got_usec != nearest_exposure_usec(asked_usec, powerline):
                    wrong.append(f"{asked_usec} us at {int(powerline)} Hz became {got_usec}")
    device.set_color_control(ColorControl.POWERLINE_FREQUENCY, before)
    text = "; ".join(wrong) or f"{tried} exposures were rounded as the table says"
    return answer("exposure_table", not wrong, text, tried=tried, wrong=len(wrong))


def _powerline(device: Device) -> Answer:
    device.set_color_control(ColorControl.POWERLINE_FREQUENCY, device.color_control(ColorControl.POWERLINE_FREQUENCY))
    before = _controls(device)
    device.set_color_control(ColorControl.POWERLINE_FREQUENCY, before[ColorControl.POWERLINE_FREQUENCY])
    after = _controls(device)
    changed = [f"{control}: {before[control].value} -> {after[control].value}" for control in before if
               before[control] != after[control]]  # fmt: skip
    return answer("powerline_again", not changed, "; ".join(changed) or "no other control changed")


def _controls(device: Device) -> dict[ColorControl, ColorControlValue]:
    return {control: device.color_control(control) for control in ColorControl}


def _refusals(lab: Lab) -> Answer:
    """Starts devices in roles for which they have no plug; a start that is not refused is stopped at once."""
    claim = "start_refuses_missing_plugs"
    accepted: list[str] = []
    refused: list[str] = []
    for device in lab.plan.devices:
        for role, is_plugged in (
            (WiredSyncMode.SUBORDINATE, device.jacks.sync_in_connected),
            (WiredSyncMode.MASTER, device.jacks.sync_out_connected),
        ):
            if not is_plugged:
                name = f"{device.serial} as {role.value.lower()}"
                (refused if _is_refused(lab, device.serial, role) else accepted).append(name)
    if not accepted and not refused:
        return not_tried(claim, "every jack of this rig has a plug")
    text = f"refused: {', '.join(refused) or 'none'}" + (f"; started: {', '.join(accepted)}" if accepted else "")
    return answer(claim, not accepted, text, refused=len(refused), started=len(accepted))


def _is_refused(lab: Lab, serial: str, role: WiredSyncMode) -> bool:
    with lab.bench.armed([lab.device(serial, role=role)]) as running:
        try:
            running.start(serial)
        except DeviceStartError:
            return True
        except DeviceError:
            return False
        return False


def _usb(lab: Lab) -> Answer:
    claim = "usb_serials"
    usb = gather_usb(lab.machine) if lab.machine is not None and lab.backend.name == "native" else None
    if usb is None:
        return not_tried(claim, "needs real cameras, and a Linux that shows its USB bus")
    seen = {kinect.serial for kinect in usb.kinects if kinect.is_fast}
    missing = [device.serial for device in lab.plan.devices if device.serial not in seen]
    text = f"not on the bus by its serial: {', '.join(missing)}" if missing else f"{len(seen)} devices by their serials"
    return answer(claim, not missing, text)


SETTINGS = Experiment(
    "what devices say and refuse before they stream",
    (
        "jacks_show_wiring",
        "calibration_serial",
        "exposure_table",
        "powerline_again",
        "start_refuses_missing_plugs",
        "usb_serials",
    ),
    _run,
)
