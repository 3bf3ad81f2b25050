"""A lane carries everything, blocks when it is full, and says what it cost."""

from collections.abc import Sequence

import pytest

from genlock.capture import Capture, CaptureSet, CaptureSource, ImuSample
from genlock.clock import VirtualClock
from genlock.session.fanout import Lane


class SlowSink:
    """Takes a while for each capture, on the clock."""

    def __init__(self, clock: VirtualClock, seconds: float, fail_at: int | None = None) -> None:
        self.clock = clock
        self.seconds = seconds
        self.fail_at = fail_at
        self.captures: list[int] = []

    def open(self, sources: Sequence[CaptureSource]) -> None: ...

    def on_capture(self, capture: Capture) -> None:
        if capture.index == self.fail_at:
            raise OSError(28, "No space left on device")
        self.clock.sleep(self.seconds)
        self.captures.append(capture.index)

    def on_imu(self, serial: str, samples: Sequence[ImuSample]) -> None: ...

    def on_capture_set(self, capture_set: CaptureSet) -> None: ...

    def close(self) -> None: ...


def capture(index: int) -> Capture:
    return Capture("1", index, None, None, None)


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_a_lane_loses_nothing_and_keeps_order(seconds: float):
    clock = VirtualClock()
    sink = SlowSink(clock, seconds)
    with clock.participate():
        lane = Lane("1", [sink], clock, capacity=4)
        for index in range(50):
            lane.put(capture(index), ())
        lane.close()
    assert sink.captures == list(range(50))
    assert lane.counts.captures == 50
    assert lane.counts.deepest <= 4


def test_a_full_lane_holds_up_its_pump_and_counts_the_time():
    clock = VirtualClock()
    with clock.participate():
        lane = Lane("1", [SlowSink(clock, 0.1)], clock, capacity=2)
        for index in range(10):
            lane.put(capture(index), ())
        lane.close()
    # 10 captures of 0.1 s each; the pump was free while one was in hand and two waited, so it waited for 7 of them.
    assert lane.counts.blocked_nsec == pytest.approx(0.7e9, abs=1)


def test_a_sink_that_fails_ends_its_lane_and_frees_its_pump(caplog: pytest.LogCaptureFixture):
    clock = VirtualClock()
    sink = SlowSink(clock, 0.01, fail_at=3)
    with clock.participate():
        lane = Lane("1", [sink], clock, capacity=2)
        for index in range(10):
            lane.put(capture(index), ())
        lane.close()
    assert sink.captures == [0, 1, 2]
    assert isinstance(lane.error, OSError)
    assert "a sink failed" in caplog.text
