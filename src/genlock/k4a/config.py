"""A device's configuration, and every reason for which the SDK would refuse to start it.

The SDK answers a bad configuration with a bare "FAILED"; the reason stands only in its log. The rules are therefore
written down here, in the order in which the SDK checks them (``k4a.c``, ``validate_configuration``), so that a plan can
give the reason before anything is plugged in and a simulated device can refuse as a real one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from genlock.k4a.images import COLOR_GEOMETRY, DEPTH_GEOMETRY
from genlock.k4a.modes import CameraFps, ColorResolution, DepthMode, ImageFormat, WiredSyncMode
from genlock.k4a.timing import ticks_from_usec

__all__ = ["DeviceConfig", "StartRefusal", "SyncJacks", "start_refusals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """``k4a_device_configuration_t``; every field by the SDK's name, with the SDK's defaults but for the modes."""

    color_format: ImageFormat = ImageFormat.MJPG
    color_resolution: ColorResolution = ColorResolution.OFF
    depth_mode: DepthMode = DepthMode.OFF
    camera_fps: CameraFps = CameraFps.FPS_30
    synchronized_images_only: bool = False
    depth_delay_off_color_usec: int = 0
    wired_sync_mode: WiredSyncMode = WiredSyncMode.STANDALONE
    subordinate_delay_off_master_usec: int = 0
    disable_streaming_indicator: bool = False

    @property
    def has_color(self) -> bool:
        """Whether the color camera runs."""
        return self.color_resolution is not ColorResolution.OFF

    @property
    def has_depth_camera(self) -> bool:
        """Whether the depth camera runs, passive IR included."""
        return self.depth_mode is not DepthMode.OFF

    @property
    def depth_delay_off_color_ticks(self) -> int:
        """The depth delay that the device really keeps."""
        return ticks_from_usec(self.depth_delay_off_color_usec)

    @property
    def subordinate_delay_off_master_ticks(self) -> int:
        """The delay behind the master's pulse that the device really keeps."""
        return ticks_from_usec(self.subordinate_delay_off_master_usec)


@dataclass(frozen=True, slots=True)
class SyncJacks:
    """``k4a_device_get_sync_jack``: whether a plug sits in each jack. No proof of a signal."""

    sync_in_connected: bool
    sync_out_connected: bool


@dataclass(frozen=True, slots=True)
class StartRefusal:
    """One reason for which the SDK refuses to start."""

    code: str
    """Stable: ``sync_in_missing``, ``fps_too_high_for_depth_mode`` …"""
    message: str
    """What was expected and what was found."""
    remedy: str


def start_refusals(config: DeviceConfig, jacks: SyncJacks | None = None) -> tuple[StartRefusal, ...]:
    """Every reason for which ``k4a_device_start_cameras`` would refuse, in the SDK's order: the first one wins.

    Args:
        config: what would be started.
        jacks: the plugs; ``None`` leaves the two jack rules out (before anything is plugged in).
    """
    return tuple(_refusals(config, jacks))


def _refusals(config: DeviceConfig, jacks: SyncJacks | None) -> Iterator[StartRefusal]:
    yield from _refused_format(config)
    yield from _refused_role(config, jacks)
    yield from _refused_delays(config)
    yield from _refused_modes(config)


def _refused_format(config: DeviceConfig) -> Iterator[StartRefusal]:
    if config.color_format in (ImageFormat.DEPTH16, ImageFormat.IR16):
        yield StartRefusal(
            "color_format",
            f"color_format must be MJPG, NV12, YUY2 or BGRA32, even with color off; it is {config.color_format}",
            'Set color_format = "MJPG".',
        )


def _refused_role(config: DeviceConfig, jacks: SyncJacks | None) -> Iterator[StartRefusal]:
    mode = config.wired_sync_mode
    if jacks is not None:
        if mode is WiredSyncMode.SUBORDINATE and not jacks.sync_in_connected:
            yield StartRefusal(
                "sync_in_missing",
                "a subordinate needs a plug in its Sync In jack; none is detected there",
                "Push the 3.5 mm plug fully into Sync In (take the plastic cover off); try another cable.",
            )
        if mode is WiredSyncMode.MASTER and not jacks.sync_out_connected:
            yield StartRefusal(
                "sync_out_missing",
                "a master needs a plug in its Sync Out jack; none is detected there",
                "Push the 3.5 mm plug fully into Sync Out (take the plastic cover off); try another cable.",
            )
    if mode is WiredSyncMode.MASTER and not config.has_color:
        yield StartRefusal(
            "master_without_color",
            "a master must run its color camera, whose VSYNC is the sync pulse; color_resolution is OFF",
            "Give the master a color_resolution, or make another device the master.",
        )


def _refused_delays(config: DeviceConfig) -> Iterator[StartRefusal]:
    period_usec = config.camera_fps.period_usec
    delay_usec = config.subordinate_delay_off_master_usec
    if config.wired_sync_mode is WiredSyncMode.SUBORDINATE:
        # The field is unsigned in C: a negative number arrives as a huge one and fails the same test.
        if not 0 <= delay_usec <= period_usec:
            yield StartRefusal(
                "subordinate_delay_out_of_range",
                f"subordinate_delay_off_master_usec must lie in 0 .. {period_usec} us, one frame period at "
                f"{config.camera_fps} fps; it is {delay_usec} us",
                f"Choose a delay of at most {period_usec} us.",
            )
    elif delay_usec != 0:
        # The header says that it is ignored; the code fails (k4a.c:695).
        yield StartRefusal(
            "subordinate_delay_on_non_subordinate",
            f"only a subordinate may have a subordinate_delay_off_master_usec; this {config.wired_sync_mode} has "
            f"{delay_usec} us",
            "Remove the delay, or make the device a subordinate.",
        )
    depth_delay_usec = config.depth_delay_off_color_usec
    if config.has_color and config.has_depth_camera:
        if abs(depth_delay_usec) > period_usec:
            yield StartRefusal(
                "depth_delay_out_of_range",
                f"depth_delay_off_color_usec must lie within one frame period, +-{period_usec} us at "
                f"{config.camera_fps} fps; it is {depth_delay_usec} us",
                f"Choose a depth delay between -{period_usec} and {period_usec} us.",
            )
    elif not config.has_color and not config.has_depth_camera:
        yield StartRefusal(
            "no_camera",
            "neither the color nor the depth camera is on",
            "Set a color_resolution, a depth_mode, or both.",
        )
    else:
        # The documentation says "no effect" for both; the code fails (k4a.c:736-752).
        if depth_delay_usec != 0:
            yield StartRefusal(
                "depth_delay_with_one_camera",
                f"depth_delay_off_color_usec must be 0 when only one camera runs; it is {depth_delay_usec} us",
                "Remove the depth delay; stagger a depth-only subordinate with subordinate_delay_off_master_usec.",
            )
        if config.synchronized_images_only:
            yield StartRefusal(
                "synchronized_images_only_with_one_camera",
                "synchronized_images_only needs both cameras; only one is on",
                "Set synchronized_images_only = false.",
            )


def _refused_modes(config: DeviceConfig) -> Iterator[StartRefusal]:
    if config.has_depth_camera:
        max_fps = DEPTH_GEOMETRY[config.depth_mode].max_fps
        if config.camera_fps > max_fps:
            yield StartRefusal(
                "fps_too_high_for_depth_mode",
                f"{config.depth_mode} runs at {max_fps} fps at most; camera_fps is {config.camera_fps}",
                f"Set camera_fps = {max_fps}, or use WFOV_2X2BINNED.",
            )
    if config.has_color:
        max_fps = COLOR_GEOMETRY[config.color_resolution].max_fps
        if config.camera_fps > max_fps:
            yield StartRefusal(
                "fps_too_high_for_color_resolution",
                f"{config.color_resolution} runs at {max_fps} fps at most; camera_fps is {config.camera_fps}",
                f"Set camera_fps = {max_fps}, or use 2160P.",
            )
        if config.color_format in (ImageFormat.NV12, ImageFormat.YUY2) and (
            config.color_resolution is not ColorResolution.RES_720P
        ):
            yield StartRefusal(
                "color_format_not_at_resolution",
                f"{config.color_format} exists at 720P only; color_resolution is {config.color_resolution}",
                'Set color_format = "MJPG", or color_resolution = "720P".',
            )
