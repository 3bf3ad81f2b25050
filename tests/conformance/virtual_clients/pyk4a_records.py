"""Records every device of a rig with pyk4a, subordinates first, as its README's examples do with one.

Usage: ``python pyk4a_records.py FOLDER CAPTURES``. Imports nothing of genlock's; runs in pyk4a's own environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyk4a import (
    FPS,
    ColorResolution,
    Config,
    DepthMode,
    ImageFormat,
    PyK4A,
    PyK4ARecord,
    WiredSyncMode,
    connected_device_count,
)

SUBORDINATE_DELAY_USEC = 160


def main(folder: Path, count: int) -> None:
    devices = [PyK4A(device_id=index) for index in range(connected_device_count())]
    for device in devices:
        device.open()
    plugs = {device: device.sync_jack_status for device in devices}
    master = next(device for device in devices if plugs[device] == (False, True))
    subordinates = [device for device in devices if device is not master]
    recordings = []
    for place, device in enumerate((*subordinates, master), 1):
        device._config = Config(
            color_format=ImageFormat.COLOR_MJPG,
            color_resolution=ColorResolution.RES_720P,
            depth_mode=DepthMode.NFOV_2X2BINNED,
            camera_fps=FPS.FPS_15,
            synchronized_images_only=True,
            wired_sync_mode=WiredSyncMode.MASTER if device is master else WiredSyncMode.SUBORDINATE,
            subordinate_delay_off_master_usec=0 if device is master else SUBORDINATE_DELAY_USEC * place,
        )
        device.powerline_frequency = 2
        device.exposure = 8330
        device.whitebalance = 4500
        recording = PyK4ARecord(path=folder / f"{device.serial}.mkv", config=device._config, device=device)
        recording.create()
        recordings.append(recording)
    for device in (*subordinates, master):
        device.start()
    samples = 0
    for _ in range(count):
        for device, recording in zip((*subordinates, master), recordings, strict=True):
            recording.write_capture(device.get_capture(timeout=10_000))
            samples += device.get_imu_sample(timeout=1_000) is not None
    for recording in recordings:
        recording.flush()
        recording.close()
    told = {
        "serials": [device.serial for device in devices],
        "captures": [recording.captures_count for recording in recordings],
        "imu_samples": samples,
    }
    for device in (master, *subordinates):
        device.stop()
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
