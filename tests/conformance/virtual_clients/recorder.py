"""A recorder with the steps of Microsoft's k4arecorder, over libk4a and libk4arecord as the loader finds them.

Usage: ``python recorder.py INDEX ROLE DELAY_USEC FPS SECONDS FILE``. Says ``started`` once its cameras run; Ctrl-C ends
it in order.
"""

from __future__ import annotations

import ctypes as c
import signal
import sys
import threading
import time

from conformance.virtual_suite.device_api import (
    SUCCEEDED,
    Config,
    Control,
    Depth,
    Device,
    Fps,
    ImuSample,
    Mode,
    Resolution,
    Sync,
    open_device,
)

_FIRST_CAPTURE_MSEC = 60_000


def _load_recorder() -> c.CDLL:
    library = c.CDLL("libk4arecord.so")
    handle = c.c_void_p
    for name, arguments in (
        ("create", [c.c_char_p, handle, Config, c.POINTER(handle)]),
        ("add_imu_track", [handle]),
        ("write_header", [handle]),
        ("write_capture", [handle, handle]),
        ("write_imu_sample", [handle, ImuSample]),
        ("flush", [handle]),
    ):
        function = getattr(library, f"k4a_record_{name}")
        function.argtypes, function.restype = arguments, c.c_int
    library.k4a_record_close.argtypes, library.k4a_record_close.restype = [handle], None
    return library


class Recording:
    def __init__(self, device: Device, config: Config, file: str) -> None:
        self._library = _load_recorder()
        self._handle = c.c_void_p()
        self._call("create", file.encode(), device.handle, config, c.byref(self._handle))
        self._call("add_imu_track", self._handle)
        self._call("write_header", self._handle)

    def _call(self, name: str, *arguments: object) -> None:
        result = getattr(self._library, f"k4a_record_{name}")(*arguments)
        assert result == SUCCEEDED, f"k4a_record_{name} answered {result}"

    def write(self, device: Device) -> None:
        """The next capture, then all inertial samples that wait."""
        with device.capture(2_000) as capture:
            self._call("write_capture", self._handle, capture.handle)
        while True:
            result, sample = device.imu(0)
            if result != SUCCEEDED:
                return
            self._call("write_imu_sample", self._handle, sample)

    def close(self) -> None:
        self._call("flush", self._handle)
        self._library.k4a_record_close(self._handle)


def main(index: int, role: str, delay_usec: int, fps: Fps, seconds: float, file: str) -> None:
    device = open_device(index)
    device.set_exposure_60_hz(8_330)
    assert device.set_control(Control.WHITEBALANCE, Mode.MANUAL, 4_500) == SUCCEEDED
    config = Config(
        color_resolution=Resolution.R720P,
        depth_mode=Depth.NFOV_2X2BINNED,
        camera_fps=fps,
        wired_sync_mode=Sync[role.upper()],
        subordinate_delay_off_master_usec=delay_usec,
    )
    assert device.start(config) == SUCCEEDED
    assert device.start_imu() == SUCCEEDED
    print("started", flush=True)
    recording = Recording(device, config, file)
    device.capture(_FIRST_CAPTURE_MSEC).release()
    stopping = threading.Event()
    signal.signal(signal.SIGINT, lambda number, frame: stopping.set())
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopping.is_set():
        recording.write(device)
    device.stop_imu()
    device.stop()
    recording.close()
    device.close()


if __name__ == "__main__":
    main(
        int(sys.argv[1]),
        sys.argv[2],
        int(sys.argv[3]),
        Fps((5, 15, 30).index(int(sys.argv[4]))),
        float(sys.argv[5]),
        sys.argv[6],
    )
