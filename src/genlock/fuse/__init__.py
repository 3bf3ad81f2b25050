"""One scene out of many cameras: depth in any view, holes filled from other devices, one cloud."""

from genlock.fuse.cloud import Cloud, CloudMaker, ply_bytes
from genlock.fuse.fill import NO_SOURCE, FilledDepth, Filler
from genlock.fuse.pictures import depth_colors, png_bytes, source_colors
from genlock.fuse.transformation import DepthImage, DepthWarp, Transformation, undistort, without_distortion
from genlock.fuse.view import DeviceView

__all__ = [
    "NO_SOURCE",
    "Cloud",
    "CloudMaker",
    "DepthImage",
    "DepthWarp",
    "DeviceView",
    "FilledDepth",
    "Filler",
    "Transformation",
    "depth_colors",
    "ply_bytes",
    "png_bytes",
    "source_colors",
    "undistort",
    "without_distortion",
]
