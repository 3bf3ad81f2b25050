"""How pixels move when points, and how points move when poses: the derivatives that a calibration solves with.

A pose is changed by a small *twist*, six numbers: a rotation vector in radians, then a translation in metres::

    T -> exp(twist) T   (in the frame that T leads to)        points p there move by  omega x p + tau
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlock.geometry.camera import CameraModel

__all__ = ["cross_matrix", "derivative_by_rotation", "project_with_derivatives", "rotation_from_vector"]


def project_with_derivatives(
    camera: CameraModel, points_cam: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels (N, 2) of points (N, 3), and their derivatives by the points, (N, 2, 3) in px per metre.

    Points behind the camera are taken as if they lay 1 mm before it: far away pixels that a robust loss ignores.
    """
    z = np.maximum(points_cam[:, 2], 1e-3)
    x, y = points_cam[:, 0] / z, points_cam[:, 1] / z
    image = camera._distort(x, y)
    by_point = np.empty((len(z), 2, 3))
    by_point[:, 0, 0], by_point[:, 0, 1] = image.du_dx / z, image.du_dy / z
    by_point[:, 1, 0], by_point[:, 1, 1] = image.dv_dx / z, image.dv_dy / z
    by_point[:, :, 2] = -(by_point[:, :, 0] * x[:, None] + by_point[:, :, 1] * y[:, None])
    return np.stack([image.u, image.v], axis=1), by_point


def derivative_by_rotation(arm: NDArray[np.float64], by_point: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2, 3): derivative by a rotation vector omega where points move by omega x arm.

    Args:
        arm: (N, 3).
        by_point: (N, 2, 3), derivative by the points; each row g gives arm x g.
    """
    out = np.empty_like(by_point)
    ax, ay, az = arm[:, 0, None], arm[:, 1, None], arm[:, 2, None]
    gx, gy, gz = by_point[:, :, 0], by_point[:, :, 1], by_point[:, :, 2]
    out[:, :, 0], out[:, :, 1], out[:, :, 2] = ay * gz - az * gy, az * gx - ax * gz, ax * gy - ay * gx
    return out


def cross_matrix(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3, 3) so that ``cross_matrix(a) @ b`` is ``a x b``."""
    out = np.zeros((*vectors.shape[:-1], 3, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -vectors[..., 2], vectors[..., 1], -vectors[..., 0]
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = vectors[..., 2], -vectors[..., 1], vectors[..., 0]
    return out


def rotation_from_vector(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3, 3): the rotations about these vectors by their length in radians (Rodrigues' formula)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    safe = np.where(angle > 0, angle, 1.0)
    cross = cross_matrix(vectors)
    sine_ratio = np.where(angle > 1e-8, np.sin(safe) / safe, 1.0)
    cosine_ratio = np.where(angle > 1e-4, (1 - np.cos(safe)) / safe**2, 0.5)
    return np.asarray(np.eye(3) + sine_ratio * cross + cosine_ratio * cross @ cross)
