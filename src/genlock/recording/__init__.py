"""What lies on disk: one Azure Kinect MKV a device, written, read, repaired and judged."""

from genlock.recording.atomic import write_atomically
from genlock.recording.cursor import CaptureCursor
from genlock.recording.cutting import moments, parts_in_order, snapped, split_spans
from genlock.recording.derive import NewSession, copy_file, new_session
from genlock.recording.digest import DamagedCluster, RecordingDigest, digest_recording
from genlock.recording.folder import SessionFile, SessionFolder, SessionState
from genlock.recording.inspection import RecordingInspection, inspect_recording
from genlock.recording.layout import CustomTrack, TrackName
from genlock.recording.muxer import WriteLoss
from genlock.recording.offsets import OffsetEstimate, OffsetSource
from genlock.recording.parts import SplitRule, parse_split_rule
from genlock.recording.playthrough import RecordedSession
from genlock.recording.provenance import comes_from_virtual_rig
from genlock.recording.reader import DataBlock, RecordingReader
from genlock.recording.recorder import DiskPolicy, Recorder
from genlock.recording.repair import RepairResult, repair_recording, repaired_path
from genlock.recording.rewrite import Span, rewrite
from genlock.recording.space import check_space
from genlock.recording.table import CaptureStamps
from genlock.recording.writer import RecordingSummary, RecordingWriter

__all__ = [
    "CaptureCursor",
    "CaptureStamps",
    "CustomTrack",
    "DamagedCluster",
    "DataBlock",
    "DiskPolicy",
    "NewSession",
    "OffsetEstimate",
    "OffsetSource",
    "RecordedSession",
    "Recorder",
    "RecordingDigest",
    "RecordingInspection",
    "RecordingReader",
    "RecordingSummary",
    "RecordingWriter",
    "RepairResult",
    "SessionFile",
    "SessionFolder",
    "SessionState",
    "Span",
    "SplitRule",
    "TrackName",
    "WriteLoss",
    "check_space",
    "comes_from_virtual_rig",
    "copy_file",
    "digest_recording",
    "inspect_recording",
    "moments",
    "new_session",
    "parse_split_rule",
    "parts_in_order",
    "repair_recording",
    "repaired_path",
    "rewrite",
    "snapped",
    "split_spans",
    "write_atomically",
]
