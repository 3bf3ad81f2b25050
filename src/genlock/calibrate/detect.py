"""Corners of a target in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.edges import inward_of, sharpened
from genlock.calibrate.opencv import load_opencv
from genlock.targets import Target, TargetKind, UnknownDictionaryError

__all__ = ["Detection", "TargetDetector", "UnknownDictionaryError", "make_board"]

GrayImage = NDArray[np.uint8]  # (H, W)

_FEW_CORNERS = 6
_LARGEST_UPSCALED_PX = {TargetKind.CHARUCO: 2600, TargetKind.GRID: 2600, TargetKind.CHESSBOARD: 700}
"""Wider images are not enlarged: a marker that is too small in 2160P is too far away. Squares are larger than markers'
modules, and looking for them takes long: only a binned IR image is enlarged for them."""

_WIDEST_REACH_PX = 10
"""From a chessboard's crossing to where its window ends, at most."""
_CROSSING_STEPS = (3, 50, 1e-3)
"""OpenCV's: until 50 steps are made or one is shorter than this, px."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """What was found in one image."""

    corners: NDArray[np.int64]
    """(N,) corner numbers, rising."""
    px: NDArray[np.float64]
    """(N, 2)."""
    inward: NDArray[np.float64] | None = None
    """(N, 2): where a corner goes when its marker's edges all move inwards by one pixel; ``None`` where squares meet,
    and nothing moves."""

    def __len__(self) -> int:
        return len(self.corners)


_NOTHING = Detection(np.empty(0, np.int64), np.empty((0, 2)))


class TargetDetector:
    """Finds one target; not to be shared between threads."""

    def __init__(self, target: Target, first_marker: int = 0) -> None:
        """Of a target whose first marker has this number.

        Raises:
            UnknownDictionaryError: OpenCV has no such dictionary, or no such markers in it.
            BackendUnavailableError: OpenCV is not there.
        """
        self._cv2 = load_opencv()
        self.target = target
        self._board = make_board(target, first_marker)
        quick, loose = self._cv2.aruco.DetectorParameters(), self._cv2.aruco.DetectorParameters()
        # For markers that are small, tilted or in the shade; what is found wrongly falls to the geometry later.
        loose.adaptiveThreshWinSizeMax = 43
        loose.minMarkerPerimeterRate = 0.01
        self._quick, self._loose = self._detector(quick), self._detector(loose)

    def _detector(self, parameters: Any) -> Any:  # Any: OpenCV's
        match self.target.kind:
            case TargetKind.CHARUCO:
                charuco = self._cv2.aruco.CharucoParameters()
                return self._cv2.aruco.CharucoDetector(self._board, charuco, parameters)
            case TargetKind.GRID:
                return self._cv2.aruco.ArucoDetector(self._board.getDictionary(), parameters)
            case _:
                return None

    def find(self, gray: GrayImage) -> Detection:
        """The corners in one image; enlarged twofold where few are found, since small ones then are."""
        found = self._find(gray, self._quick)
        if len(found) < _FEW_CORNERS and gray.shape[1] <= _LARGEST_UPSCALED_PX[self.target.kind]:
            enlarged = self._cv2.resize(gray, None, fx=2, fy=2, interpolation=self._cv2.INTER_CUBIC)
            again = self._find(enlarged, self._loose)
            if len(again) > len(found):
                # Pixel centres at integers: the middle of pixel 0 lies at 0.5 in the enlarged image.
                found = Detection(again.corners, (again.px - 0.5) / 2)
        return self._sharpened(gray, found) if self.target.kind is TargetKind.GRID and len(found) else found

    def _find(self, gray: GrayImage, detector: Any) -> Detection:  # Any: OpenCV's
        image = 255 - gray if self.target.is_inverted else gray
        match self.target.kind:
            case TargetKind.CHARUCO:
                px, corners, _, _ = detector.detectBoard(image)
                return _detection(corners, px)
            case TargetKind.GRID:
                px, markers, _ = detector.detectMarkers(image)
                return self._grid(markers, px)
            case _:
                size = (self.target.columns - 1, self.target.rows - 1)
                # Finding that there is none takes 130 ms at 720P; this look takes 5, and misses 1 view in 25.
                if image.shape[1] > _LARGEST_UPSCALED_PX[self.target.kind] and not self._cv2.checkChessboard(
                    image, size
                ):
                    return _NOTHING
                is_found, px = self._cv2.findChessboardCornersSB(image, size, None)
                return _upright(self._crossings(image, px), size[0], image) if is_found else _NOTHING

    def _crossings(self, image: GrayImage, px: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, 2): where a chessboard's edges cross, near where the finder says.

        The finder's corners of one view lie up to 0.2 px beside the crossings, all to the same side, the more the
        flatter the board is seen: no sigma knows of that, and poses came out several sigmas off.
        """
        rows = np.asarray(px, dtype=np.float32).reshape(self.target.rows - 1, self.target.columns - 1, 2)
        sides_px = [np.linalg.norm(np.diff(rows, axis=axis), axis=2).ravel() for axis in (0, 1)]
        # Half a square reaches no other crossing; in a wider window the lens bends the edges.
        reach_px = int(np.clip(np.concatenate(sides_px).min() / 2, 1, _WIDEST_REACH_PX))
        refined = self._cv2.cornerSubPix(
            image, rows.reshape(-1, 1, 2).copy(), (reach_px, reach_px), (-1, -1), _CROSSING_STEPS
        )
        return np.asarray(refined, dtype=np.float64).reshape(-1, 2)

    def _grid(self, markers: NDArray[np.int32] | None, px: Any) -> Detection:  # Any: a tuple of arrays
        if markers is None or not len(markers):
            return _NOTHING
        numbers = np.asarray(markers).reshape(-1).astype(np.int64)
        known = numbers < self.target.columns * self.target.rows
        corners = (numbers[known, None] * 4 + np.arange(4)).reshape(-1)
        return _detection(corners, np.asarray(px).reshape(-1, 4, 2)[known])

    def _sharpened(self, gray: GrayImage, found: Detection) -> Detection:
        """A grid's markers with their corners where their edges cross; those without edges are none."""
        modules = self._board.getDictionary().markerSize + 2
        quads, is_marker = sharpened(gray, found.px.reshape(-1, 4, 2), modules, self.target.is_inverted)
        corners = found.corners.reshape(-1, 4)[is_marker].ravel()
        return Detection(corners, quads[is_marker].reshape(-1, 2), inward_of(quads[is_marker]).reshape(-1, 2))


def _upright(px: NDArray[np.float64], row_length: int, gray: GrayImage) -> Detection:
    """A chessboard's corners from its black corner square on: OpenCV may begin at the white one across."""

    def brightness(corner: NDArray[np.float64], inwards: NDArray[np.float64]) -> int:
        x, y = np.rint(corner - inwards / 2).astype(int)
        return int(gray[np.clip(y, 0, gray.shape[0] - 1), np.clip(x, 0, gray.shape[1] - 1)])

    inwards_first = (px[1] - px[0]) + (px[row_length] - px[0])
    inwards_last = (px[-2] - px[-1]) + (px[-1 - row_length] - px[-1])
    if brightness(px[0], inwards_first) > brightness(px[-1], inwards_last):
        px = px[::-1]
    return Detection(np.arange(len(px), dtype=np.int64), px)


def make_board(target: Target, first_marker: int = 0) -> Any:  # Any: an OpenCV board, or None for a chessboard
    """OpenCV's own idea of the target, whose markers are those of its dictionary from the first on."""
    cv2 = load_opencv()
    if target.kind is TargetKind.CHESSBOARD:
        return None
    if not target.dictionary.startswith("DICT_") or not hasattr(cv2.aruco, target.dictionary):
        known = ", ".join(sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_")))
        raise UnknownDictionaryError(f"no dictionary {target.dictionary!r}; OpenCV has {known}")
    whole = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, target.dictionary))
    # Only the markers that the board has: each candidate is compared with all of them, and none is taken for another.
    last_marker = first_marker + target.marker_count
    if last_marker > len(whole.bytesList):
        raise UnknownDictionaryError(
            f"{target.dictionary} has {len(whole.bytesList)} markers, 0 to {len(whole.bytesList) - 1}; "
            f"marker {last_marker - 1} is wanted"
        )
    dictionary = cv2.aruco.Dictionary(whole.bytesList[first_marker:last_marker], whole.markerSize)
    dictionary.maxCorrectionBits = whole.maxCorrectionBits
    size = (target.columns, target.rows)
    if target.kind is TargetKind.GRID:
        return cv2.aruco.GridBoard(size, target.marker_m, target.square_m - target.marker_m, dictionary)
    board = cv2.aruco.CharucoBoard(size, target.square_m, target.marker_m, dictionary)
    board.setLegacyPattern(target.is_legacy)
    return board


def _detection(corners: NDArray[np.int32] | NDArray[np.int64] | None, px: NDArray[np.float32] | None) -> Detection:
    if corners is None or px is None or not len(corners):
        return _NOTHING
    # OpenCV 4 and 5 give other shapes for the same answer: (N, 1), (N, 1, 2) or flat.
    numbers = np.asarray(corners).reshape(-1).astype(np.int64)
    order = np.argsort(numbers)
    return Detection(numbers[order], np.asarray(px, dtype=np.float64).reshape(-1, 2)[order])
