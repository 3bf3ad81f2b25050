"""From exposures to images: one device's two cameras looking at the scene through their own lenses.

What stands still is traced when a mode is first used, by ``prepare`` or by the first image; after that an image costs
what moves in it, its noise and its JPEG. In a looped scenario it costs nothing once the loop has been round, and color
costs nothing in the next process either: it lies on a shelf in the user's cache.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Image
from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim.capturesync import Sensor
from genlock.devices.sim.chance import normals, stream_key
from genlock.devices.sim.color_eye import ColorEye
from genlock.devices.sim.controls import ColorSettings
from genlock.devices.sim.darkroom import Imager
from genlock.devices.sim.depth_eye import DepthEye, ForeignLight
from genlock.devices.sim.loop import ImageLoop, kept_format, shown_settings
from genlock.devices.sim.scene import Scene
from genlock.devices.sim.sensor import NOISE_TABLE_SIZE
from genlock.devices.sim.shelf import Shelf, shelf_key, user_shelf
from genlock.devices.sim.shutter import Sample
from genlock.devices.sim.traits import DeviceTraits
from genlock.devices.sim.views import view_of
from genlock.devices.sim.walker import LOOP_SEC
from genlock.geometry import CameraModel, Pose
from genlock.k4a import COLOR_GEOMETRY, DEPTH_GEOMETRY, ColorResolution, DepthMode, DeviceConfig, ImageFormat
from genlock.k4a.calibration import DeviceCalibration
from genlock.pixels import bgra_from_jpeg, encode_color

__all__ = ["new_imager"]

Pixels = NDArray[Any]  # Any: bytes or 16-bit numbers
Look = tuple[object, ...]

_LOOP_STEPS = 123
"""Moments of a looped scene, 33.3 ms apart."""


def new_imager(
    serial: str, scenario: Scenario, calibration: DeviceCalibration, poses: Mapping[str, Pose], birth_nsec: int
) -> Imager:
    """The eyes of one device in this scenario.

    Args:
        serial: whose.
        scenario: what there is to see.
        calibration: its lenses.
        poses: ``T_stage_depth`` of every device, for their lasers meet.
        birth_nsec: when the scene begins to move.
    """
    if scenario.scene is SceneName.DARK:
        return _CappedImager()
    return _SceneImager(serial, scenario, calibration, poses, birth_nsec)


class _CappedImager:
    """Images of a covered lens: the same black arrays again and again, which nobody can write to."""

    sees_lasers = False
    is_instant = True

    def __init__(self) -> None:
        self._black: dict[tuple[str, str], Pixels] = {}

    def prepare(self, config: DeviceConfig, settings: ColorSettings, pool: Executor) -> None:
        """Nothing to do."""

    def images(self, config: DeviceConfig, sample: Sample) -> tuple[Image, ...]:
        """Black in every format."""
        if sample.sensor is Sensor.COLOR:
            color = COLOR_GEOMETRY[config.color_resolution]

            def black() -> Pixels:
                return encode_color(np.zeros((color.height_px, color.width_px, 3), np.uint8), config.color_format)

            return _wrap(config, sample, (self._kept((config.color_resolution, config.color_format), black),))
        depth = DEPTH_GEOMETRY[config.depth_mode]
        shape = (depth.height_px, depth.width_px)
        zeros = self._kept((config.depth_mode, ImageFormat.DEPTH16), lambda: np.zeros(shape, np.uint16))
        return _wrap(config, sample, (zeros, zeros))

    def _kept(self, key: tuple[str, str], make: Callable[[], Pixels]) -> Pixels:
        if key not in self._black:
            pixels = make()
            pixels.setflags(write=False)
            self._black[key] = pixels
        return self._black[key]


class _SceneImager:
    """Makes one device's images; several threads may ask at once."""

    sees_lasers = True

    def __init__(
        self,
        serial: str,
        scenario: Scenario,
        calibration: DeviceCalibration,
        poses: Mapping[str, Pose],
        birth_nsec: int,
    ) -> None:
        self._serial = serial
        self._calibration = calibration
        self._poses = poses
        self._birth_nsec = birth_nsec
        self._is_looped = scenario.is_looped
        self._scene = Scene.of(scenario)
        self._traits = DeviceTraits.of(serial, scenario)
        self._noise_key = stream_key(scenario.seed, serial, "depth noise")
        self._noise: NDArray[np.float32] | None = None
        self._color_eyes: dict[tuple[ColorResolution, float], ColorEye] = {}
        self._depth_eyes: dict[tuple[DepthMode, float], DepthEye] = {}
        self._loop = ImageLoop()
        self._shelf = user_shelf() if self._is_looped else Shelf(None)
        self._cap = _CappedImager()
        # Eyes and noise are made when first asked for; color and depth may be at the same time.
        self._color_lock, self._depth_lock = threading.Lock(), threading.Lock()

    @property
    def is_instant(self) -> bool:
        """Where images are looped: they were made in ``prepare``."""
        return self._is_looped

    def prepare(self, config: DeviceConfig, settings: ColorSettings, pool: Executor) -> None:
        """Does whatever would make the first image slower than the next; all of a loop where there is one."""
        first: list[Callable[[], object]] = []
        if config.has_color:
            first.append(lambda: self._color_eye(config.color_resolution, 0.0))
        if config.has_depth_camera:
            first.append(lambda: self._depth_eye(config.depth_mode, 0.0))
        # While one thread makes the color camera's eye, the others are at the depth images.
        depth = self._lap(Sensor.DEPTH, settings) if self._is_looped and config.has_depth_camera else []
        color = self._lap(Sensor.COLOR, settings) if self._is_looped and config.has_color else []
        key = self._lap_key(config, color[0]) if color else None
        lap = self._shelf.load(key) if key else None
        if color and lap:
            self._loop.put_lap(self._kept_as(config, color[0])[0], lap)
        images = [partial(self.images, config, sample) for sample in (*depth, *color)]
        list(pool.map(lambda task: task(), [*first, *images]))
        if key and not lap:
            self._shelf.store(key, self._loop.lap(self._kept_as(config, color[0])[0]))

    def images(self, config: DeviceConfig, sample: Sample) -> tuple[Image, ...]:
        """A color image; or depth and IR, in passive mode IR alone: what was there at the sample's true moment."""
        if sample.is_covered:
            return self._cap.images(config, sample)
        scene_sec = (sample.center_nsec - self._birth_nsec) / 1e9
        if not self._is_looped:
            return _wrap(config, sample, self._pixels(config, sample, scene_sec, sample.number))
        step = int(scene_sec / LOOP_SEC * _LOOP_STEPS) % _LOOP_STEPS
        look, kept_config, kept_sample = self._kept_as(config, sample)
        pixels = self._loop.pixels(
            look, step, lambda: self._pixels(kept_config, kept_sample, (step + 0.5) / _LOOP_STEPS * LOOP_SEC, step)
        )
        if kept_config.color_format is not config.color_format and sample.sensor is Sensor.COLOR:
            pixels = (bgra_from_jpeg(pixels[0]),)
        return _wrap(config, sample, pixels)

    def _lap(self, sensor: Sensor, settings: ColorSettings) -> list[Sample]:
        """An exposure for each step of the loop."""
        return [
            Sample(sensor, 0, self._birth_nsec + round((step + 0.5) / _LOOP_STEPS * LOOP_SEC * 1e9), 0, 0, settings)
            for step in range(_LOOP_STEPS)
        ]

    def _kept_as(self, config: DeviceConfig, sample: Sample) -> tuple[Look, DeviceConfig, Sample]:
        """How a looped image of this exposure looks, and as what it is kept."""
        if sample.sensor is not Sensor.COLOR:
            return (sample.turned_deg, config.depth_mode, *sample.collisions), config, sample
        kept_config = replace(config, color_format=kept_format(config.color_format))
        kept_sample = replace(sample, settings=shown_settings(sample.settings, config))
        looks = (config.color_resolution, kept_config.color_format, kept_sample.settings, sample.light_ratio)
        return (sample.turned_deg, *looks), kept_config, kept_sample

    def _lap_key(self, config: DeviceConfig, sample: Sample) -> str | None:
        """Under what a lap of JPEGs lies on the shelf; ``None`` for formats that weigh too much for it."""
        look, kept_config, _ = self._kept_as(config, sample)
        if kept_config.color_format is not ImageFormat.MJPG:
            return None
        view = view_of(*self._color_place(config.color_resolution, sample.turned_deg), self._scene)
        return shelf_key("lap", *view, *look)

    def _pixels(self, config: DeviceConfig, sample: Sample, scene_sec: float, noise_number: int) -> tuple[Pixels, ...]:
        """The encoded color image; or depth and IR."""
        if sample.sensor is Sensor.COLOR:
            color_eye = self._color_eye(config.color_resolution, sample.turned_deg)
            rgb = color_eye.image(scene_sec, sample.settings, sample.light_ratio)
            return (encode_color(rgb, config.color_format),)
        T_stage_depth = self._T_stage_depth(sample.turned_deg)
        foreign = [
            ForeignLight(self._poses[c.serial].inverse() @ T_stage_depth, c.depth_mode, c.pulses)
            for c in sample.collisions
        ]
        depth_eye = self._depth_eye(config.depth_mode, sample.turned_deg)
        return depth_eye.images(scene_sec, (self._noise_key >> 2) + noise_number, foreign)

    def _T_stage_depth(self, turned_deg: float) -> Pose:
        """Where the device stands; somebody may have turned it about the vertical of its images."""
        angle_rad = np.deg2rad(turned_deg)
        cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
        turn = Pose("depth", "depth", np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]), np.zeros(3))
        return self._poses[self._serial] @ turn

    def _color_eye(self, resolution: ColorResolution, turned_deg: float) -> ColorEye:
        with self._color_lock:
            key = (resolution, turned_deg)
            if key not in self._color_eyes:
                camera, T_stage_color = self._color_place(resolution, turned_deg)
                self._color_eyes[key] = ColorEye(camera, T_stage_color, self._scene, self._shelf)
            return self._color_eyes[key]

    def _color_place(self, resolution: ColorResolution, turned_deg: float) -> tuple[CameraModel, Pose]:
        """The color camera's lens, and ``T_stage_color``."""
        T_stage_color = self._T_stage_depth(turned_deg) @ self._calibration.T_color_depth.inverse()
        return self._calibration.color_camera(resolution), T_stage_color

    def _depth_eye(self, mode: DepthMode, turned_deg: float) -> DepthEye:
        with self._depth_lock:
            if self._noise is None:
                numbers = np.arange(NOISE_TABLE_SIZE, dtype=np.int64)
                self._noise = normals(self._noise_key, numbers).astype(np.float32)
            key = (mode, turned_deg)
            if key not in self._depth_eyes:
                camera, T_stage_depth = self._calibration.depth_camera(mode), self._T_stage_depth(turned_deg)
                self._depth_eyes[key] = DepthEye(camera, mode, T_stage_depth, self._scene, self._noise, self._traits)
            return self._depth_eyes[key]


def _wrap(config: DeviceConfig, sample: Sample, pixels: tuple[Pixels, ...]) -> tuple[Image, ...]:
    """Images of these pixels: the color image, or depth and IR."""
    if sample.sensor is Sensor.COLOR:
        color = COLOR_GEOMETRY[config.color_resolution]
        return (
            Image(
                image_format=config.color_format,
                width_px=color.width_px,
                height_px=color.height_px,
                pixels=pixels[0],
                device_timestamp_usec=sample.timestamp_usec,
                system_timestamp_nsec=sample.arrival_nsec,
                exposure_usec=sample.settings.exposure_usec,
                white_balance_k=sample.settings.white_balance_k,
                iso_speed=100 + 10 * sample.settings.gain,
            ),
        )
    geometry = DEPTH_GEOMETRY[config.depth_mode]
    depth, ir = (
        Image(
            image_format=image_format,
            width_px=geometry.width_px,
            height_px=geometry.height_px,
            pixels=array,
            device_timestamp_usec=sample.timestamp_usec,
            system_timestamp_nsec=sample.arrival_nsec,
        )
        for image_format, array in zip((ImageFormat.DEPTH16, ImageFormat.IR16), pixels, strict=True)
    )
    return (depth, ir) if geometry.has_depth else (ir,)
