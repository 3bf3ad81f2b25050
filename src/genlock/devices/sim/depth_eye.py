"""A depth camera at work: exact depth of the moment, and what the sensor makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.devices.sim.moving import trace_person
from genlock.devices.sim.plate import trace_plate
from genlock.devices.sim.scene import Scene
from genlock.devices.sim.sensor import add_overlaps, disturb_depth, measure_depth
from genlock.devices.sim.traits import DeviceTraits
from genlock.devices.sim.views import depth_view
from genlock.geometry import CameraModel, Pose
from genlock.k4a import DEPTH_GEOMETRY, DepthMode

__all__ = ["DepthEye", "ForeignLight"]

# IR counts of a white wall, 1 m away in the laser's light, and anywhere in the room's own light.
_NARROW_LASER_COUNTS, _WIDE_LASER_COUNTS = 6_000.0, 3_000.0
_ACTIVE_AMBIENT_COUNTS, _PASSIVE_AMBIENT_COUNTS = 12.0, 700.0

_NARROW = (DepthMode.NFOV_2X2BINNED, DepthMode.NFOV_UNBINNED)


@dataclass(frozen=True, slots=True)
class ForeignLight:
    """Another device's laser that flashes into an exposure."""

    T_other_self: Pose
    depth_mode: DepthMode
    pulses: int
    """How many of the exposure's pulses it spoils."""


class DepthEye:
    """One depth camera in one mode in one place. Several threads may ask at once.

    Args:
        camera: its lens in this mode.
        mode: its depth mode.
        T_stage_depth: where it stands.
        scene: what it sees.
        noise: see ``sensor``.
        traits: its systematic errors.
    """

    def __init__(
        self,
        camera: CameraModel,
        mode: DepthMode,
        T_stage_depth: Pose,
        scene: Scene,
        noise: NDArray[np.float32],
        traits: DeviceTraits,
    ) -> None:
        self._scene = scene
        self._view = depth_view(camera, mode, T_stage_depth, scene)
        self._noise = noise
        geometry = DEPTH_GEOMETRY[mode]
        self._range_m = np.array([geometry.range_min_m, geometry.range_max_m], np.float32)
        self._errors_mm = np.array([traits.depth_bias_mm, traits.depth_wiggle_mm], np.float32)
        laser = _NARROW_LASER_COUNTS if mode in _NARROW else _WIDE_LASER_COUNTS
        counts = (laser, _ACTIVE_AMBIENT_COUNTS) if geometry.has_depth else (0.0, _PASSIVE_AMBIENT_COUNTS)
        self._counts = np.array(counts, np.float32)

    def images(
        self, when_sec: float, key: int, foreign: Sequence[ForeignLight] = ()
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Depth in mm (H, W), 0 = none, and IR (H, W) of this moment; ``key`` chooses the noise."""
        view = self._view
        z_m, reflection = self._exact(when_sec)
        depth, ir = np.empty(z_m.shape, np.uint16), np.empty(z_m.shape, np.uint16)
        measure_depth(
            z_m, reflection, view.lit, self._noise, key, self._range_m, self._errors_mm, self._counts, depth, ir
        )
        if foreign:
            overlaps = np.zeros(z_m.shape, np.float32)
            for light in foreign:
                geometry = DEPTH_GEOMETRY[light.depth_mode]
                field = np.tan(np.deg2rad([geometry.fov_x_deg / 2, geometry.fov_y_deg / 2]))
                R, o = np.array(light.T_other_self.rotation), np.array(light.T_other_self.translation_m)
                add_overlaps(view.eye.rays, z_m, R, o, field, float(light.pulses), overlaps)
            disturb_depth(depth, overlaps, self._noise, key >> 1)
        return depth, ir

    def _exact(self, when_sec: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Exact depth in metres and reflection; read only."""
        view, eye = self._view, self._view.eye
        person, plate = self._scene.person_at(when_sec), self._scene.plate_at(when_sec)
        if person is None and plate is None:
            return view.z_m, view.reflection
        z_m, reflection = view.z_m.copy(), view.reflection.copy()
        if person is not None:
            trace_person(eye.rays, eye.cones, eye.rotation, eye.position_m, person.capsules, z_m, reflection)
        if plate is not None:
            trace_plate(eye.rays, eye.cones, eye.rotation, eye.position_m, plate, self._scene.texture, z_m, reflection)
        return z_m, reflection
