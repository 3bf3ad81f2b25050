"""What there is to see: a room with boxes and balls, a tower of lamps that shows the time, and something that moves.

Coordinates are metres of the stage: z up, floor at z = 0. The scene is a function of time alone. The tower's twelve
lamps count milliseconds in Gray code and have shown every pattern after 4.096 s: a color image tells its own moment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim.placement import look_at
from genlock.devices.sim.walker import Person, walker_at
from genlock.geometry import Pose
from genlock.targets import draw_target

__all__ = ["LAMP_BITS", "ROOM_HALF_M", "ROOM_HEIGHT_M", "TOWER", "Scene", "lamp_code"]

LAMP_BITS = 12
ROOM_HALF_M = 4.0
ROOM_HEIGHT_M = 2.8


@dataclass(frozen=True, slots=True)
class _Box:
    center_m: tuple[float, float, float]
    half_m: tuple[float, float, float]
    yaw_rad: float
    rgb: tuple[float, float, float]
    ir: float
    """Part of the laser's light that it throws back."""

    def row(self) -> tuple[float, ...]:
        return (*self.center_m, *self.half_m, math.cos(self.yaw_rad), math.sin(self.yaw_rad), *self.rgb, self.ir)


TOWER = _Box((0.0, 0.0, 1.12), (0.14, 0.14, 1.12), 0.0, (0.10, 0.10, 0.11), 0.45)
"""Always the first box of a scene. Its lamps sit near its top, on all four sides."""

_BOXES = (
    TOWER,
    _Box((1.30, 0.95, 0.20), (0.22, 0.20, 0.20), 0.5, (0.62, 0.12, 0.08), 0.70),
    _Box((-1.40, 0.75, 0.24), (0.20, 0.20, 0.24), -0.3, (0.08, 0.28, 0.52), 0.60),
    _Box((-0.95, -1.25, 0.14), (0.26, 0.17, 0.14), 0.9, (0.65, 0.45, 0.06), 0.75),
    _Box((1.30, -0.95, 0.18), (0.18, 0.18, 0.18), 0.2, (0.10, 0.40, 0.14), 0.65),
    _Box((2.90, 3.30, 0.90), (0.60, 0.25, 0.90), 0.1, (0.34, 0.20, 0.11), 0.55),
    _Box((-3.30, 2.60, 0.45), (0.35, 0.70, 0.45), 0.0, (0.45, 0.38, 0.30), 0.60),
    _Box((-2.60, -3.30, 0.60), (0.70, 0.30, 0.60), -0.1, (0.22, 0.13, 0.32), 0.55),
    _Box((3.40, -2.60, 0.35), (0.30, 0.60, 0.35), 0.0, (0.14, 0.34, 0.34), 0.55),
)
"""Low things around the walker's path, between the places of a ring of devices; furniture along the walls."""

_MARGIN_SQUARES = 0.25
"""Around the board's print: what a marker needs to be told from what is behind."""
_SQUARE_PX = 112
"""Of a board's picture: whole pixels for the modules of 4 x 4 and 5 x 5 markers that fill 3/4 of their squares."""

_PUT_AWAY_M = 10.0
"""How deep below the floor the tower waits while a board is shown."""

# Center, radius, color, reflected part of the laser's light.
_SPHERES = (
    (1.30, 0.95, 0.53, 0.13, 0.75, 0.70, 0.64, 0.80),
    (-1.40, 0.75, 0.60, 0.12, 0.85, 0.32, 0.05, 0.70),
    (0.25, 1.50, 0.16, 0.16, 0.16, 0.48, 0.58, 0.65),
    (0.45, -1.45, 0.12, 0.12, 0.62, 0.14, 0.38, 0.70),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that can be seen, at any time."""

    name: SceneName
    boxes: NDArray[np.float64]
    # (N, 12): center, half sizes, cosine and sine of the yaw, r g b, reflected part of the laser's light; tower first
    spheres: NDArray[np.float64]
    # (N, 8): center, radius, r g b, reflected part of the laser's light
    texture: NDArray[np.uint8]  # (h, w) the board's print
    board_size_m: tuple[float, float]
    board_margin_m: float

    @classmethod
    def of(cls, scenario: Scenario) -> Scene:
        """The scene of a scenario."""
        boxes = np.array([box.row() for box in _BOXES])
        board, texture = scenario.board, np.full((1, 1), 255, np.uint8)
        margin_m = _MARGIN_SQUARES * board.square_m
        if scenario.scene is SceneName.BOARD:
            boxes[0, 2] -= _PUT_AWAY_M
            texture = draw_target(board, _SQUARE_PX, margin_m)
        width_m, height_m = board.size_m
        size_m = (width_m + 2 * margin_m, height_m + 2 * margin_m)
        return cls(scenario.scene, boxes, np.array(_SPHERES), texture, size_m, margin_m)

    def person_at(self, when_sec: float) -> Person | None:
        """The person at this moment; ``None`` where nobody is in the scene."""
        return walker_at(when_sec) if self.name is SceneName.WALKER else None

    def board_at(self, when_sec: float) -> Pose | None:
        """``T_stage_board``: origin at the first square's outer corner, x along a row, y down, z into the board."""
        if self.name is not SceneName.BOARD:
            return None
        T_stage_plate = _plate_at(when_sec, self.board_size_m)
        offset_m = np.array([self.board_margin_m, self.board_margin_m, 0.0])
        return T_stage_plate @ Pose("plate", "board", np.eye(3), offset_m)

    def plate_at(self, when_sec: float) -> NDArray[np.float64] | None:
        """The board for ``plate``'s kernels, (4, 3): its top left corner, two unit vectors, its size."""
        if self.name is not SceneName.BOARD:
            return None
        T_stage_plate = _plate_at(when_sec, self.board_size_m)
        size_m = (*self.board_size_m, 0.0)
        return np.stack(
            [T_stage_plate.translation_m, T_stage_plate.rotation[:, 0], T_stage_plate.rotation[:, 1], size_m]
        )


def _plate_at(when_sec: float, size_m: tuple[float, float]) -> Pose:
    """The board turns about, nods and leans while it is carried around; no two moments of a minute are alike."""

    def wave(period_sec: float, phase_turns: float = 0.0) -> float:
        return math.sin(2 * math.pi * (when_sec / period_sec + phase_turns))

    center_m = np.array([0.3 * wave(5.3, 0.25), 0.3 * wave(4.7), 1.0 + 0.2 * wave(3.7)])
    turn_rad = 2 * math.pi * (when_sec / 6.1 - 0.4)  # the first device sees the print first
    nod_rad = math.radians(12 + 20 * wave(2.9))
    lean_rad = math.radians(15 * wave(4.3))
    faces = np.array(
        [math.cos(turn_rad) * math.cos(nod_rad), math.sin(turn_rad) * math.cos(nod_rad), math.sin(nod_rad)]
    )
    across = np.array([-math.sin(turn_rad), math.cos(turn_rad), 0.0])
    up = math.cos(lean_rad) * np.array([0.0, 0.0, 1.0]) + math.sin(lean_rad) * across
    # Like a camera behind the print that looks into it: whoever looks at the print sees its x to the right.
    rotation = look_at("stage", center_m.tolist(), (center_m - faces).tolist(), up.tolist()).rotation
    corner_m = center_m - rotation @ np.array([size_m[0] / 2, size_m[1] / 2, 0.0])
    return Pose("stage", "plate", rotation, corner_m)


def lamp_code(when_sec: float) -> int:
    """Which of the tower's lamps are lit, as bits: the Gray code of the whole milliseconds modulo 4096.

    >>> [lamp_code(milliseconds / 1000 + 1e-6) for milliseconds in (0, 1, 2, 3, 4096)]
    [0, 1, 3, 2, 0]
    """
    milliseconds = math.floor(when_sec * 1000) % (1 << LAMP_BITS)
    return milliseconds ^ (milliseconds >> 1)
