"""Corners of separate markers, from the edges that meet in them.

A marker's corner by itself is a poor thing to look for: blur rounds it off, and the pattern inside is near. Its two
edges are long. Each is found to a tenth of a pixel in many places, as the middle of the step from black to white, and
the corner is where the lines through these places cross. Steps are looked at as light, not as image codes: these follow
a curve (sRGB's, about the power 2.2; infrared is shown by its root), which makes the bright side of a blurred step
wider and every black marker smaller.

What is left of that, where paper is clipped to white or a lens blooms, moves all edges of a view by about the same
number of pixels. ``inward_of`` says where that moves the corners, for the solver to tell it from a distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["inward_of", "sharpened"]

Quads = NDArray[np.float64]  # (M, 4, 2): corners of markers in px, clockwise as one sees them

_ROUNDS = 3
_PLACES = 24
"""On each half of an edge."""
_STEPS = 17
"""Samples across an edge."""
_FURTHEST_PX = 30.0
"""From the corner. An Azure Kinect's color lens at 720P bends a line so that a corner is off by 0.03 px (95 % of all
places and directions) after 30 px, by 0.08 px after 60 and by 0.19 px after 100."""
_ROUNDED_PX = 1.5
"""So near to a corner its other edge is seen too."""
_REACH_PX = (1.5, 4.0)
"""Across an edge, to each side: half a module, so that the pattern inside stays out of it, within these bounds."""
_STRAYING_PX = 0.3
"""A place further off the line than this counts less and less: something covers the edge there. Three times what a
place is good to. Where white covers an eighth of an edge of 48 px, 1.5 px deep, corners are off by 0.17 px with 0.1 px
here, by 0.11 with 0.2 and 0.3, by 0.17 with 0.5, by 0.29 with 1 px (drawn markers, noise of 3 codes, median)."""
_LEAST_CONTRAST_RATIO = 0.5
"""Of the marker's usual step from black to white. Where gray covers a quarter of an edge, 3 px deep, corners are off by
2.3 px with 0.25 here, by 0.07 px with 0.5. Of 60 markers half of which lay in a shadow that takes two thirds of the
light, 2 are lost with 0.5, 14 with 0.6 and 26 with 0.75 (drawn as above)."""
_LIGHT = (np.arange(256) / 255) ** 2.2
_SIDES = np.array([1.0, -1.0])
"""The inside lies to the right of the way to the next corner, to the left of the way to the one before."""


def sharpened(
    gray: NDArray[np.uint8], quads: Quads, modules: int, is_inverted: bool
) -> tuple[Quads, NDArray[np.bool_]]:
    """Each marker's corners where its edges cross, and (M,) whether there are such edges.

    Args:
        gray: (H, W), as the camera has it.
        quads: where the corners are, to a pixel or two.
        modules: of a marker's side, with its border.
        is_inverted: white markers on black.
    """
    found, light = quads, -_LIGHT if is_inverted else _LIGHT
    for _ in range(_ROUNDS):
        found = _crossed(gray, light, found, modules)
    moved_px = np.linalg.norm(found - quads, axis=2).max(axis=1)
    is_marker = moved_px < 2 * _REACH_PX[1]  # false for NaN
    return np.where(is_marker[:, None, None], found, quads), is_marker


def inward_of(quads: Quads) -> Quads:
    """(M, 4, 2): where a corner goes when its marker's edges all move inwards by one pixel."""
    *_, normals = _legs(quads)
    return _solved(normals, np.ones(normals.shape[:-1]))


def _legs(quads: Quads) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """From each corner to the next one and to the one before: how far (M, 4, 2, 1), along (M, 4, 2, 2), and inwards."""
    legs = np.stack([np.roll(quads, -1, axis=1), np.roll(quads, 1, axis=1)], axis=2) - quads[:, :, None]
    length_px = np.linalg.norm(legs, axis=3, keepdims=True)
    with np.errstate(invalid="ignore"):  # corners on one another have no edge between them: NaN, and no marker
        along = legs / length_px
    return length_px, along, np.stack([-along[..., 1], along[..., 0]], axis=-1) * _SIDES[:, None]


def _crossed(gray: NDArray[np.uint8], light: NDArray[np.float64], quads: Quads, modules: int) -> Quads:
    """Where the lines along both edges of each corner cross; NaN where they do not."""
    length_px, along, normals = _legs(quads)
    last_px = np.minimum(length_px / 2, _FURTHEST_PX)
    first_px = np.minimum(_ROUNDED_PX, last_px / 2)
    places_px = first_px + (last_px - first_px) * np.linspace(0, 1, _PLACES)  # (M, 4, 2, P)
    reach_px = np.clip(length_px.min(axis=(1, 2, 3)) / modules / 2, *_REACH_PX)  # (M,)
    across_px = reach_px[:, None, None, None, None] * np.linspace(-1, 1, _STEPS)  # (M, 1, 1, 1, S)
    on_edge = quads[:, :, None, None] + places_px[..., None] * along[:, :, :, None]  # (M, 4, 2, P, 2)
    at = on_edge[..., None, :] + across_px[..., None] * normals[:, :, :, None, None]
    # From bright outside to dark inside: what rises instead is paper's end, or the next thing beside it.
    falls = np.maximum(-np.diff(_light(gray, light, at), axis=-1), 0)
    contrast = falls.sum(axis=-1)
    middles_px = (across_px[..., 1:] + across_px[..., :-1]) / 2
    edge_px = (falls * middles_px).sum(axis=-1) / np.maximum(contrast, 1e-9)
    usual = np.median(contrast, axis=(1, 2, 3), keepdims=True)
    offset_px, slope = _line(places_px, edge_px, contrast > _LEAST_CONTRAST_RATIO * usual)
    # On the line lies the corner, moved inwards by the offset; its normal is the edge's, turned by the slope.
    turned = normals - slope[..., None] * along
    return np.asarray(quads + _solved(turned, offset_px))


def _line(
    places: NDArray[np.float64], values: NDArray[np.float64], is_seen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offset and slope of lines through values at places, all (..., P); those that stray count less."""
    weights = is_seen.astype(np.float64)
    offset = slope = np.zeros(values.shape[:-1])
    with np.errstate(invalid="ignore", divide="ignore"):  # nothing seen of an edge: NaN, and no marker
        for _ in range(_ROUNDS):
            total = weights.sum(axis=-1)
            mean_place, mean_value = ((weights * v).sum(axis=-1) / total for v in (places, values))
            from_mean = places - mean_place[..., None]
            slope = (weights * from_mean * values).sum(axis=-1) / (weights * from_mean**2).sum(axis=-1)
            offset = mean_value - slope * mean_place
            strays = (values - offset[..., None] - slope[..., None] * places) / _STRAYING_PX
            weights = is_seen / (1 + strays**2)
    return offset, slope


def _solved(normals: NDArray[np.float64], distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2): the point at these distances (..., 2) along two directions (..., 2, 2)."""
    (ax, ay), (bx, by) = (np.moveaxis(normals[..., side, :], -1, 0) for side in (0, 1))
    a, b = distances[..., 0], distances[..., 1]
    with np.errstate(invalid="ignore", divide="ignore"):  # edges on one line cross nowhere
        return np.asarray(np.stack([a * by - b * ay, b * ax - a * bx], axis=-1) / (ax * by - ay * bx)[..., None])


def _light(gray: NDArray[np.uint8], light: NDArray[np.float64], px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light (256,) by code at pixels (..., 2), mixed of four as distances say; beyond the image as at its border."""
    height, width = gray.shape
    px = np.nan_to_num(px)
    x, y = np.clip(px[..., 0], 0, width - 1.001), np.clip(px[..., 1], 0, height - 1.001)
    column, row = x.astype(np.int64), y.astype(np.int64)
    right, down = x - column, y - row
    above = light[gray[row, column]] * (1 - right) + light[gray[row, column + 1]] * right
    below = light[gray[row + 1, column]] * (1 - right) + light[gray[row + 1, column + 1]] * right
    return np.asarray(above * (1 - down) + below * down)
