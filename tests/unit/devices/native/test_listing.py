"""``find_devices``: what the backend says of each device, put together with what the USB bus shows."""

from typing import Any

import pytest

from genlock.devices.native import NativeBackend
from genlock.preflight import KinectUsb, UsbFacts
from genlock.testing.rigs import chain_rig
from genlock.workflows.devices import DevicesResult, find_devices

FIRST, SECOND, THIRD = (f"{number:012d}" for number in (1, 2, 3))


def on_bus(*serials: str) -> UsbFacts:
    return UsbFacts(
        kinects=tuple(
            KinectUsb(
                serial=serial,
                controller="0000:00:14.0",
                port=f"2-{number}",
                hubs=(),
                depth_mbit_per_sec=5000,
                color_mbit_per_sec=5000,
                connected_sec=None,
                is_accessible=True,
                may_sleep=False,
            )
            for number, serial in enumerate(serials, 1)
        ),
        controllers=("0000:00:14.0",),
        slow_only=(),
    )


def codes(result: DevicesResult) -> list[str]:
    return [finding.code for finding in result.findings]


def test_every_device_is_asked_and_let_go(backend: NativeBackend, fake: Any):
    result = find_devices(backend, "pc", usb=on_bus(FIRST, SECOND, THIRD))
    assert [device.info.serial for device in result.devices] == [FIRST, SECOND, THIRD]
    middle = result.to_json()["devices"][1]
    assert middle == {
        "serial": SECOND,
        "color_firmware": "1.6.110",
        "depth_firmware": "1.6.80",
        "sync_in_connected": True,
        "sync_out_connected": True,
        "usb_port": "2-2",
        "usb_controller": "0000:00:14.0",
        "usb_mbit_per_sec": 5000,
    }
    assert (result.host, codes(result), fake.fake_open()) == ("pc", [], 0)


def test_the_bus_tells_the_serial_of_a_device_that_another_program_has(backend: NativeBackend, fake: Any):
    fake.fake_other_program(True)
    result = find_devices(backend, "pc", usb=on_bus(FIRST, SECOND, THIRD))
    assert [(device.info.serial, device.info.color_firmware) for device in result.devices] == [
        (FIRST, "unknown"),
        (SECOND, "1.6.110"),
        (THIRD, "1.6.110"),
    ]
    assert codes(result) == ["devices.not_openable"]


def test_where_no_bus_is_shown_such_a_device_stays_unknown(backend: NativeBackend, fake: Any):
    fake.fake_other_program(True)
    fake.fake_unplug(1)  # and one more that cannot be asked
    result = find_devices(backend, "pc")
    assert [device.info.serial for device in result.devices] == [THIRD, "unknown", "unknown"]
    assert codes(result) == ["devices.not_openable"] * 2


def test_a_serial_that_the_bus_tells_is_not_counted_beside_the_device_that_keeps_it(backend: NativeBackend, fake: Any):
    fake.fake_other_program(True)
    fake.fake_unplug(1)
    result = find_devices(backend, "pc", usb=on_bus(FIRST, THIRD))
    assert [device.info.serial for device in result.devices] == [FIRST, THIRD, "unknown"]


def test_a_device_that_the_bus_shows_and_the_sdk_does_not_count_is_told(backend: NativeBackend, fake: Any):
    """As when it hangs on USB 2, or has no power: its microphones are there, its depth camera is not."""
    fake.fake_install(1)
    result = find_devices(backend, "pc", usb=on_bus(FIRST, SECOND))
    assert [device.info.serial for device in result.devices] == [FIRST, SECOND]
    assert [(f.code, f.where) for f in result.findings] == [("devices.unseen", f"device {SECOND}")]


@pytest.mark.parametrize("fails", ["jacks", "nothing"])
def test_a_device_that_falls_silent_is_listed_without_its_plugs(backend: NativeBackend, fake: Any, fails: str):
    fake.fake_jacks_fail(fails == "jacks")
    result = find_devices(backend, "pc")
    assert len(result.devices) == 3
    assert codes(result) == (["devices.silent"] * 3 if fails == "jacks" else [])
    assert fake.fake_open() == 0


def test_a_rig_says_who_is_missing_and_who_is_too_many(backend: NativeBackend, fake: Any):
    fake.fake_install(1)
    assert codes(find_devices(backend, "pc", rig=chain_rig(2))) == ["devices.missing"]
    fake.fake_install(3)
    assert codes(find_devices(backend, "pc", rig=chain_rig(2))) == ["devices.unlisted"]


def test_no_device_at_all_is_an_error(backend: NativeBackend, fake: Any):
    fake.fake_install(0)
    assert codes(find_devices(backend, "pc")) == ["devices.none"]
