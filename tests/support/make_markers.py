"""Writes the package's table of markers from OpenCV's dictionaries: ``python tests/support/make_markers.py``.

Run again when OpenCV has a new dictionary. ``tests/unit/targets/test_markers.py`` compares all markers, one by one.
"""

from pathlib import Path

import cv2
import numpy as np

TABLE = Path(__file__).parents[2] / "src" / "genlock" / "targets" / "markers.npz"


def opencv_dictionaries() -> dict[str, np.ndarray]:
    """By OpenCV's names, whether a white module is at (marker, row, column)."""
    names = sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_"))
    found = {}
    for name in names:
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))
        side = dictionary.markerSize
        rows = [dictionary.bytesList[number : number + 1] for number in range(len(dictionary.bytesList))]
        found[name] = np.stack([cv2.aruco.Dictionary.getBitsFromByteList(row, side) for row in rows]).astype(bool)
    return found


def is_spelled_otherwise_or_shorter(name: str) -> bool:
    """Whether another name has the same markers and more: 36H11 is 36h11, and DICT_5X5_250 begins DICT_5X5_1000."""
    return name.endswith(("_50", "_100", "_250")) or "H" in name.removeprefix("DICT_").rsplit("_", 1)[-1]


if __name__ == "__main__":
    whole = {name: bits for name, bits in opencv_dictionaries().items() if not is_spelled_otherwise_or_shorter(name)}
    packed = {name: np.packbits(bits.reshape(len(bits), -1), axis=1) for name, bits in whole.items()}
    np.savez_compressed(TABLE, **packed)
    print(f"{TABLE}: {sum(map(len, packed.values()))} markers of {len(packed)} dictionaries")
