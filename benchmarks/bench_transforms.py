"""The transforms side by side in one run: genlock, the SDK, Open3D, numpy, straightforward numba, a memory copy.

    python benchmarks/bench_transforms.py [--rounds 15]

The SDK's point cloud is its SSE path; its depth-to-color runs in the closed engine on OpenGL, here on Mesa's software
renderer under Xvfb where there is no other display. Rounds are interleaved, so that a busy moment of the machine hits
every contender; each timed call follows three untimed ones of its own, so that nobody pays for the caches that another
swept. The table shows medians of processor time, which for one thread is what passes on an idle machine, each also as a
multiple of genlock's; of the engine, whose work other threads do, it is the time that passes. Contenders that cannot be
had here are left out and named. A copy moves the bytes that the transform reads and writes at least: images in and out.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from conformance.engine import EngineError, SdkCalibration, SdkTransformation, run_engine
from conformance.libraries import LibrariesMissingError, find_libraries
from conformance.sdk import Sdk
from genlock.fuse import CloudMaker, DeviceView, Transformation
from genlock.fuse.lens import pack_lens, project_point
from genlock.geometry import Pose, RigExtrinsics, device_frame
from genlock.k4a import COLOR_GEOMETRY, ColorResolution, DepthMode
from genlock.k4a.calibration import DeviceCalibration

SHARED = Path(__file__).parents[2] / "shared" / "data" / "k4a"
CALIBRATION = SHARED / "calibration.json"
MODE = DepthMode.NFOV_UNBINNED
RESOLUTIONS = (ColorResolution.RES_720P, ColorResolution.RES_1080P, ColorResolution.RES_2160P)
CLOUD_DEVICES = 10
WARM_CALLS = 3

Contenders = dict[str, Callable[[], object]]


def scene() -> np.ndarray:
    y, x = np.mgrid[:576, :640]
    depth = 1500 + 0.8 * x + 60 * np.sin(y / 30)
    depth[(x - 250) ** 2 + (y - 300) ** 2 < 110**2] = 800
    depth[250:300, 500:520] = 0
    return depth.astype(np.uint16)


def medians_ms(contenders: Contenders, rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            for _ in range(WARM_CALLS):
                run()
            started = time.process_time()
            run()
            times[name].append((time.process_time() - started) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def show(title: str, results: dict[str, float], missing: Sequence[str] = ()) -> None:
    print(f"\n{title}")
    own = results["genlock"]
    for name, value in results.items():
        print(f"  {name:<28} {value:9.3f} ms   {value / own:8.2f} x genlock")
    for reason in missing:
        print(f"  not here: {reason}")


def copy_of(nbytes: int) -> Callable[[], object]:
    source, target = np.ones(nbytes // 2, np.uint8), np.ones(nbytes // 2, np.uint8)  # read and written once each
    return lambda: np.copyto(target, source)


def bench_cloud(calibration: DeviceCalibration, rounds: int) -> None:
    depth, missing = scene(), []
    transformation = Transformation(calibration, MODE, ColorResolution.OFF)
    out = np.empty((576, 640, 3), np.int16)
    camera = transformation.depth_camera
    v, u = np.mgrid[:576, :640]
    rays = camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))[0].astype(np.float32).reshape(576, 640, 3)
    contenders: Contenders = {
        "genlock": lambda: transformation.point_cloud(depth, out),
        "numpy, table of rays": lambda: np.rint(rays * depth[:, :, None]).astype(np.int16),
        "memory copy": copy_of(depth.nbytes + out.nbytes),
    }
    try:
        k4a = Sdk(find_libraries()).k4a
        sdk = SdkTransformation(k4a, SdkCalibration(k4a, CALIBRATION.read_bytes(), MODE.sdk_value, 0))
        theirs = np.empty_like(out)
        with sdk.image(depth, 4) as source, sdk.image(theirs, 8) as target:
            call = k4a.k4a_transformation_depth_image_to_point_cloud
            contenders["SDK (SSE)"] = lambda: call(sdk._handle, source, 0, target)
            _add_open3d(contenders, missing, depth, camera)
            show("point cloud, 640 x 576", medians_ms(contenders, 10 * rounds), missing)
        return
    except (LibrariesMissingError, OSError) as error:
        missing.append(f"SDK: {error}")
    show("point cloud, 640 x 576", medians_ms(contenders, 10 * rounds), missing)


def _add_open3d(contenders: Contenders, missing: list[str], depth: np.ndarray, camera: object) -> None:
    try:
        import open3d as o3d
    except ImportError as error:
        missing.append(f"Open3D (pip install open3d-cpu): {error}")
        return

    intrinsics = o3d.camera.PinholeCameraIntrinsic(640, 576, camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px)
    image = o3d.geometry.Image(depth)
    make = o3d.geometry.PointCloud.create_from_depth_image
    contenders["Open3D (no distortion)"] = lambda: make(image, intrinsics)


@njit(nogil=True)
def straightforward(depth, px, z_color, is_valid, out):  # the rules written down as they are read, in 64 bits
    out[:] = 0
    height, width = depth.shape
    for y in range(height - 1):
        for x in range(width - 1):
            if not (is_valid[y, x] and is_valid[y, x + 1] and is_valid[y + 1, x + 1] and is_valid[y + 1, x]):
                continue
            z = (z_color[y, x], z_color[y, x + 1], z_color[y + 1, x + 1], z_color[y + 1, x])
            if max(z) - min(z) > 0.04693441759 * min(z):
                continue
            us = (px[y, x, 0], px[y, x + 1, 0], px[y + 1, x + 1, 0], px[y + 1, x, 0])
            vs = (px[y, x, 1], px[y, x + 1, 1], px[y + 1, x + 1, 1], px[y + 1, x, 1])
            for row in range(max(math.ceil(min(vs)), 0), min(math.ceil(max(vs)), out.shape[0])):
                for column in range(max(math.ceil(min(us)), 0), min(math.ceil(max(us)), out.shape[1])):
                    mid = (row - vs[0]) * (us[2] - us[0]) - (column - us[0]) * (vs[2] - vs[0])
                    m = 3 if mid >= 0 else 1
                    sign = 1.0 if mid >= 0 else -1.0
                    tl = sign * ((row - vs[m]) * (us[0] - us[m]) - (column - us[m]) * (vs[0] - vs[m]))
                    br = sign * ((row - vs[2]) * (us[m] - us[2]) - (column - us[2]) * (vs[m] - vs[2]))
                    if tl >= 0 and br > 0:
                        mid *= sign
                        value = int((tl * z[2] + mid * z[m] + br * z[0]) / (tl + mid + br) + 0.5)
                        if out[row, column] == 0 or value < out[row, column]:
                            out[row, column] = value


@njit(nogil=True)
def project_all(depth, rays, rotation, translation, lens, px, z_color, is_valid):
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            z = float(depth[y, x])
            X, Y = rays[y, x, 0] * z, rays[y, x, 1] * z
            a = rotation[0, 0] * X + rotation[0, 1] * Y + rotation[0, 2] * z + translation[0]
            b = rotation[1, 0] * X + rotation[1, 1] * Y + rotation[1, 2] * z + translation[1]
            c = rotation[2, 0] * X + rotation[2, 1] * Y + rotation[2, 2] * z + translation[2]
            u, v, valid = project_point(a, b, c, lens)
            px[y, x, 0], px[y, x, 1], z_color[y, x] = u, v, c
            is_valid[y, x] = valid and z > 0


def straightforward_contender(transformation: Transformation, depth: np.ndarray) -> Callable[[], object]:
    camera, T_color_depth = transformation.color_camera, transformation.T_color_depth
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays = transformation.depth_camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))[0].reshape(*depth.shape, 3)
    rotation, translation = np.array(T_color_depth.rotation), T_color_depth.translation_m * 1000
    lens = pack_lens(camera).astype(np.float64)
    px, z_color, is_valid = np.empty((*depth.shape, 2)), np.empty(depth.shape), np.empty(depth.shape, np.bool_)
    out = np.empty((camera.height_px, camera.width_px), np.uint16)

    def run() -> None:
        project_all(depth, rays, rotation, translation, lens, px, z_color, is_valid)
        straightforward(depth, px, z_color, is_valid, out)

    return run


def bench_depth_to_color(calibration: DeviceCalibration, rounds: int) -> None:
    depth = scene()
    for resolution in RESOLUTIONS:
        transformation = Transformation(calibration, MODE, resolution)
        size = COLOR_GEOMETRY[resolution]
        out = np.empty((size.height_px, size.width_px), np.uint16)
        contenders: Contenders = {
            "genlock": lambda t=transformation, o=out: t.depth_to_color(depth, o),
            "straightforward numba": straightforward_contender(transformation, depth),
            "memory copy": copy_of(depth.nbytes + out.nbytes),
        }
        results, missing = medians_ms(contenders, rounds), []
        try:
            with tempfile.TemporaryDirectory() as scratch:
                bgra = np.zeros((size.height_px, size.width_px, 4), np.uint8)
                modes = (MODE.sdk_value, resolution.sdk_value)
                made = run_engine(find_libraries(), CALIBRATION, modes, depth, bgra, Path(scratch))
            results["SDK (engine, software GL)"] = float(made["seconds"][0]) * 1e3
        except (LibrariesMissingError, EngineError) as error:
            missing.append(f"SDK: {error}")
        show(f"depth to color, {resolution}", results, missing)


def bench_rig_cloud(calibration: DeviceCalibration, rounds: int) -> None:
    poses = {}
    for number in range(CLOUD_DEVICES):
        angle = 2 * math.pi * number / CLOUD_DEVICES
        rotation = np.array([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
        serial = f"{number:012d}"
        poses[serial] = Pose("world", device_frame(serial), rotation, rotation @ [0, 0, -2.0])
    modes = (MODE, ColorResolution.RES_720P)
    views = [DeviceView.of(serial, calibration, modes, RigExtrinsics(poses)) for serial in poses]
    maker = CloudMaker(views)
    depths = {serial: np.maximum(scene(), 1) for serial in poses}
    points = maker.points(depths)
    contenders: Contenders = {
        "genlock": lambda: maker.points(depths),
        "memory copy of the cloud": copy_of(2 * points.nbytes),
    }
    show(f"{CLOUD_DEVICES} devices, one cloud, {len(points)} points", medians_ms(contenders, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    if not CALIBRATION.exists():
        print(f"{CALIBRATION} is not here: nothing to measure with")
        return
    calibration = DeviceCalibration.from_json(CALIBRATION.read_bytes())
    bench_cloud(calibration, rounds)
    bench_depth_to_color(calibration, rounds)
    bench_rig_cloud(calibration, rounds)


if __name__ == "__main__":
    main()
