"""A target as a picture: what is printed, and what the virtual rig waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.targets.markers import marker_modules
from genlock.targets.target import Target, TargetKind

__all__ = ["TargetCells", "draw_target", "target_cells"]

_WHITE, _BLACK, _FIRST_MARKER = 0, 1, 2
"""Tiles: one of these fills each square of a board."""
_DECIMALS = 12
"""Of a metre: edges that are nearer to each other are one."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetCells:
    """A target exactly as it is: rows and columns of black and white rectangles of different sizes."""

    x_m: NDArray[np.float64]
    """(columns + 1,): where columns begin and end, in the board's frame; margins lie outside of it."""
    y_m: NDArray[np.float64]
    """(rows + 1,)."""
    is_white: NDArray[np.bool_]
    """(rows, columns)."""


def draw_target(target: Target, square_px: int, margin_m: float = 0.0) -> NDArray[np.uint8]:
    """(H, W), 0 black to 255 white: the target from edge to edge; where an edge crosses a pixel, that pixel's mean.

    Args:
        target: what to draw.
        square_px: pixels a square (of a grid: a marker and its gap), before the size is rounded to whole pixels.
        margin_m: white on all four sides, or black around an inverted print.

    Raises:
        UnknownDictionaryError: a dictionary that is none, or has too few markers.
    """
    cells = target_cells(target, margin_m)
    rows, columns = (_shares(edges_m, target.square_m / square_px) for edges_m in (cells.y_m, cells.x_m))
    return np.asarray(np.rint(255 * (rows @ cells.is_white @ columns.T)), dtype=np.uint8)


def target_cells(target: Target, margin_m: float = 0.0) -> TargetCells:
    """The rectangles that a target is made of; margin and errors as for ``draw_target``."""
    tiles, layout = _tiles(target), _layout(target)
    modules = tiles.shape[1] - 1
    width_m, height_m = target.size_m
    x_m, column, x_module = _along(target, target.columns, modules, width_m, margin_m)
    y_m, row, y_module = _along(target, target.rows, modules, height_m, margin_m)
    tile = layout[row[:, None], column[None, :]]
    return TargetCells(x_m, y_m, tiles[tile, y_module[:, None], x_module[None, :]] ^ target.is_inverted)


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
    target: Target, squares: int, modules: int, length_m: float, margin_m: float
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Where the cells of a row (or column) begin and end, and for each the index into the layout, and its module."""
    marker_m = target.marker_m or target.square_m
    gap_m = (target.square_m - marker_m) / 2 if target.kind is TargetKind.CHARUCO else 0.0
    at_m = [np.linspace(0, marker_m, modules + 1) + gap_m] if modules else []
    within_m = np.concatenate([[0.0, target.square_m], *at_m])
    edges_m = (target.square_m * np.arange(squares)[:, None] + within_m).ravel()
    edges_m = np.concatenate([[-margin_m, 0.0, length_m, length_m + margin_m], edges_m[edges_m < length_m]])
    edges_m = np.unique(np.round(edges_m, _DECIMALS))
    middle = (edges_m[1:] + edges_m[:-1]) / 2 / target.square_m  # in squares
    square = np.floor(middle)
    index = np.clip(square, -1, squares).astype(np.int64) + 1
    if not modules:
        return edges_m, index, np.zeros(len(index), np.int64)
    module = np.floor(((middle - square) * target.square_m - gap_m) / marker_m * modules).astype(np.int64)
    return edges_m, index, np.where((module >= 0) & (module < modules), module + 1, 0)


def _shares(edges_m: NDArray[np.float64], pixel_m: float) -> NDArray[np.float64]:
    """(P, C): what share of each pixel lies in each cell; as many pixels as fit best, a little wider or narrower."""
    begin_m, end_m = edges_m[0], edges_m[-1]
    pixels_m = np.linspace(begin_m, end_m, round((end_m - begin_m) / pixel_m) + 1)
    common_m = np.minimum(pixels_m[1:, None], edges_m[1:]) - np.maximum(pixels_m[:-1, None], edges_m[:-1])
    return np.asarray(np.maximum(common_m, 0) / (pixels_m[1] - pixels_m[0]))
