"""Which frame is the world: a device's own, the board's on the floor, a marker's, or one that gravity sets upright.

::

    device:SERIAL                    that device's own frame; the default is the device that holds the solution
    board                            the board where it lay still longest: put it on the floor
    board:SET                        the board in that set
    marker:ID[:SIZE[:DICTIONARY]]    a marker that does not move; size and dictionary are the board's unless given
    gravity[:SERIAL]                 z up by the accelerometers; origin at a device, y where it looks

A print's world stands on it: origin in its middle, x right along its rows as one reads it, z up out of the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.boardpose import board_poses
from genlock.calibrate.bundle import Solution
from genlock.calibrate.detect import Detection
from genlock.geometry import (
    WORLD,
    CameraModel,
    Pose,
    derivative_by_rotation,
    project_with_derivatives,
    rotation_from_vector,
)
from genlock.targets import Target, TargetKind, parse_length_m

__all__ = ["WorldChoice", "WorldKind", "on_print", "parse_world", "place_print", "resting_set", "upright"]

_REST_M = 0.002
_REST_RAD = 0.005
_LEAST_REST_SETS = 3
"""A board lies still when it is found within 2 mm and 0.3 degrees of one place in three sets or more: a hand shakes
by more, corners by less."""
_PLACING_STEPS = 20

Array = NDArray[np.float64]


class WorldKind(StrEnum):
    """What holds the world."""

    DEVICE = "device"
    BOARD = "board"
    MARKER = "marker"
    GRAVITY = "gravity"


@dataclass(frozen=True, slots=True)
class WorldChoice:
    """A world as somebody wants it."""

    kind: WorldKind
    serial: str = ""
    """Of a device's or gravity's world; empty: the device that holds the solution."""
    set_index: int | None = None
    """Of a board's world; ``None``: where it lay still longest."""
    marker: Target | None = None
    """Of a marker's world: a grid of one marker."""
    marker_number: int = 0


def parse_world(text: str, target: Target) -> WorldChoice:
    """The choice that a line of text makes; an empty one is the default.

    Raises:
        ValueError: it makes none; says what was expected.
    """
    kind, _, rest = text.partition(":")
    if kind in ("", "device", "gravity") and (rest or kind != "device"):
        return WorldChoice(WorldKind(kind or "device"), serial=rest)
    if kind == "board" and (not rest or rest.isdecimal()):
        return WorldChoice(WorldKind.BOARD, set_index=int(rest) if rest else None)
    if kind == "marker" and rest.split(":")[0].isdecimal() and rest.count(":") <= 2:
        return _marker(rest.split(":"), target)
    raise ValueError(
        f"a world is device:SERIAL, board, board:SET, marker:ID[:SIZE[:DICTIONARY]], gravity or gravity:SERIAL; found "
        f"{text!r}"
    )


def _marker(parts: list[str], target: Target) -> WorldChoice:
    number = int(parts[0])
    size_m = parse_length_m(parts[1]) if len(parts) > 1 else target.marker_m
    dictionary = parts[2] if len(parts) > 2 else target.dictionary
    if not size_m or not dictionary:
        raise ValueError(f"a {target.kind} has no markers: say which one it is, as in marker:0:150mm:DICT_5X5_250")
    if dictionary == target.dictionary and number < target.marker_count:
        raise ValueError(
            f"marker {number} is on the board itself, which moves; the board has the markers 0 to "
            f"{target.marker_count - 1} of {dictionary}"
        )
    marker = Target(
        kind=TargetKind.GRID, columns=1, rows=1, square_m=1.25 * size_m, marker_m=size_m, dictionary=dictionary,
        is_inverted=target.is_inverted and dictionary == target.dictionary,
    )  # fmt: skip
    return WorldChoice(WorldKind.MARKER, marker=marker, marker_number=number)


def on_print(T_ref_print: Pose, middle_print: Array) -> Pose:
    """``T_world_ref`` of a world that stands on a print.

    A print's z goes into the paper and its y down the page; the world's z comes out and its y goes up.
    """
    flip = np.diag([1.0, -1.0, -1.0])
    return Pose(WORLD, T_ref_print.from_frame, flip, -flip @ middle_print) @ T_ref_print.inverse()


def resting_set(solution: Solution) -> int | None:
    """The set in the middle of the board's longest rest; ``None`` when it never lay still."""
    best: tuple[int, int] = (0, 0)
    first = 0
    for number in range(len(solution.sets) + 1):
        if number == len(solution.sets) or not _is_near(solution, first, number):
            best = max(best, (number - first, first))
            first = number
    length, first = best
    return solution.sets[first + length // 2] if length >= _LEAST_REST_SETS else None


def _is_near(solution: Solution, a: int, b: int) -> bool:
    shift_m = np.linalg.norm(solution.t_ref_board[a] - solution.t_ref_board[b])
    turn = solution.R_ref_board[a].T @ solution.R_ref_board[b]
    turn_rad = np.arccos(np.clip((np.trace(turn) - 1) / 2, -1.0, 1.0))
    return bool(shift_m < _REST_M and turn_rad < _REST_RAD)


def place_print(
    lenses: Mapping[str, CameraModel],
    T_cam_ref: Mapping[str, Pose],
    seen: Mapping[str, Detection],
    corners_print: Array,
) -> tuple[Pose, float] | None:
    """``T_ref_print`` of a print that does not move, from all cameras that see it, and the RMS error in px.

    Args:
        lenses: by camera.
        T_cam_ref: by camera; from the frame ``ref``.
        seen: corners by camera, four or more each.
        corners_print: (K, 3), metres, by corner number.

    Returns:
        ``None`` when no camera saw it.
    """
    cameras = [name for name in seen if name in T_cam_ref and len(seen[name]) >= 4]
    views = [(lenses[c], T_cam_ref[c], corners_print[seen[c].corners], seen[c].px) for c in cameras]
    starts = []
    for lens, T, corners, px in views:
        poses = board_poses(lens, corners, px, np.array([0, len(px)]))
        for answer, rms_px in zip(poses.T_cam_board[0], poses.rms_px[0], strict=True):
            if np.isfinite(rms_px):
                starts.append(T.inverse() @ Pose(T.to_frame, "print", answer[:3, :3], answer[:3, 3]))
    found = [_settled(views, start) for start in starts]
    return min(found, key=lambda answer: answer[1]) if found else None


_PrintView = tuple[CameraModel, Pose, Array, Array]  # lens, T_cam_ref, corners_print (N, 3), px (N, 2)


def _settled(views: list[_PrintView], start: Pose) -> tuple[Pose, float]:
    best, least, damping = start, np.inf, 1e-4
    normal, gradient = np.eye(6), np.zeros(6)
    pose = start
    for _ in range(_PLACING_STEPS):
        residuals, derivatives = [], []
        for lens, T_cam_ref, corners, px in views:
            turned = corners @ pose.rotation.T
            points_cam = T_cam_ref.apply(turned + pose.translation_m)
            projected, by_point = project_with_derivatives(lens, points_cam)
            by_ref = by_point @ T_cam_ref.rotation
            residuals.append(projected - px)
            derivatives.append(np.concatenate([derivative_by_rotation(turned, by_ref), by_ref], axis=2))
        residual, J = np.concatenate(residuals).ravel(), np.concatenate(derivatives).reshape(-1, 6)
        cost = float(residual @ residual)
        if cost < least:
            best, least, damping = pose, cost, damping / 10
            normal, gradient = J.T @ J, J.T @ residual
        else:
            damping *= 10
        damped = normal + damping * np.diag(np.diag(normal)) + 1e-9 * np.eye(6)
        step = np.asarray(-np.linalg.solve(damped, gradient), dtype=np.float64)
        pose = replace(
            best, rotation=rotation_from_vector(step[:3]) @ best.rotation, translation_m=best.translation_m + step[3:]
        )
    return best, float(np.sqrt(least / sum(len(px) for *_, px in views)))


def upright(T_ref_device: Pose, up_ref: Array) -> Pose:
    """``T_world_ref`` with z up: origin at the device, y along its horizontal line of sight, x to its right.

    Args:
        T_ref_device: its depth camera, z forward.
        up_ref: (3,), up in the frame ``ref``.
    """
    up = up_ref / np.linalg.norm(up_ref)
    forward = T_ref_device.rotation[:, 2]
    if np.linalg.norm(np.cross(forward, up)) < 0.1:  # it looks straight up or down: then the top of its image leads
        forward = -T_ref_device.rotation[:, 1]
    right = np.cross(forward, up)
    right = right / np.linalg.norm(right)
    rotation = np.stack([right, np.cross(up, right), up])
    return Pose(WORLD, T_ref_device.to_frame, rotation, -rotation @ T_ref_device.translation_m)
