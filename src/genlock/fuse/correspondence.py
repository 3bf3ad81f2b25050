"""Which pixel of the depth image shows what a pixel of the color image shows.

A color pixel is a ray; what it meets depends on the depth image itself. So the ray is walked from near to far through
the depth image, the way that the lens bends it, one depth pixel at a time; where the depth measured there lies on the
ray, the two see the same thing. The SDK's own search (``k4a_calibration_color_2d_to_depth_2d``) fails where that path
runs straight up and down, and takes wrong steps along steep ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlock.geometry import CameraModel, Pose

__all__ = ["depth_pixel_of"]

_NEAR_M, _FAR_M = 0.05, 14.0
"""Where the SDK's search begins and ends."""
_MAX_ERROR_PX = 10.0
"""The SDK's: further than this from the color pixel, nothing was found."""
_COARSE_STEPS = 64


def depth_pixel_of(
    px_color: tuple[float, float],
    depth: NDArray[np.uint16],
    depth_camera: CameraModel,
    color_camera: CameraModel,
    T_color_depth: Pose,
) -> tuple[float, float] | None:
    """The depth pixel, to a fraction; ``None`` where the depth camera did not see what the color pixel shows.

    Args:
        px_color: u and v.
        depth: (H, W), mm, 0 = no reading.
        depth_camera: of the depth image.
        color_camera: of the color pixel.
        T_color_depth: between them.
    """
    rays, is_valid = color_camera.unproject([px_color])
    if not is_valid[0]:
        return None
    T_depth_color = T_color_depth.inverse()
    path_px = _path(rays[0], depth_camera, T_depth_color)
    x, y = np.rint(path_px).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < depth.shape[1]) & (y < depth.shape[0])
    x, y = x[inside], y[inside]
    measured_m = depth[y, x] / 1000.0
    seen = measured_m > 0
    if not seen.any():
        return None
    depth_rays, has_ray = depth_camera.unproject(np.stack([x[seen], y[seen]], axis=1))
    points_color = T_color_depth.apply(depth_rays * measured_m[seen, None])
    reprojected_px, is_seen = color_camera.project(points_color)
    errors_px = np.where(has_ray & is_seen, np.hypot(*(reprojected_px - px_color).T), np.inf)
    best = int(np.argmin(errors_px))
    if errors_px[best] > _MAX_ERROR_PX:
        return None
    # The path steps from pixel to pixel: the point on the color ray at the depth found says where between them.
    exact_px, is_inside = depth_camera.project(T_depth_color.apply(rays[0] * points_color[best, 2])[None])
    return (float(exact_px[0, 0]), float(exact_px[0, 1])) if is_inside[0] else None


def _path(
    ray_color: NDArray[np.float64], depth_camera: CameraModel, T_depth_color: Pose
) -> NDArray[np.float64]:  # (N, 2), steps of at most a pixel
    """The color ray's way through the depth image, from near to far; evenly in 1 / z, which is nearly evenly in px."""

    def at(steps: int) -> NDArray[np.float64]:
        z_m = 1.0 / np.linspace(1 / _NEAR_M, 1 / _FAR_M, steps)
        px, is_valid = depth_camera.project(T_depth_color.apply(ray_color * z_m[:, None]))
        return np.asarray(px[is_valid])

    coarse = at(_COARSE_STEPS)
    if len(coarse) < 2:
        return coarse
    longest_px = float(np.abs(np.diff(coarse, axis=0)).max())
    return at(int(np.ceil(longest_px * 1.5)) * _COARSE_STEPS)
