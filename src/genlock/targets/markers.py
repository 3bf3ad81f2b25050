"""The black and white modules of ArUco and AprilTag markers.

The table beside this file holds those of OpenCV's predefined dictionaries, which are what printed boards bear: for each
dictionary a row of bits for each marker, 1 white, row by row from the top left, without the black border.
"""

from __future__ import annotations

import math
import re
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

__all__ = ["UnknownDictionaryError", "marker_modules"]

_TABLE = "markers.npz"
_LENGTHS = {"50", "100", "250"}
"""What ``DICT_5X5_250`` ends with beside 1000; the shorter dictionaries are the beginnings of the longest."""


class UnknownDictionaryError(ValueError):
    """There is no such dictionary of markers, or no such marker in it."""


def marker_modules(dictionary: str, count: int) -> NDArray[np.bool_]:
    """(count, side, side): where the first markers of a dictionary are white; without their black borders.

    Args:
        dictionary: by OpenCV's name, ``DICT_5X5_250`` or ``DICT_APRILTAG_36h11``.
        count: how many.

    Raises:
        UnknownDictionaryError: there is no such dictionary, or it has fewer markers.
    """
    packed = _packed(dictionary)
    if count > len(packed):
        raise UnknownDictionaryError(f"{dictionary} has {len(packed)} markers; {count} are wanted")
    side = math.isqrt(8 * packed.shape[1])  # 16 of 2 bytes' bits, 25 of 4 bytes', 36 of 5, 49 of 7
    return np.unpackbits(packed[:count], axis=1, count=side * side).reshape(count, side, side).astype(bool)


def _packed(dictionary: str) -> NDArray[np.uint8]:
    table = _table()
    # OpenCV has AprilTag's and MIP's families twice, as 36h11 and as 36H11.
    name = re.sub(r"(?<=\d)H(?=\d)", "h", dictionary)
    if name in table:
        return table[name]
    family, _, length = name.rpartition("_")
    if length in _LENGTHS and f"{family}_1000" in table:
        return table[f"{family}_1000"][: int(length)]
    known = ", ".join(sorted(table))
    raise UnknownDictionaryError(
        f"no dictionary {dictionary!r}; there are {known}, and those that end with 1000 also with 50, 100 and 250"
    )


@cache
def _table() -> dict[str, NDArray[np.uint8]]:
    """(markers, bytes) by the dictionary's name."""
    with as_file(files("genlock.targets") / _TABLE) as path, np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
