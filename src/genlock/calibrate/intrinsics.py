"""Lens models from other tools' files: TOML of caliscope and aniposelib, YAML or XML of OpenCV."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.opencv import load_opencv
from genlock.errors import IntrinsicsFileError
from genlock.geometry import CameraModel

__all__ = ["load_intrinsics"]

_NO_LIMIT = 10.0
"""Other tools' models have no radius beyond which they say nothing."""

_OPENCV_FILES = (".yaml", ".yml", ".xml")
_MATRIX = ("matrix", "camera_matrix", "cameraMatrix", "Camera_Matrix", "K")
_DISTORTION = (
    "distortions", "distortion_coefficients", "distortion_coeffs", "dist_coeffs", "distCoeffs",
    "Distortion_Coefficients", "dist", "D",
)  # fmt: skip
_SIZE = ("size", "image_size", "imageSize", "cameraResolution", "resolution")
_SIDES = (("image_width", "image_height"), ("image_Width", "image_Height"), ("width", "height"))
"""What caliscope, aniposelib, OpenCV's samples and its users call these."""
_NUMBERED = ("cam_id", "port")
"""caliscope's, now and before: tables of cameras without a lens have them too."""
_MOST_PX = 1 << 20
"""Of an image's side: OpenCV reads none that is larger."""
_FISHEYE = ("fisheye", "fisheye_model")
_POLYNOMIALS = ("plumb_bob", "rational_polynomial", "radtan")
"""ROS's ``distortion_model`` where the coefficients are OpenCV's usual ones."""


def load_intrinsics(path: Path) -> dict[str, CameraModel]:
    """The cameras of a file, by name.

    * ``*.toml``: a table a camera, ``[cameras.0]`` or ``[cam_0]`` (caliscope), ``[cam_0]`` (aniposelib), with
      ``matrix``, ``distortions`` and ``size``, and ``metric_radius`` where genlock wrote it. The name is ``name``,
      else ``cam_id`` or ``port``, else the table's own.
    * ``*.yaml``, ``*.yml``, ``*.xml``: OpenCV's FileStorage with ``camera_matrix``, ``distortion_coefficients``,
      ``image_width``, ``image_height``; one camera, named like the file, or a map of them a camera. ROS's camera_info
      is read alike. A folder of such files is as many cameras.

    Raises:
        IntrinsicsFileError: none of these, or something is missing; every mistake is told at once.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in _OPENCV_FILES)
        if not files:
            raise IntrinsicsFileError(path, "holds no *.yaml of OpenCV.")
    elif path.is_file():
        files = [path]
    else:
        raise IntrinsicsFileError(path, "is not there.")
    cameras: dict[str, CameraModel] = {}
    mistakes: list[str] = []
    for file in files:
        for name, entry in _entries(file):
            place = f"{file.name}, camera {name}" if path.is_dir() else f"camera {name}"
            if not name.strip():
                mistakes.append(f"{place}: its name is empty, and no file could be found by it")
            if name in cameras:
                mistakes.append(f"{place}: there is another camera of this name")
            try:
                cameras[name] = _model(entry)
            except ValueError as error:
                mistakes.append(f"{place}: {error}")
    if mistakes:
        raise IntrinsicsFileError(path, "; ".join(mistakes) + ".")
    if not cameras:
        raise IntrinsicsFileError(path, "has no table with a camera's matrix, distortions and size.")
    return cameras


def _entries(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:  # Any: what a file holds
    """Every camera of a file, with what is said of it."""
    if path.suffix.lower() == ".toml":
        content: Mapping[str, Any] = _toml(path)
        content = content["cameras"] if isinstance(content.get("cameras"), dict) else content
    elif path.suffix.lower() in _OPENCV_FILES:
        content = _opencv(path)
    else:
        raise IntrinsicsFileError(path, "should be a .toml of caliscope or aniposelib, or a .yaml or .xml of OpenCV.")
    if _first(content, _MATRIX) is not None or _first(content, _DISTORTION) is not None:
        yield path.stem, content
    for key, entry in content.items():
        is_camera = isinstance(entry, dict) and any(word in entry for word in (*_MATRIX, *_NUMBERED))
        if is_camera and not entry.get("ignore", False):
            name = next((entry[word] for word in ("name", *_NUMBERED) if word in entry), key)
            yield str(name), entry


def _toml(path: Path) -> dict[str, Any]:  # Any: TOML
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise IntrinsicsFileError(path, f"is no TOML: {error}") from error


def _opencv(path: Path) -> dict[str, Any]:  # Any: FileStorage
    cv2 = load_opencv()
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        root = storage.root()
        content = {key: _value(root.getNode(key)) for key in root.keys()} if storage.isOpened() else {}  # noqa: SIM118
        storage.release()
    except (cv2.error, SystemError, UnicodeDecodeError) as error:
        raise IntrinsicsFileError(
            path, "is no YAML or XML that OpenCV reads; it begins with %YAML:1.0, and its texts are in UTF-8."
        ) from error
    return content


def _value(node: Any) -> Any:  # Any: OpenCV's; numbers, texts, lists and maps of them
    if node.isMap():
        content = {key: _value(node.getNode(key)) for key in node.keys()}  # noqa: SIM118
        return _matrix(content) if isinstance(content.get("data"), list) else content
    if node.isSeq():
        return [_value(node.at(number)) for number in range(node.size())]
    return node.string() if node.isString() else node.real()


def _matrix(content: Mapping[str, Any]) -> list[Any]:  # Any: numbers, or rows of them
    """A matrix as OpenCV or ROS writes it: ``rows``, ``cols``, ``data``; one without is a list."""
    numbers, columns = content["data"], content.get("cols")
    if not isinstance(columns, float) or not 1 <= columns <= len(numbers):
        return list(numbers)
    return [numbers[n : n + int(columns)] for n in range(0, len(numbers), int(columns))]


def _model(entry: Mapping[str, Any]) -> CameraModel:  # Any: as the files have it; checked here
    """Raises ``ValueError``, which says all that is wrong."""
    mistakes = []
    if any(_first(entry, (word,)) for word in _FISHEYE) or entry.get("distortion_model", "radtan") not in _POLYNOMIALS:
        mistakes.append("has a fisheye lens, which is none of genlock's models; undistort its images first")
    K = _numbers(_first(entry, _MATRIX))
    if K.shape != (3, 3) or not K[0, 0] > 0 or not K[1, 1] > 0:
        mistakes.append(f"needs a 3 x 3 {' or '.join(_MATRIX[:2])} with focal lengths in it")
    elif K[1, 0] or K[2].tolist() != [0, 0, 1]:
        is_transposed = not K[0, 1] and K[:, 2].tolist() == [0, 0, 1]
        mistakes.append(
            f"has the camera matrix {K.tolist()}, whose rows should be fx 0 cx, 0 fy cy and 0 0 1"
            + (": it is transposed, as MATLAB has it" if is_transposed else "")
        )
    elif abs(K[0, 1]) > 1e-6 * K[0, 0]:
        mistakes.append("has skewed pixels, which none of genlock's models have")
    d = _numbers(_first(entry, _DISTORTION)).ravel()
    if not np.isfinite(d).all() or len(d) not in (4, 5, 8, 12, 14):
        mistakes.append(f"needs {' or '.join(_DISTORTION[:2])}: 4, 5, 8, 12 or 14 of them")
    elif d[8:].any():
        mistakes.append(
            "has a thin prism or a tilted sensor (coefficients 9 to 14), which are none of genlock's; calibrate the "
            "lens without them"
        )
    sides = [_first(entry, _SIZE)] + [[entry.get(side) for side in pair] for pair in _SIDES]
    sizes = [size.ravel() for size in map(_numbers, sides) if size.size == 2]
    if not sizes:
        mistakes.append(f"needs {_SIZE[0]}, or {' and '.join(_SIDES[0])}: pixels of the images that it was measured in")
    elif not all(1 <= side <= _MOST_PX and side % 1 == 0 for side in sizes[0]):
        mistakes.append(f"was measured in images of {sizes[0][0]:g}x{sizes[0][1]:g} pixels, which are no image's")
    radius = _numbers(entry.get("metric_radius", _NO_LIMIT))
    if radius.shape != () or not radius > 0:
        mistakes.append(f"has the metric_radius {entry['metric_radius']}, which should be above 0")
    if mistakes:
        raise ValueError("; ".join(mistakes))
    # OpenCV's order: k1 k2 p1 p2 [k3 [k4 k5 k6]].
    k1, k2, p1, p2, k3, k4, k5, k6 = np.concatenate([d, np.zeros(8)])[:8].tolist()
    width, height = sizes[0]
    return CameraModel(
        width_px=int(width),
        height_px=int(height),
        cx_px=float(K[0, 2]),
        cy_px=float(K[1, 2]),
        fx_px=float(K[0, 0]),
        fy_px=float(K[1, 1]),
        k1=k1, k2=k2, k3=k3, k4=k4, k5=k5, k6=k6, p1=p1, p2=p2,
        metric_radius=float(radius),
    )  # fmt: skip


def _first(entry: Mapping[str, Any], words: tuple[str, ...]) -> Any:  # Any: checked where it is used
    return next((entry[word] for word in words if word in entry), None)


def _numbers(value: Any) -> NDArray[np.float64]:  # Any: checked here
    """As numbers; none, where it is none."""
    try:
        numbers = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)
    return numbers if np.isfinite(numbers).all() else np.empty(0)
