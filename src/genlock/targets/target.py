"""Calibration boards as geometry: which corners a target has, by number, and where they lie on it, in metres.

A board's frame has its origin at the outer corner of its first square (top left as printed), x along a row, y down the
columns, z into the board, away from who looks at it, so that it is a camera-like frame. Corner numbers are OpenCV's.
Everything is pure: ``calibrate`` finds targets in images and prints them, the virtual rig waves them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Target", "TargetKind", "parse_length_m", "parse_target"]

_EXAMPLE = "charuco:9x6:80mm:60mm:DICT_5X5_250"


class TargetKind(StrEnum):
    """What is printed."""

    CHARUCO = "charuco"
    """A chessboard with a marker in every white square: any part of it is known for what it is. The best choice."""
    GRID = "grid"
    """Separate ArUco or AprilTag markers in rows and columns: also a floor sheet."""
    CHESSBOARD = "chessboard"
    """Squares alone, as in Microsoft's sample: only a view of all of it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One board."""

    kind: TargetKind
    columns: int
    """Squares in a row, or markers of a grid."""
    rows: int
    square_m: float
    """Side of a square *as measured on the print*; of a grid: from one marker's corner to the next one's."""
    marker_m: float = 0.0
    """Side of a marker's black border; 0 on a chessboard."""
    dictionary: str = ""
    """OpenCV's name: ``DICT_5X5_250``, ``DICT_APRILTAG_36h11``; empty on a chessboard."""
    is_legacy: bool = False
    """Printed before OpenCV 4.6: with an even number of rows the first square is white."""
    is_inverted: bool = False
    """White where it should be black."""

    def __post_init__(self) -> None:
        least = 1 if self.kind is TargetKind.GRID else 2
        if self.columns < least or self.rows < least:
            raise ValueError(
                f"a target has {least} x {least} squares or more; this one has {self.columns} x {self.rows}"
            )
        if self.kind is TargetKind.CHESSBOARD and (self.columns + self.rows) % 2 == 0:
            raise ValueError(
                f"a chessboard needs an odd and an even number of squares, else it looks the same turned round; this "
                f"one has {self.columns} x {self.rows}"
            )
        if not 0 < self.square_m < 10:
            raise ValueError(f"a square measures between 0 and 10 m; this one {self.square_m} m")
        if self.kind is not TargetKind.CHESSBOARD and not 0 < self.marker_m < self.square_m:
            raise ValueError(
                f"a marker is smaller than its square of {1000 * self.square_m:g} mm; "
                f"this one has {1000 * self.marker_m:g} mm"
            )

    @property
    def corner_count(self) -> int:
        """How many corners it has."""
        return len(self.corners_board)

    @property
    def corners_board(self) -> NDArray[np.float64]:
        """(N, 3), metres, z = 0, by corner number."""
        if self.kind is TargetKind.GRID:
            row, column = np.mgrid[: self.rows, : self.columns]
            first = np.stack([column.ravel(), row.ravel()], axis=1) * self.square_m
            around = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * self.marker_m
            flat = (first[:, None, :] + around).reshape(-1, 2)
        else:
            row, column = np.mgrid[1 : self.rows, 1 : self.columns]
            flat = np.stack([column.ravel(), row.ravel()], axis=1) * self.square_m
        return np.column_stack([flat, np.zeros(len(flat))])

    @property
    def marker_count(self) -> int:
        """How many markers it has: the first ones of its dictionary."""
        cells = self.columns * self.rows
        # A board that begins with a white square, as legacy prints with an even number of rows do, has as many or one
        # more of them.
        return {TargetKind.CHESSBOARD: 0, TargetKind.GRID: cells, TargetKind.CHARUCO: (cells + 1) // 2}[self.kind]

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height of what is printed, without a margin."""
        if self.kind is TargetKind.GRID:
            gap_m = self.square_m - self.marker_m
            return self.columns * self.square_m - gap_m, self.rows * self.square_m - gap_m
        return self.columns * self.square_m, self.rows * self.square_m

    def rescaled(self, square_m: float) -> Target:
        """The same print with its square measured again; markers grow along."""
        return replace(self, square_m=square_m, marker_m=self.marker_m * square_m / self.square_m)

    def __str__(self) -> str:
        parts = [self.kind.value, f"{self.columns}x{self.rows}", f"{1000 * self.square_m:g}mm"]
        if self.kind is not TargetKind.CHESSBOARD:
            parts += [f"{1000 * self.marker_m:g}mm", self.dictionary]
        parts += ["legacy"] * self.is_legacy + ["inverted"] * self.is_inverted
        return ":".join(parts)


def parse_target(text: str) -> Target:
    """The target that a line of text describes; the inverse of ``str``.

    ``KIND:COLUMNSxROWS:SQUARE[:MARKER:DICTIONARY][:legacy][:inverted]``, lengths with their unit (mm, cm, m, in).
    A chessboard counts squares, not inner corners.

    >>> parse_target("charuco:9x6:80mm:60mm:DICT_5X5_250").corner_count
    40
    >>> str(parse_target("grid:4x3:12cm:0.1m:DICT_APRILTAG_36h11:inverted"))
    'grid:4x3:120mm:100mm:DICT_APRILTAG_36h11:inverted'

    Raises:
        ValueError: it describes none; says what was expected.
    """
    parts = text.split(":")
    flags = set()
    while len(parts) > 3 and parts[-1] in ("legacy", "inverted"):
        flags.add(parts.pop())
    try:
        kind = TargetKind(parts[0])
    except ValueError:
        kinds = ", ".join(TargetKind)
        raise ValueError(f"a target begins with one of {kinds}, as in {_EXAMPLE}; found {parts[0]!r}") from None
    wanted = 3 if kind is TargetKind.CHESSBOARD else 5
    size = re.fullmatch(r"(\d+)x(\d+)", parts[1]) if len(parts) == wanted else None
    if size is None:
        raise ValueError(f"a {kind} target is written like {_EXAMPLE}; found {text!r}")
    return Target(
        kind=kind,
        columns=int(size[1]),
        rows=int(size[2]),
        square_m=parse_length_m(parts[2]),
        marker_m=parse_length_m(parts[3]) if wanted == 5 else 0.0,
        dictionary=parts[4] if wanted == 5 else "",
        is_legacy="legacy" in flags,
        is_inverted="inverted" in flags,
    )


def parse_length_m(text: str) -> float:
    """Metres of ``80mm``, ``8cm``, ``0.08m`` or ``3.15in``; raises ``ValueError`` for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(mm|cm|m|in)", text)
    if match is None:
        raise ValueError(f"a length has a number and a unit (mm, cm, m, in), as in 80mm; found {text!r}")
    return float(match[1]) * {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254}[match[2]]
