"""What a rig's cameras showed of a board, and what follows: used by recorded sessions, by pictures and live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from genlock.calibrate import (
    UNREADABLE,
    CalibrationReport,
    DepthAlignment,
    DepthCheck,
    DepthReadings,
    Detection,
    Look,
    RestingImu,
    Solved,
    TargetDetector,
    View,
    WorldChoice,
    WorldKind,
    align_depth,
    check_depth,
    extrinsics_of,
    find_blurred,
    find_up,
    gather,
    gray_image,
    lenses_of,
    look_at,
    look_at_gray,
    make_report,
    on_print,
    place_print,
    read_depth,
    resting_set,
    solve_poses,
    surface_points,
    upright,
)
from genlock.capture import Capture, Image
from genlock.findings import Finding, Severity
from genlock.geometry import FACTORY_LENSES, WORLD, CameraModel, DeviceLenses, Pose, RigExtrinsics, device_frame
from genlock.k4a import ColorResolution, DepthMode, DeviceConfig
from genlock.k4a.calibration import DeviceCalibration
from genlock.targets import Target

__all__ = ["BoardFootage", "CalibrationResult", "Imager", "Refinement"]

_MOST_DEPTH_IMAGES = 24
"""A device's depth images that are kept to check the board's size with: a thousand readings, 18 MB."""
_MOST_SCENES = 8
"""Sets whose depth is aligned: half of them to fit, half to judge."""
_MOST_MARKER_LOOKS = 12
"""Images of each camera in which a marker that does not move is looked for until it was found so often."""


_USUAL_WORLD = WorldChoice(WorldKind.DEVICE)


class Refinement(StrEnum):
    """What may be made better than the factory or the board has it; taken only where held-out images gain."""

    INTRINSICS = "intrinsics"
    """Lenses, near the factory's."""
    DEPTH = "depth"
    """Poses, by the surfaces that several depth cameras measure."""


class Imager(StrEnum):
    """Which of a device's two cameras looks for the board."""

    COLOR = "color"
    IR = "ir"
    """The depth camera's own picture: works on devices without color."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationResult:
    """A calibration and what it was made from."""

    report: CalibrationReport
    solved: Solved | None

    @property
    def extrinsics(self) -> RigExtrinsics | None:
        """Where the devices are; ``None`` when nothing could be solved."""
        return self.report.extrinsics

    @property
    def refined_lenses(self) -> dict[str, CameraModel]:
        """The lenses by camera that the poses were solved with, where these are not the given ones; else empty."""
        return _refined_lenses(self.solved) if self.solved is not None else {}


@dataclass(slots=True)
class BoardFootage:
    """What several cameras showed of one board; cameras are devices, by serial."""

    target: Target
    world: WorldChoice = _USUAL_WORLD
    refine: frozenset[Refinement] = frozenset()
    remarks: tuple[Finding, ...] = ()
    """What was said of the images before one was looked at."""
    films: dict[str, range] = field(default_factory=dict)
    """The sets of each, by name, where several are looked at."""
    lenses: Mapping[str, DeviceLenses] = field(default_factory=dict)
    """By serial, of devices whose lenses are not the factory's."""
    cameras: dict[str, CameraModel] = field(default_factory=dict)
    T_cam_device: dict[str, Pose] = field(default_factory=dict)
    depth_cameras: dict[str, CameraModel] = field(default_factory=dict)
    T_accel_depth: dict[str, Pose] = field(default_factory=dict)
    looks: dict[View, Look] = field(default_factory=dict)
    depths: dict[View, NDArray[np.uint16]] = field(default_factory=dict)
    scenes: list[dict[str, NDArray[np.uint16]]] = field(default_factory=list)
    """Depth images of whole sets, for aligning by depth."""
    imus: dict[str, RestingImu] = field(default_factory=dict)
    _infrared: set[str] = field(default_factory=set)
    """Cameras that are depth cameras."""
    _scenes_seen: int = 0
    _scenes_step: int = 1
    _detectors: dict[str, TargetDetector] = field(default_factory=dict)
    _marker_detectors: dict[str, TargetDetector] = field(default_factory=dict)
    _markers: dict[str, list[Detection]] = field(default_factory=dict)

    def add_camera(self, name: str, camera: CameraModel, T_cam_device: Pose) -> None:
        """A camera that may look for the board.

        Raises:
            ValueError: it was there before with another lens or mode.
            UnknownDictionaryError: OpenCV does not know the target's markers.
        """
        if self.cameras.setdefault(name, camera) != camera:
            raise ValueError(f"has another mode or calibration of device {name} than a session before.")
        self.T_cam_device[name] = Pose("cam", device_frame(name), T_cam_device.rotation, T_cam_device.translation_m)
        # OpenCV's detectors are not to be shared between threads: one for each camera.
        self._detectors[name] = TargetDetector(self.target)
        if self.world.marker is not None:
            self._marker_detectors[name] = TargetDetector(self.world.marker, self.world.marker_number)

    def add_device(self, serial: str, raw_calibration: bytes, config: DeviceConfig, imager: Imager) -> None:
        """A device by its factory calibration and its modes; raises ``ValueError`` where it has no such image."""
        calibration = DeviceCalibration.from_json(raw_calibration).with_lenses(self.lenses.get(serial, FACTORY_LENSES))
        if imager is Imager.COLOR:
            if config.color_resolution is ColorResolution.OFF:
                raise ValueError("has no color; use --imager ir.")
            self.add_camera(serial, calibration.color_camera(config.color_resolution), calibration.T_color_depth)
        else:
            if config.depth_mode is DepthMode.OFF:
                raise ValueError("has no IR; use --imager color.")
            self.add_camera(serial, calibration.depth_camera(config.depth_mode), Pose.identity("cam", "depth"))
            self._infrared.add(serial)
        if config.depth_mode not in (DepthMode.OFF, DepthMode.PASSIVE_IR):
            self.depth_cameras[serial] = calibration.depth_camera(config.depth_mode)
        if calibration.T_accel_depth is not None:
            self.T_accel_depth[serial] = calibration.T_accel_depth

    def look(self, view: View, capture: Capture, imager: Imager) -> Look | None:
        """Looks for the board in a capture; ``None`` where it has no such image. One thread a camera may call it."""
        image: Image | None = capture.color if imager is Imager.COLOR else capture.ir
        if image is None:
            return None
        look = look_at(image, self._detectors[view.camera])
        self.looks[view] = look
        if self._wants_marker(view.camera, look):
            self._look_for_marker(view.camera, gray_image(image))
        if len(look.seen) and capture.depth is not None:
            kept = sum(other.camera == view.camera for other in list(self.depths))
            if kept < _MOST_DEPTH_IMAGES:
                self.depths[view] = capture.depth.pixels
        return look

    def look_at_gray(self, view: View, gray: NDArray[np.uint8] | None) -> None:
        """Looks for the board in a gray image (H, W); ``None`` is one that could not be read."""
        model = self.cameras[view.camera]
        if gray is None or gray.shape != (model.height_px, model.width_px):
            self.looks[view] = UNREADABLE
            return
        look = self.looks[view] = look_at_gray(gray, self._detectors[view.camera])
        if self._wants_marker(view.camera, look):
            self._look_for_marker(view.camera, gray)

    def _wants_marker(self, camera: str, look: Look) -> bool:
        found = self._markers.setdefault(camera, [])
        return camera in self._marker_detectors and not look.flaw and len(found) < _MOST_MARKER_LOOKS

    def _look_for_marker(self, camera: str, gray: NDArray[np.uint8]) -> None:
        seen = self._marker_detectors[camera].find(gray)
        if len(seen) == 4:
            self._markers[camera].append(seen)

    def keep_scene(self, captures: Mapping[str, Capture]) -> None:
        """Keeps a set's depth images, if they are to be aligned; evenly thinned, so that long films are covered."""
        depths = {serial: c.depth.pixels for serial, c in captures.items() if c.depth is not None}
        if Refinement.DEPTH not in self.refine or len(depths) < len(self.cameras):
            return
        self._scenes_seen += 1
        if self._scenes_seen % self._scenes_step == 0:
            self.scenes.append(depths)
        if len(self.scenes) > _MOST_SCENES:
            self.scenes = self.scenes[::2]
            self._scenes_step *= 2

    def feel(self, serial: str, readings_accel: NDArray[np.float64]) -> None:
        """Takes what a device's accelerometer read, (N, 3) m/s^2 in its own frame."""
        if len(readings_accel) and serial in self.T_accel_depth:
            self.imus[serial] = RestingImu.of(readings_accel, self.T_accel_depth[serial])

    def solve(self) -> CalibrationResult:
        """Poses and report from all that was shown."""
        blurred = find_blurred(self.looks)
        flaws = {view: look.flaw for view, look in self.looks.items() if look.flaw} | blurred
        unusable = [(view.camera, view.set_index, reason) for view, reason in sorted(flaws.items())]
        found = {view: look.seen for view, look in self.looks.items() if view not in flaws}
        observations = gather(self.cameras, found)
        solved = solve_poses(
            observations, self.target.corners_board, refine_lenses=Refinement.INTRINSICS in self.refine
        )
        sets_seen = {
            name: [view.set_index for view in observations.views if view.camera == name] for name in self.cameras
        }
        if solved is None:
            report = make_report(self.target, None, None, sets_seen, unusable=unusable, findings=self.remarks)
            return CalibrationResult(report, None)
        T_world_ref, description, findings = self._world_or_device(solved)
        extrinsics = extrinsics_of(solved.solution, self.T_cam_device, T_world_ref, description)
        extrinsics = replace(extrinsics, lenses={**self.lenses, **self._device_lenses(solved)})
        depth = check_depth(self._depth_readings(solved))
        alignment = self._aligned(extrinsics, depth)
        if alignment is not None:
            extrinsics = replace(extrinsics, T_world_device=alignment.T_world_device)
        report = make_report(
            self.target, solved, extrinsics, sets_seen,
            depth=depth, unusable=unusable, findings=(*self.remarks, *findings), alignment=alignment, films=self.films,
        )  # fmt: skip
        return CalibrationResult(report, solved)

    def _device_lenses(self, solved: Solved) -> dict[str, DeviceLenses]:
        return {
            serial: replace(
                self.lenses.get(serial, FACTORY_LENSES), **{"depth" if serial in self._infrared else "color": lens}
            )
            for serial, lens in _refined_lenses(solved).items()
        }

    def _aligned(self, extrinsics: RigExtrinsics, depth: DepthCheck | None) -> DepthAlignment | None:
        if Refinement.DEPTH not in self.refine:
            return None
        bias_mm = depth.bias_mm if depth else {}
        moments = [
            {
                serial: surface_points(image, self.depth_cameras[serial], bias_mm.get(serial, 0.0))
                for serial, image in scene.items()
                if serial in self.depth_cameras and serial in extrinsics.T_world_device
            }
            for scene in self.scenes
        ]
        return align_depth(moments, extrinsics.T_world_device)

    def _world_or_device(self, solved: Solved) -> tuple[Pose, str, tuple[Finding, ...]]:
        """The world that was asked for; a device's where that is not there, which is an error but no lost film."""
        try:
            return self._world_of(solved)
        except ValueError as error:
            serial = solved.solution.cameras[0]
            T_device_ref = self._T_device_ref(solved, serial)
            finding = Finding(
                "calibrate.no_world",
                Severity.ERROR,
                "world",
                f"{error}",
                f"the poses are given in the frame of device {serial}; calibrate again with another --world",
            )
            return Pose(WORLD, "ref", T_device_ref.rotation, T_device_ref.translation_m), f"device {serial}", (finding,)

    def _world_of(self, solved: Solved) -> tuple[Pose, str, tuple[Finding, ...]]:
        """``T_world_ref``, what the world is, and what should be known of it."""
        solution, choice = solved.solution, self.world
        match choice.kind:
            case WorldKind.BOARD:
                set_index = resting_set(solution) if choice.set_index is None else choice.set_index
                if set_index is None:
                    raise ValueError("the board never lay still; lay it down for a second, or say which set: board:SET")
                if set_index not in solution.sets:
                    used = ", ".join(map(str, solution.sets))
                    raise ValueError(f"the board has no place in set {set_index}; it has one in {used}")
                number = solution.sets.index(set_index)
                T_ref_board = Pose("ref", "board", solution.R_ref_board[number], solution.t_ref_board[number])
                words = f"the middle of the board in set {set_index}, z up out of it"
                return on_print(T_ref_board, self.target.corners_board.mean(axis=0)), words, ()
            case WorldKind.MARKER:
                return self._marker_world(solved), f"the middle of marker {choice.marker_number}, z up out of it", ()
            case WorldKind.GRAVITY:
                T_ref_device = {serial: self._T_device_ref(solved, serial).inverse() for serial in solution.cameras}
                gravity = find_up(self.imus, T_ref_device)
                serial = self._solved_serial(solved)
                words = f"z up by gravity, origin at device {serial}, y where it looks"
                return upright(T_ref_device[serial], gravity.up_ref), words, gravity.findings
            case WorldKind.DEVICE:
                serial = self._solved_serial(solved)
                T_device_ref = self._T_device_ref(solved, serial)
                return Pose(WORLD, "ref", T_device_ref.rotation, T_device_ref.translation_m), f"device {serial}", ()

    def _solved_serial(self, solved: Solved) -> str:
        serial = self.world.serial or solved.solution.cameras[0]
        if serial not in solved.solution.cameras:
            raise ValueError(f"the world's device {serial} is none of {', '.join(solved.solution.cameras)}")
        return serial

    def _T_device_ref(self, solved: Solved, serial: str) -> Pose:
        number = solved.solution.cameras.index(serial)
        T_cam_ref = Pose("cam", "ref", solved.solution.R_cam_ref[number], solved.solution.t_cam_ref[number])
        return self.T_cam_device[serial].inverse() @ T_cam_ref

    def _marker_world(self, solved: Solved) -> Pose:
        solution, marker = solved.solution, self.world.marker
        seen = {
            camera: Detection(found[0].corners, np.median([look.px for look in found], axis=0))
            for camera, found in self._markers.items()
            if found and camera in solution.cameras
        }
        T_cam_ref = {
            camera: Pose(f"cam_{camera}", "ref", solution.R_cam_ref[number], solution.t_cam_ref[number])
            for number, camera in enumerate(solution.cameras)
        }
        lenses = dict(zip(solution.cameras, lenses_of(solved.observations, solution), strict=True))
        corners = marker.corners_board if marker is not None else np.empty((0, 3))
        placed = place_print(lenses, T_cam_ref, seen, corners)
        if placed is None:
            raise ValueError(
                f"no camera saw marker {self.world.marker_number} of {marker.dictionary if marker else ''}; it must "
                "lie in view, flat, unmoved, and not be one of the board's"
            )
        return on_print(placed[0], corners.mean(axis=0))

    def _depth_readings(self, solved: Solved) -> Mapping[str, DepthReadings]:
        parts: dict[str, list[DepthReadings]] = {serial: [] for serial in solved.solution.cameras}
        solution, used = solved.solution, solved.observations
        for number, view in enumerate(used.views):
            if view not in self.depths or view.camera not in self.depth_cameras:
                continue
            c, b = solution.cameras.index(view.camera), solution.sets.index(view.set_index)
            board = self.target.corners_board[used.corners[used.corners_of(number)]]
            points_ref = board @ solution.R_ref_board[b].T + solution.t_ref_board[b]
            points_cam = points_ref @ solution.R_cam_ref[c].T + solution.t_cam_ref[c]
            T_depth_cam = self.T_cam_device[view.camera].inverse()
            depth_camera = self.depth_cameras[view.camera]
            parts[view.camera].append(read_depth(self.depths[view], depth_camera, T_depth_cam, points_cam))
        return {serial: _joined(pieces) for serial, pieces in parts.items() if pieces}


def _refined_lenses(solved: Solved) -> dict[str, CameraModel]:
    """By camera; empty where they are those that were given."""
    if solved.solution.lens_steps is None:
        return {}
    return dict(zip(solved.solution.cameras, lenses_of(solved.observations, solved.solution), strict=True))


def _joined(pieces: Iterable[DepthReadings]) -> DepthReadings:
    parts = list(pieces)
    return DepthReadings(np.concatenate([p.expected_mm for p in parts]), np.concatenate([p.measured_mm for p in parts]))
