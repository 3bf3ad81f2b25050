"""Pictures of targets are those that OpenCV draws, and lie where the target's corners are."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from genlock.targets import Target, UnknownDictionaryError, draw_target, parse_target

# Targets with the pixels of a square that give each module whole pixels.
WHOLE = [
    ("charuco:9x6:80mm:60mm:DICT_5X5_250", 112),
    ("charuco:8x11:50mm:40mm:DICT_6X6_250", 80),
    ("charuco:6x4:40mm:30mm:DICT_4X4_50", 64),
    ("charuco:6x4:40mm:30mm:DICT_4X4_50:legacy", 64),
    ("charuco:6x5:40mm:30mm:DICT_4X4_50:legacy", 64),
    ("charuco:7x5:40mm:30mm:DICT_5X5_250:inverted", 112),
    ("charuco:5x6:60mm:54mm:DICT_7X7_1000", 60),
    ("grid:4x3:100mm:80mm:DICT_APRILTAG_36h11", 100),
    ("grid:3x4:80mm:60mm:DICT_4X4_50:inverted", 64),
    ("grid:1x1:50mm:35mm:DICT_ARUCO_ORIGINAL", 100),
]
BROKEN = [
    ("charuco:9x6:80mm:60mm:DICT_5X5_250", 33),
    ("charuco:6x4:40mm:29mm:DICT_4X4_50:legacy", 50),
    ("grid:5x4:60mm:45mm:DICT_7X7_1000", 47),
]


def drawn_by_opencv(target: Target, shape: tuple[int, int]) -> np.ndarray:
    pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)
    from genlock.calibrate.detect import make_board

    image = np.where(make_board(target).generateImage(shape[::-1], marginSize=0, borderBits=1) > 127, 255, 0)
    return 255 - image if target.is_inverted else image


@pytest.mark.parametrize(("text", "square_px"), WHOLE)
def test_a_target_of_whole_modules_is_opencvs_to_the_pixel(text: str, square_px: int):
    target = parse_target(text)
    picture = draw_target(target, square_px)
    np.testing.assert_array_equal(picture, drawn_by_opencv(target, picture.shape))


@pytest.mark.parametrize(("text", "square_px"), BROKEN)
def test_where_modules_end_inside_pixels_only_those_pixels_differ(text: str, square_px: int):
    target = parse_target(text)
    picture = draw_target(target, square_px)
    around = sliding_window_view(np.pad(picture, 1, mode="edge"), (3, 3))
    is_inside = (around == picture[:, :, None, None]).all(axis=(2, 3))
    assert is_inside.mean() > 0.3
    np.testing.assert_array_equal(picture[is_inside], drawn_by_opencv(target, picture.shape)[is_inside])


@pytest.mark.parametrize("text", ["charuco:9x6:80mm:60mm:DICT_5X5_250", "chessboard:9x6:80mm"])
def test_black_and_white_squares_meet_at_every_corner(text: str):
    target = parse_target(text)
    margin_m, square_px = 0.02, 56
    picture = draw_target(target, square_px, margin_m)
    u, v = np.rint((target.corners_board[:, :2] + margin_m) / target.square_m * square_px).astype(int).T
    above_left, above_right = picture[v - 1, u - 1], picture[v - 1, u]
    assert (above_left != above_right).all()
    assert (above_left == picture[v, u]).all()
    assert (above_right == picture[v, u - 1]).all()


@pytest.mark.parametrize(("text", "margin"), [("chessboard:9x6:80mm", 255), ("chessboard:9x6:80mm:inverted", 0)])
def test_a_chessboard_begins_with_a_square_unlike_its_margin(text: str, margin: int):
    picture = draw_target(parse_target(text), 4, 0.02)
    assert picture.shape == (6 * 4 + 2, 9 * 4 + 2)
    edges = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    assert all((edge == margin).all() for edge in edges)
    assert (picture[1:5, 1:5] == 255 - margin).all()


def test_a_picture_of_any_width_shows_the_whole_target():
    """A grid ends with a marker, here within a pixel: the picture is fitted to it, not cut."""
    target = parse_target("grid:3x2:61mm:45mm:DICT_4X4_50")
    picture = draw_target(target, 50)
    assert picture.shape == (round(106 / 61 * 50), round(167 / 61 * 50))
    assert (picture[:3, -3:] == 0).all()
    assert (picture[-3:, :3] == 0).all()


def test_edges_between_pixels_are_where_they_belong():
    """A pixel is as gray as it is covered: along a row of black borders sums are lengths, moments are places."""
    target = parse_target("grid:4x3:150mm:119mm:DICT_4X4_50")
    blackness = 1 - draw_target(target, 31)[1] / 255
    pixel_m = target.size_m[0] / len(blackness)
    at_m = (np.arange(len(blackness)) + 0.5) * pixel_m
    for marker in range(target.columns):
        middle_m = marker * target.square_m + target.marker_m / 2
        around = blackness * (np.abs(at_m - middle_m) < target.square_m / 2)
        # Gray is rounded to 1 / 255: two edges are off by a hundredth of a pixel at most.
        assert around.sum() * pixel_m == pytest.approx(target.marker_m, abs=0.01 * pixel_m)
        assert (around @ at_m) / around.sum() == pytest.approx(middle_m, abs=0.01 * pixel_m)


def test_more_markers_than_there_are_cannot_be_drawn():
    with pytest.raises(UnknownDictionaryError, match="has 50 markers; 100 are wanted"):
        draw_target(parse_target("grid:10x10:60mm:45mm:DICT_4X4_50"), 20)
