"""The virtual libk4a under load and sanitizers: no torn image, no lost slot, no leak, no race.

``GENLOCK_ENDURANCE_CAPTURES=100000`` makes the long run of it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genlock.clock import SystemClock
from genlock.devices import find_k4a_library
from genlock.testing.rigs import chain_rig
from genlock.virtual import RigServer, build_library, private_address
from genlock.virtual.build import PRODUCER_LIBRARY
from genlock.virtual.channel import load_producer
from genlock.virtual.environment import program_environment
from support.fast_device import FastRig
from support.virtual_rig import libk4a, running_rig

SUPPORT = Path(__file__).parents[1] / "support"
CAPTURES = int(os.environ.get("GENLOCK_ENDURANCE_CAPTURES", "4000"))

CLIENT = """
import ctypes as c, sys
sys.path.insert(0, {tests!r})
import numpy as np
from support.k4a_client import K4a, NFOV_BINNED, OFF, SUCCEEDED
wanted = {captures}
k4a = K4a("libk4a.so")

def rss_kib():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4

def check(capture):
    for kind in ("depth", "ir"):
        image = getattr(k4a, f"capture_get_{{kind}}_image")(capture)
        size = k4a.image_get_size(image)
        pixels = np.frombuffer((c.c_char * size).from_address(k4a.image_get_buffer(image)), np.uint16)
        number = k4a.image_get_device_timestamp_usec(image) // 100
        assert (pixels == number % 65536).all(), f"capture {{number}} is torn"
        k4a.image_release(image)
    return number

last, hoard, early_kib = 0, [], 0
with k4a.opened() as device:
    for count in range(wanted):
        if count % 1000 == 0:  # restarts are part of it
            device.stop()
            assert device.start(color_resolution=OFF, depth_mode=NFOV_BINNED) == SUCCEEDED
        result, capture = device.wait()
        assert result == SUCCEEDED, result
        number = check(capture)
        assert number > last, "captures come in order"
        last = number
        hoard.append((capture, number))
        if len(hoard) > count % 14:  # now fewer, now more than the library lends
            for held, number in hoard:
                assert check(held) == number, "a capture that is held stays as it was"
                k4a.capture_release(held)
            hoard.clear()
        if count == wanted // 2:
            early_kib = rss_kib()
    for held, _ in hoard:
        k4a.capture_release(held)
print(rss_kib() - early_kib, last)
"""


def test_no_image_is_torn_and_no_memory_lost_at_full_speed():
    tests = str(SUPPORT.parent)
    library = build_library(find_k4a_library(libk4a()))
    clock = SystemClock()
    with private_address() as address:
        environment = program_environment(library, address)
        rig = FastRig(clock, ["000000000001"])
        producer = load_producer(library / PRODUCER_LIBRARY)
        with RigServer(rig, producer, address, environment) as server:
            ran = subprocess.run(
                [sys.executable, "-c", CLIENT.format(tests=tests, captures=CAPTURES)],
                env={**os.environ, **environment}, capture_output=True, text=True, timeout=280,
            )  # fmt: skip
            assert server.refusals == []
    assert ran.returncode == 0, ran.stderr
    grown_kib, last = map(int, ran.stdout.split())
    # One capture of 360 kB that got lost each hundred would be 7 MB after half of the short run.
    assert grown_kib < 4096, f"{grown_kib} KiB more than half-way"
    assert last > CAPTURES, "the device was faster than the client: captures were dropped, as they should be"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc's sanitizers")
@pytest.mark.parametrize("sanitizers", [("address", "undefined"), ("thread",)], ids="+".join)
def test_a_client_of_many_threads_runs_clean_under_sanitizers(tmp_path, sanitizers, monkeypatch):
    monkeypatch.setenv("CC", "gcc")
    real = find_k4a_library(libk4a())
    flags = [*(f"-fsanitize={name}" for name in sanitizers), "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    library = build_library(real, cache=tmp_path, flags=flags)
    program = tmp_path / "client"
    include = Path(sys.modules["genlock.virtual"].__file__).parent / "csrc"
    built = subprocess.run(
        ["gcc", "-std=c11", "-g", "-O1", "-pthread", *flags, f"-I{include}", str(SUPPORT / "c" / "client.c"),
         "-o", str(program), str(real), "-Wl,--allow-shlib-undefined"],
        capture_output=True, text=True,
    )  # fmt: skip
    if "cannot find" in built.stderr:
        pytest.skip(f"gcc has no runtime for {' and '.join(sanitizers)}")
    assert built.returncode == 0, built.stderr
    with running_rig(chain_rig(3)) as virtual:
        ran = subprocess.run(
            [str(program), "2", "15"],
            # Not preloaded: a sanitizer's own library has to come first. The real library's folder, because its search
            # for the depth engine goes through the sanitizer.
            env={**os.environ, "GENLOCK_VIRTUAL": virtual.environment["GENLOCK_VIRTUAL"],
                 "LD_LIBRARY_PATH": f"{library}:{real.parent}"},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
