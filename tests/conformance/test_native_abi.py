"""The interface that ``devices/native`` declares is the one that Microsoft's own library has."""

import ctypes as c
import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conformance.libraries import find_libraries
from conformance.sdk import Sdk
from genlock.devices.native import find_library
from genlock.devices.native.abi import FUNCTIONS, SUCCEEDED, c_configuration
from genlock.devices.native.images import take_capture
from genlock.devices.native.library import K4aLibrary, Vendor, load_library
from genlock.k4a import (
    CameraFps,
    ColorResolution,
    DepthMode,
    DeviceConfig,
    ImageFormat,
    WiredSyncMode,
    image_stride_bytes,
)

RELEASED = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)
SETTERS = {
    "k4a_image_set_device_timestamp_usec": c.c_uint64,
    "k4a_image_set_system_timestamp_nsec": c.c_uint64,
    "k4a_image_set_exposure_usec": c.c_uint64,
    "k4a_image_set_white_balance": c.c_uint32,
    "k4a_image_set_iso_speed": c.c_uint32,
}


@pytest.fixture
def library(sdk: Sdk) -> K4aLibrary:
    library = load_library(find_library(find_libraries()))
    for name, type_ in SETTERS.items():
        function = getattr(library.c, name)
        function.restype, function.argtypes = None, (c.c_void_p, type_)
    library.c.k4a_image_create.argtypes = (c.c_int, c.c_int, c.c_int, c.c_int, c.POINTER(c.c_void_p))
    library.c.k4a_capture_set_temperature_c.argtypes = (c.c_void_p, c.c_float)
    return library


def test_the_library_has_every_function_and_says_which_it_is(library: K4aLibrary):
    assert all(hasattr(library.c, name) for name in FUNCTIONS)
    assert (library.vendor, library.version) == (Vendor.MICROSOFT, (1, 4, 2))


@pytest.mark.parametrize("role", list(WiredSyncMode))
@pytest.mark.parametrize("fps", list(CameraFps))
def test_a_configuration_reads_back_from_the_recorder_as_it_was_written(
    sdk: Sdk, tmp_path: Path, role: WiredSyncMode, fps: CameraFps
):
    """The recorder takes the same struct as ``k4a_device_start_cameras``, by value."""
    config = DeviceConfig(
        color_format=ImageFormat.NV12,
        color_resolution=ColorResolution.RES_720P,
        depth_mode=DepthMode.WFOV_2X2BINNED,
        camera_fps=fps,
        depth_delay_off_color_usec=-160,
        wired_sync_mode=role,
        subordinate_delay_off_master_usec=1234 if role is WiredSyncMode.SUBORDINATE else 0,
    )
    path = tmp_path / "one.mkv"
    create, handle = sdk.record.k4a_record_create, c.c_void_p()
    struct = create.argtypes[2].from_buffer_copy(bytes(c_configuration(config)))
    assert create(str(path).encode(), None, struct, c.byref(handle)) == SUCCEEDED
    assert sdk.record.k4a_record_write_header(handle) == SUCCEEDED
    image = np.zeros(720 * 3 // 2 * 1280, np.uint8)
    with _capture_of(load_library(find_library(find_libraries())), image, ImageFormat.NV12, 1280, 720) as capture:
        assert sdk.record.k4a_record_write_capture(handle, capture) == SUCCEEDED
    sdk.record.k4a_record_close(handle)
    with sdk.playback(path) as playback:
        assert playback.config().config == config


class _capture_of:  # noqa: N801  # reads as a word
    """A capture of the library's own over one image in our memory, and how often that image was released."""

    def __init__(self, library: K4aLibrary, pixels: np.ndarray, image_format: ImageFormat, width: int, height: int):
        self.sdk, self.pixels, self.releases = library.c, pixels, 0
        self.capture = c.c_void_p()
        image = c.c_void_p()
        self._released = RELEASED(self._count)
        create = self.sdk.k4a_image_create_from_buffer
        create.argtypes = (
            *(c.c_int,) * 4, c.c_void_p, c.c_size_t, RELEASED, c.c_void_p, c.POINTER(c.c_void_p),
        )  # fmt: skip
        stride = image_stride_bytes(image_format, width)
        made = create(
            image_format.sdk_value, width, height, stride, pixels.ctypes.data, pixels.nbytes, self._released, None,
            c.byref(image),
        )  # fmt: skip
        assert made == SUCCEEDED
        for name, value in zip(SETTERS, (33_333, 44, 8330, 4500, 100), strict=True):
            getattr(self.sdk, name)(image, value)
        self.sdk.k4a_capture_create.argtypes = (c.POINTER(c.c_void_p),)
        assert self.sdk.k4a_capture_create(c.byref(self.capture)) == SUCCEEDED
        kind = "depth" if image_format is ImageFormat.DEPTH16 else "color"
        setter = getattr(self.sdk, f"k4a_capture_set_{kind}_image")
        setter.argtypes, setter.restype = (c.c_void_p, c.c_void_p), None
        setter(self.capture, image)
        self.sdk.k4a_image_release(image)

    def _count(self, buffer: int | None, context: int | None) -> None:
        self.releases += 1

    def __enter__(self) -> c.c_void_p:
        return self.capture

    def __exit__(self, *error: object) -> None:
        self.sdk.k4a_capture_release(self.capture)


def test_an_image_is_the_librarys_own_memory_and_is_released_once(library: K4aLibrary):
    pixels = np.arange(640 * 576, dtype=np.uint16).reshape(576, 640)
    made = _capture_of(library, pixels, ImageFormat.DEPTH16, 640, 576)
    library.c.k4a_capture_set_temperature_c(made.capture, 41.5)
    capture = take_capture(library, made.capture, "000000000001", 7, None)
    assert capture.depth is not None
    assert capture.depth.pixels.__array_interface__["data"][0] == pixels.ctypes.data
    assert np.array_equal(capture.depth.pixels, pixels)
    assert (capture.index, capture.temperature_c, capture.color) == (7, 41.5, None)
    image = capture.depth
    assert (image.width_px, image.height_px, image.device_timestamp_usec) == (640, 576, 33_333)
    assert (image.system_timestamp_nsec, image.exposure_usec, image.white_balance_k, image.iso_speed) == (
        44, 8330, 4500, 100,
    )  # fmt: skip
    assert made.releases == 0
    del capture
    view = image.pixels[::2]
    del image
    assert made.releases == 0
    del view
    assert made.releases == 1


def test_the_memory_of_many_captures_does_not_grow(library: K4aLibrary):
    """3000 images of 2 MB that the library allocates: one in a hundred leaked would be 60 MB."""
    gc.collect()

    def rss_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    def run(count: int) -> None:
        for index in range(count):
            image, capture = c.c_void_p(), c.c_void_p()
            assert library.c.k4a_image_create(ImageFormat.DEPTH16.sdk_value, 1024, 1024, 2048, c.byref(image)) == 0
            assert library.c.k4a_capture_create(c.byref(capture)) == 0
            library.c.k4a_capture_set_depth_image(capture, image)
            library.c.k4a_image_release(image)
            taken = take_capture(library, capture, "000000000001", index, None)
            assert taken.depth is not None
            np.asarray(taken.depth.pixels)[::64, ::64].sum()

    made = _capture_of(library, np.zeros((2, 4), np.uint16), ImageFormat.DEPTH16, 4, 2)  # declares the setters
    take_capture(library, made.capture, "", 0, None)
    run(100)
    before_mb = rss_mb()
    run(3000)
    assert rss_mb() - before_mb < 20


_SILENT = """
import sys
from genlock.devices.native import NativeBackend
from genlock.errors import DeviceOpenError
from genlock.rig import Rig

with NativeBackend(Rig(), library=sys.argv[1]) as backend:
    library = backend._library
    with library.log.reasons() as reasons:
        import ctypes
        assert library.c.k4a_device_open(0, ctypes.byref(ctypes.c_void_p())) != 0
    assert reasons.text, "the SDK gave no reason"
    try:
        backend.open("000000000001")
    except DeviceOpenError:
        pass
"""


def test_the_real_library_tells_its_reasons_to_us_and_nothing_to_standard_output(sdk: Sdk):
    done = subprocess.run(
        [sys.executable, "-c", _SILENT, str(find_libraries())], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
