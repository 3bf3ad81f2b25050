"""Real cameras keep the device contract: shown on libk4a's interface, with the virtual rig in real time behind it.

And what only happens to cameras: they are unplugged, read too slowly, held by other programs, and outlive their makers.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from genlock.clock import SystemClock
from genlock.devices import Backend, Device, open_backend
from genlock.devices.scenario import Fault, FaultKind
from genlock.errors import CaptureTimeoutError, DeviceError, DeviceLostError, DeviceOpenError, OpenFailure
from genlock.plan import make_plan
from genlock.rig import Rig
from genlock.testing.device_contract import MASTER, SUBORDINATE, DeviceContract
from genlock.testing.rigs import chain_rig, rig_toml
from genlock.virtual import VirtualRig
from support.virtual_rig import client_environment, libk4a, running_rig

PERIOD_USEC = 33_333
Show = Callable[[Rig], VirtualRig]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    """Serves a rig to this process, until the test is over."""
    with ExitStack() as stack:

        def serve(rig: Rig) -> VirtualRig:
            virtual = stack.enter_context(running_rig(rig))
            for name in ("GENLOCK_VIRTUAL", "GENLOCK_K4A_LIBRARY"):
                monkeypatch.setenv(name, virtual.environment[name])
            return virtual

        yield serve


class TestNative(DeviceContract):
    @pytest.fixture(autouse=True)
    def _show(self, show: Show) -> None:
        self.show = show

    def make_backend(self, rig: Rig) -> Backend:
        self.show(rig)
        return open_backend("native", rig)


@pytest.fixture
def rig() -> Rig:
    return chain_rig(2)


@pytest.fixture
def virtual(show: Show, rig: Rig) -> VirtualRig:
    return show(rig)


@pytest.fixture
def devices(virtual: VirtualRig, rig: Rig) -> Iterator[dict[str, Device]]:
    """Both devices, running."""
    plan = make_plan(rig)
    with open_backend("native", rig) as backend:
        devices = {serial: backend.open(serial) for serial in plan.start_order}
        for serial, device in devices.items():
            device.arm(plan.device(serial).config)
            device.start()
        yield devices


def test_a_device_unplugged_while_it_streams_is_lost_and_the_others_go_on(
    virtual: VirtualRig, devices: dict[str, Device]
):
    for device in devices.values():
        device.next_capture(10)
    virtual.backend.cause(Fault(kind=FaultKind.USB_UNPLUGGED, serial=SUBORDINATE))
    with pytest.raises(DeviceLostError, match="unplugged"):
        while True:
            devices[SUBORDINATE].next_capture(10)
    with pytest.raises(DeviceLostError):
        devices[SUBORDINATE].sync_jacks()
    devices[SUBORDINATE].stop()
    for _ in range(10):
        assert devices[MASTER].next_capture(10).images


def test_who_reads_too_slowly_finds_the_newest_captures_and_no_more_than_the_sdk_keeps(devices: dict[str, Device]):
    """Seven are kept; a second and a half is 45 periods. What was dropped shows in the stamps, not in the index.

    More may come while they are read, on a busy computer also late ones.
    """
    first = devices[MASTER].next_capture(10)
    with pytest.raises(CaptureTimeoutError):
        while True:  # whatever has come already
            first = devices[MASTER].next_capture(0)
    SystemClock().sleep(1.5)
    waiting = []
    with pytest.raises(CaptureTimeoutError):
        while True:
            waiting.append(devices[MASTER].next_capture(0))
    assert 1 <= len(waiting) < 25
    assert [capture.index for capture in waiting] == list(range(first.index + 1, first.index + 1 + len(waiting)))
    stamps = [capture.stamp.color_usec or 0 for capture in waiting]
    assert stamps[0] - (first.stamp.color_usec or 0) > 20 * PERIOD_USEC
    assert np.median(np.diff(stamps)) < 1.5 * PERIOD_USEC


def test_images_stay_as_they_were_while_the_device_goes_on_and_after_it_is_closed(devices: dict[str, Device]):
    """More are held than the SDK's queue is long: none is written over."""
    held = [devices[MASTER].next_capture(10) for _ in range(30)]
    copies = [[image.pixels.copy() for image in capture.images] for capture in held]
    for device in devices.values():
        device.close()
    for capture, kept in zip(held, copies, strict=True):
        for image, copy in zip(capture.images, kept, strict=True):
            assert np.array_equal(image.pixels, copy)
    stamps = [capture.stamp.color_usec or 0 for capture in held]
    assert stamps == sorted(set(stamps))


# ---- other programs ----------------------------------------------------------------------------------------------

_HOLDER = """
import sys
from genlock.devices import open_backend
from genlock.k4a import ColorResolution, DepthMode, DeviceConfig
from genlock.rig import Rig

device = open_backend("native", Rig()).open("000000000001")
device.arm(DeviceConfig(color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_2X2BINNED))
device.start()
capture = device.next_capture(10)
print("runs", flush=True)
sys.stdin.readline()
"""  # and ends without closing anything, a capture in its hand


def hold(virtual: VirtualRig) -> subprocess.Popen[str]:
    program = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", _HOLDER],
        env=client_environment(virtual),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "runs\n", program.stderr and program.stderr.read()
    return program


def test_a_device_that_another_program_has_is_told_apart_and_is_free_when_the_program_has_ended(
    virtual: VirtualRig, rig: Rig
):
    program = hold(virtual)
    with program, open_backend("native", rig) as backend:
        try:
            blocked, free = backend.devices()
            assert (blocked.findings[0].code, free.serial) == ("devices.not_openable", SUBORDINATE)
            with pytest.raises(DeviceOpenError, match="another program") as caught:
                backend.open(MASTER)
            assert caught.value.failure is OpenFailure.ALREADY_OPEN
        finally:
            output, errors = program.communicate("\n", timeout=30)
        assert (program.returncode, output) == (0, ""), errors
        backend.open(MASTER).close()


def test_a_rig_whose_process_is_killed_is_a_lost_device_and_nothing_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rig_file = tmp_path / "rig.toml"
    rig_file.write_text(rig_toml(2))
    serve = (
        "import sys; from pathlib import Path; from genlock.rig import load_rig\n"
        "from genlock.devices.scenario import Scenario, SceneName; from genlock.virtual import serve_rig\n"
        "with serve_rig(load_rig(Path(sys.argv[1])), Path(sys.argv[2]), scenario=Scenario(scene=SceneName.DARK),\n"
        "               real=Path(sys.argv[3])) as virtual:\n"
        "    import json; print(json.dumps(dict(virtual.environment)), flush=True); sys.stdin.readline()\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", serve, str(rig_file), str(tmp_path / "address"), str(libk4a())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        environment = json.loads(server.stdout.readline())
        for name in ("GENLOCK_VIRTUAL", "GENLOCK_K4A_LIBRARY"):
            monkeypatch.setenv(name, environment[name])
        plan = make_plan(chain_rig(2))
        with open_backend("native", chain_rig(2)) as backend:
            device = backend.open(MASTER)
            device.arm(plan.device(MASTER).config)
            device.start()
            capture = device.next_capture(10)
            server.kill()
            with pytest.raises(DeviceLostError):
                for _ in range(1000):
                    device.next_capture(10)
            with pytest.raises(DeviceError):
                device.sync_jacks()
            assert bytes(capture.images[0].pixels[:2]) == b"\xff\xd8"  # what was delivered stays
            assert backend.devices() == ()
