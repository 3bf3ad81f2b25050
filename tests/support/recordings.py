"""Captures, samples and configurations for tests of recordings: real sizes, seeded content, no camera."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import simplejpeg

from genlock.capture import Capture, Image, ImuSample
from genlock.k4a import (
    COLOR_GEOMETRY,
    DEPTH_GEOMETRY,
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    ImageFormat,
    WiredSyncMode,
    image_bytes,
)
from genlock.recording import RecordingSummary, RecordingWriter

SERIAL = "000000000007"
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "k4a"
"""Real recordings, beside the checkout; absent on a fresh machine."""

IMU_STEP_USEC = 600

CONFIGS = {
    "standalone": DeviceConfig(color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_2X2BINNED),
    "master_depth_first": DeviceConfig(
        color_resolution=ColorResolution.RES_1080P,
        depth_mode=DepthMode.NFOV_UNBINNED,
        wired_sync_mode=WiredSyncMode.MASTER,
        depth_delay_off_color_usec=-160,
    ),
    "subordinate_depth_last": DeviceConfig(
        color_resolution=ColorResolution.RES_720P,
        depth_mode=DepthMode.WFOV_2X2BINNED,
        camera_fps=CameraFps.FPS_15,
        wired_sync_mode=WiredSyncMode.SUBORDINATE,
        subordinate_delay_off_master_usec=160,
        depth_delay_off_color_usec=10_000,
    ),
    "subordinate_depth_only": DeviceConfig(
        depth_mode=DepthMode.NFOV_2X2BINNED,
        wired_sync_mode=WiredSyncMode.SUBORDINATE,
        subordinate_delay_off_master_usec=10_000,
    ),
    "color_only": DeviceConfig(color_resolution=ColorResolution.RES_1536P, camera_fps=CameraFps.FPS_5),
    "passive_ir": DeviceConfig(color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.PASSIVE_IR),
    "wfov_unbinned": DeviceConfig(
        color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.WFOV_UNBINNED, camera_fps=CameraFps.FPS_15
    ),
    "nv12": DeviceConfig(color_format=ImageFormat.NV12, color_resolution=ColorResolution.RES_720P),
    "yuy2": DeviceConfig(color_format=ImageFormat.YUY2, color_resolution=ColorResolution.RES_720P),
    "bgra": DeviceConfig(color_format=ImageFormat.BGRA32, color_resolution=ColorResolution.RES_720P),
}
"""One of each kind of recording, by name."""

SMALL_CONFIG = CONFIGS["standalone"]


def make_image(image_format: ImageFormat, width_px: int, height_px: int, usec: int, seed: int) -> Image:
    """An image of noise, so that no two are alike; a JPEG is a real one, of a smooth picture."""
    rng = np.random.default_rng(seed)
    pixels: np.ndarray
    if image_format in (ImageFormat.DEPTH16, ImageFormat.IR16):
        pixels = rng.integers(0, 1 << 16, (height_px, width_px), np.uint16)
    elif image_format is ImageFormat.MJPG:
        picture = np.full((height_px, width_px, 3), seed * 37 % 256, np.uint8)
        picture[:, : width_px // 2] = rng.integers(0, 256, 3, np.uint8)
        pixels = np.frombuffer(simplejpeg.encode_jpeg(picture), np.uint8)
    else:
        shape = {
            ImageFormat.NV12: (height_px * 3 // 2, width_px),
            ImageFormat.YUY2: (height_px, width_px * 2),
            ImageFormat.BGRA32: (height_px, width_px, 4),
        }[image_format]
        pixels = rng.integers(0, 256, image_bytes(image_format, width_px, height_px), np.uint8).reshape(shape)
    return Image(image_format, width_px, height_px, pixels, usec, usec * 1000 + 40_000_000, exposure_usec=8330)


def make_capture(
    config: DeviceConfig,
    index: int,
    color_usec: int,
    depth_usec: int | None = None,
    *,
    color: bool = True,
    depth: bool = True,
) -> Capture:
    """A capture of whatever the configuration delivers.

    Args:
        config: of the device.
        index: of the capture; also seeds its images.
        color_usec: device time of the color image.
        depth_usec: that of depth and IR; by default where the configuration's delay puts it.
        color: leave the color image out.
        depth: leave depth and IR out.
    """
    if depth_usec is None:
        depth_usec = color_usec + config.depth_delay_off_color_usec
    color_image = depth_image = ir_image = None
    if color and config.has_color:
        size = COLOR_GEOMETRY[config.color_resolution]
        color_image = make_image(config.color_format, size.width_px, size.height_px, color_usec, 3 * index)
    if depth and config.has_depth_camera:
        mode = DEPTH_GEOMETRY[config.depth_mode]
        if mode.has_depth:
            depth_image = make_image(ImageFormat.DEPTH16, mode.width_px, mode.height_px, depth_usec, 3 * index + 1)
        ir_image = make_image(ImageFormat.IR16, mode.width_px, mode.height_px, depth_usec, 3 * index + 2)
    return Capture(SERIAL, index, color_image, depth_image, ir_image, temperature_c=31.5)


def make_captures(config: DeviceConfig, count: int, first_usec: int = 1_000_000) -> list[Capture]:
    """Captures at the frame rate, nothing missing."""
    period_usec = config.camera_fps.period_usec
    return [make_capture(config, index, first_usec + index * period_usec) for index in range(count)]


def make_imu(first_usec: int, count: int) -> list[ImuSample]:
    """Inertial samples 600 us apart whose values are exact in single precision."""
    return [
        ImuSample(
            first_usec + index * IMU_STEP_USEC,
            (index * 0.25, -9.75, 0.5),
            first_usec + index * IMU_STEP_USEC + 7,
            (0.0, index * 0.125, -1.0),
        )
        for index in range(count)
    ]


def make_calibration(serial: str = SERIAL) -> bytes:
    """Stands for a factory calibration where nobody looks at its numbers."""
    return json.dumps({"CalibrationInformation": {"Cameras": [], "Metadata": {"SerialId": serial}}}).encode()


def write_recording(
    path: Path,
    config: DeviceConfig,
    captures: list[Capture],
    imu: list[ImuSample] | None = None,
    calibration: bytes | None = None,
    tags: dict[str, str] | None = None,
) -> RecordingSummary:
    """Records captures and inertial samples as a session does: samples up to each capture follow it."""
    waiting = list(imu or ())
    with RecordingWriter(
        path,
        config,
        serial=SERIAL,
        calibration=calibration or make_calibration(),
        color_firmware="1.6.110",
        depth_firmware="1.6.79",
        tags=tags or {},
        imu=imu is not None,
    ) as writer:
        for capture in captures:
            writer.write_capture(capture)
            newest_usec = max((image.device_timestamp_usec for image in capture.images), default=0)
            due = [sample for sample in waiting if sample.acc_timestamp_usec <= newest_usec]
            if due:
                writer.write_imu(due)
                del waiting[: len(due)]
        if waiting:
            writer.write_imu(waiting)
        return writer.close()


def assert_same_image(found: Image | None, expected: Image | None) -> None:
    """Format, size, device time, every byte."""
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.image_format is expected.image_format
        assert (found.width_px, found.height_px) == (expected.width_px, expected.height_px)
        assert found.device_timestamp_usec == expected.device_timestamp_usec
        assert np.array_equal(found.pixels.reshape(-1).view(np.uint8), expected.pixels.reshape(-1).view(np.uint8))


def assert_same_captures(found: list[Capture], expected: list[Capture]) -> None:
    """All images of all captures, in order."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_same_image(one.color, other.color)
        assert_same_image(one.depth, other.depth)
        assert_same_image(one.ir, other.ir)


def imu_values(samples: list[ImuSample]) -> list[tuple[object, ...]]:
    """What a recording keeps of inertial samples: everything but the temperature."""
    return [(s.acc_timestamp_usec, s.acc_m_per_s2, s.gyro_timestamp_usec, s.gyro_rad_per_s) for s in samples]
