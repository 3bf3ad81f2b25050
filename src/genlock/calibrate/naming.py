"""Whose image is it, and of which moment: what names of files and folders say, whoever gave them.

Tools name the same camera in many ways: ``cam_0.mp4``, ``port_0.mp4``, ``calib-camA.MOV``, ``left01.jpg``,
``vid_cam088_2021.avi``. The surest rule that fits one camera alone decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["Moment", "camera_of", "moment_of"]

Moment = tuple[str | int, ...]
"""Words and numbers in turn, so that 2 comes before 10, and 007 is 7."""

_CAMERA_WORD = r"(?<![a-z])(?:cam(?:era)?|port|view)[ _-]*"


def camera_of(name: str, cameras: Sequence[str], *, is_whole: bool) -> str:
    """The camera that a file or folder belongs to, by its name without suffix; empty where that cannot be said.

    Args:
        name: the file's or folder's.
        cameras: the names of all cameras.
        is_whole: the name says a camera and no moment: a number at its end may be the camera's.
    """
    text = name.lower()
    rules = [
        [camera for camera in cameras if camera.lower() == text],
        _longest([camera for camera in cameras if _as_written(camera).search(text)]),
        [camera for camera in cameras if _by_its_number(camera).search(text)],
        [camera for camera in cameras if is_whole and _last_number(camera) == _last_number(text) != ""],
    ]
    return next((found[0] for found in rules if len(found) == 1), "")


def moment_of(name: str, camera: str = "") -> Moment:
    """What a picture's name says of its moment, the camera's part of the name left out where one is given."""
    text = name.lower()
    for pattern in (_as_written(camera), _by_its_number(camera)) if camera else ():
        if found := pattern.search(text):
            text = f"{text[: found.start()]}_{text[found.end() :]}"
            break
    parts = re.split(r"(\d+)", text)
    return tuple(int(part) if number % 2 else part.strip(" _-.") for number, part in enumerate(parts))


def _as_written(camera: str) -> re.Pattern[str]:
    """The camera's name, where no letter carries on its letters and no digit its digits."""
    before, after = (r"\d" if end.isdigit() else "[a-z]" for end in (camera[0], camera[-1]))
    return re.compile(f"(?<!{before}){re.escape(camera.lower())}(?!{after})")


def _by_its_number(camera: str) -> re.Pattern[str]:
    """``cam``, ``camera``, ``port`` or ``view`` before the camera's number, or before its name: camA."""
    number = _last_number(camera)
    name = rf"0*{number}(?!\d)" if number else f"{re.escape(camera.lower())}(?![a-z])"
    return re.compile(_CAMERA_WORD + name)


def _longest(found: list[str]) -> list[str]:
    """Of cameras one of whose names holds all others' (cam and cam_2): that one."""
    return [camera for camera in found if all(other.lower() in camera.lower() for other in found)]


def _last_number(text: str) -> str:
    """The number that a name ends in, without leading zeros; empty without one."""
    match = re.search(r"(\d+)$", text)
    return match[1].lstrip("0") or "0" if match else ""
