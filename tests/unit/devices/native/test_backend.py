"""Devices by serial, and a process that ends well whatever is still open."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genlock.devices import open_backend
from genlock.devices.native import NativeBackend
from genlock.errors import BackendUnavailableError, DeviceOpenError, OpenFailure
from genlock.rig import Rig

FIRST, SECOND, THIRD = (f"{number:012d}" for number in (1, 2, 3))


def test_the_registry_knows_it_by_name(library_path: Path, fake: Any):
    with open_backend("native", Rig(), library=library_path) as backend:
        assert backend.name == "native"
        assert not backend.clock.is_virtual
        assert backend.provenance["GENLOCK_BACKEND"] == "native"
        assert backend.provenance["GENLOCK_K4A_LIBRARY"].startswith("Microsoft libk4a")


def test_what_the_virtual_rig_shows_is_called_simulated(build: Callable[..., Path]):
    with NativeBackend(Rig(), library=build("-DVIRTUAL")) as backend:
        assert backend.provenance["GENLOCK_BACKEND"] == "sim"
        assert "virtual" in backend.provenance["GENLOCK_K4A_LIBRARY"]


def test_a_library_that_is_not_there_makes_it_unavailable(tmp_path: Path):
    with pytest.raises(BackendUnavailableError, match="does not exist"):
        open_backend("native", Rig(), library=tmp_path / "nothing.so")


def test_all_but_our_own_are_listed_and_let_go_again(backend: NativeBackend, fake: Any):
    assert [info.serial for info in backend.devices()] == [FIRST, SECOND, THIRD]
    assert fake.fake_open() == 0
    device = backend.open(SECOND)
    assert [info.serial for info in backend.devices()] == [FIRST, THIRD]
    device.close()
    assert len(backend.devices()) == 3


def test_a_device_that_another_program_has_is_listed_as_such(backend: NativeBackend, fake: Any):
    fake.fake_other_program(True)
    blocked, *rest = backend.devices()
    assert (blocked.serial, blocked.findings[0].code) == ("unknown", "devices.not_openable")
    assert "resource busy" in blocked.findings[0].message
    assert [info.serial for info in rest] == [SECOND, THIRD]


@pytest.mark.parametrize("keeps_serial", [False, True])
def test_one_device_that_falls_silent_while_it_is_asked_does_not_hide_the_others(
    backend: NativeBackend, fake: Any, keeps_serial: bool
):
    fake.fake_keep_serial(keeps_serial)
    fake.fake_unplug(0)
    silent, *rest = backend.devices()
    assert (silent.serial, silent.findings[0].code) == (FIRST if keeps_serial else "unknown", "devices.not_openable")
    assert [info.serial for info in rest] == [SECOND, THIRD]
    with pytest.raises(DeviceOpenError):
        backend.open(FIRST)
    backend.open(THIRD).close()
    assert fake.fake_open() == 0


def test_a_device_that_is_not_there_is_not_found(backend: NativeBackend, fake: Any):
    fake.fake_install(2)
    with pytest.raises(DeviceOpenError, match=f"others that can be opened: {FIRST}, {SECOND}") as caught:
        backend.open(THIRD)
    assert caught.value.failure is OpenFailure.NOT_FOUND
    assert fake.fake_open() == 0


def test_a_device_that_may_be_open_elsewhere_is_told_apart_from_one_that_is_not_there(
    backend: NativeBackend, fake: Any
):
    fake.fake_other_program(True)
    with pytest.raises(DeviceOpenError, match="another program has it open") as caught:
        backend.open(FIRST)
    assert caught.value.failure is OpenFailure.ALREADY_OPEN


def test_our_own_open_devices_do_not_count_as_another_programs(backend: NativeBackend):
    backend.open(FIRST)
    with pytest.raises(DeviceOpenError) as caught:
        backend.open("999999999999")
    assert caught.value.failure is OpenFailure.NOT_FOUND
    with pytest.raises(DeviceOpenError, match="open already") as caught:
        backend.open(FIRST)
    assert caught.value.failure is OpenFailure.ALREADY_OPEN


def test_a_device_is_looked_for_first_where_it_was_last(backend: NativeBackend, fake: Any):
    """Opening takes a real device most of a second: a rig of N is not to cost N times N openings."""
    backend.devices()
    before = [fake.fake_open_calls(index) for index in range(3)]
    backend.open(THIRD)
    assert [fake.fake_open_calls(index) for index in range(3)] == [before[0], before[1], before[2] + 1]


def test_closing_the_backend_closes_its_devices_and_may_be_said_twice(library_path: Path, fake: Any):
    backend = NativeBackend(Rig(), library=library_path)
    devices = [backend.open(serial) for serial in (FIRST, SECOND)]
    backend.close()
    backend.close()
    assert fake.fake_open() == 0
    for device in devices:
        device.close()


# ---- the end of the process ------------------------------------------------------------------------------------

_PROGRAM = """
import sys, threading
from genlock.devices.native import NativeBackend
from genlock.k4a import ColorResolution, DepthMode, DeviceConfig
from genlock.rig import Rig

backend = NativeBackend(Rig(), library=sys.argv[1])
device = backend.open("000000000001")
device.arm(DeviceConfig(color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_UNBINNED))
device.start()
fake = device._handle.library.c
fake.fake_deliver(0, 2)
capture = device.next_capture(1)
waiting = threading.Thread(target=lambda: [device.next_capture(1000) for _ in range(9)], daemon=True)
waiting.start()
threading.excepthook = lambda arguments: None  # its wait ends with an error when the device is closed
fake.fake_say(1, b"said to the log")
backend.capture = capture  # both alive to the very end
sys.modules["kept"] = backend
if sys.argv[2] == "error":
    raise RuntimeError("planted")
"""


@pytest.mark.parametrize(("how", "status"), [("quietly", 0), ("error", 1)])
def test_a_process_ends_well_with_a_device_streaming_and_a_capture_alive(library_path: Path, how: str, status: int):
    """No crash (a signal would be a negative status), nothing on standard output."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _PROGRAM, str(library_path), how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert "Fatal" not in done.stderr
    assert "said to the log" in done.stderr  # Python's last-resort handler prints errors


_AT_EXIT = """
import atexit, sys
from genlock.devices.native.library import load_library
from pathlib import Path
from genlock.devices.native import NativeBackend
from genlock.rig import Rig

atexit.register(lambda: print("open", fake.fake_open(), "handler", fake.fake_has_handler()))
fake = load_library(Path(sys.argv[1])).c
fake.fake_has_handler.restype = __import__("ctypes").c_bool
backend = NativeBackend(Rig(), library=sys.argv[1])
backend.open("000000000001")
print("open", fake.fake_open(), "handler", fake.fake_has_handler())
"""


def test_at_exit_devices_are_closed_and_the_log_handler_is_gone(library_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", _AT_EXIT, str(library_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["open 1 handler True", "open 0 handler False"]
