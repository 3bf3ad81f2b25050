"""Corners are found where they are painted, for every kind of target and print."""

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
    "grid:3x3:60mm:45mm:DICT_4X4_50:inverted",
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
    light, true_px = painted(text, 60)
    image = np.rint(255 * (light / 255) ** (1 / 2.2)).astype(np.uint8)  # a lens blurs light; codes follow a curve
    found = TargetDetector(parse_target(text)).find(image)
    assert len(found) >= 0.8 * len(true_px)
    errors = np.linalg.norm(found.px - true_px[found.corners], axis=1)
    assert np.median(errors) < 0.1
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


@pytest.mark.parametrize("text", ["charuco:7x5:30mm:22mm:DICT_5X5_250", "grid:3x2:500mm:371.3mm:DICT_APRILTAG_36h11"])
def test_the_pdf_has_a_ruler_and_every_edge_where_it_belongs(text: str):
    target = parse_target(text)
    content = target_pdf(target)
    mm_per_point = 25.4 / 72
    box = np.array(content.split(b"/MediaBox [0 0 ")[1].split(b"]")[0].split(), float) * mm_per_point
    width_mm, height_mm = (1000 * side for side in target.size_m)
    assert box == pytest.approx([width_mm + 40, height_mm + 60], abs=0.01)
    lines = content.split(b"stream\n")[1].split(b"\nf\n")[0].splitlines()
    x, y, width, height = np.array([line.split()[:4] for line in lines], float).T * mm_per_point
    # From the board's first corner on; a margin of 20 mm, y up on paper.
    left, right, top = x - 20, x - 20 + width, height_mm + 40 - (y + height)
    assert (left.min(), right.max(), top.min()) == pytest.approx((0, width_mm, 0), abs=0.001)
    if text.startswith("grid"):
        for corner in 1000 * target.corners_board[::4, :2]:
            is_first = (np.abs(left - corner[0]) < 0.001) & (np.abs(top - corner[1]) < 0.001)
            assert width[is_first] == pytest.approx([371.3], abs=0.001)  # a marker's black border, in one piece
    start = int(content.split(b"startxref\n")[1].split()[0])
    assert content[start : start + 4] == b"xref"


def printed(content: bytes, px_per_mm: float) -> np.ndarray:
    """The page as a printer fills it: rectangles, by the two rules of PDF."""
    box = np.array(content.split(b"/MediaBox [0 0 ")[1].split(b"]")[0].split(), float)
    px_per_point = px_per_mm * 25.4 / 72
    page = np.full(np.rint(box[::-1] * px_per_point).astype(int), 255, np.uint8)
    layers = np.zeros(page.shape, np.int32)
    for line in content.split(b"stream\n")[1].split(b"\nendstream")[0].splitlines():
        if line.endswith(b" re"):
            x, y, width, height = np.array(line.split()[:4], float)
            left, right, top, bottom = np.rint(
                np.array([x, x + width, box[1] - y - height, box[1] - y]) * px_per_point
            ).astype(int)
            layers[top:bottom, left:right] += 1
        elif line in (b"f", b"f*"):
            page[(layers > 0) if line == b"f" else (layers % 2 == 1)] = 0
            layers[:] = 0
    return page


@pytest.mark.parametrize(
    "text", [*TARGETS, "chessboard:7x6:40mm:inverted", "charuco:6x4:40mm:30mm:DICT_4X4_50:legacy:inverted"]
)
def test_the_print_is_found_whole_and_in_its_true_size(text: str):
    """White markers of a grid too: the paper around them is printed black, or they would run into it."""
    target = parse_target(text)
    found = TargetDetector(target).find(printed(target_pdf(target), px_per_mm=4))
    assert len(found) == target.corner_count
    true_px = (1000 * target.corners_board[:, :2] + 20) * 4 - 0.5  # a margin of 20 mm
    assert np.abs(found.px - true_px[found.corners]).max() < 0.6
