"""A plan as commands of Microsoft's recorder, host by host in start order.

``k4arecorder`` (Azure Kinect Sensor SDK 1.4, ``tools/k4arecorder/main.cpp``) knows a device by an index that is no
stable name; its serial stands in ``--list``. It has no option for powerline frequency, white balance, the streaming LED
or ``synchronized_images_only``, and it takes the room's light for 60 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from genlock.k4a import DepthMode, ImageFormat, PowerlineFrequency, WiredSyncMode, nearest_exposure_usec
from genlock.plan.budget import THIS_COMPUTER
from genlock.plan.model import Plan, PlannedDevice

__all__ = ["RecorderCommand", "k4arecorder_script", "recorder_commands"]


@dataclass(frozen=True, slots=True)
class RecorderCommand:
    """One recorder."""

    serial: str
    host: str
    arguments: tuple[str, ...]
    """Without ``--device INDEX``, which only the host can tell, and without the program's name."""
    not_expressed: tuple[str, ...]
    """What of the plan the recorder has no option for."""


def recorder_commands(plan: Plan) -> tuple[RecorderCommand, ...]:
    """A command for each device, in start order."""
    devices = [plan.device(serial) for serial in plan.start_order]
    return tuple(
        RecorderCommand(
            device.serial, device.host or THIS_COMPUTER, tuple(_arguments(device)), tuple(_not_expressed(device))
        )
        for device in devices
    )


def k4arecorder_script(plan: Plan) -> str:
    """A shell script for each host, with what to do between them as comments."""
    lines = [
        f"# The rig {_comment(plan.rig_name)} with Microsoft's recorder, for a POSIX shell.",
        "# k4arecorder takes an index, which is no stable name: it is looked up by serial (k4arecorder --list) before",
        "# anything records, for a device that records cannot be listed. Subordinates first, the master last: start it",
        '# when every subordinate says "Waiting for signal from master". Stop with Ctrl-C, once (a second one leaves a',
        "# file that Microsoft's player does not open), or add -l SECONDS to each command. Each numbered block waits",
        "# for its recorders: give it a terminal of its own.",
    ]
    commands = recorder_commands(plan)
    lost = [f"#   {command.serial}: {words}" for command in commands for words in command.not_expressed]
    if lost:
        lines += ["# The recorder has no option for these parts of the plan:", *lost]
    for number, (host, group) in enumerate(groupby(commands, key=lambda command: command.host), 1):
        here = list(group)
        lines += ["", f"# --- {number}. on {_comment(host)} " + "-" * 40]
        lines.append('index_of() { k4arecorder --list | sed -n "s/^Index:\\([0-9]*\\).*Serial:$1[^0-9].*/\\1/p"; }')
        lines += [f"device_{command.serial}=$(index_of {command.serial})" for command in here]
        for command in here:
            index = f'--device "$device_{command.serial}"'
            lines.append(f"k4arecorder {index} {' '.join(command.arguments)} {command.serial}.mkv &")
            lines.append("sleep 5")
        lines[-1] = "wait"
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """Text that stays inside a comment line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _arguments(device: PlannedDevice) -> list[str]:
    config = device.config
    arguments = ["-c", _color_mode(device), "-d", config.depth_mode.value, "-r", str(int(config.camera_fps))]
    if config.depth_delay_off_color_usec:
        arguments += ["--depth-delay", str(config.depth_delay_off_color_usec)]
    if config.wired_sync_mode is not WiredSyncMode.STANDALONE:
        arguments += ["--external-sync", config.wired_sync_mode.value.lower()]
    if config.subordinate_delay_off_master_usec:
        arguments += ["--sync-delay", str(config.subordinate_delay_off_master_usec)]
    if config.has_color and device.exposure_usec is not None:
        arguments += ["-e", str(device.exposure_usec)]  # the table's values are all above 1, where -e would mean 2^n s
    gain = device.color_controls.get("GAIN")
    if config.has_color and isinstance(gain, int):
        arguments += ["-g", str(gain)]
    return [*arguments, "--imu", "ON" if device.imu else "OFF"]


def _color_mode(device: PlannedDevice) -> str:
    config = device.config
    resolution = config.color_resolution.value.lower() if config.has_color else "OFF"
    is_raw = config.has_color and config.color_format in (ImageFormat.NV12, ImageFormat.YUY2)
    return f"{resolution}_{config.color_format.value}" if is_raw else resolution


def _not_expressed(device: PlannedDevice) -> list[str]:
    config = device.config
    lost = []
    if config.has_color and config.color_format is ImageFormat.BGRA32:
        lost.append("color_format BGRA32: it records MJPG")
    if config.synchronized_images_only:
        lost.append("synchronized_images_only")
    if config.disable_streaming_indicator:
        lost.append("disable_streaming_indicator")
    if config.has_color:
        other = [name for name in device.color_controls if name != "GAIN"]
        lost += [
            f"{name.lower()} {device.color_controls[name]}: set it with k4aviewer, it stays until power is cut"
            for name in other
        ]
        lost += _lost_exposure(device)
    if config.depth_mode is DepthMode.OFF and not config.has_color:
        lost.append("no camera is on: it records nothing")
    return lost


def _lost_exposure(device: PlannedDevice) -> list[str]:
    """At 50 Hz the recorder, which believes in 60 Hz, rounds up in the other column of the table."""
    if device.powerline_hz is not PowerlineFrequency.HZ_50:
        return []
    if device.exposure_usec is None:
        return ["powerline_hz 50"]
    other = nearest_exposure_usec(device.exposure_usec, PowerlineFrequency.HZ_60)
    if other == device.exposure_usec:
        return ["powerline_hz 50: it takes 60"]
    return [f"powerline_hz 50: it takes 60, and so will expose {other} us, not {device.exposure_usec}"]
