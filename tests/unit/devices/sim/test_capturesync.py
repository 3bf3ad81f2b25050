"""The SDK's joining of color and depth: its own unit tests' tables, and its queues."""

import json
from pathlib import Path

import pytest

from genlock.devices.sim.capturesync import FIFO_SAMPLES, CaptureSync, Sensor

VECTORS = Path(__file__).parents[5] / "shared" / "data" / "k4a" / "capturesync_vectors.json"
PERIOD_USEC = 33_333
C, D = Sensor.COLOR, Sensor.DEPTH


def joined(sync, samples):
    """What comes out for samples (sensor, time): pairs of times, None for what is missing."""
    out = []
    for sensor, time_usec in samples:
        out += [(capture.color, capture.depth) for capture in sync.add(sensor, time_usec, time_usec)]
    return out


def tables():
    if not VECTORS.exists():
        return []
    return list(json.loads(VECTORS.read_text())["tables"].items())


@pytest.mark.skipif(not VECTORS.exists(), reason=f"{VECTORS} is not there: the SDK's own tables are not checked")
@pytest.mark.parametrize("delay_usec", [1, -1])
@pytest.mark.parametrize(("name", "rows"), tables(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_tables_of_the_sdk_come_out(name, rows, delay_usec):
    # The tables are written for color first; mirrored, sensors change places and the delay its sign.
    color, depth = (C, D) if delay_usec > 0 else (D, C)
    expected = {
        (row + entry["pair_color_row_offset"], row + entry["pair_depth_row_offset"])
        for row, entry in enumerate(rows)
        if entry["pair_color_row_offset"] is not None
    }
    sync = CaptureSync(PERIOD_USEC, delay_usec)
    pairs = set()
    for row, entry in enumerate(rows):
        for capture in sync.add(color if entry["sensor"] == "color" else depth, entry["ts_usec"], row):
            if capture.color is not None and capture.depth is not None:
                pairs.add((capture.color, capture.depth) if delay_usec > 0 else (capture.depth, capture.color))
    assert pairs == expected


def test_samples_of_one_moment_make_a_pair():
    assert joined(CaptureSync(PERIOD_USEC, 0), [(C, 300_000), (D, 300_000)]) == [(300_000, 300_000)]


@pytest.mark.parametrize("delay_usec", [0, 5000, -5000, PERIOD_USEC])
@pytest.mark.parametrize(("early_usec", "pairs"), [(-8334, False), (-8333, True), (25_000, True), (25_001, False)])
def test_the_window_reaches_from_a_quarter_before_to_three_quarters_after(delay_usec, early_usec, pairs):
    # The sensor that exposes first is the reference: color, or depth where the delay is negative.
    first, second = (C, D) if delay_usec >= 0 else (D, C)
    reference_usec = 300_000
    other_usec = reference_usec + abs(delay_usec) + early_usec
    out = joined(CaptureSync(PERIOD_USEC, delay_usec), [(first, reference_usec), (second, other_usec)])
    assert any(None not in capture for capture in out) is pairs


def test_a_sample_without_a_partner_leaves_alone():
    samples = [(C, 300_000), (C, 333_333), (D, 333_333)]
    assert joined(CaptureSync(PERIOD_USEC, 0), samples) == [(300_000, None), (333_333, 333_333)]
    pairs_only = CaptureSync(PERIOD_USEC, 0, synchronized_images_only=True)
    assert joined(pairs_only, samples) == [(333_333, 333_333)]


def test_a_starved_sensor_makes_the_other_release_its_samples_early():
    sync = CaptureSync(PERIOD_USEC, 0)
    times_usec = [300_000 + number * PERIOD_USEC for number in range(FIFO_SAMPLES + 3)]
    # One current and fifteen waiting: the next two push the oldest two out.
    assert joined(sync, [(C, time_usec) for time_usec in times_usec]) == [(times_usec[0], None), (times_usec[1], None)]


def test_depth_from_before_the_clock_was_reset_is_thrown_away():
    sync = CaptureSync(PERIOD_USEC, 0)
    old_usec = 11 * PERIOD_USEC
    assert joined(sync, [(D, old_usec), (C, 300_000), (D, 300_000)]) == [(300_000, 300_000)]
    # Once depth has begun, later stamps are as good as any.
    assert joined(sync, [(C, old_usec), (D, old_usec)]) == [(old_usec, old_usec)]


@pytest.mark.parametrize("sensor", list(Sensor))
def test_a_single_camera_passes_its_samples_straight_through(sensor):
    sync = CaptureSync(PERIOD_USEC, 0, sensors=frozenset({sensor}))
    out = joined(sync, [(sensor, 300_000), (sensor, 333_333)])
    assert [next(filter(None, capture)) for capture in out] == [300_000, 333_333]
