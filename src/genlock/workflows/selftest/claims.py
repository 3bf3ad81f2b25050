"""What nobody has confirmed on hardware, as data: every claim that the acceptance run can check, and where it stands.

A place in the source that says ``unverified on hardware`` is listed in ``MARKS`` with the claims that cover it, or with
the reason why this run cannot; ``tests/house`` sees to it that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CLAIMS", "MARKS", "Claim", "NotHere"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that genlock takes for true."""

    id: str
    statement: str
    source: str
    """Whose word it is so far."""


@dataclass(frozen=True, slots=True)
class NotHere:
    """Why this run cannot check a mark."""

    reason: str


_ALL = (
    Claim(
        "start_refuses_missing_plugs",
        "The start of a subordinate without a plug in Sync In, and of a master without one in Sync Out, is refused.",
        "SDK, k4a.c",
    ),
    Claim("jacks_show_wiring", "The jacks feel exactly the plugs that the rig file describes.", "SDK, k4a.c"),
    Claim(
        "subordinate_waits", "A started subordinate delivers nothing until its master starts.", "Microsoft's article"
    ),
    Claim(
        "first_image_time",
        "The first color image is centred 220 to 248 ms after the first pulse (color firmware from 1.6.107 on; about "
        "65 ms before).",
        "SDK issue #1240",
    ),
    Claim(
        "common_zero",
        "With subordinates started first all devices count from the same pulse: color stamps lie as the delays say.",
        "SDK issues #1240, #868; Microsoft's multi-device test",
    ),
    Claim(
        "subordinate_delay_truncates",
        "A device keeps the whole 90 kHz ticks of its subordinate delay, cut, not rounded.",
        "SDK, color_mcu.c",
    ),
    Claim(
        "depth_delay_truncates",
        "A subordinate keeps the whole ticks of its depth delay, cut toward zero, not rounded.",
        "SDK, color_mcu.c",
    ),
    Claim("master_depth_late", "A master's depth lies within 60 us of what it was asked (44 us seen).", "SDK #1261"),
    Claim(
        "late_start_own_zero",
        "A subordinate that starts after its master counts from its own first pulse: its stamps are whole periods off.",
        "derived from SDK issues #1240, #1435",
    ),
    Claim(
        "late_start_on_pulse", "A subordinate that starts late still exposes at the pulses.", "derived from SDK #1240"
    ),
    Claim(
        "restart_common_zero",
        "After all devices were stopped, in either order, and started again, they count from one pulse again.",
        "SDK, multi-device test",
    ),
    Claim("freed_runs_on", "A subordinate whose cable is pulled goes on delivering, without an error.", "SDK #1850"),
    Claim(
        "freed_stamps_drift",
        "The stamps of a subordinate whose cable was pulled drift against the master's; if not, they stay perfect.",
        "none; SDK issue #1850 leaves it open",
    ),
    Claim("jack_tells_pull", "The jack shows a pulled plug within 1.5 s, while streaming.", "SDK, k4a.c"),
    Claim(
        "idle_device_repeats", "A device that is not started passes pulses on to the next.", "none; taken for granted"
    ),
    Claim(
        "unequal_exposures_end_together",
        "Color exposures of different length end together: the centre of the longer one lies half of the difference "
        "earlier.",
        "SDK, green_screen example",
    ),
    Claim("depth_follows_color", "Depth stays where its delay puts it beside its own color's centre.", "SDK #868"),
    Claim("exposure_table", "Exposures are rounded up in the table of the powerline frequency.", "SDK, color_priv.h"),
    Claim("powerline_again", "Setting the same powerline frequency again changes no other control.", "none"),
    Claim(
        "manual_first_is_as_bright",
        "Images are as bright with manual exposure straight away as with automatic exposure before it.",
        "doubted in SDK issues #1511, #1912",
    ),
    Claim("mjpg_bytes", "An MJPG image has between 0.08 and 0.5 bytes a pixel.", "one public recording"),
    Claim("arrival_clock", "Arrival times are on the host's monotonic clock, within half a second.", "SDK, header"),
    Claim(
        "arrival_jitter",
        "Arrivals scatter by no more than 4 ms (sigma), and two devices' lie no more than 40 ms apart.",
        "SDK issue #1665: 1 to 2 ms, 24 ms",
    ),
    Claim("clock_ppm", "A device's clock runs within 400 ppm of the host's.", "SDK issue #1384: 390 ppm"),
    Claim("imu_clock", "Inertial samples come at 1666 Hz on the images' clock.", "SDK, imu.c, throughput test"),
    Claim("calibration_serial", "The calibration names the serial of its own device.", "one public recording"),
    Claim("usb_serials", "The parts of a device carry its serial on the USB bus.", "SDK, usbcommand.c"),
    Claim("lasers_apart_clear", "Lasers that the plan keeps apart do not disturb each other.", "Microsoft's article"),
    Claim("lasers_together_disturb", "Lasers that flash together disturb each other.", "SDK issues #1654, #1713"),
    Claim(
        "lasers_disturb_by_overlap",
        "Lasers disturb each other while their pulses of 125 us overlap (80 us apart), and no longer 240 us apart.",
        "Microsoft's hardware specification and article",
    ),
    Claim(
        "trigger_all_subordinates",
        "An external trigger drives a rig whose devices are all subordinates.",
        "SDK issues #366, #1801",
    ),
    Claim(
        "trigger_into_master", "An external trigger drives a rig through its master's Sync In.", "Microsoft's article"
    ),
)
CLAIMS: Mapping[str, Claim] = {claim.id: claim for claim in _ALL}

_PICTURE = NotHere("how the virtual rig's images look, not what a real device does")
_MODES = NotHere("needs two depth modes side by side and a sweep of their delays")
_WARMTH = NotHere("needs a board, and an hour of warming up: genlock calibrate check")
_ORBBEC = NotHere("needs a Femto Bolt or Mega")
_EXPOSURES = ("unequal_exposures_end_together", "depth_follows_color")
_FREED = ("freed_runs_on", "freed_stamps_drift")
_TRIGGER = ("trigger_all_subordinates", "trigger_into_master")

MARKS: Mapping[str, tuple[tuple[str, ...] | NotHere, ...]] = {
    "calibrate/bump.py": (_WARMTH,),
    "calibrate/lens.py": (_WARMTH,),
    "devices/native/backend.py": (("arrival_clock",),),
    "devices/native/controls.py": (("powerline_again",),),
    "devices/native/imu.py": (NotHere("a waiting subordinate's samples are not given out"),),
    "devices/native/library.py": (_ORBBEC,),
    "devices/native/orbbec.py": (_ORBBEC,),
    "devices/scenario.py": (
        ("freed_stamps_drift",),
        ("first_image_time", "master_depth_late", "arrival_jitter", "clock_ppm", "late_start_on_pulse"),
    ),
    "devices/sim/controls.py": (NotHere("needs a device that was never set since it got its power"),),
    "devices/sim/sensor.py": (_PICTURE,),
    "devices/sim/shutter.py": (_EXPOSURES,),
    "devices/sim/views.py": (_PICTURE,),
    "devices/sim/wires.py": (("idle_device_repeats",),),
    "devices/sim/world.py": (_TRIGGER,),
    "k4a/timing.py": (_MODES,),
    "plan/budget.py": (("mjpg_bytes",),),
    "plan/explain.py": (_MODES, _EXPOSURES),
    "plan/exposure.py": (_EXPOSURES,),
    "plan/exposure_checks.py": (_EXPOSURES, _EXPOSURES),
    "plan/timing.py": (_MODES,),
    "plan/wiring_guide.py": (_TRIGGER,),
    "preflight/usb.py": (("usb_serials",),),
    "recording/inspection.py": (("calibration_serial",),),
    "rig/wiring_checks.py": (_TRIGGER,),
    "session/session.py": (("manual_first_is_as_bright",),),
    "sync/departure.py": (("freed_stamps_drift",),),
    "sync/health.py": ((*_FREED, "jack_tells_pull"),),
    "verify/measure.py": (_EXPOSURES,),
    "workflows/check_wiring.py": (("idle_device_repeats",),),
}
"""By file below ``src/genlock``: one entry for each place that says so, in their order."""
