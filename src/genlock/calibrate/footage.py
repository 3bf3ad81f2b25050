"""Synchronized images of any cameras, from a folder: a video or a folder of pictures for each camera.

::

    DIR/cam_0.mp4  DIR/cam_1.mp4            videos; frame k of one belongs to frame k of the others ...
    DIR/timestamps.csv                      ... or to what this says: sync_index, cam_id, in the order of each video
    DIR/cam_0/000012.png  DIR/cam_1/...     pictures; those of one name belong together
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate.opencv import load_opencv
from genlock.errors import IntrinsicsFileError, SessionFolderError

__all__ = ["read_footage"]

_VIDEOS = (".mp4", ".avi", ".mkv", ".mov")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def read_footage(folder: Path, cameras: Iterable[str]) -> Iterator[tuple[str, int, NDArray[np.uint8]]]:
    """Yields camera, set and gray image (H, W), camera by camera.

    Args:
        folder: as above.
        cameras: names; a file or folder belongs to the camera of its name, or of the number that its name ends in.

    Raises:
        SessionFolderError: nothing there that could be read.
        IntrinsicsFileError: images of no known camera.
    """
    names = list(cameras)
    if not folder.is_dir():
        raise SessionFolderError(folder, "is no folder.")
    videos = sorted(p for p in folder.iterdir() if p.suffix.lower() in _VIDEOS)
    folders = sorted(p for p in folder.iterdir() if p.is_dir() and _pictures(p))
    if not videos and not folders:
        raise SessionFolderError(folder, f"holds neither videos ({', '.join(_VIDEOS)}) nor folders of pictures.")
    order = _sync_indices(folder / "timestamps.csv")
    set_of_stem = {stem: i for i, stem in enumerate(sorted({p.stem for f in folders for p in _pictures(f)}))}
    for path in videos or folders:
        name = _camera_of(path, names)
        if videos:
            yield from ((name, index, gray) for index, gray in _video(path, order.get(_number(name))))
        else:
            for picture in _pictures(path):
                gray = load_opencv().imread(str(picture), load_opencv().IMREAD_GRAYSCALE)
                if gray is not None:
                    yield name, set_of_stem[picture.stem], np.asarray(gray)


def _camera_of(path: Path, names: list[str]) -> str:
    if path.stem in names:
        return path.stem
    matching = [name for name in names if _number(name) == _number(path.stem) != ""]
    if len(matching) != 1:
        raise IntrinsicsFileError(path, f"belongs to no camera of the intrinsics; these are {', '.join(names)}.")
    return matching[0]


def _number(text: str) -> str:
    match = re.search(r"(\d+)$", text)
    return match[1].lstrip("0") or "0" if match else ""


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in _PICTURES)


def _sync_indices(path: Path) -> Mapping[str, list[int]]:
    """By camera number: the set of each frame of its video; empty without the file."""
    order: dict[str, list[int]] = defaultdict(list)
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                order[_number(row["cam_id"])].append(int(row["sync_index"]))
    return order


def _video(path: Path, order: list[int] | None) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    cv2 = load_opencv()
    video = cv2.VideoCapture(str(path))
    try:
        frame = 0
        while True:
            is_read, picture = video.read()
            if not is_read:
                return
            if order is None or frame < len(order):
                yield order[frame] if order else frame, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
            frame += 1
    finally:
        video.release()
