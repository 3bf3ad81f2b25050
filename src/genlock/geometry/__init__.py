"""Space: rigid transforms with frames in their names, and lens models. Metres; knows nothing of Kinects."""

from genlock.geometry.camera import CameraModel, LensModel
from genlock.geometry.extrinsics import (
    FACTORY_LENSES,
    WORLD,
    DeviceLenses,
    PoseSigma,
    RigExtrinsics,
    color_frame,
    device_frame,
    load_extrinsics,
    renamed,
)
from genlock.geometry.jacobian import (
    cross_matrix,
    derivative_by_rotation,
    project_with_derivatives,
    rotation_from_vector,
)
from genlock.geometry.pose import Pose

__all__ = [
    "FACTORY_LENSES",
    "WORLD",
    "CameraModel",
    "DeviceLenses",
    "LensModel",
    "Pose",
    "PoseSigma",
    "RigExtrinsics",
    "color_frame",
    "cross_matrix",
    "derivative_by_rotation",
    "device_frame",
    "load_extrinsics",
    "project_with_derivatives",
    "renamed",
    "rotation_from_vector",
]
