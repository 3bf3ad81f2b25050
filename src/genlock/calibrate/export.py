"""Cameras in other tools' files.

All of these want ``T_cam_world`` (points of the world into the camera), in metres, and a lens in OpenCV's rational
model with the coefficients k1 k2 p1 p2 k3 k4 k5 k6; nerfstudio alone wants ``T_world_cam`` with y up and z backwards.
Each format's convention stands at its function, with where it comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.polynomial import polynomial_lens
from genlock.geometry import CameraModel, LensModel, Pose

__all__ = ["EXPORTS", "PlacedCamera", "export_cameras", "lenses_toml"]


@dataclass(frozen=True, slots=True)
class PlacedCamera:
    """One camera with its lens, somewhere in the world."""

    name: str
    model: CameraModel
    T_world_cam: Pose

    @property
    def file_name(self) -> str:
        """The name with nothing in it that other tools' files, commands and frames cannot bear: spaces above all."""
        return re.sub(r"[^A-Za-z0-9.-]+", "_", self.name)

    @property
    def matrix(self) -> list[list[float]]:
        """OpenCV's camera matrix."""
        m = self.model
        return [[m.fx_px, 0.0, m.cx_px], [0.0, m.fy_px, m.cy_px], [0.0, 0.0, 1.0]]

    @property
    def distortion(self) -> list[float]:
        """k1 k2 p1 p2 k3 k4 k5 k6. The radius beyond which an Azure Kinect's lens says nothing has no place in it."""
        m = self.model
        return [m.k1, m.k2, m.p1, m.p2, m.k3, m.k4, m.k5, m.k6]


def export_cameras(cameras: Sequence[PlacedCamera], kind: str) -> Mapping[str, str]:
    """The files of one format, name -> content.

    Raises:
        ValueError: no such format, or a lens that it cannot hold.
    """
    _refuse_own_lenses(cameras)
    if len({camera.file_name for camera in cameras}) < len(cameras):
        raise ValueError(f"these cameras need more different names: {', '.join(camera.name for camera in cameras)}")
    if kind not in EXPORTS:
        raise ValueError(f"no export {kind!r}; there are {', '.join(EXPORTS)}")
    return EXPORTS[kind](cameras)


def _refuse_own_lenses(cameras: Sequence[PlacedCamera]) -> None:
    for camera in cameras:
        if camera.model.codx or camera.model.cody:
            raise ValueError(f"camera {camera.name} has a centre of distortion of its own, which no other tool knows")
        if camera.model.lens_model is not LensModel.BROWN_CONRADY and (camera.model.p1 or camera.model.p2):
            raise ValueError(f"camera {camera.name} has the lens formula of older units, which no other tool knows")


def _opencv(cameras: Sequence[PlacedCamera]) -> dict[str, str]:
    """A YAML of OpenCV's FileStorage for each camera; R and t are ``T_cam_world``."""
    files = {}
    for camera in cameras:
        T_cam_world = camera.T_world_cam.inverse()
        lines = ["%YAML:1.0", "---", f"image_width: {camera.model.width_px}", f"image_height: {camera.model.height_px}"]
        lines += _opencv_matrix("camera_matrix", np.array(camera.matrix))
        lines += _opencv_matrix("distortion_coefficients", np.array([camera.distortion]))
        lines += _opencv_matrix("R", T_cam_world.rotation)
        lines += _opencv_matrix("t", T_cam_world.translation_m[:, None])
        files[f"{camera.file_name}.yaml"] = "\n".join(lines) + "\n"
    return files


def _opencv_matrix(name: str, values: NDArray[np.float64]) -> list[str]:
    data = ", ".join(f"{value:.17g}" if value % 1 else f"{value:.1f}" for value in values.ravel())
    rows, columns = values.shape
    return [f"{name}: !!opencv-matrix", f"   rows: {rows}", f"   cols: {columns}", "   dt: d", f"   data: [ {data} ]"]


def _colmap(cameras: Sequence[PlacedCamera]) -> dict[str, str]:
    """COLMAP's text model: FULL_OPENCV, ``T_cam_world`` as qw qx qy qz tx ty tz, one image a camera, no points.

    The cameras are one rig, of which the first is the reference, and the images one frame of it: ``sensor_from_rig`` is
    ``T_cam_first``, ``rig_from_world`` is ``T_first_world``. COLMAP's pixel centres lie at halves: cx and cy are half a
    pixel larger. Source: colmap.github.io, "Output format".
    """
    lens, images = ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6"], []
    images.append("# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME")
    for number, camera in enumerate(cameras, start=1):
        m, T_cam_world = camera.model, camera.T_world_cam.inverse()
        parameters = [m.fx_px, m.fy_px, m.cx_px + 0.5, m.cy_px + 0.5, *camera.distortion]
        lens.append(f"{number} FULL_OPENCV {m.width_px} {m.height_px} {_numbers(parameters)}")
        pose = [*T_cam_world.rotation_wxyz, *T_cam_world.translation_m]
        images += [f"{number} {_numbers(pose)} {number} {camera.file_name}.png", ""]
    T_first_world = cameras[0].T_world_cam.inverse()
    sensors, data = ["CAMERA 1"], [f"CAMERA {number} {number}" for number in range(1, len(cameras) + 1)]
    for number, camera in enumerate(cameras[1:], start=2):
        T_cam_first = camera.T_world_cam.inverse() @ cameras[0].T_world_cam
        sensors.append(f"CAMERA {number} 1 {_numbers([*T_cam_first.rotation_wxyz, *T_cam_first.translation_m])}")
    pose = [*T_first_world.rotation_wxyz, *T_first_world.translation_m]
    return {
        "rigs.txt": "# RIG_ID, NUM_SENSORS, REF_SENSOR, SENSORS[] (TYPE, ID, HAS_POSE, SENSOR_FROM_RIG)\n"
        f"1 {len(cameras)} {' '.join(sensors)}\n",
        "frames.txt": "# FRAME_ID, RIG_ID, RIG_FROM_WORLD, NUM_DATA_IDS, DATA_IDS[] (TYPE, SENSOR_ID, IMAGE_ID)\n"
        f"1 1 {_numbers(pose)} {len(cameras)} {' '.join(data)}\n",
        "cameras.txt": "\n".join(lens) + "\n",
        "images.txt": "\n".join(images) + "\n",
        "points3D.txt": "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[]\n",
    }


def _nerfstudio(cameras: Sequence[PlacedCamera]) -> dict[str, str]:
    """``transforms.json``: ``T_world_cam`` of a camera whose y is up and whose z looks backwards (OpenGL).

    Source: docs.nerf.studio, "Data conventions". Its OPENCV model is a polynomial of four radial terms, no fraction:
    the lens is fitted.
    """
    frames = []
    for camera in cameras:
        matrix = np.eye(4)
        matrix[:3, :3] = camera.T_world_cam.rotation @ np.diag([1.0, -1.0, -1.0])
        matrix[:3, 3] = camera.T_world_cam.translation_m
        m, lens = camera.model, polynomial_lens(camera.model, 4)
        k1, k2, k3, k4 = lens.radial
        frames.append(
            {
                "file_path": f"images/{camera.file_name}.png", "transform_matrix": matrix.tolist(),
                "w": m.width_px, "h": m.height_px, "fl_x": m.fx_px, "fl_y": m.fy_px,
                "cx": m.cx_px + 0.5, "cy": m.cy_px + 0.5,
                "k1": k1, "k2": k2, "k3": k3, "k4": k4, "p1": lens.p1, "p2": lens.p2,
            }
        )  # fmt: skip
    return {"transforms.json": json.dumps({"camera_model": "OPENCV", "frames": frames}, indent=2) + "\n"}


def _toml(cameras: Sequence[PlacedCamera]) -> dict[str, str]:
    """``camera_array.toml`` of caliscope / aniposelib: a table a camera, rotation as a vector, ``T_cam_world``.

    ``metric_radius`` is genlock's own, for ``load_intrinsics``: they read the keys that they know.
    """
    blocks = []
    for number, camera in enumerate(cameras):
        T_cam_world = camera.T_world_cam.inverse()
        size = [camera.model.width_px, camera.model.height_px]
        blocks.append(
            f"[cam_{number}]\nname = {json.dumps(camera.name)}\nsize = {size}\n"
            f"matrix = {json.dumps(camera.matrix)}\ndistortions = {json.dumps(camera.distortion)}\n"
            f"metric_radius = {camera.model.metric_radius}\n"
            f"rotation = {json.dumps(_rotation_vector(T_cam_world).tolist())}\n"
            f"translation = {json.dumps(T_cam_world.translation_m.tolist())}\n"
        )
    return {"camera_array.toml": "\n".join(blocks)}


def lenses_toml(lenses: Mapping[str, CameraModel]) -> str:
    """Lenses alone, in the same TOML: what ``--intrinsics`` reads.

    Raises:
        ValueError: a lens that it cannot hold.
    """
    placed = [PlacedCamera(name, model, Pose.identity("world", name)) for name, model in lenses.items()]
    _refuse_own_lenses(placed)
    return _toml(placed)["camera_array.toml"]


def _kalibr(cameras: Sequence[PlacedCamera]) -> dict[str, str]:
    """``camchain.yaml``: each camera's ``T_cn_cnm1``, from the camera before it.

    Its radtan lens is a polynomial of two radial terms: the lens is fitted, and a comment says how well. Source: the
    Kalibr wiki, "Yaml formats" and "Supported models".
    """
    lines = []
    for number, camera in enumerate(cameras):
        m, lens = camera.model, polynomial_lens(camera.model, 2)
        lines += [f"# camera {camera.name}: radtan misplaces no pixel by more than {lens.max_error_px:.2f} px"]
        lines += [f"cam{number}:", "  camera_model: pinhole", "  distortion_model: radtan"]
        lines += [
            f"  intrinsics: [{m.fx_px:.12g}, {m.fy_px:.12g}, {m.cx_px:.12g}, {m.cy_px:.12g}]",
            f"  distortion_coeffs: [{lens.radial[0]:.12g}, {lens.radial[1]:.12g}, {lens.p1:.12g}, {lens.p2:.12g}]",
            f"  resolution: [{m.width_px}, {m.height_px}]",
            f"  rostopic: /cam{number}/image_raw",
        ]
        if number:
            T = camera.T_world_cam.inverse() @ cameras[number - 1].T_world_cam
            lines.append("  T_cn_cnm1:")
            rows = [[*T.rotation[i], T.translation_m[i]] for i in range(3)] + [[0.0, 0.0, 0.0, 1.0]]
            lines += [f"  - [{', '.join(f'{value:.12g}' for value in row)}]" for row in rows]
    return {"camchain.yaml": "\n".join(lines) + "\n"}


def _ros(cameras: Sequence[PlacedCamera]) -> dict[str, str]:
    """Static transforms for tf2: parent world, child ``NAME_optical_frame`` (z forward), ``T_world_cam``, xyzw."""
    commands = []
    for camera in cameras:
        x, y, z = camera.T_world_cam.translation_m
        qw, qx, qy, qz = camera.T_world_cam.rotation_wxyz
        commands.append(
            f"ros2 run tf2_ros static_transform_publisher --x {x:.9g} --y {y:.9g} --z {z:.9g} --qx {qx:.9g} "
            f"--qy {qy:.9g} --qz {qz:.9g} --qw {qw:.9g} --frame-id world "
            f"--child-frame-id {camera.file_name}_optical_frame &"
        )
    return {"static_transforms.sh": "#!/bin/sh\n" + "\n".join(commands) + "\nwait\n"}


def _rotation_vector(pose: Pose) -> NDArray[np.float64]:  # (3,)
    w, *xyz = pose.rotation_wxyz
    sine = float(np.linalg.norm(xyz))
    return np.asarray(xyz) * (2 * np.arctan2(sine, w) / sine if sine > 1e-12 else 2.0)


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.17g}" for value in values)


EXPORTS = {
    "opencv": _opencv,
    "colmap": _colmap,
    "nerfstudio": _nerfstudio,
    "toml": _toml,
    "kalibr": _kalibr,
    "ros": _ros,
}
"""Every format by its name."""
