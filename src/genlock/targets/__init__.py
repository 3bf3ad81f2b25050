"""Calibration boards: their corners, their markers, their pictures."""

from genlock.targets.drawing import draw_target
from genlock.targets.markers import UnknownDictionaryError, marker_modules
from genlock.targets.target import Target, TargetKind, parse_length_m, parse_target

__all__ = [
    "Target",
    "TargetKind",
    "UnknownDictionaryError",
    "draw_target",
    "marker_modules",
    "parse_length_m",
    "parse_target",
]
