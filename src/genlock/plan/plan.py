"""From what a user owns to what will happen. Pure: the same rig gives the same plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from genlock.k4a import DeviceConfig, SyncJacks, nearest_exposure_usec
from genlock.plan.budget import budget_of
from genlock.plan.checks import check_plan
from genlock.plan.delays import choose_delays, guards_usec, lasers_of
from genlock.plan.emitters import planned_emitters
from genlock.plan.exposure import center_shifts_grains
from genlock.plan.model import Plan, PlannedDevice
from genlock.plan.overlap import overlap_of
from genlock.rig import CaptureSettings, Rig, check_wiring, expected_jacks, start_order, sync_mode

__all__ = ["make_plan"]


def make_plan(rig: Rig) -> Plan:
    """The plan of a rig: a configuration for each device, the start order, the laser guard, and all findings.

    Never raises: what cannot work is planned as far as it goes, and a finding of severity error says why it cannot.
    """
    serials = tuple(dict.fromkeys(device.serial for device in rig.devices))
    overlap = overlap_of(rig)
    configs = {serial: _config(rig, serial) for serial in serials}
    shifts = center_shifts_grains(configs, {serial: _exposure_usec(rig, serial) for serial in serials})
    emitters = planned_emitters(rig, tuple(lasers_of(configs, shifts)))
    delays = choose_delays(rig, configs, overlap, shifts, emitters)
    jacks = expected_jacks(rig)
    devices = tuple(_device(rig, serial, delays.configs[serial], jacks[serial]) for serial in serials)
    guards = guards_usec(rig, delays.configs, overlap, shifts)
    plan = Plan(
        rig_name=rig.name,
        topology=rig.wiring.topology,
        devices=devices,
        start_order=start_order(rig),
        guard_usec=min(guards.values(), default=None),
        overlap=overlap,
        emitters=emitters,
        budget=budget_of(rig),
    )
    findings = (*check_wiring(rig), *check_plan(rig, plan, delays, guards))
    return replace(plan, findings=findings)


def _config(rig: Rig, serial: str) -> DeviceConfig:
    settings = rig.settings(serial)
    return DeviceConfig(
        color_format=settings.color_format,
        color_resolution=settings.color_resolution,
        depth_mode=settings.depth_mode,
        camera_fps=settings.camera_fps,
        synchronized_images_only=settings.synchronized_images_only,
        wired_sync_mode=sync_mode(rig, serial),
        disable_streaming_indicator=settings.disable_streaming_indicator,
    )


def _exposure_usec(rig: Rig, serial: str) -> int | None:
    """The exposure that the device will have; ``None``: automatic."""
    settings = rig.settings(serial)
    if settings.exposure_usec == "auto":
        return None
    return nearest_exposure_usec(settings.exposure_usec, settings.powerline_hz)


def _device(rig: Rig, serial: str, config: DeviceConfig, jacks: SyncJacks) -> PlannedDevice:
    settings = rig.settings(serial)
    requested_usec = None if settings.exposure_usec == "auto" else settings.exposure_usec
    return PlannedDevice(
        serial=serial,
        host=rig.device(serial).host,
        config=config,
        exposure_usec=_exposure_usec(rig, serial),
        requested_exposure_usec=requested_usec,
        powerline_hz=settings.powerline_hz,
        color_controls=_color_controls(settings),
        imu=settings.imu,
        jacks=jacks,
    )


def _color_controls(settings: CaptureSettings) -> dict[str, int | Literal["auto"]]:
    """The controls that the rig file sets, by the SDK's names."""
    controls = {
        "WHITEBALANCE": settings.white_balance_k,
        "GAIN": settings.gain,
        "BRIGHTNESS": settings.brightness,
        "CONTRAST": settings.contrast,
        "SATURATION": settings.saturation,
        "SHARPNESS": settings.sharpness,
        "BACKLIGHT_COMPENSATION": settings.backlight_compensation,
    }
    return {name: value for name, value in controls.items() if value is not None}
