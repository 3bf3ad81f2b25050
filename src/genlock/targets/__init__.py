"""Calibration boards: their corners, their markers, their pictures."""

from genlock.targets.drawing import TargetCells, draw_target, target_cells
from genlock.targets.markers import UnknownDictionaryError, marker_modules
from genlock.targets.target import Target, TargetKind, parse_length_m, parse_target

__all__ = [
    "Target",
    "TargetCells",
    "TargetKind",
    "UnknownDictionaryError",
    "draw_target",
    "marker_modules",
    "parse_length_m",
    "parse_target",
    "target_cells",
]
