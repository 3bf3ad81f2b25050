"""Use a recorded session as one scene: fill a device's holes from the others, and write merged clouds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genlock.capture import CaptureSet
from genlock.errors import ExtrinsicsFileError, RecordingError, SessionFolderError
from genlock.fuse import (
    CloudMaker,
    DepthImage,
    DeviceView,
    FilledDepth,
    Filler,
    depth_colors,
    ply_bytes,
    png_bytes,
    source_colors,
)
from genlock.geometry import RigExtrinsics
from genlock.k4a import ColorResolution, DepthMode
from genlock.pixels import to_rgb
from genlock.recording import RecordedSession, RecordingReader, write_atomically
from genlock.workflows.placed import calibration_of, load_device_extrinsics
from genlock.workflows.progress import NoProgress, Progress

__all__ = ["FilledImage", "FuseResult", "fuse_session", "views_of_session"]

Picture = NDArray[np.uint8] | NDArray[np.uint16]
_NEAR_MM, _FAR_MM = 500.0, 5000.0
"""What the pictures' colors span: the widest range that a depth mode has."""


@dataclass(frozen=True, slots=True)
class FilledImage:
    """One filled image, by numbers."""

    set_index: int
    own_ratio: float
    """Share of the color image that the device measured itself."""
    filled_ratio: float
    """Share of the rest that others filled."""
    depth_file: Path


@dataclass(frozen=True, slots=True)
class FuseResult:
    """What was written."""

    folder: Path
    filled: Mapping[str, Sequence[FilledImage]]
    """By serial of the device whose view was filled."""
    clouds: Sequence[Path] = field(default=())
    points: int = 0
    """In all clouds together."""
    has_refined_lens: Mapping[str, bool] = field(default_factory=dict)
    """By serial of every device: whether a lens of it came with the extrinsics, or all are the factory's."""

    def to_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "format_version": 1,
            "folder": str(self.folder),
            "filled": {
                serial: [
                    {"set": i.set_index, "own_ratio": i.own_ratio, "filled_ratio": i.filled_ratio,
                     "depth": str(i.depth_file)}
                    for i in images
                ]
                for serial, images in self.filled.items()
            },
            "clouds": [str(path) for path in self.clouds],
            "points": self.points,
            "lenses": {serial: "refined" if own else "factory" for serial, own in self.has_refined_lens.items()},
            "findings": [],
        }  # fmt: skip


def fuse_session(
    session_path: Path,
    extrinsics_path: Path,
    folder: Path,
    *,
    fill: Sequence[str] = (),
    cloud: bool = False,
    sets: int | None = 1,
    progress: Progress | None = None,
) -> FuseResult:
    """Fills and merges the first complete sets of a session.

    Args:
        session_path: a session folder.
        extrinsics_path: where its devices were.
        folder: where the results go; made when it is not there.
        fill: serials of the devices whose color views are filled.
        cloud: whether to write a cloud a set.
        sets: how many complete sets; ``None`` for all.
        progress: told of every set.

    Raises:
        UnreadableInputError: no session, no extrinsics, or extrinsics that lack a device.
    """
    progress = progress or NoProgress()
    extrinsics = load_device_extrinsics(extrinsics_path)
    with RecordedSession(session_path) as session, ThreadPoolExecutor(thread_name_prefix="pictures") as pool:
        views = views_of_session(session.readers, extrinsics, extrinsics_path)
        for serial in fill:
            if serial not in views:
                raise SessionFolderError(session_path, f"has no device {serial}; it has {', '.join(views)}.")
        progress.step("make the tables of rays (the first time on this computer also compiles, some seconds)")
        fillers = [Filler(views[serial], list(views.values())) for serial in fill]
        maker = CloudMaker(list(views.values())) if cloud else None
        folder.mkdir(parents=True, exist_ok=True)
        filled: dict[str, list[FilledImage]] = {serial: [] for serial in fill}
        clouds, points = [], 0
        total = max((len(reader.has_image()) for reader in session.readers.values()), default=0)
        progress.step("fill and merge")
        for capture_set in islice(_usable(session), sets):
            progress.advance(capture_set.index, total, f"set {capture_set.index}")
            depths = {s: c.depth.pixels for s, c in capture_set.captures.items() if c.depth is not None}
            for filler in fillers:
                filled[filler.target.serial].append(_write_fill(folder, capture_set.index, filler, depths, pool))
            if maker is not None:
                colors = {s: to_rgb(c.color) for s, c in capture_set.captures.items() if c.color is not None}
                made = maker.cloud(depths, colors)
                path = folder / "clouds" / f"set-{capture_set.index:06d}.ply"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(ply_bytes(made))
                clouds.append(path)
                points += len(made.points_world)
    has_refined_lens = {serial: serial in extrinsics.lenses for serial in views}
    return FuseResult(folder, filled, clouds, points, has_refined_lens)


def views_of_session(
    readers: Mapping[str, RecordingReader], extrinsics: RigExtrinsics, extrinsics_path: Path
) -> dict[str, DeviceView]:
    """Every device of a session in its place."""
    views = {}
    for serial, reader in readers.items():
        if serial not in extrinsics.T_world_device:
            raise ExtrinsicsFileError(
                extrinsics_path, f"lacks device {serial}; it has {', '.join(extrinsics.T_world_device)}."
            )
        config = reader.config
        if config.depth_mode in (DepthMode.OFF, DepthMode.PASSIVE_IR) or config.color_resolution is ColorResolution.OFF:
            raise RecordingError(reader.path, "has no depth or no color; fusing needs both.")
        modes = (config.depth_mode, config.color_resolution)
        views[serial] = DeviceView.of(serial, calibration_of(reader), modes, extrinsics)
    return views


def _usable(session: RecordedSession) -> Iterator[CaptureSet]:
    for capture_set in session:
        if capture_set.is_complete and all(c.depth and c.color for c in capture_set.captures.values()):
            yield capture_set


def _write_fill(
    folder: Path, index: int, filler: Filler, depths: Mapping[str, DepthImage], pool: ThreadPoolExecutor
) -> FilledImage:
    result = filler(depths)
    place = folder / filler.target.serial
    place.mkdir(exist_ok=True)
    stem = f"set-{index:06d}"
    pictures: dict[str, Callable[[], Picture]] = {
        "depth": lambda: result.depth,
        "before": lambda: depth_colors(_own(result), _NEAR_MM, _FAR_MM),
        "after": lambda: depth_colors(result.depth, _NEAR_MM, _FAR_MM),
        "source": lambda: source_colors(result.source),
    }

    def write(name: str) -> None:
        (place / f"{stem}-{name}.png").write_bytes(png_bytes(pictures[name]()))

    list(pool.map(write, pictures))  # compressing lets go of the interpreter
    legend = "".join(f"{number} {serial}\n" for number, serial in enumerate(result.sources, start=1))
    write_atomically(place / "sources.txt", f"0 nobody\n{legend}")
    return FilledImage(index, result.own_ratio, result.filled_ratio, place / f"{stem}-depth.png")


def _own(result: FilledDepth) -> NDArray[np.uint16]:
    return np.where(result.source == 1, result.depth, 0).astype(np.uint16)
