"""One opened device of the virtual rig and the client that opened it: its requests, and what streams to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from genlock.clock import Clock, ClockThread
from genlock.devices import ColorControl, ColorControlValue
from genlock.errors import CaptureTimeoutError, DeviceError, DeviceStartError
from genlock.k4a import CameraFps, ColorResolution, DepthMode, DeviceConfig, ImageFormat, WiredSyncMode
from genlock.virtual.channel import Channel
from genlock.virtual.simulated import SimulatedDevice
from genlock.virtual.wire import Operation, Reply, Request

__all__ = ["Visit", "parse_config"]

logger = logging.getLogger(__name__)

# k4a_color_control_command_t, in its order; number 1 is deprecated and does nothing.
_COMMANDS = {
    0: ColorControl.EXPOSURE_TIME_ABSOLUTE,
    2: ColorControl.BRIGHTNESS,
    3: ColorControl.CONTRAST,
    4: ColorControl.SATURATION,
    5: ColorControl.SHARPNESS,
    6: ColorControl.WHITEBALANCE,
    7: ColorControl.BACKLIGHT_COMPENSATION,
    8: ColorControl.GAIN,
    9: ColorControl.POWERLINE_FREQUENCY,
}
_AUTO_EXPOSURE_PRIORITY = 1
_AUTO, _MANUAL = 0, 1

_PATIENCE_SEC = 5.0
"""How long a pump sleeps at most without looking whether its device still runs; every change wakes it at once."""
_IMU_PACKET_SEC = 0.005
"""A real device sends its samples in packets of eight."""


class Visit:
    """From OPEN to CLOSE. Requests come one at a time; ``close`` may be called from another thread."""

    def __init__(self, device: SimulatedDevice, clock: Clock, producer: Any) -> None:  # Any: see channel.load_producer
        self._device = device
        self._clock = clock
        self._producer = producer
        self._channel: Channel | None = None
        self._pump: ClockThread | None = None
        self._imu_pump: ClockThread | None = None
        self._imu_stops = False
        self._imu_wakes = clock.signal()
        self._imu_lock = threading.Lock()
        """Both pumps deliver samples, one at a time."""
        self.config: DeviceConfig | None = None
        """What runs now; ``None``: nothing."""
        self.delivered = 0
        """Captures of the last start that were offered to the client."""

    @property
    def serial(self) -> str:
        """Whose device it is."""
        return self._device.info.serial

    def answer(self, request: Request) -> Reply:
        """What the device says. Raises ``DeviceError`` or ``ValueError``, with the reason, where the SDK would fail."""
        answers: dict[Operation, Callable[[tuple[int, ...]], Reply]] = {
            Operation.START: self._start,
            Operation.STOP: self._stop,
            Operation.START_IMU: self._start_imu,
            Operation.STOP_IMU: self._stop_imu,
            Operation.JACKS: self._jacks,
            Operation.CONTROL_RANGE: self._control_range,
            Operation.CONTROL_GET: self._get_control,
            Operation.CONTROL_SET: self._set_control,
        }
        if request.operation not in answers:
            raise ValueError(f"nobody asks an opened device to {request.operation.name}")
        return answers[request.operation](request.arguments)

    def close(self) -> None:
        """Stops and lets the device go."""
        self._stop_imu(())
        self._stop(())
        self._let_channel_go()
        self._device.close()

    # ---- streaming ----------------------------------------------------------------------------------------------

    def _start(self, arguments: tuple[int, ...]) -> Reply:
        if self.config is not None:
            raise DeviceStartError(self.serial, "its cameras run already", "already_running")
        if self._imu_pump is not None:
            raise DeviceStartError(self.serial, "its IMU runs: stop it before the cameras start", "imu_running")
        config = parse_config(arguments)
        self._device.joins_images = not arguments[9]
        self._device.arm(config, imu=False)
        self._device.start()
        self._let_channel_go()
        try:
            channel = Channel(self._producer, config)
        except OSError:
            self._device.stop_cameras()  # if any step fails, everything is stopped again (k4a.c)
            raise
        self.config, self.delivered, self._channel = config, 0, channel
        self._pump = self._clock.start_thread(lambda: self._pump_captures(channel), f"captures {self.serial}")
        return Reply(is_success=True, descriptor=channel.descriptor)

    def _stop(self, arguments: tuple[int, ...]) -> Reply:
        self._device.stop_cameras()
        if self._pump is not None:
            self._pump.join()
        self._pump = self.config = None
        return Reply(is_success=True)

    def _start_imu(self, arguments: tuple[int, ...]) -> Reply:
        self._device.start_imu()
        channel = self._channel
        if channel is not None:
            self._imu_stops = False
            self._imu_pump = self._clock.start_thread(lambda: self._pump_imu(channel), f"imu {self.serial}")
        return Reply(is_success=True)

    def _stop_imu(self, arguments: tuple[int, ...]) -> Reply:
        self._imu_stops = True
        self._imu_wakes.notify()
        if self._imu_pump is not None:
            self._imu_pump.join()
            self._imu_pump = None
        self._device.stop_imu()
        return Reply(is_success=True)

    def _pump_captures(self, channel: Channel) -> None:
        """Until the cameras stop or the device goes away; the client then hears that nothing comes any more."""
        try:
            while True:
                try:
                    capture = self._device.next_capture(_PATIENCE_SEC)
                except CaptureTimeoutError:
                    continue
                # On a busy computer the other pump may be late; a sample never comes after the image of its moment.
                self._deliver_imu(channel)
                self.delivered += 1
                if not channel.push(capture):
                    logger.error("device %s: capture %d did not fit its channel", self.serial, capture.index)
        except DeviceError as error:
            logger.debug("device %s: %s", self.serial, error.reason)
        finally:
            channel.end()

    def _pump_imu(self, channel: Channel) -> None:
        while not self._imu_wakes.wait_for(lambda: self._imu_stops, _IMU_PACKET_SEC):
            if not self._deliver_imu(channel) and self._device.is_lost:
                channel.end_imu()
                return

    def _deliver_imu(self, channel: Channel) -> bool:
        """Queues the samples up to now; whether there were any."""
        with self._imu_lock:
            samples = self._device.take_imu()
            if samples:
                channel.push_imu(samples)
        return bool(samples)

    def _let_channel_go(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    # ---- jacks and color controls -------------------------------------------------------------------------------

    def _jacks(self, arguments: tuple[int, ...]) -> Reply:
        jacks = self._device.sync_jacks()
        return Reply(is_success=True, values=(jacks.sync_in_connected, jacks.sync_out_connected))

    def _control_range(self, arguments: tuple[int, ...]) -> Reply:
        if arguments[0] == _AUTO_EXPOSURE_PRIORITY:
            # All zero but the mode, on Linux (uvc_camerareader.cpp).
            return Reply(is_success=True, values=(0, 0, 0, 0, 0, _MANUAL))
        found = self._device.color_control_range(self._control(arguments[0]))
        default = found.default
        mode = _MANUAL if default.is_manual else _AUTO
        return Reply(
            is_success=True, values=(found.has_auto, found.min_value, found.max_value, found.step, default.value, mode)
        )

    def _get_control(self, arguments: tuple[int, ...]) -> Reply:
        if arguments[0] == _AUTO_EXPOSURE_PRIORITY:
            return Reply(is_success=True, values=(_MANUAL, 0))
        setting = self._device.color_control(self._control(arguments[0]))
        return Reply(is_success=True, values=(_MANUAL if setting.is_manual else _AUTO, setting.value))

    def _set_control(self, arguments: tuple[int, ...]) -> Reply:
        command, mode, value = arguments[:3]
        if command == _AUTO_EXPOSURE_PRIORITY:
            return Reply(is_success=True)
        if mode not in (_AUTO, _MANUAL):
            raise ValueError(f"a color control's mode is 0 (automatic) or 1 (manual); it was {mode}")
        self._device.set_color_control(self._control(command), ColorControlValue(mode == _MANUAL, value))
        return Reply(is_success=True)

    def _control(self, command: int) -> ColorControl:
        if command not in _COMMANDS:
            raise ValueError(f"no color control has the number {command}")
        return _COMMANDS[command]


_COLOR_FORMATS = (ImageFormat.MJPG, ImageFormat.NV12, ImageFormat.YUY2, ImageFormat.BGRA32)


def parse_config(fields: tuple[int, ...]) -> DeviceConfig:
    """The configuration that a C program gave: ``k4a_device_configuration_t``, field by field.

    Raises:
        ValueError: a number that the interface does not know; the first one in the order in which the SDK looks.
    """
    for name, number, known in (
        ("color_format", fields[0], len(_COLOR_FORMATS)),
        ("color_resolution", fields[1], len(ColorResolution)),
        ("depth_mode", fields[2], len(DepthMode)),
        ("camera_fps", fields[3], len(CameraFps)),
        ("wired_sync_mode", fields[6], len(WiredSyncMode)),
    ):
        if not 0 <= number < known:
            raise ValueError(f"{name} is a number from 0 to {known - 1}; it was {number}")
    return DeviceConfig(
        color_format=_COLOR_FORMATS[fields[0]],
        color_resolution=list(ColorResolution)[fields[1]],
        depth_mode=list(DepthMode)[fields[2]],
        camera_fps=list(CameraFps)[fields[3]],
        synchronized_images_only=bool(fields[4]),
        depth_delay_off_color_usec=fields[5],
        wired_sync_mode=list(WiredSyncMode)[fields[6]],
        subordinate_delay_off_master_usec=fields[7] & 0xFFFFFFFF,  # unsigned in C
        disable_streaming_indicator=bool(fields[8]),
    )
