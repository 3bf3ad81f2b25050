"""Where are the cameras? Boards seen by many cameras at once become poses, with what they are worth."""

from genlock.calibrate.bump import Movement, find_movements
from genlock.calibrate.bundle import lenses_of
from genlock.calibrate.coverage import CameraCoverage, Coverage, Guidance
from genlock.calibrate.depthalign import DepthAlignment, align_depth, surface_points
from genlock.calibrate.depthcheck import DepthCheck, DepthReadings, check_depth, read_depth
from genlock.calibrate.detect import Detection, TargetDetector, UnknownDictionaryError
from genlock.calibrate.export import EXPORTS, PlacedCamera, export_cameras, lenses_toml
from genlock.calibrate.extrinsics import extrinsics_of
from genlock.calibrate.footage import Footage, find_footage
from genlock.calibrate.gravity import Gravity, RestingImu, find_up
from genlock.calibrate.gray import gray_image
from genlock.calibrate.intrinsics import load_intrinsics
from genlock.calibrate.judging import Bounds
from genlock.calibrate.look import UNREADABLE, Look, find_blurred, look_at, look_at_gray
from genlock.calibrate.observations import Observations, View, gather
from genlock.calibrate.page import report_html
from genlock.calibrate.printing import target_pdf
from genlock.calibrate.report import CalibrationReport, CalibrationVerdict, CameraRow, make_report
from genlock.calibrate.score import Score, score
from genlock.calibrate.solve import LensTrial, Rejection, Solved, solve_poses
from genlock.calibrate.world import WorldChoice, WorldKind, on_print, parse_world, place_print, resting_set, upright

__all__ = [
    "EXPORTS",
    "UNREADABLE",
    "Bounds",
    "CalibrationReport",
    "CalibrationVerdict",
    "CameraCoverage",
    "CameraRow",
    "Coverage",
    "Guidance",
    "DepthAlignment",
    "DepthCheck",
    "align_depth",
    "surface_points",
    "DepthReadings",
    "Detection",
    "Footage",
    "LensTrial",
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
    "export_cameras",
    "extrinsics_of",
    "find_movements",
    "gather",
    "gray_image",
    "Gravity",
    "Look",
    "RestingImu",
    "WorldChoice",
    "WorldKind",
    "find_up",
    "lenses_of",
    "lenses_toml",
    "on_print",
    "parse_world",
    "place_print",
    "resting_set",
    "upright",
    "find_blurred",
    "find_footage",
    "look_at",
    "look_at_gray",
    "load_intrinsics",
    "make_report",
    "read_depth",
    "report_html",
    "score",
    "solve_poses",
    "target_pdf",
]
