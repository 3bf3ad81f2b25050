"""Records one device with pykinect_azure, which calls libk4a and libk4arecord through ctypes.

Usage: ``python pykinect_azure_records.py INDEX ROLE DELAY_USEC CAPTURES FILE``. Runs in its own environment.
"""

from __future__ import annotations

import sys

import pykinect_azure as pykinect


def main(index: int, role: str, delay_usec: int, count: int, file: str) -> None:
    # Unless told it opens those below /usr/lib, where the SDK may not be installed.
    pykinect.initialize_libraries("libk4a.so")
    config = pykinect.default_configuration
    config.color_format = pykinect.K4A_IMAGE_FORMAT_COLOR_MJPG
    config.color_resolution = pykinect.K4A_COLOR_RESOLUTION_720P
    config.depth_mode = pykinect.K4A_DEPTH_MODE_NFOV_2X2BINNED
    config.camera_fps = pykinect.K4A_FRAMES_PER_SECOND_5
    config.synchronized_images_only = True
    config.wired_sync_mode = {"master": 1, "subordinate": 2}[role]
    config.subordinate_delay_off_master_usec = delay_usec
    device = pykinect.start_device(device_index=index, config=config, record=True, record_filepath=file)
    print("started", flush=True)
    for _ in range(count):
        capture = device.update()
        found, color = capture.get_color_image()
        assert found
        assert color.shape == (720, 1280, 3)
        found, depth = capture.get_depth_image()
        assert found
        assert depth.shape == (288, 320)
        assert device.update_imu().acc_time > 0
    device.record.close()
    device.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
