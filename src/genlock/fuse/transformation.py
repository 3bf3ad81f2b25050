"""What libk4a's ``k4a_transformation_*`` functions do for one device, without libk4a, display or GPU.

The same images come out: the point cloud and color-to-depth equal the SDK's but for single roundings, depth-to-color
covers exactly the engine's pixels (``tests/conformance/test_transforms.py``). The tables are made once a device and
mode; the kernels are compiled once a computer and kept on disk.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from genlock.fuse.correspondence import depth_pixel_of
from genlock.fuse.lens import RayTable, pack_lens, ray_table
from genlock.fuse.points import sdk_points
from genlock.fuse.raster import draw_depth
from genlock.fuse.sampling import color_at_depth, undistort_bilinear, undistort_nearest
from genlock.geometry import CameraModel, Pose
from genlock.k4a import ColorResolution, DepthMode
from genlock.k4a.calibration import DeviceCalibration

__all__ = ["DepthImage", "DepthWarp", "Transformation", "undistort", "without_distortion"]

logger = logging.getLogger(__name__)

DepthImage = NDArray[np.uint16]  # (H, W), mm, 0 = no reading
_Pixel = TypeVar("_Pixel", bound=np.generic)

_MM_PER_M = 1000.0


class DepthWarp:
    """Draws one camera's depth images into another camera's view: its own device's color, or any other's.

    The result is what the target would measure along its own z where it sees what this camera saw: nearest surface
    first, no surface stretched over an edge, none shown from behind.
    """

    def __init__(self, depth_camera: CameraModel, target_camera: CameraModel, T_target_depth: Pose) -> None:
        announce_compilation(draw_depth)
        self._shape = (depth_camera.height_px, depth_camera.width_px)
        self._target_shape = (target_camera.height_px, target_camera.width_px)
        self._rays = ray_table(depth_camera, T_target_depth)
        self._translation_mm = (T_target_depth.translation_m * _MM_PER_M).astype(np.float32)
        self._lens = pack_lens(target_camera)

    def __call__(self, depth: DepthImage, out: DepthImage | None = None) -> DepthImage:
        """The depth image in the target's view, (H, W) mm, 0 = nothing there; into ``out`` where one is given.

        Raises:
            ValueError: the image does not have the depth camera's size, or ``out`` not the target's; either is not of
                16 bits; ``out`` has gaps or is read-only.
        """
        depth = _as_input(depth, self._shape, np.uint16)
        image = _as_output(out, self._target_shape, np.uint16)
        draw_depth(depth, self._rays, self._translation_mm, self._lens, image)
        return image

    def backs(self, depth: DepthImage) -> DepthImage:
        """The surfaces that turn their back on the target, which ``__call__`` leaves out; (H, W) mm, 0 = none.

        Something solid is there, though nobody has seen the side that the target looks at.
        """
        depth = _as_input(depth, self._shape, np.uint16)
        image = np.empty(self._target_shape, np.uint16)
        # Mirrored, fronts are backs.
        mirrored = np.ascontiguousarray(depth[:, ::-1])
        draw_depth(mirrored, self._mirrored_rays, self._translation_mm, self._lens, image)
        return image

    @cached_property
    def _mirrored_rays(self) -> RayTable:
        return np.ascontiguousarray(self._rays[:, :, ::-1])


class Transformation:
    """One device in one pair of modes; safe to use from several threads."""

    def __init__(
        self, calibration: DeviceCalibration, depth_mode: DepthMode, color_resolution: ColorResolution
    ) -> None:
        """A side that is OFF cannot be asked for; what it would be needed for raises ``ValueError`` then."""
        self._calibration = calibration
        self._depth_mode = depth_mode
        self._color_resolution = color_resolution

    @cached_property
    def depth_camera(self) -> CameraModel:
        """The depth camera in its mode."""
        return self._calibration.depth_camera(self._depth_mode)

    @cached_property
    def color_camera(self) -> CameraModel:
        """The color camera at its resolution."""
        return self._calibration.color_camera(self._color_resolution)

    @property
    def T_color_depth(self) -> Pose:
        """Takes points of the depth camera to the color camera."""
        return self._calibration.T_color_depth

    def point_cloud(self, depth: DepthImage, out: NDArray[np.int16] | None = None) -> NDArray[np.int16]:
        """``depth_image_to_point_cloud`` of the depth camera: (H, W, 3) int16 mm in its frame, (0, 0, 0) = none."""
        depth = _as_input(depth, self._depth_rays.shape[1:], np.uint16)
        cloud = _as_output(out, (*depth.shape, 3), np.int16)
        sdk_points(depth, self._depth_rays, cloud)
        return cloud

    def color_point_cloud(self, depth_in_color: DepthImage) -> NDArray[np.int16]:
        """The same of a depth image that lies in the color camera's view, in the color camera's frame."""
        depth_in_color = _as_input(depth_in_color, self._color_rays.shape[1:], np.uint16)
        cloud = np.empty((*depth_in_color.shape, 3), np.int16)
        sdk_points(depth_in_color, self._color_rays, cloud)
        return cloud

    def depth_to_color(self, depth: DepthImage, out: DepthImage | None = None) -> DepthImage:
        """``depth_image_to_color_camera``: the depth image in the color camera's view, mm along the color's z."""
        return self._warp(depth, out)

    def color_to_depth(self, depth: DepthImage, color: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``color_image_to_depth_camera``: a color for every depth pixel, all channels 0 = none.

        Args:
            depth: (H, W), mm.
            color: (h, w, C), any order of channels.

        Raises:
            ValueError: an image does not have its camera's size or type.
        """
        depth = _as_input(depth, (self.depth_camera.height_px, self.depth_camera.width_px), np.uint16)
        channels = color.shape[2] if color.ndim == 3 else 4
        color = _as_input(color, (self.color_camera.height_px, self.color_camera.width_px, channels), np.uint8)
        rays, translation_mm, lens = self._to_color
        out = np.empty((*depth.shape, channels), np.uint8)
        color_at_depth(depth, rays, translation_mm, lens, color, out)
        return out

    def depth_px_of_color_px(self, px_color: tuple[float, float], depth: DepthImage) -> tuple[float, float] | None:
        """``color_2d_to_depth_2d`` without its two faults: where the depth image shows what a color pixel shows.

        ``None`` where the depth camera did not see it.
        """
        return depth_pixel_of(px_color, depth, self.depth_camera, self.color_camera, self.T_color_depth)

    @cached_property
    def _depth_rays(self) -> RayTable:
        announce_compilation(sdk_points)
        return ray_table(self.depth_camera)

    @cached_property
    def _color_rays(self) -> RayTable:
        announce_compilation(sdk_points)
        return ray_table(self.color_camera)

    @cached_property
    def _warp(self) -> DepthWarp:
        return DepthWarp(self.depth_camera, self.color_camera, self.T_color_depth)

    @cached_property
    def _to_color(self) -> tuple[RayTable, NDArray[np.float32], NDArray[np.float32]]:
        announce_compilation(color_at_depth)
        translation_mm = (self.T_color_depth.translation_m * _MM_PER_M).astype(np.float32)
        return ray_table(self.depth_camera, self.T_color_depth), translation_mm, pack_lens(self.color_camera)


def without_distortion(camera: CameraModel) -> CameraModel:
    """The pinhole camera with the same centre, focal length and size."""
    return CameraModel(
        width_px=camera.width_px,
        height_px=camera.height_px,
        cx_px=camera.cx_px,
        cy_px=camera.cy_px,
        fx_px=camera.fx_px,
        fy_px=camera.fy_px,
        metric_radius=camera.metric_radius,
    )


def undistort(
    image: NDArray[np.uint8] | NDArray[np.uint16], camera: CameraModel, pinhole: CameraModel | None = None
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The image without its lens's distortion; 0 where the lens did not look.

    Args:
        image: (H, W, C) uint8 pictures are mixed from four pixels; (H, W) uint16 depth and IR take the nearest one.
        camera: the lens that took it.
        pinhole: the camera wanted; by default the same one without distortion.

    Raises:
        ValueError: the image has another size or type, or the camera wanted a distortion.
    """
    wanted = pinhole or without_distortion(camera)
    if any((wanted.k1, wanted.k2, wanted.k3, wanted.k4, wanted.k5, wanted.k6, wanted.p1, wanted.p2)):
        raise ValueError("the camera wanted has a distortion of its own; without_distortion(camera) has none")
    shape = (camera.height_px, camera.width_px, *image.shape[2:3])
    lens, wanted_lens = pack_lens(camera), pack_lens(wanted)
    if image.ndim == 2:
        announce_compilation(undistort_nearest)
        flat = np.empty((wanted.height_px, wanted.width_px), np.uint16)
        undistort_nearest(_as_input(image, shape, np.uint16), lens, wanted_lens, flat)
        return flat
    announce_compilation(undistort_bilinear)
    colors = _as_input(image, shape, np.uint8)
    picture = np.empty((wanted.height_px, wanted.width_px, *shape[2:]), np.uint8)
    undistort_bilinear(colors, lens, wanted_lens, picture)
    return picture


def announce_compilation(kernel: object) -> None:
    """Says so in the log when a kernel's first call in this process may have to compile it."""
    if not getattr(kernel, "signatures", True):
        name = getattr(kernel, "__name__", "a kernel")
        logger.info("loading %s; the first time on this computer it is compiled, which takes some seconds", name)


def _as_input(image: NDArray[np.generic], shape: tuple[int, ...], dtype: type[_Pixel]) -> NDArray[_Pixel]:
    """The image as the kernels take it, copied where it has gaps or is read-only.

    A kernel is compiled anew, for seconds, for every kind of array that it gets; a copy takes a fraction of a ms.
    """
    _check(image, shape, dtype, "the image")
    return np.require(image, dtype, ["C", "W"])


def _as_output(out: NDArray[_Pixel] | None, shape: tuple[int, ...], dtype: type[_Pixel]) -> NDArray[_Pixel]:
    """``out``, which the kernels write into without looking, or a new one."""
    if out is None:
        return np.empty(shape, dtype)
    _check(out, shape, dtype, "out")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("out must lie in memory row by row, without gaps, and be writable")
    return out


def _check(image: NDArray[np.generic], shape: tuple[int, ...], dtype: type[np.generic], name: str) -> None:
    if image.shape != shape:
        raise ValueError(f"{name} is {_size_text(image.shape)}; the calibration is for {_size_text(shape)}")
    if image.dtype != dtype:
        raise ValueError(f"{name} is of {image.dtype}, expected {np.dtype(dtype)}")


def _size_text(shape: tuple[int, ...]) -> str:
    """Width first, as cameras are named."""
    return "x".join(map(str, (*reversed(shape[:2]), *shape[2:])))
