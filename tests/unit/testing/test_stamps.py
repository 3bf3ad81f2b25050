from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.k4a import CameraFps, DepthMode
from genlock.testing.stamps import StampFaults, interleavings, make_rig_stamps, make_stamps, rig_configs, stamp_streams

STILL = StampFaults(jitter_ticks=0)
(SERIAL, CONFIG), *_ = rig_configs(1).items()


@pytest.mark.parametrize("fps", list(CameraFps))
def test_a_healthy_stream_is_paced_on_ticks_from_the_first_pulse(fps: CameraFps) -> None:
    stream = make_stamps(SERIAL, replace(CONFIG, camera_fps=fps), 100, first=3, faults=STILL)
    ticks = np.arange(3, 103) * (90_000 // fps)
    assert stream.color_usec.tolist() == (ticks * 100 // 9).tolist()


def test_depth_lies_where_its_delay_says() -> None:
    for stream in make_rig_stamps(3, 10, dict.fromkeys(range(3), STILL)):
        offset = stream.depth_usec - stream.color_usec
        # Cutting to whole microseconds blurs a difference by less than one.
        assert np.abs(offset - stream.config.depth_delay_off_color_ticks * 100 / 9).max() < 1


def test_the_same_seed_gives_the_same_stream_and_another_another() -> None:
    first, same, other = (make_stamps(SERIAL, CONFIG, 100, seed=seed) for seed in (1, 1, 2))
    assert first.color_usec.tolist() == same.color_usec.tolist() != other.color_usec.tolist()


def test_each_fault_does_what_it_says() -> None:
    healthy = make_stamps(SERIAL, CONFIG, 100, faults=STILL)
    lossy = make_stamps(SERIAL, CONFIG, 100, faults=StampFaults(jitter_ticks=0, lost=frozenset({2, 50})))
    shifted = make_stamps(SERIAL, CONFIG, 100, faults=StampFaults(jitter_ticks=0, shift_usec=2000))
    blind = make_stamps(SERIAL, CONFIG, 100, faults=StampFaults(lost_color=frozenset({2}), lost_depth=frozenset({3})))
    fast = make_stamps(SERIAL, CONFIG, 100, faults=StampFaults(jitter_ticks=0, drift_ppm=1000))
    late = make_stamps(SERIAL, CONFIG, 100, faults=StampFaults(jitter_ticks=0, late_frames=4))
    assert sorted(set(healthy.color_usec) - set(lossy.color_usec)) == [healthy.color_usec[0], healthy.color_usec[48]]
    assert (shifted.color_usec - healthy.color_usec).tolist() == [2000] * 100
    assert (blind.color_usec[0], blind.depth_usec[1]) == (-1, -1)
    assert fast.color_usec[-1] / healthy.color_usec[-1] == pytest.approx(1.001, abs=1e-5)
    assert late.color_usec.tolist() == healthy.color_usec[:-4].tolist()


def test_a_device_without_a_camera_has_no_such_images() -> None:
    color_only = make_stamps(SERIAL, replace(CONFIG, depth_mode=DepthMode.OFF), 5)
    assert color_only.depth_usec.tolist() == [-1] * 5
    assert [stamp.depth_usec for stamp in color_only.stamps()] == [None] * 5


@settings(deadline=None, derandomize=True)
@given(st.data())
def test_an_interleaving_keeps_the_order_of_every_stream(data: st.DataObject) -> None:
    streams = data.draw(stamp_streams())
    mixed = data.draw(interleavings(streams))
    assert len(mixed) == sum(len(stream.color_usec) for stream in streams)
    for stream in streams:
        assert [stamp for stamp in mixed if stamp.serial == stream.serial] == list(stream.stamps())
