"""A rational lens as a polynomial one, for tools that know no other.

Leaving the denominator out (k4 to k6) would move pixels by tens: the polynomial's coefficients are fitted over the
whole image instead, which is linear in them, and what it misses by is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genlock.geometry import CameraModel

__all__ = ["PolynomialLens", "polynomial_lens"]

_GRID = 40
_LAWSON_ROUNDS = 30
"""Weights that grow with the error lead from least squares to the least largest error (Lawson): else an image's four
corners, which are few, are given up."""


@dataclass(frozen=True, slots=True)
class PolynomialLens:
    """``x (1 + k1 r^2 + k2 r^4 + ...) + 2 p1 x y + p2 (r^2 + 2 x^2)``; focal length and centre stay the camera's."""

    radial: tuple[float, ...]
    """k1, k2, ..., as many as asked for."""
    p1: float
    p2: float
    max_error_px: float
    """The furthest that any pixel of the image is misplaced."""


def polynomial_lens(camera: CameraModel, terms: int) -> PolynomialLens:
    """The polynomial of ``terms`` radial coefficients that comes nearest to the lens, over its image."""
    v, u = np.mgrid[0 : camera.height_px - 1 : _GRID * 1j, 0 : camera.width_px - 1 : _GRID * 1j]
    px = np.stack([u.ravel(), v.ravel()], axis=1)
    rays, is_valid = camera.unproject(px)
    x, y, px = rays[is_valid, 0], rays[is_valid, 1], px[is_valid]
    r2 = x * x + y * y
    powers = [r2 ** (term + 1) for term in range(terms)]
    focal = np.array([camera.fx_px, camera.fy_px])
    columns_x = np.stack([*(x * power for power in powers), 2 * x * y, r2 + 2 * x * x], axis=1)
    columns_y = np.stack([*(y * power for power in powers), r2 + 2 * y * y, 2 * x * y], axis=1)
    design = np.concatenate([columns_x * focal[0], columns_y * focal[1]])
    undistorted = np.stack([x, y], axis=1) * focal + [camera.cx_px, camera.cy_px]
    missing = (px - undistorted).T.ravel()
    weights = np.ones(len(px))
    for _ in range(_LAWSON_ROUNDS):
        root = np.sqrt(np.tile(weights, 2))
        solution, *_ = np.linalg.lstsq(design * root[:, None], missing * root, rcond=None)
        errors = (design @ solution - missing).reshape(2, -1)
        weights = weights * np.hypot(*errors)
        weights = weights / weights.mean()
    *radial, p1, p2 = solution.tolist()
    return PolynomialLens(tuple(radial), p1, p2, float(np.hypot(*errors).max()))
