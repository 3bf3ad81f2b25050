"""Pictures and videos as gray images, read by OpenCV."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from genlock.calibrate.gray import GrayImage, infrared_gray
from genlock.calibrate.opencv import load_opencv
from genlock.errors import SessionFolderError

__all__ = ["count_frames", "read_frames", "read_picture"]


def read_picture(path: Path) -> GrayImage | None:
    """A picture in 8-bit gray (H, W); 16 bits are shown as infrared is. ``None``: it cannot be read."""
    cv2 = load_opencv()
    content = np.fromfile(path, np.uint8)  # imread knows no other alphabets on Windows
    picture = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH) if len(content) else None
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        return None
    return np.asarray(picture if picture.dtype == np.uint8 else infrared_gray(picture))


def count_frames(path: Path) -> int:
    """How many frames a video has.

    Raises:
        SessionFolderError: it is no video, or an empty one.
    """
    cv2 = load_opencv()
    video = cv2.VideoCapture(str(path))
    try:
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        if count <= 0:  # some containers do not say
            count = sum(1 for _ in iter(video.grab, False))
    finally:
        video.release()
    if count == 0:
        raise SessionFolderError(path, "is no video that OpenCV can read.")
    return count


def read_frames(path: Path, wanted: Collection[int]) -> Iterator[tuple[int, GrayImage | None]]:
    """Some frames of a video in gray (H, W), each with its number; it ends where the video does."""
    cv2 = load_opencv()
    video = cv2.VideoCapture(str(path))
    try:
        for number in range(max(wanted, default=-1) + 1):
            if not video.grab():
                return
            if number in wanted:
                is_read, picture = video.retrieve()
                yield number, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if is_read else None
    finally:
        video.release()
