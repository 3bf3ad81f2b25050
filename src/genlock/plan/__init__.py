"""What will happen: configurations, start order, laser slots and findings, from a rig alone."""

from genlock.plan.budget import DeviceLoad, HostBudget
from genlock.plan.explain import Explanation, explain, explain_text
from genlock.plan.file import load_plan, plan_from_json
from genlock.plan.firmware import (
    KNOWN_FAULTS,
    OPEN_MINIMUM,
    RIG_MINIMUM,
    FirmwareFault,
    FirmwareVersions,
    check_firmware,
)
from genlock.plan.k4arecorder import RecorderCommand, k4arecorder_script, recorder_commands
from genlock.plan.model import Plan, PlannedDevice, PlannedEmitter
from genlock.plan.plan import make_plan
from genlock.plan.timeline import timeline_text
from genlock.plan.timeline_svg import timeline_svg
from genlock.plan.wiring_guide import Part, WiringGuide, wiring_guide
from genlock.plan.wiring_svg import wiring_svg

__all__ = [
    "KNOWN_FAULTS",
    "OPEN_MINIMUM",
    "RIG_MINIMUM",
    "DeviceLoad",
    "Explanation",
    "FirmwareFault",
    "FirmwareVersions",
    "HostBudget",
    "Part",
    "Plan",
    "PlannedDevice",
    "PlannedEmitter",
    "RecorderCommand",
    "WiringGuide",
    "check_firmware",
    "explain",
    "explain_text",
    "k4arecorder_script",
    "load_plan",
    "make_plan",
    "plan_from_json",
    "recorder_commands",
    "timeline_svg",
    "timeline_text",
    "wiring_guide",
    "wiring_svg",
]
