"""Microsoft's own libk4a and libk4arecord, through ctypes: the oracle of the conformance tests.

No camera is needed: recordings are made from images that the test makes, and read back. The libraries come from the
Linux wheel ``pyk4a-bundle`` (its Python module is never imported) or from the folder that ``GENLOCK_SDK_LIBRARIES``
names.
"""

from __future__ import annotations

import ctypes as c
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Capture, Image, ImuSample
from genlock.k4a import (
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    ImageFormat,
    WiredSyncMode,
    image_stride_bytes,
)

SUCCEEDED, FAILED, EOF = 0, 1, 2
_CUSTOM_FORMAT = 8  # what playback answers as the color format of a recording without color


class SdkError(Exception):
    """A call into the SDK failed."""


class _DeviceConfiguration(c.Structure):
    _fields_ = (
        ("color_format", c.c_int32),
        ("color_resolution", c.c_int32),
        ("depth_mode", c.c_int32),
        ("camera_fps", c.c_int32),
        ("synchronized_images_only", c.c_bool),
        ("depth_delay_off_color_usec", c.c_int32),
        ("wired_sync_mode", c.c_int32),
        ("subordinate_delay_off_master_usec", c.c_uint32),
        ("disable_streaming_indicator", c.c_bool),
    )


class _RecordConfiguration(c.Structure):
    _fields_ = (
        ("color_format", c.c_int32),
        ("color_resolution", c.c_int32),
        ("depth_mode", c.c_int32),
        ("camera_fps", c.c_int32),
        ("color_track_enabled", c.c_bool),
        ("depth_track_enabled", c.c_bool),
        ("ir_track_enabled", c.c_bool),
        ("imu_track_enabled", c.c_bool),
        ("depth_delay_off_color_usec", c.c_int32),
        ("wired_sync_mode", c.c_int32),
        ("subordinate_delay_off_master_usec", c.c_uint32),
        ("start_timestamp_offset_usec", c.c_uint32),
    )


class _ImuSample(c.Structure):
    _fields_ = (
        ("temperature", c.c_float),
        ("acc_sample", c.c_float * 3),
        ("acc_timestamp_usec", c.c_uint64),
        ("gyro_sample", c.c_float * 3),
        ("gyro_timestamp_usec", c.c_uint64),
    )


class _VideoSettings(c.Structure):
    _fields_ = (("width", c.c_uint64), ("height", c.c_uint64), ("frame_rate", c.c_uint64))


class _SubtitleSettings(c.Structure):
    _fields_ = (("high_freq_data", c.c_bool),)


@dataclass(frozen=True)
class CustomVideo:
    """A custom video track, as the SDK wants it."""

    name: str
    codec_private: bytes
    width_px: int
    height_px: int
    fps: int


@dataclass(frozen=True)
class CustomSubtitle:
    """A custom subtitle track; one with high-frequency data laces its blocks."""

    name: str
    is_high_frequency: bool


@dataclass(frozen=True)
class PlaybackConfig:
    """What playback says of a recording."""

    config: DeviceConfig
    has_color: bool
    has_depth: bool
    has_ir: bool
    has_imu: bool
    start_offset_usec: int


class Sdk:
    """The two libraries, loaded in the order that they need."""

    def __init__(self, folder: Path) -> None:
        # libk4a prints errors to stdout unless told otherwise before it is loaded.
        os.environ["K4A_ENABLE_LOG_TO_STDOUT"] = "0"
        self.k4a = c.CDLL(str(_one(folder, "libk4a-*.so*", "libk4a.so*")), mode=c.RTLD_GLOBAL)
        # libk4arecord finds libk4a only among what is loaded already.
        self.record = c.CDLL(str(_one(folder, "libk4arecord-*.so*", "libk4arecord.so*")))
        self._declare()

    def _declare(self) -> None:
        handle, text, size = c.c_void_p, c.c_char_p, c.c_size_t
        out, size_out = c.POINTER(c.c_void_p), c.POINTER(c.c_size_t)
        for library, name, result, arguments in (
            (self.k4a, "k4a_capture_create", c.c_int, [out]),
            (self.k4a, "k4a_capture_release", None, [handle]),
            *((self.k4a, f"k4a_capture_get_{kind}_image", handle, [handle]) for kind in _KINDS),
            *((self.k4a, f"k4a_capture_set_{kind}_image", None, [handle, handle]) for kind in _KINDS),
            (
                self.k4a,
                "k4a_image_create_from_buffer",
                c.c_int,
                [c.c_int, c.c_int, c.c_int, c.c_int, handle, size, handle, handle, out],
            ),
            (self.k4a, "k4a_image_release", None, [handle]),
            (self.k4a, "k4a_image_get_buffer", handle, [handle]),
            (self.k4a, "k4a_image_get_size", size, [handle]),
            (self.k4a, "k4a_image_get_format", c.c_int, [handle]),
            (self.k4a, "k4a_image_get_width_pixels", c.c_int, [handle]),
            (self.k4a, "k4a_image_get_height_pixels", c.c_int, [handle]),
            (self.k4a, "k4a_image_get_device_timestamp_usec", c.c_uint64, [handle]),
            (self.k4a, "k4a_image_set_device_timestamp_usec", None, [handle, c.c_uint64]),
            (self.record, "k4a_record_create", c.c_int, [text, handle, _DeviceConfiguration, out]),
            (self.record, "k4a_record_add_tag", c.c_int, [handle, text, text]),
            (self.record, "k4a_record_add_attachment", c.c_int, [handle, text, handle, size]),
            (self.record, "k4a_record_add_imu_track", c.c_int, [handle]),
            (
                self.record,
                "k4a_record_add_custom_video_track",
                c.c_int,
                [handle, text, text, handle, size, c.POINTER(_VideoSettings)],
            ),
            (
                self.record,
                "k4a_record_add_custom_subtitle_track",
                c.c_int,
                [handle, text, text, handle, size, c.POINTER(_SubtitleSettings)],
            ),
            (self.record, "k4a_record_write_custom_track_data", c.c_int, [handle, text, c.c_uint64, handle, size]),
            (self.record, "k4a_record_write_header", c.c_int, [handle]),
            (self.record, "k4a_record_write_capture", c.c_int, [handle, handle]),
            (self.record, "k4a_record_write_imu_sample", c.c_int, [handle, _ImuSample]),
            (self.record, "k4a_record_flush", c.c_int, [handle]),
            (self.record, "k4a_record_close", None, [handle]),
            (self.record, "k4a_playback_open", c.c_int, [text, out]),
            (self.record, "k4a_playback_close", None, [handle]),
            (self.record, "k4a_playback_get_raw_calibration", c.c_int, [handle, handle, size_out]),
            (self.record, "k4a_playback_get_record_configuration", c.c_int, [handle, c.POINTER(_RecordConfiguration)]),
            (self.record, "k4a_playback_check_track_exists", c.c_bool, [handle, text]),
            (self.record, "k4a_playback_get_tag", c.c_int, [handle, text, handle, size_out]),
            (self.record, "k4a_playback_get_next_capture", c.c_int, [handle, out]),
            (self.record, "k4a_playback_get_previous_capture", c.c_int, [handle, out]),
            (self.record, "k4a_playback_get_next_imu_sample", c.c_int, [handle, c.POINTER(_ImuSample)]),
            (self.record, "k4a_playback_get_next_data_block", c.c_int, [handle, text, out]),
            (self.record, "k4a_playback_data_block_get_device_timestamp_usec", c.c_uint64, [handle]),
            (self.record, "k4a_playback_data_block_get_buffer_size", size, [handle]),
            (self.record, "k4a_playback_data_block_get_buffer", handle, [handle]),
            (self.record, "k4a_playback_data_block_release", None, [handle]),
            (self.record, "k4a_playback_seek_timestamp", c.c_int, [handle, c.c_int64, c.c_int]),
            (self.record, "k4a_playback_get_recording_length_usec", c.c_uint64, [handle]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments

    # ---- images and captures ------------------------------------------------------------------------------------

    @contextmanager
    def capture_handle(self, capture: Capture) -> Iterator[c.c_void_p]:
        """A ``k4a_capture_t`` over the capture's own arrays."""
        handle = c.c_void_p()
        _check(self.k4a.k4a_capture_create(c.byref(handle)), "k4a_capture_create")
        buffers = []
        try:
            for kind, image in (("color", capture.color), ("depth", capture.depth), ("ir", capture.ir)):
                if image is None:
                    continue
                pixels = np.ascontiguousarray(image.pixels)
                buffers.append(pixels)
                image_handle = self._image_handle(image, pixels)
                getattr(self.k4a, f"k4a_capture_set_{kind}_image")(handle, image_handle)
                self.k4a.k4a_image_release(image_handle)
            yield handle
        finally:
            self.k4a.k4a_capture_release(handle)

    def _image_handle(self, image: Image, pixels: NDArray[Any]) -> c.c_void_p:
        handle = c.c_void_p()
        result = self.k4a.k4a_image_create_from_buffer(
            image.image_format.sdk_value,
            image.width_px,
            image.height_px,
            image_stride_bytes(image.image_format, image.width_px),
            pixels.ctypes.data,
            pixels.nbytes,
            None,
            None,
            c.byref(handle),
        )
        _check(result, "k4a_image_create_from_buffer")
        self.k4a.k4a_image_set_device_timestamp_usec(handle, image.device_timestamp_usec)
        return handle

    def capture_from_handle(self, handle: c.c_void_p, serial: str, index: int) -> Capture:
        """A copy of what the capture holds, in genlock's terms."""
        images = {kind: self._image_from(getattr(self.k4a, f"k4a_capture_get_{kind}_image")(handle)) for kind in _KINDS}
        return Capture(serial=serial, index=index, **images)

    def _image_from(self, handle: int | None) -> Image | None:
        if not handle:
            return None
        try:
            size = self.k4a.k4a_image_get_size(handle)
            data = np.frombuffer(c.string_at(self.k4a.k4a_image_get_buffer(handle), size), np.uint8)
            image_format = list(ImageFormat)[self.k4a.k4a_image_get_format(handle)]
            width, height = self.k4a.k4a_image_get_width_pixels(handle), self.k4a.k4a_image_get_height_pixels(handle)
            if image_format in (ImageFormat.DEPTH16, ImageFormat.IR16):
                data = data.view("<u2").reshape(height, width)
            return Image(image_format, width, height, data, self.k4a.k4a_image_get_device_timestamp_usec(handle), 0)
        finally:
            self.k4a.k4a_image_release(handle)

    # ---- doors --------------------------------------------------------------------------------------------------

    @contextmanager
    def recorder(
        self,
        path: Path,
        config: DeviceConfig,
        *,
        imu: bool = False,
        tags: Sequence[tuple[str, str]] = (),
        calibration: bytes | None = None,
        custom_tracks: Sequence[CustomVideo | CustomSubtitle] = (),
    ) -> Iterator[SdkRecorder]:
        """A recording by libk4arecord, without a device; closed at the end."""
        handle = c.c_void_p()
        created = self.record.k4a_record_create(str(path).encode(), None, _to_sdk(config), c.byref(handle))
        _check(created, "k4a_record_create")
        recorder = SdkRecorder(self, handle)
        try:
            for name, value in tags:
                _check(self.record.k4a_record_add_tag(handle, name.encode(), value.encode()), "k4a_record_add_tag")
            if calibration is not None:
                added = self.record.k4a_record_add_attachment(
                    handle, b"calibration.json", calibration, len(calibration)
                )
                _check(added, "k4a_record_add_attachment")
            if imu:
                _check(self.record.k4a_record_add_imu_track(handle), "k4a_record_add_imu_track")
            for track in custom_tracks:
                self._add_track(handle, track)
            _check(self.record.k4a_record_write_header(handle), "k4a_record_write_header")
            yield recorder
        finally:
            recorder.close()

    def _add_track(self, handle: c.c_void_p, track: CustomVideo | CustomSubtitle) -> None:
        name = track.name.encode()
        if isinstance(track, CustomVideo):
            settings = _VideoSettings(track.width_px, track.height_px, track.fps)
            context = track.codec_private
            added = self.record.k4a_record_add_custom_video_track(
                handle, name, b"V_MS/VFW/FOURCC", context, len(context), c.byref(settings)
            )
        else:
            lacing = _SubtitleSettings(track.is_high_frequency)
            added = self.record.k4a_record_add_custom_subtitle_track(
                handle, name, b"S_K4A/CUSTOM", b"", 0, c.byref(lacing)
            )
        _check(added, "k4a_record_add_custom_track")

    @contextmanager
    def playback(self, path: Path) -> Iterator[SdkPlayback]:
        """An opened recording. Raises ``SdkError`` where libk4arecord refuses it."""
        handle = c.c_void_p()
        _check(self.record.k4a_playback_open(str(path).encode(), c.byref(handle)), "k4a_playback_open")
        try:
            yield SdkPlayback(self, handle)
        finally:
            self.record.k4a_playback_close(handle)


class SdkRecorder:
    """``k4a_record_t``."""

    def __init__(self, sdk: Sdk, handle: c.c_void_p) -> None:
        self._sdk, self._handle = sdk, handle
        self._is_closed = False

    def write_capture(self, capture: Capture) -> None:
        with self._sdk.capture_handle(capture) as handle:
            self.write_capture_handle(handle)

    def write_capture_handle(self, handle: c.c_void_p) -> None:
        _check(self._sdk.record.k4a_record_write_capture(self._handle, handle), "k4a_record_write_capture")

    def write_imu(self, samples: Sequence[ImuSample]) -> None:
        for sample in samples:
            native = _ImuSample(
                0.0,
                (c.c_float * 3)(*sample.acc_m_per_s2),
                sample.acc_timestamp_usec,
                (c.c_float * 3)(*sample.gyro_rad_per_s),
                sample.gyro_timestamp_usec,
            )
            _check(self._sdk.record.k4a_record_write_imu_sample(self._handle, native), "k4a_record_write_imu_sample")

    def write_block(self, track: str, usec: int, content: bytes) -> None:
        result = self._sdk.record.k4a_record_write_custom_track_data(
            self._handle, track.encode(), usec, content, len(content)
        )
        _check(result, "k4a_record_write_custom_track_data")

    def flush(self) -> None:
        _check(self._sdk.record.k4a_record_flush(self._handle), "k4a_record_flush")

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._sdk.record.k4a_record_close(self._handle)


class SdkPlayback:
    """``k4a_playback_t``."""

    def __init__(self, sdk: Sdk, handle: c.c_void_p) -> None:
        self._sdk, self._handle = sdk, handle
        self._record = sdk.record

    def config(self) -> PlaybackConfig:
        native = _RecordConfiguration()
        result = self._record.k4a_playback_get_record_configuration(self._handle, c.byref(native))
        _check(result, "k4a_playback_get_record_configuration")
        # Without color, playback answers a custom format; genlock's configuration keeps its default there.
        color_format = ImageFormat.MJPG if native.color_format == _CUSTOM_FORMAT else None
        return PlaybackConfig(
            config=DeviceConfig(
                color_format=color_format or list(ImageFormat)[native.color_format],
                color_resolution=list(ColorResolution)[native.color_resolution],
                depth_mode=list(DepthMode)[native.depth_mode],
                camera_fps=list(CameraFps)[native.camera_fps],
                depth_delay_off_color_usec=native.depth_delay_off_color_usec,
                wired_sync_mode=list(WiredSyncMode)[native.wired_sync_mode],
                subordinate_delay_off_master_usec=native.subordinate_delay_off_master_usec,
            ),
            has_color=native.color_track_enabled,
            has_depth=native.depth_track_enabled,
            has_ir=native.ir_track_enabled,
            has_imu=native.imu_track_enabled,
            start_offset_usec=native.start_timestamp_offset_usec,
        )

    def calibration(self) -> bytes | None:
        """With the NUL that playback appends; ``None`` without one."""
        return self._sized(
            lambda buffer, size: self._record.k4a_playback_get_raw_calibration(self._handle, buffer, size)
        )

    def tag(self, name: str) -> str | None:
        value = self._sized(
            lambda buffer, size: self._record.k4a_playback_get_tag(self._handle, name.encode(), buffer, size)
        )
        return None if value is None else value.rstrip(b"\0").decode()

    def has_track(self, name: str) -> bool:
        return bool(self._record.k4a_playback_check_track_exists(self._handle, name.encode()))

    def length_usec(self) -> int:
        return int(self._record.k4a_playback_get_recording_length_usec(self._handle))

    def seek(self, offset_usec: int, origin: int = 0) -> None:
        """Origin 0 is the beginning, 1 the end, 2 device time."""
        result = self._record.k4a_playback_seek_timestamp(self._handle, offset_usec, origin)
        _check(result, "k4a_playback_seek_timestamp")

    def captures(self, serial: str = "") -> Iterator[Capture]:
        index = 0
        while (capture := self.next_capture(serial, index)) is not None:
            yield capture
            index += 1

    def count_captures(self) -> int:
        """How many captures follow; each is read, as a program would, and let go without another copy."""
        count = 0
        handle = c.c_void_p()
        while (result := self._record.k4a_playback_get_next_capture(self._handle, c.byref(handle))) != EOF:
            _check(result, "k4a_playback_get_next_capture")
            self._sdk.k4a.k4a_capture_release(handle)
            count += 1
        return count

    def next_capture(self, serial: str = "", index: int = 0) -> Capture | None:
        handle = c.c_void_p()
        result = self._record.k4a_playback_get_next_capture(self._handle, c.byref(handle))
        return self._take(result, handle, serial, index)

    def previous_capture(self, serial: str = "", index: int = 0) -> Capture | None:
        handle = c.c_void_p()
        result = self._record.k4a_playback_get_previous_capture(self._handle, c.byref(handle))
        return self._take(result, handle, serial, index)

    def _take(self, result: int, handle: c.c_void_p, serial: str, index: int) -> Capture | None:
        if result == EOF:
            return None
        _check(result, "k4a_playback_get_capture")
        try:
            return self._sdk.capture_from_handle(handle, serial, index)
        finally:
            self._sdk.k4a.k4a_capture_release(handle)

    def imu(self) -> Iterator[ImuSample]:
        native = _ImuSample()
        while True:
            result = self._record.k4a_playback_get_next_imu_sample(self._handle, c.byref(native))
            if result == EOF:
                return
            _check(result, "k4a_playback_get_next_imu_sample")
            yield ImuSample(
                native.acc_timestamp_usec,
                tuple(native.acc_sample),
                native.gyro_timestamp_usec,
                tuple(native.gyro_sample),
            )

    def blocks(self, track: str) -> Iterator[tuple[int, bytes]]:
        """A custom track's blocks: device time and bytes."""
        handle = c.c_void_p()
        while True:
            result = self._record.k4a_playback_get_next_data_block(self._handle, track.encode(), c.byref(handle))
            if result == EOF:
                return
            _check(result, "k4a_playback_get_next_data_block")
            try:
                size = self._record.k4a_playback_data_block_get_buffer_size(handle)
                content = c.string_at(self._record.k4a_playback_data_block_get_buffer(handle), size)
                yield self._record.k4a_playback_data_block_get_device_timestamp_usec(handle), content
            finally:
                self._record.k4a_playback_data_block_release(handle)

    def _sized(self, call: Any) -> bytes | None:
        """Asks for the size, then for the bytes."""
        size = c.c_size_t(0)
        call(None, c.byref(size))
        if size.value == 0:
            return None
        buffer = c.create_string_buffer(size.value)
        _check(call(buffer, c.byref(size)), "a sized answer")
        return buffer.raw[: size.value]


_KINDS = ("color", "depth", "ir")


def _to_sdk(config: DeviceConfig) -> _DeviceConfiguration:
    return _DeviceConfiguration(
        config.color_format.sdk_value,
        config.color_resolution.sdk_value,
        config.depth_mode.sdk_value,
        config.camera_fps.sdk_value,
        config.synchronized_images_only,
        config.depth_delay_off_color_usec,
        config.wired_sync_mode.sdk_value,
        config.subordinate_delay_off_master_usec,
        config.disable_streaming_indicator,
    )


def _check(result: int, what: str) -> None:
    if result != SUCCEEDED:
        raise SdkError(f"{what} failed ({result})")


def _one(folder: Path, *patterns: str) -> Path:
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise FileNotFoundError(f"{folder} holds none of {', '.join(patterns)}")
