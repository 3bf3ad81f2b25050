"""What pyk4a's own functional tests do with one device (``tests/functional`` of its repository), and what they expect.

Runs in pyk4a's own environment; exits 0 when everything held.
"""

from __future__ import annotations

import threading

import numpy as np
import pyk4a
from pyk4a import ColorControlCommand, ImageFormat, K4AException, K4ATimeoutException, PyK4A


def main() -> None:
    missing = PyK4A(device_id=99)
    try:
        missing.open()
    except K4AException:
        pass
    else:
        raise AssertionError("device 99 could be opened")

    device = PyK4A()
    device.open()
    assert len(device.serial) == 12
    assert all(isinstance(plug, bool) for plug in device.sync_jack_status)
    device.reset_color_control_to_default()
    assert device.brightness == 128
    device.brightness = 123
    assert device.brightness == 123
    device.reset_color_control_to_default()
    assert device.brightness == 128
    assert device.exposure_mode_auto
    assert device.whitebalance_mode_auto
    assert device._get_color_control_capabilities(ColorControlCommand.WHITEBALANCE)["step_value"] == 10
    assert "CalibrationInformation" in device.calibration_raw
    assert device.calibration._calibration_handle
    matrix = device.calibration.get_camera_matrix(pyk4a.CalibrationType.COLOR)
    assert matrix.shape == (3, 3)
    assert matrix[0, 0] > 500

    try:
        device.get_capture(timeout=100)
    except K4ATimeoutException as error:
        raise AssertionError("a device that does not run timed out; it should fail") from error
    except K4AException:
        pass

    device._start_cameras()
    device._start_imu()
    capture = device.get_capture()
    assert capture.color is not None
    assert capture.color.shape == (720, 1280, 4)
    assert capture.color[:, :, :3].std() > 5, "the scene is no uniform wall"
    assert capture.depth is not None
    assert capture.depth.shape == (576, 640)
    assert np.mean(capture.depth > 0) > 0.2
    assert capture.ir is not None
    assert capture.ir.shape == (576, 640)
    assert capture.color_timestamp_usec > 0
    assert abs(capture.depth_timestamp_usec - capture.color_timestamp_usec) < 200
    assert capture.color_exposure_usec > 0
    assert capture.color_white_balance > 0
    sample = device.get_imu_sample()
    assert sample["acc_timestamp"] > 0
    assert 9 < np.linalg.norm(sample["acc_sample"]) < 10.5
    device._stop_imu()
    device._stop_cameras()

    # Its asynchronous examples read each stream in a thread of its own.
    device._config.color_format = ImageFormat.COLOR_MJPG
    device.start()
    counts = {"images": 0, "samples": 0}

    def read_samples() -> None:
        for _ in range(800):
            assert device.get_imu_sample(timeout=1_000) is not None
            counts["samples"] += 1

    reader = threading.Thread(target=read_samples)
    reader.start()
    for _ in range(20):
        counts["images"] += device.get_capture(timeout=2_000).color is not None
    reader.join()
    assert counts == {"images": 20, "samples": 800}
    device.stop()
    print("pyk4a is content")


if __name__ == "__main__":
    main()
