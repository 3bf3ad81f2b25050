"""Was it really synchronized? Evidence in, a report out."""

from genlock.verify.checks import StartOrder
from genlock.verify.compare_page import TakeOnPage, comparison_html
from genlock.verify.diagnosis import Cause, Certainty, Diagnosis
from genlock.verify.epochs import combine_epochs
from genlock.verify.evidence import (
    AlarmEvent,
    DataLossEvent,
    DeviceEvidence,
    LiveFinding,
    StartEvent,
    TakeEvidence,
    evidence_from_reader,
    join_parts,
)
from genlock.verify.lasers import pulse_gap_usec
from genlock.verify.page import report_html
from genlock.verify.pictures import PictureSample
from genlock.verify.report import REPORT_FORMAT_VERSION, DeviceReport, EpochReport, FileReport, Report
from genlock.verify.statistics import OffsetStats
from genlock.verify.take import verify_take
from genlock.verify.verdict import SetCounts, Verdict

__all__ = [
    "REPORT_FORMAT_VERSION",
    "AlarmEvent",
    "Cause",
    "Certainty",
    "DataLossEvent",
    "DeviceEvidence",
    "DeviceReport",
    "Diagnosis",
    "EpochReport",
    "FileReport",
    "LiveFinding",
    "OffsetStats",
    "PictureSample",
    "Report",
    "SetCounts",
    "StartEvent",
    "StartOrder",
    "TakeEvidence",
    "TakeOnPage",
    "Verdict",
    "combine_epochs",
    "comparison_html",
    "evidence_from_reader",
    "join_parts",
    "pulse_gap_usec",
    "report_html",
    "verify_take",
]
