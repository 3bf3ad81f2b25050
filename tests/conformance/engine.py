"""Microsoft's transformation functions and the closed depth engine behind them, as an oracle.

The engine draws with OpenGL and wants a display. It runs in a process of its own under a virtual one (Xvfb, Mesa's
software renderer), so that whatever it does to its process it does to that one alone::

    python -m conformance.engine LIBRARIES CALIBRATION DEPTH_MODE COLOR_RESOLUTION IN.npz OUT.npz
"""

from __future__ import annotations

import ctypes as c
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_DEPTH16, _BGRA32, _CUSTOM = 4, 3, 8
_CALIBRATION_BYTES = 1032
_DEPTH, _COLOR = 0, 1
_TRIES = 6
DISPLAY_MISSING = "the depth engine needs a display: install Xvfb and Mesa (xvfb libgl1 libgl1-mesa-dri)"


class EngineError(Exception):
    """The engine refused; no display, as a rule."""


class Float2(c.Structure):
    _fields_ = (("x", c.c_float), ("y", c.c_float))


class Float3(c.Structure):
    _fields_ = (("x", c.c_float), ("y", c.c_float), ("z", c.c_float))


class SdkCalibration:
    """``k4a_calibration_t`` and the functions on single points; needs no display."""

    def __init__(self, k4a: c.CDLL, raw: bytes, depth_mode: int, color_resolution: int) -> None:
        self._k4a = k4a
        self.memory = c.create_string_buffer(_CALIBRATION_BYTES)
        raw = raw.rstrip(b"\0") + b"\0"
        k4a.k4a_calibration_get_from_raw.argtypes = [c.c_char_p, c.c_size_t, c.c_int, c.c_int, c.c_void_p]
        if k4a.k4a_calibration_get_from_raw(raw, len(raw), depth_mode, color_resolution, self.memory) != 0:
            raise EngineError("k4a_calibration_get_from_raw refused the calibration")
        for name in ("2d_to_3d", "3d_to_2d"):
            getattr(k4a, f"k4a_calibration_{name}").restype = c.c_int

    def camera(self, which: int) -> tuple[NDArray[np.float32], int, int, float]:
        """Fifteen parameters, width, height, metric radius; 0 is the depth camera, 1 the color camera."""
        values = np.frombuffer(self.memory.raw, np.uint8)[which * 128 : which * 128 + 128]
        sizes = values[48 + 68 : 48 + 76].view(np.int32)
        parameters = values[48 + 8 : 48 + 68].view(np.float32)
        return parameters, int(sizes[0]), int(sizes[1]), float(values[48 + 76 :].view(np.float32)[0])

    def extrinsics(self, source: int, target: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Rotation (3, 3) and translation in mm of ``T_target_source``."""
        values = np.frombuffer(self.memory.raw, np.float32, 12, 256 + (source * 4 + target) * 48)
        return values[:9].reshape(3, 3), values[9:]

    def unproject(self, px: tuple[float, float], z_mm: float, source: int, target: int) -> tuple[list[float], bool]:
        out, valid = Float3(), c.c_int()
        point = Float2(*px)
        self._k4a.k4a_calibration_2d_to_3d(
            self.memory, c.byref(point), c.c_float(z_mm), source, target, c.byref(out), c.byref(valid)
        )
        return [out.x, out.y, out.z], bool(valid.value)

    def project(self, point_mm: tuple[float, float, float], source: int, target: int) -> tuple[list[float], bool]:
        out, valid = Float2(), c.c_int()
        point = Float3(*point_mm)
        self._k4a.k4a_calibration_3d_to_2d(self.memory, c.byref(point), source, target, c.byref(out), c.byref(valid))
        return [out.x, out.y], bool(valid.value)


class SdkTransformation:
    """``k4a_transformation_t``; with both cameras on it needs a display."""

    def __init__(self, k4a: c.CDLL, calibration: SdkCalibration) -> None:
        self._k4a = k4a
        k4a.k4a_transformation_create.restype = c.c_void_p
        for name in (
            "depth_image_to_point_cloud",
            "depth_image_to_color_camera",
            "color_image_to_depth_camera",
        ):
            getattr(k4a, f"k4a_transformation_{name}").restype = c.c_int
        k4a.k4a_transformation_destroy.argtypes = [c.c_void_p]
        handle = k4a.k4a_transformation_create(calibration.memory)
        if not handle:
            raise EngineError(DISPLAY_MISSING)
        self._handle = c.c_void_p(handle)

    def close(self) -> None:
        self._k4a.k4a_transformation_destroy(self._handle)

    @contextmanager
    def image(self, pixels: NDArray[np.generic], image_format: int) -> Iterator[c.c_void_p]:
        """A ``k4a_image_t`` over the array itself."""
        handle = c.c_void_p()
        create = self._k4a.k4a_image_create_from_buffer
        create.argtypes = [
            c.c_int,
            c.c_int,
            c.c_int,
            c.c_int,
            c.c_void_p,
            c.c_size_t,
            c.c_void_p,
            c.c_void_p,
            c.c_void_p,
        ]
        height, width = pixels.shape[:2]
        address = pixels.ctypes.data
        if create(image_format, width, height, pixels.strides[0], address, pixels.nbytes, None, None, c.byref(handle)):
            raise EngineError("k4a_image_create_from_buffer")
        try:
            yield handle
        finally:
            self._k4a.k4a_image_release(handle)

    def point_cloud(self, depth: NDArray[np.uint16], out: NDArray[np.int16], camera: int = _DEPTH) -> None:
        with self.image(depth, _DEPTH16) as source, self.image(out, _CUSTOM) as target:
            if self._k4a.k4a_transformation_depth_image_to_point_cloud(self._handle, source, camera, target):
                raise EngineError("k4a_transformation_depth_image_to_point_cloud")

    def depth_to_color(self, depth: NDArray[np.uint16], out: NDArray[np.uint16]) -> None:
        """The engine sometimes says that it is done and has not begun: then a pattern in ``out`` is untouched."""
        with self.image(depth, _DEPTH16) as source, self.image(out, _DEPTH16) as target:
            for _ in range(_TRIES):
                out[:] = 0xBEEF
                result = self._k4a.k4a_transformation_depth_image_to_color_camera(self._handle, source, target)
                if result == 0 and not (out == 0xBEEF).all():
                    return
        raise EngineError("k4a_transformation_depth_image_to_color_camera")

    def color_to_depth(self, depth: NDArray[np.uint16], bgra: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        with self.image(depth, _DEPTH16) as source, self.image(bgra, _BGRA32) as color, self.image(out, _BGRA32) as to:
            for _ in range(_TRIES):
                out[:] = 0xEE
                result = self._k4a.k4a_transformation_color_image_to_depth_camera(self._handle, source, color, to)
                if result == 0 and not (out == 0xEE).all():
                    return
        raise EngineError("k4a_transformation_color_image_to_depth_camera")


@contextmanager
def virtual_display() -> Iterator[Mapping[str, str]]:
    """An environment with a display: the one there is, or Xvfb's for as long as this lasts."""
    if os.environ.get("DISPLAY"):
        yield dict(os.environ)
        return
    server = shutil.which("Xvfb")
    if server is None:
        raise EngineError(DISPLAY_MISSING)
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise EngineError("Xvfb did not start")
        yield {**os.environ, "DISPLAY": f":{number}", "LIBGL_ALWAYS_SOFTWARE": "1"}
    finally:
        process.terminate()
        process.wait()


def run_engine(
    libraries: Path,
    calibration: Path,
    modes: tuple[int, int],
    depth: NDArray[np.uint16],
    bgra: NDArray[np.uint8],
    scratch: Path,
) -> Mapping[str, NDArray[np.generic]]:
    """What the engine makes of these images: ``depth_to_color``, ``color_to_depth``, and ``seconds`` for each."""
    given, made = scratch / "given.npz", scratch / "made.npz"
    np.savez(given, depth=depth, bgra=bgra)
    arguments = [str(libraries), str(calibration), *map(str, modes), str(given), str(made)]
    with virtual_display() as environment:
        done = subprocess.run(
            [sys.executable, "-m", "conformance.engine", *arguments],
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    if done.returncode != 0:
        raise EngineError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else DISPLAY_MISSING)
    with np.load(made) as results:
        return dict(results)


def _main(libraries: str, calibration: str, depth_mode: str, color_resolution: str, given: str, made: str) -> None:
    from conformance.sdk import Sdk

    k4a = Sdk(Path(libraries)).k4a
    sdk_calibration = SdkCalibration(k4a, Path(calibration).read_bytes(), int(depth_mode), int(color_resolution))
    transformation = SdkTransformation(k4a, sdk_calibration)
    with np.load(given) as inputs:
        depth, bgra = inputs["depth"], inputs["bgra"]
    depth_to_color = np.empty(bgra.shape[:2], np.uint16)
    color_to_depth = np.empty((*depth.shape, 4), np.uint8)
    seconds = []
    for call in (
        lambda: transformation.depth_to_color(depth, depth_to_color),
        lambda: transformation.color_to_depth(depth, bgra, color_to_depth),
    ):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    transformation.close()
    np.savez(made, depth_to_color=depth_to_color, color_to_depth=color_to_depth, seconds=np.array(seconds))


if __name__ == "__main__":
    try:
        _main(*sys.argv[1:])
    except EngineError as error:
        sys.exit(str(error))
