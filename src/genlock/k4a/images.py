"""What each mode delivers: image sizes, fields of view, ranges, the fastest rate.

Sources: sizes and rates, Azure Kinect Sensor SDK 1.4 (``k4a.c``); fields of view and ranges, Microsoft's hardware
specifications.
"""

from __future__ import annotations

from dataclasses import dataclass

from genlock.k4a.modes import CameraFps, ColorResolution, DepthMode, ImageFormat

__all__ = ["COLOR_GEOMETRY", "DEPTH_GEOMETRY", "ColorGeometry", "DepthGeometry", "image_bytes", "image_stride_bytes"]


@dataclass(frozen=True, slots=True)
class DepthGeometry:
    """Images of one depth mode."""

    width_px: int
    height_px: int
    fov_x_deg: float
    fov_y_deg: float
    range_min_m: float
    range_max_m: float
    max_fps: CameraFps
    raw_frame_bytes: int
    """What one raw frame weighs on the USB bus (``depthcommands.h``)."""

    @property
    def has_depth(self) -> bool:
        """Whether a depth image comes with the IR image; a range of zero means passive IR."""
        return self.range_max_m > 0


@dataclass(frozen=True, slots=True)
class ColorGeometry:
    """Images of one color resolution."""

    width_px: int
    height_px: int
    fov_x_deg: float
    fov_y_deg: float
    max_fps: CameraFps


_15, _30 = CameraFps.FPS_15, CameraFps.FPS_30

DEPTH_GEOMETRY: dict[DepthMode, DepthGeometry] = {
    DepthMode.NFOV_2X2BINNED: DepthGeometry(320, 288, 75, 65, 0.5, 5.46, _30, 5_310_760),
    DepthMode.NFOV_UNBINNED: DepthGeometry(640, 576, 75, 65, 0.5, 3.86, _30, 5_310_760),
    DepthMode.WFOV_2X2BINNED: DepthGeometry(512, 512, 120, 120, 0.25, 2.88, _30, 3_777_232),
    DepthMode.WFOV_UNBINNED: DepthGeometry(1024, 1024, 120, 120, 0.25, 2.21, _15, 9_438_664),
    DepthMode.PASSIVE_IR: DepthGeometry(1024, 1024, 120, 120, 0, 0, _30, 1_678_024),
}
"""Every depth mode but OFF."""

COLOR_GEOMETRY: dict[ColorResolution, ColorGeometry] = {
    ColorResolution.RES_720P: ColorGeometry(1280, 720, 90, 59, _30),
    ColorResolution.RES_1080P: ColorGeometry(1920, 1080, 90, 59, _30),
    ColorResolution.RES_1440P: ColorGeometry(2560, 1440, 90, 59, _30),
    ColorResolution.RES_1536P: ColorGeometry(2048, 1536, 90, 74.3, _30),
    ColorResolution.RES_2160P: ColorGeometry(3840, 2160, 90, 59, _30),
    ColorResolution.RES_3072P: ColorGeometry(4096, 3072, 90, 74.3, _15),
}
"""Every color resolution but OFF."""

_BYTES_PER_PIXEL = {
    ImageFormat.NV12: 1.5,
    ImageFormat.YUY2: 2,
    ImageFormat.BGRA32: 4,
    ImageFormat.DEPTH16: 2,
    ImageFormat.IR16: 2,
}


def image_bytes(image_format: ImageFormat, width_px: int, height_px: int) -> int | None:
    """Size of an uncompressed image; ``None`` for MJPG, whose size varies."""
    if image_format is ImageFormat.MJPG:
        return None
    return int(width_px * height_px * _BYTES_PER_PIXEL[image_format])


def image_stride_bytes(image_format: ImageFormat, width_px: int) -> int:
    """Bytes from one row to the next: 0 for MJPG, the luma row for NV12, as the SDK has it."""
    if image_format is ImageFormat.MJPG:
        return 0
    if image_format is ImageFormat.NV12:
        return width_px
    return int(width_px * _BYTES_PER_PIXEL[image_format])
