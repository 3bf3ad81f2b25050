"""Records one device with Open3D's Azure Kinect recorder.

Usage: ``python open3d_records.py INDEX ROLE DELAY_USEC CAPTURES FILE``. One process a device, as Open3D's own example
is run: subordinates first. Runs in Open3D's own environment.
"""

from __future__ import annotations

import sys

import numpy as np
import open3d as o3d


def main(index: int, role: str, delay_usec: int, count: int, file: str) -> None:
    config = o3d.io.AzureKinectSensorConfig(
        {
            "camera_fps": "K4A_FRAMES_PER_SECOND_5",
            "color_format": "K4A_IMAGE_FORMAT_COLOR_MJPG",
            "color_resolution": "K4A_COLOR_RESOLUTION_720P",
            "depth_mode": "K4A_DEPTH_MODE_NFOV_2X2BINNED",
            "depth_delay_off_color_usec": "0",
            "disable_streaming_indicator": "false",
            "subordinate_delay_off_master_usec": str(delay_usec),
            "synchronized_images_only": "true",
            "wired_sync_mode": f"K4A_WIRED_SYNC_MODE_{role.upper()}",
        }
    )
    recorder = o3d.io.AzureKinectRecorder(config, index)
    if not recorder.init_sensor():
        raise SystemExit("Open3D could not connect to the device")
    print("started", flush=True)
    if not recorder.open_record(file):
        raise SystemExit(f"Open3D could not make {file}")
    shapes = set()
    written = 0
    while written < count:
        picture = recorder.record_frame(True, False)
        if picture is not None:
            written += 1
            shapes.add((np.asarray(picture.color).shape, np.asarray(picture.depth).shape))
    recorder.close_record()
    assert shapes == {((720, 1280, 3), (288, 320))}, shapes


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
