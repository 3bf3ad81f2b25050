"""Where are the cameras? Boards seen by many cameras at once become poses, with what they are worth."""

from genlock.calibrate.bump import Movement, find_movements
from genlock.calibrate.depthcheck import DepthCheck, DepthReadings, check_depth, read_depth
from genlock.calibrate.detect import Detection, TargetDetector, UnknownDictionaryError
from genlock.calibrate.export import EXPORTS, PlacedCamera, export_cameras
from genlock.calibrate.extrinsics import extrinsics_of, on_board
from genlock.calibrate.footage import read_footage
from genlock.calibrate.gray import gray_image, is_dark
from genlock.calibrate.intrinsics import load_intrinsics
from genlock.calibrate.observations import Observations, View, gather
from genlock.calibrate.page import report_html
from genlock.calibrate.printing import draw_target, target_pdf
from genlock.calibrate.report import Bounds, CalibrationReport, CalibrationVerdict, CameraRow, make_report
from genlock.calibrate.score import Score, score
from genlock.calibrate.solve import Rejection, Solved, solve_poses

__all__ = [
    "EXPORTS",
    "Bounds",
    "CalibrationReport",
    "CalibrationVerdict",
    "CameraRow",
    "DepthCheck",
    "DepthReadings",
    "Detection",
    "Movement",
    "Observations",
    "PlacedCamera",
    "Rejection",
    "Score",
    "Solved",
    "TargetDetector",
    "UnknownDictionaryError",
    "View",
    "check_depth",
    "draw_target",
    "export_cameras",
    "extrinsics_of",
    "find_movements",
    "gather",
    "gray_image",
    "is_dark",
    "load_intrinsics",
    "make_report",
    "on_board",
    "read_depth",
    "read_footage",
    "report_html",
    "score",
    "solve_poses",
    "target_pdf",
]
