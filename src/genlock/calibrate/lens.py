"""A lens refined beside the poses: eight numbers, held near the factory's by what these are worth.

Focal lengths, centre, the first two radial and both tangential coefficients. The others stay: a few boards cannot tell
them from these. Unknowns are in units of their prior sigma, so that one sigma away costs as much as one sigma of noise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genlock.geometry import CameraModel, LensModel

__all__ = ["LENS_UNKNOWNS", "adjusted", "lens_derivatives"]

LENS_UNKNOWNS = 8

_FOCAL_SIGMA_RATIO = 0.003
"""Warming up changes a focal length by tenths of a per cent.  # unverified on hardware"""
_CENTER_SIGMA_RATIO = 0.003
"""Of the image's width: 4 px at 720P."""
_RADIAL_SIGMAS = (0.02, 0.02)
_TANGENTIAL_SIGMA = 0.001


def _sigmas(camera: CameraModel) -> NDArray[np.float64]:
    """(8,): prior sigma of fx, fy, cx, cy, k1, k2, p1, p2."""
    center_px = _CENTER_SIGMA_RATIO * camera.width_px
    focal_px = (_FOCAL_SIGMA_RATIO * camera.fx_px, _FOCAL_SIGMA_RATIO * camera.fy_px)
    return np.array([*focal_px, center_px, center_px, *_RADIAL_SIGMAS, _TANGENTIAL_SIGMA, _TANGENTIAL_SIGMA])


def adjusted(camera: CameraModel, steps: NDArray[np.float64]) -> CameraModel:
    """The camera with its lens moved by (8,) prior sigmas."""
    fx, fy, cx, cy, k1, k2, p1, p2 = (steps * _sigmas(camera)).tolist()
    return replace(
        camera,
        fx_px=camera.fx_px + fx, fy_px=camera.fy_px + fy, cx_px=camera.cx_px + cx, cy_px=camera.cy_px + cy,
        k1=camera.k1 + k1, k2=camera.k2 + k2, p1=camera.p1 + p1, p2=camera.p2 + p2,
    )  # fmt: skip


def lens_derivatives(camera: CameraModel, factory: CameraModel, points_cam: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2, 8): how the pixels of points (N, 3) move when the lens does, in px per prior sigma.

    Args:
        camera: the lens as it is now.
        factory: the lens that it began as, whose sigmas are the unit.
        points_cam: in the camera's frame, metres.
    """
    z = np.maximum(points_cam[:, 2], 1e-3)
    x, y = points_cam[:, 0] / z - camera.codx, points_cam[:, 1] / z - camera.cody
    r2 = x * x + y * y
    below = 1 + r2 * (camera.k4 + r2 * (camera.k5 + r2 * camera.k6))
    radial = (1 + r2 * (camera.k1 + r2 * (camera.k2 + r2 * camera.k3))) / below
    mixed = (2.0 if camera.lens_model is LensModel.BROWN_CONRADY else 1.0) * x * y
    out = np.zeros((len(z), 2, LENS_UNKNOWNS))
    out[:, 0, 0] = x * radial + camera.p2 * (r2 + 2 * x * x) + camera.p1 * mixed + camera.codx
    out[:, 1, 1] = y * radial + camera.p1 * (r2 + 2 * y * y) + camera.p2 * mixed + camera.cody
    out[:, 0, 2] = out[:, 1, 3] = 1
    out[:, 0, 4], out[:, 1, 4] = camera.fx_px * x * r2 / below, camera.fy_px * y * r2 / below
    out[:, :, 5] = out[:, :, 4] * r2[:, None]
    out[:, 0, 6], out[:, 1, 6] = camera.fx_px * mixed, camera.fy_px * (r2 + 2 * y * y)
    out[:, 0, 7], out[:, 1, 7] = camera.fx_px * (r2 + 2 * x * x), camera.fy_px * mixed
    return out * _sigmas(factory)
