"""One long run as it should be: who waits, when the first image comes, one time base, clocks, arrivals, sensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from genlock.devices import DeviceInfo
from genlock.k4a import CameraFps
from genlock.workflows.selftest.bench import Track
from genlock.workflows.selftest.figures import (
    Camera,
    arrival_fit,
    arrival_gap_usec,
    camera_usec,
    host_lag,
    offsets_between,
)
from genlock.workflows.selftest.lab import WAIT_SEC, Answer, Experiment, Lab, answer, not_tried, tolerance_usec

__all__ = ["STEADY", "common_zero"]

# Published first images, ms after the first pulse, with 10 ms of leeway for exposures other than those.
_FIRST_NEW_USEC, _FIRST_OLD_USEC = (210_000, 258_000), (45_000, 85_000)
_NEW_FIRMWARE = (1, 6, 107)
_MOST_JITTER_USEC, _MOST_GAP_USEC = 4_000.0, 40_000.0
_MOST_PPM = 400.0
_MOST_LAG_NSEC = 500_000_000
_MOST_LAG_PERIODS = 1
"""By arrivals at 30 fps, which lie up to 40 ms apart."""
_IMU_HZ, _IMU_LEEWAY_HZ = 1666.0, 17.0
_MJPG_BYTES_PER_PX = (0.08, 0.5)
_PX_720P = 1280 * 720


def _run(lab: Lab) -> Iterator[Answer]:
    with lab.bench.armed(lab.devices()) as running:
        infos = {serial: running.device(serial).info for serial in lab.plan.start_order}
        early = lab.start_waiting(running)
        running.wait(lab.long_sec)
        tracks = dict(running.tracks)
    lab.stop_pulses()
    yield _waits(early if lab.subordinates else {})
    yield _first_images(tracks, infos)
    yield common_zero("common_zero", lab, tracks)
    yield _arrival_clock(tracks)
    yield _arrival_jitter(lab, tracks)
    yield _clocks(tracks)
    yield _imu(tracks)
    yield _mjpg(tracks)


def _waits(early: dict[str, int]) -> Answer:
    if not early:
        return not_tried("subordinate_waits", "the rig file has no subordinates")
    free = [f"{serial} ({count} captures)" for serial, count in early.items() if count]
    text = f"delivered before any pulse: {', '.join(free)}" if free else f"{len(early)} waited for {WAIT_SEC} s"
    return answer("subordinate_waits", not free, text, early_captures=sum(early.values()))


def _first_images(tracks: dict[str, Track], infos: dict[str, DeviceInfo]) -> Answer:
    firsts = {serial: track.stamps[0].color_usec if track.stamps else None for serial, track in tracks.items()}
    wrong = []
    for serial, first_usec in firsts.items():
        low, high = _FIRST_NEW_USEC if _is_new(infos[serial].color_firmware) else _FIRST_OLD_USEC
        if first_usec is None or not low <= first_usec <= high:
            wrong.append(f"{serial} with firmware {infos[serial].color_firmware}: {first_usec} us")
    text = "; ".join(wrong) or "as published: " + ", ".join(
        f"{usec} us" for usec in sorted(set(firsts.values()), key=str)
    )
    return answer("first_image_time", not wrong, text, **{f"first_usec_{s}": usec for s, usec in firsts.items()})


def _is_new(firmware: str) -> bool:
    parts = [int(part) for part in firmware.split(".") if part.isdigit()]
    return tuple(parts) >= _NEW_FIRMWARE


def common_zero(claim_id: str, lab: Lab, tracks: dict[str, Track]) -> Answer:
    """Whether color stamps of devices without delays lie on the reference's, and mean the same moment."""
    reference_usec = camera_usec(tracks[lab.reference], Camera.COLOR)
    bound_usec = tolerance_usec(CameraFps.FPS_30)
    numbers: dict[str, float | None] = {}
    wrong = []
    for serial, track in tracks.items():
        if serial == lab.reference:
            continue
        lag = host_lag(tracks[lab.reference], track)
        if lag is not None:
            numbers[f"host_sees_periods_behind_{serial}"] = lag[0]
            if abs(lag[0]) > _MOST_LAG_PERIODS:
                wrong.append(f"{serial} counts from another pulse, {lag[0]} periods off")
        offsets = offsets_between(reference_usec, camera_usec(track, Camera.COLOR), track.period_usec)
        numbers[f"offset_usec_{serial}"] = offsets.median_usec if offsets else None
        numbers[f"worst_usec_{serial}"] = offsets.worst_usec if offsets else None
        if offsets is None or abs(offsets.median_usec) + offsets.worst_usec > bound_usec:
            wrong.append(serial if offsets is None else f"{serial} by {offsets.median_usec:+.0f} us")
    if not numbers:
        return not_tried(claim_id, "needs two devices")
    text = f"not within {bound_usec:.0f} us: {', '.join(wrong)}" if wrong else f"every stamp within {bound_usec:.0f} us"
    return answer(claim_id, not wrong, text, **numbers)


def _arrival_clock(tracks: dict[str, Track]) -> Answer:
    lags = np.array([lag for track in tracks.values() for lag in track.lags_nsec])
    if not lags.size:
        return not_tried("arrival_clock", "captures came without arrival times")
    low, high = float(np.percentile(lags, 1)) / 1e6, float(np.percentile(lags, 99)) / 1e6
    is_held = low > -1.0 and high * 1e6 < _MOST_LAG_NSEC
    text = f"captures were taken {low:.1f} to {high:.1f} ms after they arrived"
    return answer("arrival_clock", is_held, text, least_msec=low, most_msec=high)


def _arrival_jitter(lab: Lab, tracks: dict[str, Track]) -> Answer:
    numbers: dict[str, float] = {}
    for serial, track in tracks.items():
        fit = arrival_fit(track)
        if fit is not None:
            numbers[f"jitter_usec_{serial}"] = fit.noise_usec
        gap_usec = arrival_gap_usec(tracks[lab.reference], track)
        if gap_usec is not None and serial != lab.reference:
            numbers[f"gap_usec_{serial}"] = gap_usec
    if not numbers:
        return not_tried("arrival_jitter", "too few captures, or without arrival times")
    jitter = max((value for name, value in numbers.items() if name.startswith("jitter")), default=0.0)
    gap = max((abs(value) for name, value in numbers.items() if name.startswith("gap")), default=0.0)
    text = f"at most {jitter / 1e3:.1f} ms of scatter (sigma), devices at most {gap / 1e3:.1f} ms apart"
    return answer("arrival_jitter", jitter <= _MOST_JITTER_USEC and gap <= _MOST_GAP_USEC, text, **numbers)


def _clocks(tracks: dict[str, Track]) -> Answer:
    fits = {serial: fit for serial, track in tracks.items() if (fit := arrival_fit(track)) is not None}
    if not fits:
        return not_tried("clock_ppm", "too few captures, or without arrival times")
    # The fit is the host's clock against the device's: a device that is fast has a host that is slow.
    numbers = {f"device_ppm_{serial}": -fit.drift_ppm for serial, fit in fits.items()}
    numbers |= {f"sigma_ppm_{serial}": fit.standard_error_ppm for serial, fit in fits.items()}
    worst = max(abs(fit.drift_ppm) for fit in fits.values())
    return answer("clock_ppm", worst <= _MOST_PPM, f"at most {worst:.1f} ppm against the host's clock", **numbers)


def _imu(tracks: dict[str, Track]) -> Answer:
    numbers: dict[str, float] = {}
    wrong = []
    for serial, track in tracks.items():
        times, images = track.imu_usec, camera_usec(track, Camera.COLOR)
        if len(times) < 100 or not images.size:
            wrong.append(f"{serial} sent {len(times)} samples")
            continue
        rate_hz = (len(times) - 1) * 1e6 / (times[-1] - times[0])
        numbers[f"rate_hz_{serial}"] = rate_hz
        numbers[f"last_sample_after_last_image_msec_{serial}"] = (times[-1] - int(images[-1])) / 1000
        if abs(rate_hz - _IMU_HZ) > _IMU_LEEWAY_HZ:
            wrong.append(f"{serial} at {rate_hz:.1f} Hz")
        elif abs(times[-1] - int(images[-1])) > 1_000_000:
            wrong.append(f"{serial} on another clock than its images")
    text = "; ".join(wrong) or f"{len(numbers) // 2} devices at about {_IMU_HZ:.0f} Hz, on the images' clock"
    return answer("imu_clock", not wrong, text, **numbers)


def _mjpg(tracks: dict[str, Track]) -> Answer:
    sizes = [size / _PX_720P for track in tracks.values() for size in track.color_bytes]
    if not sizes:
        return not_tried("mjpg_bytes", "no MJPG images came")
    low, high = min(sizes), max(sizes)
    text = f"720P images have {low:.3f} to {high:.3f} bytes a pixel"
    is_held = _MJPG_BYTES_PER_PX[0] <= low and high <= _MJPG_BYTES_PER_PX[1]
    return answer("mjpg_bytes", is_held, text, least_bytes_per_px=low, most_bytes_per_px=high)


STEADY = Experiment(
    "a long run as it should be",
    (
        "subordinate_waits",
        "first_image_time",
        "common_zero",
        "arrival_clock",
        "arrival_jitter",
        "clock_ppm",
        "imu_clock",
        "mjpg_bytes",
    ),
    _run,
)
