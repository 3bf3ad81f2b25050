"""What preflight says about the devices themselves, asked of a virtual rig whose faults are planted."""

from dataclasses import replace
from pathlib import Path

import pytest

from genlock.devices import Backend, DeviceInfo, open_backend
from genlock.devices.scenario import Scenario, SceneName, parse_fault
from genlock.errors import BackendUnavailableError, DeviceOpenError, OpenFailure
from genlock.findings import Finding, Severity
from genlock.plan import Plan, make_plan
from genlock.preflight import DeviceAnswers, KinectUsb, UsbFacts, ask_devices, judge_devices
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.workflows.preflight import run_preflight
from support.machines import WORKSTATION, build

MASTER, FIRST, SECOND = (f"{number:012d}" for number in range(1, 4))
RIG = parse_rig(rig_toml(3))


def opened(*faults: str) -> Backend:
    return open_backend("sim", RIG, scenario=Scenario(scene=SceneName.DARK, faults=tuple(map(parse_fault, faults))))


def judged(backend: Backend, plan: Plan) -> dict[str, Finding]:
    return {finding.code: finding for finding in judge_devices(ask_devices(backend, plan), plan, None)}


def test_a_rig_as_planned_has_nothing_to_say():
    with opened() as backend:
        assert judged(backend, make_plan(RIG)) == {}
        assert len(backend.devices()) == 3  # each was closed again


def test_a_device_that_is_not_there_is_told_with_the_one_that_was_probably_meant():
    misspelt = parse_rig(rig_toml(3).replace(SECOND, "000000000030"))
    with opened() as backend:
        findings = judged(backend, make_plan(misspelt))
    assert findings["preflight.device_missing"].where == "device 000000000030"
    assert f"Did you mean {SECOND}" in findings["preflight.device_missing"].remedy
    assert findings["preflight.device_unlisted"].where == f"device {SECOND}"


def test_a_device_that_somebody_else_has_is_busy():
    with opened() as backend:
        backend.open(FIRST)
        assert judged(backend, make_plan(RIG))["preflight.device_busy"].where == f"device {FIRST}"


def test_a_device_without_power_is_missing():
    with opened(f"device_dies:{FIRST}") as backend:
        assert judged(backend, make_plan(RIG))["preflight.device_missing"].where == f"device {FIRST}"


def test_firmware_is_judged_by_the_plans_own_rules():
    with opened(f"old_firmware:{SECOND}") as backend:
        findings = judged(backend, make_plan(RIG))
    assert set(findings) == {"plan.firmware_old", "plan.firmware_unequal"}


def test_firmware_that_is_no_version_is_told():
    info = DeviceInfo(FIRST, "native", "unknown", "1.6.80")
    with opened() as backend:
        answers = ask_devices(backend, make_plan(RIG))
    asked = tuple(replace(device, info=info) if device.serial == FIRST else device for device in answers.asked)
    findings = judge_devices(DeviceAnswers("sim", asked, ()), make_plan(RIG), None)
    assert [f.code for f in findings] == ["preflight.firmware_unknown"]


def test_what_a_device_is_known_for_is_told_and_its_firmware_is_not_judged_by_another_makers_numbers():
    foreign = Finding("devices.orbbec", Severity.WARNING, f"device {FIRST}", "it is another maker's", "Beware.")
    info = DeviceInfo(FIRST, "native", "0.0.0", "1.1.2", (foreign,))
    hidden = DeviceInfo("unknown", "native", "unknown", "unknown", (replace(foreign, code="devices.not_openable"),))
    with opened() as backend:
        answers = ask_devices(backend, make_plan(RIG))
    asked = tuple(replace(device, info=info) if device.serial == FIRST else device for device in answers.asked)
    findings = judge_devices(DeviceAnswers("sim", asked, (hidden,)), make_plan(RIG), None)
    assert [f.code for f in findings] == ["devices.orbbec", "devices.not_openable"]


@pytest.mark.parametrize(
    ("minutes", "seen"), [(10, f"{FIRST} plugged in for only 10 min"), (60, "have run is not known")]
)
def test_it_is_told_how_long_depth_takes_to_settle_and_which_devices_must_be_cold(minutes: int, seen: str):
    """A device that was plugged in an hour ago need not have run."""
    kinects = tuple(
        KinectUsb(
            serial=serial,
            controller="0000:00:14.0",
            port="2-1",
            hubs=(),
            depth_mbit_per_sec=5000,
            color_mbit_per_sec=5000,
            connected_sec=minutes * 60,
            is_accessible=True,
            may_sleep=False,
        )
        for serial in (MASTER, FIRST, SECOND)
    )
    answers = DeviceAnswers("native", (), ())
    findings = judge_devices(answers, make_plan(RIG), UsbFacts(kinects=kinects, controllers=(), slow_only=()))
    assert [f.code for f in findings] == ["preflight.warm_up"]
    assert seen in findings[0].message


def preflight(tmp_path: Path, *faults: str) -> dict[str, Finding]:
    result = run_preflight(
        RIG,
        make_plan(RIG),
        build(WORKSTATION, tmp_path),
        tmp_path,
        open_devices=lambda: opened(*faults),
        library=tmp_path / "nothing",
        disk_test_mb=1,
    )
    return {finding.code: finding for finding in result.findings}


def test_plugs_are_compared_with_the_wiring(tmp_path: Path):
    findings = preflight(tmp_path, f"wrong_jack:{SECOND}")
    assert findings["session.sync_in_missing"].where == f"device {SECOND}"
    assert findings["session.sync_out_unexpected"].where == f"device {SECOND}"
    assert f"names {tmp_path / 'nothing'}, which does not exist" in findings["preflight.sdk_missing"].message


def test_a_backend_that_cannot_be_loaded_does_not_end_the_look_at_the_computer(tmp_path: Path):
    def missing() -> Backend:
        raise BackendUnavailableError("libk4a was not found")

    result = run_preflight(
        RIG,
        make_plan(RIG),
        build(WORKSTATION, tmp_path),
        tmp_path,
        open_devices=missing,
        disk_test_mb=1,
    )
    assert "preflight.backend_unavailable" in {f.code for f in result.findings}
    assert result.facts.usb is not None
    assert not result.is_ready


def test_a_device_that_fails_while_it_is_asked_is_told_and_the_others_are_asked():
    class Failing:
        def __init__(self, backend: Backend) -> None:
            self._backend = backend

        def __getattr__(self, name: str):
            return getattr(self._backend, name)

        def open(self, serial: str):
            if serial == FIRST:
                raise DeviceOpenError(serial, "LIBUSB_ERROR_IO", OpenFailure.OTHER)
            return self._backend.open(serial)

    with opened() as backend:
        findings = judge_devices(ask_devices(Failing(backend), make_plan(RIG)), make_plan(RIG), None)
    assert [(f.code, f.where) for f in findings] == [("preflight.device_unusable", f"device {FIRST}")]
