"""A recorder as anybody might write one: libk4a and libk4arecord by their names, nothing of genlock's.

Run as a program: ``python recorder_program.py INDEX MODE DELAY_USEC CAPTURES PATH``.
"""

import ctypes as c
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.k4a_client import EXPOSURE, FPS_15, MANUAL, MASTER, POWERLINE, SUCCEEDED, Config, ImuSample, K4a

H = c.c_void_p


def record(index: int, mode: int, delay_usec: int, captures: int, path: str) -> None:
    """Records so many captures, on a master with inertial samples; fails loudly."""
    k4a = K4a("libk4a.so")
    recorder = c.CDLL("libk4arecord.so")
    recorder.k4a_record_create.argtypes = [c.c_char_p, H, Config, c.POINTER(H)]
    recorder.k4a_record_write_capture.argtypes = [H, H]
    recorder.k4a_record_write_imu_sample.argtypes = [H, ImuSample]
    for name in ("add_imu_track", "write_header", "flush", "close"):
        getattr(recorder, f"k4a_record_{name}").argtypes = [H]
    config = Config(camera_fps=FPS_15, wired_sync_mode=mode, subordinate_delay_off_master_usec=delay_usec)
    with k4a.opened(index) as device:
        device.set_control(POWERLINE, MANUAL, 2)
        device.set_control(EXPOSURE, MANUAL, 8330)
        assert device.start(config) == SUCCEEDED, "the cameras do not start"
        handle = H()
        assert recorder.k4a_record_create(path.encode(), device.handle, config, handle) == SUCCEEDED
        if mode == MASTER:
            assert recorder.k4a_record_add_imu_track(handle) == SUCCEEDED
            assert k4a.device_start_imu(device.handle) == SUCCEEDED
        assert recorder.k4a_record_write_header(handle) == SUCCEEDED
        print("started", flush=True)
        for _ in range(captures):
            result, capture = device.wait(20_000)
            assert result == SUCCEEDED, f"get_capture said {result}"
            assert recorder.k4a_record_write_capture(handle, capture) == SUCCEEDED
            k4a.capture_release(capture)
            while mode == MASTER and (sample := device.imu(0))[0] == SUCCEEDED:
                assert recorder.k4a_record_write_imu_sample(handle, sample[1]) == SUCCEEDED
        recorder.k4a_record_close(handle)


if __name__ == "__main__":
    record(*map(int, sys.argv[1:5]), sys.argv[5])
