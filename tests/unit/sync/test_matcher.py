from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.capture import CaptureSet, Stamp
from genlock.k4a import CameraFps
from genlock.sync import LIVE_PATIENCE_USEC, NO_CAPTURE, Matcher, normaliser, opens_set, pair_captures
from genlock.testing.stamps import StampFaults, StampStream, interleavings, make_stamps, rig_configs, stamp_streams

LAW = settings(deadline=None, derandomize=True, max_examples=300)
PERIOD_USEC = CameraFps.FPS_30.period_usec


def matcher_of(streams: Sequence[StampStream], patience_usec: int | None = None) -> Matcher:
    return Matcher({stream.serial: stream.config for stream in streams}, streams[0].serial, patience_usec)


def match(matcher: Matcher, stamps: Iterable[Stamp]) -> list[CaptureSet]:
    sets = [capture_set for stamp in stamps for capture_set in matcher.add(stamp)]
    return sets + matcher.end_all()


def one_after_another(streams: Sequence[StampStream]) -> list[Stamp]:
    return [stamp for stream in streams for stamp in stream.stamps()]


def side_by_side(streams: Sequence[StampStream]) -> list[Stamp]:
    return sorted(one_after_another(streams), key=lambda stamp: stamp.color_usec or stamp.depth_usec or 0)


def rig(count: int, captures: int = 60, **faults: StampFaults) -> list[StampStream]:
    """Faults by device number: ``d1=`` is the first subordinate."""
    return [
        make_stamps(serial, config, captures, faults=faults.get(f"d{number}"))
        for number, (serial, config) in enumerate(rig_configs(count).items())
    ]


@LAW
@given(st.data())
def test_every_interleaving_gives_the_same_sets(data: st.DataObject) -> None:
    streams = data.draw(stamp_streams())
    expected_matcher = matcher_of(streams)
    expected = match(expected_matcher, one_after_another(streams))
    matcher = matcher_of(streams)
    assert match(matcher, data.draw(interleavings(streams))) == expected
    assert matcher.extra == expected_matcher.extra
    for stream in streams:
        assert matcher.extra_times_usec(stream.serial) == expected_matcher.extra_times_usec(stream.serial)


@LAW
@given(st.data())
def test_devices_may_end_at_any_time_after_their_last_stamp(data: st.DataObject) -> None:
    streams = data.draw(stamp_streams())
    expected = match(matcher_of(streams), one_after_another(streams))
    matcher, sets = matcher_of(streams), []
    left = {stream.serial: len(stream.color_usec) for stream in streams}
    unended = set(left)
    for stamp in data.draw(interleavings(streams)):
        sets += matcher.add(stamp)
        left[stamp.serial] -= 1
        for serial in sorted(unended):
            if not left[serial] and data.draw(st.booleans()):
                unended.discard(serial)
                sets += matcher.end(serial)
    for serial in data.draw(st.permutations(sorted(unended))):
        sets += matcher.end(serial)
    assert sets == expected
    assert matcher.waiting == 0


@LAW
@given(st.data())
def test_the_arrays_follow_the_same_rule(data: st.DataObject) -> None:
    streams = data.draw(stamp_streams())
    sets = match(matcher_of(streams), data.draw(interleavings(streams)))
    stamps = {stream.serial: list(stream.stamps()) for stream in streams}
    times = {s.serial: [t for stamp in s.stamps() if (t := normaliser(s.config)(stamp)) is not None] for s in streams}
    reference, *others = streams
    opens = opens_set(times[reference.serial], reference.config.camera_fps.period_usec)
    set_times = [usec for usec, is_open in zip(times[reference.serial], opens, strict=True) if is_open]
    assert [capture_set.reference_usec for capture_set in sets] == set_times
    for stream in others:
        partners = pair_captures(set_times, times[stream.serial], stream.config.camera_fps.period_usec)
        expected = [None if at == NO_CAPTURE else stamps[stream.serial][at] for at in partners]
        assert [capture_set.stamps.get(stream.serial) for capture_set in sets] == expected


@LAW
@given(st.data())
def test_with_patience_the_law_holds_while_nothing_is_late(data: st.DataObject) -> None:
    streams = data.draw(stamp_streams())
    period_usec = streams[0].config.camera_fps.period_usec
    expected_matcher = matcher_of(streams)
    expected = match(expected_matcher, one_after_another(streams))
    matcher = matcher_of(streams, patience_usec=period_usec * data.draw(st.integers(0, 8)))
    sets = match(matcher, data.draw(interleavings(streams)))
    # Patience never loses a set or its order, whatever is late.
    assert [s.reference_usec for s in sets] == [s.reference_usec for s in expected]
    if not any(matcher.late.values()):
        assert sets == expected
        assert matcher.extra == expected_matcher.extra


def test_patience_is_really_tried_on_late_and_on_timely_streams() -> None:
    streams = rig(3)
    timely, late = matcher_of(streams, 10 * PERIOD_USEC), matcher_of(streams, 10 * PERIOD_USEC)
    assert all(s.is_complete for s in match(timely, side_by_side(streams)))
    assert timely.late == dict.fromkeys(timely.late, 0)
    assert not all(s.is_complete for s in match(late, one_after_another(streams)))
    assert sum(late.late.values()) > 0


def test_a_set_comes_out_with_the_last_capture_that_it_waits_for() -> None:
    streams = rig(3, 3)
    (m0, m1, m2), (a0, a1, a2), (b0, b1, b2) = (list(stream.stamps()) for stream in streams)
    matcher = matcher_of(streams)
    # Each device's first capture waits for its second.
    begin = [len(matcher.add(stamp)) for stamp in (a0, m0, b0, m1, b1, a1)]
    assert begin == [0, 0, 0, 0, 0, 2]
    assert [len(matcher.add(stamp)) for stamp in (b2, a2, m2)] == [0, 0, 1]


def test_a_complete_set_says_so_and_holds_every_stamp() -> None:
    streams = rig(3)
    sets = match(matcher_of(streams), side_by_side(streams))
    assert len(sets) == 60
    assert [s.index for s in sets] == list(range(60))
    assert all(s.is_complete and list(s.captures) == [] for s in sets)
    assert {s.serial for s in sets[7].stamps.values()} == set(sets[7].stamps) == {stream.serial for stream in streams}


def test_a_lost_capture_is_missing_from_its_set_alone() -> None:
    streams = rig(3, d1=StampFaults(lost=frozenset({20})))
    sets = match(matcher_of(streams), side_by_side(streams))
    lossy = [s for s in sets if not s.is_complete]
    assert [s.missing for s in lossy] == [(streams[1].serial,)]
    assert 2 * abs(lossy[0].reference_usec - 20 * PERIOD_USEC) < PERIOD_USEC


def test_a_capture_that_the_reference_lost_is_extra_everywhere_else() -> None:
    streams = rig(3, d0=StampFaults(lost=frozenset({20})))
    matcher = matcher_of(streams)
    assert len(match(matcher, side_by_side(streams))) == 59
    assert list(matcher.extra.values()) == [0, 1, 1]
    assert 2 * abs(matcher.extra_times_usec(streams[1].serial)[0] - 20 * PERIOD_USEC) < PERIOD_USEC


def test_different_delays_fall_into_one_set() -> None:
    streams = rig(9)
    assert all(s.is_complete for s in match(matcher_of(streams), side_by_side(streams)))


def test_a_depth_only_reference_opens_the_sets_by_its_depth() -> None:
    streams = rig(2, d0=StampFaults(lost_color=frozenset(range(100))))
    sets = match(matcher_of(streams), side_by_side(streams))
    assert len(sets) == 60
    assert all(s.is_complete for s in sets)


def test_a_silent_device_holds_sets_back_until_it_ends() -> None:
    streams = rig(2)
    matcher = matcher_of(streams)
    assert [capture_set for stamp in streams[0].stamps() for capture_set in matcher.add(stamp)] == []
    assert matcher.waiting == 60
    sets = matcher.end(streams[1].serial)
    assert [s.missing for s in sets] == [(streams[1].serial,)] * 60


@pytest.mark.parametrize("silent", [0, 1])
def test_with_patience_an_hour_of_silence_needs_no_memory(silent: int) -> None:
    streams = rig(2, 10_000)
    matcher = matcher_of(streams, LIVE_PATIENCE_USEC)
    most = 0
    sets = 0
    for stamp in streams[1 - silent].stamps():
        sets += len(matcher.add(stamp))
        most = max(most, matcher.waiting)
    assert most <= LIVE_PATIENCE_USEC // PERIOD_USEC
    # A silent subordinate does not keep the reference's sets back; a silent reference has none.
    assert sets == (10_000 - LIVE_PATIENCE_USEC // PERIOD_USEC if silent == 1 else 0)


def test_a_device_that_returns_after_its_silence_is_matched_again() -> None:
    streams = rig(2, 300, d1=StampFaults(lost=frozenset(range(50, 200))))
    matcher = matcher_of(streams, LIVE_PATIENCE_USEC)
    sets = match(matcher, side_by_side(streams))
    assert sum(s.is_complete for s in sets) == 150
    assert matcher.late == dict.fromkeys(matcher.late, 0)


def test_one_device_alone_makes_sets_of_one() -> None:
    streams = rig(1)
    matcher = matcher_of(streams)
    assert [len(matcher.add(stamp)) for stamp in streams[0].stamps()] == [0, 2] + [1] * 58


def test_a_capture_without_any_image_is_extra() -> None:
    streams = rig(2)
    matcher = matcher_of(streams)
    for stream in streams:
        assert matcher.add(Stamp(stream.serial, 0, None, None, None)) == []
    assert list(matcher.extra.values()) == [1, 1]


def test_a_stamp_of_a_stranger_is_refused() -> None:
    with pytest.raises(ValueError, match="999999999999"):
        matcher_of(rig(2)).add(Stamp("999999999999", 0, 1, 1, None))


def test_a_reference_that_is_no_device_is_refused() -> None:
    with pytest.raises(ValueError, match="999999999999"):
        Matcher(rig_configs(2), "999999999999")


def test_devices_of_different_frame_rates_are_refused() -> None:
    mixed = rig_configs(2) | {"000000000002": rig_configs(2, CameraFps.FPS_15)["000000000002"]}
    with pytest.raises(ValueError, match="15, 30 fps"):
        Matcher(mixed, "000000000001")


@pytest.mark.parametrize("device", [0, 1])
@pytest.mark.parametrize("number", [0, 1, 30])
@pytest.mark.parametrize("patience_usec", [None, LIVE_PATIENCE_USEC])
def test_one_stamp_far_in_the_future_costs_its_own_set_alone(
    device: int, number: int, patience_usec: int | None
) -> None:
    streams = rig(3)
    streams[device].color_usec[number] += 10**12
    streams[device].depth_usec[number] += 10**12
    matcher = matcher_of(streams, patience_usec)
    in_order_of_delivery = [stamp for row in zip(*(s.stamps() for s in streams), strict=True) for stamp in row]
    sets = match(matcher, in_order_of_delivery)
    assert sum(s.is_complete for s in sets) == 59
    assert len(sets) == (59 if device == 0 else 60)  # the reference's own opens no set
    stray = streams[device].serial
    assert len(matcher.extra_times_usec(stray)) == 1
    assert matcher.extra_times_usec(stray)[0] > 10**11
    assert matcher.waiting == 0


def test_a_gap_in_every_stream_is_time_and_no_damage() -> None:
    streams = rig(3)
    for stream in streams:
        stream.color_usec[20:] += 60_000_000
        stream.depth_usec[20:] += 60_000_000
    matcher = matcher_of(streams, LIVE_PATIENCE_USEC)
    sets = match(matcher, side_by_side(streams))
    assert [s.is_complete for s in sets] == [True] * 60
    assert matcher.extra == dict.fromkeys(matcher.extra, 0)
