"""Lens models from other tools' files: TOML of caliscope and aniposelib, YAML of OpenCV."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from genlock.calibrate.opencv import load_opencv
from genlock.errors import IntrinsicsFileError
from genlock.geometry import CameraModel

__all__ = ["load_intrinsics"]

_NO_LIMIT = 10.0
"""Other tools' models have no radius beyond which they say nothing."""


def load_intrinsics(path: Path) -> dict[str, CameraModel]:
    """The cameras of a file, by name.

    * ``*.toml``: a table a camera, ``[cameras.0]`` (caliscope) or ``[cam_0]`` (aniposelib), with ``matrix``,
      ``distortions`` and ``size``. The name is ``name``, else ``cam_id``, else the table's own.
    * ``*.yaml``, ``*.yml``: OpenCV's FileStorage with ``camera_matrix``, ``distortion_coefficients``, ``image_width``,
      ``image_height``; one camera, named like the file. A folder of such files is as many cameras.

    Raises:
        IntrinsicsFileError: none of these, or something is missing.
    """
    if path.is_dir():
        files = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
        if not files:
            raise IntrinsicsFileError(path, "holds no *.yaml of OpenCV.")
        return {name: camera for file in files for name, camera in load_intrinsics(file).items()}
    if not path.is_file():
        raise IntrinsicsFileError(path, "is not there.")
    if path.suffix == ".toml":
        return _from_toml(path)
    if path.suffix in (".yaml", ".yml"):
        return {path.stem: _from_opencv_yaml(path)}
    raise IntrinsicsFileError(path, "should be a .toml of caliscope or aniposelib, or a .yaml of OpenCV.")


def _from_toml(path: Path) -> dict[str, CameraModel]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise IntrinsicsFileError(path, f"is no TOML: {error}") from error
    tables = content.get("cameras", content)
    cameras = {}
    for key, table in tables.items():
        if isinstance(table, dict) and "matrix" in table:
            name = str(table.get("name", table.get("cam_id", key)))
            try:
                cameras[name] = _model(table["matrix"], table["distortions"], table["size"])
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise IntrinsicsFileError(path, f"camera {key}: lacks or misplaces {error}") from error
    if not cameras:
        raise IntrinsicsFileError(path, "has no table with a camera's matrix, distortions and size.")
    return cameras


def _from_opencv_yaml(path: Path) -> CameraModel:
    cv2 = load_opencv()
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    except cv2.error as error:
        raise IntrinsicsFileError(path, "is no YAML that OpenCV reads.") from error
    matrix, distortion = storage.getNode("camera_matrix").mat(), storage.getNode("distortion_coefficients").mat()
    size = [int(storage.getNode(name).real()) for name in ("image_width", "image_height")]
    storage.release()
    if matrix is None or distortion is None or not all(size):
        raise IntrinsicsFileError(
            path, "needs camera_matrix, distortion_coefficients, image_width and image_height, as OpenCV writes them."
        )
    return _model(matrix, distortion, size)


def _model(matrix: Any, distortion: Any, size: Any) -> CameraModel:  # Any: as the files have it; checked here
    K, d = np.asarray(matrix, dtype=np.float64), np.asarray(distortion, dtype=np.float64).ravel()
    if K.shape != (3, 3) or len(d) > 8:
        raise ValueError(f"a 3 x 3 matrix and up to 8 distortion coefficients; there are {K.shape} and {len(d)}")
    # OpenCV's order: k1 k2 p1 p2 [k3 [k4 k5 k6]].
    k1, k2, p1, p2, k3, k4, k5, k6 = np.concatenate([d, np.zeros(8 - len(d))]).tolist()
    return CameraModel(
        width_px=int(size[0]),
        height_px=int(size[1]),
        cx_px=float(K[0, 2]),
        cy_px=float(K[1, 2]),
        fx_px=float(K[0, 0]),
        fy_px=float(K[1, 1]),
        k1=k1, k2=k2, k3=k3, k4=k4, k5=k5, k6=k6, p1=p1, p2=p2,
        metric_radius=_NO_LIMIT,
    )  # fmt: skip
