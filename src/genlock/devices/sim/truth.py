"""What really was, for whoever wants to judge what was measured: poses, clocks, faults, the scene.

Lengths in metres, in the stage's frame (z up, floor at z = 0); times in nanoseconds of the rig's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from genlock.devices.scenario import Scenario, SceneName
from genlock.devices.sim.body import Body
from genlock.devices.sim.scene import ROOM_HALF_M, ROOM_HEIGHT_M, Scene
from genlock.devices.sim.world import World
from genlock.geometry import Pose

__all__ = ["FORMAT_VERSION", "tell_truth"]

FORMAT_VERSION = 1


def tell_truth(scenario: Scenario, bodies: Mapping[str, Body], world: World) -> dict[str, Any]:  # Any: JSON
    """The truth as JSON."""
    scene = Scene.of(scenario)
    return {
        "format_version": FORMAT_VERSION,
        "seed": scenario.seed,
        "scene": scenario.scene.value,
        "board": str(scenario.board) if scenario.scene is SceneName.BOARD else None,
        "firmware": {serial: scenario.firmware_of(serial).value for serial in bodies},
        "timing": {
            key: str(value) if isinstance(value, str) else value for key, value in asdict(scenario.timing).items()
        },
        "faults": [
            {
                "fault": str(fault),
                "kind": fault.kind.value,
                "serial": fault.serial,
                "amount": fault.amount_or_default,
                "start_nsec": start_nsec,
                "end_nsec": end_nsec,
            }
            for fault, start_nsec, end_nsec in world.mishaps.spells()
        ],
        "scene_birth_nsec": world.birth_nsec,
        "devices": [
            {
                "serial": serial,
                "T_stage_depth": _pose(body.T_stage_depth),
                "T_stage_color": _pose(body.T_stage_depth @ body.calibration.T_color_depth.inverse()),
                "oscillator_ppm": body.traits.oscillator_ppm,
                "depth_bias_mm": body.traits.depth_bias_mm,
                "depth_wiggle_mm": body.traits.depth_wiggle_mm,
                "zeros_nsec": [stream.zero_nsec for owner, stream in world.runs if owner == serial],
            }
            for serial, body in bodies.items()
        ],
        "room_m": [2 * ROOM_HALF_M, 2 * ROOM_HALF_M, ROOM_HEIGHT_M],
        "boxes": [{"center_m": box[:3], "half_m": box[3:6], "yaw_cos_sin": box[6:8]} for box in scene.boxes.tolist()],
        "spheres": [{"center_m": ball[:3], "radius_m": ball[3]} for ball in scene.spheres.tolist()],
    }


def _pose(pose: Pose) -> dict[str, list[float]]:
    return {"rotation_wxyz": pose.rotation_wxyz.tolist(), "translation_m": pose.translation_m.tolist()}
