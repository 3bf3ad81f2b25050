"""One camera's lens: where a point in space lies in the image, and which ray a pixel looks along.

The model is the SDK's, which is OpenCV's rational one plus a centre of distortion (``codx``, ``cody``) and a radius
beyond which it says nothing. With ``x = X/Z``, ``y = Y/Z``::

    xp = x - codx,  yp = y - cody,  r2 = xp^2 + yp^2
    d  = (1 + k1 r2 + k2 r2^2 + k3 r2^3) / (1 + k4 r2 + k5 r2^2 + k6 r2^3)
    xd = xp d + p2 (r2 + 2 xp^2) + c p1 xp yp        c = 2, in the older RATIONAL_6KT 1
    yd = yp d + p1 (r2 + 2 yp^2) + c p2 xp yp
    u  = (xd + codx) fx + cx,  v = (yd + cody) fy + cy

Axes: x right, y down, z forward; pixel centres at integers. Invalid where Z <= 0 or r2 > metric_radius^2.
Source: Azure Kinect Sensor SDK 1.4, ``src/transformation/intrinsic_transformation.c``; checked against the numbers
of the real library.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CameraModel", "LensModel"]

_MAX_NEWTON_PASSES = 20
_CONVERGED_PX2 = 1e-22
_VALID_PX2 = 1e-6


class LensModel(StrEnum):
    """The distortion formulas that the SDK can compute."""

    BROWN_CONRADY = "BROWN_CONRADY"
    """Every retail unit."""
    RATIONAL_6KT = "RATIONAL_6KT"
    """Older units: the mixed tangential terms lack the factor 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraModel:
    """Intrinsics of one camera in one mode."""

    width_px: int
    height_px: int
    cx_px: float
    cy_px: float
    fx_px: float
    fy_px: float
    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k5: float = 0.0
    k6: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    codx: float = 0.0
    """Centre of distortion on the plane Z = 1; zero on every retail unit."""
    cody: float = 0.0
    metric_radius: float = 1.7
    """How far from the centre of distortion the model holds, on the plane Z = 1."""
    lens_model: LensModel = LensModel.BROWN_CONRADY

    def project(self, points_cam: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Pixels of points.

        Args:
            points_cam: (N, 3), metres, in this camera's frame.

        Returns:
            ``px`` (N, 2) and ``is_valid`` (N,). Invalid points get pixel (0, 0). Image bounds are *not* checked: a
            valid pixel may lie outside the image, as with the SDK.
        """
        points = np.asarray(points_cam, dtype=np.float64).reshape(-1, 3)
        is_valid = points[:, 2] > 0
        z = np.where(is_valid, points[:, 2], 1.0)
        image = self._distort(points[:, 0] / z, points[:, 1] / z)
        is_valid = is_valid & (image.radius2 <= self.metric_radius**2)
        px = np.where(is_valid[:, None], np.stack([image.u, image.v], axis=1), 0.0)
        return px, is_valid

    def unproject(self, px: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Rays of pixels, as the points that they meet on the plane Z = 1 m: multiply by the depth.

        Args:
            px: (N, 2), u and v.

        Returns:
            ``rays_cam`` (N, 3) with Z = 1, and ``is_valid`` (N,). An invalid pixel keeps the best ray found.
        """
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # pixels far outside run off
            return self._newton(np.asarray(px, dtype=np.float64).reshape(-1, 2))

    def _newton(self, pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        x, y = self._first_guess(pixels)
        best_x, best_y = x.copy(), y.copy()
        best_px2 = np.full(len(pixels), np.inf)
        is_inside = np.ones(len(pixels), dtype=bool)
        active = np.arange(len(pixels))
        for _ in range(_MAX_NEWTON_PASSES):
            image = self._distort(x[active], y[active])
            du, dv = image.u - pixels[active, 0], image.v - pixels[active, 1]
            error_px2 = du * du + dv * dv
            is_inside[active] &= image.radius2 <= self.metric_radius**2
            # Stop where the error grows: the model folds back beyond the metric radius. NaN stops too.
            improves = error_px2 < best_px2[active]
            active, image, du, dv = active[improves], image.at(improves), du[improves], dv[improves]
            best_px2[active] = error_px2[improves]
            best_x[active], best_y[active] = x[active], y[active]
            goes_on = (best_px2[active] >= _CONVERGED_PX2) & (image.determinant != 0)
            active, image, du, dv = active[goes_on], image.at(goes_on), du[goes_on], dv[goes_on]
            if not len(active):
                break
            x[active] -= (image.dv_dy * du - image.du_dy * dv) / image.determinant
            y[active] -= (image.du_dx * dv - image.dv_dx * du) / image.determinant
        rays = np.stack([best_x, best_y, np.ones(len(pixels))], axis=1)
        return rays, is_inside & (best_px2 <= _VALID_PX2)

    @property
    def _mixed(self) -> float:
        return 2.0 if self.lens_model is LensModel.BROWN_CONRADY else 1.0

    def _distort(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> _Distorted:
        xp, yp = x - self.codx, y - self.cody
        r2 = xp * xp + yp * yp
        numerator = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        denominator = 1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6))
        denominator = np.where(denominator == 0, 1.0, denominator)
        numerator_slope = self.k1 + r2 * (2 * self.k2 + r2 * 3 * self.k3)
        denominator_slope = self.k4 + r2 * (2 * self.k5 + r2 * 3 * self.k6)
        d = numerator / denominator
        d_slope = (numerator_slope - d * denominator_slope) / denominator
        p1, p2, mixed, fx, fy = self.p1, self.p2, self._mixed, self.fx_px, self.fy_px
        xd = xp * d + p2 * (r2 + 2 * xp * xp) + mixed * p1 * xp * yp
        yd = yp * d + p1 * (r2 + 2 * yp * yp) + mixed * p2 * xp * yp
        cross = 2 * xp * yp * d_slope
        return _Distorted(
            u=(xd + self.codx) * fx + self.cx_px,
            v=(yd + self.cody) * fy + self.cy_px,
            radius2=r2,
            du_dx=fx * (d + 2 * xp * xp * d_slope + 6 * p2 * xp + mixed * p1 * yp),
            du_dy=fx * (cross + 2 * p2 * yp + mixed * p1 * xp),
            dv_dx=fy * (cross + 2 * p1 * xp + mixed * p2 * yp),
            dv_dy=fy * (d + 2 * yp * yp * d_slope + 6 * p1 * yp + mixed * p2 * xp),
        )

    def _first_guess(self, pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The inverse of the radial factor taken at the distorted radius, less the tangential part."""
        x = (pixels[:, 0] - self.cx_px) / self.fx_px - self.codx
        y = (pixels[:, 1] - self.cy_px) / self.fy_px - self.cody
        r2 = x * x + y * y
        numerator = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        denominator = 1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6))
        inverse = denominator / np.where(numerator == 0, 1.0, numerator)
        x, y = x * inverse, y * inverse
        shift_x = self.p2 * (y * y + 3 * x * x) + 2 * self.p1 * x * y
        shift_y = self.p1 * (x * x + 3 * y * y) + 2 * self.p2 * x * y
        return x - shift_x + self.codx, y - shift_y + self.cody


class _Distorted(NamedTuple):
    """Pixels of points on the plane Z = 1, and their derivatives by that plane's x and y; (N,) each."""

    u: NDArray[np.float64]
    v: NDArray[np.float64]
    radius2: NDArray[np.float64]
    du_dx: NDArray[np.float64]
    du_dy: NDArray[np.float64]
    dv_dx: NDArray[np.float64]
    dv_dy: NDArray[np.float64]

    @property
    def determinant(self) -> NDArray[np.float64]:
        return self.du_dx * self.dv_dy - self.du_dy * self.dv_dx

    def at(self, mask: NDArray[np.bool_]) -> _Distorted:
        return _Distorted(*(values[mask] for values in self))
