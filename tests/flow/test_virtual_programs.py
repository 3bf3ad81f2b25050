"""Programs of others on the virtual rig: several processes, their recordings, and how any of them may die."""

import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from genlock.devices.scenario import Fault, FaultKind
from genlock.recording import RecordingReader, inspect_recording
from genlock.testing.rigs import chain_rig, rig_toml, serials
from genlock.verify import Verdict
from genlock.workflows.verify import verify_path
from support.k4a_client import MASTER, SUBORDINATE
from support.virtual_rig import client_environment, libk4a, running_rig

SUPPORT = Path(__file__).parents[1] / "support"
RECORDER = [sys.executable, str(SUPPORT / "recorder_program.py")]
CAPTURES = 40


def start_recorder(virtual, folder, index, mode, delay_usec):
    """A recorder that waits for its first capture."""
    arguments = [str(index), str(mode), str(delay_usec), str(CAPTURES), str(folder / f"{index}.mkv")]
    process = subprocess.Popen(
        [*RECORDER, *arguments], env=client_environment(virtual), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def record_three(virtual, folder) -> list[Path]:
    """Two subordinates in two processes wait, then the master starts in a third: the article's procedure."""
    processes = [start_recorder(virtual, folder, index, SUBORDINATE, 160 * index) for index in (1, 2)]
    assert [(client.role, client.captures) for client in virtual.server.clients()] == [("subordinate", 0)] * 2
    processes.append(start_recorder(virtual, folder, 0, MASTER, 0))
    for process in processes:
        assert process.wait(60) == 0
        process.stdout.close()
    return [folder / f"{index}.mkv" for index in range(3)]


def test_recordings_of_three_unmodified_processes_are_good_and_say_that_they_are_simulated(tmp_path):
    with running_rig(chain_rig(3)) as virtual:
        paths = record_three(virtual, tmp_path)
        assert virtual.server.clients() == []
    report = verify_path(paths)
    assert report.verdict is Verdict.GOOD, report.to_text()
    assert report.is_simulated
    assert "SIMULATED" in report.to_text()
    for path in paths:
        found = inspect_recording(path)
        assert found.is_simulated, "by its calibration: no foreign program writes our tags"
        assert found.to_json()["is_simulated"] is True


def test_microsoft_s_recorder_finds_in_a_device_what_it_finds_in_a_camera(tmp_path):
    """Its own code reads our structures: identity, firmware, calibration, inertial samples, by their C layout."""
    with running_rig(chain_rig(2)) as virtual:
        process = start_recorder(virtual, tmp_path, 0, MASTER, 0)
        assert process.wait(60) == 0
        process.stdout.close()
        device = virtual.backend.open(serials(2)[0])
        calibration = device.raw_calibration()
    with RecordingReader(tmp_path / "0.mkv") as reader:
        assert reader.serial == serials(2)[0]
        assert reader.tags["K4A_COLOR_FIRMWARE_VERSION"] == "1.6.110"
        assert reader.tags["K4A_DEPTH_FIRMWARE_VERSION"] == "1.6.80"
        assert reader.tags["K4A_WIRED_SYNC_MODE"] == "MASTER"
        assert reader.calibration == calibration
        samples = list(reader.imu())
    times_usec = [sample.acc_timestamp_usec for sample in samples]
    assert len(samples) > 0.8 * CAPTURES / 15 * 1666
    assert sum(b - a >= 900 for a, b in pairwise(times_usec)) <= 2, "a busy computer may pause for half a second"
    assert all(9.5 < math.hypot(*sample.acc_m_per_s2) < 10.1 for sample in samples)
    assert all(max(map(abs, sample.gyro_rad_per_s)) < 0.1 for sample in samples)


def test_a_pulled_cable_makes_such_recordings_fail(tmp_path):
    with running_rig(chain_rig(3)) as virtual:
        # A tenth of a percent off, so that the wander is beyond doubt after the second that is left.
        pulled = Fault(kind=FaultKind.CABLE_PULLED, serial=serials(3)[1], at_sec=1.0, amount=1000.0)
        processes = [start_recorder(virtual, tmp_path, index, SUBORDINATE, 160 * index) for index in (1, 2)]
        virtual.backend.cause(pulled)
        processes.append(start_recorder(virtual, tmp_path, 0, MASTER, 0))
        for process in processes:
            assert process.wait(60) == 0
            process.stdout.close()
    report = verify_path([tmp_path / f"{index}.mkv" for index in range(3)])
    assert report.verdict is Verdict.FAIL, report.to_text()


def test_a_device_that_another_process_has_open_does_not_open(tmp_path):
    with running_rig(chain_rig(2)) as virtual:
        first = start_recorder(virtual, tmp_path, 1, SUBORDINATE, 0)
        arguments = ["1", str(SUBORDINATE), "0", "1", str(tmp_path / "second.mkv")]
        environment = client_environment(virtual)
        for _ in range(2):
            second = subprocess.run([*RECORDER, *arguments], env=environment, capture_output=True, text=True)
            assert second.returncode == 1 and "device 1 does not open" in second.stderr
        assert "open already" in virtual.server.refusals[-1] and "(2 times)" in virtual.server.refusals[-1]
        first.kill()
        first.wait()
        first.stdout.close()


def test_a_client_that_is_killed_leaves_its_device_free_and_the_others_alone(tmp_path):
    with running_rig(chain_rig(2)) as virtual:
        subordinate = start_recorder(virtual, tmp_path, 1, SUBORDINATE, 0)
        master = start_recorder(virtual, tmp_path, 0, MASTER, 0)
        _wait_until(lambda: any(client.captures > 5 for client in virtual.server.clients()))
        subordinate.kill()
        assert subordinate.wait() == -signal.SIGKILL
        subordinate.stdout.close()
        _wait_until(lambda: len(virtual.server.clients()) < 2)
        again = start_recorder(virtual, tmp_path, 1, SUBORDINATE, 0)
        assert master.wait(60) == 0
        assert again.wait(60) == 0, "it goes on by itself when the master is gone"
        for process in (master, again):
            process.stdout.close()


def _wait_until(is_so, timeout_sec=10.0):
    deadline = time.monotonic() + timeout_sec
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


# ---- the command line --------------------------------------------------------------------------------------------

GENLOCK = [sys.executable, "-m", "genlock", "virtual"]


@pytest.fixture
def rig_file(tmp_path) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(rig_toml(2))
    (tmp_path / "dark.toml").write_text('scene = "dark"\n[timing]\nstart_sec = 0.01\n')
    return path


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Where libk4a is, and a place for sockets of this test's own."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    return {**os.environ, "GENLOCK_K4A_LIBRARY": str(libk4a()), "XDG_RUNTIME_DIR": str(runtime)}


def genlock(rig_file, environment, *arguments, **options):
    """Runs ``genlock virtual``."""
    command = [*GENLOCK, str(rig_file), "--scenario", str(rig_file.with_name("dark.toml")), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, **options)


@pytest.mark.parametrize(
    ("program", "status"),
    [(["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -TERM $$"], 128 + 15), (["nonesuch"], 127)],
)
def test_the_exit_status_is_the_program_s(rig_file, environment, program, status):
    assert genlock(rig_file, environment, "--", *program).returncode == status


def test_a_program_sees_the_rig_and_its_own_output_alone(rig_file, environment):
    code = "import ctypes; print(ctypes.CDLL('libk4a.so').k4a_device_get_installed_count())"
    ran = genlock(rig_file, environment, "--", sys.executable, "-c", code, "--json")
    assert (ran.stdout, ran.stderr, ran.returncode) == ("2\n", "", 0), "--json is the program's here"


def test_with_json_there_is_one_object_and_the_program_speaks_on_standard_error(rig_file, environment):
    import json

    ran = genlock(rig_file, environment, "--json", "--", "sh", "-c", "echo spoken; exit 3")
    answer = json.loads(ran.stdout)
    assert (answer["exit_status"], answer["program"][0], ran.returncode) == (3, "sh", 3)
    assert ran.stderr == "spoken\n"


def test_what_the_rig_refused_is_told_with_its_reason(rig_file, environment, tmp_path):
    arguments = ["0", str(SUBORDINATE), "0", "1", str(tmp_path / "x.mkv")]
    ran = genlock(rig_file, environment, "--", *RECORDER, *arguments)
    assert ran.returncode == 1
    assert "refused python" in ran.stderr and "Sync In" in ran.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_program_once(rig_file, environment, tmp_path, number):
    log = tmp_path / "log"
    code = (
        "import signal, sys, time\n"
        f"log = open({str(log)!r}, 'a', buffering=1)\n"
        "def heard(number, frame): log.write(f'heard {number}\\n')\n"
        f"signal.signal({int(number)}, heard)\n"
        "log.write('ready\\n')\n"
        "end = time.monotonic() + 1\n"
        "while time.monotonic() < end: time.sleep(0.05)\n"
        "sys.exit(5)\n"
    )
    command = [
        *GENLOCK,
        str(rig_file),
        "--scenario",
        str(rig_file.with_name("dark.toml")),
        "--",
        sys.executable,
        "-c",
        code,
    ]
    with subprocess.Popen(command, env=environment) as process:
        _wait_until(log.exists)
        process.send_signal(number)
        assert process.wait(30) == 5
    assert log.read_text() == f"ready\nheard {int(number)}\n"


@pytest.fixture
def served(rig_file, environment):
    """A rig that another process serves."""
    command = [*GENLOCK, str(rig_file), "--serve", "--scenario", str(rig_file.with_name("dark.toml"))]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "serving 2 devices" in process.stderr.readline()
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(30)


def test_a_served_rig_is_shared_listed_and_ended_by_ctrl_c(rig_file, environment, served, tmp_path):
    import json

    attach = [*GENLOCK, str(rig_file), "--attach", "--", *RECORDER]
    with subprocess.Popen(
        [*attach, "1", str(SUBORDINATE), "160", "20", str(tmp_path / "1.mkv")],
        env=environment, stdout=subprocess.PIPE, text=True,
    ) as waiting:  # fmt: skip
        assert waiting.stdout.readline() == "started\n"
        listed = json.loads(genlock(rig_file, environment, "--list-clients", "--json").stdout)
        (client,) = listed["clients"]
        assert (client["serial"], client["role"], client["captures"]) == (serials(2)[1], "subordinate", 0)
        master = [*attach, "0", str(MASTER), "0", "20", str(tmp_path / "0.mkv")]
        assert subprocess.run(master, env=environment, timeout=60).returncode == 0
        assert waiting.wait(60) == 0
    assert "nobody" in genlock(rig_file, environment, "--list-clients").stdout
    second = genlock(rig_file, environment, "--serve")
    assert second.returncode == 3 and "served already" in second.stderr
    served.send_signal(signal.SIGINT)
    assert served.wait(30) == 0
    after = genlock(rig_file, environment, "--list-clients")
    assert after.returncode == 3 and "nobody serves" in after.stderr


def test_faults_can_be_caused_in_a_served_rig(rig_file, environment, served):
    code = "import ctypes, sys; sys.exit(ctypes.CDLL('libk4a.so').k4a_device_get_installed_count())"
    count = ["--attach", "--", sys.executable, "-c", code]
    assert genlock(rig_file, environment, *count).returncode == 2
    assert genlock(rig_file, environment, "--cause", f"usb_unplugged:{serials(2)[0]}").returncode == 0
    assert genlock(rig_file, environment, *count).returncode == 1
    assert genlock(rig_file, environment, "--cure", f"usb_unplugged:{serials(2)[0]}").returncode == 0
    assert genlock(rig_file, environment, *count).returncode == 2
    assert genlock(rig_file, environment, "--cause", "nonsense").returncode == 2


def test_a_killed_rig_ends_its_clients_and_leaves_nothing_in_the_way(rig_file, environment, served, tmp_path):
    attach = [*GENLOCK, str(rig_file), "--attach", "--", *RECORDER]
    with subprocess.Popen(
        [*attach, "1", str(SUBORDINATE), "0", "20", str(tmp_path / "1.mkv")],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as waiting:  # fmt: skip
        assert waiting.stdout.readline() == "started\n"
        served.kill()
        _, stderr = waiting.communicate(timeout=5)
        assert waiting.returncode == 1 and "get_capture said 1" in stderr
    served.wait()
    with subprocess.Popen(
        [*GENLOCK, str(rig_file), "--serve"], env=environment, stderr=subprocess.PIPE, text=True
    ) as again:
        assert "serving" in again.stderr.readline(), "the dead one's socket is no obstacle"
        again.send_signal(signal.SIGINT)


# ---- linked programs ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("gcc") is None, reason="compiles a client with gcc")
@pytest.mark.parametrize("runpath", ["-Wl,--disable-new-dtags", "-Wl,--enable-new-dtags"])
def test_a_program_that_knows_where_its_own_libk4a_is_sees_the_rig_too(tmp_path, runpath):
    """As wheels do it: linked to the library by its mangled name, found by RPATH before anybody's search path."""
    from genlock.devices import find_k4a_library

    real = find_k4a_library(libk4a())
    program = tmp_path / "client"
    include = Path(sys.modules["genlock.virtual"].__file__).parent / "csrc"
    subprocess.run(
        ["gcc", "-std=c11", "-pthread", f"-I{include}", str(SUPPORT / "c" / "client.c"), "-o", str(program),
         str(real), f"-Wl,-rpath,{real.parent}", runpath, "-Wl,--allow-shlib-undefined"],
        check=True,
    )  # fmt: skip
    with running_rig(chain_rig(2)) as virtual:
        ran = subprocess.run([str(program), "1", "5"], env=client_environment(virtual), capture_output=True, text=True)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "")
