"""The person who walks around the tower, as capsules."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOOP_SEC", "Person", "walker_at"]

LOOP_SEC = 4.096
"""In this time she walks once around."""

FloatTable = NDArray[np.float32]

_SKIN, _HAIR = (0.62, 0.38, 0.28), (0.08, 0.045, 0.03)
_SHIRT, _SLEEVE = (0.62, 0.08, 0.10), (0.55, 0.07, 0.09)
_TROUSERS, _SHOE = (0.08, 0.11, 0.24), (0.05, 0.05, 0.05)


@dataclass(frozen=True, slots=True)
class Person:
    """A walking person as capsules."""

    capsules: FloatTable  # (N, 11): two end points, radius, r g b, reflected part of the laser's light
    feet_m: tuple[float, float]
    """Where the shadow lies."""


_PATH_RADIUS_M = 0.85
_STEPS_PER_LAP = 4  # pairs of steps: 5.3 m in 4.1 s, an easy walk

Point = tuple[float, float, float]


class _Figure:
    """Collects limbs given in the person's own frame: x ahead, y to her left, z up, origin on the floor."""

    def __init__(self, x_m: float, y_m: float, heading_rad: float) -> None:
        self._x_m, self._y_m = x_m, y_m
        self._cos, self._sin = math.cos(heading_rad), math.sin(heading_rad)
        self.rows: list[tuple[float, ...]] = []

    def limb(self, start: Point, end: Point, radius_m: float, rgb: Point, ir: float = 0.6) -> None:
        self.rows.append((*self._place(start), *self._place(end), radius_m, *rgb, ir))

    def _place(self, point: Point) -> Point:
        ahead, left, up = point
        return (
            self._x_m + self._cos * ahead - self._sin * left,
            self._y_m + self._sin * ahead + self._cos * left,
            up,
        )


def walker_at(when_sec: float) -> Person:
    """A person of 1.75 m who walks around the tower."""
    lap = (when_sec / LOOP_SEC) % 1.0
    angle_rad = 2 * math.pi * lap
    gait_rad = 2 * math.pi * ((lap * _STEPS_PER_LAP) % 1.0)
    x_m, y_m = _PATH_RADIUS_M * math.cos(angle_rad), _PATH_RADIUS_M * math.sin(angle_rad)
    bob_m = 0.02 * math.cos(2 * gait_rad)
    hip, chest, neck, head = 0.92 + bob_m, 1.28 + bob_m, 1.46 + bob_m, 1.62 + bob_m
    figure = _Figure(x_m, y_m, angle_rad + math.pi / 2)
    figure.limb((0.0, 0.0, hip), (0.02, 0.0, chest), 0.16, _SHIRT)
    figure.limb((0.02, 0.10, chest + 0.06), (0.02, -0.10, chest + 0.06), 0.13, _SHIRT)
    figure.limb((0.0, 0.07, hip - 0.03), (0.0, -0.07, hip - 0.03), 0.13, _TROUSERS, 0.5)
    figure.limb((0.02, 0.0, neck - 0.06), (0.03, 0.0, neck + 0.04), 0.06, _SKIN)
    figure.limb((0.04, 0.0, head - 0.03), (0.03, 0.0, head + 0.02), 0.105, _SKIN)
    figure.limb((-0.005, 0.0, head + 0.03), (0.01, 0.0, head + 0.045), 0.11, _HAIR, 0.35)
    figure.limb((0.14, 0.0, head - 0.025), (0.15, 0.0, head - 0.04), 0.018, _SKIN)
    for side in (1.0, -1.0):
        swing = math.sin(gait_rad) * side
        # The knee bends while its leg swings forward.
        knee_rad = 0.25 + 0.35 * max(0.0, -math.cos(gait_rad) * side)
        _add_leg(figure, side, swing, knee_rad, hip)
        _add_arm(figure, side, -swing, chest + 0.09)
    return Person(capsules=np.array(figure.rows, dtype=np.float32), feet_m=(x_m, y_m))


def _add_leg(figure: _Figure, side: float, swing: float, knee_rad: float, hip_m: float) -> None:
    thigh_rad = 0.45 * swing + 0.08
    left = 0.09 * side
    hip = (0.0, left, hip_m - 0.05)
    knee = (0.42 * math.sin(thigh_rad), left, hip[2] - 0.42 * math.cos(thigh_rad))
    ankle = (knee[0] + 0.40 * math.sin(thigh_rad - knee_rad), left, knee[2] - 0.40 * math.cos(thigh_rad - knee_rad))
    figure.limb(hip, knee, 0.085, _TROUSERS, 0.5)
    figure.limb(knee, ankle, 0.06, _TROUSERS, 0.5)
    figure.limb((ankle[0] - 0.03, left, ankle[2] - 0.01), (ankle[0] + 0.13, left, ankle[2] - 0.02), 0.045, _SHOE, 0.3)


def _add_arm(figure: _Figure, side: float, swing: float, shoulder_m: float) -> None:
    upper_rad = 0.45 * swing
    shoulder = (0.02, 0.22 * side, shoulder_m)
    elbow = (0.02 + 0.28 * math.sin(upper_rad), 0.25 * side, shoulder_m - 0.28 * math.cos(upper_rad))
    fore_rad = upper_rad + 0.35
    wrist = (elbow[0] + 0.26 * math.sin(fore_rad), 0.25 * side, elbow[2] - 0.26 * math.cos(fore_rad))
    figure.limb(shoulder, elbow, 0.055, _SLEEVE)
    figure.limb(elbow, wrist, 0.04, _SKIN)
    figure.limb(wrist, (wrist[0] + 0.02, wrist[1], wrist[2] - 0.07), 0.045, _SKIN)
