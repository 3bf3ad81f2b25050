"""What a rig asks of its computers, and what is said when they cannot."""

import pytest

from genlock.plan import make_plan
from genlock.plan.budget import device_load
from genlock.rig import CaptureSettings, Rig


def plan(count=3, hosts=(), devices=None, capture=None, host="pc"):
    tables = [
        {"serial": str(i), **({"host": host} if host else {}), **(devices or {}).get(i, {})}
        for i in range(1, count + 1)
    ]
    capture = {"white_balance_k": 4500, **(capture or {})}
    wiring = {"topology": "daisy_chain", "master": "1"}
    return make_plan(Rig.model_validate({"device": tables, "host": list(hosts), "capture": capture, "wiring": wiring}))


def codes(made):
    return [f"{f.severity} {f.code}" for f in made.findings]


@pytest.mark.parametrize(
    ("mode", "fps", "usb", "disk"),
    # Raw frames of the SDK's depthcommands.h, rounded up to 1024 bytes; disk: depth and IR of 16 bits.
    [
        ("NFOV_UNBINNED", 30, 5187 * 1024 * 30, 640 * 576 * 4 * 30),
        ("NFOV_2X2BINNED", 30, 5187 * 1024 * 30, 320 * 288 * 4 * 30),
        ("WFOV_2X2BINNED", 30, 3689 * 1024 * 30, 512 * 512 * 4 * 30),
        ("WFOV_UNBINNED", 15, 9218 * 1024 * 15, 1024 * 1024 * 4 * 15),
        ("PASSIVE_IR", 30, 1639 * 1024 * 30, 1024 * 1024 * 2 * 30),
        ("OFF", 30, 0, 0),
    ],
)
def test_depth_is_exact(mode, fps, usb, disk):
    settings = CaptureSettings.model_validate({"depth_mode": mode, "camera_fps": fps})
    load = device_load("1", settings, 1)
    assert load.depth_usb_mb_per_sec == pytest.approx(usb / 1e6)
    assert load.depth_disk_mb_per_sec == pytest.approx(disk / 1e6)


@pytest.mark.parametrize(
    ("color", "color_format", "usb_bytes", "disk_bytes"),
    [
        ("720P", "NV12", 1280 * 720 * 1.5, 1280 * 720 * 1.5),
        ("720P", "YUY2", 1280 * 720 * 2, 1280 * 720 * 2),
        ("2160P", "MJPG", 3840 * 2160 / 4, 3840 * 2160 / 4),
        ("2160P", "BGRA32", 3840 * 2160 / 4, 3840 * 2160 * 4),  # comes as MJPG, is recorded decoded
        ("OFF", "MJPG", 0, 0),
    ],
)
def test_color_is_counted_by_format(color, color_format, usb_bytes, disk_bytes):
    settings = CaptureSettings.model_validate({"color_resolution": color, "color_format": color_format})
    load = device_load("1", settings, 1)
    assert load.color_usb_mb_per_sec == pytest.approx(usb_bytes * 30 / 1e6)
    assert load.color_disk_mb_per_sec == pytest.approx(disk_bytes * 30 / 1e6)


def test_the_mjpg_estimate_is_near_a_real_image():
    # pyk4a's test recording at 720P: 217 095 bytes
    load = device_load("1", CaptureSettings.model_validate({"color_resolution": "720P"}), 1)
    assert load.color_disk_mb_per_sec * 1e6 / 30 == pytest.approx(217_095, rel=0.1)


def test_devices_spread_over_the_controllers_that_there_are():
    (host,) = plan(4, [{"name": "pc", "usb_controllers": 2, "usb_mb_per_sec": 500}]).budget
    assert [d.usb_controller for d in host.devices] == [1, 2, 1, 2]
    (host,) = plan(3).budget
    assert [d.usb_controller for d in host.devices] == [1, 2, 3]
    placed = {1: {"usb_controller": 2}, 2: {"usb_controller": 2}}
    (host,) = plan(4, [{"name": "pc", "usb_controllers": 3}], devices=placed).budget
    assert [d.usb_controller for d in host.devices] == [2, 2, 1, 3]


def test_every_host_has_its_own_budget():
    made = plan(3, devices={1: {"host": "a"}, 2: {"host": "b"}, 3: {"host": "a"}})
    assert [(host.host, [d.serial for d in host.devices]) for host in made.budget] == [("a", ["1", "3"]), ("b", ["2"])]
    a = made.budget[0]
    assert a.usbfs_memory_mb == 64
    # 2 x (44.2 + 15.6) MB/s
    assert a.disk_mb_per_sec == pytest.approx(2 * (640 * 576 * 4 + 1920 * 1080 / 4) * 30 / 1e6)
    assert a.disk_gb_per_min == pytest.approx(a.disk_mb_per_sec * 0.06)


@pytest.mark.parametrize(
    ("rig", "expected"),
    [
        ({}, []),
        ({"hosts": [{"name": "pc"}]}, []),
        # 175 MB/s a device
        ({"hosts": [{"name": "pc", "usb_controllers": 2}]}, ["info plan.usb_shared"]),
        ({"hosts": [{"name": "pc", "usb_controllers": 1}]}, ["warning plan.usb_overloaded"]),
        ({"hosts": [{"name": "pc", "usb_controllers": 1, "usb_mb_per_sec": 530}]}, ["info plan.usb_shared"]),
        ({"hosts": [{"name": "pc", "usb_controllers": 3}], "devices": {1: {"usb_controller": 4}}},
         ["error plan.usb_controller_unknown"]),
        ({"hosts": [{"name": "pc", "usbfs_memory_mb": 16}]}, ["warning plan.usbfs_memory_small"]),
        ({"hosts": [{"name": "pc", "usbfs_memory_mb": 96}]}, []),
        ({"hosts": [{"name": "pc", "usbfs_memory_mb": 0}]}, []),  # no limit
        # 3 x 44.2 of depth and IR, 179 with color
        ({"hosts": [{"name": "pc", "disk_mb_per_sec": 130}]}, ["error plan.disk_too_slow"]),
        ({"hosts": [{"name": "pc", "disk_mb_per_sec": 150}]}, ["warning plan.disk_too_slow"]),
        ({"hosts": [{"name": "pc", "disk_mb_per_sec": 180}]}, []),
        # 3 devices x 30 fps x 57 600 bytes are 41 Mbit/s
        ({"hosts": [{"name": "pc", "network_mbit_per_sec": 40, "preview_fps": 30}]},
         ["warning plan.network_too_slow"]),
        ({"hosts": [{"name": "pc", "network_mbit_per_sec": 50, "preview_fps": 30}]}, []),
        ({"hosts": [{"name": "pc"}, {"name": "pc"}]}, ["error plan.host_twice"]),
        ({"hosts": [{"name": "pc"}, {"name": "spare"}]}, ["info plan.host_without_devices"]),
        ({"hosts": [{"name": "pc"}], "devices": {3: {"host": "pd"}}}, ["warning plan.host_unknown"]),
        ({"devices": {3: {"host": None}}}, ["info plan.host_missing"]),
    ],
)  # fmt: skip
def test_a_computer_is_judged(rig, expected):
    assert codes(plan(**rig)) == expected


def test_an_overloaded_controller_says_by_how_much_and_who():
    (finding,) = plan(3, [{"name": "pc", "usb_controllers": 1}]).findings
    assert "carries 1, 2, 3: 525 MB/s of 400" in finding.message
