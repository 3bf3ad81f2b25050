"""What a user owns and wants: rig files and the wiring in them."""

from genlock.rig.file import load_rig, parse_rig, rig_json_schema
from genlock.rig.model import (
    Cable,
    CaptureOverrides,
    CaptureSettings,
    Emitter,
    Goal,
    Host,
    Overlap,
    PlanSettings,
    Rig,
    RigDevice,
    Topology,
    Trigger,
    Wiring,
)
from genlock.rig.new import new_rig_toml
from genlock.rig.wiring import SPLITTER, TRIGGER, Wire, expected_jacks, root, start_order, sync_mode, wires
from genlock.rig.wiring_checks import check_wiring, longest_chain

__all__ = [
    "SPLITTER",
    "TRIGGER",
    "Cable",
    "CaptureOverrides",
    "CaptureSettings",
    "Emitter",
    "Goal",
    "Host",
    "Overlap",
    "PlanSettings",
    "Rig",
    "RigDevice",
    "Topology",
    "Trigger",
    "Wire",
    "Wiring",
    "check_wiring",
    "expected_jacks",
    "load_rig",
    "longest_chain",
    "new_rig_toml",
    "parse_rig",
    "rig_json_schema",
    "root",
    "start_order",
    "sync_mode",
    "wires",
]
