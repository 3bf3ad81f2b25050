"""Corners are found where they are painted, for every kind of target and print."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

import cv2

from genlock.calibrate import TargetDetector, UnknownDictionaryError, target_pdf
from genlock.targets import draw_target, parse_target

TARGETS = [
    "charuco:7x5:40mm:30mm:DICT_5X5_250",
    "charuco:6x4:40mm:30mm:DICT_4X4_50:legacy",
    "charuco:7x5:40mm:30mm:DICT_5X5_250:inverted",
    "grid:4x3:60mm:45mm:DICT_APRILTAG_36h11",
    "grid:3x3:60mm:45mm:DICT_4X4_50",
    "chessboard:7x6:40mm",
]


def painted(text: str, square_px: float, scale_to: float = 56.0) -> tuple[np.ndarray, np.ndarray]:
    """A slanted view of the target, and where its corners are, (N, 2)."""
    target = parse_target(text)
    picture = draw_target(target, int(scale_to))
    # From the board in metres to the picture's pixels (its first pixel's corner at -0.5), then to the image.
    to_picture = np.diag([scale_to / target.square_m, scale_to / target.square_m, 1.0])
    to_picture[:2, 2] = -0.5
    s = square_px / scale_to
    slant = np.array([[s * 0.94, s * 0.12, 70], [-s * 0.08, s * 0.96, 60], [6e-5, -4e-5, 1]])
    image = cv2.warpPerspective(
        picture, slant, (720, 560), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT,
        borderValue=0 if target.is_inverted else 255,
    )  # fmt: skip
    corners = np.column_stack([target.corners_board[:, :2], np.ones(target.corner_count)]) @ (slant @ to_picture).T
    return cv2.GaussianBlur(image, (3, 3), 0.7), corners[:, :2] / corners[:, 2:]


@pytest.mark.parametrize("text", TARGETS)
def test_corners_are_found_where_they_are(text: str):
    image, true_px = painted(text, 60)
    found = TargetDetector(parse_target(text)).find(image)
    assert len(found) >= 0.8 * len(true_px)
    errors = np.linalg.norm(found.px - true_px[found.corners], axis=1)
    # 56 px a square are whole pixels a module. A marker's corner, with white on three sides, is pulled inwards by the
    # blur of 0.7 px, where a chessboard's crossing is not.
    assert np.median(errors) < (0.4 if text.startswith("grid") else 0.1)
    assert errors.max() < 0.5


def test_small_markers_are_found_in_the_enlarged_image():
    image, true_px = painted("charuco:7x5:40mm:30mm:DICT_4X4_50", 22)
    found = TargetDetector(parse_target("charuco:7x5:40mm:30mm:DICT_4X4_50")).find(image)
    assert len(found) >= 12
    assert np.median(np.linalg.norm(found.px - true_px[found.corners], axis=1)) < 0.4


def test_nothing_is_found_in_noise():
    noise = np.random.default_rng(0).integers(0, 255, (400, 500)).astype(np.uint8)
    assert len(TargetDetector(parse_target(TARGETS[0])).find(noise)) == 0


def test_a_dictionary_that_is_none_is_refused():
    with pytest.raises(UnknownDictionaryError, match="DICT_5X5_250"):
        TargetDetector(parse_target("charuco:7x5:40mm:30mm:DICT_9X9"))


def test_the_pdf_has_the_targets_size_and_a_ruler(tmp_path: Path):
    target = parse_target("charuco:7x5:30mm:22mm:DICT_5X5_250")
    content = target_pdf(target)
    box = content.split(b"/MediaBox [0 0 ")[1].split(b"]")[0].split()
    assert float(box[0]) / 72 * 25.4 == pytest.approx(7 * 30 + 40, abs=0.01)
    board = content.split(b"q ")[1].split(b" cm")[0].split()
    assert float(board[0]) / 72 * 25.4 == pytest.approx(210, abs=0.01)
    assert content.startswith(b"%PDF-1.4")
    start = int(content.split(b"startxref\n")[1].split()[0])
    assert content[start : start + 4] == b"xref"
