"""A color camera at work: the still image under the settings, the lamps of the moment, and what moves."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.devices.sim.controls import ColorSettings
from genlock.devices.sim.moving import paint_person
from genlock.devices.sim.plate import paint_plate
from genlock.devices.sim.scene import LAMP_BITS, Scene, lamp_code
from genlock.devices.sim.shelf import Shelf
from genlock.devices.sim.still import CODE_RANGE
from genlock.devices.sim.views import color_view
from genlock.geometry import CameraModel, Pose

__all__ = ["ColorEye"]

_REFERENCE_EXPOSURE_USEC = 8_330
"""At this exposure, with gain 0, the room is well lit."""
_REFERENCE_WHITE_BALANCE_K = 4_500
"""At this white balance, white is white."""

_SHADOW_RADIUS_M = 0.5
_LAMP_ON = np.array([150, 255, 170], dtype=np.uint8)

Tone = NDArray[np.uint8]  # (3, 256): what becomes of a code, by channel


@dataclass(frozen=True, slots=True)
class _Toned:
    """The still image as it looks under some settings."""

    settings: ColorSettings
    light_ratio: float
    tone: Tone
    still: NDArray[np.uint8]


class ColorEye:
    """One color camera at one resolution in one place. Several threads may ask at once.

    Args:
        camera: its lens at this resolution.
        T_stage_color: where it stands.
        scene: what it sees.
        shelf: where to look first for what does not move, and to leave it.
    """

    def __init__(self, camera: CameraModel, T_stage_color: Pose, scene: Scene, shelf: Shelf | None = None) -> None:
        self._scene = scene
        self._view = color_view(camera, T_stage_color, scene, shelf)
        self._toned: _Toned | None = None
        self._lock = threading.Lock()

    def image(self, when_sec: float, settings: ColorSettings, light_ratio: float) -> NDArray[np.uint8]:
        """The color image (H, W, 3) of this moment of the scene."""
        view, eye = self._view, self._view.eye
        toned = self._under(settings, light_ratio)
        image = toned.still.copy()
        rows, columns, lamps = view.lamp_pixels
        is_lit = (lamp_code(when_sec) >> np.arange(LAMP_BITS) & 1).astype(bool)[lamps]
        on = np.array([toned.tone[channel, _LAMP_ON[channel]] for channel in range(3)], dtype=np.uint8)
        image[rows[is_lit], columns[is_lit]] = on
        person = self._scene.person_at(when_sec)
        if person is not None:
            shadow = np.array([*person.feet_m, _SHADOW_RADIUS_M], np.float32)
            paint_person(
                eye.rays, eye.cones, view.z_m, eye.rotation, eye.position_m,
                person.capsules, shadow, view.codes, toned.tone, image,
            )  # fmt: skip
        plate = self._scene.plate_at(when_sec)
        if plate is not None:
            paint_plate(
                eye.rays, eye.cones, view.z_m, eye.rotation, eye.position_m,
                plate, self._scene.texture, view.codes, toned.tone, image,
            )  # fmt: skip
        return image

    def _under(self, settings: ColorSettings, light_ratio: float) -> _Toned:
        """The still image under these settings; kept until they change."""
        with self._lock:
            if self._toned is None or (self._toned.settings, self._toned.light_ratio) != (settings, light_ratio):
                tone = _tone_curves(settings, light_ratio)
                codes = self._view.codes
                still = np.empty_like(codes)
                for channel in range(3):
                    still[:, :, channel] = tone[channel][codes[:, :, channel]]
                self._toned = _Toned(settings, light_ratio, tone, still)
            return self._toned


def _tone_curves(settings: ColorSettings, light_ratio: float) -> Tone:
    """Codes to bytes: exposure and gain multiply light, a soft shoulder ends it, an exponent of 2.2 shows it."""
    light = (np.arange(256) / 255) ** 2 * CODE_RANGE
    strength = light_ratio * settings.exposure_usec / _REFERENCE_EXPOSURE_USEC * 2 ** (settings.gain / 64)
    warmth = (settings.white_balance_k / _REFERENCE_WHITE_BALANCE_K) ** 0.5
    channels = [
        (1 - np.exp(-1.8 * light * strength * balance)) ** (1 / 2.2) + (settings.brightness - 128) / 512
        for balance in (warmth, 1.0, 1 / warmth)
    ]
    return (255 * np.clip(channels, 0.0, 1.0)).astype(np.uint8)
