"""Random numbers by name and place instead of by order.

Number ``n`` of stream ``key`` is a hash of the two: whoever asks, whenever, in whatever thread, gets the same. That is
what makes a simulated take repeatable although a thread per device draws from it. The hash is splitmix64.
"""

from __future__ import annotations

import math
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

__all__ = ["normal", "normals", "stream_key", "uniform", "uniforms"]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def stream_key(seed: int, *names: str) -> int:
    """The key of one stream of random numbers: a seed, a serial, what the numbers are for."""
    return int.from_bytes(blake2b("\0".join([str(seed), *names]).encode(), digest_size=8).digest(), "little")


def uniform(key: int, index: int, low: float = 0.0, high: float = 1.0) -> float:
    """Number ``index`` of the stream, even between ``low`` and ``high``."""
    z = (key + (index + 1) * _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    return low + (high - low) * ((z ^ (z >> 31)) >> 11) * 2.0**-53


def normal(key: int, index: int) -> float:
    """Number ``index`` of the stream, normal with mean 0 and standard deviation 1."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(key, 2 * index)))
    return radius * math.cos(2.0 * math.pi * uniform(key, 2 * index + 1))


def uniforms(key: int, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """What ``uniform`` gives for each index, in the shape of ``indices``."""
    with np.errstate(over="ignore"):
        z = np.uint64(key) + (indices.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
        mixed = (z ^ (z >> np.uint64(31))) >> np.uint64(11)
    return np.asarray(mixed.astype(np.float64) * 2.0**-53)


def normals(key: int, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """What ``normal`` gives for each index, in the shape of ``indices``."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniforms(key, 2 * indices)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniforms(key, 2 * indices + 1)))
