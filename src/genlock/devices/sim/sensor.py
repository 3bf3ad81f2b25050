"""Compiled: what a time-of-flight sensor makes of exact depth: noise, systematic error, range, edges, and IR counts.

Published bounds that the model keeps: random error up to 17 mm (one standard deviation), systematic error below 11 mm
plus 0.1 % of the distance, the range of each mode (Microsoft's hardware specifications; confirmed by Tölgyessy et al.,
Sensors 2021, 21(2):413).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from genlock.devices.sim.shading import hash01

__all__ = [
    "MAX_NOISE_SIGMAS",
    "NOISE_TABLE_SIZE",
    "add_overlaps",
    "disturb_depth",
    "measure_depth",
    "noise_sigma_mm",
]

NOISE_TABLE_SIZE = 1 << 18

MAX_NOISE_SIGMAS = 3.0
"""Noise beyond this is cut off, so that a test can rely on it."""

_MAX_SIGMA_MM = np.float32(17.0)
_LEAST_SIGNAL = np.float32(30.0)
_EDGE_RATIO = np.float32(0.06)
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_WIGGLE_PERIOD_M = 1.5


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def noise_sigma_mm(z_m: np.float32) -> np.float32:
    """Standard deviation of one depth value at this distance."""
    return min(np.float32(0.8) + np.float32(0.95) * z_m * z_m, _MAX_SIGMA_MM)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def measure_depth(
    z_m: NDArray[np.float32],
    reflection: NDArray[np.float32],
    lit: NDArray[np.float32],
    noise: NDArray[np.float32],
    key: int,
    range_m: NDArray[np.float32],
    errors_mm: NDArray[np.float32],
    counts: NDArray[np.float32],
    depth: NDArray[np.uint16],
    ir: NDArray[np.uint16],
) -> None:
    """Fills the depth and the IR image.

    Args:
        z_m: (H, W) exact depth, 0 where there is no ray.
        reflection: (H, W) part of the light that is thrown back.
        lit: (H, W) the laser's strength along each ray, 0 outside its field.
        noise: (NOISE_TABLE_SIZE,) standard normal numbers.
        key: of this image; chooses where in the table each row reads.
        range_m: (2,) nearest and farthest distance of the mode.
        errors_mm: (2,) a constant error, and the amplitude of one that goes up and down with distance.
        counts: (2,) IR counts of a white wall 1 m away in the laser's light, and in the room's.
        depth: out (H, W) mm, 0 = none.
        ir: out (H, W).
    """
    height, width = z_m.shape
    for v in range(height):
        start = int(hash01(key & 0x7FFFFFFF, key >> 31, v) * (NOISE_TABLE_SIZE - 2 * width))
        below = min(v + 1, height - 1)
        for u in range(width):
            z = z_m[v, u]
            safe_z = max(z, np.float32(0.05))
            signal = reflection[v, u] * lit[v, u] * counts[0] / (safe_z * safe_z)
            light = signal + reflection[v, u] * counts[1]
            light += noise[start + width + u] * (np.float32(2.0) + math.sqrt(light))
            ir[v, u] = np.uint16(min(max(light, _ZERO), np.float32(65535.0))) if z > _ZERO else np.uint16(0)
            # Light from two distances in one pixel: the sensor rejects it.
            right = z_m[v, min(u + 1, width - 1)]
            edge = max(abs(right - z), abs(z_m[below, u] - z)) > _EDGE_RATIO * z
            phase = z / np.float32(_WIGGLE_PERIOD_M)
            wiggle = np.float32(4.0) * abs(phase - np.floor(phase) - _HALF) - _ONE
            sigmas = min(max(noise[start + u], np.float32(-MAX_NOISE_SIGMAS)), np.float32(MAX_NOISE_SIGMAS))
            value = np.float32(1000.0) * z + errors_mm[0] + errors_mm[1] * wiggle + sigmas * noise_sigma_mm(z)
            is_seen = (z >= range_m[0]) & (z <= range_m[1]) & (signal >= _LEAST_SIGNAL) & (not edge)
            depth[v, u] = np.uint16(value + _HALF) if is_seen else np.uint16(0)


_LASER_REACH_M = 6.0

# For each of its nine pulses that is spoiled, a pixel is noisier by this, and so much more likely to be rejected.
# unverified on hardware: no published figures; users see holes and flicker (SDK issues #1654, #1713)
_SPOILED_NOISE_MM = np.float32(9.0)
_SPOILED_REJECTION_RATIO = np.float32(0.09)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def add_overlaps(
    rays: NDArray[np.float32],
    z_m: NDArray[np.float32],
    R: NDArray[np.float64],
    o: NDArray[np.float64],
    field: NDArray[np.float64],
    pulses: float,
    overlaps: NDArray[np.float32],
) -> None:
    """Adds the spoiled pulses of every pixel whose point lies in another device's laser field.

    Args:
        rays: (2, H, W) of this depth camera.
        z_m: (H, W) its exact depth, 0 where there is no ray.
        R: (3, 3) rotation of T_other_self.
        o: (3,) translation of T_other_self.
        field: (2,) tangents of half the other mode's field of view.
        pulses: how many pulses overlap in time.
        overlaps: in and out (H, W).
    """
    for v in range(z_m.shape[0]):
        for u in range(z_m.shape[1]):
            z = z_m[v, u]
            x, y = rays[0, v, u] * z, rays[1, v, u] * z
            there_z = R[2, 0] * x + R[2, 1] * y + R[2, 2] * z + o[2]
            there_x = abs(R[0, 0] * x + R[0, 1] * y + R[0, 2] * z + o[0])
            there_y = abs(R[1, 0] * x + R[1, 1] * y + R[1, 2] * z + o[1])
            is_lit = (there_x < field[0] * there_z) & (there_y < field[1] * there_z) & (there_z < _LASER_REACH_M)
            if z > 0 and is_lit:
                overlaps[v, u] += pulses


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def disturb_depth(
    depth: NDArray[np.uint16], overlaps: NDArray[np.float32], noise: NDArray[np.float32], key: int
) -> None:
    """Makes depth worse where another laser shone in.

    Args:
        depth: in and out (H, W) mm, 0 = none.
        overlaps: (H, W) spoiled pulses.
        noise: (NOISE_TABLE_SIZE,) standard normal numbers.
        key: of this image.
    """
    for v in range(depth.shape[0]):
        start = int(hash01(key & 0x7FFFFFFF, key >> 31, v) * (NOISE_TABLE_SIZE - depth.shape[1]))
        for u in range(depth.shape[1]):
            spoiled = min(overlaps[v, u], np.float32(9.0))
            if spoiled == _ZERO or depth[v, u] == 0:
                continue
            value = float(depth[v, u]) + noise[start + u] * spoiled * _SPOILED_NOISE_MM
            is_rejected = hash01(key & 0x7FFFFFFF, v, u) < spoiled * _SPOILED_REJECTION_RATIO or value < 1
            depth[v, u] = 0 if is_rejected else int(min(value, 65535.0))
