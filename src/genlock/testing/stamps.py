"""Stamps of rigs that do not exist: generators of plausible streams, and hypothesis strategies for implausible ones.

``make_stamps`` gives one device's stream as a healthy camera would deliver it, on 90 kHz ticks; its faults break it,
one way each. The strategies are for laws: they make streams that no camera would deliver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from genlock.capture import Stamp
from genlock.k4a import CameraFps, ColorResolution, DepthMode, DeviceConfig, WiredSyncMode

__all__ = [
    "StampFaults",
    "StampStream",
    "interleavings",
    "make_rig_stamps",
    "make_stamps",
    "rig_configs",
    "stamp_streams",
]

_TICKS_PER_SEC = 90_000
_MISSING_USEC = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class StampFaults:
    """What is wrong with a stream; the defaults are nothing."""

    shift_usec: int = 0
    """Added to every stamp, as a tool would that rewrites a file's times."""
    drift_ppm: float = 0.0
    """How much faster than the master's the device's clock runs."""
    jitter_ticks: int = 1
    """Each stamp is off by up to so many ticks, evenly; a healthy camera shows one."""
    lost: frozenset[int] = frozenset()
    """Numbers of captures, from the first pulse, that are not delivered."""
    lost_ratio: float = 0.0
    """Share of captures lost at random."""
    lost_color: frozenset[int] = frozenset()
    lost_depth: frozenset[int] = frozenset()
    """Numbers of captures that are delivered without that image."""
    is_subordinate_delay_ignored: bool = False
    is_depth_delay_ignored: bool = False
    late_frames: int = 0
    """By how many frames the stream begins late *and counts from its own first pulse*: its stamps look healthy."""


@dataclass(frozen=True, slots=True, eq=False)
class StampStream:
    """One device's captures as arrays, -1 where an image is missing."""

    serial: str
    config: DeviceConfig
    color_usec: NDArray[np.int64] = field(repr=False)
    depth_usec: NDArray[np.int64] = field(repr=False)

    def stamps(self) -> Iterator[Stamp]:
        """The same as stamps, one by one."""
        for index, (color, depth) in enumerate(zip(self.color_usec.tolist(), self.depth_usec.tolist(), strict=True)):
            yield Stamp(
                serial=self.serial,
                index=index,
                color_usec=None if color == _MISSING_USEC else color,
                depth_usec=None if depth == _MISSING_USEC else depth,
                arrival_nsec=None,
            )


def rig_configs(count: int, fps: CameraFps = CameraFps.FPS_30) -> dict[str, DeviceConfig]:
    """A master and ``count - 1`` subordinates, depth staggered by 160 us about the color, color aligned."""
    base = DeviceConfig(color_resolution=ColorResolution.RES_720P, depth_mode=DepthMode.NFOV_UNBINNED, camera_fps=fps)
    return {
        f"{number + 1:012d}": replace(
            base,
            wired_sync_mode=WiredSyncMode.SUBORDINATE if number else WiredSyncMode.MASTER,
            depth_delay_off_color_usec=160 * number - 80 * (count - 1),
        )
        for number in range(count)
    }


def make_stamps(
    serial: str,
    config: DeviceConfig,
    count: int,
    *,
    first: int = 2,
    seed: int = 0,
    faults: StampFaults | None = None,
) -> StampStream:
    """One device's stream.

    Args:
        serial: of the device; with the seed it decides the jitter.
        config: of the device; its delays and modes decide which images come when.
        count: how many captures its pulses would give.
        first: number of the first capture delivered, counted from the first pulse; firmware withholds the first ones
            (SDK issue #1240).
        seed: of the jitter and the random losses.
        faults: what is wrong with it.
    """
    faults = faults or StampFaults()
    random = np.random.default_rng([seed, *serial.encode()])
    number = np.arange(first, first + count, dtype=np.int64)
    pulse_ticks = number * (_TICKS_PER_SEC // config.camera_fps)
    pulse_ticks = np.rint(pulse_ticks * (1 + faults.drift_ppm * 1e-6)).astype(np.int64)
    subordinate_ticks = 0 if faults.is_subordinate_delay_ignored else config.subordinate_delay_off_master_ticks
    depth_ticks = 0 if faults.is_depth_delay_ignored else config.depth_delay_off_color_ticks
    jitter = random.integers(-faults.jitter_ticks, faults.jitter_ticks + 1, size=(2, count))
    color_usec = (pulse_ticks + subordinate_ticks + jitter[0]) * 100 // 9 + faults.shift_usec
    depth_usec = (pulse_ticks + subordinate_ticks + depth_ticks + jitter[1]) * 100 // 9 + faults.shift_usec
    color_usec[np.isin(number, list(faults.lost_color)) | (not config.has_color)] = _MISSING_USEC
    depth_usec[np.isin(number, list(faults.lost_depth)) | (not config.has_depth_camera)] = _MISSING_USEC
    is_lost = np.isin(number, list(faults.lost)) | (random.random(count) < faults.lost_ratio)
    is_lost |= (color_usec == _MISSING_USEC) & (depth_usec == _MISSING_USEC)
    if faults.late_frames:
        is_lost[-faults.late_frames :] = True  # it misses the first pulses; its last capture is as late as the others'
    return StampStream(serial, config, color_usec[~is_lost], depth_usec[~is_lost])


def make_rig_stamps(
    devices: int,
    captures: int,
    faults: Mapping[int, StampFaults] | None = None,
    *,
    fps: CameraFps = CameraFps.FPS_30,
    seed: int = 0,
) -> tuple[StampStream, ...]:
    """The streams of a master and its subordinates.

    Args:
        devices: how many, the master included; it comes first.
        captures: how many each device's pulses would give.
        faults: what is wrong, by the device's number: 0 is the master.
        fps: the frame rate.
        seed: of jitter and losses.
    """
    return tuple(
        make_stamps(serial, config, captures, seed=seed, faults=(faults or {}).get(number))
        for number, (serial, config) in enumerate(rig_configs(devices, fps).items())
    )


_FAR_QUARTERS = st.sampled_from([*range(40), 1_000, 1_000_000])
"""Now and then far ahead: damage when the next stamp is none, time when it is too."""


@st.composite
def stamp_streams(draw: st.DrawFn, max_devices: int = 4, max_captures: int = 14) -> tuple[StampStream, ...]:
    """Streams of a small rig, the reference first: losses, doubles, single images, drift, steps back, leaps, silence.

    Times are drawn on a coarse grid, so that doubles, ties and the borders of the sets' reach come up often.
    """
    fps = draw(st.sampled_from(CameraFps))
    configs = rig_configs(draw(st.integers(1, max_devices)), fps)
    quarter_usec = fps.period_usec / 4
    streams = []
    for serial, config in configs.items():
        quarters = draw(st.lists(st.one_of(st.integers(0, 40), _FAR_QUARTERS), max_size=max_captures))
        if draw(st.booleans()):
            quarters.sort()
        off_usec = draw(st.lists(st.integers(-2, 2), min_size=len(quarters), max_size=len(quarters)))
        images = draw(st.lists(st.sampled_from("bcd"), min_size=len(quarters), max_size=len(quarters)))
        color = np.array([round(q * quarter_usec) + o for q, o in zip(quarters, off_usec, strict=True)], dtype=np.int64)
        color += 10_000  # so that nothing is negative
        depth = color + config.depth_delay_off_color_ticks * 100 // 9
        kind = np.array(images, dtype="U1")
        color[kind == "d"] = _MISSING_USEC
        depth[kind == "c"] = _MISSING_USEC
        streams.append(StampStream(serial, config, color, depth))
    return tuple(streams)


def stamp_faults() -> st.SearchStrategy[StampFaults]:
    """Anything that may be wrong with a stream, often several things at once."""
    some_captures = st.frozensets(st.integers(0, 120), max_size=12)
    return st.builds(
        StampFaults,
        shift_usec=st.sampled_from([0, 0, 0, 100, -111, 2000, 16_000]),
        drift_ppm=st.sampled_from([0.0, 0.0, 0.0, -5.0, 40.0, 300.0]),
        jitter_ticks=st.integers(0, 6),
        lost=some_captures,
        lost_ratio=st.sampled_from([0.0, 0.0, 0.01, 0.1, 1.0]),
        lost_color=some_captures,
        lost_depth=some_captures,
        is_subordinate_delay_ignored=st.booleans(),
        is_depth_delay_ignored=st.booleans(),
        late_frames=st.integers(0, 5),
    )


@st.composite
def interleavings(draw: st.DrawFn, streams: Sequence[StampStream]) -> list[Stamp]:
    """The stamps of all streams in some order that keeps each stream's own: what threads may do to it."""
    waiting: Mapping[str, list[Stamp]] = {stream.serial: list(stream.stamps())[::-1] for stream in streams}
    turns = draw(st.permutations([serial for serial, stamps in waiting.items() for _ in stamps]))
    return [waiting[serial].pop() for serial in turns]
