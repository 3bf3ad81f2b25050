"""Light and texture of the scene, for both kernels that need them: what stands still and what moves.

Compiled code is kept by file: after a change here, touch ``still.py`` and ``moving.py`` too, or they go on with the
old version.
"""

from __future__ import annotations

import math

from numba import njit

__all__ = ["AMBIENT", "LIGHTS", "grain", "hash01", "light_of_lamp"]

# Two lamps below the ceiling (x, y, z, strength), and light from everywhere.
LIGHTS = ((1.6, 1.2, 2.7, 2.4), (-1.8, -1.5, 2.7, 1.7))
AMBIENT = 0.34


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def hash01(a: int, b: int, c: int) -> float:
    """A number in 0 .. 1 for three whole ones."""
    h = (a * 374761393 + b * 668265263 + c * 2147483647 + 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = (h ^ (h >> 16)) & 0xFFFFFF
    return h / 16777216.0


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def grain(u: float, v: float, seed: int) -> float:
    """Smooth noise over a surface, 0 .. 1, with features of one unit."""
    iu, iv = math.floor(u), math.floor(v)
    fu, fv = u - iu, v - iv
    fu, fv = fu * fu * (3 - 2 * fu), fv * fv * (3 - 2 * fv)
    top = hash01(iu, iv, seed) * (1 - fu) + hash01(iu + 1, iv, seed) * fu
    bottom = hash01(iu, iv + 1, seed) * (1 - fu) + hash01(iu + 1, iv + 1, seed) * fu
    return top * (1 - fv) + bottom * fv


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def light_of_lamp(
    lamp: tuple[float, float, float, float], px: float, py: float, pz: float, nx: float, ny: float, nz: float
) -> float:
    """What one lamp gives a surface element at p with normal n, if nothing stands between."""
    dx, dy, dz = lamp[0] - px, lamp[1] - py, lamp[2] - pz
    r2 = dx * dx + dy * dy + dz * dz
    cosine = (nx * dx + ny * dy + nz * dz) / math.sqrt(r2)
    return lamp[3] * cosine / (1.0 + r2) if cosine > 0 else 0.0
