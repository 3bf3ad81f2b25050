"""A target as a picture: what is printed, and what the virtual rig waves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlock.targets.markers import marker_modules
from genlock.targets.target import Target, TargetKind

__all__ = ["draw_target"]

_WHITE, _BLACK, _FIRST_MARKER = 0, 1, 2
"""Tiles: one of these fills each square of a board."""


def draw_target(target: Target, square_px: int, margin_m: float = 0.0) -> NDArray[np.uint8]:
    """(H, W), 0 black to 255 white: the target from edge to edge, each pixel as the board is at the pixel's centre.

    Args:
        target: what to draw.
        square_px: pixels a square (of a grid: a marker and its gap), before the size is rounded to whole pixels.
        margin_m: white on all four sides, or black around an inverted print.

    Raises:
        UnknownDictionaryError: a dictionary that is none, or has too few markers.
    """
    tiles = _tiles(target)
    layout = _layout(target)
    modules = tiles.shape[1] - 1
    width_m, height_m = target.size_m
    column, x_module = _along(target, target.columns, modules, width_m, square_px, margin_m)
    row, y_module = _along(target, target.rows, modules, height_m, square_px, margin_m)
    tile = layout[row[:, None], column[None, :]]
    is_white = tiles[tile, y_module[:, None], x_module[None, :]] ^ target.is_inverted
    return np.where(is_white, np.uint8(255), np.uint8(0))


def _tiles(target: Target) -> NDArray[np.bool_]:
    """(2 + markers, n + 1, n + 1): where a tile is white, by modules; module 0 is what lies around a marker."""
    if target.kind is TargetKind.CHESSBOARD:
        return np.array([True, False]).reshape(2, 1, 1)
    inside = marker_modules(target.dictionary, target.marker_count)
    side = inside.shape[1] + 2
    tiles = np.zeros((_FIRST_MARKER + len(inside), side + 1, side + 1), np.bool_)
    tiles[_WHITE] = True
    tiles[_FIRST_MARKER:, 0, :] = True
    tiles[_FIRST_MARKER:, :, 0] = True
    tiles[_FIRST_MARKER:, 2:-1, 2:-1] = inside
    return tiles


def _layout(target: Target) -> NDArray[np.int64]:
    """(rows + 2, columns + 2): the tile of each square, with a ring of white ones around them."""
    row, column = np.mgrid[: target.rows, : target.columns]
    if target.kind is TargetKind.GRID:
        squares = _FIRST_MARKER + row * target.columns + column
    else:
        begins_white = target.kind is TargetKind.CHARUCO and target.is_legacy and target.rows % 2 == 0
        is_black = (row + column) % 2 == int(begins_white)
        squares = np.where(is_black, _BLACK, _WHITE)
        if target.kind is TargetKind.CHARUCO:
            squares[~is_black] = _FIRST_MARKER + np.arange(np.count_nonzero(~is_black))
    return np.pad(squares, 1, constant_values=_WHITE)


def _along(
    target: Target, squares: int, modules: int, length_m: float, square_px: int, margin_m: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each pixel of a row (or column) the index into the layout, and the module of the tile there."""
    whole_m = length_m + 2 * margin_m
    count = round(whole_m / target.square_m * square_px)
    at = ((np.arange(count) + 0.5) * (whole_m / count) - margin_m) / target.square_m  # in squares
    square = np.floor(at)
    index = np.clip(square, -1, squares).astype(np.int64) + 1
    if target.kind is TargetKind.CHESSBOARD:
        return index, np.zeros(count, np.int64)
    marker = target.marker_m / target.square_m
    gap = (1 - marker) / 2 if target.kind is TargetKind.CHARUCO else 0.0
    module = np.floor((at - square - gap) / marker * modules).astype(np.int64)
    return index, np.where((module >= 0) & (module < modules), module + 1, 0)
