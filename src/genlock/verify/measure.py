"""From stamps to numbers: which captures make a set, and how far every image lies from where it should.

Everything here is measured against one device, the reference, and none of it depends on the order in which the devices
are named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlock.k4a import WiredSyncMode
from genlock.plan import Plan
from genlock.sync import (
    MISSING_USEC,
    NO_CAPTURE,
    DriftFit,
    expected_color_ticks,
    expected_depth_ticks,
    fit_drift,
    offset_errors_usec,
    pair_captures,
)
from genlock.verify.evidence import DeviceEvidence
from genlock.verify.timeline import Timeline, find_span, make_timeline

__all__ = ["DeviceMeasures", "TakeMeasures", "find_reference", "measure_take"]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceMeasures:
    """One device against the moments of the take; every array is (S,), one value for each moment."""

    device: DeviceEvidence
    is_present: NDArray[np.bool_]
    """Whether the device has a capture of the moment."""
    is_whole: NDArray[np.bool_]
    """Whether that capture holds every image that the device's modes promise."""
    color_error_usec: NDArray[np.float64]
    """Measured minus expected; NaN where not both images are there. On the reference itself nothing but zeros."""
    depth_error_usec: NDArray[np.float64]
    extra_usec: NDArray[np.int64]
    """(E,) normalised times of captures inside the span that belong to no set."""
    drift: DriftFit | None
    """The device's clock against the reference's; ``None`` on the reference itself and where too little is known."""
    center_shift_usec: float
    """How much later than its delays say its images are expected, because its exposure differs from the reference's."""
    exposure_shift_usec: NDArray[np.float64]
    """What new exposures in the midst of the take explain of the errors, beyond that; 0 where they explain nothing.
    The errors are what was measured; what remains without this is the clock's doing."""
    is_disordered: bool
    """Whether the device's captures were not in the order of time."""
    first_usec: int | None
    last_usec: int | None
    """Normalised times of the first and last capture; ``None`` without any."""


@dataclass(frozen=True, slots=True, eq=False)
class TakeMeasures:
    """All devices of a take against one reference."""

    timeline: Timeline
    reference_serial: str
    period_usec: int
    devices: tuple[DeviceMeasures, ...]
    """By serial."""

    @property
    def is_complete(self) -> NDArray[np.bool_]:
        """(S,) whether every device has a whole capture of the moment."""
        complete = np.ones(self.timeline.moment_usec.shape, dtype=np.bool_)
        for measures in self.devices:
            complete &= measures.is_whole
        return complete


def find_reference(devices: Sequence[DeviceEvidence], plan: Plan | None = None) -> DeviceEvidence | None:
    """The device that the others are measured against; ``None`` when no device has a capture.

    The master, if there is one with captures; else the plan's reference; else the first by serial, those with color
    before those without: without a master (an external trigger) any device will do, but always the same one.
    """
    candidates = [device for device in devices if device.color_usec.size]
    planned = plan.reference_serial if plan is not None and plan.devices else None
    return min(
        candidates,
        key=lambda device: (
            device.config.wired_sync_mode is not WiredSyncMode.MASTER,
            device.serial != planned,
            not device.config.has_color,
            device.serial,
        ),
        default=None,
    )


def measure_take(
    devices: Sequence[DeviceEvidence], reference: DeviceEvidence, recorder_of: Callable[[DeviceEvidence], str]
) -> TakeMeasures:
    """Measures every device against the reference.

    Args:
        devices: all of the take, the reference among them; serials differ, frame rates are equal.
        reference: a device with at least one capture.
        recorder_of: which recorder made a device's files, by any name.
    """
    streams = {device.serial: _Stream.of(device) for device in devices}
    period_usec = reference.config.camera_fps.period_usec
    recorders: dict[str, list[NDArray[np.int64]]] = {}
    for stream in streams.values():
        if stream.time_usec.size:
            recorders.setdefault(recorder_of(stream.device), []).append(stream.time_usec)
    span_usec = find_span(list(recorders.values()), period_usec)
    timeline = make_timeline(streams[reference.serial].time_usec, period_usec, span_usec)
    moments = timeline.moment_usec.tolist()
    anchor = _Anchor.of(streams[reference.serial], timeline)
    measured = []
    for serial in sorted(streams):
        stream = streams[serial]
        if serial == reference.serial:
            partner = timeline.reference_index
        else:
            partner = pair_captures(moments, stream.time_usec.tolist(), period_usec)
        shift_usec = _center_shift_usec(stream.device, reference)
        measured.append(
            _measure_device(stream, partner, timeline, anchor, shift_usec, is_reference=serial == reference.serial)
        )
    return TakeMeasures(timeline, reference.serial, period_usec, tuple(measured))


@dataclass(frozen=True, slots=True, eq=False)
class _Stream:
    """A device's captures in order of normalised time."""

    device: DeviceEvidence
    time_usec: NDArray[np.int64]
    color_usec: NDArray[np.int64]
    depth_usec: NDArray[np.int64]
    exposure_usec: NDArray[np.int64]
    """0 where unknown."""
    is_disordered: bool

    @classmethod
    def of(cls, device: DeviceEvidence) -> _Stream:
        time_usec = device.normalised_usec
        is_disordered = bool(np.any(np.diff(time_usec) < 0))
        order = np.argsort(time_usec, kind="stable")
        known_usec = device.exposure_usec
        exposure_usec = known_usec if known_usec.size == time_usec.size else np.zeros_like(time_usec)
        return cls(
            device,
            time_usec[order],
            device.color_usec[order],
            device.depth_usec[order],
            exposure_usec[order],
            is_disordered,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Anchor:
    """The reference's image of each moment, from which all offsets are counted: color, or depth where it has none."""

    image_usec: NDArray[np.int64]
    """(S,), -1 where it is missing."""
    expected_ticks: int
    """Where that image lies after the master's color."""
    exposure_usec: NDArray[np.int64]
    """(S,) its exposure, 0 or less where unknown."""

    @classmethod
    def of(cls, stream: _Stream, timeline: Timeline) -> _Anchor:
        config = stream.device.config
        image_usec = stream.color_usec if config.has_color else stream.depth_usec
        ticks = expected_color_ticks(config) if config.has_color else expected_depth_ticks(config)
        index = timeline.reference_index
        return cls(_at(image_usec, index), ticks, _at(stream.exposure_usec, index))


def _at(image_usec: NDArray[np.int64], index: NDArray[np.int64]) -> NDArray[np.int64]:
    """(S,) the times of the captures with these indices, -1 where there is no capture or it has no such image."""
    if not image_usec.size:
        return np.full(index.shape, MISSING_USEC, dtype=np.int64)
    return np.where(index == NO_CAPTURE, MISSING_USEC, image_usec[index])


def _center_shift_usec(device: DeviceEvidence, reference: DeviceEvidence) -> float:
    """How much later than its delays say a device's centres lie, when it was told another exposure than the reference.

    Exposures that run side by side end together, so that of the longer one the centre lies earlier: that is what makes
    half of the difference the delay that brings the centres together (Microsoft's green_screen sample).
    # unverified on hardware
    """
    own_usec, reference_usec = device.set_exposure_usec, reference.set_exposure_usec
    if own_usec is None or reference_usec is None:
        return 0.0
    return (reference_usec - own_usec) / 2


def _exposure_shift_usec(
    exposure_usec: NDArray[np.int64], anchor: _Anchor, shift_usec: float, error_usec: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(S,) what the exposures that the captures report explain of the errors, where they explain most of them."""
    is_known = (exposure_usec > 0) & (anchor.exposure_usec > 0)
    explained = np.where(is_known, (anchor.exposure_usec - exposure_usec) / 2 - shift_usec, 0.0)
    if not np.isfinite(error_usec).any() or 2 * _scatter(error_usec - explained) > _scatter(error_usec):
        return np.zeros(error_usec.shape)
    return explained


def _scatter(values: NDArray[np.float64]) -> float:
    """Mean distance from the median, NaN left out."""
    return float(np.nanmean(np.abs(values - np.nanmedian(values))))


def _measure_device(
    stream: _Stream,
    partner: NDArray[np.int64],
    timeline: Timeline,
    anchor: _Anchor,
    shift_usec: float,
    *,
    is_reference: bool,
) -> DeviceMeasures:
    config = stream.device.config
    color_usec = _at(stream.color_usec, partner)
    depth_usec = _at(stream.depth_usec, partner)
    is_present = partner != NO_CAPTURE
    is_whole = is_present.copy()
    if config.has_color:
        is_whole &= color_usec != MISSING_USEC
    if config.has_depth_camera:
        is_whole &= depth_usec != MISSING_USEC
    color_ticks = expected_color_ticks(config) - anchor.expected_ticks
    depth_ticks = expected_depth_ticks(config) - anchor.expected_ticks
    color_error = offset_errors_usec(color_usec, anchor.image_usec, color_ticks) - shift_usec
    depth_error = offset_errors_usec(depth_usec, anchor.image_usec, depth_ticks) - shift_usec
    has_partner = np.zeros(stream.time_usec.size, dtype=np.bool_)
    has_partner[partner[is_present]] = True
    is_in_span = (stream.time_usec >= timeline.start_usec) & (stream.time_usec <= timeline.end_usec)
    drift = None
    exposure_shift = np.zeros(timeline.moment_usec.shape)
    if not is_reference:
        best_error = np.where(timeline.is_settled, color_error, np.nan)
        if not np.isfinite(best_error).any():
            best_error = np.where(timeline.is_settled, depth_error, np.nan)
        exposure_shift = _exposure_shift_usec(_at(stream.exposure_usec, partner), anchor, shift_usec, best_error)
        drift = fit_drift(timeline.moment_usec, best_error - exposure_shift)
    has_any = bool(stream.time_usec.size)
    return DeviceMeasures(
        device=stream.device,
        is_present=is_present,
        is_whole=is_whole,
        color_error_usec=color_error,
        depth_error_usec=depth_error,
        extra_usec=stream.time_usec[is_in_span & ~has_partner],
        drift=drift,
        center_shift_usec=shift_usec,
        exposure_shift_usec=exposure_shift,
        is_disordered=stream.is_disordered,
        first_usec=int(stream.time_usec[0]) if has_any else None,
        last_usec=int(stream.time_usec[-1]) if has_any else None,
    )
