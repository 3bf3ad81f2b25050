"""Synchronized images of any cameras, from a folder: which files show which camera at which moments.

::

    DIR/cam_0.mp4  DIR/cam_1.mp4            videos; frame k of one belongs to frame k of the others ...
    DIR/timestamps.csv                      ... or to what this says (``moments.py``)
    DIR/cam_0/any.mp4  DIR/cam_1/any.mp4    the same, one in each camera's folder
    DIR/cam_0/000012.png  DIR/cam_1/...     pictures; those of one name, or of one number, belong together
    DIR/left01.jpg  DIR/right01.jpg         the same, with the camera in their names (``naming.py``)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from genlock.calibrate.frames import count_frames, read_frames, read_picture
from genlock.calibrate.gray import GrayImage
from genlock.calibrate.moments import sets_of_frames
from genlock.calibrate.naming import Moment, camera_of, moment_of
from genlock.errors import IntrinsicsFileError, SessionFolderError
from genlock.findings import Finding, Severity

__all__ = ["Footage", "find_footage"]

_Key = TypeVar("_Key", int, Moment)

_VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm")


@dataclass(frozen=True, slots=True)
class Footage:
    """What a folder shows of some cameras."""

    pictures: Mapping[str, Mapping[int, Path]]
    """By camera and set; empty where there are videos."""
    videos: Mapping[str, Path]
    sets_of_frames: Mapping[str, Mapping[int, int]]
    """By camera: the set of each frame of its video."""
    findings: tuple[Finding, ...] = ()

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those that were filmed."""
        return (*self.pictures, *self.videos)

    def shared_sets(self, most: int) -> list[int]:
        """Sets that more than one camera has; evenly thinned to this many."""
        own = [*self.pictures.values(), *(frames.values() for frames in self.sets_of_frames.values())]
        shared = sorted(_shared(own))
        return shared[:: max(1, -(-len(shared) // most))]

    def images(self, camera: str, sets: Collection[int]) -> Iterator[tuple[int, GrayImage | None]]:
        """One camera's sets among these, each with its gray image (H, W); ``None``: it cannot be read."""
        if camera in self.pictures:
            pictures = self.pictures[camera]
            yield from ((number, read_picture(pictures[number])) for number in sorted(pictures) if number in sets)
        else:
            set_of_frame = self.sets_of_frames[camera]
            wanted = {frame for frame, number in set_of_frame.items() if number in sets}
            yield from ((set_of_frame[f], gray) for f, gray in read_frames(self.videos[camera], wanted))


def find_footage(folder: Path, cameras: Sequence[str]) -> Footage:
    """Which files of a folder show which of these cameras, and which of them are of one moment.

    Raises:
        SessionFolderError: nothing there that could be read, or nothing of one moment.
        IntrinsicsFileError: images of no known camera; all of them are named.
    """
    if not folder.is_dir():
        raise SessionFolderError(folder, "is no folder.")
    if videos := _videos(folder):
        of_camera = _by_camera(folder, videos, cameras)
        sets, findings = sets_of_frames(folder, {camera: count_frames(path) for camera, path in of_camera.items()})
        if len(of_camera) > 1 and not _shared(frames.values() for frames in sets.values()):
            raise SessionFolderError(
                folder,
                "holds no frames of one moment: by the table beside the videos no two cameras share a sync_index, or a "
                "frame_time to half a frame. Give times of one clock, or take the table away if the videos began "
                "together.",
            )
        return Footage({}, of_camera, sets, (*_unfilmed(cameras, of_camera), *findings))
    if folders := [sub for sub in _folders(folder) if _files(sub, _PICTURES)]:
        found = _by_camera(folder, {sub: sub.name for sub in folders}, cameras)
        pictures = {camera: _files(sub, _PICTURES) for camera, sub in found.items()}
    elif loose := _files(folder, _PICTURES):
        pictures = _by_name(folder, loose, cameras)
    else:
        kinds = ", ".join((*_VIDEOS, *_PICTURES))
        raise SessionFolderError(folder, f"holds neither videos nor pictures, nor folders of them ({kinds}).")
    return Footage(_by_moment(folder, pictures), {}, {}, _unfilmed(cameras, pictures))


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    found = (p for p in folder.iterdir() if p.suffix.lower() in suffixes and p.is_file() and p.name[0] != ".")
    return sorted(found, key=lambda path: (moment_of(path.stem), path.name))


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")


def _videos(folder: Path) -> dict[Path, str]:
    """Videos, each with the name that says whose it is: its own, or its folder's where it is alone in there."""
    if own := _files(folder, _VIDEOS):
        return {path: path.stem for path in own}
    inside = {sub: _files(sub, _VIDEOS) for sub in _folders(folder)}
    return {found[0]: sub.name for sub, found in inside.items() if len(found) == 1}


def _by_camera(folder: Path, names: Mapping[Path, str], cameras: Sequence[str]) -> dict[str, Path]:
    """Each camera's file or folder."""
    found: dict[str, Path] = {}
    mistakes = []
    for path, name in names.items():
        camera = camera_of(name, cameras, is_whole=True)
        shown = path.relative_to(folder)
        if not camera:
            mistakes.append(f"{shown} belongs to no camera")
        elif camera in found:
            mistakes.append(f"{found[camera].relative_to(folder)} and {shown} both belong to camera {camera}")
        else:
            found[camera] = path
    if mistakes:
        raise IntrinsicsFileError(folder, f"{'; '.join(mistakes)}. The intrinsics have {', '.join(cameras)}.")
    return found


def _by_name(folder: Path, pictures: Iterable[Path], cameras: Sequence[str]) -> dict[str, list[Path]]:
    """Pictures of one folder, by the camera in their names."""
    found: dict[str, list[Path]] = {}
    for path in pictures:
        found.setdefault(camera_of(path.stem, cameras, is_whole=False), []).append(path)
    if nobodys := found.pop("", []):
        names = ", ".join(path.name for path in nobodys[:4]) + (", ..." if len(nobodys) > 4 else "")
        raise IntrinsicsFileError(folder, f"{names}: of no camera, by name. The intrinsics have {', '.join(cameras)}.")
    return found


def _by_moment(folder: Path, pictures: Mapping[str, Sequence[Path]]) -> dict[str, dict[int, Path]]:
    """Pictures by camera and set. Those of one moment have one name, but perhaps for the camera in it."""
    plain = {camera: [moment_of(path.stem) for path in paths] for camera, paths in pictures.items()}
    stripped = {camera: [moment_of(path.stem, camera) for path in paths] for camera, paths in pictures.items()}
    moments = max((plain, stripped), key=lambda by_camera: len(_shared(by_camera.values())))
    if len(pictures) > 1 and not _shared(moments.values()):
        names = "; ".join(f"{camera} has {paths[0].name}" for camera, paths in pictures.items())
        raise SessionFolderError(folder, f"holds no pictures of one moment: those have one name or number. {names}.")
    numbers = {moment: n for n, moment in enumerate(sorted({m for own in moments.values() for m in own}))}
    sets: dict[str, dict[int, Path]] = {camera: {} for camera in pictures}
    for camera, paths in pictures.items():
        for moment, path in zip(moments[camera], paths, strict=True):
            other = sets[camera].setdefault(numbers[moment], path)
            if other is not path:
                raise SessionFolderError(folder, f"has {other.name} and {path.name} of camera {camera} at one moment.")
    return sets


def _shared(by_camera: Iterable[Iterable[_Key]]) -> set[_Key]:
    """What more than one camera has."""
    seen: set[_Key] = set()
    shared: set[_Key] = set()
    for own in map(set, by_camera):
        shared |= seen & own
        seen |= own
    return shared


def _unfilmed(cameras: Sequence[str], filmed: Collection[str]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            "calibrate.not_filmed",
            Severity.WARNING,
            f"camera {camera}",
            "the intrinsics have it, the folder has no images of it: where it is stays unknown",
            "name its video or folder like it, if there is one",
        )
        for camera in cameras
        if camera not in filmed
    )
