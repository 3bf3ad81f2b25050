"""The device's modes by the SDK's names, with the numbers that the SDK's C interface uses for them.

Source: Azure Kinect Sensor SDK 1.4, ``k4atypes.h``.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

__all__ = ["CameraFps", "ColorResolution", "DepthMode", "ImageFormat", "PowerlineFrequency", "WiredSyncMode"]


class CameraFps(IntEnum):
    """``k4a_fps_t``; the value is the rate in frames per second."""

    FPS_5 = 5
    FPS_15 = 15
    FPS_30 = 30

    @property
    def sdk_value(self) -> int:
        """The number in the C interface: 0, 1, 2."""
        return (5, 15, 30).index(self.value)

    @property
    def period_usec(self) -> int:
        """The frame period as the SDK computes it, an integer: 200000, 66666, 33333."""
        return 1_000_000 // self.value


class DepthMode(StrEnum):
    """``k4a_depth_mode_t``."""

    OFF = "OFF"
    NFOV_2X2BINNED = "NFOV_2X2BINNED"
    NFOV_UNBINNED = "NFOV_UNBINNED"
    WFOV_2X2BINNED = "WFOV_2X2BINNED"
    WFOV_UNBINNED = "WFOV_UNBINNED"
    PASSIVE_IR = "PASSIVE_IR"

    @property
    def sdk_value(self) -> int:
        """The number in the C interface: 0 to 5."""
        return list(DepthMode).index(self)


class ColorResolution(StrEnum):
    """``k4a_color_resolution_t``."""

    OFF = "OFF"
    RES_720P = "720P"
    RES_1080P = "1080P"
    RES_1440P = "1440P"
    RES_1536P = "1536P"
    RES_2160P = "2160P"
    RES_3072P = "3072P"

    @property
    def sdk_value(self) -> int:
        """The number in the C interface: 0 to 6."""
        return list(ColorResolution).index(self)


class ImageFormat(StrEnum):
    """``k4a_image_format_t``, those that genlock handles."""

    MJPG = "MJPG"
    NV12 = "NV12"
    YUY2 = "YUY2"
    BGRA32 = "BGRA32"
    DEPTH16 = "DEPTH16"
    IR16 = "IR16"

    @property
    def sdk_value(self) -> int:
        """The number in the C interface: 0 to 5."""
        return list(ImageFormat).index(self)


class WiredSyncMode(StrEnum):
    """``k4a_wired_sync_mode_t``."""

    STANDALONE = "STANDALONE"
    MASTER = "MASTER"
    SUBORDINATE = "SUBORDINATE"

    @property
    def sdk_value(self) -> int:
        """The number in the C interface: 0, 1, 2."""
        return list(WiredSyncMode).index(self)


class PowerlineFrequency(IntEnum):
    """The mains frequency that the color camera's exposure table follows; the value is in Hz."""

    HZ_50 = 50
    HZ_60 = 60

    @property
    def sdk_value(self) -> int:
        """The value of the color control: 1 is 50 Hz, 2 is 60 Hz."""
        return 1 if self is PowerlineFrequency.HZ_50 else 2
