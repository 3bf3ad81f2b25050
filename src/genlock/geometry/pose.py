"""A rigid transform that knows which frames it joins, so that a wrong product cannot pass unseen.

``T_a_b`` takes points from frame b to frame a::

    points_a = T_a_b.apply(points_b)
    T_a_c = T_a_b @ T_b_c            # the inner names meet
    T_b_a = T_a_b.inverse()

Microsoft's own multi-device sample multiplies two of its transforms in the wrong order (SDK issue #1420) and nothing
there can notice; here that product raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Pose"]

# Factory calibrations store rotations as 32-bit floats: rows are orthonormal to about 1e-6. A transposed, scaled or
# mirrored matrix is off by far more.
_ORTHONORMAL_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """``T_to_from``: takes points from one frame to another. Rotations are checked on entry.

    >>> T_world_depth = Pose("world", "depth", np.eye(3), [0, 0, 1])
    >>> T_color_depth = Pose("color", "depth", np.eye(3), [-0.032, 0, 0])
    >>> T_world_color = T_world_depth @ T_color_depth.inverse()
    >>> T_world_color
    Pose(T_world_color, rotation_wxyz=[1, 0, 0, 0], translation_m=[0.032, 0, 1])
    >>> T_world_depth @ T_color_depth
    Traceback (most recent call last):
    ValueError: T_world_depth @ T_color_depth does not join: "depth" is not "color"
    """

    to_frame: str
    """The frame that points are taken to; the first name in ``T_a_b``."""
    from_frame: str
    """The frame that points come from; the second name in ``T_a_b``."""
    rotation: NDArray[np.float64]  # (3, 3), orthonormal, det +1
    translation_m: NDArray[np.float64]  # (3,), origin of from_frame seen in to_frame

    def __post_init__(self) -> None:
        rotation = np.array(self.rotation, dtype=np.float64)
        translation_m = np.array(self.translation_m, dtype=np.float64)
        if rotation.shape != (3, 3) or translation_m.shape != (3,):
            raise ValueError(
                f"{self.name} needs a (3, 3) rotation and a (3,) translation; "
                f"it was given {rotation.shape} and {translation_m.shape}"
            )
        if not np.isfinite(translation_m).all():
            raise ValueError(f"{self.name} has a translation that is not finite: {translation_m}")
        error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
        # Written so that NaN fails too.
        if not error <= _ORTHONORMAL_TOLERANCE:
            raise ValueError(f"{self.name} has a rotation that is not orthonormal: R R^T is off by {error:.2g}")
        if np.linalg.det(rotation) < 0:
            raise ValueError(f"{self.name} has a rotation with determinant -1: it mirrors")
        rotation.setflags(write=False)
        translation_m.setflags(write=False)
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation_m", translation_m)

    @classmethod
    def identity(cls, to_frame: str, from_frame: str) -> Pose:
        """Two frames that coincide."""
        return cls(to_frame, from_frame, np.eye(3), np.zeros(3))

    @classmethod
    def from_quaternion(
        cls, to_frame: str, from_frame: str, rotation_wxyz: Sequence[float], translation_m: ArrayLike
    ) -> Pose:
        """The transform with this rotation, given as a quaternion in the order w, x, y, z.

        The quaternion is normalised, so that one written by hand with four digits will do.

        Raises:
            ValueError: its length is further than 1 % from 1, which no rounding explains.
        """
        quaternion = np.asarray(rotation_wxyz, dtype=np.float64)
        length = float(np.linalg.norm(quaternion))
        if quaternion.shape != (4,) or not abs(length - 1) <= 0.01:
            raise ValueError(
                f"a rotation_wxyz has four numbers and length 1; [{', '.join(map(str, rotation_wxyz))}] "
                f"has length {length:.4g}"
            )
        return cls(to_frame, from_frame, _rotation_from_wxyz(quaternion / length), np.asarray(translation_m))

    @property
    def name(self) -> str:
        """``T_to_from``."""
        return f"T_{self.to_frame}_{self.from_frame}"

    @property
    def rotation_wxyz(self) -> NDArray[np.float64]:
        """The rotation as a unit quaternion w, x, y, z with w >= 0, (4,)."""
        return _wxyz_from_rotation(self.rotation)

    def __matmul__(self, other: Pose) -> Pose:
        """``T_a_b @ T_b_c`` is ``T_a_c``; raises ``ValueError`` where the inner frames differ."""
        if self.from_frame != other.to_frame:
            raise ValueError(f'{self.name} @ {other.name} does not join: "{self.from_frame}" is not "{other.to_frame}"')
        return Pose(
            self.to_frame,
            other.from_frame,
            self.rotation @ other.rotation,
            self.rotation @ other.translation_m + self.translation_m,
        )

    def inverse(self) -> Pose:
        """``T_b_a`` of ``T_a_b``."""
        return Pose(self.from_frame, self.to_frame, self.rotation.T, -self.rotation.T @ self.translation_m)

    def apply(self, points: ArrayLike) -> NDArray[np.float64]:
        """Takes points, (N, 3) or (3,) in metres of ``from_frame``, to ``to_frame``."""
        return np.asarray(points, dtype=np.float64) @ self.rotation.T + self.translation_m

    def __repr__(self) -> str:
        rotation = ", ".join(f"{value + 0.0:.6g}" for value in self.rotation_wxyz)
        translation = ", ".join(f"{value + 0.0:.6g}" for value in self.translation_m)
        return f"Pose({self.name}, rotation_wxyz=[{rotation}], translation_m=[{translation}])"


def _rotation_from_wxyz(q: NDArray[np.float64]) -> NDArray[np.float64]:
    w, x, y, z = q
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _wxyz_from_rotation(R: NDArray[np.float64]) -> NDArray[np.float64]:
    # Row i of this symmetric matrix is 4 q_i q: the row with the largest diagonal divides by the safest number.
    outer4 = np.array(
        [
            [1 + R[0, 0] + R[1, 1] + R[2, 2], R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]],
            [R[2, 1] - R[1, 2], 1 + R[0, 0] - R[1, 1] - R[2, 2], R[1, 0] + R[0, 1], R[0, 2] + R[2, 0]],
            [R[0, 2] - R[2, 0], R[1, 0] + R[0, 1], 1 - R[0, 0] + R[1, 1] - R[2, 2], R[2, 1] + R[1, 2]],
            [R[1, 0] - R[0, 1], R[0, 2] + R[2, 0], R[2, 1] + R[1, 2], 1 - R[0, 0] - R[1, 1] + R[2, 2]],
        ]
    )
    row = outer4[int(np.argmax(np.diag(outer4)))]
    quaternion: NDArray[np.float64] = row / np.linalg.norm(row)
    return quaternion if quaternion[0] >= 0 else -quaternion
