"""What a simulated device is, whether anybody has opened it or not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from genlock.devices.base import DeviceInfo
from genlock.devices.scenario import Scenario
from genlock.devices.sim.controls import ColorControls
from genlock.devices.sim.darkroom import Imager
from genlock.devices.sim.factory import factory_calibration
from genlock.devices.sim.imager import new_imager
from genlock.devices.sim.traits import DeviceTraits
from genlock.geometry import Pose
from genlock.k4a.calibration import DeviceCalibration

__all__ = ["Body", "device_info", "new_body"]


@dataclass(frozen=True, slots=True)
class Body:
    """One device of the virtual rig: what lasts from one opening to the next."""

    serial: str
    traits: DeviceTraits
    raw_calibration: bytes
    calibration: DeviceCalibration
    """The same, read."""
    T_stage_depth: Pose
    imager: Imager
    controls: ColorControls = field(default_factory=ColorControls)
    run_numbers: Iterator[int] = field(default_factory=itertools.count)
    """Counts its starts."""


def new_body(serial: str, scenario: Scenario, poses: Mapping[str, Pose], birth_nsec: int) -> Body:
    """Draws a device from seed and serial and puts it on the stage; ``poses`` are ``T_stage_depth`` of all devices."""
    raw_calibration = factory_calibration(serial, scenario.seed)
    calibration = DeviceCalibration.from_json(raw_calibration)
    return Body(
        serial=serial,
        traits=DeviceTraits.of(serial, scenario),
        raw_calibration=raw_calibration,
        calibration=calibration,
        T_stage_depth=poses[serial],
        imager=new_imager(serial, scenario, calibration, poses, birth_nsec),
    )


def device_info(serial: str, scenario: Scenario) -> DeviceInfo:
    """Who a simulated device says it is."""
    firmware = scenario.firmware_of(serial)
    return DeviceInfo(serial, "sim", firmware.value, firmware.depth_firmware)
