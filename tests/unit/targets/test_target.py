"""Targets say what they are, and mistakes are told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.targets import Target, TargetKind, parse_target


@given(
    kind=st.sampled_from(list(TargetKind)),
    columns=st.integers(2, 20),
    rows=st.integers(2, 20),
    square_mm=st.integers(10, 500),
    is_legacy=st.booleans(),
    is_inverted=st.booleans(),
)
def test_text_and_target_are_the_same(kind, columns, rows, square_mm, is_legacy, is_inverted):
    is_board = kind is TargetKind.CHESSBOARD
    rows += is_board and (columns + rows) % 2 == 0  # a chessboard is uneven
    target = Target(
        kind=kind,
        columns=columns,
        rows=rows,
        square_m=square_mm / 1000,
        marker_m=0.0 if is_board else square_mm / 2000,
        dictionary="" if is_board else "DICT_4X4_50",
        is_legacy=is_legacy,
        is_inverted=is_inverted,
    )
    again = parse_target(str(target))
    assert str(again) == str(target)
    np.testing.assert_allclose(again.corners_board, target.corners_board, rtol=1e-12)


def test_corners_run_along_rows_first_and_a_square_apart():
    corners = parse_target("charuco:4x3:50mm:30mm:DICT_4X4_50").corners_board
    np.testing.assert_allclose(corners[:4, :2], [[0.05, 0.05], [0.10, 0.05], [0.15, 0.05], [0.05, 0.10]])
    assert (corners[:, 2] == 0).all()


def test_a_grids_markers_have_four_corners_each():
    corners = parse_target("grid:2x2:12cm:10cm:DICT_4X4_50").corners_board
    np.testing.assert_allclose(corners[4:8, :2], [[0.12, 0], [0.22, 0], [0.22, 0.1], [0.12, 0.1]])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with one of charuco, grid, chessboard"),
        ("charuco:9x6", "written like charuco:9x6:80mm"),
        ("chessboard:9x6:80mm:60mm:DICT_4X4_50", "written like"),
        ("chessboard:9:80mm", "written like"),
        ("chessboard:9x6:80", "a number and a unit"),
        ("chessboard:8x6:80mm", "an odd and an even number"),
        ("chessboard:1x6:80mm", "2 x 2 squares or more"),
        ("charuco:9x6:80mm:90mm:DICT_4X4_50", "smaller than its square"),
        ("chessboard:9x6:0mm", "between 0 and 10 m"),
    ],
)
def test_what_is_no_target_is_told_what_is_expected(text: str, says: str):
    with pytest.raises(ValueError, match=says):
        parse_target(text)
