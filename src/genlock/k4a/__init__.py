"""The Azure Kinect DK as facts, with the SDK's own names; no behaviour."""

from genlock.k4a.config import DeviceConfig, StartRefusal, SyncJacks, start_refusals
from genlock.k4a.images import (
    COLOR_GEOMETRY,
    DEPTH_GEOMETRY,
    ColorGeometry,
    DepthGeometry,
    image_bytes,
    image_stride_bytes,
)
from genlock.k4a.modes import CameraFps, ColorResolution, DepthMode, ImageFormat, PowerlineFrequency, WiredSyncMode
from genlock.k4a.timing import (
    EXPOSURES_USEC,
    PULSE_TRAINS,
    TICKS_PER_SEC,
    PulseTrain,
    nearest_exposure_usec,
    ticks_from_usec,
    usec_from_ticks,
)

__all__ = [
    "COLOR_GEOMETRY",
    "DEPTH_GEOMETRY",
    "EXPOSURES_USEC",
    "PULSE_TRAINS",
    "TICKS_PER_SEC",
    "CameraFps",
    "ColorGeometry",
    "ColorResolution",
    "DepthGeometry",
    "DepthMode",
    "DeviceConfig",
    "ImageFormat",
    "PowerlineFrequency",
    "PulseTrain",
    "StartRefusal",
    "SyncJacks",
    "WiredSyncMode",
    "image_bytes",
    "image_stride_bytes",
    "nearest_exposure_usec",
    "start_refusals",
    "ticks_from_usec",
    "usec_from_ticks",
]
