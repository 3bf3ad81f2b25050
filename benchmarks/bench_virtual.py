"""The virtual libk4a: ten devices at 30 fps, 720P MJPG and NFOV_UNBINNED, to one client and to ten, in real time.

    python benchmarks/bench_virtual.py [--devices 10] [--seconds 10]

Images are made beforehand, as ``genlock virtual`` does by default. A capture is lost when the stamps of a device skip
a frame. The devices are wired and staggered, so that no laser shines into another's image. Costs are processor time:
of the process that runs the rig, and of the clients (each a Python process that asks for captures through ctypes and
looks at their stamps). The last line leaves the rig out: how many captures of that size the library carries from one
process to another when they cost nothing to make.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from conformance.libraries import find_libraries
from genlock.capture import Capture, Image
from genlock.clock import SystemClock
from genlock.devices import find_k4a_library
from genlock.devices.scenario import Scenario
from genlock.k4a import ImageFormat
from genlock.testing.rigs import chain_rig
from genlock.virtual import RigServer, build_library, private_address, serve_rig
from genlock.virtual.build import PRODUCER_LIBRARY
from genlock.virtual.channel import load_producer
from genlock.virtual.environment import program_environment
from support.fast_device import FastDevice, FastRig

TESTS = Path(__file__).parents[1] / "tests"

CLIENT = """
import json, sys, threading, time
sys.path.insert(0, sys.argv[1])
from support.k4a_client import *
seconds, indices = float(sys.argv[2]), [int(text) for text in sys.argv[3:]]
k4a = K4a("libk4a.so")
devices = [k4a.open(index) for index in indices]
for device in devices:
    device.set_control(POWERLINE, MANUAL, 2)
    device.set_control(EXPOSURE, MANUAL, 8330)
for index, device in zip(indices, devices):
    role = SUBORDINATE if index else MASTER
    delay_usec = 160 * index
    started = device.start(depth_mode=NFOV, wired_sync_mode=role, subordinate_delay_off_master_usec=delay_usec)
    assert started == SUCCEEDED
print("started", flush=True)
sys.stdin.readline()
found = []
def read(device):
    while device.wait(0)[0] == SUCCEEDED:  # what waited meanwhile
        pass
    stamps, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        result, capture = device.wait()
        assert result == SUCCEEDED
        ir = k4a.capture_get_ir_image(capture)
        if ir:
            stamps.append(k4a.image_get_device_timestamp_usec(ir))
            k4a.image_release(ir)
        k4a.capture_release(capture)
    found.append(stamps)
threads = [threading.Thread(target=read, args=(device,)) for device in devices]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(found))
"""


def run_clients(environment: dict[str, str], seconds: float, groups: list[list[int]]) -> list[list[int]]:
    """Stamps of every device, read by a client for each group of devices."""
    clients = []
    for group in groups:  # one after the other: starting prepares images
        command = [sys.executable, "-c", CLIENT, str(TESTS), str(seconds), *map(str, group)]
        client = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert client.stdout.readline() == "started\n"
        clients.append(client)
    for client in clients:
        client.stdin.write("go\n")
        client.stdin.flush()
    return [stamps for client in clients for stamps in json.loads(client.communicate()[0])]


def bench(devices: int, seconds: float, groups: list[list[int]]) -> None:
    with (
        private_address() as address,
        serve_rig(chain_rig(devices, {"depth_mode": "NFOV_UNBINNED"}), address, scenario=Scenario(is_looped=True),
                  real=find_libraries()) as virtual,
    ):  # fmt: skip
        marks = []
        run_clients(virtual.environment, 0.5, groups)  # the images are made
        marks.append((time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)))
        stamps = run_clients(virtual.environment, seconds, groups)
        marks.append((time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)))
    captures = sum(len(of_device) for of_device in stamps)
    lost = sum(round((b - a) / 33_333) - 1 for of_device in stamps for a, b in itertools.pairwise(of_device))
    server_sec = marks[1][0] - marks[0][0]
    client_sec = sum(getattr(marks[1][1], f) - getattr(marks[0][1], f) for f in ("ru_utime", "ru_stime"))
    clients = f"{len(groups)} client{'s' if len(groups) > 1 else ''}"
    print(
        f"{devices} devices to {clients:<10} {captures:6d} captures, {captures / seconds:6.1f}/s, {lost} lost; "
        f"rig {1e3 * server_sec / captures:.2f} ms, clients {1e3 * client_sec / captures:.2f} ms of processor a capture"
    )


class LargeDevice(FastDevice):
    """Captures of 720P and NFOV_UNBINNED size, always the same."""

    def __init__(self, serial: str) -> None:
        super().__init__(serial)
        self._jpeg, self._depth = np.zeros(220_000, np.uint8), np.zeros((576, 640), np.uint16)

    def next_capture(self, timeout_sec: float) -> Capture:  # noqa: D102
        number = super().next_capture(timeout_sec).index
        color = Image(ImageFormat.MJPG, 1280, 720, self._jpeg, number, number)
        depth, ir = (
            Image(kind, 640, 576, self._depth, number, number) for kind in (ImageFormat.DEPTH16, ImageFormat.IR16)
        )
        return Capture(self.serial, number, color, depth, ir)


class LargeRig(FastRig):
    """A rig of such devices."""

    def open(self, serial: str) -> LargeDevice:  # noqa: D102
        return LargeDevice(serial)


def bench_carrying(seconds: float) -> None:
    library = build_library(find_k4a_library(find_libraries()))
    client = """
import sys, time
sys.path.insert(0, sys.argv[1])
from support.k4a_client import *
k4a, count = K4a("libk4a.so"), 0
with k4a.opened() as device:
    assert device.start(depth_mode=NFOV) == SUCCEEDED
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        k4a.capture_release(device.wait()[1])
        count += 1
print(count)
"""
    with private_address() as address:
        environment = program_environment(library, address)
        producer = load_producer(library / PRODUCER_LIBRARY)
        with RigServer(LargeRig(SystemClock(), ["000000000001"]), producer, address, environment):
            command = [sys.executable, "-c", client, str(TESTS), str(seconds)]
            ran = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    print(f"without the rig             {int(ran.stdout) / seconds:8.0f} captures/s from one process to another")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors")
    indices = [*range(1, options.devices), 0]  # the master last
    bench(options.devices, options.seconds, [indices])
    bench(options.devices, options.seconds, [[index] for index in indices])
    bench_carrying(min(options.seconds, 5.0))


if __name__ == "__main__":
    main()
