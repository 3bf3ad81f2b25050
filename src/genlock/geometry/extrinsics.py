"""Where the devices of a rig are, as measured: ``T_world_device`` of each, and the file that keeps them.

A device's frame is its depth camera's; ``device_frame`` names it, so that poses of two devices cannot be mixed up.
The file is JSON::

    {"format_version": 1, "world": "what the world frame is", "devices": {"SERIAL":
        {"rotation_wxyz": [...], "translation_m": [...], "sigma_mm": 0.4, "sigma_deg": 0.02}}}

Version 2 has lenses too, of devices whose poses were solved with others than the factory's: poses and lenses are right
only together. ``"color_lens"`` and ``"depth_lens"`` have the fields of ``CameraModel``, in the mode that was filmed. A
file without any is written as version 1, which older programs read; they refuse version 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from genlock.errors import ExtrinsicsFileError
from genlock.geometry.camera import CameraModel, LensModel
from genlock.geometry.pose import Pose

__all__ = [
    "FACTORY_LENSES",
    "WORLD",
    "DeviceLenses",
    "PoseSigma",
    "RigExtrinsics",
    "color_frame",
    "device_frame",
    "load_extrinsics",
    "renamed",
]

WORLD = "world"


def device_frame(serial: str) -> str:
    """The name of a device's own frame, its depth camera's."""
    return f"depth_{serial}"


def color_frame(serial: str) -> str:
    """The name of a device's color camera's frame."""
    return f"color_{serial}"


def renamed(pose: Pose, to_frame: str, from_frame: str) -> Pose:
    """The same transform between frames of other names: a calibration's ``T_color_depth`` becomes a device's own."""
    return Pose(to_frame, from_frame, pose.rotation, pose.translation_m)


@dataclass(frozen=True, slots=True)
class PoseSigma:
    """How uncertain a pose is, one standard deviation of the largest axis."""

    translation_mm: float
    rotation_deg: float


@dataclass(frozen=True, slots=True)
class DeviceLenses:
    """Lenses of a device that were measured again, each in some mode."""

    color: CameraModel | None = None
    """``None``: the factory's."""
    depth: CameraModel | None = None


FACTORY_LENSES = DeviceLenses()
"""None was measured again."""


@dataclass(frozen=True, slots=True)
class RigExtrinsics:
    """The measured places of a rig's devices."""

    T_world_device: Mapping[str, Pose]
    """By serial; ``to_frame`` is ``world``, ``from_frame`` is ``device_frame(serial)``."""
    world: str = "the first device"
    """What the world frame is, for people."""
    sigmas: Mapping[str, PoseSigma] = field(default_factory=dict)
    """By serial, where known; relative to the device or board that holds the world."""
    lenses: Mapping[str, DeviceLenses] = field(default_factory=dict)
    """By serial, of devices whose poses were solved with other lenses than the factory's."""

    def __post_init__(self) -> None:
        for serial, pose in self.T_world_device.items():
            if (pose.to_frame, pose.from_frame) != (WORLD, device_frame(serial)):
                raise ValueError(f"device {serial} needs T_{WORLD}_{device_frame(serial)}; it was given {pose.name}")

    def between(self, to_serial: str, from_serial: str) -> Pose:
        """``T_to_from`` of two devices' own frames."""
        return self.T_world_device[to_serial].inverse() @ self.T_world_device[from_serial]

    def lenses_of(self, serial: str) -> DeviceLenses:
        """What goes with a device's pose."""
        return self.lenses.get(serial, FACTORY_LENSES)

    def to_json(self) -> dict[str, object]:
        """What ``load_extrinsics`` reads again."""
        devices = {
            serial: _DeviceEntry(
                rotation_wxyz=tuple(pose.rotation_wxyz.tolist()),
                translation_m=tuple(pose.translation_m.tolist()),
                sigma_mm=self.sigmas[serial].translation_mm if serial in self.sigmas else None,
                sigma_deg=self.sigmas[serial].rotation_deg if serial in self.sigmas else None,
                color_lens=_LensEntry.of(self.lenses_of(serial).color),
                depth_lens=_LensEntry.of(self.lenses_of(serial).depth),
            )
            for serial, pose in self.T_world_device.items()
        }
        version: Literal[1, 2] = 2 if self.lenses else 1
        content = _ExtrinsicsFile(format_version=version, world=self.world, devices=devices).model_dump(mode="json")
        for device in content["devices"].values():
            for name in ("color_lens", "depth_lens"):
                if device[name] is None:
                    del device[name]
        return content


def load_extrinsics(path: Path) -> RigExtrinsics:
    """Reads an extrinsics file.

    Raises:
        ExtrinsicsFileError: it is not there, no JSON, or not what is expected; every mistake with its place.
    """
    try:
        content = _ExtrinsicsFile.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ExtrinsicsFileError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except json.JSONDecodeError as error:
        raise ExtrinsicsFileError(path, f"is no JSON: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ExtrinsicsFileError(path, f"is no extrinsics file: {mistakes}") from error
    return RigExtrinsics(
        T_world_device={
            serial: Pose.from_quaternion(WORLD, device_frame(serial), entry.rotation_wxyz, entry.translation_m)
            for serial, entry in content.devices.items()
        },
        world=content.world,
        sigmas={
            serial: PoseSigma(entry.sigma_mm, entry.sigma_deg)
            for serial, entry in content.devices.items()
            if entry.sigma_mm is not None and entry.sigma_deg is not None
        },
        lenses={
            serial: DeviceLenses(*(lens.model() if lens else None for lens in (entry.color_lens, entry.depth_lens)))
            for serial, entry in content.devices.items()
            if entry.color_lens or entry.depth_lens
        },
    )


class _LensEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    width_px: int = Field(gt=0)
    height_px: int = Field(gt=0)
    cx_px: float
    cy_px: float
    fx_px: float = Field(gt=0)
    fy_px: float = Field(gt=0)
    k1: float
    k2: float
    k3: float
    k4: float
    k5: float
    k6: float
    p1: float
    p2: float
    codx: float
    cody: float
    metric_radius: float = Field(gt=0)
    lens_model: LensModel

    @classmethod
    def of(cls, camera: CameraModel | None) -> _LensEntry | None:
        return None if camera is None else cls(**asdict(camera))

    def model(self) -> CameraModel:
        return CameraModel(**self.model_dump())


class _DeviceEntry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rotation_wxyz: tuple[float, float, float, float]
    translation_m: tuple[float, float, float]
    sigma_mm: float | None = Field(default=None, ge=0)
    sigma_deg: float | None = Field(default=None, ge=0)
    color_lens: _LensEntry | None = None
    depth_lens: _LensEntry | None = None

    @field_validator("rotation_wxyz")
    @classmethod
    def _is_unit(cls, value: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        length = sum(part * part for part in value) ** 0.5
        if abs(length - 1) > 0.01:
            raise ValueError(f"a quaternion has length 1; this one has {length:.4g}")
        return value


class _ExtrinsicsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1, 2] = 1
    world: str = ""
    devices: dict[str, _DeviceEntry] = Field(min_length=1)
