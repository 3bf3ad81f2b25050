"""What a user owns and wants: the values that a rig file holds.

Layout of the file, in TOML::

    format_version = 1
    name = "studio"
    [capture]      defaults for every device           CaptureSettings
    [wiring]       who is master, who feeds whom       Wiring; [[wiring.cable]] Cable, [wiring.trigger] Trigger
    [plan]         what the plan aims at               PlanSettings
    [[device]]     one Azure Kinect                    RigDevice; any key of [capture] overrides it here
    [[host]]       one computer and what it can carry  Host
    [[emitter]]    somebody else's pulsed light        Emitter

A value here is well-formed, no more: a rig that *cannot work* (30 fps in a 15 fps mode, a loop in the cables) loads,
and its plan holds the findings that say why.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from genlock.k4a import CameraFps, ColorResolution, DepthMode, ImageFormat, PowerlineFrequency
from genlock.rig.fields import CableEnd, Choice, Number, Numbers, Pairs, SerialNumber, Version, Whole

__all__ = [
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
    "Wiring",
]

Auto = Literal["auto"]
Overlap = Literal["all", "none"] | tuple[tuple[str, str], ...]
Serial = Annotated[str, SerialNumber()]
Name = Annotated[str, Field(min_length=1)]

Fps = Annotated[CameraFps, Choice(tuple(CameraFps))]
Depth = Annotated[DepthMode, Choice(tuple(DepthMode))]
Resolution = Annotated[ColorResolution, Choice(tuple(ColorResolution))]
ColorFormat = Annotated[ImageFormat, Choice((ImageFormat.MJPG, ImageFormat.NV12, ImageFormat.YUY2, ImageFormat.BGRA32))]
Powerline = Annotated[PowerlineFrequency, Choice(tuple(PowerlineFrequency))]
# One second is the longest exposure that Microsoft's viewer offers; the device's own table ends at 133 330 us.
Exposure = Annotated[int | Auto, Whole(1, 1_000_000, "us", auto=True)]
WhiteBalance = Annotated[int | Auto, Whole(2500, 12500, "K", step=10, auto=True)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CaptureOverrides(_Table):
    """Any of the capture settings; ``None`` where a key is not given.

    Ranges of the color controls: Microsoft's k4aviewer.
    """

    camera_fps: Fps | None = None
    """Captures per second: 5, 15 or 30; the same on all devices of a synchronized rig."""
    depth_mode: Depth | None = None
    """The SDK's name of the depth mode, or OFF."""
    color_resolution: Resolution | None = None
    """The SDK's name of the color resolution, or OFF."""
    color_format: ColorFormat | None = None
    """Format of the color images; NV12 and YUY2 exist at 720P only."""
    synchronized_images_only: StrictBool | None = None
    """Deliver only captures that hold both a color and a depth image."""
    disable_streaming_indicator: StrictBool | None = None
    """Keep the front LED dark while streaming."""
    imu: StrictBool | None = None
    """Run the inertial sensors beside the cameras."""
    exposure_usec: Exposure | None = None
    """Color exposure time; the device rounds it up to its table. "auto" is not for synchronized rigs."""
    powerline_hz: Powerline | None = None
    """Mains frequency of the room's light, 50 or 60: it decides which exposure times exist."""
    white_balance_k: WhiteBalance | None = None
    """Color temperature; not given: as the device has it."""
    gain: Annotated[int, Whole(0, 255)] | None = None
    """Color gain; not given, as with the controls below: as the device has it."""
    brightness: Annotated[int, Whole(0, 255)] | None = None
    """Color brightness."""
    contrast: Annotated[int, Whole(0, 10)] | None = None
    """Color contrast."""
    saturation: Annotated[int, Whole(0, 63)] | None = None
    """Color saturation."""
    sharpness: Annotated[int, Whole(0, 4)] | None = None
    """Color sharpness."""
    backlight_compensation: Annotated[int, Whole(0, 1)] | None = None
    """1 brightens what stands before a bright background."""


class CaptureSettings(CaptureOverrides):
    """How a device captures: the table ``[capture]``, or one device's own settings.

    A color control that is still ``None`` here is left as the device has it.
    """

    camera_fps: Fps = CameraFps.FPS_30
    depth_mode: Depth = DepthMode.NFOV_UNBINNED
    color_resolution: Resolution = ColorResolution.RES_1080P
    color_format: ColorFormat = ImageFormat.MJPG
    synchronized_images_only: StrictBool = False
    disable_streaming_indicator: StrictBool = False
    imu: StrictBool = True
    exposure_usec: Exposure = 8330
    powerline_hz: Powerline = PowerlineFrequency.HZ_60


class RigDevice(CaptureOverrides):
    """One Azure Kinect DK; every key of ``[capture]`` given here holds for this device alone."""

    serial: Serial
    """The twelve digits on the device's underside."""
    host: str | None = None
    """Name of the computer that it is plugged into; not given: this one."""
    usb_controller: Annotated[int, Whole(1, 64)] | None = None
    """Which of its host's USB 3 controllers it hangs on, from 1; not given: the least loaded one."""
    depth_delay_off_color_usec: Annotated[int, Whole(-(10**6), 10**6, "us")] | None = None
    """Pins this delay: the plan judges it and never changes it."""
    subordinate_delay_off_master_usec: Annotated[int, Whole(-(10**6), 10**6, "us")] | None = None
    """Pins this delay: the plan judges it and never changes it."""
    position_m: Annotated[tuple[float, float, float], Numbers(3, "x, y, z in metres")] | None = None
    """Nominal place of the depth camera, the translation of T_world_device; for planning and simulation only."""
    rotation_wxyz: Annotated[tuple[float, float, float, float], Numbers(4, "a quaternion w, x, y, z")] | None = None
    """Nominal attitude, the rotation of T_world_device, as a quaternion of length 1."""


class Topology(StrEnum):
    """How the sync cables run."""

    DAISY_CHAIN = "daisy_chain"
    STAR = "star"
    EXTERNAL_TRIGGER = "external_trigger"
    STANDALONE = "standalone"


class Cable(_Table):
    """One sync cable, from a Sync Out jack, the splitter or the trigger to a Sync In jack or the splitter."""

    source: Annotated[str, CableEnd()] = Field(alias="from")
    """A serial, "splitter" or "trigger"."""
    destination: Annotated[str, CableEnd()] = Field(alias="to")
    """A serial or "splitter"."""
    length_m: Annotated[float, Number(0, 1000, "m")] | None = None
    """Length; it should stay below 10 m."""


class Trigger(_Table):
    """The generator of an external trigger, as far as it is known."""

    rate_hz: Annotated[float, Number(0, 100_000, "Hz")] | None = None
    """Pulses per second: exactly the rig's camera_fps."""
    pulse_usec: Annotated[float, Number(0, 1_000_000, "us")] | None = None
    """How long its output is high: more than 8 us."""
    high_v: Annotated[float, Number(0, 100, "V")] | None = None
    """Its high level: 5 V."""
    drive_ma: Annotated[float, Number(0, 100_000, "mA")] | None = None
    """What its output can drive: 8 mA at least."""


class Wiring(_Table):
    """Who is master, and how the pulse reaches everybody."""

    topology: Annotated[Topology, Choice(tuple(Topology))] = Topology.STANDALONE
    """How the sync cables run."""
    master: Serial | None = None
    """Serial of the master; with an external trigger only if the trigger drives the master's Sync In."""
    order: tuple[Serial, ...] = ()
    """Subordinates in cable order: the short form of the cables."""
    cables: tuple[Cable, ...] = Field(default=(), alias="cable")
    """Each cable; takes the place of ``order``."""
    trigger: Trigger | None = None
    """What is known of the external trigger's generator; it is then judged."""


class Goal(StrEnum):
    """What the delays are for."""

    ALIGNED_COLOR = "aligned_color"
    """Every color image at the same moment, depth staggered around it."""
    INTERLEAVED_FPS = "interleaved_fps"
    """Color images spread evenly over the frame: N cameras give N times the rate."""
    ALIGNED_DEPTH = "aligned_depth"
    """Color and depth all at the same moment, where no two depth cameras see the same space."""


class PlanSettings(_Table):
    """What the plan aims at."""

    goal: Annotated[Goal, Choice(tuple(Goal))] = Goal.ALIGNED_COLOR
    """aligned_color, interleaved_fps or aligned_depth."""
    overlap: Annotated[Overlap, Pairs()] | None = None
    """Whose depth cameras see the same space: "all", "none", or pairs of serials. Not given: computed where every depth
    camera has a nominal pose, else "all"."""
    min_guard_usec: Annotated[int, Whole(0, 10_000, "us")] = 100
    """Gap to keep between one laser's pulse and another's, where it can be had."""
    max_rgbd_skew_usec: Annotated[int, Whole(0, 200_000, "us")] = 2000
    """How far a depth image may leave the color images in time."""


class Host(_Table):
    """One computer; what is given of it is judged against the rig's load."""

    name: Name
    """The name that devices give as their host."""
    usb_controllers: Annotated[int, Whole(1, 64)] | None = None
    """How many USB 3 host controllers it has for the devices; not given: one for each device."""
    usb_mb_per_sec: Annotated[float, Number(0, 100_000, "MB/s")] = 400
    """What one controller carries in practice; 5 Gbit/s are 500 MB/s on the wire."""
    usbfs_memory_mb: Annotated[int, Whole(0, 1_000_000, "MB")] | None = None
    """On Linux, /sys/module/usbcore/parameters/usbfs_memory_mb; 0 is no limit."""
    disk_mb_per_sec: Annotated[float, Number(0, 1_000_000, "MB/s")] | None = None
    """What its disk writes, for hours on end."""
    network_mbit_per_sec: Annotated[float, Number(0, 10_000_000, "Mbit/s")] | None = None
    """What its network carries to whoever watches."""
    preview_fps: Annotated[int, Whole(0, 30, "fps")] = 0
    """Preview images per second that each of its devices sends over the network; 0: none."""


class Emitter(_Table):
    """Somebody else's pulsed light that depth cameras see: motion-capture strobes, other depth cameras."""

    name: Name
    """A name for people."""
    period_usec: Annotated[float, Number(10, 1_000_000, "us")]
    """From one pulse's start to the next one's."""
    pulse_usec: Annotated[float, Number(0, 1_000_000, "us")]
    """How long a pulse is."""
    phase_usec: Annotated[float, Number(-1_000_000, 1_000_000, "us")] | None = None
    """Start of one of its pulses after the centre of the master's color exposure, where it is locked to the rig's sync
    pulse. Not given: it runs free."""
    seen_by: tuple[Serial, ...] | None = None
    """Serials of the devices that its light reaches; not given: all."""


class Rig(_Table):
    """A set of devices, how they are wired, and what is wanted of them."""

    format_version: Annotated[int, Version(1)] = 1
    """Version of this file format."""
    name: Name = "rig"
    """A name for people."""
    capture: CaptureSettings = CaptureSettings()
    """Defaults for every device."""
    wiring: Wiring = Wiring()
    """The sync cables."""
    plan: PlanSettings = PlanSettings()
    """What the plan aims at."""
    devices: tuple[RigDevice, ...] = Field(default=(), alias="device")
    """The devices, in the order of the file."""
    hosts: tuple[Host, ...] = Field(default=(), alias="host")
    """The computers; one that is not described is not judged."""
    emitters: tuple[Emitter, ...] = Field(default=(), alias="emitter")
    """Pulsed lights beside the devices' own lasers."""

    def device(self, serial: str) -> RigDevice:
        """The device with this serial; the first of them should the file hold it twice.

        Raises:
            KeyError: no device of the rig has this serial.
        """
        for device in self.devices:
            if device.serial == serial:
                return device
        raise KeyError(serial)

    def settings(self, serial: str) -> CaptureSettings:
        """How this device captures: the defaults, and over them its own keys. Raises ``KeyError`` like ``device``."""
        device = self.device(serial)
        own = {key: getattr(device, key) for key in CaptureOverrides.model_fields}
        return self.capture.model_copy(update={key: value for key, value in own.items() if value is not None})
